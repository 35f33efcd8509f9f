"""Dispatchers as the service wires them, on a ledger, with gateways in memory."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from smsengine.clock import ManualClock, SystemClock
from smsengine.gateways.base import Gateway, Receipt
from smsengine.hours import SendingHours
from smsengine.identity import own_identity
from smsengine.lifecycle import RunKind, RunState
from smsengine.receipts.matching import store_receipts
from smsengine.sending.crew import Inline, Threads
from smsengine.sending.departure import Departures
from smsengine.sending.dispatcher import Dispatcher
from smsengine.sending.journal import FlightJournal
from smsengine.sending.lane import Lane
from smsengine.sending.pace import Pace, Rate
from smsengine.sending.routing import Route, alone
from smsengine.store import claims, lanes
from smsengine.store.claims import Claimed
from smsengine.store.engine import Store
from smsengine.store.lanes import LaneRow
from smsengine.store.runs import Run
from smsengine.store.tables import lanes as stored
from smsengine.store.tables import messages, runs
from tests.conftest import START, Office, execute
from tests.doubles.telco import Telco

#: A worker on another machine: whether it runs cannot be told from here.
ELSEWHERE = "elsewhere:9:9:9"
#: What a dispatcher without work waits between two looks; so many of them find nothing before the
#: clock skips ahead, and it never skips more than this.
BETWEEN_LOOKS, LOOKS_IN_VAIN, LONGEST_REST = 0.5, 3, 4.0
_AGE = (
    "UPDATE lanes SET next_at = next_at - ?, slowed_at = slowed_at - ?,"
    " rest_until = rest_until - ?, open_until ="
    " CASE WHEN open_until > 0 THEN open_until - ? ELSE 0 END"
)


def gone() -> str:
    """The name of a worker of this machine that has ended: our number, another start."""
    host, pid, _start, namespace = own_identity().rsplit(":", 3)
    return f"{host}:{pid}:1:{namespace}"


def phone_of(place: int) -> str:
    """The phone of the message at a place in a run of ``rows``."""
    return f"+849{place + 10_000_001:08d}"


class LedgerClock(ManualClock):
    """A manual clock that takes the database's along.

    What a lane's row says is by PostgreSQL's own clock, which nobody moves; so the row is moved the
    other way. ``stride`` is the least that waiting for something takes, to get through a night;
    whoever waits for days waits for ever. Where several looks in a row have found nothing, the next
    ones come at the instants that stand in the ledger, or after ``LONGEST_REST``.
    """

    stride = 0.0
    _in_vain = 0

    def __init__(self, now: datetime, store: Store) -> None:
        super().__init__(now)
        self._store = store
        self._last = now + timedelta(days=4)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        assert self.now() < self._last, "it waits for ever"
        if self._store.engine.dialect.name != "sqlite":
            with self._store.write(durable=False) as connection:
                execute(connection, _AGE, *[seconds] * 4)

    def wait(self, event: threading.Event, seconds: float) -> None:
        self._in_vain = self._in_vain + 1 if seconds >= BETWEEN_LOOKS else 0
        rest = self._rest() if self._in_vain > LOOKS_IN_VAIN else 0.0
        super().wait(event, max(seconds, self.stride, rest))

    def stir(self) -> None:
        """Something happens: the next looks come soon again."""
        self._in_vain = 0

    def _rest(self) -> float:
        """For how long nothing is due, in seconds."""
        now = self.now()
        with self._store.read() as connection:
            of_messages = select(func.min(messages.c.due_at)).where(messages.c.due_at > now)
            of_runs = select(func.min(runs.c.valid_until)).where(runs.c.valid_until > now)
            known = [connection.execute(each).scalar() for each in (of_messages, of_runs)]
            of_lanes = select(stored.c.rest_until, stored.c.open_until)
            present = lanes.present(connection, now.timestamp())
            left = [at - present for row in connection.execute(of_lanes) for at in row]
        left += [(at - now).total_seconds() for at in known if at is not None]
        return min([LONGEST_REST, *(each for each in left if each > 0)])


@dataclass(kw_only=True)
class Dispatch:
    """Builds dispatchers; what they say and receive is kept."""

    office: Office
    clock: LedgerClock
    flights: Path
    routes: dict[str, Route] = field(default_factory=dict)
    hours: SendingHours | None = None
    rate: Rate | None = None
    batch: int = 100
    #: hand-overs at once, on threads; without them one after the other, on the dispatcher's own
    threads: int = 0
    store: Store | None = None
    journal: Callable[[Path, str], FlightJournal] = FlightJournal
    at: Callable[[str], None] = lambda _point: None
    said: list[str] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)

    def build(self, gateways: dict[str, Any], worker: str = "") -> Dispatcher:
        """A dispatcher with a lane for each of these gateways."""
        worker = worker or own_identity()
        store = self.store or self.office.store
        journal = self.journal(self.flights, worker)
        return Dispatcher(
            store=store,
            lanes=[self._lane(*each, store, worker, journal) for each in gateways.items()],
            routes=self.route,
            clock=self.clock,
            worker=worker,
            journal=journal,
            flights=self.flights,
            wake=threading.Event(),
            receive=self._receive,
            tell=self.said.append,
            at=self._pass,
        )

    def _pass(self, point: str) -> None:
        if isinstance(self.clock, LedgerClock) and "commit" not in point:
            self.clock.stir()
        self.at(point)

    def route(self, name: str) -> Route:
        """A route, or a gateway alone."""
        return self.routes.get(name) or alone(name)

    def _lane(
        self, name: str, gateway: Gateway, store: Store, worker: str, journal: FlightJournal
    ) -> Lane:
        departures = Departures(
            clock=self.clock,
            pace=Pace(store=store, gateway=name, rate=self.rate, clock=self.clock),
            journal=journal,
            hours=self.hours,
            at=self._pass,
        )
        return Lane(
            name=name,
            gateway=gateway,
            store=store,
            clock=self.clock,
            worker=worker,
            batch=self.batch,
            departures=departures,
            crew=Threads(self.threads, name) if self.threads else Inline(),
            chance=random.Random(1),
            progress=self.progress.append,
            at=self._pass,
        )

    def _receive(self, name: str, received: Sequence[Receipt]) -> None:
        store_receipts(self.office.store, name, received, self.clock.now())

    def on_real_time(self, threads: int) -> SystemClock:
        """Go on by the machine's clock, with threads; messages of 2019 are all due."""
        self.threads, real = threads, SystemClock()
        self.clock = real  # type: ignore[assignment]
        return real

    def drain(self, run: Run, **gateways: Gateway) -> None:
        """Send one run to its end."""
        self.build(gateways).drain(self.office.run(run.id))

    def serve(self, is_over: Callable[[], bool], **gateways: Gateway) -> None:
        """Send all runs until something has happened."""
        self.build(gateways).serve(is_over)

    def serve_for(self, seconds: float, **gateways: Gateway) -> None:
        """Send all runs for so long."""
        until = self.clock.now() + timedelta(seconds=seconds)
        self.serve(lambda: self.clock.now() >= until, **gateways)

    def lane(self, name: str = "trial") -> LaneRow:
        """What the ledger knows of a gateway."""
        with self.office.store.read() as connection:
            return lanes.get(connection, name)

    def left_behind(self, run: Run, worker: str, *, departed: Iterable[int] = ()) -> list[Claimed]:
        """What a worker claimed before it was heard of no more.

        ``departed`` are the places of the messages that its journal says it was handing over.
        """
        self.office.change("UPDATE runs SET state = 'sending'")
        with self.office.store.write() as connection:
            claimed = claims.claim(
                connection,
                run_id=run.id,
                upto=run.released_upto,
                gateway="trial",
                worker=worker,
                now=self.clock.now(),
                limit=100,
            )
        places = set(departed)
        journal = FlightJournal(self.flights, worker)
        journal.record((each.id, each.attempt) for each in claimed if each.place in places)
        journal.close()
        return claimed


