"""The figures of the facility notice: visits, amount and share of records sent on time.

The letter of the IT Centre (2019) names the figures but gives no formula. The working rule is:

* A visit is (facility, visit code). The extract may hold several received versions of one visit.
* Money, month and discharge are those of the version received last. Versions received at the same
  last moment that differ are ordered by amount, month, discharge, the greatest first, and the
  visit is counted as ambiguous.
* Timeliness looks at the version received first: circular 48/2017/TT-BYT, article 6(1), wants
  a record sent right after the visit ends; article 13(7) moves a day off to the next working day.
* A visit counts when its last version belongs to the month asked for.
* A record that cannot be read is counted for its facility unless its visit surely belongs to
  another month. It is never guessed and never dropped.

The rule is one SELECT, made by ``statement``. DuckDB runs it over files and SQLite or PostgreSQL
where the records are, so it uses only what these three spell and mean alike: text functions, sums,
two windows. Times are compared as digits (yyyymmddHHMMSS), money is summed in whole hundredths of
a đồng, and every calendar question is answered beforehand in a small table of due times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    case,
    column,
    func,
    select,
    values,
)

from smsengine.errors import RefusedError
from smsengine.notices import fields
from smsengine.notices.visits import Columns, MonthOf, visits
from smsengine.sources.base import Row, Value
from smsengine.workdays import Workdays

__all__ = [
    "COLUMNS",
    "Columns",
    "MonthOf",
    "Policy",
    "ReceiptZone",
    "Rule",
    "figures",
    "statement",
    "whole_percent",
]

#: What ``figures`` yields: codes are text, counts and đồng whole numbers, the share whole percent.
COLUMNS = (
    "facility",
    "visits",
    "amount",
    "on_time_percent",
    "on_time",
    "unreadable",
    "ambiguous",
)

#: How far outside the month a discharge still finds its due time.
_YEARS_BEFORE = 1
_DAYS_AFTER = 31
_UTC_BEHIND_LOCAL = timedelta(hours=7)
_THREE_HOURS = timedelta(hours=3)


class Policy(StrEnum):
    """When a record is on time; no official formula is known."""

    #: received on the day of discharge
    SAME_DAY = "same-day"
    #: the same, a day off moving to the next working day: 48/2017/TT-BYT, article 13(7)
    SAME_DAY_OR_NEXT_WORKING_DAY = "same-day-or-next-working-day"
    #: received at most three hours after discharge, as a draft circular wants
    THREE_HOURS = "three-hours"


class ReceiptZone(StrEnum):
    """Which clock the times of receipt show; discharges are always local."""

    LOCAL = "local"
    UTC = "utc"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is asked: a month, and how the open questions of the letter are answered."""

    year: int
    month: int
    policy: Policy = Policy.SAME_DAY_OR_NEXT_WORKING_DAY
    month_of: MonthOf = MonthOf.CLAIM
    receipt_zone: ReceiptZone = ReceiptZone.LOCAL

    @property
    def period(self) -> str:
        """The month as yyyymm."""
        return f"{self.year:04}{self.month:02}"


def statement(
    rule: Rule,
    workdays: Workdays,
    *,
    columns: Columns | None = None,
    table_name: str = "records",
    schema: str | None = None,
) -> Select[Any]:
    """Return the SELECT that makes one line of sums per facility, for ``figures`` to finish.

    Raises:
        RefusedError: a due date of the month depends on a year whose holidays are not known.
    """
    lines = visits(
        period=rule.period,
        month_of=rule.month_of,
        columns=columns or Columns(),
        table_name=table_name,
        schema=schema,
    )
    return _sums(lines, _due_times(rule, workdays), rule)


def _sums(lines: Subquery, due: CTE, rule: Rule) -> Select[Any]:
    """Count and add per facility. A visit whose due time is not known cannot be read either."""
    row = lines.c
    in_month = and_(row.readable == 1, row.period == rule.period)
    counted = and_(in_month, due.c.hour.is_not(None))
    undue = and_(in_month, due.c.hour.is_(None))
    on_time = and_(counted, row.first_received <= _latest_receipt(row.discharged, due, rule))
    discharged = fields.part(row.discharged, 1, _key_length(rule))
    return (
        select(
            row.facility,
            func.sum(case((counted, 1), else_=0)).label("visits"),
            func.sum(case((counted, row.amount), else_=0)).label("hundredths"),
            func.sum(case((on_time, 1), else_=0)).label("on_time"),
            func.sum(row.unreadable + case((undue, 1), else_=0)).label("unreadable"),
            func.sum(case((counted, row.ambiguous), else_=0)).label("ambiguous"),
        )
        .select_from(lines.outerjoin(due, due.c.discharged == discharged))
        .group_by(row.facility)
        .order_by(row.facility)
    )


