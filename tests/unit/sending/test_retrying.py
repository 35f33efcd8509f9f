"""What follows from each outcome: the design's table, line by line."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MESSAGE_MOVES, MessageState
from smsengine.sending.retrying import MAX_ATTEMPTS, Reaction, Situation, back_off, react
from tests.conftest import START

K, M, S = OutcomeKind, MessageState, Scope
DUE = START - timedelta(minutes=7)
ASK = START + timedelta(seconds=90)
UNTIL = START + timedelta(hours=23)
LAST = MAX_ATTEMPTS - 1
HALF_AN_HOUR = 30 * 60
ANY = [(kind, scope) for kind in K for scope in (None, *S)]


def reaction(
    kind: OutcomeKind, scope: Scope | None = None, *, seed: int = 1, **known: Any
) -> Reaction:
    """What follows; ``said_…`` is what the gateway said, the rest what is known of the message."""
    said = {name[5:]: known.pop(name) for name in list(known) if name.startswith("said_")}
    situation = Situation(**{"now": START, "due_at": DUE, "ask_at": ASK} | known)
    return react(Outcome(kind=kind, scope=scope, **said), situation, random.Random(seed))


def seconds(after: Reaction) -> float:
    """How long a message waits."""
    return (after.due_at - START).total_seconds()


# -- the state that follows ------------------------------------------------------------------------

#: Of a message whose earlier hand-overs were surely not accepted.
FRESH = {
    (K.ACCEPTED, None): M.ACCEPTED,
    (K.DUPLICATE, None): M.REJECTED,
    (K.REJECTED, S.RECIPIENT): M.REJECTED,
    (K.REJECTED, S.CONTENT): M.REJECTED,
    (K.REJECTED, S.SENDER): M.REJECTED,
    (K.REJECTED, S.CALLER): M.REJECTED,
    (K.REJECTED, S.ACCOUNT): M.QUEUED,
    (K.REJECTED, None): M.REJECTED,
    (K.THROTTLED, None): M.QUEUED,
    (K.DEFERRED, None): M.QUEUED,
    (K.TRANSIENT, None): M.QUEUED,
    (K.UNKNOWN, None): M.UNKNOWN,
}
#: Of one whose earlier hand-over is in doubt: only an acceptance, now or then, settles it.
IN_DOUBT = dict.fromkeys(FRESH, M.UNKNOWN) | {
    (K.ACCEPTED, None): M.ACCEPTED,
    (K.DUPLICATE, None): M.ACCEPTED,
}
WINDOWS = [None, UNTIL]
ROUTES = [False, True]
BURNT = [0, 3, LAST, MAX_ATTEMPTS, 99]


def expected(
    kind: OutcomeKind, scope: Scope | None, *, in_doubt: bool, burnt: int, next_route: bool
) -> MessageState:
    """The state of the table."""
    if in_doubt:
        return IN_DOUBT[kind, scope]
    if kind is K.REJECTED and scope in (S.SENDER, S.RECIPIENT) and next_route:
        return M.QUEUED
    if kind is K.TRANSIENT and burnt >= LAST:
        return M.REJECTED
    return FRESH[kind, scope]


@pytest.mark.parametrize(("kind", "scope"), FRESH, ids=str)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_the_state_that_follows(kind: OutcomeKind, scope: Scope | None, *, in_doubt: bool) -> None:
    """Each outcome leads to the state of the table, in every situation."""
    wrong = [
        (burnt, window, next_route)
        for burnt, window, next_route in product(BURNT, WINDOWS, ROUTES)
        if reaction(
            kind,
            scope,
            in_doubt=in_doubt,
            burnt=burnt,
            repeat_until=window,
            has_next_route=next_route,
        ).state
        is not expected(kind, scope, in_doubt=in_doubt, burnt=burnt, next_route=next_route)
    ]
    assert [] == wrong


@pytest.mark.parametrize(("kind", "scope"), ANY)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_every_move_is_lawful(kind: OutcomeKind, scope: Scope | None, *, in_doubt: bool) -> None:
    """What follows from a hand-over is a move that the law allows."""
    assert reaction(kind, scope, in_doubt=in_doubt).state in MESSAGE_MOVES[M.SENDING]


@pytest.mark.parametrize(("kind", "scope"), ANY)
@pytest.mark.parametrize("burnt", BURNT)
@pytest.mark.parametrize("next_route", ROUTES)
def test_a_message_in_doubt_never_waits_among_the_others(
    kind: OutcomeKind, scope: Scope | None, burnt: int, *, next_route: bool
) -> None:
    """What may have been accepted is neither queued nor called refused."""
    after = reaction(kind, scope, in_doubt=True, burnt=burnt, has_next_route=next_route)
    assert after.state in (M.ACCEPTED, M.UNKNOWN)


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("burnt", BURNT)
def test_what_is_unknown_stays_with_its_gateway(
    burnt: int, window: object, *, in_doubt: bool
) -> None:
    """A message that may have been accepted is never given to another gateway."""
    after = reaction(
        K.UNKNOWN, in_doubt=in_doubt, burnt=burnt, repeat_until=window, has_next_route=True
    )
    assert (M.UNKNOWN, False) == (after.state, after.next_route)


# -- what else follows -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "scope"), ANY)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_only_an_account_error_stops_the_lane(
    kind: OutcomeKind, scope: Scope | None, *, in_doubt: bool
) -> None:
    """A lane goes on whatever happens to a message, unless the account itself is refused."""
    refused = kind is K.REJECTED and scope is S.ACCOUNT
    assert refused == reaction(kind, scope, in_doubt=in_doubt).pauses_lane


@pytest.mark.parametrize(("kind", "scope"), ANY)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_only_complaints_about_the_rate_slow_the_lane(
    kind: OutcomeKind, scope: Scope | None, *, in_doubt: bool
) -> None:
    """Throttled and deferred say something about the lane, and nothing else does."""
    slows = kind in (K.THROTTLED, K.DEFERRED)
    assert slows == (reaction(kind, scope, in_doubt=in_doubt).rests_seconds is not None)


@pytest.mark.parametrize(("kind", "scope"), ANY)
@pytest.mark.parametrize("next_route", ROUTES)
def test_only_a_refused_name_or_recipient_goes_to_the_next_route(
    kind: OutcomeKind, scope: Scope | None, *, next_route: bool
) -> None:
    """Another gateway may know our name, or reach whom this one cannot; nothing else counts."""
    refused = kind is K.REJECTED and scope in (S.SENDER, S.RECIPIENT)
    after = reaction(kind, scope, has_next_route=next_route)
    assert (refused and next_route) == after.next_route


def test_on_the_next_route_a_message_keeps_its_place() -> None:
    """A refused name is not the message's fault: it is due as before, and nothing is burnt."""
    after = reaction(K.REJECTED, S.SENDER, has_next_route=True, burnt=5)
    assert (M.QUEUED, DUE, False) == (after.state, after.due_at, after.burns)


