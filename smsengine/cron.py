"""Cron expressions: five fields, weekdays by name, read so that each means one thing only.

Weekdays as numbers are refused: APScheduler, which does the reckoning, counts them from Monday = 0
and cron from Sunday = 0. A day of the month together with a weekday is refused: cron fires on
either, APScheduler on both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from smsengine.clock import VIETNAM
from smsengine.timetable import Firing

_NUMBERS = r"(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WEEKDAYS = "mon|tue|wed|thu|fri|sat|sun"


def _names(names: str) -> str:
    return rf"(?:{names})(?:-(?:{names}))?"


#: Each field: its name, what one part of it may be, and how it is written. APScheduler itself takes
#: ``mon-fri5`` for ``mon-fri``.
_FIELDS = (
    ("minute", _NUMBERS, "0 to 59"),
    ("hour", _NUMBERS, "0 to 23"),
    ("day of the month", f"{_NUMBERS}|last", "1 to 31 or last"),
    ("month", f"{_NUMBERS}|{_names(_MONTHS)}", "1 to 12 or jan to dec"),
    ("weekday", rf"\*|{_names(_WEEKDAYS)}", "a name, mon to sun; numbers mean different days"),
)
#: A leap year, so that the 29th of February is near.
_START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """The times that an expression means in Vietnam."""

    text: str
    _trigger: CronTrigger = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read ``0 8 * * mon-fri``: minute, hour, day of the month, month, weekday.

        Raises:
            ValueError: it is written otherwise, or is never due.
        """
        fields = text.lower().split()
        if len(fields) != len(_FIELDS):
            raise ValueError(
                f"is {text!r}; write five fields: minute, hour, day of the month, month, weekday."
            )
        for found, (name, part, expected) in zip(fields, _FIELDS, strict=True):
            if re.fullmatch(rf"(?:{part})(?:,(?:{part}))*", found, re.ASCII) is None:
                raise ValueError(f"is {text!r}; the {name} is {found!r}, expected {expected}.")
        if fields[2] != "*" and fields[4] != "*":
            raise ValueError(
                f"is {text!r}; a day of the month together with a weekday means different days to"
                " different programs; write * for one of them."
            )
        cron = cls(text=" ".join(fields), _trigger=_trigger(text, fields))
        if cron.next_after(_START) is None:
            raise ValueError(f"is {text!r}; there is no such day.")
        return cron

    def next_after(self, after: datetime) -> Firing | None:
        """The first firing later than an instant; None where there is none any more."""
        # APScheduler counts an instant itself as later, and only in whole seconds.
        nominal = self._trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
        if nominal is None:
            return None
        return Firing(nominal.astimezone(UTC), nominal)


def _trigger(text: str, fields: list[str]) -> CronTrigger:
    try:
        return CronTrigger.from_crontab(" ".join(fields), timezone=VIETNAM)
    except ValueError as error:
        said = str(error).rpartition(": ")[2]
        raise ValueError(f"is {text!r}; {said[0].lower()}{said[1:]}.") from error
