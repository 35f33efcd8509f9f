"""Looking after what is under way: lost workers, doubts, waves, validity, the end of a run.

Everything here is a short transaction that any machine may do at any time; two that do it at once
do it once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from smsengine.clock import Clock
from smsengine.gateways.base import Gateway, Outcome, OutcomeKind
from smsengine.identity import is_surely_gone
from smsengine.lifecycle import MessageState, RunState
from smsengine.sending import journal
from smsengine.store import attempts, messages, outbox, runs
from smsengine.store.attempts import Held
from smsengine.store.engine import Store
from smsengine.store.outbox import Doubt
from smsengine.store.runs import Run
from smsengine.waves import Waves, judge

#: The code of a message whose fate the gateway told when it was asked.
ASKED = "queried"
#: How many messages one question to a gateway is about.
ASKED_AT_ONCE = 100


def recover(
    store: Store,
    *,
    flights: Path,
    worker: str,
    now: datetime,
    ask_after: Mapping[str, timedelta] = MappingProxyType({}),
    at: Callable[[str], None] = lambda _point: None,
) -> int:
    """Find out what became of messages whose worker is lost.

    A worker on this machine that has ended proves by its journal which messages never left: they
    wait again. All others are unknown.

    Args:
        store: the ledger.
        flights: the folder of the flight journals.
        worker: this process; what it has held for longer than its lease is in doubt, too.
        now: the present.
        ask_after: by gateway, how long a message may still be on its way to it.
        at: told the named points that are passed.

    Returns:
        How many messages were moved.
    """
    # Asked first: who is gone by now takes nothing any more, so all that it holds is found below.
    gone = [name for name in journal.workers(flights) if name != worker and is_surely_gone(name)]
    with store.read() as connection:
        held = attempts.held(connection)
    by_worker = defaultdict[str, list[Held]](list)
    for each in held:
        by_worker[each.worker].append(each)
    moved = 0
    for lost, found in by_worker.items():
        never_left, doubtful = _sorted_out(lost, found, flights, now)
        with store.write() as connection:
            moved += attempts.free(connection, never_left)
            moved += attempts.lose(connection, doubtful, now=now, ask_after=ask_after)
            outbox.take_back(connection, [each.id for each in never_left], now=now)
            at("recovering")
    if moved:
        at("recovered")
    journal.forget(flights, set(gone) - set(by_worker))
    return moved


def _sorted_out(
    worker: str, found: Sequence[Held], flights: Path, now: datetime
) -> tuple[list[Held], list[Held]]:
    """What a worker surely never handed over, and what it may have; neither while it may live."""
    if is_surely_gone(worker):
        left = journal.departed(flights, worker)
        if left is None:
            return [], list(found)
        never_left = [each for each in found if (each.id, each.attempt) not in left]
        return never_left, [each for each in found if (each.id, each.attempt) in left]
    return [], [each for each in found if each.lease_until < now]


# -- doubts ----------------------------------------------------------------------------------------


def answers_of(gateway: Gateway, doubts: Sequence[Doubt]) -> Sequence[Outcome | None]:
    """Ask a gateway about messages in doubt; it may take its time.

    Where it cannot be asked now, every message stays in doubt and is asked about later. That it
    does not have a message is no proof while the worker that held it may only be frozen, and could
    still hand it over; whether it is gone is looked at before the question.
    """
    references = [messages.reference(each.dedup_key, each.revision) for each in doubts]
    frozen = [each.worker is not None and not is_surely_gone(each.worker) for each in doubts]
    try:
        answers = gateway.query(references)
        if len(answers) != len(doubts):
            raise ValueError("not one answer for each reference")
    except Exception as error:  # noqa: BLE001 - whatever an adapter's question ends with
        return [Outcome(kind=OutcomeKind.UNKNOWN, detail=type(error).__name__)] * len(doubts)
    return [
        Outcome(kind=OutcomeKind.UNKNOWN, code="worker-frozen")
        if answer is None and may
        else answer
        for answer, may in zip(answers, frozen, strict=True)
    ]


def resolve(
    store: Store,
    doubts: Sequence[Doubt],
    answers: Sequence[Outcome | None],
    now: datetime,
    *,
    at: Callable[[str], None] = lambda _point: None,
) -> None:
    """Move on what the gateway's answers prove, and put off the next question about the rest."""
    # In one order: two machines that have heard the same must not wait for each other.
    heard = sorted(zip(doubts, answers, strict=True), key=lambda pair: (pair[0].run_id, pair[0].id))
    with store.write() as connection:
        for doubt, answer in heard:
            state = _proved(answer)
            if state is None:
                again = outbox.next_question(doubt.unknown_since, now)
                outbox.ask_again(connection, [doubt.id], again)
                continue
            named = answer is not None and answer.gateway_id
            values = {"gateway_id": named} if named else {}
            moved = outbox.resolve(
                connection, [doubt.id], state, now=now, attempt=doubt.attempt, code=ASKED, **values
            )
            if moved and state is MessageState.QUEUED:
                outbox.take_back(connection, moved, now=now)
        at("resolving")
    at("resolved")


