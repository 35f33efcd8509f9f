"""The outbox against the world: whatever happens, nobody is told twice and nobody is forgotten.

Workers that die, freeze and lose their commits, telcos that lose answers, people who pause, cancel
and decide, all in any order, each through the functions that the engine itself uses. What really
happened is in the telcos' book, ``Truth``. Two things are assumed, since no ledger can prove them:
a telco and a person say the truth, and a hand-over that was cleared does not reach a telco with an
idempotency window later than ``FROZEN_AT_MOST``.

``SMSENGINE_CHAOS=1`` plays many longer stories from a new seed; ``--hypothesis-seed`` repeats it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from smsengine.clock import ManualClock
from smsengine.errors import LifecycleError, RefusedError
from smsengine.gateways.base import Capabilities, Outcome, Receipt, ReceiptStatus
from smsengine.identity import own_identity
from smsengine.lifecycle import FAILED_STATES, MessageState, RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.planner import Resend
from smsengine.receipts.matching import store_receipts
from smsengine.receipts.resolving import resolve_by_hand, unknown_of
from smsengine.reports.accounts import account
from smsengine.sending import tending
from smsengine.sending.routing import Route, alone, ordered, weighted
from smsengine.sending.tending import RunTender
from smsengine.store import lanes, outbox, runs
from smsengine.store.engine import Store
from smsengine.store.outbox import Doubt
from smsengine.store.runs import Run
from tests.conftest import KEY, START, Office, rows
from tests.postgres import Databases
from tests.properties.outbox_law import AT_REST, TOLD, Law, empty, pass_time, watch
from tests.properties.outbox_model import FROZEN_AT_MOST, Fate, Line, Telco, Truth
from tests.properties.outbox_workers import ShakyStore, Trouble, Worker

ROUTES = {
    "alpha": alone("alpha"),
    "beta": alone("beta"),
    "both": Route(name="both", steps=(ordered(["alpha", "beta"]),)),
    "shared": Route(name="shared", steps=(weighted({"alpha": 2, "beta": 98}),)),
}
SHEETS: dict[str, dict[str, Any]] = {
    "asked": {"can_query": True},
    "asked-later": {"can_query": True, "query_after_seconds": 60},
    "repeats": {"idempotency_seconds": 3600},
    "both": {"can_query": True, "query_after_seconds": 30, "idempotency_seconds": 3600},
    "mute": {},
}
#: No message is under way for longer than a gateway waits before it is asked.
FLIGHT = timedelta(seconds=20)
#: Longer than a flight, than the pause between two questions, than a lease, than a telco's memory.
LEAPS = {"flight": 25, "question": 150, "lease": 400, "window": 4000}
SOME = st.integers(0, 7)
GATEWAYS = st.sampled_from(["alpha", "beta"])
FATES = st.lists(st.sampled_from(list(Fate)), max_size=3)
DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED
Act = Callable[..., None]


def act(**arguments: Any) -> Callable[[Act], Act]:
    """A rule; a story that breaks off within one is not brought to its end."""

    def as_rule(do: Act) -> Act:
        @wraps(do)
        def acted(self: World, **drawn: Any) -> None:
            self.is_sound = False
            for telco in self.telcos.values():
                telco.arrive(FLIGHT)
            self.law.is_fresh = True
            do(self, **drawn)

        return cast(Act, rule(**arguments)(acted))

    return as_rule


class World(RuleBasedStateMachine):
    """One ledger, two telcos, some workers, and people."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        empty(store)
        self.store = store
        self.clock = ManualClock(START)
        self.folder = Path(tempfile.mkdtemp(prefix="smsengine-flights-"))
        self.office = Office(store=store, clock=self.clock)
        self.truth = Truth()
        self.workers: list[Worker] = []
        self.answers: list[tuple[Sequence[Doubt], Sequence[Outcome | None]]] = []
        self.reported: dict[str, set[ReceiptStatus]] = {}
        self.ambiguous: set[str] = set()
        self.periods = 0
        self.is_sound = False

    @initialize(
        sheets=st.tuples(st.sampled_from(list(SHEETS)), st.sampled_from(list(SHEETS))),
        most=st.integers(1, 3),
        together=st.booleans(),
        naming=st.sampled_from(["id", "reference", "both"]),
        route=st.sampled_from(list(ROUTES)),
    )
    def begin(
        self, sheets: tuple[str, str], most: int, together: bool, naming: str, route: str
    ) -> None:
        """Two gateways, a worker, and a run that may be sent."""
        self.naming = naming
        self.telcos = {
            name: Telco(
                name=name,
                sheet=Capabilities(max_batch=most, concurrency=3, **SHEETS[sheet]),
                truth=self.truth,
                clock=self.clock,
                together=together,
            )
            for name, sheet in zip(("alpha", "beta"), sheets, strict=True)
        }
        self.law = Law(store=self.store, truth=self.truth, telcos=self.telcos, routes=ROUTES)
        with self.store.write() as connection:
            for name in self.telcos:
                lanes.ensure(connection, name)
        self._hire("")
        self._plan(3, route, (), None, go=True)

    # -- runs ----------------------------------------------------------------------------------

    @precondition(lambda self: self.periods < 4)
    @act(
        count=st.integers(1, 5),
        route=st.sampled_from(list(ROUTES)),
        waves=st.sampled_from([(), (1,), (2, 3)]),
        valid=st.sampled_from([None, 100, 3000]),
        go=st.booleans(),
    )
    def plan(self, **drawn: Any) -> None:
        """A run is planned, and perhaps released."""
        self._plan(**drawn)

    def _plan(
        self, count: int, route: str, waves: Sequence[int], valid: int | None, go: bool
    ) -> None:
        self.periods += 1
        run = self.office.planned(
            rows(count),
            recipe_period=Period.parse(f"2019-{self.periods:02d}"),
            gateway=route,
            waves=waves,
            valid_seconds=valid,
        )
        if go:
            self._decide(run, "release")

    @precondition(lambda self: self.law.count(MessageState.UNKNOWN, *FAILED_STATES))
    @act(which=SOME, how=st.sampled_from([Resend.UNKNOWN, Resend.FAILED]), go=st.booleans())
    def tell_again(self, which: int, how: Resend, go: bool) -> None:
        """Somebody wants a new edition of what is unknown, or has failed."""
        earlier = self._run(which)
        with suppress(RefusedError):
            run = self.office.plan(
                rows(5),
                recipe_period=Period.parse(earlier.period),
                gateway=earlier.gateway,
                resend=how,
                reason="nobody can say whether it arrived",
            ).run
            if run is not None and go:
                self._decide(run, "release")

    @act(which=SOME, what=st.sampled_from(["release", "pause", "resume", "cancel"]))
    def decide(self, which: int, what: str) -> None:
        """A person decides about a run."""
        self._decide(self._run(which), what)

    def _decide(self, run: Run, what: str) -> None:
        who: dict[str, Any] = {"clock": self.clock, "actor": "somebody"}
        with suppress(RefusedError, LifecycleError):
            match what:
                case "release":
                    release.release(self.store, run, key=KEY, **who)
                case "pause":
                    release.pause(self.store, run, reason="a look", **who)
                case "resume":
                    release.resume(self.store, run, **who)
                case "cancel":
                    release.cancel(self.store, run, reason="wrong", **who)

    def _runs(self) -> list[Run]:
        with self.store.read() as connection:
            return list(runs.newest(connection))

    def _run(self, which: int) -> Run:
        known = self._runs()
        return known[which % len(known)]

    @act(meanwhile=st.sampled_from(["", "pause", "cancel", "by-hand", "round"]), which=SOME)
    def tend(self, meanwhile: str, which: int) -> None:
        """Waves, validity and ends are looked after, and others come in between."""
        self._tend(self._amid(meanwhile, which))

    def _tend(self, store: Store) -> None:
        tender = RunTender(store=store, clock=self.clock, actor="tender")
        with self.store.read() as connection:
            under_way = runs.under_way(connection)
        for run in under_way:
            tender.tend(run)

    def _amid(self, meanwhile: str, which: int) -> ShakyStore:
        """The ledger for somebody who has looked already, when another one writes first."""

        def other() -> None:
            match meanwhile:
                case "pause" | "cancel":
                    self._decide(self._run(which), meanwhile)
                case "by-hand":
                    self._say_what_happened()
                case "round" if worker := self._one(which):
                    worker.round("alpha")
                case "die" if worker := self._one(which):
                    worker.die()

        store = ShakyStore(self.store)
        store.meanwhile = other
        return store

    # -- workers -------------------------------------------------------------------------------

    @precondition(lambda self: sum(not worker.is_dead for worker in self.workers) < 3)
    @act(elsewhere=st.booleans())
    def hire(self, elsewhere: bool) -> None:
        """Another process begins, here or on another machine."""
        self._hire(f"elsewhere:{len(self.workers) + 1}:1:1" if elsewhere else "")

    def _hire(self, elsewhere: str) -> None:
        worker = Worker(
            store=self.store,
            telcos=self.telcos,
            routes=ROUTES,
            clock=self.clock,
            folder=self.folder / ("there" if elsewhere else "here"),
            elsewhere=elsewhere,
            on_clear=self.law.may_leave,
        )
        self.workers.append(worker)

    def _one(self, which: int, *, frozen: bool = False) -> Worker | None:
        """One of the workers that are at work, or that have stopped within a hand-over."""
        found = [each for each in self.workers if not each.is_dead and frozen == bool(each.frozen)]
        return found[which % len(found)] if found else None

    @act(which=SOME, gateway=GATEWAYS, fates=FATES)
    def work(self, which: int, gateway: str, fates: list[Fate]) -> None:
        """A worker looks, claims, hands over, and settles."""
        if worker := self._one(which):
            self._tend(self.store)
            worker.look()
            worker.round(gateway)
            worker.hand_over(gateway, fates)
            if not worker.frozen and not worker.is_dead:
                worker.round(gateway)

    @act(
        which=SOME,
        gateway=GATEWAYS,
        looks=st.booleans(),
        trouble=st.sampled_from(list(Trouble)),
    )
    def round(self, which: int, gateway: str, looks: bool, trouble: Trouble) -> None:
        """A worker settles and claims, perhaps by what it saw long ago, perhaps in vain."""
        if worker := self._one(which):
            self.law.is_fresh = looks
            if looks:
                worker.look()
            worker.round(gateway, trouble)

    @act(which=SOME, gateway=GATEWAYS, fates=FATES)
    def hand_over(self, which: int, gateway: str, fates: list[Fate]) -> None:
        """A parcel goes out."""
        if worker := self._one(which):
            worker.hand_over(gateway, fates)

    @precondition(lambda self: self._one(0, frozen=True))
    @act(which=SOME, fates=FATES)
    def thaw(self, which: int, fates: list[Fate]) -> None:
        """A frozen worker goes on where it stopped."""
        if worker := self._one(which, frozen=True):
            worker.hand_over(next(iter(worker.frozen)), fates)

    @precondition(lambda self: any(not worker.is_dead for worker in self.workers))
    @act(which=SOME, frozen=st.booleans())
    def die(self, which: int, frozen: bool) -> None:
        """A worker ends, whatever it has in its hands."""
        if worker := self._one(which, frozen=frozen):
            worker.die()

    @precondition(lambda self: self.law.count(MessageState.SENDING))
    @act(meanwhile=st.sampled_from(["", "round", "die"]), which=SOME)
    def recover(self, meanwhile: str, which: int) -> None:
        """Somebody here looks for what lost workers held."""
        self._recover(self._amid(meanwhile, which))

    def _recover(self, store: Store) -> None:
        tending.recover(
            store,
            flights=self.folder / "here",
            worker=own_identity(),
            now=self.clock.now(),
            ask_after={
                name: timedelta(seconds=telco.sheet.query_after_seconds)
                for name, telco in self.telcos.items()
            },
        )

    # -- doubts --------------------------------------------------------------------------------

    @precondition(lambda self: self.law.count(MessageState.UNKNOWN))
    @act(gateway=GATEWAYS, deaf=st.booleans(), later=st.booleans())
    def ask(self, gateway: str, deaf: bool, later: bool) -> None:
        """A gateway is asked about doubts; the answer may be written down much later."""
        self._ask(gateway, deaf=deaf)
        if not later:
            self._write_down()

    def _ask(self, gateway: str, *, deaf: bool = False) -> None:
        telco = self.telcos[gateway]
        if not telco.sheet.can_query:
            return
        repeats = self.workers[0].lanes[gateway].repeats()
        with self.store.read() as connection:
            doubts = outbox.doubts_due(
                connection, gateway, now=self.clock.now(), repeats=repeats, limit=100
            )
        line = Line(telco, print)
        line.is_deaf = deaf
        if doubts:
            self.answers.append((doubts, tending.answers_of(line, doubts)))

    @precondition(lambda self: self.answers)
    @act()
    def write_down(self) -> None:
        """The oldest answer is written down."""
        self._write_down()

    def _write_down(self) -> None:
        if self.answers:
            tending.resolve(self.store, *self.answers.pop(0), self.clock.now())

    @precondition(lambda self: self.law.count(MessageState.UNKNOWN))
    @act()
    def say_what_happened(self) -> None:
        """A person looks into the telcos' books, where they are final, and says what happened."""
        self._say_what_happened()

    def _say_what_happened(self) -> None:
        for run in self._runs():
            for message in unknown_of(self.store, run.id):
                name = self.law.name_of(message)
                if not self._may_arrive(name):
                    resolve_by_hand(
                        self.store,
                        [message],
                        sent=name in self.truth.taken,
                        reason="the telco's book",
                        actor="somebody",
                        clock=self.clock,
                    )

    def _may_arrive(self, name: str) -> bool:
        return any(name in telco.flying for telco in self.telcos.values()) or any(
            worker.holds(name) for worker in self.workers
        )

    @precondition(lambda self: self.truth.taken)
    @act(
        which=SOME,
        statuses=st.lists(st.sampled_from(list(ReceiptStatus)), min_size=1, max_size=3),
        at_once=st.booleans(),
    )
    def report(self, which: int, statuses: list[ReceiptStatus], at_once: bool) -> None:
        """A telco says, and perhaps contradicts itself, what became of a message that it took."""
        names = list(self.truth.taken)
        name = names[which % len(names)]
        taken = self.truth.taken[name]
        received = [
            Receipt(
                gateway_id="" if self.naming == "reference" else taken.name,
                reference="" if self.naming == "id" else name,
                status=status,
            )
            for status in statuses
        ]
        if self.naming == "reference" and self.law.rows[name]["state"] == MessageState.SENDING:
            # Its answer may give it another name, by which this will not be found.
            self.ambiguous.add(name)
        for batch in [received] if at_once else [[each] for each in received]:
            store_receipts(self.store, taken.gateway, batch, self.clock.now())
        self.reported.setdefault(name, set()).update(statuses)

    # -- time ----------------------------------------------------------------------------------

    @act(how=st.sampled_from(list(LEAPS)))
    def leap(self, how: str) -> None:
        """Time passes; what was under way arrives first."""
        self._leap(LEAPS[how])

    def _leap(self, seconds: int) -> None:
        for worker in self.workers:
            for gateway, since in list(worker.frozen.items()):
                ends = self.clock.now() + timedelta(seconds=seconds)
                if self.telcos[gateway].window and ends > since + FROZEN_AT_MOST:
                    worker.hand_over(gateway, [])
        for telco in self.telcos.values():
            telco.arrive()
        self.clock.sleep(seconds)
        with self.store.write() as connection:
            pass_time(connection, seconds)

    @precondition(lambda self: self.law.is_distrusted)
    @act(gateway=GATEWAYS)
    def trust_again(self, gateway: str) -> None:
        """A person has looked at a gateway."""
        with self.store.write() as connection:
            lanes.resume(connection, gateway)

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def is_lawful(self) -> None:
        """Nothing unlawful has happened since the last step."""
        if not hasattr(self, "law"):
            return
        names = [*self.law.rows]
        held = frozenset(
            name for name in names if any(worker.holds(name) for worker in self.workers)
        )
        self.law.check(self.clock.now(), held)
        self.is_sound = True

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self._come_to_rest()
        finally:
            for worker in self.workers:
                worker.leave()
            shutil.rmtree(self.folder)

    def _come_to_rest(self) -> None:
        """Everyone goes on until nothing is left to do: all are told or accounted for."""
        while worker := self._one(0, frozen=True):
            worker.hand_over(next(iter(worker.frozen)), [])
        self._hire("")
        for turn in range(30):
            self._let_all_go()
            self._recover(self.store)
            for gateway in self.telcos:
                self._ask(gateway)
            while self.answers:
                self._write_down()
            if turn >= 3:
                self._say_what_happened()
            self.is_lawful()
            if self._is_at_rest():
                break
            self._leap(1500)
        assert self._is_at_rest(), self._left_over()
        self._check_end()

    def _let_all_go(self) -> None:
        for run in self._runs():
            self._decide(run, "release")
            self._decide(run, "resume")
        self._tend(self.store)
        for gateway in self.telcos:
            with self.store.write() as connection:
                lanes.resume(connection, gateway)
            for worker in [each for each in self.workers if not each.is_dead]:
                worker.look()
                worker.round(gateway)
                while worker.hands[gateway].tasks:
                    while worker.hands[gateway].tasks:
                        worker.hand_over(gateway, [])
                    worker.round(gateway)
        self._tend(self.store)

    def _is_at_rest(self) -> bool:
        over = {RunState.FINISHED, RunState.CANCELLED}
        return {run.state for run in self._runs()} <= over and {
            MessageState(row["state"]) for row in self.law.rows.values()
        } <= AT_REST

    def _left_over(self) -> str:
        rows = [row for row in self.law.rows.values() if row["state"] not in AT_REST]
        told = ("id", "run_id", "place", "state", "gateway", "due_at", "worker", "run_state")
        return "\n".join(str({name: row[name] for name in told}) for row in rows) + "\n".join(
            f"{run.label}: {run.state} upto {run.released_upto}" for run in self._runs()
        )

    def _check_end(self) -> None:
        """The telcos' book is the ledger's, and what telcos said of a message is known."""
        for gateway in self.telcos:
            store_receipts(self.store, gateway, [], self.clock.now())
        self.is_lawful()
        told = {name for name, row in self.law.rows.items() if row["state"] in TOLD}
        assert set(self.truth.taken) == told
        for run in self._runs():
            found = account(self.store, run.id)
            assert found is not None
            assert [] == found.breaks
        for name, statuses in self.reported.items():
            row = self.law.rows[name]
            can_tell = self.naming != "id" or row["gateway_id"] == self.truth.taken[name].name
            if can_tell and name not in self.ambiguous:
                assert _last_word(statuses) == row["state"], f"{name}: {statuses} {dict(row)}"


