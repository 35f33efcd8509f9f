"""Which daily tables are owed, and at what moment of the day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from smsengine.clock import VIETNAM
from smsengine.payments import daily
from smsengine.payments.daily import Order
from smsengine.store.daily_tables import Last, Place

DAY = date(2019, 5, 31)
HERE, THERE = Place(DAY, "AR0013M", "00101"), Place(DAY, "BI0007M", "00101")


def order(place: Place, sequence: int, after: int, upto: int) -> Order:
    return Order(place=place, sequence=sequence, after=after, upto=upto)


def test_every_organisation_has_a_table_also_where_nothing_was_paid() -> None:
    """Nobody has to ask whether a table was lost, or empty."""
    expected = [order(HERE, 0, 0, 7), order(THERE, 0, 0, 7)]
    assert expected == daily.orders([HERE, THERE], {HERE: 5}, {}, upto=7)


def test_what_came_later_stands_in_the_next_supplement() -> None:
    """It begins where the last table ends."""
    found = daily.orders([HERE], {HERE: 9}, {HERE: Last(2, 7)}, upto=9)
    assert [order(HERE, 3, 7, 9)] == found


@pytest.mark.parametrize(("touched", "upto"), [({}, 9), ({HERE: 7}, 9), ({HERE: 9}, 7)])
def test_without_anything_new_there_is_no_supplement(touched: dict[Place, int], upto: int) -> None:
    """A supplement without lines would only make people look for what is not there."""
    assert [] == daily.orders([HERE], touched, {HERE: Last(0, 7)}, upto=upto)


def test_a_payment_of_a_day_without_tables_gets_one() -> None:
    """Nothing is too late to be told."""
    late = Place(date(2019, 1, 1), "AR0013M", "00101")
    assert [order(late, 0, 0, 9)] == daily.orders([], {late: 9}, {}, upto=9)


def test_names_of_files_hold_codes_and_the_day() -> None:
    """Supplements come behind their table in every list."""
    names = [order(HERE, number, 0, 1).file_name for number in (0, 1)]
    assert ["01-XN_AR0013M_00101_2019-05-31.xlsx", "01-XN_AR0013M_00101_2019-05-31_BS1.xlsx"] == (
        names
    )


@pytest.mark.parametrize(
    ("local", "last"),
    [
        ("2019-06-01 00:29", "2019-05-31 07:00"),
        ("2019-06-01 00:30", "2019-06-01 00:30"),
        ("2019-06-01 06:59", "2019-06-01 00:30"),
        ("2019-06-01 23:00", "2019-06-01 07:00"),
    ],
)
def test_the_last_moment_is_that_of_vietnam(local: str, last: str) -> None:
    """Whatever the clock of the machine says."""
    now, expected = (
        datetime.fromisoformat(text).replace(tzinfo=VIETNAM).astimezone(UTC)
        for text in (local, last)
    )
    assert expected == daily.last_moment(now, [time(0, 30), time(7)])


def test_days_without_a_daemon_are_made_up_for() -> None:
    """Those that were closed since; at the beginning yesterday only."""
    assert [DAY] == daily.days_after(None, DAY, most=31)
    assert [] == daily.days_after(DAY, DAY, most=31)
    three = [DAY - timedelta(days=back) for back in (2, 1, 0)]
    assert three == daily.days_after(DAY - timedelta(days=3), DAY, most=31)
    assert three[1:] == daily.days_after(DAY - timedelta(days=3), DAY, most=2)
    assert [] == daily.days_after(DAY + timedelta(days=1), DAY, most=31)
