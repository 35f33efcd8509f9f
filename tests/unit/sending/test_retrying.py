"""What follows from each outcome: the design's table, line by line."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MessageState
from smsengine.sending.retrying import MAX_ATTEMPTS, Reaction, react
from tests.conftest import START

K, M = OutcomeKind, MessageState
HALF_AN_HOUR = 30 * 60


def reaction(
    kind: OutcomeKind,
    *,
    attempt: int = 1,
    was_unknown: bool = False,
    seed: int = 1,
    scope: Scope | None = None,
    retry_after_seconds: float | None = None,
    not_before: datetime | None = None,
) -> Reaction:
    outcome = Outcome(
        kind=kind, scope=scope, retry_after_seconds=retry_after_seconds, not_before=not_before
    )
    return react(
        outcome,
        attempt=attempt,
        was_unknown=was_unknown,
        now=START,
        chance=random.Random(seed),
    )


def wait(kind: OutcomeKind, attempt: int = 1, seed: int = 1, **said: float) -> float:
    """Seconds until a message is due again."""
    after = reaction(kind, attempt=attempt, seed=seed, **said)
    assert M.QUEUED is after.state
    return (after.due_at - START).total_seconds()


@pytest.mark.parametrize(
    ("kind", "scope", "was_unknown", "state"),
    [
        (K.ACCEPTED, None, False, M.ACCEPTED),
        (K.ACCEPTED, None, True, M.ACCEPTED),
        (K.DUPLICATE, None, False, M.REJECTED),
        (K.DUPLICATE, None, True, M.ACCEPTED),
        (K.REJECTED, Scope.RECIPIENT, False, M.REJECTED),
        (K.REJECTED, Scope.CONTENT, False, M.REJECTED),
        (K.REJECTED, Scope.SENDER, False, M.REJECTED),
        (K.REJECTED, Scope.CALLER, False, M.REJECTED),
        (K.REJECTED, None, False, M.REJECTED),
        (K.REJECTED, Scope.ACCOUNT, False, M.QUEUED),
        (K.THROTTLED, None, False, M.QUEUED),
        (K.DEFERRED, None, False, M.QUEUED),
        (K.TRANSIENT, None, False, M.QUEUED),
        (K.UNKNOWN, None, False, M.UNKNOWN),
        (K.UNKNOWN, None, True, M.UNKNOWN),
    ],
)
def test_the_state_that_follows(
    kind: OutcomeKind, scope: Scope | None, state: MessageState, *, was_unknown: bool
) -> None:
    """Each outcome leads to the state of the table."""
    assert state is reaction(kind, scope=scope, was_unknown=was_unknown).state


@pytest.mark.parametrize("kind", OutcomeKind)
@pytest.mark.parametrize("scope", [None, *Scope])
def test_only_an_account_error_stops_the_lane(kind: OutcomeKind, scope: Scope | None) -> None:
    """A lane goes on whatever happens to a message, unless the account itself is refused."""
    refused = kind is K.REJECTED and scope is Scope.ACCOUNT
    assert refused == reaction(kind, scope=scope).pauses_lane


@pytest.mark.parametrize("attempt", [1, MAX_ATTEMPTS, MAX_ATTEMPTS + 50])
@pytest.mark.parametrize("kind", [K.THROTTLED, K.DEFERRED])
def test_what_the_rate_refused_is_never_given_up(kind: OutcomeKind, attempt: int) -> None:
    """A message that only came too fast or too early is not lost by counting."""
    assert M.QUEUED is reaction(kind, attempt=attempt).state


@pytest.mark.parametrize("attempt", [1, MAX_ATTEMPTS, MAX_ATTEMPTS + 50])
def test_an_account_error_loses_nothing(attempt: int) -> None:
    """Every message keeps its place until the account is mended."""
    after = reaction(K.REJECTED, scope=Scope.ACCOUNT, attempt=attempt)
    assert (M.QUEUED, START) == (after.state, after.due_at)


@pytest.mark.parametrize(
    ("attempt", "state"),
    [(1, M.QUEUED), (MAX_ATTEMPTS - 1, M.QUEUED), (MAX_ATTEMPTS, M.REJECTED), (99, M.REJECTED)],
)
def test_transient_failures_are_capped(attempt: int, state: MessageState) -> None:
    """After the last attempt a message is given up, with its reason in the ledger."""
    assert state is reaction(K.TRANSIENT, attempt=attempt).state


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 320)]
)
@pytest.mark.parametrize("seed", range(5))
def test_transient_failures_wait_twice_as_long_each_time(
    attempt: int, seconds: int, seed: int
) -> None:
    """From five seconds on, give or take a quarter."""
    assert 0.75 * seconds <= wait(K.TRANSIENT, attempt, seed) <= 1.25 * seconds


def test_retries_do_not_come_all_at_once() -> None:
    """Messages that failed together are spread."""
    assert 20 == len({wait(K.TRANSIENT, 3, seed) for seed in range(20)})


def test_the_same_chance_gives_the_same_wait() -> None:
    """Jitter comes from the random source that was given, and from nowhere else."""
    assert wait(K.TRANSIENT, 3, seed=7) == wait(K.TRANSIENT, 3, seed=7)


@pytest.mark.parametrize(("said", "seconds"), [(30, 30), (0.5, 0.5), (3600, 3600)])
def test_a_throttling_gateway_is_obeyed(said: float, seconds: float) -> None:
    """Retry-After is kept to the second."""
    assert seconds == wait(K.THROTTLED, retry_after_seconds=said)


@pytest.mark.parametrize("said", [None, 0])
def test_a_throttling_gateway_without_a_time_is_given_some(said: float | None) -> None:
    """A gateway that names no time is not asked again at once."""
    assert wait(K.THROTTLED, retry_after_seconds=said) >= 1  # type: ignore[arg-type]


def test_a_deferring_gateway_is_obeyed() -> None:
    """A message that may only go out in the morning goes out in the morning."""
    morning = START + timedelta(hours=23)
    assert morning == reaction(K.DEFERRED, not_before=morning).due_at


def test_a_deferring_gateway_without_a_time_is_given_some() -> None:
    """A message that came too early is not offered again at once."""
    assert HALF_AN_HOUR == wait(K.DEFERRED)
