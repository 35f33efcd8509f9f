"""When a notice is due, in Vietnamese local time: by month, day, minutes or cron. Pure.

A timetable answers one question: what comes next after an instant. It remembers nothing, so that it
says the same on every machine and after every restart.

A notice is never dropped because of a calendar: in a year whose working days are not known, a
firing that should be moved to a working day stays on its own day, and its remark says so.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol

from smsengine.clock import VIETNAM
from smsengine.errors import RefusedError
from smsengine.workdays import Workdays

_DAY = timedelta(days=1)
#: A firing is never moved farther than this, so that no two months come onto one day.
_FARTHEST = 20
#: No step back in time is longer than this.
_LONGEST_REACH = timedelta(days=366)


class Firing(NamedTuple):
    """One time at which a notice is due.

    Args:
        at: the instant, aware, in UTC.
        nominal: the local time before it was moved to a working day; it says what the notice is
            about.
        remark: a sentence for a person; empty where all is as it should be.
    """

    at: datetime
    nominal: datetime
    remark: str = ""


class Timetable(Protocol):
    """A schedule that can be asked."""

    def next_after(self, after: datetime) -> Firing | None:
        """The first firing later than an instant; None where there is none any more."""


class Never:
    """Not by the clock."""

    def next_after(self, _after: datetime) -> None:
        """There is none."""


class Shift(StrEnum):
    """What happens to a day on which public offices do not work."""

    NONE = "none"
    NEXT = "next-working-day"
    PREVIOUS = "previous-working-day"


@dataclass(frozen=True, kw_only=True)
class Monthly:
    """On one day of each month; a day that the month lacks is its last day, so 31 is the end."""

    day: int
    at: time
    shift: Shift = Shift.NONE
    workdays: Workdays | None = None

    def next_after(self, after: datetime) -> Firing:
        """The first firing later than an instant."""
        local = after.astimezone(VIETNAM)
        # A firing of the month before may have been moved into this one.
        month = local.year * 12 + local.month - (1 if self.shift is Shift.NONE else 2)
        while (firing := self._of_month(*divmod(month, 12))).at <= after:
            month += 1
        return firing

    def _of_month(self, year: int, months_before: int) -> Firing:
        month = months_before + 1
        nominal = date(year, month, min(self.day, monthrange(year, month)[1]))
        moved, remark = _moved(nominal, self.shift, self.workdays)
        return Firing(_utc(moved, self.at), datetime.combine(nominal, self.at, VIETNAM), remark)


@lru_cache(maxsize=1024)
def _moved(day: date, shift: Shift, workdays: Workdays | None) -> tuple[date, str]:
    """The working day, or the day itself and why it was not moved."""
    if shift is Shift.NONE or workdays is None:
        return day, ""
    step = _DAY if shift is Shift.NEXT else -_DAY
    try:
        for days in range(_FARTHEST + 1):
            if workdays.is_working_day(day + days * step):
                return day + days * step, ""
    except RefusedError as error:
        return day, f"{day:%d/%m/%Y} was not moved to a working day: {error}"
    return day, (
        f"{day:%d/%m/%Y} was not moved: the holiday file has no working day within"
        f" {_FARTHEST} days of it."
    )


@dataclass(frozen=True, kw_only=True)
class Daily:
    """Every day at one hour."""

    at: time

    def next_after(self, after: datetime) -> Firing:
        """The first firing later than an instant."""
        day = after.astimezone(VIETNAM).date()
        if _utc(day, self.at) <= after:
            day += _DAY
        return Firing(_utc(day, self.at), datetime.combine(day, self.at, VIETNAM))


@dataclass(frozen=True, kw_only=True)
class Minutely:
    """Every so many minutes, counted from midnight anew each day."""

    every: timedelta

    def next_after(self, after: datetime) -> Firing:
        """The first firing later than an instant."""
        local = after.astimezone(VIETNAM)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        steps = (local - midnight) // self.every + 1
        nominal = min(midnight + steps * self.every, midnight + _DAY)
        return Firing(nominal.astimezone(UTC), nominal)


def _utc(day: date, at: time) -> datetime:
    return datetime.combine(day, at, VIETNAM).astimezone(UTC)


def last_of_days(timetable: Timetable, after: datetime, upto: datetime) -> Iterator[Firing]:
    """The last firing of each local day that has one, later than ``after``, newest first.

    What a notice is about lasts a day at least, so a timetable that fires every minute need not be
    walked through minute by minute. The work for one more firing does not grow with the time that
    lies between the two instants.
    """
    reach = timedelta(hours=1)
    while after < upto:
        start = max(after, upto - min(reach, upto - after))
        firing = _last(timetable, start, upto)
        if firing is None:
            upto, reach = start, min(2 * reach, _LONGEST_REACH)
        else:
            yield firing
            upto = min(upto, _end_of_day_before(firing.at))


def _last(timetable: Timetable, after: datetime, upto: datetime) -> Firing | None:
    """The newest firing between two instants, found by halving what lies between them."""
    found = None
    while (firing := timetable.next_after(after)) is not None and firing.at <= upto:
        found, after = firing, firing.at
        middle = after + (upto - after) / 2
        later = timetable.next_after(middle)
        if later is not None and later.at <= upto:
            found, after = later, later.at
        else:
            upto = middle
    return found


def _end_of_day_before(at: datetime) -> datetime:
    local = at.astimezone(VIETNAM)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC) - timedelta(microseconds=1)
