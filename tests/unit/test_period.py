"""Months and days in Vietnamese local time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.clock import VIETNAM
from smsengine.errors import UsageError
from smsengine.period import Period, PeriodRule, Unit

DAYS = st.dates(date(1000, 2, 1), date(2999, 11, 30))


def month_of(day: date) -> Period:
    return Period(Unit.MONTH, day.replace(day=1))


@pytest.mark.parametrize(
    ("text", "unit", "first_day"),
    [
        ("2019-05", Unit.MONTH, date(2019, 5, 1)),
        (" 2019-12 ", Unit.MONTH, date(2019, 12, 1)),
        ("2023-08-03", Unit.DAY, date(2023, 8, 3)),
        ("2024-02-29", Unit.DAY, date(2024, 2, 29)),
    ],
)
def test_parse(text: str, unit: Unit, first_day: date) -> None:
    """A month is written 2019-05 and a day 2023-08-03."""
    assert Period(unit, first_day) == Period.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2019",
        "2019-5",
        "05/2019",
        "2019-13",
        "2019-00",
        "2023-02-29",
        "2019-05-",
        "2019-05-32",
        "201905",
        "２０１９-05",
        "0000-05",
        "0001-01",
        "0201-05",
        "9999-12",
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    """Anything else, also a year that is a slip of the finger, is refused with both examples."""
    with pytest.raises(UsageError, match="write a month as 2019-05 or a day as 2023-08-03"):
        Period.parse(text)


@given(DAYS, st.sampled_from(Unit))
def test_the_canonical_name_reads_back(day: date, unit: Unit) -> None:
    """What the ledger keeps as a period's name is read as the same period."""
    period = Period(unit, day) if unit is Unit.DAY else month_of(day)
    assert period == Period.parse(str(period))


@given(DAYS)
def test_a_month_ends_where_the_next_begins(day: date) -> None:
    """No day lies between two months or in both."""
    month = month_of(day)
    assert month.last_day + timedelta(days=1) == month.next.first_day


@given(DAYS, st.sampled_from(Unit))
def test_previous_undoes_next(day: date, unit: Unit) -> None:
    """Going on and going back leads to where one was."""
    period = Period(unit, day) if unit is Unit.DAY else month_of(day)
    assert period == period.next.previous == period.previous.next


@pytest.mark.parametrize(
    ("text", "previous", "following", "last_day"),
    [
        ("2019-01", "2018-12", "2019-02", date(2019, 1, 31)),
        ("2018-12", "2018-11", "2019-01", date(2018, 12, 31)),
        ("2024-02", "2024-01", "2024-03", date(2024, 2, 29)),
        ("2023-02", "2023-01", "2023-03", date(2023, 2, 28)),
        ("2019-01-01", "2018-12-31", "2019-01-02", date(2019, 1, 1)),
        ("2024-02-28", "2024-02-27", "2024-02-29", date(2024, 2, 28)),
    ],
)
def test_roll_over(text: str, previous: str, following: str, last_day: date) -> None:
    """January follows December of the year before, and February has its length."""
    period = Period.parse(text)
    assert (previous, following, last_day) == (
        str(period.previous),
        str(period.next),
        period.last_day,
    )


@pytest.mark.parametrize(
    ("local", "rule", "expected"),
    [
        ("2019-06-01T00:00", PeriodRule.PREVIOUS_MONTH, "2019-05"),
        ("2019-06-01T00:00", PeriodRule.CURRENT_MONTH, "2019-06"),
        ("2019-06-01T06:59", PeriodRule.CURRENT_MONTH, "2019-06"),
        ("2019-06-01T07:00", PeriodRule.CURRENT_MONTH, "2019-06"),
        ("2019-05-31T23:59", PeriodRule.CURRENT_MONTH, "2019-05"),
        ("2019-01-01T03:00", PeriodRule.PREVIOUS_MONTH, "2018-12"),
        ("2019-01-01T03:00", PeriodRule.CURRENT_MONTH, "2019-01"),
        ("2019-01-01T03:00", PeriodRule.PREVIOUS_DAY, "2018-12-31"),
        ("2019-01-01T03:00", PeriodRule.CURRENT_DAY, "2019-01-01"),
        ("2019-03-31T05:00", PeriodRule.PREVIOUS_MONTH, "2019-02"),
        ("2019-03-31T05:00", PeriodRule.PREVIOUS_DAY, "2019-03-30"),
        ("2024-03-01T00:30", PeriodRule.PREVIOUS_DAY, "2024-02-29"),
        ("2023-08-03T07:30", PeriodRule.PREVIOUS_DAY, "2023-08-02"),
    ],
)
def test_due_is_meant_in_local_time(local: str, rule: PeriodRule, expected: str) -> None:
    """Between midnight and seven the day is Vietnam's, though UTC is still a day behind."""
    now = datetime.fromisoformat(local).replace(tzinfo=VIETNAM).astimezone(UTC)
    assert expected == str(Period.due(rule, now))


@pytest.mark.parametrize("rule", PeriodRule)
def test_due_does_not_depend_on_the_zone_of_the_instant(rule: PeriodRule) -> None:
    """The same instant means the same period, in whichever zone it is written."""
    local = datetime(2019, 1, 1, 2, 0, tzinfo=VIETNAM)
    assert Period.due(rule, local) == Period.due(rule, local.astimezone(UTC))
