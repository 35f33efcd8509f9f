"""``smsengine runs``."""

from __future__ import annotations

from pathlib import Path

import click

from smsengine.cli.options import (
    Exit,
    PeriodType,
    a_reason,
    as_json,
    finish,
    with_engine,
    yes,
)
from smsengine.cli.output import say, say_json, table, watching
from smsengine.cli.show import (
    counted,
    local_time,
    show_account,
    show_manifest,
    show_texts,
    standing,
)
from smsengine.errors import UsageError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.reports import exports
from smsengine.reports.accounts import Account, account
from smsengine.service import fence, missed, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import permit
from smsengine.service.people import own_account
from smsengine.store import runs as stored
from smsengine.text.numerals import money


@click.group()
def runs() -> None:
    """Look at runs, release, pause or withdraw them."""


def _account(engine: Engine, run_id: int) -> Account:
    found = account(engine.store, run_id)
    if found is None:
        raise UsageError(f"There is no run {run_id}; see 'smsengine runs list'.")
    return found


@runs.command("list")
@click.option("--job", help="Only this job's runs.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True)
@as_json
@with_engine
def list_runs(engine: Engine, job: str | None, limit: int, *, as_json: bool) -> None:
    """The newest runs."""
    with engine.store.read() as connection:
        found = stored.newest(connection, job=job, limit=limit)
    if as_json:
        for run in found:
            say_json(_account(engine, run.id).facts())
        return
    table(
        ("run", "job", "period", "rev", "kind", "state", "messages", "skipped", "cost", "made"),
        [
            (
                run.id,
                run.job,
                run.period,
                run.revision,
                run.kind,
                standing(run),
                money(run.messages),
                money(run.skips),
                money(run.cost),
                local_time(run.created_at)[:10],
            )
            for run in found
        ],
        right="run,rev,messages,skipped,cost",
    )


@runs.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@as_json
@with_engine
def show(engine: Engine, run_id: int, *, as_json: bool) -> None:
    """One run: account, manifest, first texts and history."""
    found = _account(engine, run_id)
    if as_json:
        say_json(found.facts())
    else:
        _show(engine, found)
    finish(Exit.LOOK if found.breaks else Exit.DONE)


def _show(engine: Engine, found: Account) -> None:
    run = found.run
    show_account(engine.store, run.id)
    if run.reason:
        say(f"Reason: {run.reason}")
    if run.manifest:
        show_manifest(run)
    show_texts(engine.store, run.id)
    with engine.store.read() as connection:
        history = stored.notes(connection, run.id)
    table(
        ("when", "what", "who", "detail"),
        [
            (local_time(row["at"]), row["what"], _short(row["actor"]), row["detail"])
            for row in history
        ],
        title="History",
    )


def _short(actor: str) -> str:
    """A person's name, or host and process number."""
    return ":".join(actor.split(":")[:2])


@runs.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@yes
@as_json
@with_engine
def approve(engine: Engine, run_id: int, *, yes: bool, as_json: bool) -> None:
    """Release a held run after looking at its manifest, and send it; goes on where it stopped."""
    fence.require(engine)
    run = _account(engine, run_id).run
    if run.state not in (RunState.RELEASED, RunState.SENDING):
        release.require_releasable(run)
        if not as_json:
            show_manifest(run)
        if not yes:
            click.confirm("Release this run? (--yes does not ask)", abort=True, err=True)
        sender.release_run(engine, run, own_account())
    _send(engine, run_id, as_json=as_json)


@runs.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@a_reason
@as_json
@with_engine
def pause(engine: Engine, run_id: int, reason: str, *, as_json: bool) -> None:
    """Stop sending RUN, in whichever process it is being sent; every message keeps its place."""
    found = _account(engine, run_id)
    if not reason:
        raise UsageError("pause needs --reason: the ledger keeps why.")
    actor = own_account()
    release.pause(engine.store, found.run, clock=engine.clock, actor=actor, reason=reason)
    if as_json:
        say_json({"run": run_id, "state": "paused"})
    else:
        say(f"Run {run_id} is paused; go on with: smsengine runs resume {run_id}")


@runs.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@yes
@as_json
@with_engine
def resume(engine: Engine, run_id: int, *, yes: bool, as_json: bool) -> None:
    """Go on with a paused RUN, and send it; one that stopped after a wave goes on with the next."""
    fence.require(engine)
    run = _account(engine, run_id).run
    if run.state is RunState.PAUSED and not yes:
        say(f"It was paused: {run.held_because}", stderr=True)
        click.confirm("Go on?", abort=True, err=True)
    release.resume(
        engine.store,
        run,
        clock=engine.clock,
        actor=own_account(),
        permit=permit(engine, run),
    )
    _send(engine, run_id, as_json=as_json)


def _send(engine: Engine, run_id: int, *, as_json: bool) -> None:
    """Send what is left of a run, and show how it stands."""
    with watching(quiet=as_json) as watch:
        sender.send_run(engine, _account(engine, run_id).run, watch)
    found = _account(engine, run_id)
    paused = found.run.state is RunState.PAUSED
    if as_json:
        say_json(found.facts())
    else:
        show_account(engine.store, run_id)
        if paused:
            say(f"It is paused: {found.run.held_because}", style="yellow")
            say(f"  go on: smsengine runs resume {run_id}")
    if paused:
        finish(Exit.REFUSED)
    finish(Exit.LOOK if found.needs_a_look else Exit.DONE)


@runs.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@a_reason
@yes
@as_json
@with_engine
def cancel(engine: Engine, run_id: int, reason: str, *, yes: bool, as_json: bool) -> None:
    """Withdraw what a run has not handed over yet."""
    found = _account(engine, run_id)
    if not reason:
        raise UsageError("cancel needs --reason: the ledger keeps why.")
    if found.run.state in (RunState.FINISHED, RunState.CANCELLED):
        raise UsageError(f"Run {run_id} is {found.run.state}; there is nothing to withdraw.")
    if not yes:
        click.confirm(f"Withdraw what is left of {found.run.label}?", abort=True, err=True)
    sender.settle_lost(engine)
    withdrawn = release.cancel(
        engine.store, found.run, clock=engine.clock, actor=own_account(), reason=reason
    )
    if as_json:
        say_json({"run": run_id, "withdrawn": withdrawn})
    else:
        say(f"{counted(withdrawn, 'message was', 'messages were')} withdrawn.")


@runs.command()
@click.argument("job")
@click.option(
    "--period", type=PeriodType(), required=True, help="The month or day that is left out."
)
@a_reason
@as_json
@with_engine
def skip(engine: Engine, job: str, period: Period, reason: str, *, as_json: bool) -> None:
    """Have the daemon leave JOB out for one period; remembered with its reason."""
    if not reason:
        raise UsageError("skip needs --reason: the ledger keeps why.")
    run_id = missed.skip(engine, engine.job(job), period, reason=reason, actor=own_account())
    if as_json:
        say_json({"run": run_id, "job": job, "period": str(period), "state": "missed"})
    else:
        say(f"{job} {period} is skipped. It can still be sent by hand:")
        say(f"  smsengine send {job} --period {period}")


@runs.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--full-phones", is_flag=True, help="Do not mask the numbers.")
@as_json
@with_engine
def export(engine: Engine, run_id: int, path: Path, *, full_phones: bool, as_json: bool) -> None:
    """Write every row of RUN to PATH (.csv or .xlsx), with its state or its reason."""
    _account(engine, run_id)
    rows = exports.lines(engine.store, run_id, full_phones=full_phones)
    written = exports.write(path, rows)
    if as_json:
        say_json({"run": run_id, "path": path, "rows": written})
    else:
        say(f"{counted(written, 'row', 'rows')} written to {path}.")