def _latest_receipt(discharged: ColumnElement[str], due: CTE, rule: Rule) -> ColumnElement[str]:
    """The last second that is on time, as yyyymmddHHMMSS on the clock of receipt."""
    if rule.policy is Policy.THREE_HOURS:
        return due.c.hour.concat(fields.part(discharged, 11, 2)).concat("00")
    return due.c.hour.concat("5959")


def _key_length(rule: Rule) -> int:
    """How many digits of the discharge find its due time: the day, or day and hour."""
    return 10 if rule.policy is Policy.THREE_HOURS else 8


def _due_times(rule: Rule, workdays: Workdays) -> CTE:
    """The last hour (yyyymmddHH, clock of receipt) that is on time, for each day or hour."""
    rows = list(_due_hours(rule, workdays))
    names = (column("discharged", Text), column("hour", Text))
    return values(*names, name="due", literal_binds=True).data(rows).cte("due")


def _due_hours(rule: Rule, workdays: Workdays) -> Iterator[tuple[str, str]]:
    for day in _days(rule):
        try:
            limits = _limits(day, rule.policy, workdays)
        except RefusedError:
            if (day.year, day.month) == (rule.year, rule.month):
                raise
            continue
        behind = _UTC_BEHIND_LOCAL if rule.receipt_zone is ReceiptZone.UTC else timedelta()
        for discharged, due in limits:
            key = f"{discharged:%Y%m%d%H}"[: _key_length(rule)]
            yield key, f"{due - behind:%Y%m%d%H}"


def _limits(day: date, policy: Policy, workdays: Workdays) -> list[tuple[datetime, datetime]]:
    """Pairs of a discharge and the local hour in which its time is up."""
    start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local, the zone has no summer time
    if policy is Policy.THREE_HOURS:
        hours = (start + timedelta(hours=hour) for hour in range(24))
        return [(hour, hour + _THREE_HOURS) for hour in hours]
    due = day
    if policy is Policy.SAME_DAY_OR_NEXT_WORKING_DAY:
        due = workdays.next_working_day(day)
    return [(start, datetime(due.year, due.month, due.day, 23))]  # noqa: DTZ001 - as above


def _days(rule: Rule) -> Iterator[date]:
    """From the first of January of the year before to a month after the month asked for."""
    day = date(rule.year - _YEARS_BEFORE, 1, 1)
    next_month = date(rule.year + rule.month // 12, rule.month % 12 + 1, 1)
    while day < next_month + timedelta(days=_DAYS_AFTER):
        yield day
        day += timedelta(days=1)


def figures(rows: Iterable[Row]) -> Iterator[Row]:
    """Turn the result of ``statement`` into rows with ``COLUMNS``, one per facility.

    A facility with unreadable records, and records that name no facility, become a row with a
    fault, so that nobody is told figures that are not complete.
    """
    for row in rows:
        yield row if row.fault else _figures(row)


def _figures(row: Row) -> Row:
    facility = str(row.values[0] or "")
    visits, cents, on_time, unreadable, ambiguous = (_whole(value) for value in row.values[1:])
    amount = Decimal(cents).scaleb(-2).quantize(Decimal(1), ROUND_HALF_UP)
    percent = whole_percent(on_time, visits)
    values_ = (facility, visits, int(amount), percent, on_time, unreadable, ambiguous)
    return Row(row.number, values_, _fault(facility, unreadable))


def whole_percent(part: int, whole: int) -> int | None:
    """Return the share in whole percent, half up; 100 only for all, None for a share of nothing."""
    if whole == 0:
        return None
    if part == whole:
        return 100
    return min(99, (200 * part + whole) // (2 * whole))


def _fault(facility: str, unreadable: int) -> str:
    if not unreadable:
        return ""
    if not facility:
        return f"records that name no facility: {unreadable}; some facility's figures are short."
    return f"facility {facility}: records that cannot be read: {unreadable}; the rest is not sure."


def _whole(value: Value) -> int:
    """Databases give sums as int or Decimal."""
    if isinstance(value, int | Decimal):
        return int(value)
    raise TypeError(f"a sum came back as {type(value).__name__}")
