"""An extract whose rows say what they are about: one row about another period refuses all of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache

from smsengine.errors import SourceError
from smsengine.period import Period, Unit
from smsengine.sources.base import Row, Source, Value

_MONTHS = ("%Y-%m", "%m/%Y", "%Y%m", "%m-%Y")
_DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d-%m-%Y")


class OfPeriod:
    """A source that breaks off where a row is about another period than the run."""

    def __init__(self, source: Source, column: str, period: Period) -> None:
        self._source = source
        self._column = column
        self._period = period
        self.name = source.name

    def columns(self) -> tuple[str, ...]:
        """The columns of the source.

        Raises:
            SourceError: the column with the period is not among them.
        """
        found = self._source.columns()
        if self._column not in found:
            raise SourceError(
                f"{self.name} lacks the column {self._column!r} with the period; it has:"
                f" {', '.join(found)}."
            )
        return found

    def rows(self) -> Iterator[Row]:
        """The rows of the source.

        Raises:
            SourceError: a row is about another period, or does not say about which.
        """
        place = self.columns().index(self._column)
        for row in self._source.rows():
            if not row.fault:
                self._require(row, row.values[place] if place < len(row.values) else None)
            yield row

    def _require(self, row: Row, said: Value) -> None:
        if not names(self._period, said):
            about = f"about {said!s}" if said not in (None, "") else "about no period"
            raise SourceError(
                f"{self.name}: row {row.number} is {about}, and the run is about {self._period};"
                " this is the wrong extract."
            )


@lru_cache(maxsize=1024)
def names(period: Period, said: Value) -> bool:
    """Say whether a cell names a period: ``2019-06``, ``6/2019``, ``201906`` or any day of it."""
    if isinstance(said, date):  # also an instant
        day = said.date() if isinstance(said, datetime) else said
        return Period(period.unit, _first(period.unit, day)) == period
    text = str(said).strip().removesuffix(".0")
    forms = _DAYS if period.unit is Unit.DAY else (*_MONTHS, *_DAYS)
    for form in forms:
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day, not an instant
        except ValueError:
            continue
        if Period(period.unit, _first(period.unit, day)) == period:
            return True
    return False


def _first(unit: Unit, day: date) -> date:
    return day if unit is Unit.DAY else day.replace(day=1)
