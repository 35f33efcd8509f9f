"""The hours in which people may be texted, in Vietnam wherever the machine stands."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smsengine.clock import VIETNAM
from smsengine.hours import SendingHours

DAYTIME = SendingHours(start=time(7, 30), end=time(20, 30))
MINUTES = st.times().map(lambda found: found.replace(second=0, microsecond=0))
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


@st.composite
def hours(draw: st.DrawFn) -> SendingHours:
    """Any hours of one day."""
    start, end = draw(MINUTES), draw(MINUTES)
    assume(start < end)
    return SendingHours(start=start, end=end)


def at(text: str) -> datetime:
    """A local time of some days in 2019."""
    return datetime.strptime(f"2019-{text}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=VIETNAM)


@given(hours())
def test_hours_are_read_as_they_are_written(written: SendingHours) -> None:
    """What is shown can be put into the configuration, and means the same."""
    assert written == SendingHours.parse(str(written))


@pytest.mark.parametrize("text", ["07:30-20:30", " 07:30-20:30 ", "07:30 - 20:30", "07:30- 20:30"])
def test_hours_may_stand_with_spaces(text: str) -> None:
    """A space round the dash is no slip."""
    assert DAYTIME == SendingHours.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7:30-20:30",
        "07:30",
        "07:30-24:00",
        "07:60-20:30",
        "07:30-20:30:00",
        "07:30–20:30",
        "٠7:30-20:30",
    ],
)
def test_hours_that_are_written_otherwise_are_refused(text: str) -> None:
    """The sentence shows how hours are written."""
    with pytest.raises(ValueError, match="write the hours as 07:30-20:30"):
        SendingHours.parse(text)


@pytest.mark.parametrize("text", ["20:30-07:30", "07:30-07:30"])
def test_hours_over_midnight_are_refused(text: str) -> None:
    """Nobody is texted in the night."""
    with pytest.raises(ValueError, match="must end on the day on which they start"):
        SendingHours.parse(text)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("06-01 07:29:59", "06-01 07:30:00"),
        ("06-01 07:30:00", None),
        ("06-01 12:00:00", None),
        ("06-01 20:29:59", None),
        ("06-01 20:30:00", "06-02 07:30:00"),
        ("06-01 23:59:59", "06-02 07:30:00"),
        ("06-02 00:00:00", "06-02 07:30:00"),
        ("12-31 21:00:00", "12-32 07:30:00"),
    ],
)
def test_when_messages_may_go_out_again(now: str, opens: str | None) -> None:
    """From the first minute on, up to and without the last; then on the next morning."""
    expected = None
    if opens is not None:
        new_year = opens.startswith("12-32")
        expected = at(opens.replace("12-32", "12-31")) + timedelta(days=new_year)
    assert expected == DAYTIME.opens_at(at(now))


def test_hours_are_vietnamese() -> None:
    """A machine whose clock shows UTC opens at half past seven in Hanoi."""
    half_past_seven = datetime(2019, 6, 1, 0, 30, tzinfo=UTC)
    before = half_past_seven - timedelta(microseconds=1)
    assert (half_past_seven, None) == (DAYTIME.opens_at(before), DAYTIME.opens_at(half_past_seven))


@given(hours(), INSTANTS)
def test_it_is_open_when_it_was_said_to_open(any_hours: SendingHours, now: datetime) -> None:
    """Whoever waits until the instant that was named finds the hours open, within a day."""
    opens = any_hours.opens_at(now)
    assume(opens is not None)
    assert opens is not None
    assert (None, True) == (any_hours.opens_at(opens), now < opens <= now + timedelta(days=1))


@given(hours(), INSTANTS)
def test_it_is_closed_until_it_opens(any_hours: SendingHours, now: datetime) -> None:
    """A moment before the named instant it is still closed, and names the same instant."""
    opens = any_hours.opens_at(now)
    assume(opens is not None)
    assert opens is not None
    assert opens == any_hours.opens_at(opens - timedelta(microseconds=1))


@given(hours(), INSTANTS)
def test_a_day_has_as_many_open_minutes_as_the_hours(
    any_hours: SendingHours, now: datetime
) -> None:
    """Open is exactly what lies between start and end by the clock on the wall in Vietnam."""
    local = now.astimezone(VIETNAM).time()
    assert (any_hours.start <= local < any_hours.end) == (any_hours.opens_at(now) is None)
