"""Whether a gateway is trusted to answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import BreakerState
from smsengine.sending.breaker import (
    FAILURES_IN_A_ROW,
    Permit,
    is_answer,
    observe,
    permit,
    trust,
)
from smsengine.store.lanes import LaneRow

B = BreakerState
NOW = 1_559_350_800.0
CLOSED = LaneRow(gateway="trial")
OPEN = replace(CLOSED, breaker=B.OPEN, failures=5, trips=1, open_until=NOW + 15)
PROBING = replace(OPEN, breaker=B.HALF_OPEN)
FAILURES = [False] * FAILURES_IN_A_ROW


@pytest.mark.parametrize("kind", OutcomeKind)
@pytest.mark.parametrize("scope", [None, *Scope])
def test_what_is_an_answer(kind: OutcomeKind, scope: Scope | None) -> None:
    """A refusal is an answer, too; only silence and trouble are not."""
    silent = kind in (OutcomeKind.TRANSIENT, OutcomeKind.UNKNOWN)
    assert silent is not is_answer(Outcome(kind=kind, scope=scope))


@pytest.mark.parametrize(
    ("answered", "state"),
    [
        ([False] * 4, B.CLOSED),
        ([False] * 5, B.OPEN),
        ([False] * 4 + [True] + [False] * 4, B.CLOSED),
        ([False] * 4 + [True] + [False] * 5, B.OPEN),
        ([True] * 9 + [False] * 5, B.OPEN),
        ([False] * 50, B.OPEN),
        ([], B.CLOSED),
    ],
)
def test_five_failures_in_a_row_open_it(answered: list[bool], state: BreakerState) -> None:
    """An answer in between begins the count anew."""
    assert state is observe(CLOSED, answered, NOW).breaker


@given(st.lists(st.booleans(), max_size=40), st.lists(st.booleans(), max_size=40))
def test_outcomes_may_come_bit_by_bit(first: list[bool], then: list[bool]) -> None:
    """What is learnt does not depend on how many outcomes came at once."""
    at_once = observe(CLOSED, first + then, NOW)
    assert at_once == observe(observe(CLOSED, first, NOW), then, NOW)


def test_it_opens_for_fifteen_seconds_at_first() -> None:
    """A short disturbance costs a short time."""
    assert NOW + 15 == observe(CLOSED, FAILURES, NOW).open_until


@pytest.mark.parametrize(
    ("trips", "seconds"), [(0, 15), (1, 30), (2, 60), (3, 120), (5, 480), (6, 600), (10, 600)]
)
def test_a_failed_probe_opens_it_for_twice_as_long(trips: int, seconds: float) -> None:
    """A gateway that is away for hours is tried every ten minutes."""
    after = observe(replace(PROBING, trips=trips), [False], NOW)
    assert (B.OPEN, NOW + seconds) == (after.breaker, after.open_until)


def test_what_was_under_way_when_it_opened_does_not_open_it_longer() -> None:
    """Messages that were handed over before fail now, and say nothing new."""
    after = observe(CLOSED, [*FAILURES, *[False] * 20], NOW)
    assert (1, NOW + 15) == (after.trips, after.open_until)


def test_what_was_under_way_when_it_opened_does_not_close_it() -> None:
    """One that was answered after all is no reason to hand over a thousand."""
    assert OPEN == observe(OPEN, [True], NOW)


def test_an_answered_probe_closes_it() -> None:
    """Whatever the answer was, the gateway is there, and its past is forgotten."""
    after = observe(PROBING, [True], NOW)
    assert (B.CLOSED, 0, 0) == (after.breaker, after.failures, after.trips)


def test_closed_again_it_opens_after_five_failures() -> None:
    """A gateway that came back has the credit of any other."""
    closed = observe(PROBING, [True], NOW)
    assert [B.CLOSED, B.OPEN] == [observe(closed, [False] * count, NOW).breaker for count in (4, 5)]


@pytest.mark.parametrize(
    ("row", "seconds", "allowed"),
    [
        (CLOSED, 0, Permit.ALL),
        (replace(CLOSED, failures=4), 0, Permit.ALL),
        (OPEN, 0, Permit.NONE),
        (OPEN, 14.9, Permit.NONE),
        (OPEN, 15, Permit.PROBE),
        (OPEN, 9999, Permit.PROBE),
        (PROBING, 0, Permit.NONE),
        (PROBING, 15, Permit.PROBE),
        (replace(OPEN, open_until=NOW + 600), 0, Permit.NONE),
        (replace(OPEN, open_until=NOW + 86_400), 0, Permit.PROBE),
    ],
)
def test_what_may_be_handed_over(row: LaneRow, seconds: float, allowed: Permit) -> None:
    """All, nothing, or one message; a probe that nobody hears of is made again.

    So is one that only a clock a day ahead has put off.
    """
    assert allowed is permit(row, NOW + seconds)


@pytest.mark.parametrize(
    ("row", "share"),
    [
        (CLOSED, 1.0),
        (replace(CLOSED, failures=4), 1.0),
        (OPEN, 0.0),
        (PROBING, 0.0),
        (replace(CLOSED, paused_because="401"), 0.0),
    ],
)
def test_how_far_a_gateway_is_trusted(row: LaneRow, share: float) -> None:
    """One that is away, or that refuses our account, gets nothing."""
    assert share == trust(row, NOW)


@pytest.mark.parametrize(
    ("seconds", "share"),
    [(0, 0.25), (29, 0.25), (30, 0.5), (60, 0.75), (90, 1.0), (120, 1.0), (9999, 1.0)],
)
def test_a_gateway_that_came_back_is_trusted_bit_by_bit(seconds: float, share: float) -> None:
    """It gets its messages back over two minutes, in quarters."""
    closed = observe(PROBING, [True], NOW)
    assert share == trust(closed, NOW + seconds)


def test_a_clock_that_goes_back_does_not_take_trust_away() -> None:
    """A gateway that is in order never gets less than the least share."""
    closed = observe(PROBING, [True], NOW)
    assert 0.25 == trust(closed, NOW - 3600)