@pytest.fixture
def clock(store: Store) -> LedgerClock:
    """A clock that stands at eight in the morning of 1 June 2019 in Vietnam."""
    return LedgerClock(START, store)


@pytest.fixture
def dispatch(office: Office, clock: LedgerClock, tmp_path: Path) -> Dispatch:
    """Dispatchers on an empty ledger."""
    return Dispatch(office=office, clock=clock, flights=tmp_path / "flights")


@pytest.fixture
def telco(clock: LedgerClock) -> Telco:
    """A gateway that accepts what it is given, and cannot be asked."""
    return Telco(clock=clock)


_RUN: dict[str, Any] = {
    "id": 1,
    "job": "c12-statement",
    "topic": "c12-statement",
    "owner": "central",
    "period": "2019-06",
    "revision": 1,
    "kind": RunKind.REGULAR,
    "state": RunState.SENDING,
    "reason": "",
    "gateway": "trial",
    "priority": 5,
    "planner": None,
    "planner_until": None,
    "released_upto": 2**31 - 1,
    "waves": "",
    "valid_seconds": None,
    "valid_until": None,
    "source_rows": 0,
    "extra_recipients": 0,
    "messages": 0,
    "skips": 0,
    "already_planned": 0,
    "segments": 0,
    "money": 0,
    "cost": 0,
    "manifest": "",
    "manifest_hash": "h",
    "held_because": "",
    "created_at": START,
    "sealed_at": START,
    "finished_at": None,
    "purged_at": None,
    "version_id": None,
}


def a_run(**changes: Any) -> Run:
    """A run that is being sent, as the ledger gives it."""
    return Run(**(_RUN | changes))


def a_claim(number: int = 1, **changes: Any) -> Claimed:
    """A message that a worker holds."""
    values: dict[str, Any] = {
        "id": number,
        "run_id": 1,
        "place": number,
        "dedup_key": number.to_bytes(20, "big"),
        "revision": 1,
        "address": phone_of(number),
        "network": "Viettel",
        "text": f"Text {number}",
        "segments": 1,
        "attempt": 1,
        "burnt": 0,
        "due_at": START,
        "unknown_since": None,
    }
    return Claimed(**(values | changes))
