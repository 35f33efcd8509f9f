"""What is to be said of a payment beside what the fund got of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from smsengine.errors import RefusedError
from smsengine.store.matches import Standing
from smsengine.workdays import Workdays

_SATURDAY = 5
#: Days of age up to which a payment belongs to each of the first groups.
AGES = (1, 3, 7)


class Kind(StrEnum):
    """What is not as it should be."""

    #: nothing of it came
    OPEN = "open"
    #: less came than was paid
    SHORT = "short"
    #: more came than was paid, or was cancelled
    OVER = "over"
    #: corrected or cancelled after something had come
    CHANGED = "changed"
    #: all of it came, too late
    LATE = "late"


class Lateness:
    """By which day what was paid on another must be with the fund."""

    def __init__(self, workdays: Workdays, after: int) -> None:
        """Begin.

        Args:
            workdays: the calendar.
            after: working days.
        """
        self._workdays, self._after = workdays, after
        self._known: dict[date, date] = {}
        #: Years whose holidays are not known; of them only Saturdays and Sundays count as off.
        self.unknown_years: set[int] = set()

    def last_day(self, paid_on: date) -> date:
        """The last day on which it is not late."""
        if paid_on not in self._known:
            day = paid_on
            for _ in range(self._after):
                day += timedelta(days=1)
                while not self._is_working_day(day):
                    day += timedelta(days=1)
            self._known[paid_on] = day
        return self._known[paid_on]

    def _is_working_day(self, day: date) -> bool:
        try:
            return self._workdays.is_working_day(day)
        except RefusedError:
            self.unknown_years.add(day.year)
            return day.weekday() < _SATURDAY

    def is_late(self, standing: Standing) -> bool:
        """Say whether all of it came, and the last of it too late."""
        return (
            standing.last_day is not None
            and standing.got == standing.wanted > 0
            and standing.last_day > self.last_day(standing.paid_on)
        )


@dataclass(frozen=True, kw_only=True)
class Window:
    """The time in which something was found out that a report tells once (UTC)."""

    begin: datetime
    end: datetime

    def has(self, instant: datetime | None) -> bool:
        return instant is not None and self.begin <= instant < self.end


def remitted(standing: Standing) -> int:
    """đồng of what was paid that the fund has."""
    return min(max(standing.got, 0), standing.wanted)


def is_changed(standing: Standing) -> bool:
    """Say whether it was corrected or cancelled after something of it had come."""
    return standing.matched_edition is not None and standing.matched_edition < standing.edition


def kind_of(standing: Standing, lateness: Lateness, window: Window) -> Kind | None:
    """What is to be said of a payment; None where nothing is.

    What does not tie is said until it does; what is settled is said once, of the time when it was.
    """
    if standing.got != standing.wanted:
        if is_changed(standing):
            return Kind.CHANGED
        if not standing.parts:
            return Kind.OPEN
        return Kind.SHORT if standing.got < standing.wanted else Kind.OVER
    if is_changed(standing) and window.has(standing.recorded_at):
        return Kind.CHANGED
    if lateness.is_late(standing) and window.has(standing.last_at):
        return Kind.LATE
    return None


def age_group(days: int) -> int:
    """To which of the four groups of age it belongs: 1, 2-3, 4-7, more than 7 days."""
    return next((place for place, most in enumerate(AGES) if days <= most), len(AGES))


@dataclass(kw_only=True)
class Sums:
    """Figures of some payments, in đồng; ``paid`` = ``remitted`` + ``open``, always.

    ``excess`` is what the fund got above that, negative where more was taken back than had come.
    """

    payments: int = 0
    paid: int = 0
    remitted: int = 0
    open: int = 0
    open_payments: int = 0
    excess: int = 0
    late: int = 0
    changed: int = 0
    open_by_age: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))

    def add(self, standing: Standing, lateness: Lateness, today: date) -> None:
        """Count a payment."""
        there = remitted(standing)
        missing = standing.wanted - there
        self.payments += standing.wanted > 0
        self.paid += standing.wanted
        self.remitted += there
        self.open += missing
        self.open_payments += missing > 0
        self.excess += standing.got - there
        self.late += lateness.is_late(standing)
        self.changed += is_changed(standing)
        self.open_by_age[age_group((today - standing.paid_on).days)] += missing

    def __iadd__(self, other: Sums) -> Sums:
        for name in ("payments", "paid", "remitted", "open", "open_payments"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("excess", "late", "changed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        pairs = zip(self.open_by_age, other.open_by_age, strict=True)
        self.open_by_age = [one + two for one, two in pairs]
        return self
