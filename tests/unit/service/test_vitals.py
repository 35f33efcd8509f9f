"""How the daemon is: who has given a sign of life, and why it does not do its work."""

from __future__ import annotations

import pytest

from smsengine.service.vitals import Vitals


class Seconds:
    """Monotonic time that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def vitals(seconds: Seconds) -> Vitals:
    """A daemon that works, with two threads."""
    made = Vitals(monotonic=seconds, started=True)
    made.expect("lanes", 60)
    made.expect("office", 600)
    return made


def test_a_thread_within_its_time_is_well(vitals: Vitals, seconds: Seconds) -> None:
    """Up to the last second."""
    seconds.now += 60
    assert vitals.is_alive()
    assert vitals.ages() == {"lanes": 60.0, "office": 60.0}


def test_a_silent_thread_is_named(vitals: Vitals, seconds: Seconds) -> None:
    """Each thread has a time of its own."""
    seconds.now += 61
    assert vitals.stuck() == ["The thread lanes has given no sign for 61 seconds."]
    assert not vitals.is_alive()
    assert not vitals.is_ready()


def test_a_sign_makes_it_well_again(vitals: Vitals, seconds: Seconds) -> None:
    """It was only slow."""
    seconds.now += 61
    vitals.beat("lanes")
    assert vitals.is_alive()


def test_a_thread_that_ended_is_not_missed(vitals: Vitals, seconds: Seconds) -> None:
    """Nor does a late sign of it bring it back."""
    vitals.forget("lanes")
    vitals.beat("lanes")
    seconds.now += 61
    assert vitals.ages() == {"office": 61.0}
    assert vitals.is_alive()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("started", False, "It has not started yet."),
        ("stopping", True, "It is stopping."),
        ("store_ok", False, "The ledger is away; it is tried again all the time."),
        ("fenced", "This ledger was restored.", "This ledger was restored."),
    ],
)
def test_a_live_daemon_says_why_it_does_not_work(
    vitals: Vitals, name: str, value: object, said: str
) -> None:
    """Starting it anew would not help, so it counts as alive."""
    assert vitals.is_ready()
    setattr(vitals, name, value)
    assert vitals.not_ready() == [said]
    assert vitals.is_alive()