@pytest.mark.parametrize(
    ("kind", "scope", "burns"),
    [
        (K.ACCEPTED, None, True),
        (K.DUPLICATE, None, True),
        (K.REJECTED, S.RECIPIENT, True),
        (K.REJECTED, S.ACCOUNT, False),
        (K.THROTTLED, None, False),
        (K.DEFERRED, None, False),
        (K.TRANSIENT, None, True),
        (K.UNKNOWN, None, True),
    ],
)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_which_attempts_count(
    kind: OutcomeKind, scope: Scope | None, *, burns: bool, in_doubt: bool
) -> None:
    """What the rate or the account refused is no attempt."""
    assert burns == reaction(kind, scope, in_doubt=in_doubt).burns


# -- when it is due again --------------------------------------------------------------------------


@pytest.mark.parametrize("burnt", BURNT)
@pytest.mark.parametrize("kind", [K.THROTTLED, K.DEFERRED])
def test_what_the_rate_refused_is_never_given_up(kind: OutcomeKind, burnt: int) -> None:
    """A message that only came too fast or too early is not lost by counting."""
    assert M.QUEUED is reaction(kind, burnt=burnt).state


@pytest.mark.parametrize("burnt", BURNT)
def test_an_account_error_loses_nothing(burnt: int) -> None:
    """Every message keeps its place until the account is mended."""
    after = reaction(K.REJECTED, S.ACCOUNT, burnt=burnt)
    assert (M.QUEUED, DUE) == (after.state, after.due_at)


def test_an_account_error_in_doubt_is_repeated_soon() -> None:
    """The doubt stays, and the repeat comes when the account is mended."""
    after = reaction(K.REJECTED, S.ACCOUNT, in_doubt=True, burnt=5)
    assert (M.UNKNOWN, 5.0) == (after.state, seconds(after))


