"""What the engine does with an outcome. The only place that decides it; pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MessageState

#: Attempts that were surely not accepted, before a message is given up.
MAX_ATTEMPTS = 8
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(minutes=30)
_THROTTLE_WAIT = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """The state that follows, when it is due again, and whether the lane must stop."""

    state: MessageState
    due_at: datetime
    pauses_lane: bool = False


def react(  # noqa: PLR0911 - one line of the table for each outcome
    outcome: Outcome, *, attempt: int, was_unknown: bool, now: datetime, chance: random.Random
) -> Reaction:
    """Decide what follows from an outcome.

    Args:
        outcome: what the gateway's answer means.
        attempt: the number of this attempt, from 1.
        was_unknown: an earlier attempt of this message ended unknown.
        now: the present.
        chance: for jitter, so that retries do not come all at once.
    """
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return Reaction(state=MessageState.ACCEPTED, due_at=now)
        case OutcomeKind.DUPLICATE:
            state = MessageState.ACCEPTED if was_unknown else MessageState.REJECTED
            return Reaction(state=state, due_at=now)
        case OutcomeKind.UNKNOWN:
            return Reaction(state=MessageState.UNKNOWN, due_at=now)
        case OutcomeKind.REJECTED if outcome.scope is Scope.ACCOUNT:
            return Reaction(state=MessageState.QUEUED, due_at=now, pauses_lane=True)
        case OutcomeKind.REJECTED:
            return Reaction(state=MessageState.REJECTED, due_at=now)
        case OutcomeKind.THROTTLED:
            wait = timedelta(seconds=outcome.retry_after_seconds or 0) or _THROTTLE_WAIT
            return Reaction(state=MessageState.QUEUED, due_at=now + wait)
        case OutcomeKind.DEFERRED:
            due = outcome.not_before or now + _LONGEST_WAIT
            return Reaction(state=MessageState.QUEUED, due_at=due)
        case OutcomeKind.TRANSIENT if attempt >= MAX_ATTEMPTS:
            return Reaction(state=MessageState.REJECTED, due_at=now)
        case OutcomeKind.TRANSIENT:
            return Reaction(state=MessageState.QUEUED, due_at=now + _back_off(attempt, chance))


def _back_off(attempt: int, chance: random.Random) -> timedelta:
    """Twice as long each time, from five seconds to half an hour, give or take a quarter."""
    wait = min(_FIRST_WAIT.total_seconds() * 2.0 ** (attempt - 1), _LONGEST_WAIT.total_seconds())
    return timedelta(seconds=wait * chance.uniform(0.75, 1.25))
