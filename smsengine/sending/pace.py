"""Keeping a gateway's contracted rate, exactly, over all machines.

One row per gateway says from when on its time is free. A process takes a short stretch of that time
with one UPDATE and deals it out in slots. A slot is used at its moment or not at all: one that is
more than five milliseconds late is dropped and another one taken, so that no second ever holds more
than the contract allows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from smsengine.clock import Clock
from smsengine.store import lanes
from smsengine.store.engine import Store

#: A slot that is missed by more than this is lost.
LATE_SECONDS = 0.005
#: How much of a gateway's time a process takes at once at most, and how many messages at least.
_STRETCH_SECONDS = 0.1
_LEAST_IN_STRETCH = 4
#: What is kept back of the contract: a second that begins with a late slot is longer by as much.
_KEPT = 1 / (1 + LATE_SECONDS)
#: A gateway that complained is back at its contract after so long.
_RECOVERY_SECONDS = 120.0
_SLOWEST = 0.05
#: Complaints that come together are one complaint.
_ONE_COMPLAINT_SECONDS = 1.0

#: What a text takes where the contract counts segments.
_USUAL_SEGMENTS = 2

Unit = Literal["messages", "segments"]


class Rate(NamedTuple):
    """What the contract allows in a second."""

    per_second: float
    unit: Unit = "messages"


class Sized(Protocol):
    """What has a number of segments."""

    @property
    def segments(self) -> int: ...


def recovered(speed: float, slowed_at: float, now: float) -> float:
    """The share of the contract's rate that is used now; it grows back with time."""
    return min(1.0, speed + max(0.0, now - slowed_at) / _RECOVERY_SECONDS)


def slowed(speed: float, slowed_at: float, now: float) -> float | None:
    """The share to go on with after a complaint; None while it still belongs to the last one."""
    if now - slowed_at < _ONE_COMPLAINT_SECONDS:
        return None
    return max(_SLOWEST, recovered(speed, slowed_at, now) / 2)


class Pace:
    """Deals out one process's slots at one gateway; several threads may ask."""

    def __init__(self, *, store: Store, gateway: str, rate: Rate | None, clock: Clock) -> None:
        self._store = store
        self._gateway = gateway
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        # The stretch at hand: its next free slot and its end by our monotonic clock, its end by
        # the database's, and what one message or segment costs.
        self._next = self._end = self._shared_end = self._each = 0.0
        self._speed = 1.0
        # How long the last stretch was meant to be, and how much of it was dealt out.
        self._stretch = self._dealt = _LEAST_IN_STRETCH

    @property
    def most_at_once(self) -> int | None:
        """How many messages may leave in one call without filling a second too much.

        A hundredth of what a second holds; None where there is no limit.
        """
        if self._rate is None:
            return None
        segments = _USUAL_SEGMENTS if self._rate.unit == "segments" else 1
        return max(1, int(self._rate.per_second / 100 / segments))

    def turn(self, messages: Sequence[Sized]) -> float:
        """When these messages may leave together.

        Returns:
            An instant of the clock's monotonic time; it may be past where there is no limit.

        Raises:
            StoreAwayError: the shared row cannot be reached.
        """
        if self._rate is None:
            return self._clock.monotonic()
        units = (
            len(messages)
            if self._rate.unit == "messages"
            else sum(message.segments for message in messages)
        )
        with self._lock:
            late = self._clock.monotonic() - LATE_SECONDS > self._next
            # Half a unit more is no unit: sums of floats are not exact.
            if late or self._next + (units - 0.5) * self._each > self._end:
                self._take(units)
            at = self._next
            self._next += units * self._each
            self._dealt += units
            return at

    def _wanted(self) -> int:
        """How long the next stretch is, in messages or segments.

        Twice the last one where that was used up, else what was used of it: a process that is
        slower than the contract must not take time that another one then waits for in vain.
        """
        longest = round(_STRETCH_SECONDS / self._each)
        more = 2 * self._stretch if self._dealt >= self._stretch else self._dealt
        self._stretch = max(_LEAST_IN_STRETCH, min(more, longest))
        return self._stretch

    def _take(self, units: int) -> None:
        """Take the next stretch of the gateway's time; what is left of the last is given back."""
        assert self._rate is not None
        self._each = 1 / (self._rate.per_second * self._speed * _KEPT)
        seconds = max(units, self._wanted()) * self._each
        self._dealt = 0
        left = max(0.0, self._end - max(self._next, self._clock.monotonic()))
        with self._store.write(durable=False) as connection:
            taken = lanes.reserve(
                connection,
                self._gateway,
                seconds=seconds,
                now=self._clock.now().timestamp(),
                unused=(self._shared_end - left, self._shared_end),
            )
        # Never before what was dealt out already, should the database's clock have been set.
        self._next = max(self._next, self._clock.monotonic() + taken.wait_seconds)
        self._end = self._next + seconds
        self._shared_end = taken.end
        self._speed = recovered(taken.speed, taken.slowed_at, taken.now)
