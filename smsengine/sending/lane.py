"""The stream of messages to one gateway: claim, hand over, settle, over and over.

One round is one transaction: it settles what has come back and claims what goes out next, so that a
batch costs one durable commit. Between rounds the crew hands parcels over; a round never waits for
the network. What is claimed is committed before it reaches the crew, and what has come back stays
at hand until its settlement is committed.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import Clock
from smsengine.gateways.base import Gateway
from smsengine.lifecycle import BreakerState, MessageState
from smsengine.sending import breaker
from smsengine.sending.breaker import Permit
from smsengine.sending.claiming import Claimer, Work
from smsengine.sending.crew import Crew
from smsengine.sending.departure import Departures, Parcel
from smsengine.sending.flow import Flow
from smsengine.sending.judging import Judge, Verdict
from smsengine.sending.pace import slowed
from smsengine.sending.routing import Route
from smsengine.store import attempts, lanes, outbox, runs
from smsengine.store.attempts import Settlement
from smsengine.store.claims import Claimed
from smsengine.store.engine import Store
from smsengine.store.lanes import LaneRow
from smsengine.store.outbox import OpenDoubts, Repeats
from smsengine.store.runs import Run
from smsengine.waves import StopRules, Waves

#: What has come back is settled at least so often.
_ROUND_SECONDS = 0.05

#: Told, by a gateway's name, what was settled in one round; called on the thread of the rounds.
Count = Callable[[str, Sequence[Settlement]], None]


class Lane:
    """One gateway's stream. ``round`` is called by one thread; the crew has threads of its own."""

    def __init__(
        self,
        *,
        name: str,
        gateway: Gateway,
        store: Store,
        clock: Clock,
        worker: str,
        batch: int,
        departures: Departures,
        crew: Crew,
        chance: random.Random,
        wake: Callable[[], None] = lambda: None,
        progress: Callable[[int], None] = lambda _count: None,
        count: Count = lambda _gateway, _settlements: None,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self.name = name
        self.gateway = gateway
        self.row = LaneRow(gateway=name)
        self._store, self._clock, self._worker = store, clock, worker
        self._departures, self._crew = departures, crew
        self._wake, self._at = wake, at
        self._progress, self._count = progress, count
        sheet, self._batch = gateway.capabilities, batch
        self._claimer = Claimer(gateway=name, worker=worker, clock=clock, sheet=sheet)
        self._judge = self._make_judge(chance)
        self._parcel_size = min(batch, sheet.max_batch, departures.most_at_once or batch)
        self._flow = Flow(batch=batch, crew=sheet.concurrency)
        self._work = Work()
        # What is sent here, and what is in hand: outcomes may come when a run has been stopped.
        self._runs: dict[int, tuple[Run, Route]] = {}
        self._come_back: deque[Parcel] = deque()
        self._verdict = Verdict()
        self._lock = threading.Lock()
        self._in_hand: dict[int, int] = {}
        self._back_since: float | None = None
        self._unsure = False

    def _make_judge(self, chance: random.Random) -> Judge:
        return Judge(
            gateway=self.name,
            chance=chance,
            sheet=self.gateway.capabilities,
            next_route=self._next_route,
            stop_rules=self._stop_rules,
        )

    # -- what others ask -----------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Something is under way, or has come back and is not settled."""
        return bool(self._in_hand)

    @property
    def runs_in_hand(self) -> set[int]:
        return set(self._in_hand.values())

    @property
    def ask_after(self) -> timedelta:
        """How long a message may still be on its way to the gateway."""
        return timedelta(seconds=self.gateway.capabilities.query_after_seconds)

    def repeats(self) -> Repeats | None:
        """Which messages in doubt may be handed over again; None while nothing may."""
        return None if self.row.paused_because else self._claimer.repeats()

    def doubts(self, due_by: datetime) -> OpenDoubts | None:
        """Which doubts this lane will settle by then; None where it cannot."""
        sheet, repeats = self.gateway.capabilities, self.repeats()
        can_query = sheet.can_query
        if not can_query and repeats is None:
            return None
        due_by += timedelta(seconds=sheet.query_after_seconds)
        return OpenDoubts(gateway=self.name, due_by=due_by, can_query=can_query, repeats=repeats)

    def waits_because(self) -> str:
        """Why nothing leaves, for people; empty while messages may leave."""
        return self._departures.waits_because()

    def know(self, row: LaneRow, now: float) -> None:
        """Take note of what all machines know about the gateway.

        Args:
            row: the shared row.
            now: the database's clock.
        """
        self.row = row
        self._departures.grounded = self._why_grounded(now)

    def stop_runs(self, stopped: frozenset[int]) -> None:
        """Messages of these runs do not leave any more, also those that are claimed."""
        self._departures.stopped_runs = stopped

    def _why_grounded(self, now: float) -> str:
        if self.row.paused_because:
            return f"refuses our account ({self.row.paused_because})"
        if breaker.permit(self.row, now) is not Permit.ALL:
            return "gives no usable answer; it is tried again from time to time"
        return "asked for a rest" if self.row.rests(now) else ""

    # -- a round -------------------------------------------------------------------------------

    def round(self, work: Work, *, claim: bool = True) -> bool:
        """Settle what has come back, claim what goes out next, and give it to the crew.

        Args:
            work: what there is to do.
            claim: False to settle only.

        Returns:
            False when there was nothing to do.

        Raises:
            StoreAwayError: nothing is lost; the next round does it.
        """
        self._take_note(work)
        self._collect()
        room = self._room() if claim and self._may_claim() else 0
        if not room and not self._is_time_to_settle():
            return False
        try:
            with self._store.write() as connection:
                if self._unsure:
                    given_back = attempts.give_back(
                        connection, self._worker, self.name, except_ids=self._in_hand
                    )
                    outbox.take_back(connection, given_back, now=self._clock.now())
                self._settle(connection)
                claimed, is_probe = self._claim(connection, room) if room else ([], False)
                self._at("before-commit")
        except BaseException:
            # The commit may have happened all the same: what is ours and not in hand is let go.
            self._unsure = True
            raise
        self._at("committed")
        self._unsure = False
        settled = self._landed()
        self._launch(claimed, is_probe=is_probe)
        return bool(claimed) or settled

    def _take_note(self, work: Work) -> None:
        if work is not self._work:
            self._work = work
            in_hand = self.runs_in_hand
            self._runs = {each: self._runs[each] for each in in_hand & self._runs.keys()}
            self._runs |= {run.id: (run, work.routes[run.gateway]) for run in work.runs}

    def _collect(self) -> None:
        """Judge what has come back."""
        with self._lock:
            parcels = list(self._come_back)
            self._come_back.clear()
        if not parcels:
            return
        now = self._clock.monotonic()
        self._back_since = self._back_since or now
        self._judge.judge(parcels, self._clock.now(), self._verdict)
        self._flow.came_back(min(parcel.claimed_at for parcel in parcels))

    def _is_time_to_settle(self) -> bool:
        if self._back_since is None:
            return self._unsure
        waiting = len(self._verdict.settlements)
        long_ago = self._clock.monotonic() - self._back_since >= _ROUND_SECONDS
        return long_ago or waiting >= min(self._batch, len(self._in_hand))

    def _room(self) -> int:
        under_way = len(self._in_hand) - len(self._verdict.settlements)
        return self._flow.room(under_way, goes_on=bool(self._in_hand))

    def _settle(self, connection: Connection) -> None:
        verdict, now = self._verdict, self._clock.now()
        if not verdict.settlements:
            return
        attempts.settle(connection, self._worker, self.name, verdict.settlements, now=now)
        self._learn(connection, verdict)
        for run_id, because in verdict.stop_runs.items():
            runs.stop(connection, run_id, because=because, at=now, actor=self._worker)
        if verdict.stop_runs:
            self.stop_runs(self._departures.stopped_runs | verdict.stop_runs.keys())
        waits = MessageState.QUEUED
        left = [each.message_id for each in verdict.settlements if each.state is waits]
        if left:
            outbox.take_back(connection, left, now=now)

    def _learn(self, connection: Connection, verdict: Verdict) -> None:
        """Write down what the outcomes say about the gateway; when all is well, nothing."""
        trusted = self.row.breaker is BreakerState.CLOSED and not self.row.failures
        well = trusted and all(verdict.answered)
        if well and not verdict.pause_because and verdict.rest_seconds is None:
            return
        now = lanes.present(connection, self._clock.now().timestamp())
        row = lanes.get(connection, self.name)
        after = breaker.observe(row, verdict.answered, now)
        if after != row:
            self._write_breaker(connection, after)
        if verdict.pause_because:
            lanes.pause(connection, self.name, verdict.pause_because)
        if verdict.rest_seconds is not None:
            speed = slowed(row.speed, row.slowed_at, now)
            if speed is not None:
                rest = verdict.rest_seconds
                lanes.slow(connection, self.name, speed=speed, now=now, rest_seconds=rest)
        self.know(lanes.get(connection, self.name), now)

    def _write_breaker(self, connection: Connection, row: LaneRow) -> None:
        lanes.set_breaker(
            connection,
            self.name,
            state=row.breaker,
            failures=row.failures,
            trips=row.trips,
            open_until=row.open_until,
        )

    # -- claiming ------------------------------------------------------------------------------

    def _may_claim(self) -> bool:
        """Say whether a claim is worth a transaction."""
        if self._departures.closed or self.row.paused_because:
            return False
        if self._departures.is_outside_hours():
            return False
        if self._departures.grounded and self.row.breaker is BreakerState.CLOSED:
            return False
        return self._claimer.may_find(self._work.without(self._departures.stopped_runs))

    def _claim(self, connection: Connection, room: int) -> tuple[list[Claimed], bool]:
        """Claim messages of the runs whose turn it is; also says whether they are a probe."""
        work = self._work.without(self._departures.stopped_runs)
        if self.row.breaker is BreakerState.CLOSED:
            return self._claimer.take(connection, work, room, work.trust), False
        now = lanes.present(connection, self._clock.now().timestamp())
        row = lanes.get(connection, self.name)
        if self._in_hand or breaker.permit(row, now) is not Permit.PROBE:
            return [], False
        until = now + breaker.PROBE_SECONDS
        if not lanes.begin_probe(connection, self.name, now=now, until=until):
            return [], False
        claimed = self._claimer.take(connection, work, 1, {**work.trust, self.name: 1.0})
        if not claimed:
            self._write_breaker(connection, row)  # nothing to try it with
        return claimed, True

    def _next_route(self, message: Claimed) -> str | None:
        """Where a message goes when this gateway may not send under our name."""
        known = self._runs.get(message.run_id)
        return known and known[1].after(self.name, message.network, message.place)

    def _stop_rules(self, run_id: int) -> StopRules:
        known = self._runs.get(run_id)
        return Waves.from_json(known[0].waves if known else "").stop

    # -- under way -----------------------------------------------------------------------------

    def _landed(self) -> bool:
        """What was settled is in hand no more."""
        settled, self._verdict = self._verdict, Verdict()
        for each in settled.settlements:
            self._in_hand.pop(each.message_id, None)
        self._back_since = None
        if settled.settlements:
            self._flow.settled(self._clock.monotonic())
            self._count(self.name, settled.settlements)
        self._progress(settled.settled)
        return bool(settled.settlements)

    def _launch(self, claimed: Sequence[Claimed], *, is_probe: bool) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._in_hand |= {message.id: message.run_id for message in claimed}
        for start in range(0, len(claimed), self._parcel_size):
            parcel = Parcel(
                messages=claimed[start : start + self._parcel_size],
                claimed_at=monotonic,
                started_at=now,
                is_probe=is_probe,
            )
            self._crew.give(lambda parcel=parcel: self._hand_over(parcel))  # type: ignore[misc]

    def _hand_over(self, parcel: Parcel) -> None:
        """On a thread of the crew."""
        self._departures.send(self.gateway, parcel)
        with self._lock:
            self._come_back.append(parcel)
        self._wake()

    def ask(self, task: Callable[[], None]) -> None:
        """Have the crew ask the gateway something between hand-overs."""
        self._crew.give(task)

    def ground(self) -> None:
        """Nothing leaves any more; what is under way is waited for, all else is let go."""
        self._departures.closed = True
        self._unsure = True

    def close(self, seconds: float) -> bool:
        """End the crew; False when a hand-over is still at work after so many seconds."""
        return self._crew.close(seconds)
