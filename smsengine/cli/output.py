"""What people and programs are shown: tables and progress, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
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
        yield Watch(tell=_tell)
        return
    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    ]
    with Progress(*columns, console=console(stderr=True), transient=True) as bars:
        planning, sending = _Bar(bars, "planning rows"), _Bar(bars, "sending messages")
        yield Watch(
            planning=planning.advance,
            expected=sending.expect,
            sending=sending.advance,
            tell=lambda sentence: bars.console.print(Text(sentence, style="yellow")),
        )


def _tell(sentence: str) -> None:
    say(sentence, style="yellow", stderr=True)


class _Bar:
    """One bar, which appears when it has something to show."""

    def __init__(self, bars: Progress, what: str) -> None:
        self._bars = bars
        self._what = what
        self._task: TaskID | None = None

    def expect(self, total: int | None) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(self._what, total=total, rate="")

    def advance(self, count: int) -> None:
        if self._task is None:
            self.expect(None)
        task = self._task
        if task is not None:
            self._bars.advance(task, count)
            speed = next(each.speed for each in self._bars.tasks if each.id == task)
            self._bars.update(task, rate=f"{speed:,.0f}/s" if speed else "")
