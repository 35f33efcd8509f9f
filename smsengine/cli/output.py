"""What people and programs are shown: tables and progress, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from smsengine.service.sender import Watch

_WIDTH_WITHOUT_TERMINAL = 110


def console(*, stderr: bool = False) -> Console:
    """A console; without a terminal it is as wide as a wide page, so that tables stay whole."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False, emoji=False, markup=False)


def say(text: str = "", *, style: str = "", stderr: bool = False) -> None:
    """One line, never broken in the middle of a word it should not break."""
    console(stderr=stderr).print(Text(text, style=style), soft_wrap=True)


def say_json(value: object) -> None:
    """One JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", right: str = ""
) -> None:
    """A table. ``right`` names the columns that hold numbers, separated by commas."""
    numbers = set(right.split(","))
    shown = Table(title=Text(title, style="bold") if title else None, title_justify="left")
    for name in header:
        shown.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))
    console().print(shown)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Bars for planning and sending, on the error stream, where a person waits at a terminal."""
    if quiet or not sys.stderr.isatty():
        yield Watch()
        return
    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=console(stderr=True), transient=True) as bars:
        yield Watch(planning=_bar(bars, "planning rows"), sending=_bar(bars, "sending messages"))


def _bar(bars: Progress, what: str) -> Any:
    task: list[Any] = []

    def advance(count: int) -> None:
        if not task:
            task.append(bars.add_task(what, total=None, rate=""))
        bars.advance(task[0], count)
        speed = bars.tasks[0].speed
        bars.update(task[0], rate=f"{speed:,.0f}/s" if speed else "")

    return advance
