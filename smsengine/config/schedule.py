"""``schedule`` of a job: a day of the month, every day, every so many minutes, or cron."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from smsengine.config.yaml import Model
from smsengine.cron import Cron
from smsengine.period import Period, PeriodRule, Unit
from smsengine.timetable import Daily, Minutely, Monthly, Never, Shift, Timetable
from smsengine.workdays import Workdays

#: What ``catch_up: none`` means: a daemon that is started anew, or another that takes over, is not
#: too late.
AT_ONCE = timedelta(minutes=5)
#: How long a run may be late where its job does not say.
_CATCH_UP = {Unit.MONTH: timedelta(days=10), Unit.DAY: timedelta(hours=12)}
_LAST_DAY = 31
_DAY = timedelta(days=1)
#: So many firings of a cron expression are looked at, from a leap year on.
_LOOKED_AT = 60
_START = datetime(2024, 1, 1, tzinfo=UTC)


def _day(value: Any) -> Any:
    if value == "month_end":
        return _LAST_DAY
    if isinstance(value, str) and re.fullmatch(r"[1-9]|[12]\d|3[01]", value, re.ASCII) is None:
        raise ValueError(f"is {value!r}; write a day from 1 to 31, or month_end.")
    return value


def _hour(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value, re.ASCII)
    if match is None:
        raise ValueError(f"is {value!r}; write the hour as 08:00.")
    return time(int(match[1]), int(match[2]))


def _every(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([1-9]\d{0,2})\s*minutes?", value.strip(), re.ASCII)
    if value != "day" and (match is None or int(match[1]) > 720):
        raise ValueError(f"is {value!r}; write day, or 1 minutes to 720 minutes.")
    return timedelta(minutes=int(match[1])) if match else _DAY


def _cron(value: Any) -> Any:
    return Cron.parse(value) if isinstance(value, str) else value


class Schedule(Model, arbitrary_types_allowed=True):
    """When the notice goes out, in Vietnamese local time."""

    day: Annotated[int, BeforeValidator(_day)] | None = Field(
        default=None, description="day of the month, or month_end"
    )
    every: Annotated[timedelta, BeforeValidator(_every)] | None = Field(
        default=None, description="day, or 15 minutes"
    )
    cron: Annotated[Cron, BeforeValidator(_cron)] | None = Field(
        default=None, description="minute, hour, day of the month, month, weekday by name"
    )
    at: Annotated[time, BeforeValidator(_hour)] | None = Field(
        default=None, description="hour, e.g. 07:30"
    )
    on: Literal["payment"] | None = Field(
        default=None, description="payment: whenever payments were recorded"
    )
    shift: Shift = Field(default=Shift.NONE, description="where a day off moves to")

    @model_validator(mode="after")
    def _has_one_form(self) -> Schedule:
        given = [self.day, self.every, self.cron, self.on]
        if sum(each is not None for each in given) != 1:
            raise ValueError("needs one of day, every, cron and on, and not more than one.")
        has_hour = self.day is not None or self.every == _DAY
        if has_hour and self.at is None:
            raise ValueError("needs at: the hour, such as 08:00.")
        if self.at is not None and not has_hour:
            raise ValueError("at goes with a day of the month or every: day only.")
        if self.shift is not Shift.NONE and self.day is None:
            raise ValueError("shift goes with a day of the month only.")
        return self

    def timetable(self, workdays: Workdays) -> Timetable:
        """The schedule, to be asked when it is due."""
        if self.cron is not None:
            return self.cron
        if self.on is not None:
            return Never()
        if self.at is None:
            return Minutely(every=self.every or _DAY)
        if self.day is None:
            return Daily(at=self.at)
        return Monthly(day=self.day, at=self.at, shift=self.shift, workdays=workdays)

    def catch_up(self, rule: PeriodRule) -> timedelta:
        """How long a run may be late where its job does not say."""
        usual = _CATCH_UP[rule.unit]
        return usual if self.every is None else min(self.every, usual)

    def misfit(self, rule: PeriodRule) -> str:
        """Say why a schedule cannot tell of such periods; empty where it can."""
        if self.on is not None and rule is not PeriodRule.CURRENT_DAY:
            return "is due whenever payments were recorded, so its period is current-day."
        if rule.unit is Unit.MONTH and (self.every is not None or self._is_due_twice_a_month()):
            return (
                f"is due several times a month, and a notice about the {rule} is sent once a month;"
                " name one day."
            )
        return ""

    def _is_due_twice_a_month(self) -> bool:
        before, at = None, _START
        for _ in range(_LOOKED_AT):
            firing = self.cron.next_after(at) if self.cron else None
            if firing is None:
                return False
            month = Period.due(PeriodRule.CURRENT_MONTH, firing.nominal)
            if month == before:
                return True
            before, at = month, firing.at
        return False

    def __str__(self) -> str:
        """For people, e.g. ``day 1 at 08:00``."""
        if self.cron is not None:
            return f"cron {self.cron.text}"
        if self.on is not None:
            return f"on each {self.on}"
        if self.at is None:
            return f"every {(self.every or _DAY) // timedelta(minutes=1)} minutes"
        day = "every day" if self.day is None else f"day {self.day}"
        moved = "" if self.shift is Shift.NONE else f", {self.shift}"
        return f"{'month end' if self.day == _LAST_DAY else day} at {self.at:%H:%M}{moved}"
