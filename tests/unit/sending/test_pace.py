"""A gateway's contracted rate, kept by several processes on one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smsengine.clock import ManualClock, SystemClock
from smsengine.sending.pace import LATE_SECONDS, Pace, Rate, recovered, slowed
from smsengine.store import lanes
from smsengine.store.engine import Store
from smsengine.store.lanes import LaneRow
from tests.conftest import START

_NUMBERS = count(1)
ON_SQLITE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass(frozen=True)
class Part:
    """A message of so many segments."""

    segments: int = 1


ONE = (Part(),)


class WallClock(ManualClock):
    """A clock whose wall time may jump, as people and NTP make it; its seconds go on."""

    _jumped = 0.0

    def monotonic(self) -> float:
        return super().monotonic() - self._jumped

    def jump(self, seconds: float) -> None:
        """Set the clock on the wall."""
        self._jumped += seconds
        self.sleep(seconds)


def new_gateway(store: Store) -> str:
    """A gateway that nobody has used before."""
    name = f"gateway-{next(_NUMBERS)}"
    with store.write() as connection:
        lanes.ensure(connection, name)
    return name


def paces(
    store: Store, rate: Rate, clock: ManualClock | SystemClock, processes: int = 2, name: str = ""
) -> list[Pace]:
    """Processes that share a gateway."""
    name = name or new_gateway(store)
    return [Pace(store=store, gateway=name, rate=rate, clock=clock) for _ in range(processes)]


def taken_until(store: Store, name: str) -> float:
    """The end of what is reserved of a gateway's time, from 08:00 on."""
    with store.read() as connection:
        return lanes.get(connection, name).next_at - START.timestamp()


def slots(pace: Pace, number: int) -> list[float]:
    """So many slots, asked for at once, from 08:00 on."""
    return [pace.turn(ONE) - START.timestamp() for _ in range(number)]


def busiest(departures: Sequence[tuple[float, int]]) -> int:
    """How much left within the second that saw most."""
    ordered = sorted(departures)
    return max(
        sum(units for at, units in ordered[first:] if at < begin + 1)
        for first, (begin, _) in enumerate(ordered)
    )


ASKS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([0, 0, 0, 0.001, 0.004, 0.006, 0.03, 0.11, 0.4, 2]),
        st.floats(0, 0.99),
    ),
    min_size=2,
    max_size=250,
)


# -- the contract ----------------------------------------------------------------------------------


@ON_SQLITE
@given(st.integers(1, 150), ASKS)
@example(100, [(0, 0, 0.99), *[(0, 0, 0.0)] * 150])
@example(7, [(number % 2, 0, 0.0) for number in range(60)])
def test_no_second_holds_more_than_the_contract(
    sqlite_store: Store, per_second: int, asks: list[tuple[int, float, float]]
) -> None:
    """Whoever asks when, and however late a thread wakes up, no sliding second is too full."""
    clock = ManualClock(START)
    processes = paces(sqlite_store, Rate(per_second), clock)
    departures = []
    for process, thinking, late in asks:
        clock.sleep(thinking)
        slot = processes[process].turn(ONE)
        departures.append((max(slot + late * LATE_SECONDS, clock.monotonic()), 1))
    assert busiest(departures) <= per_second


@ON_SQLITE
@given(
    st.integers(5, 150),
    st.sampled_from(["messages", "segments"]),
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0, 0, 0.03, 0.4]), st.integers(1, 5)),
        min_size=2,
        max_size=120,
    ),
)
def test_what_leaves_together_fills_a_second_up_by_no_more_than_itself(
    sqlite_store: Store, per_second: int, unit: str, asks: list[tuple[int, float, int]]
) -> None:
    """A second may end in the middle of what leaves at once; it never holds more than that."""
    clock = ManualClock(START)
    rate = Rate(per_second, "segments" if unit == "segments" else "messages")
    processes = paces(sqlite_store, rate, clock)
    departures = []
    for process, thinking, units in asks:
        clock.sleep(thinking)
        leaving = [Part(units)] if unit == "segments" else [Part()] * units
        departures.append((max(processes[process].turn(leaving), clock.monotonic()), units))
    largest = max(units for _, units in departures)
    assert busiest(departures) <= per_second + largest - 1


@pytest.mark.parametrize("unit", ["messages", "segments"])
def test_the_contract_counts_in_its_unit(sqlite_store: Store, unit: str) -> None:
    """Three messages of four segments are three messages, or twelve segments."""
    rate = Rate(10, "segments" if unit == "segments" else "messages")
    (pace,) = paces(sqlite_store, rate, ManualClock(START), processes=1)
    first, then = (pace.turn([Part(4)] * 3) for _ in range(2))
    assert pytest.approx({"messages": 0.3015, "segments": 1.206}[unit]) == then - first


@pytest.mark.parametrize("per_second", [20, 100, 1000])
def test_the_contract_is_used(sqlite_store: Store, per_second: int) -> None:
    """Two processes that always have something to send lose half a percent, and a stretch."""
    processes = paces(sqlite_store, Rate(per_second), ManualClock(START))
    found = sorted(at for pace in processes * 20 for at in slots(pace, 20))
    least = 799 * 1.005 / per_second
    assert least * 0.9999 <= found[-1] - found[0] <= least + max(0.1, 4 / per_second)


