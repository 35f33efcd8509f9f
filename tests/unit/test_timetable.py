"""When a notice is due, held against calendars that are counted day by day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.clock import VIETNAM
from smsengine.timetable import (
    Daily,
    Firing,
    Minutely,
    Monthly,
    Shift,
    Timetable,
    last_of_days,
)
from smsengine.workdays import Workdays

WORKDAYS = Workdays()
EIGHT = time(8, 0)
INSTANTS = st.datetimes(datetime(2019, 2, 1), datetime(2026, 10, 1), timezones=st.just(UTC))


def local(text: str) -> datetime:
    """An instant as it is written in Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


def written(firing: Firing | None) -> str:
    """A firing as it is written in Vietnam."""
    assert firing is not None
    assert firing.at.tzinfo is UTC
    return f"{firing.at.astimezone(VIETNAM):%Y-%m-%d %H:%M}"


def first(timetable: Timetable, after: str, count: int) -> list[str]:
    """The first firings after an instant."""
    found, at = [], local(after)
    for _ in range(count):
        firing = timetable.next_after(at)
        found.append(written(firing))
        assert firing is not None
        assert firing.at > at
        at = firing.at
    return found


def monthly(day: int, shift: Shift = Shift.NONE) -> Monthly:
    return Monthly(day=day, at=EIGHT, shift=shift, workdays=WORKDAYS)


@pytest.mark.parametrize(
    ("day", "after", "expected"),
    [
        (1, "2019-05-31T09:00", ["2019-06-01 08:00", "2019-07-01 08:00"]),
        (1, "2019-12-15T00:00", ["2020-01-01 08:00", "2020-02-01 08:00"]),
        (29, "2023-02-01T00:00", ["2023-02-28 08:00", "2023-03-29 08:00"]),
        (29, "2024-02-01T00:00", ["2024-02-29 08:00", "2024-03-29 08:00"]),
        (30, "2024-01-31T00:00", ["2024-02-29 08:00", "2024-03-30 08:00"]),
        (31, "2023-01-31T08:00", ["2023-02-28 08:00", "2023-03-31 08:00", "2023-04-30 08:00"]),
        (31, "2024-02-28T23:00", ["2024-02-29 08:00", "2024-03-31 08:00", "2024-04-30 08:00"]),
    ],
)
def test_a_month_that_lacks_the_day_has_its_last_one(
    day: int, after: str, expected: list[str]
) -> None:
    """No month is passed over, neither February nor one of thirty days."""
    assert expected == first(monthly(day), after, len(expected))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2019-06-01T07:59:59.999999", "2019-06-01 08:00"),
        ("2019-06-01T08:00", "2019-07-01 08:00"),
    ],
)
def test_a_firing_is_later_than_the_instant(after: str, expected: str) -> None:
    """Whoever asks at a firing is told the next one, or it would come twice."""
    assert [expected] == first(monthly(1), after, 1)


@pytest.mark.parametrize(
    ("day", "shift", "after", "due"),
    [
        # Tết 2022 was from Monday, 31 January, to Friday, 4 February.
        (1, Shift.NEXT, "2022-01-20T00:00", "2022-02-07 08:00"),
        (1, Shift.PREVIOUS, "2022-01-20T00:00", "2022-01-28 08:00"),
        (1, Shift.NONE, "2022-01-20T00:00", "2022-02-01 08:00"),
        # Tết 2019 was from Monday, 4 February, to Friday, 8 February.
        (6, Shift.NEXT, "2019-02-01T00:00", "2019-02-11 08:00"),
        (6, Shift.PREVIOUS, "2019-02-01T00:00", "2019-02-01 08:00"),
        # 1 May, then days in lieu on 2 and 3 May.
        (1, Shift.NEXT, "2022-04-20T00:00", "2022-05-04 08:00"),
        # Sunday, 1 September, then the national day and the day after it.
        (1, Shift.NEXT, "2024-08-20T00:00", "2024-09-04 08:00"),
        # A Saturday on which is worked.
        (4, Shift.NEXT, "2024-05-01T00:00", "2024-05-04 08:00"),
        # Into the month before, and over New Year.
        (1, Shift.PREVIOUS, "2025-12-02T00:00", "2025-12-31 08:00"),
        (31, Shift.NEXT, "2022-12-02T00:00", "2023-01-03 08:00"),
        (31, Shift.NEXT, "2023-01-01T00:00", "2023-01-03 08:00"),
    ],
)
def test_a_day_off_moves_to_a_working_day(day: int, shift: Shift, after: str, due: str) -> None:
    """Also at Tết, into another month, and where an instant lies between both days."""
    assert [due] == first(monthly(day, shift), after, 1)


