"""Draining one run through one gateway: claim, commit, hand over, settle.

A message is marked ``sending`` in a committed transaction before its first byte leaves, and only
the worker that holds it may settle it. What a dead worker held becomes ``unknown`` and is only
moved on by proof.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import RowMapping

from smsengine.clock import Clock
from smsengine.errors import SmsEngineError
from smsengine.gateways.base import Gateway, Outbound, Outcome, OutcomeKind
from smsengine.identity import is_surely_gone
from smsengine.lifecycle import MessageState, RunState
from smsengine.sending.retrying import Reaction, react
from smsengine.store import attempts, messages, runs
from smsengine.store.attempts import Claimed, Settlement
from smsengine.store.engine import Store
from smsengine.store.runs import Run

LEASE = timedelta(minutes=5)
_IDLE_SECONDS = 0.2
_LONGEST_IDLE_SECONDS = 5.0
_LOST = "worker-lost"
_ASKED = "queried"


class Dispatcher:
    """Sends one run."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: Gateway,
        gateway_name: str,
        clock: Clock,
        worker: str,
        batch: int,
        chance: random.Random,
        progress: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._gateway_name = gateway_name
        self._clock = clock
        self._worker = worker
        self._batch = min(batch, gateway.capabilities.max_batch)
        self._chance = chance
        self._progress = progress

    def drain(self, run: Run, after_batch: Callable[[], object] = lambda: None) -> None:
        """Send everything that is released of a run, until nothing waits any more.

        Args:
            run: a run in state released or sending, or finished with unknown messages.
            after_batch: called after each batch, e.g. to fetch receipts.

        Raises:
            SmsEngineError: the gateway refuses our account; every message keeps its place.
        """
        self.recover(run)
        self._start(run)
        while self._send_batch(run) or self._wait(run):
            after_batch()
        self._finish(run)

    def _start(self, run: Run) -> None:
        """A released run is being sent from now on; a finished one if something waits again."""
        with self._store.write() as connection:
            current = runs.get(connection, run.id)
            if current is None:
                return
            waits = messages.waiting(connection, run.id, upto=current.released_upto)[0] > 0
            again = current.state is RunState.FINISHED and waits
            if current.state is RunState.RELEASED or again:
                runs.move(connection, run.id, RunState.SENDING)

    def _send_batch(self, run: Run) -> bool:
        now = self._clock.now()
        with self._store.write() as connection:
            current = runs.get(connection, run.id)
            if current is None or current.state is not RunState.SENDING:
                return False
            claimed = attempts.claim(
                connection,
                run_id=run.id,
                upto=current.released_upto,
                gateway=self._gateway_name,
                worker=self._worker,
                now=now,
                until=now + LEASE,
                limit=self._batch,
            )
        if claimed:
            self._hand_over(claimed)
            self._progress(len(claimed))
        return bool(claimed)

    def _hand_over(self, claimed: Sequence[Claimed]) -> None:
        try:
            outcomes = self._gateway.send([_outbound(message) for message in claimed])
        except Exception as error:
            lost = Outcome(kind=OutcomeKind.UNKNOWN, code="broke-off", detail=type(error).__name__)
            self._settle(claimed, [lost] * len(claimed))
            raise
        self._settle(claimed, outcomes)

    def _settle(self, claimed: Sequence[Claimed], outcomes: Sequence[Outcome]) -> None:
        now = self._clock.now()
        reactions = [
            react(
                outcome,
                attempt=message.attempt,
                was_unknown=message.code == _ASKED,
                now=now,
                chance=self._chance,
            )
            for message, outcome in zip(claimed, outcomes, strict=True)
        ]
        results = [
            _settlement(message, outcome, reaction)
            for message, outcome, reaction in zip(claimed, outcomes, reactions, strict=True)
        ]
        with self._store.write() as connection:
            attempts.settle(connection, self._worker, results, now=now)
        for outcome, reaction in zip(outcomes, reactions, strict=True):
            if reaction.pauses_lane:
                raise SmsEngineError(
                    f"Gateway {self._gateway_name} refuses our account ({outcome.code}"
                    f" {outcome.detail}); every message keeps its place, start again when it is"
                    " mended."
                )

    def _wait(self, run: Run) -> bool:
        """Wait for messages that are due later; False when none is left or the run was stopped."""
        with self._store.read() as connection:
            current = runs.get(connection, run.id)
            if current is None or current.state is not RunState.SENDING:
                return False
            due = messages.waiting(connection, run.id, upto=current.released_upto)[1]
        if due is None:
            # Nothing waits; but what is unknown may be proved to wait again.
            self.recover(run)
            with self._store.read() as connection:
                due = messages.waiting(connection, run.id, upto=current.released_upto)[1]
            return due is not None
        seconds = (due - self._clock.now()).total_seconds()
        self._clock.sleep(min(max(seconds, _IDLE_SECONDS), _LONGEST_IDLE_SECONDS))
        self.recover(run)
        return True

    def recover(self, run: Run) -> None:
        """What a dead worker held becomes unknown; what the gateway can prove is moved on."""
        now = self._clock.now()
        with self._store.read() as connection:
            held = messages.abandoned(connection, run.id)
        lost = defaultdict[str, list[int]](list)
        for row in held:
            if row["state"] == MessageState.SENDING and _is_lost(row, now):
                lost[row["worker"]].append(row["id"])
        with self._store.write() as connection:
            for worker, ids in lost.items():
                messages.move(
                    connection, ids, MessageState.UNKNOWN, now=now, code=_LOST, detail=worker
                )
                attempts.close_lost(connection, ids, now=now)
            held = messages.abandoned(connection, run.id)
        unknown = [row for row in held if row["state"] == MessageState.UNKNOWN]
        if unknown and self._gateway.capabilities.can_query:
            references = [messages.reference(row["dedup_key"], row["revision"]) for row in unknown]
            self._resolve(unknown, self._gateway.query(references))

    def _resolve(self, unknown: Sequence[RowMapping], answers: Sequence[Outcome | None]) -> None:
        now = self._clock.now()
        with self._store.write() as connection:
            for row, answer in zip(unknown, answers, strict=True):
                state = _proved(row, answer)
                if state is not None:
                    taken = answer.gateway_id if answer is not None else None
                    messages.move(
                        connection, [row["id"]], state, now=now, gateway_id=taken, code=_ASKED
                    )

    def _finish(self, run: Run) -> None:
        now = self._clock.now()
        with self._store.write() as connection:
            current = runs.get(connection, run.id)
            if current is None or current.state is not RunState.SENDING:
                return
            if messages.waiting(connection, run.id)[0] == 0:
                runs.move(connection, run.id, RunState.FINISHED, finished_at=now)
                runs.note(connection, run.id, at=now, actor=self._worker, what="finished")


