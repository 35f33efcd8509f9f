"""From outcomes to what is written: settlements, and what the lane learns. Pure but for chance."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smsengine.gateways.base import Capabilities, Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MessageState
from smsengine.sending.breaker import is_answer
from smsengine.sending.departure import Parcel
from smsengine.sending.retrying import MAX_ATTEMPTS, Reaction, Situation, react
from smsengine.store.attempts import Settlement
from smsengine.store.claims import Claimed
from smsengine.store.fitting import kept
from smsengine.store.tables import LONGEST_CODE, LONGEST_GATEWAY_ID
from smsengine.waves import StopRules, judge

#: A repeat must reach the gateway well before it forgets the reference.
_REPEAT_MARGIN = timedelta(minutes=10)
#: So many refusals in a row that are not the recipient's fault stop the run.
REFUSALS_IN_A_ROW = 10
#: So many deferrals in a row are meant for all.
_DEFERRALS_IN_A_ROW = 5
_DEFERRED_REST_SECONDS = 60.0
#: Of these more messages may still come back.
_INCIDENTS_REMEMBERED = 100
#: Words for people; a whole page of them helps nobody.
_LONGEST_DETAIL = 500
_ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED)
_FAILURES = (MessageState.REJECTED, MessageState.UNKNOWN)


@dataclass(kw_only=True)
class Verdict:
    """What follows from a round of outcomes."""

    settlements: list[Settlement] = field(default_factory=list)
    #: for each outcome, whether the gateway answered; in order, and once for one incident
    answered: list[bool] = field(default_factory=list)
    #: why the account is refused
    pause_because: str = ""
    #: the gateway complained about the rate, and asks for so long a rest
    rest_seconds: float | None = None
    #: runs that are stopped, and why
    stop_runs: dict[int, str] = field(default_factory=dict)
    #: how many messages have left the queue for good
    settled: int = 0


class Judge:
    """Remembers, over rounds, what comes in a row."""

    def __init__(
        self,
        *,
        gateway: str,
        chance: random.Random,
        sheet: Capabilities,
        next_route: Callable[[Claimed], str | None],
        stop_rules: Callable[[int], StopRules],
    ) -> None:
        self._gateway = gateway
        self._chance = chance
        self._window = timedelta(seconds=sheet.idempotency_seconds)
        self._ask_after = timedelta(seconds=sheet.query_after_seconds)
        self._falls_back = sheet.falls_back
        self._next_route = next_route
        self._stop_rules = stop_rules
        self._refusals: dict[int, int] = {}
        # What this process has seen of each run; a wave's end is judged from the ledger.
        self._seen: dict[int, Counter[MessageState]] = {}
        self._deferrals = 0
        self._incidents = deque[str](maxlen=_INCIDENTS_REMEMBERED)

    def judge(self, parcels: Iterable[Parcel], now: datetime, verdict: Verdict) -> None:
        """Add to a verdict what follows from these parcels."""
        accepted = react(_ACCEPTED, Situation(now=now, due_at=now), self._chance)
        for parcel in parcels:
            for message, outcome in zip(parcel.messages, parcel.outcomes, strict=True):
                if not parcel.has_left(message):
                    verdict.settlements.append(self._as_it_was(message, parcel))
                elif outcome.kind is OutcomeKind.ACCEPTED:
                    self._accept(verdict, parcel, message, outcome, accepted)
                else:
                    self._of_outcome(verdict, parcel, message, outcome, now)

    def _accept(
        self,
        verdict: Verdict,
        parcel: Parcel,
        message: Claimed,
        outcome: Outcome,
        reaction: Reaction,
    ) -> None:
        """An acceptance is the same whatever was before; nearly all outcomes are acceptances."""
        verdict.settlements.append(_settlement(message, parcel, outcome, reaction, self._gateway))
        verdict.answered.append(True)
        verdict.settled += 1
        self._deferrals = 0
        if message.run_id in self._refusals:
            del self._refusals[message.run_id]
        self._count_share(verdict, message.run_id, reaction.state)

    def _of_outcome(
        self, verdict: Verdict, parcel: Parcel, message: Claimed, outcome: Outcome, now: datetime
    ) -> None:
        next_gateway = self._next_route(message) if self._may_go_on(outcome) else None
        reaction = react(
            outcome,
            Situation(
                now=now,
                due_at=message.due_at,
                burnt=message.burnt,
                in_doubt=message.unknown_since is not None,
                repeat_until=self._repeat_until(message, parcel),
                ask_at=now + self._ask_after,
                has_next_route=next_gateway is not None,
            ),
            self._chance,
        )
        gateway = self._gateway_after(message, reaction, next_gateway)
        verdict.settlements.append(_settlement(message, parcel, outcome, reaction, gateway))
        if parcel.is_probe or not self._is_told_of(outcome):
            verdict.answered.append(is_answer(outcome))
        verdict.settled += reaction.state is not MessageState.QUEUED
        if reaction.pauses_lane:
            verdict.pause_because = f"{outcome.code} {outcome.detail}".strip() or "refused"
        self._count_share(verdict, message.run_id, reaction.state)
        self._count_refusal(verdict, message, outcome, reaction)
        self._count_complaint(verdict, outcome, reaction)

    def _is_told_of(self, outcome: Outcome) -> bool:
        """Say whether this is the same incident again: many messages, one failure."""
        is_known = outcome.incident in self._incidents
        if outcome.incident and not is_known:
            self._incidents.append(outcome.incident)
        return is_known

    def _may_go_on(self, outcome: Outcome) -> bool:
        """Say whether the next gateway of the route may take what this one refused."""
        if outcome.kind is not OutcomeKind.REJECTED:
            return False
        return outcome.scope is Scope.SENDER or (
            self._falls_back and outcome.scope is Scope.RECIPIENT
        )

    def _gateway_after(
        self, message: Claimed, reaction: Reaction, next_gateway: str | None
    ) -> str | None:
        """Who has a message now; of one that waits again, who alone may take it."""
        if reaction.next_route:
            return next_gateway
        if reaction.state is MessageState.QUEUED and not message.pinned:
            return None
        return self._gateway

    def _as_it_was(self, message: Claimed, parcel: Parcel) -> Settlement:
        """It got no clearance: it waits again, in its old place, and no attempt is burnt."""
        in_doubt = message.unknown_since is not None
        return Settlement(
            message_id=message.id,
            attempt=message.attempt,
            state=MessageState.UNKNOWN if in_doubt else MessageState.QUEUED,
            due_at=message.due_at,
            gateway=self._gateway if in_doubt or message.pinned else None,
            gateway_id=None,
            outcome="",
            code="",
            detail="",
            burnt=message.burnt,
            unknown_since=message.unknown_since,
            started_at=parcel.started_at,
        )

    def _repeat_until(self, message: Claimed, parcel: Parcel) -> datetime | None:
        if not self._window:
            return None
        return (message.unknown_since or parcel.started_at) + repeat_window(self._window)

    def _count_share(self, verdict: Verdict, run_id: int, state: MessageState) -> None:
        """Stop a run in the middle of a wave; what is counted starts anew then."""
        seen = self._seen.get(run_id)
        if seen is None:
            seen = self._seen[run_id] = Counter()
        seen[state] += 1
        broken = judge(self._stop_rules(run_id), seen) if state in _FAILURES else []
        if broken:
            verdict.stop_runs[run_id] = " ".join(broken)
            del self._seen[run_id]

    def _count_refusal(
        self, verdict: Verdict, message: Claimed, outcome: Outcome, reaction: Reaction
    ) -> None:
        """Refusals of the text, our name or our call speak against the run, not its recipients."""
        run = message.run_id
        against = outcome.kind is OutcomeKind.REJECTED and outcome.scope is not Scope.RECIPIENT
        if against and reaction.state is MessageState.REJECTED:
            self._refusals[run] = self._refusals.get(run, 0) + 1
            if self._refusals[run] >= REFUSALS_IN_A_ROW:
                said = f"{outcome.scope or 'caller'} {outcome.code} {outcome.detail}".strip()
                verdict.stop_runs[run] = (
                    f"The gateway refused {self._refusals[run]} messages in a row ({said})."
                )
                self._refusals[run] = 0

    def _count_complaint(self, verdict: Verdict, outcome: Outcome, reaction: Reaction) -> None:
        """Throttling slows the lane at once; deferrals only when they seem to be meant for all."""
        deferred = outcome.kind is OutcomeKind.DEFERRED
        self._deferrals = self._deferrals + 1 if deferred else 0
        if outcome.kind is OutcomeKind.THROTTLED:
            rest = reaction.rests_seconds or 0.0
        elif self._deferrals >= _DEFERRALS_IN_A_ROW:
            rest = _DEFERRED_REST_SECONDS
        else:
            return
        verdict.rest_seconds = max(verdict.rest_seconds or 0.0, rest)


def repeat_window(idempotency: timedelta) -> timedelta:
    """For how long after its first hand-over a message may be handed over again."""
    return max(idempotency - _REPEAT_MARGIN, idempotency / 2)


def _settlement(
    message: Claimed, parcel: Parcel, outcome: Outcome, reaction: Reaction, gateway: str | None
) -> Settlement:
    unknown = reaction.state is MessageState.UNKNOWN
    gave_up = outcome.kind is OutcomeKind.TRANSIENT and reaction.state is MessageState.REJECTED
    detail = f"Given up after {MAX_ATTEMPTS} attempts. " * gave_up + outcome.detail
    return Settlement(
        message.id,
        message.attempt,
        reaction.state,
        reaction.due_at,
        gateway,
        outcome.gateway_id and kept(outcome.gateway_id, LONGEST_GATEWAY_ID),
        outcome.kind,
        outcome.code and kept(outcome.code, LONGEST_CODE),
        detail and kept(detail.strip(), _LONGEST_DETAIL),
        message.burnt + reaction.burns,
        (message.unknown_since or parcel.started_at) if unknown else None,
        parcel.started_at,
        outcome.part_ids,
    )
