"""A gateway's contracted rate, kept by several processes on one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smsengine.clock import ManualClock, SystemClock
from smsengine.sending.pace import LATE_SECONDS, Pace, Rate, recovered, slowed
from smsengine.store import lanes
from smsengine.store.engine import Store
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
    """A clock whose wall time may jump, as NTP and people make it; its seconds go on."""

    def __init__(self) -> None:
        super().__init__(START)
        self._passed = START.timestamp()

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += seconds
        super().sleep(seconds)

    def jump(self, seconds: float) -> None:
        """Set the clock on the wall."""
        super().sleep(seconds)


def paces(
    store: Store, rate: Rate, clock: ManualClock | SystemClock, processes: int = 2
) -> list[Pace]:
    """Processes that share a gateway which nobody has used before."""
    name = f"gateway-{next(_NUMBERS)}"
    with store.write() as connection:
        lanes.ensure(connection, name)
    return [Pace(store=store, gateway=name, rate=rate, clock=clock) for _ in range(processes)]


def gateway_of(pace: Pace) -> str:
    return pace._gateway


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