def test_a_moved_firing_keeps_its_nominal_day() -> None:
    """What the notice is about does not depend on holidays."""
    firing = monthly(1, Shift.PREVIOUS).next_after(local("2025-12-02T00:00"))
    assert (local("2026-01-01T08:00"), "") == (firing.nominal, firing.remark)


@pytest.mark.parametrize("shift", [Shift.NEXT, Shift.PREVIOUS])
def test_a_year_without_holidays_keeps_the_nominal_day_and_says_so(shift: Shift) -> None:
    """A notice is not dropped because nobody has entered the coming year's decision yet."""
    firing = monthly(6, shift).next_after(local("2031-06-01T00:00"))
    assert ("2031-06-06 08:00", local("2031-06-06T08:00")) == (written(firing), firing.nominal)
    assert firing.remark.startswith(
        "06/06/2031 was not moved to a working day: the working days of 2031 are not known: add"
    )


def test_a_move_into_an_unknown_year_is_not_made() -> None:
    """The last day of the last known year is not moved halfway."""
    firing = monthly(1, Shift.PREVIOUS).next_after(local("2018-12-20T00:00"))
    assert "2019-01-01 08:00" == written(firing)
    assert "2018 are not known" in firing.remark


def test_a_holiday_file_full_of_days_off_drops_nothing() -> None:
    """However long the offices are closed, each month has its own firing."""

    class Closed(Workdays):
        def is_working_day(self, day: date) -> bool:
            return day.month == 9

    timetable = Monthly(day=1, at=EIGHT, shift=Shift.NEXT, workdays=Closed())
    assert ["2024-06-01", "2024-07-01", "2024-08-01", "2024-09-01"] == [
        each[:10] for each in first(timetable, "2024-05-20T00:00", 4)
    ]
    assert (
        "has no working day within 20 days"
        in timetable.next_after(local("2024-06-20T00:00")).remark
    )


def days(since: date, until: date) -> Iterator[date]:
    return (since + timedelta(days=n) for n in range((until - since).days))


def naive_monthly(day: int, shift: Shift) -> list[datetime]:
    """Each month of the known years, walked day by day to the first working day."""
    found = []
    for year in range(2019, 2027):
        for month in range(1, 13):
            moved = date(year, month, min(day, monthrange(year, month)[1]))
            step = timedelta(days=-1 if shift is Shift.PREVIOUS else 1)
            while (
                shift is not Shift.NONE
                and moved.year in range(2019, 2027)
                and not WORKDAYS.is_working_day(moved)
            ):
                moved += step
            if moved.year in range(2019, 2027):
                found.append(datetime.combine(moved, EIGHT, VIETNAM))
    return found


@pytest.mark.parametrize("shift", Shift)
@pytest.mark.parametrize("day", [1, 6, 15, 28, 29, 30, 31])
def test_eight_years_of_months(day: int, shift: Shift) -> None:
    """Every firing of the years whose holidays are known is where a plain calendar has it."""
    start = datetime(2019, 2, 1, tzinfo=VIETNAM)
    expected = [f"{at:%Y-%m-%d %H:%M}" for at in naive_monthly(day, shift) if at > start]
    assert len(expected) > 92
    assert expected == first(monthly(day, shift), f"{start:%Y-%m-%dT%H:%M}", len(expected))


def test_daily() -> None:
    """Every day, leap day and New Year too."""
    assert ["2024-02-28 07:30", "2024-02-29 07:30", "2024-03-01 07:30"] == first(
        Daily(at=time(7, 30)), "2024-02-27T07:30", 3
    )


