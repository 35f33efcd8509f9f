"""Which days are working days in Viet Nam.

Saturday and Sunday are off. 01/01, 30/4, 01/5 and 02/9 are off every year. Everything else (Tết,
Giỗ Tổ, the second day of the national holiday, days off in lieu, make-up working days) is decided
anew each year and stands as dated lines in ``data/holidays.tsv``; an office adds lines in a file of
its own, and there a later line replaces an earlier one of the same date. A year whose lines are
missing is refused, never guessed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from smsengine.errors import ConfigError, RefusedError

_HEADER = ["date", "kind", "name"]
_KINDS = ("holiday", "working")
_FIXED = ((1, 1), (4, 30), (5, 1), (9, 2))
_SATURDAY = 5
#: What a known year has lines for: the name, and the first year that must have it. The national
#: holiday has had a second day since the Labour Code 2019 took effect in 2021.
_REQUIRED = (("Tết Nguyên đán", 0), ("Giỗ Tổ Hùng Vương", 0), ("Quốc khánh", 2021))


class Line(NamedTuple):
    """One dated line of a holiday file."""

    day: date
    kind: str
    name: str


class Workdays:
    """The working days of every year whose decision is known."""

    def __init__(self, extra: Path | None = None) -> None:
        built_in = files("smsengine") / "data" / "holidays.tsv"
        lines = list(_parse(built_in.read_text(encoding="utf-8"), "holidays.tsv"))
        if extra is not None:
            lines += _parse(_read(extra), str(extra))
        self._kinds = {line.day: line.kind for line in lines}
        self._named = {(line.day.year, _plain(line.name)) for line in lines}

    def is_working_day(self, day: date) -> bool:
        """Say whether public offices work on this day.

        Raises:
            RefusedError: the holidays of this year are not known.
        """
        self._require(day.year)
        if (day.month, day.day) in _FIXED:
            return False
        if day in self._kinds:
            return self._kinds[day] == "working"
        return day.weekday() < _SATURDAY

    def next_working_day(self, day: date) -> date:
        """Return the day itself if it is a working day, otherwise the first one after it."""
        while not self.is_working_day(day):
            day += timedelta(days=1)
        return day

    def _require(self, year: int) -> None:
        for name, since in _REQUIRED:
            if year >= since and (year, _plain(name)) not in self._named:
                raise RefusedError(
                    f"the working days of {year} are not known: add the lines of that year's "
                    f"decision, '{name}' among them, to a holiday file."
                )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{path}: the holiday file cannot be opened: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the holiday file is not UTF-8 text.") from error


def _parse(text: str, name: str) -> Iterator[Line]:
    header_seen = False
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip() or raw.startswith("#"):
            continue
        cells = [cell.strip() for cell in raw.split("\t")]
        if not header_seen:
            _check_header(cells, f"{name}:{number}")
            header_seen = True
        else:
            yield _line(cells, f"{name}:{number}")


def _check_header(cells: list[str], place: str) -> None:
    if cells != _HEADER:
        raise ConfigError(f"{place}: the first line must name the columns date, kind, name.")


def _line(cells: list[str], place: str) -> Line:
    if len(cells) != len(_HEADER):
        raise ConfigError(f"{place}: expected three columns apart by tabs: date, kind, name.")
    if cells[1] not in _KINDS:
        raise ConfigError(f"{place}: kind must be holiday or working, not '{cells[1]}'.")
    try:
        day = date.fromisoformat(cells[0])
    except ValueError as error:
        raise ConfigError(f"{place}: '{cells[0]}' is not a date like 2026-02-16.") from error
    return Line(day, cells[1], cells[2])


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