@pytest.mark.parametrize(
    ("burnt", "wait"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 320)]
)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (K.TRANSIENT, {}),
        (K.UNKNOWN, {"repeat_until": UNTIL, "ask_at": START}),
        (K.UNKNOWN, {"repeat_until": UNTIL, "ask_at": None, "in_doubt": True}),
        (K.TRANSIENT, {"repeat_until": UNTIL, "ask_at": START, "in_doubt": True}),
    ],
)
def test_each_wait_is_twice_as_long(
    kind: OutcomeKind, known: dict[str, Any], burnt: int, wait: int, seed: int
) -> None:
    """From five seconds on, give or take a quarter."""
    after = reaction(kind, burnt=burnt, seed=seed, **known)
    assert 0.75 * wait <= seconds(after) <= 1.25 * wait


@pytest.mark.parametrize("attempt", [1, 5, 10, 20, 60])
def test_no_wait_is_longer_than_half_an_hour(attempt: int) -> None:
    """Waiting ever longer ends, give or take a quarter."""
    longest = max(back_off(attempt, random.Random(seed)) for seed in range(50))
    assert longest <= timedelta(seconds=1.25 * HALF_AN_HOUR)


def test_retries_do_not_come_all_at_once() -> None:
    """Messages that failed together are spread."""
    assert 20 == len({reaction(K.TRANSIENT, burnt=2, seed=seed).due_at for seed in range(20)})


def test_the_same_chance_gives_the_same_wait() -> None:
    """Jitter comes from the random source that was given, and from nowhere else."""
    assert reaction(K.TRANSIENT, seed=7) == reaction(K.TRANSIENT, seed=7)


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("said", [30, 0.5, 3600])
def test_a_throttling_gateway_is_obeyed(said: float, *, in_doubt: bool) -> None:
    """Retry-After is kept to the second, for the message and for the lane."""
    after = reaction(K.THROTTLED, said_retry_after_seconds=said, in_doubt=in_doubt)
    assert (said, said) == (seconds(after), after.rests_seconds)


@pytest.mark.parametrize("said", [None, 0])
def test_a_throttling_gateway_without_a_time_is_given_some(said: float | None) -> None:
    """A gateway that names no time is not asked again at once."""
    assert seconds(reaction(K.THROTTLED, said_retry_after_seconds=said)) >= 1


@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_deferring_gateway_is_obeyed(*, in_doubt: bool) -> None:
    """A message that may only go out in the morning goes out in the morning."""
    morning = START + timedelta(hours=23)
    assert morning == reaction(K.DEFERRED, said_not_before=morning, in_doubt=in_doubt).due_at


def test_a_deferral_into_the_past_is_no_deferral() -> None:
    """A gateway whose clock is behind does not make a message older than it is."""
    assert 0 == seconds(reaction(K.DEFERRED, said_not_before=START - timedelta(hours=1)))


def test_a_deferring_gateway_without_a_time_is_given_some() -> None:
    """A message that came too early is not offered again at once."""
    assert HALF_AN_HOUR == seconds(reaction(K.DEFERRED))


@pytest.mark.parametrize(
    ("known", "due"),
    [
        ({}, ASK),
        ({"in_doubt": True}, ASK),
        ({"burnt": LAST, "repeat_until": UNTIL}, ASK),
        ({"burnt": 99, "repeat_until": UNTIL, "in_doubt": True}, ASK),
        ({"ask_at": None}, START),
    ],
)
def test_what_cannot_be_repeated_is_asked_about(known: dict[str, Any], due: object) -> None:
    """Without a window, or after the last attempt, a doubt is due when the gateway may be asked."""
    assert due == reaction(K.UNKNOWN, **known).due_at


@pytest.mark.parametrize("kind", [K.UNKNOWN, K.TRANSIENT])
@pytest.mark.parametrize("burnt", BURNT)
@pytest.mark.parametrize("window", WINDOWS)
def test_a_doubt_rests_while_the_message_may_be_on_its_way(
    kind: OutcomeKind, burnt: int, window: object
) -> None:
    """What is to be repeated may have to be asked about instead: then its absence must prove it."""
    after = reaction(kind, in_doubt=True, burnt=burnt, repeat_until=window)
    assert ASK <= after.due_at