def _last_word(statuses: set[ReceiptStatus]) -> MessageState:
    if DELIVERED in statuses:
        return MessageState.DELIVERED
    return MessageState.UNDELIVERED if UNDELIVERED in statuses else MessageState.ACCEPTED


CHAOS = bool(os.environ.get("SMSENGINE_CHAOS"))
STORIES = settings(
    derandomize=not CHAOS,
    max_examples=1000 if CHAOS else 60,
    stateful_step_count=80 if CHAOS else 40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def sqlite_ledger(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A watched ledger in a file."""
    path = tmp_path_factory.mktemp("machine") / "ledger.db"
    shutil.copy(migrated, path)
    yield from _watched(f"sqlite:///{path}")


@pytest.fixture(scope="module")
def postgres_ledger(postgres: Databases) -> Iterator[Store]:
    """A watched ledger on PostgreSQL."""
    yield from _watched(postgres.create_database())


def _watched(url: str) -> Iterator[Store]:
    store = Store(url)
    watch(store)
    yield store
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nobody_is_told_twice_or_forgotten(request: pytest.FixtureRequest, kind: str) -> None:
    """Whatever happens in whatever order, the ledger and the telcos' books agree in the end."""
    store: Store = request.getfixturevalue(f"{kind}_ledger")
    run_state_machine_as_test(lambda: World(store), settings=STORIES)
