"""Cron expressions mean one thing only, and are held against a calendar minute by minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.clock import VIETNAM
from smsengine.cron import Cron

Fits = Callable[[datetime], bool]


def hour(at: datetime) -> str:
    return f"{at:%H:%M}"


def is_last_day(at: datetime) -> bool:
    return (at + timedelta(days=1)).month != at.month


#: An expression, and what it means, said in Python.
MEANINGS: list[tuple[str, Fits]] = [
    ("0 8 * * mon-fri", lambda at: hour(at) == "08:00" and at.weekday() < 5),
    ("30 7 * * SUN", lambda at: hour(at) == "07:30" and at.weekday() == 6),
    ("0 8 * * mon,wed,sat", lambda at: hour(at) == "08:00" and at.weekday() in {0, 2, 5}),
    ("0 8 1 * *", lambda at: hour(at) == "08:00" and at.day == 1),
    ("0 8 last * *", lambda at: hour(at) == "08:00" and is_last_day(at)),
    ("0 8 31 * *", lambda at: hour(at) == "08:00" and at.day == 31),
    ("0 8 29 2 *", lambda at: hour(at) == "08:00" and (at.month, at.day) == (2, 29)),
    ("*/20 6-8 * * *", lambda at: at.minute in {0, 20, 40} and at.hour in {6, 7, 8}),
    ("5,35 */6 1-3 jan-mar *", lambda at: at.minute in {5, 35} and at.hour % 6 == 0 and at.day < 4),
]


@pytest.mark.parametrize(("text", "fits"), MEANINGS, ids=[text for text, _ in MEANINGS])
@given(
    after=st.datetimes(datetime(2023, 12, 20), datetime(2024, 3, 5), timezones=st.just(VIETNAM)),
    hours=st.integers(1, 100),
)
def test_an_expression_means_what_it_says(
    text: str, fits: Fits, after: datetime, hours: int
) -> None:
    """The first minute that fits is the next firing, and none before it."""
    minute = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    expected = (minute + timedelta(minutes=n) for n in range(hours * 60))
    firing = Cron.parse(text).next_after(after)
    assert firing is not None
    found = next((at for at in expected if fits(at)), None)
    if found is None:
        assert firing.at >= minute + timedelta(hours=hours)
    else:
        assert (found, found) == (firing.at, firing.nominal)


def test_a_firing_is_later_than_the_instant() -> None:
    """Whoever asks at a firing, or a microsecond before it, is told right."""
    cron, eight = Cron.parse("0 8 * * *"), datetime(2024, 2, 29, 8, tzinfo=VIETNAM)
    asked = (eight - timedelta(microseconds=1), eight)
    firings = [cron.next_after(each) for each in asked]
    assert [eight, eight + timedelta(days=1)] == [each.nominal for each in firings if each]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 8 * * 1-5", "the weekday is '1-5', expected a name, mon to sun; numbers mean"),
        ("0 8 * * 0", "the weekday is '0', expected a name"),
        ("0 8 * * mon-fri5", "the weekday is 'mon-fri5', expected a name"),
        ("0 8 * * monday", "the weekday is 'monday', expected a name"),
        ("0 8 * * */2", "the weekday is '*/2', expected a name"),
        ("0 8 1 * mon", "a day of the month together with a weekday means different days to"),
        ("0 8 * *", "write five fields: minute, hour, day of the month, month, weekday."),
        ("0 0 8 * * *", "write five fields: "),
        ("@daily", "write five fields: "),
        ("", "write five fields: "),
        ("60 8 * * *", "the last value (60) is higher than the maximum value (59)."),
        ("0 24 * * *", "the last value (24) is higher than the maximum value (23)."),
        ("0 8 0 * *", "the first value (0) is lower than the minimum value (1)."),
        ("0 8 32 * *", "the last value (32) is higher than the maximum value (31)."),
        ("0 8 * * fri-mon", "the minimum value in a range must not be higher than the maximum."),
        ("*/0 8 * * *", "increment must be higher than 0."),
        ("0 8 1st * *", "the day of the month is '1st', expected 1 to 31 or last."),
        ("0 8 L * *", "the day of the month is 'l', expected 1 to 31 or last."),
        ("0 8 1 janx *", "the month is 'janx', expected 1 to 12 or jan to dec."),
        ("0 8 31 feb *", "there is no such day."),
        ("0 8 31 apr,jun *", "there is no such day."),
    ],
)
def test_what_may_mean_several_things_is_refused(text: str, said: str) -> None:
    """The sentence names the expression and what is wrong with it."""
    with pytest.raises(ValueError, match="is ") as caught:
        Cron.parse(text)
    assert str(caught.value).startswith(f"is {text!r}; {said}")


def test_blanks_and_capitals_make_no_difference() -> None:
    """The same times, written otherwise, are the same schedule."""
    assert Cron.parse(" 0  8 * * Mon ") == Cron.parse("0 8 * * mon")
