"""What a notice is about: a month ``2019-05`` or a day ``2023-08-03``, in Vietnamese local time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from smsengine.clock import VIETNAM
from smsengine.errors import UsageError


class Unit(StrEnum):
    """How long a period is."""

    MONTH = "month"
    DAY = "day"


class PeriodRule(StrEnum):
    """Which period a notice is about, seen from the local day on which it is sent."""

    PREVIOUS_MONTH = "previous-month"
    CURRENT_MONTH = "current-month"
    PREVIOUS_DAY = "previous-day"
    CURRENT_DAY = "current-day"

    @property
    def unit(self) -> Unit:
        return Unit(self.value.rpartition("-")[2])


@dataclass(frozen=True, slots=True)
class Period:
    """One month or one day."""

    unit: Unit
    first_day: date

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``2019-05`` or ``2023-08-03``.

        Raises:
            UsageError: it is neither.
        """
        match = re.fullmatch(r"([12]\d{3})-(\d{2})(?:-(\d{2}))?", text.strip(), re.ASCII)
        try:
            if match is None:
                raise ValueError(text)
            day = date(int(match[1]), int(match[2]), int(match[3] or 1))
        except ValueError:
            raise UsageError(
                f"{text!r} is not a period: write a month as 2019-05 or a day as 2023-08-03."
            ) from None
        return cls(Unit.DAY if match[3] else Unit.MONTH, day)

    @classmethod
    def due(cls, rule: PeriodRule, now: datetime) -> Period:
        """The period that ``rule`` means at the instant ``now``."""
        today = now.astimezone(VIETNAM).date()
        if rule.unit is Unit.MONTH:
            today = today.replace(day=1)
        current = cls(rule.unit, today)
        return current.previous if rule.value.startswith("previous") else current

    @property
    def last_day(self) -> date:
        return self.next.first_day - timedelta(days=1)

    @property
    def next(self) -> Period:
        if self.unit is Unit.DAY:
            return Period(self.unit, self.first_day + timedelta(days=1))
        return Period(self.unit, (self.first_day + timedelta(days=31)).replace(day=1))

    @property
    def previous(self) -> Period:
        before = self.first_day - timedelta(days=1)
        return Period(self.unit, before if self.unit is Unit.DAY else before.replace(day=1))

    @property
    def month(self) -> int:
        return self.first_day.month

    @property
    def year(self) -> int:
        return self.first_day.year

    def __str__(self) -> str:
        """The canonical name, as on the command line and in the ledger."""
        return self.first_day.strftime("%Y-%m-%d" if self.unit is Unit.DAY else "%Y-%m")
