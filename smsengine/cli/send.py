"""``smsengine preview`` and ``smsengine send``."""

from __future__ import annotations

import click

from smsengine.cli.options import Exit, a_period, a_reason, as_json, finish, with_engine, yes
from smsengine.cli.output import say, say_json, watching
from smsengine.cli.show import show_account, show_manifest, show_selection, show_texts
from smsengine.config.job import LoadedJob
from smsengine.errors import RefusedError, UsageError
from smsengine.gateways.base import OutcomeKind
from smsengine.lifecycle import RunKind, RunState
from smsengine.period import Period
from smsengine.planning.order import Planned, Resend
from smsengine.reports.accounts import account
from smsengine.service import fence, sender, trials
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import in_force
from smsengine.service.people import whoever
from smsengine.service.preview import Preview, preview_job
from smsengine.service.trying import told
from smsengine.store.runs import Run
from smsengine.text.numerals import money

#: What is planned when an earlier run is gone on with.
_NOTHING = Planned(run=None, rows_read=0, already_planned=0)
#: A person must decide before anything goes on.
_HALTED = (RunState.HELD, RunState.PAUSED)
_SENDABLE = (RunState.PLANNED, RunState.RELEASED, RunState.SENDING)


def due_period(engine: Engine, loaded: LoadedJob, period: Period | None) -> Period:
    """The period that was asked for, or the one that is due today."""
    rule = loaded.job.period
    if period is None:
        return Period.due(rule, engine.clock.now())
    if period.unit is not rule.unit:
        raise UsageError(f"{loaded.name} is about a {rule.unit}, and {period} is a {period.unit}.")
    return period