def _proved(answer: Outcome | None) -> MessageState | None:
    """The state that a gateway's answer proves; None when it proves nothing."""
    if answer is None:
        return MessageState.QUEUED
    return {
        OutcomeKind.ACCEPTED: MessageState.ACCEPTED,
        OutcomeKind.DUPLICATE: MessageState.ACCEPTED,
        OutcomeKind.REJECTED: MessageState.REJECTED,
    }.get(answer.kind)


# -- runs ------------------------------------------------------------------------------------------


class RunTender:
    """Leads runs through their waves to their end."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        actor: str,
        ended: Callable[[Run], None] = lambda _run: None,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._ended = ended
        self._at = at
        self._store = store
        self._clock = clock
        self._actor = actor
        # For each run the wave that has been handed over, and since when (monotonic).
        self._drained: dict[int, tuple[int, float]] = {}

    def tend(self, run: Run) -> None:
        """One look at a run that is released or being sent."""
        now = self._clock.now()
        if run.state not in (RunState.RELEASED, RunState.SENDING):
            return
        if run.valid_until is not None and now >= run.valid_until:
            self._expire(run, now)
        if run.state is RunState.RELEASED:
            self._change(run, lambda connection: runs.move(connection, run.id, RunState.SENDING))
            return
        with self._store.read() as connection:
            if outbox.waits(connection, run.id, upto=run.released_upto):
                self._drained.pop(run.id, None)
                return
        self._next_wave(run, now)

    def _expire(self, run: Run, now: datetime) -> None:
        with self._store.write() as connection:
            ended = outbox.expire_queued(connection, run.id, now=now)
            if ended:
                detail = f"{ended} messages were not handed over while they were valid."
                runs.note(
                    connection, run.id, at=now, actor=self._actor, what="expired", detail=detail
                )

    def _next_wave(self, run: Run, now: datetime) -> None:
        """What is released has been handed over: judge it, release more, or end the run."""
        waves = Waves.from_json(run.waves)
        upto = waves.next_end(run.released_upto)
        if upto is None:
            self._finish(run, now)
            return
        monotonic = self._clock.monotonic()
        wave, since = self._drained.setdefault(run.id, (run.released_upto, monotonic))
        if wave != run.released_upto:
            self._drained[run.id] = (run.released_upto, monotonic)
            return
        if monotonic - since < waves.stop.wait_seconds:
            return
        with self._store.write() as connection:
            states = outbox.states_upto(connection, run.id, run.released_upto)
            broken = judge(waves.stop, states)
            if broken:
                runs.stop(connection, run.id, because=" ".join(broken), at=now, actor=self._actor)
            elif runs.release_upto(connection, run.id, before=run.released_upto, after=upto):
                detail = f"up to message {min(upto, run.messages)} of {run.messages}"
                runs.note(connection, run.id, at=now, actor=self._actor, what="wave", detail=detail)
            self._at("wave")

    def _finish(self, run: Run, now: datetime) -> None:
        with self._store.write() as connection:
            current = runs.get(connection, run.id, locked=True)
            if current is None or current.state is not RunState.SENDING:
                return
            if outbox.waits(connection, run.id):
                return
            runs.move(connection, run.id, RunState.FINISHED, finished_at=now)
            runs.note(connection, run.id, at=now, actor=self._actor, what="finished")
            self._at("finishing")
        self._drained.pop(run.id, None)
        self._ended(run)

    def _change(self, run: Run, change: Callable[..., object]) -> None:
        """Change a run that is still as it was seen."""
        with self._store.write() as connection:
            current = runs.get(connection, run.id, locked=True)
            if current is not None and current.state is run.state:
                change(connection)