def _outbound(message: Claimed) -> Outbound:
    return Outbound(
        reference=message.reference,
        address=message.address,
        network=message.network,
        text=message.text,
        segments=message.segments,
    )


def _settlement(message: Claimed, outcome: Outcome, reaction: Reaction) -> Settlement:
    return Settlement(
        message_id=message.id,
        attempt=message.attempt,
        state=reaction.state,
        due_at=reaction.due_at,
        gateway_id=outcome.gateway_id,
        outcome=outcome.kind,
        code=outcome.code,
        detail=outcome.detail,
    )


def _is_lost(row: RowMapping, now: datetime) -> bool:
    return row["lease_until"] < now or is_surely_gone(row["worker"])


def _proved(row: RowMapping, answer: Outcome | None) -> MessageState | None:
    """The state that a gateway's answer proves; None when it proves nothing.

    That the gateway does not have a message is no proof while the worker that held it may only be
    frozen, and could still hand it over.
    """
    if answer is None:
        frozen = row["code"] == _LOST and not is_surely_gone(row["detail"] or "")
        return None if frozen else MessageState.QUEUED
    return {
        OutcomeKind.ACCEPTED: MessageState.ACCEPTED,
        OutcomeKind.DUPLICATE: MessageState.ACCEPTED,
        OutcomeKind.REJECTED: MessageState.REJECTED,
    }.get(answer.kind)