@click.command()
@click.argument("job")
@a_period
@click.option("--limit", type=click.IntRange(min=1), help="At most so many messages.")
@click.option("--only", multiple=True, metavar="SUBJECT", help="Only these subjects.")
@as_json
@with_engine
def preview(
    engine: Engine,
    job: str,
    period: Period | None,
    limit: int | None,
    only: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Show the texts of JOB with segments and cost; nothing is stored or sent."""
    loaded = engine.job(job)
    shown = preview_job(engine, loaded, due_period(engine, loaded, period), only=only)
    if as_json:
        for message in shown.messages(limit):
            say_json(message.facts())
    else:
        _show_preview(shown, limit or 10)
    if shown.skips:
        say(f"{shown.skips.total()} skipped: {_listed(shown)}", style="yellow", stderr=True)


def _show_preview(shown: Preview, limit: int) -> None:
    for message in shown.messages(limit):
        say(f"{message.subject}  {message.phone}  row {message.row_number}", style="bold")
        say(f"  {message.text}")
        say(
            f"  {len(message.text)} characters, {message.segments} segment(s),"
            f" {money(message.cost)} dong",
            style="dim",
        )


def _listed(shown: Preview) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in shown.skips.most_common())


@click.command()
@click.argument("job")
@a_period
@click.option("--dry-run", is_flag=True, help="Plan and show everything, send nothing.")
@click.option("--trial", is_flag=True, help="Send golden rows to the office's own phones only.")
@click.option("--to", metavar="PHONE", help="With --trial: only this one of them.")
@click.option("--only", multiple=True, metavar="SUBJECT", help="Only these subjects.")
@click.option(
    "--resend",
    type=click.Choice([choice.value for choice in Resend]),
    help="Tell recipients again that were told before.",
)
@a_reason
@yes
@as_json
@with_engine
def send(
    engine: Engine,
    job: str,
    period: Period | None,
    only: tuple[str, ...],
    resend: str | None,
    reason: str,
    to: str | None,
    *,
    dry_run: bool,
    trial: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Plan JOB for a period, seal it, and send it.

    Starting it again sends what is left, and what is new; never the same notice twice.
    """
    if trial or to:
        _refuse_beside_trial(trial=trial, others=dry_run or bool(only or resend or period))
        finish(_try_out(engine, job, to, as_json=as_json))
        return
    reason = reason.strip()
    if resend and not reason:
        raise UsageError("--resend needs --reason: why are people told again?")
    if reason and not resend:
        raise UsageError("--reason goes with --resend.")
    loaded = _loaded(engine, job, is_rehearsal=dry_run)
    request = sender.Request(
        loaded=loaded,
        period=due_period(engine, loaded, period),
        only=only,
        resend=Resend(resend) if resend else None,
        reason=reason,
    )
    if dry_run:
        finish(_rehearse(engine, request, as_json=as_json))
        return
    fence.require(engine)
    if resend and not yes:
        _confirm(engine, request)
    finish(_send(engine, request, as_json=as_json))


def _refuse_beside_trial(*, trial: bool, others: bool) -> None:
    if not trial:
        raise UsageError("--to goes with --trial.")
    if others:
        raise UsageError("--trial goes with --to only; it is about no period and nobody else.")


def _try_out(engine: Engine, job: str, to: str | None, *, as_json: bool) -> Exit:
    """Send a notice to its office's own phones; 1 where one of them was not accepted."""
    code = Exit.DONE
    for tried in trials.try_out(engine, job, to=to, actor=whoever()):
        if tried.outcome.kind is not OutcomeKind.ACCEPTED:
            code = Exit.LOOK
        if as_json:
            say_json({"case": tried.case, "to": tried.to, "outcome": tried.outcome.kind})
        else:
            say(f"{tried.case} to {tried.to}: {told(tried.outcome)}", style="bold")
            say(f"  {tried.text}")
    return code


def _loaded(engine: Engine, job: str, *, is_rehearsal: bool) -> LoadedJob:
    """The job as it is in force; a draft may be rehearsed."""
    try:
        return in_force(engine, job)
    except RefusedError as error:
        if not is_rehearsal:
            raise
        say(f"A draft: {error}", style="yellow", stderr=True)
        return engine.job(job)


def _rehearse(engine: Engine, request: sender.Request, *, as_json: bool) -> Exit:
    with (
        watching(quiet=as_json) as watch,
        sender.dry_plan(engine, request, watch) as (scratch, planned),
    ):
        if as_json:
            say_json(_planned_facts(planned) | {"dry_run": True})
        elif planned.run is not None:
            show_manifest(planned.run)
            show_texts(scratch, planned.run.id)
            say("Dry run: nothing was stored or sent.", style="bold")
        show_selection(planned, as_json=as_json)
    if planned.tripped:
        return Exit.REFUSED
    return Exit.LOOK if planned.selection.changed and not request.resend else Exit.DONE


def _confirm(engine: Engine, request: sender.Request) -> None:
    """Show what a re-send would do, and ask."""
    with (
        watching(quiet=False) as watch,
        sender.dry_plan(engine, request, watch) as (scratch, planned),
    ):
        if planned.run is None:
            return
        show_manifest(planned.run)
        show_texts(scratch, planned.run.id)
        show_selection(planned, as_json=False)
    click.confirm("Send these again?", abort=True, err=True)


def _send(engine: Engine, request: sender.Request, *, as_json: bool) -> Exit:
    done: list[Run] = []
    with watching(quiet=as_json) as watch:
        for run in sender.of_period(engine, request):
            if run.state in _SENDABLE or sender.may_hear_more(engine, run):
                sender.send_run(engine, run, watch)
                done.append(run)
        planned = _NOTHING
        if not _goes_on(engine, request, done):
            planned = sender.plan(engine, request, watch)
        if planned.run is not None:
            if planned.run.state is RunState.PLANNED:
                sender.send_run(engine, planned.run, watch)
            done.append(planned.run)
    held = [run for run in sender.of_period(engine, request) if run.state in _HALTED]
    if as_json:
        say_json(_sent_facts(engine, planned, done))
    else:
        _show_sent(engine, planned, done, held)
    return _exit_code(engine, request, planned, done, held)


def _goes_on(engine: Engine, request: sender.Request, done: list[Run]) -> bool:
    """Say whether there is nothing to plan: a re-send was interrupted, or a run is halted."""
    again = (RunKind.RESEND, RunKind.CORRECTION)
    if request.resend and any(run.kind in again for run in done):
        return True
    return any(run.state in _HALTED for run in sender.of_period(engine, request))


def _show_sent(engine: Engine, planned: Planned, done: list[Run], held: list[Run]) -> None:
    for run in done:
        show_account(engine.store, run.id)
    if planned is not _NOTHING:
        show_selection(planned, as_json=False)
    for run in held:
        say(f"Run {run.id} ({run.label}) is {run.state}: {run.held_because}", style="yellow")
        go_on = "release: smsengine runs approve"
        if run.state is RunState.PAUSED:
            go_on = "go on: smsengine runs resume"
        say(f"  look: smsengine runs show {run.id}    {go_on} {run.id}")


def _exit_code(
    engine: Engine, request: sender.Request, planned: Planned, done: list[Run], held: list[Run]
) -> Exit:
    if held:
        return Exit.REFUSED
    if request.only and planned is not _NOTHING and not planned.rows_read:
        say(f"No row of the extract is about {', '.join(request.only)}.", style="red", stderr=True)
        return Exit.WRONG
    accounts = [account(engine.store, run.id) for run in done]
    look = any(found is not None and (found.needs_a_look or found.breaks) for found in accounts)
    changed = bool(planned.selection.changed) and request.resend is None
    return Exit.LOOK if look or changed else Exit.DONE


def _planned_facts(planned: Planned) -> dict[str, object]:
    run = planned.run
    selection = planned.selection
    return {
        "new": run is not None,
        "rows_read": planned.rows_read,
        "messages": run.messages if run else 0,
        "skips": run.skips if run else 0,
        "segments": run.segments if run else 0,
        "cost": run.cost if run else 0,
        "already_planned": planned.already_planned,
        "changed_after_sent": len(selection.changed),
        "still_open": selection.still_open,
        "over_cap": selection.over_cap,
        "tripped": list(planned.tripped),
    }


def _sent_facts(engine: Engine, planned: Planned, done: list[Run]) -> dict[str, object]:
    accounts = [account(engine.store, run.id) for run in done]
    return _planned_facts(planned) | {
        "dry_run": False,
        "runs": [found.facts() for found in accounts if found is not None],
    }
