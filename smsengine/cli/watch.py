"""``smsengine runs watch``: a run as it goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import console, say, say_json
from smsengine.clock import VIETNAM
from smsengine.reports.accounts import account
from smsengine.service.bootstrap import Engine
from smsengine.service.following import Follower, Look
from smsengine.text.numerals import money

_EVERY_SECONDS = 1.0
_EVERY_SECONDS_WITHOUT_TERMINAL = 5.0
Show = Callable[[Look], None]


@click.command()
@click.argument("run_id", type=click.IntRange(1, 2**31), metavar="RUN")
@click.option(
    "--every",
    type=click.FloatRange(min=0.05, max=3600),
    help="Seconds between two looks; default: 1 on a terminal, else 5.",
)
@as_json
@with_engine
def watch(engine: Engine, run_id: int, every: float | None, *, as_json: bool) -> None:
    """Follow RUN until it has ended, or until Ctrl-C; changes nothing."""
    at_terminal = sys.stdout.isatty() and not as_json
    usual = _EVERY_SECONDS if at_terminal else _EVERY_SECONDS_WITHOUT_TERMINAL
    try:
        with _showing(at_terminal=at_terminal, as_json=as_json) as show:
            for look in Follower(engine, run_id).looks(every or usual, _tell):
                show(look)
    except KeyboardInterrupt:
        say(f"No longer watched; run {run_id} is not touched by that.", stderr=True)
    found = account(engine.store, run_id)
    finish(Exit.LOOK if found is not None and found.breaks else Exit.DONE)


def _tell(sentence: str) -> None:
    say(sentence, style="yellow", stderr=True)


@contextmanager
def _showing(*, at_terminal: bool, as_json: bool) -> Iterator[Show]:
    """What shows a look: in place on a terminal, else line by line."""
    if as_json:
        yield _show_json
    elif at_terminal:
        with Live(console=console(), auto_refresh=False) as live:
            yield lambda look: live.update(picture(look), refresh=True)
    else:
        yield lambda look: say(line(look))


def _show_json(look: Look) -> None:
    say_json(look.facts())
    sys.stdout.flush()


def line(look: Look) -> str:
    """A look in one line."""
    parts = [f"{look.at.astimezone(VIETNAM):%H:%M:%S} {look.run.label} is {look.run.state}"]
    parts.append(f"{money(look.done)} of {money(look.run.messages)}{_pace(look)}")
    parts += [f"{state} {money(look.states[state])}" for state in sorted(look.states)]
    return ", ".join(parts) + "".join(f"; {said}" for said in look.waits)


def _pace(look: Look) -> str:
    if look.has_ended or look.rate is None:
        return ""
    left = f", {lasting(look.seconds_left)} left" if look.seconds_left else ""
    return f", {look.rate:.1f}/s in the last minute{left}"


def lasting(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def picture(look: Look) -> Group:
    """A look as a terminal shows it."""
    run = look.run
    bar = Table.grid()  # a bar alone does not end its line
    bar.add_row(ProgressBar(total=max(run.messages, 1), completed=look.done, width=60))
    counts = Table.grid(padding=(0, 2))
    counts.add_column()
    counts.add_column(justify="right")
    for state in sorted(look.states):
        counts.add_row(Text(f"  {state}"), Text(money(look.states[state])))
    return Group(
        Text(f"Run {run.id}: {run.label}, {run.state}", style="bold"),
        bar,
        Text(f"{money(look.done)} of {money(run.messages)}{_pace(look)}"),
        counts,
        *(Text(said, style="yellow") for said in look.waits),
    )
