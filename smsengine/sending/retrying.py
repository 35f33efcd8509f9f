"""What the engine does with an outcome. The only place that decides it; pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MessageState

#: Hand-overs that count, before a message is given up or stays unknown.
MAX_ATTEMPTS = 8
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(minutes=30)
_THROTTLE_WAIT = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What is known of a message when its outcome comes.

    ``burnt`` counts earlier attempts that count. ``in_doubt`` says that an earlier hand-over ended
    unknown. ``repeat_until`` is the end of the gateway's idempotency window for this message; None
    without one. ``ask_at`` is when the gateway may first be asked about it, should it become
    unknown: an answer may be on its way. ``has_next_route`` says whether another gateway may take
    it.
    """

    now: datetime
    due_at: datetime
    burnt: int = 0
    in_doubt: bool = False
    repeat_until: datetime | None = None
    ask_at: datetime | None = None
    has_next_route: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """The state that follows and when it is due again.

    ``burns`` counts the attempt, ``next_route`` gives the message to the next gateway of its route,
    ``pauses_lane`` stops the gateway until a person has looked, ``rests_seconds`` slows it.
    """

    state: MessageState
    due_at: datetime
    burns: bool = False
    next_route: bool = False
    pauses_lane: bool = False
    rests_seconds: float | None = None


def react(  # noqa: PLR0911 - one line of the table for each outcome
    outcome: Outcome, situation: Situation, chance: random.Random
) -> Reaction:
    """Decide what follows from an outcome.

    Args:
        outcome: what the gateway's answer means.
        situation: what is known of the message.
        chance: for jitter, so that retries do not come all at once.
    """
    if situation.in_doubt:
        return _of_repeat(outcome, situation, chance)
    now = situation.now
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return Reaction(state=MessageState.ACCEPTED, due_at=now, burns=True)
        case OutcomeKind.UNKNOWN:
            return Reaction(
                state=MessageState.UNKNOWN, due_at=_repeat_at(situation, chance), burns=True
            )
        case OutcomeKind.DUPLICATE:
            # It has this text already: whatever else it says, no other gateway may get it.
            return Reaction(state=MessageState.REJECTED, due_at=now, burns=True)
        case OutcomeKind.REJECTED:
            return _rejected(outcome, situation)
        case OutcomeKind.THROTTLED | OutcomeKind.DEFERRED:
            return _later(outcome, situation, chance)
        case OutcomeKind.TRANSIENT if situation.burnt + 1 >= MAX_ATTEMPTS:
            return Reaction(state=MessageState.REJECTED, due_at=now, burns=True)
        case OutcomeKind.TRANSIENT:
            due = now + back_off(situation.burnt + 1, chance)
            return Reaction(state=MessageState.QUEUED, due_at=due, burns=True)


def _rejected(outcome: Outcome, situation: Situation) -> Reaction:
    """Whose fault it is decides."""
    if outcome.scope is Scope.ACCOUNT:
        # No message's fault: all keep their places, and this attempt does not count.
        return Reaction(state=MessageState.QUEUED, due_at=situation.due_at, pauses_lane=True)
    if situation.has_next_route and outcome.scope in (Scope.SENDER, Scope.RECIPIENT):
        return Reaction(state=MessageState.QUEUED, due_at=situation.due_at, next_route=True)
    return Reaction(state=MessageState.REJECTED, due_at=situation.now, burns=True)


def _later(outcome: Outcome, situation: Situation, chance: random.Random) -> Reaction:
    """Surely not accepted, and not the message's fault: the lane slows, no attempt is burnt."""
    now = situation.now
    if outcome.kind is OutcomeKind.THROTTLED:
        seconds = outcome.retry_after_seconds or _jittered(_THROTTLE_WAIT, chance).total_seconds()
        due, rest = now + timedelta(seconds=seconds), seconds
    else:
        due = max(outcome.not_before or now + _LONGEST_WAIT, now)
        rest = 0.0
    state = MessageState.UNKNOWN if situation.in_doubt else MessageState.QUEUED
    return Reaction(state=state, due_at=due, rests_seconds=rest)


def _of_repeat(outcome: Outcome, situation: Situation, chance: random.Random) -> Reaction:
    """An earlier hand-over is in doubt: only an acceptance, now or then, settles it.

    A refusal of the repeat says nothing about the first: a gateway may look at the account or the
    number before it looks whether it knows the reference.
    """
    now = situation.now
    match outcome.kind:
        case OutcomeKind.ACCEPTED | OutcomeKind.DUPLICATE:
            return Reaction(state=MessageState.ACCEPTED, due_at=now, burns=True)
        case OutcomeKind.THROTTLED | OutcomeKind.DEFERRED:
            return _later(outcome, situation, chance)
        case OutcomeKind.REJECTED if outcome.scope is Scope.ACCOUNT:
            due = now + _FIRST_WAIT
            return Reaction(state=MessageState.UNKNOWN, due_at=due, pauses_lane=True)
        case _:
            return Reaction(
                state=MessageState.UNKNOWN, due_at=_repeat_at(situation, chance), burns=True
            )


def _repeat_at(situation: Situation, chance: random.Random) -> datetime:
    """When a message in doubt is handed over again, ever later; or else asked about.

    Neither while it may be on its way: when a newer edition or a refused account comes in between,
    what was to be repeated is asked about at that time, and that it is not there yet is no proof.
    """
    ask_at = situation.ask_at or situation.now
    if situation.repeat_until is None or situation.burnt + 1 >= MAX_ATTEMPTS:
        return ask_at
    return max(ask_at, situation.now + back_off(situation.burnt + 1, chance))


def back_off(attempt: int, chance: random.Random) -> timedelta:
    """Twice as long each time, from five seconds to half an hour, give or take a quarter."""
    wait = min(_FIRST_WAIT.total_seconds() * 2.0 ** (attempt - 1), _LONGEST_WAIT.total_seconds())
    return _jittered(timedelta(seconds=wait), chance)


def _jittered(wait: timedelta, chance: random.Random) -> timedelta:
    return wait * chance.uniform(0.75, 1.25)
