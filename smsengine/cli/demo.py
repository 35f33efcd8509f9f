"""``smsengine demo``."""

from __future__ import annotations

from pathlib import Path

import click

from smsengine.cli.options import Exit, finish
from smsengine.cli.output import say, table, watching
from smsengine.cli.show import show_account, show_texts
from smsengine.period import Period
from smsengine.reports.accounts import account
from smsengine.service import rehearsal, sender
from smsengine.service.bootstrap import Engine
from smsengine.text.numerals import money


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.yaml"),
    show_default=True,
    help="The configuration whose jobs are shown.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where the demo lives; made anew each time.",
)
@click.option("--employers", type=click.IntRange(min=1), help="Make up so many employers.")
def demo(config: Path, folder: Path, employers: int | None) -> None:
    """Plan and send both monthly notices on sample data, through a gateway that only pretends."""
    engine = Engine(rehearsal.prepare(config, folder, employers))
    say(
        f"The demo lives in {folder}/ with its own ledger; nothing leaves this machine.",
        style="dim",
    )
    ties = True
    for step in rehearsal.STEPS:
        ties &= _show_step(engine, step)
    _show_again(engine, rehearsal.STEPS[-1])
    _show_where_next(folder)
    finish(Exit.DONE if ties else Exit.LOOK)


def _request(engine: Engine, step: rehearsal.Step) -> sender.Request:
    return sender.Request(loaded=engine.job(step.job), period=Period.parse(step.period))


def _show_step(engine: Engine, step: rehearsal.Step) -> bool:
    request = _request(engine, step)
    say()
    say(f"== {step.job} {step.period}: {request.loaded.job.title}", style="bold cyan")
    started = engine.clock.now()
    with watching(quiet=False) as watch:
        planned = sender.plan(engine, request, watch)
        run = planned.run
        if run is None or planned.tripped:
            raise AssertionError(f"the demo's run is {run}: {planned.tripped}")
        sealed = engine.clock.now()
        sender.send_run(engine, run, watch)
    show_texts(engine.store, run.id, 2, step.subject)
    show_account(engine.store, run.id)
    sent = engine.clock.now()
    say(
        f"Planned in {(sealed - started).total_seconds():.1f} s, sent in"
        f" {(sent - sealed).total_seconds():.1f} s.",
        style="dim",
    )
    found = account(engine.store, run.id)
    return found is not None and not found.breaks


def _show_again(engine: Engine, step: rehearsal.Step) -> None:
    say()
    say(f"== {step.job} {step.period} once more: never twice", style="bold cyan")
    with watching(quiet=False) as watch:
        planned = sender.plan(engine, _request(engine, step), watch)
    new = planned.run.messages if planned.run else 0
    say(f"{money(planned.already_planned)} recipients were told before; {new} new messages.")


def _show_where_next(folder: Path) -> None:
    config = f"--config {folder}/config.yaml"
    say()
    say("Where to look next:", style="bold")
    table(
        ("command", "what it shows"),
        [
            (f"smsengine runs show 1 {config}", "account, manifest and history of a run"),
            (f"smsengine messages find 01909 {config}", "what one facility was told"),
            (
                f"smsengine runs export 2 c12.xlsx {config}",
                "every row with its state or its reason",
            ),
            ("smsengine jobs new my-notice --province 01-hanoi", "your own notice, two files"),
            ("smsengine doctor", "what would fail tonight"),
        ],
    )
    say("The command is in .venv/bin; README.md goes on from here.", style="dim")