@pytest.mark.parametrize("processes", [1, 3])
def test_the_contract_holds_on_the_clock_of_the_database(store: Store, processes: int) -> None:
    """Slots lie where the database has them, but for the time that asking for them took."""
    clock = SystemClock()
    found, asking = [], 0.0
    for pace in paces(store, Rate(500), clock, processes) * 700:
        before = clock.monotonic()
        found.append((pace.turn(ONE), 1))
        asking = max(asking, clock.monotonic() - before)
    assert busiest(found) <= 500 * (1 + asking) + 1


def test_without_a_contract_nobody_waits(sqlite_store: Store) -> None:
    """As fast as it goes is now, and the ledger is not asked."""
    name = new_gateway(sqlite_store)
    pace = Pace(store=sqlite_store, gateway=name, rate=None, clock=ManualClock(START))
    sqlite_store.close()
    assert [0.0, 0.0] == slots(pace, 2)


# -- stretches -------------------------------------------------------------------------------------


def test_a_process_takes_a_tenth_of_a_second_at_once(sqlite_store: Store) -> None:
    """A hundred messages a second cost ten transactions a second, not a hundred."""
    name = new_gateway(sqlite_store)
    (pace,) = paces(sqlite_store, Rate(100), ManualClock(START), 1, name)
    ends = []
    for _ in range(12):
        slots(pace, 1)
        ends.append(round(taken_until(sqlite_store, name), 1))
    assert [0.1] * 8 + [0.2] * 4 == ends


def test_a_process_takes_no_more_than_it_uses(sqlite_store: Store) -> None:
    """Others wait for what is reserved: a slow sender must not keep a fast contract's time."""
    name, clock = new_gateway(sqlite_store), ManualClock(START)
    (pace,) = paces(sqlite_store, Rate(1000), clock, 1, name)
    for _ in range(20):
        slots(pace, 1)
        clock.sleep(1)
    slots(pace, 1)
    assert taken_until(sqlite_store, name) - 20 <= 0.01


def test_a_slow_contract_takes_four_messages_at_once(sqlite_store: Store) -> None:
    """One message a second costs a transaction every four seconds."""
    name = new_gateway(sqlite_store)
    (pace,) = paces(sqlite_store, Rate(1), ManualClock(START), 1, name)
    slots(pace, 1)
    assert pytest.approx(4.02) == taken_until(sqlite_store, name)


def test_an_unused_rest_is_given_back(sqlite_store: Store) -> None:
    """What a process did not use of its stretch is free for the others, from now on."""
    name, clock = new_gateway(sqlite_store), ManualClock(START)
    (pace,) = paces(sqlite_store, Rate(1), clock, 1, name)
    slots(pace, 1)
    clock.sleep(1.5)
    assert ([pytest.approx(1.5)], pytest.approx(1.5 + 4.02)) == (
        slots(pace, 1),
        taken_until(sqlite_store, name),
    )


def test_a_rest_behind_which_others_have_reserved_is_lost(sqlite_store: Store) -> None:
    """Nobody's stretch is moved; the gateway idles for a moment instead."""
    name, clock = new_gateway(sqlite_store), ManualClock(START)
    one, other = paces(sqlite_store, Rate(1), clock, 2, name)
    slots(one, 1)
    slots(other, 1)
    clock.sleep(1.5)
    assert [pytest.approx(8.04)] == slots(one, 1)


def test_a_late_slot_is_dropped(sqlite_store: Store) -> None:
    """A thread that comes more than five milliseconds late takes another slot."""
    clock = ManualClock(START)
    (pace,) = paces(sqlite_store, Rate(1), clock, processes=1)
    slots(pace, 1)
    clock.sleep(1.005 + LATE_SECONDS + 0.001)
    assert [pytest.approx(1.011)] == slots(pace, 1)


def test_a_slot_is_used_a_little_late(sqlite_store: Store) -> None:
    """A thread that comes within five milliseconds leaves on its slot."""
    clock = ManualClock(START)
    (pace,) = paces(sqlite_store, Rate(1), clock, processes=1)
    slots(pace, 1)
    clock.sleep(1.005 + LATE_SECONDS - 0.001)
    assert [pytest.approx(1.005)] == slots(pace, 1)


# -- a clock that jumps ----------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [86_400, -86_400, 3.0, -3.0, 0.05])
def test_a_jump_of_the_clock_does_not_fill_a_second_up(sqlite_store: Store, seconds: float) -> None:
    """What is waiting for its slot when the clock is set leaves as before; the next come behind."""
    clock = WallClock(START)
    (pace,) = paces(sqlite_store, Rate(100), clock, processes=1)
    found = [(at, 1) for at in slots(pace, 57)]
    clock.jump(seconds)
    found += [(at, 1) for at in slots(pace, 150)]
    assert busiest(found) <= 100


