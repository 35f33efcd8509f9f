"""Alarms are sounded once for each key, told by one machine, and may be sounded anew when over."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from smsengine.lifecycle import Grade
from smsengine.store import alarms
from smsengine.store.alarms import Alarm
from smsengine.store.engine import Store
from tests.conftest import START

MINUTE = timedelta(minutes=1)


def sound(store: Store, key: str = "k", *, at: datetime = START) -> bool:
    with store.write() as connection:
        return alarms.sound(connection, key=key, at=at, grade=Grade.URGENT, text=f"about {key}")


def untold(store: Store, now: datetime = START) -> list[Alarm]:
    with store.read() as connection:
        return [*alarms.untold(connection, now=now)]


def test_an_alarm_is_sounded_once_for_its_key(store: Store) -> None:
    """Every machine may see the same thing each minute, and people are told once."""
    assert [True, False, True] == [sound(store), sound(store), sound(store, "other")]
    assert ["k", "other"] == [alarm.key for alarm in untold(store)]
    assert Grade.URGENT is untold(store)[0].grade


def test_only_one_of_two_machines_puts_an_alarm_off(store: Store) -> None:
    """Who puts it off tells it; the other one saw the same row and must not."""
    sound(store)
    seen = untold(store)[0]
    with store.write() as connection:
        first = alarms.put_off(connection, seen, until=START + MINUTE)
        second = alarms.put_off(connection, seen, until=START + MINUTE)
    assert (True, False) == (first, second)
    assert [] == untold(store)
    assert [1] == [alarm.tries for alarm in untold(store, START + MINUTE)]


def test_what_was_told_is_not_put_off(store: Store) -> None:
    """A machine that was slow does not bring it back."""
    sound(store)
    seen = untold(store)[0]
    with store.write() as connection:
        alarms.told(connection, seen.id, at=START)
        assert not alarms.put_off(connection, seen, until=START)
    assert [] == untold(store, START + MINUTE)


@pytest.mark.parametrize(("ahead", "due"), [(MINUTE, 0), (timedelta(days=30), 1)])
def test_an_alarm_of_a_clock_that_was_wrong_is_told_now(
    store: Store, ahead: timedelta, due: int
) -> None:
    """Sounded in a false future, it does not wait until then."""
    sound(store, at=START + ahead)
    assert due == len(untold(store))


def test_what_is_over_may_be_sounded_anew(store: Store) -> None:
    """The second time is an alarm of its own; the first one stays to be told."""
    sound(store)
    with store.write() as connection:
        assert alarms.end(connection, "k", at=START)
        assert not alarms.end(connection, "k", at=START)
    assert sound(store)
    assert ["about k", "about k"] == [alarm.text for alarm in untold(store)]


def test_one_knows_whether_something_was_sounded_and_when_last(store: Store) -> None:
    """A beginning is taken by its letters: no sign in it stands for others."""
    for number, key in enumerate(("report a_1", "report a_2", "report ab3")):
        sound(store, key, at=START + number * MINUTE)
    with store.read() as connection:
        assert alarms.is_sounded(connection, "report a_1")
        assert not alarms.is_sounded(connection, "report a_")
        assert START + MINUTE == alarms.newest_at(connection, "report a_")
        assert alarms.newest_at(connection, "nothing") is None
