"""Sending what is released: rounds over all lanes, until a run has ended or somebody says stop.

One thread does the rounds; the crews of the lanes do the hand-overs. Every decision that others
must know is in the ledger, so that a process may end at any instruction and another one goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from smsengine.clock import Clock
from smsengine.errors import ConfigError, GatewayError, StoreAwayError
from smsengine.lifecycle import RunState
from smsengine.sending import tending
from smsengine.sending.asking import Questions, Receive
from smsengine.sending.breaker import trust
from smsengine.sending.claiming import Work
from smsengine.sending.journal import FlightJournal
from smsengine.sending.lane import Lane
from smsengine.sending.routing import Route
from smsengine.sending.saying import Saying
from smsengine.sending.tending import RunTender
from smsengine.store import lanes as stored
from smsengine.store import outbox, runs
from smsengine.store.engine import Store
from smsengine.store.runs import Run

#: How often the ledger is asked what others have decided; a pause takes effect within twice this.
_LOOK_SECONDS = 0.5
#: How often lost workers and doubts are looked after.
_RECOVER_SECONDS = 5.0
_ROUND_SECONDS = 0.05
_GATHER_SECONDS = 0.02
#: How long what is under way is waited for when the process is asked to stop.
_LANDING_SECONDS = 45.0
#: A run has ended for whoever waits for it when no question about it is due so soon.
_LAST_QUESTION = timedelta(seconds=10)

ResultT = TypeVar("ResultT")


class Dispatcher:
    """Sends runs through lanes."""

    def __init__(
        self,
        *,
        store: Store,
        lanes: Sequence[Lane],
        routes: Callable[[str], Route],
        clock: Clock,
        worker: str,
        journal: FlightJournal,
        flights: Path,
        wake: threading.Event,
        receive: Receive = lambda _gateway, _receipts: None,
        tell: Callable[[str], None] = lambda _sentence: None,
        ended: Callable[[Run], None] = lambda _run: None,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._store = store
        self._lanes = {lane.name: lane for lane in lanes}
        self._route_of = routes
        self._clock = clock
        self._worker = worker
        self._journal = journal
        self._flights = flights
        self._wake = wake
        self._tell, self._at = tell, at
        self._saying = Saying(tell)
        self._tender = RunTender(store=store, clock=clock, actor=worker, ended=ended, at=at)
        self._work = Work()
        self._only: frozenset[int] | None = None
        self._is_over: Callable[[], bool] = lambda: False
        self._may_claim: Callable[[], bool] = lambda: True
        self._next_look = self._next_recovery = 0.0
        self._waited = self._settled = False
        self._questions = Questions(
            store=store, clock=clock, receive=receive, tell=tell, wake=wake, at=at
        )

    # -- the way in ----------------------------------------------------------------------------

    def drain(self, run: Run) -> None:
        """Send what is released of one run, until it has ended, is paused or is cancelled.

        Raises:
            GatewayError: every gateway of its route refuses our account; all places are kept.
        """
        self._only = frozenset({run.id})
        self._patiently(self._begin)
        try:
            self._round()
            while not self._has_ended(run.id):
                self._round()
            self._raise_if_refused(run.id)
        finally:
            self.land()

    def serve(
        self, is_over: Callable[[], bool], *, may_claim: Callable[[], bool] = lambda: True
    ) -> bool:
        """Send whatever is released, of all runs, until it is over.

        While the ledger is away it is tried again. False when it was over before all that was under
        way had landed and was settled: it is found out from the flight journal when this process
        has ended, and no other lane may be opened in it before.
        """
        self._only = None
        self._is_over, self._may_claim = is_over, may_claim
        try:
            self._patiently(self._begin)
            while not is_over():
                self._round()
        except StoreAwayError:
            if not is_over():
                raise
        finally:
            landed = self.land()
        return landed

    def _begin(self) -> None:
        with self._store.write() as connection:
            for name in self._lanes:
                stored.ensure(connection, name)
        for lane in self._lanes.values():
            self._questions.listen(lane)

    def _has_ended(self, run_id: int) -> bool:
        """Say whether nothing of a run is left that this process could do now."""
        if any(lane.busy for lane in self._lanes.values()) or self._questions.busy:
            return False

        def look() -> bool:
            with self._store.read() as connection:
                run = runs.get(connection, run_id)
                if run is None:
                    return True
                if run.state in (RunState.RELEASED, RunState.SENDING):
                    return bool(self._refused(connection, run))
                finished = run.state is RunState.FINISHED
                return (
                    not finished
                    or not self._open_doubts(connection, run_id) - self._questions.asked
                )

        return self._patiently(look)

    def _open_doubts(self, connection: Connection, run_id: int) -> set[int]:
        soon = self._clock.now() + _LAST_QUESTION
        found = (lane.doubts(soon) for lane in self._lanes.values())
        return set[int]().union(
            *(outbox.open_doubts(connection, run_id, each) for each in found if each is not None)
        )

    def _refused(self, connection: Connection, run: Run) -> list[str]:
        """The gateways that refuse our account, when a run waits for none but such ones."""
        names = self._route_of(run.gateway).gateways
        refused = [name for name in names if self._lanes[name].row.paused_because]
        upto = run.released_upto
        if not refused or not outbox.waits(connection, run.id, upto=upto):
            return []
        goes_on = len(refused) < len(names) and outbox.waits_elsewhere(
            connection, run.id, upto=upto, gateways=refused
        )
        return [] if goes_on else refused

    def _raise_if_refused(self, run_id: int) -> None:
        def look() -> list[str]:
            with self._store.read() as connection:
                run = runs.get(connection, run_id)
                open_ = run is not None and run.state in (RunState.RELEASED, RunState.SENDING)
                return self._refused(connection, run) if run is not None and open_ else []

        names = self._patiently(look)
        if names:
            said = "; ".join(f"{name}: {self._lanes[name].row.paused_because}" for name in names)
            raise GatewayError(
                f"Our account is refused ({said}). Every message keeps its place; when it is"
                f" mended, run 'smsengine gateways resume {names[0]}' and start again."
            )

    # -- rounds --------------------------------------------------------------------------------

    def _round(self) -> None:
        """One round over everything that is to be done."""
        now = self._clock.monotonic()
        if now >= self._next_recovery:
            self._next_recovery = now + _RECOVER_SECONDS
            self._patiently(self._recover)
        looked = now >= self._next_look
        if looked:
            self._next_look = now + _LOOK_SECONDS
            self._patiently(self._look)
        self._wake.clear()
        claim = self._may_claim()
        moved = [
            self._patiently(partial(lane.round, self._work, claim=claim))
            for lane in self._lanes.values()
        ]
        for lane in self._lanes.values():
            self._questions.fetch_told(lane)
        self._patiently(self._questions.take_in)
        if not self._is_busy():
            self._journal.all_landed()
            if any(moved):
                self._next_look = 0.0
        self._settled = self._settled or any(moved)
        if any(moved) or looked:
            self._waited = False
            return
        if self._waited:
            # Woken by single answers: a few milliseconds later there are more to settle at once.
            self._clock.sleep(_GATHER_SECONDS)
        self._waited = self._is_busy()
        self._clock.wait(self._wake, _ROUND_SECONDS if self._waited else _LOOK_SECONDS)

    def _is_busy(self) -> bool:
        return any(lane.busy for lane in self._lanes.values())

    def _recover(self) -> None:
        moved = tending.recover(
            self._store,
            flights=self._flights,
            worker=self._worker,
            now=self._clock.now(),
            ask_after={name: lane.ask_after for name, lane in self._lanes.items()},
            at=self._at,
        )
        self._saying.recovered(moved)
        self._questions.look_again([*self._lanes])

    def _look(self) -> None:
        """See what others have decided, and lead the runs on."""
        with self._store.read() as connection:
            under_way = [run for run in runs.under_way(connection) if self._is_mine(run)]
        for run in under_way:
            self._tender.tend(run)
        in_hand = set[int]().union(*(lane.runs_in_hand for lane in self._lanes.values()))
        with self._store.read() as connection:
            under_way = [run for run in runs.under_way(connection) if self._is_mine(run)]
            states = runs.states(connection, in_hand)
            rows = {name: stored.get(connection, name) for name in self._lanes}
            now = stored.present(connection, self._clock.now().timestamp())
        stopped = {RunState.PAUSED, RunState.CANCELLED}
        halted = frozenset(run_id for run_id, state in states.items() if state in stopped)
        for name, lane in self._lanes.items():
            lane.know(rows[name], now)
            lane.stop_runs(halted)
            self._questions.ask(lane)
        if self._settled:
            self._settled = False
            self._questions.look_again([*self._lanes])
        sending = [run for run in under_way if run.state is RunState.SENDING]
        routes = {run.gateway: self._known_route(run) for run in sending}
        self._work = Work(
            runs=[run for run in sending if routes[run.gateway] is not None],
            routes={name: route for name, route in routes.items() if route is not None},
            trust={name: trust(row, now) for name, row in rows.items()},
        )
        self._saying.why(self._lanes.values())

    def _known_route(self, run: Run) -> Route | None:
        """The route of a run; None when the configuration does not have it any more."""
        try:
            return self._route_of(run.gateway)
        except ConfigError as error:
            self._saying.no_route(run, str(error))
            return None

    def _is_mine(self, run: Run) -> bool:
        return self._only is None or run.id in self._only

    # -- the way out ---------------------------------------------------------------------------

    def land(self) -> bool:
        """Let nothing leave any more, and settle what is under way; False when some of it hangs."""
        for lane in self._lanes.values():
            lane.ground()
        self._at("landing")
        until = self._clock.monotonic() + _LANDING_SECONDS
        landed = False
        while not landed and self._clock.monotonic() < until:
            self._wake.clear()
            landed = self._settle_all() and not self._is_busy()
            if not landed:
                self._clock.wait(self._wake, _ROUND_SECONDS)
        for lane in self._lanes.values():
            lane.close(1.0)
        with suppress(StoreAwayError):
            self._patiently(self._questions.take_in)
        return landed

    def _settle_all(self) -> bool:
        """Settle what has come back; False while the ledger is away."""
        try:
            for lane in self._lanes.values():
                self._patiently(partial(lane.round, self._work, claim=False))
        except StoreAwayError:
            return False
        return True

    # -- the ledger may be away ----------------------------------------------------------------

    def _patiently(self, do: Callable[[], ResultT]) -> ResultT:
        """Do something with the ledger, again and again while it is away; nothing is lost.

        Raises:
            StoreAwayError: it is away, and whoever serves shall end.
        """
        for attempt in Retrying(
            stop=lambda _state: self._is_over(),
            reraise=True,
            retry=retry_if_exception_type(StoreAwayError),
            wait=wait_exponential(multiplier=0.1, max=5),
            sleep=self._clock.sleep,
            before_sleep=self._tell_away,
        ):
            with attempt:
                return do()
        raise AssertionError

    def _tell_away(self, state: RetryCallState) -> None:
        if state.attempt_number == 3 and state.outcome is not None:
            self._saying.away(str(state.outcome.exception()))