@pytest.mark.parametrize("seconds", [86_400, -86_400, 3600, -3600, 65, -65])
def test_a_jump_of_the_clock_does_not_stop_a_gateway(sqlite_store: Store, seconds: float) -> None:
    """A clock that was an hour ahead does not keep everybody waiting for an hour."""
    clock = WallClock(START)
    (pace,) = paces(sqlite_store, Rate(100), clock, processes=1)
    before = slots(pace, 10)[-1]
    clock.jump(seconds)
    assert [pytest.approx(before + 0.01005)] == slots(pace, 1)


# -- complaints ------------------------------------------------------------------------------------


def complain(store: Store, name: str, *, speed: float, rest_seconds: float = 0.0) -> None:
    """A gateway complains at 08:00."""
    with store.write() as connection:
        lanes.slow(connection, name, speed=speed, now=START.timestamp(), rest_seconds=rest_seconds)


@pytest.mark.parametrize(
    ("seconds", "apart"), [(0, 0.201), (30, 0.134), (60, 0.1005), (999, 0.1005)]
)
def test_a_gateway_that_complained_is_slower_for_a_while(
    sqlite_store: Store, seconds: float, apart: float
) -> None:
    """Every process goes on at half the rate, and is back at the contract after a minute more."""
    name, clock = new_gateway(sqlite_store), ManualClock(START)
    (pace,) = paces(sqlite_store, Rate(10), clock, 1, name)
    complain(sqlite_store, name, speed=0.5)
    clock.sleep(seconds)
    slots(pace, 4)  # a stretch at the old speed
    first, then = slots(pace, 2)
    assert pytest.approx(apart, rel=0.01) == then - first


@pytest.mark.parametrize("rest", [2, 30, 90, 3600])
def test_a_gateway_gets_the_rest_that_it_asked_for(sqlite_store: Store, rest: float) -> None:
    """Nobody's next stretch begins before."""
    name, clock = new_gateway(sqlite_store), ManualClock(START)
    one, other = paces(sqlite_store, Rate(10), clock, 2, name)
    complain(sqlite_store, name, speed=0.5, rest_seconds=rest)
    assert rest <= min(slots(one, 1) + slots(other, 1))


@pytest.mark.parametrize("processes", [1, 20])
def test_a_slow_contract_reserves_far_ahead(sqlite_store: Store, processes: int) -> None:
    """Many that wait for one message a second are not taken for a clock that was wrong."""
    found = paces(sqlite_store, Rate(1), ManualClock(START), processes)
    departures = [(at, 1) for pace in found for at in slots(pace, 4)]
    assert 1 == busiest(departures)


def test_a_large_batch_reserves_far_ahead(sqlite_store: Store) -> None:
    """A hundred messages at once of one a second take a hundred seconds from the others."""
    one, other = paces(sqlite_store, Rate(1), ManualClock(START))
    one.turn([Part()] * 100)
    assert 100 <= slots(other, 1)[0]


@pytest.mark.parametrize(
    ("speed", "seconds", "now"),
    [
        (0.5, 0, 0.5),
        (0.5, 30, 0.75),
        (0.5, 60, 1.0),
        (0.5, 9999, 1.0),
        (1.0, 0, 1.0),
        (0.5, -9, 0.5),
    ],
)
def test_a_speed_grows_back(speed: float, seconds: float, now: float) -> None:
    """The whole contract is two minutes away from a standstill."""
    assert now == recovered(speed, 1000.0, 1000.0 + seconds)


@pytest.mark.parametrize(
    ("speed", "seconds", "after"),
    [
        (1.0, 1, 0.5),
        (0.5, 1, 0.25416),
        (0.5, 60, 0.5),
        (0.05, 1, 0.05),
        (0.5, 0.99, None),
        (0.5, 0, None),
    ],
)
def test_a_complaint_halves_the_speed(speed: float, seconds: float, after: float | None) -> None:
    """Several at once are one, and it never comes to a standstill."""
    found = slowed(speed, 1000.0, 1000.0 + seconds)
    assert (pytest.approx(after, abs=1e-4) if after is not None else None) == found


@pytest.mark.parametrize(
    ("rate", "most"),
    [(None, None), (Rate(5), 1), (Rate(199), 1), (Rate(5_000), 50), (Rate(1_000, "segments"), 5)],
)
def test_a_call_holds_a_hundredth_of_a_second(
    sqlite_store: Store, rate: Rate | None, most: int | None
) -> None:
    """What leaves together must not fill a second by more than the contract forgives."""
    pace = Pace(store=sqlite_store, gateway="trial", rate=rate, clock=ManualClock(START))
    assert most == pace.most_at_once


@pytest.mark.parametrize(
    ("slowed_at", "rest_until", "rests"),
    [(90.0, 110.0, True), (90.0, 100.0, False), (110.0, 120.0, False), (90.0, 1e9, False)],
)
def test_a_rest_is_kept_unless_a_wrong_clock_promised_it(
    slowed_at: float, rest_until: float, *, rests: bool
) -> None:
    """Neither a promise from the future nor one without end holds a lane."""
    row = LaneRow(gateway="trial", slowed_at=slowed_at, rest_until=rest_until)
    assert rests == row.rests(100.0)
