"""Whether a gateway is trusted to answer: closed, open, half-open. Pure.

Five failures in a row open the breaker: the gateway answers nobody, and every further message would
become unknown or burn an attempt. After a while one message is handed over; if it is answered,
whatever the answer, the breaker closes, else it stays open for twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum, auto

from smsengine.gateways.base import Outcome, OutcomeKind
from smsengine.lifecycle import BreakerState
from smsengine.store.lanes import LONGEST_OPEN_SECONDS, LaneRow

FAILURES_IN_A_ROW = 5
_FIRST_SECONDS = 15.0
_LONGEST_SECONDS = 600.0
#: A probe that nobody has heard of for so long was lost with its worker.
PROBE_SECONDS = 120.0
#: After the breaker has closed, the gateway gets its share of the messages back over so long.
_DRIFT_SECONDS = 120.0
_DRIFT_STEPS = 4


class Permit(Enum):
    """What may be handed over."""

    ALL = auto()
    #: one message, by the worker that gets ``lanes.begin_probe``
    PROBE = auto()
    NONE = auto()


def is_answer(outcome: Outcome) -> bool:
    """Say whether a gateway that gives this outcome is there; a refusal is an answer, too."""
    return outcome.kind not in (OutcomeKind.TRANSIENT, OutcomeKind.UNKNOWN)


def observe(lane: LaneRow, answered: Iterable[bool], now: float) -> LaneRow:
    """What follows from outcomes in the order in which they came.

    Args:
        lane: what was known.
        answered: for each outcome, whether it was an answer.
        now: seconds since 1970 by the database's clock.
    """
    for answer in answered:
        lane = _succeed(lane, now) if answer else _fail(lane, now)
    return lane


def _succeed(lane: LaneRow, now: float) -> LaneRow:
    if lane.breaker is BreakerState.HALF_OPEN:
        return replace(lane, breaker=BreakerState.CLOSED, failures=0, trips=0, open_until=now)
    # What was under way when the breaker opened may still be answered; the probe decides.
    return replace(lane, failures=0) if lane.breaker is BreakerState.CLOSED else lane


def _fail(lane: LaneRow, now: float) -> LaneRow:
    failures = lane.failures + 1
    trips = lane.breaker is BreakerState.HALF_OPEN or (
        lane.breaker is BreakerState.CLOSED and failures >= FAILURES_IN_A_ROW
    )
    if not trips:
        return replace(lane, failures=failures)
    seconds = min(_FIRST_SECONDS * 2.0**lane.trips, _LONGEST_SECONDS)
    return replace(
        lane,
        breaker=BreakerState.OPEN,
        failures=failures,
        trips=min(lane.trips + 1, 10),
        open_until=now + seconds,
    )


def permit(lane: LaneRow, now: float) -> Permit:
    """What may be handed over now."""
    if lane.breaker is BreakerState.CLOSED:
        return Permit.ALL
    is_open = now < lane.open_until <= now + LONGEST_OPEN_SECONDS
    return Permit.NONE if is_open else Permit.PROBE


def trust(lane: LaneRow, now: float) -> float:
    """Which share of its messages a gateway gets, from 0 to 1, in quarters.

    Nothing while its breaker is not closed or its account is refused; after the breaker has closed,
    more and more.
    """
    if lane.paused_because or lane.breaker is not BreakerState.CLOSED:
        return 0.0
    if not lane.open_until:
        return 1.0
    since = max(0.0, now - lane.open_until)
    return min(1.0, (1 + int(since / _DRIFT_SECONDS * _DRIFT_STEPS)) / _DRIFT_STEPS)