@pytest.mark.parametrize(
    ("minutes", "after", "expected"),
    [
        (15, "2024-02-28T23:44:59", ["2024-02-28 23:45", "2024-02-29 00:00", "2024-02-29 00:15"]),
        (15, "2024-02-28T23:45", ["2024-02-29 00:00"]),
        (50, "2024-02-28T22:40", ["2024-02-28 23:20", "2024-02-29 00:00", "2024-02-29 00:50"]),
        (1, "2024-02-28T12:00:30", ["2024-02-28 12:01", "2024-02-28 12:02"]),
        (720, "2024-02-28T12:00", ["2024-02-29 00:00", "2024-02-29 12:00"]),
    ],
)
def test_minutes_are_counted_from_midnight(minutes: int, after: str, expected: list[str]) -> None:
    """Every machine counts the same, whenever it was started."""
    timetable = Minutely(every=timedelta(minutes=minutes))
    assert expected == first(timetable, after, len(expected))


ALL: list[tuple[str, Callable[[], Timetable]]] = [
    ("day 1", lambda: monthly(1)),
    ("day 6, next working day", lambda: monthly(6, Shift.NEXT)),
    ("month end, previous working day", lambda: monthly(31, Shift.PREVIOUS)),
    ("daily", lambda: Daily(at=EIGHT)),
    ("every 7 minutes", lambda: Minutely(every=timedelta(minutes=7))),
]


@pytest.mark.parametrize("make", [make for _, make in ALL], ids=[name for name, _ in ALL])
@given(after=INSTANTS, share=st.floats(0, 1))
def test_nothing_lies_between_an_instant_and_its_next_firing(
    make: Callable[[], Timetable], after: datetime, share: float
) -> None:
    """Whenever it is asked before a firing, it names the same one."""
    timetable = make()
    firing = timetable.next_after(after)
    assert firing is not None
    assert firing.at > after
    between = after + (firing.at - after) * share
    assert firing.at >= timetable.next_after(min(between, firing.at - timedelta(seconds=1))).at


def naive_last_of_days(timetable: Timetable, after: datetime, upto: datetime) -> list[Firing]:
    """Every firing one after the other, the last of each day kept."""
    kept: dict[date, Firing] = {}
    firing = timetable.next_after(after)
    while firing is not None and firing.at <= upto:
        kept[firing.at.astimezone(VIETNAM).date()] = firing
        firing = timetable.next_after(firing.at)
    return list(kept.values())[::-1]


@pytest.mark.parametrize("make", [make for _, make in ALL], ids=[name for name, _ in ALL])
@given(
    after=INSTANTS,
    length=st.timedeltas(timedelta(days=-1), timedelta(days=9)) | st.just(timedelta(0)),
    stretch=st.sampled_from([1, 20]),
)
def test_the_last_firing_of_each_day(
    make: Callable[[], Timetable], after: datetime, length: timedelta, stretch: int
) -> None:
    """Walking back finds what walking forward finds."""
    timetable = make()
    upto = after + length * (1 if isinstance(timetable, Minutely) else stretch)
    assert naive_last_of_days(timetable, after, upto) == [*last_of_days(timetable, after, upto)]


class Counting:
    """A timetable that counts how often it is asked."""

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self.asked = 0

    def next_after(self, after: datetime) -> Firing | None:
        self.asked += 1
        return self.timetable.next_after(after)


@pytest.mark.parametrize(
    "timetable", [monthly(1), Daily(at=EIGHT), Minutely(every=timedelta(minutes=1))]
)
def test_years_are_walked_back_in_few_steps(timetable: Timetable) -> None:
    """The newest days of seven years cost no more than those of a week."""
    counting = Counting(timetable)
    walk = last_of_days(counting, local("2019-02-01T00:00"), local("2026-02-01T12:00"))
    assert 20 == len([firing for firing, _ in zip(walk, range(20), strict=False)])
    assert counting.asked < 20 * 15
