"""One ledger, two telcos, some workers, and people: what can happen, each with a name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from smsengine.clock import ManualClock
from smsengine.errors import LifecycleError, RefusedError
from smsengine.gateways.base import Capabilities, Outcome, Receipt, ReceiptStatus
from smsengine.identity import own_identity
from smsengine.lifecycle import MessageState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.order import Resend
from smsengine.receipts.matching import store_receipts
from smsengine.receipts.resolving import resolve_by_hand, unknown_of
from smsengine.sending import tending
from smsengine.sending.routing import Route, alone, ordered, weighted
from smsengine.sending.tending import RunTender
from smsengine.store import lanes, outbox, runs
from smsengine.store.engine import Store
from smsengine.store.outbox import Doubt
from smsengine.store.runs import Run
from tests.conftest import KEY, START, Office, rows
from tests.properties.outbox_law import Law, empty, pass_time
from tests.properties.outbox_model import (
    FLIGHT,
    FROZEN_AT_MOST,
    SHEETS,
    Fate,
    Line,
    Telco,
    Truth,
)
from tests.properties.outbox_workers import ShakyStore, Trouble, Worker

ROUTES = {
    "alpha": alone("alpha"),
    "beta": alone("beta"),
    "both": Route(name="both", steps=(ordered(["alpha", "beta"]),)),
    "shared": Route(name="shared", steps=(weighted({"alpha": 3, "beta": 97}),)),
}
#: Longer than the wait for a repeat, than a flight, than a telco's memory; the others see below.
LEAPS = (7, 25, 150, 400, 4000)
#: Longer than a lease, than any pause between two questions.
LEASE_OVER, QUESTION = 400, 1000
#: What others may do at any moment.
MEANWHILE = ("pause", "cancel", "tell-again", "by-hand", "report", "lease", "take-over")
#: People in all runs, and the rows of each are about the first of them.
MOST_ROWS = 8
#: So many runs are cancelled: who cancels all has nothing left to see.
MOST_CANCELS = 3


class World:
    """What can happen to a ledger, and what has really happened."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        empty(store)
        self.store = store
        self.clock = ManualClock(START)
        self.folder = Path(tempfile.mkdtemp(prefix="smsengine-flights-"))
        self.office = Office(store=store, clock=self.clock)
        self.truth = Truth()
        self.telcos: dict[str, Telco] = {}
        self.law = Law(store=store, truth=self.truth, telcos=self.telcos, routes=ROUTES)
        self.workers: list[Worker] = []
        self.answers: list[tuple[Sequence[Doubt], Sequence[Outcome | None]]] = []
        self.naming = "both"
        #: what telcos have said of each message, and of which the ledger cannot know whom they mean
        self.reported: dict[str, set[ReceiptStatus]] = {}
        self.unclear: set[str] = set()
        self.periods = self.cancels = 0

    def connect(self, sheets: Iterable[str], *, most: int, together: bool) -> None:
        """Open two gateways."""
        for name, sheet in zip(("alpha", "beta"), sheets, strict=True):
            self.telcos[name] = Telco(
                name=name,
                sheet=Capabilities(max_batch=most, concurrency=3, **SHEETS[sheet]),
                truth=self.truth,
                clock=self.clock,
                together=together,
            )
            with self.store.write() as connection:
                lanes.ensure(connection, name)

    def leave(self) -> None:
        """Let go of processes and files."""
        for worker in self.workers:
            worker.leave()
        shutil.rmtree(self.folder)

    # -- runs ----------------------------------------------------------------------------------

    def plan(
        self, *, count: int, route: str, waves: Sequence[int], valid: int | None, go: bool
    ) -> None:
        """A new period is planned, and perhaps released."""
        self.periods += 1
        run = self.office.planned(
            rows(count),
            recipe_period=Period.parse(f"2019-{self.periods:02d}"),
            gateway=route,
            waves=waves,
            valid_seconds=valid,
        )
        if go:
            self.decide(run, "release")

    def tell_again(self, run: Run, how: Resend, *, go: bool) -> None:
        """Some messages of a period get a new edition, on purpose."""
        with suppress(RefusedError):
            again = self.office.plan(
                rows(MOST_ROWS),
                recipe_period=Period.parse(run.period),
                gateway=run.gateway,
                resend=how,
                reason="nobody can say whether it arrived",
            ).run
            if again is not None and go:
                self.decide(again, "release")

    def decide(self, run: Run, what: str) -> None:
        """A person decides about a run; what is not lawful now is refused."""
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

    def runs(self) -> list[Run]:
        """Every run, newest first."""
        with self.store.read() as connection:
            return list(runs.newest(connection))

    def run(self, which: int) -> Run:
        """One of the runs."""
        known = self.runs()
        return known[which % len(known)]

    def tend(self, store: Store) -> None:
        """Waves, validity and ends are looked after."""
        tender = RunTender(store=store, clock=self.clock, actor="tender")
        with self.store.read() as connection:
            under_way = runs.under_way(connection)
        for run in under_way:
            tender.tend(run)

    def amid(self, what: str, which: int) -> ShakyStore:
        """The ledger for somebody who has looked already, when something else comes first."""
        store = ShakyStore(self.store)
        store.meanwhile = lambda: self.meanwhile(what, which)
        return store

    def meanwhile(self, what: str, which: int = 0) -> None:
        """What others do while somebody is at work."""
        match what:
            case "pause":
                self.decide(self.run(which), "pause")
            case "cancel" if self.cancels < MOST_CANCELS:
                self.cancels += 1
                self.decide(self.run(which), "cancel")
            case "tell-again":
                self.tell_again(self.run(which), Resend.UNKNOWN, go=True)
            case "by-hand":
                self.say_what_happened(which if which % 2 else None)
            case "report" if self.truth.taken:
                self.report(-1, (ReceiptStatus.DELIVERED, ReceiptStatus.IN_TRANSIT), at_once=True)
            case "lease" | "take-over":
                self.pass_time(LEASE_OVER)
                self.tend(self.store)
                self.recover(self.store)
                if what == "take-over":
                    self.take_over(which)
            case "round" | "round-and-die" if worker := self.worker(which):
                self.law.is_fresh = False
                last = Trouble.DIE_AFTER if what == "round-and-die" else Trouble.NONE
                worker.round("alpha")
                worker.round("beta", last)

    def take_over(self, which: int) -> None:
        """What was taken for lost is looked up everywhere, and a worker goes on with it."""
        self.pass_time(QUESTION)
        self.ask_everywhere()
        self.say_what_happened()
        able = [each for each in self.workers if not each.is_dead and not each.frozen]
        if able:
            other = able[which % len(able)]
            other.look()
            for gateway in self.telcos:
                other.round(gateway)
                while which % 2 and other.can_hand_over(gateway):
                    other.hand_over(gateway, [Fate.UNHEARD])

    # -- workers -------------------------------------------------------------------------------

    def hire(self, *, elsewhere: bool) -> Worker:
        """Another process begins, here or on another machine."""
        worker = Worker(
            store=self.store,
            telcos=self.telcos,
            routes=ROUTES,
            clock=self.clock,
            folder=self.folder / ("there" if elsewhere else "here"),
            elsewhere=f"elsewhere:{len(self.workers) + 1}:1:1" if elsewhere else "",
            on_clear=self.law.may_leave,
        )
        self.workers.append(worker)
        return worker

    def worker(self, which: int, *, frozen: bool = False) -> Worker | None:
        """One of the workers that are at work, or that have stopped within a hand-over."""
        found = [each for each in self.workers if not each.is_dead and frozen == bool(each.frozen)]
        return found[which % len(found)] if found else None

    def work(
        self,
        worker: Worker,
        gateway: str,
        fates: Sequence[Fate],
        trouble: Trouble = Trouble.NONE,
        meanwhile: tuple[str, str] = ("", ""),
    ) -> list[Fate]:
        """A worker looks, claims, hands over all it has, and settles, unless it stops before.

        Returns:
            The fates that are left over.
        """
        worker.look()
        worker.round(gateway)
        self.meanwhile(meanwhile[0])
        worker.look()
        left = list(fates)
        while worker.can_hand_over(gateway):
            left = worker.hand_over(gateway, left)
        self.check()
        self.meanwhile(meanwhile[1])
        if not worker.is_dead and not worker.frozen:
            self.law.is_fresh = False
            worker.round(gateway, trouble)
            self.check()
            self.law.is_fresh = True
        return left

    def work_everywhere(
        self,
        worker: Worker,
        fates: Sequence[Fate],
        trouble: Trouble = Trouble.NONE,
        meanwhile: tuple[str, str] = ("", ""),
    ) -> None:
        """A worker does a round of work at each gateway, which is trusted again."""
        self.tend(self.store)
        for gateway in self.telcos:
            if self.law.is_distrusted:
                self.trust_again(gateway)
            if not worker.is_dead and not worker.frozen:
                fates = self.work(worker, gateway, fates, trouble, meanwhile)

    def recover(self, store: Store) -> None:
        """Somebody here looks for what lost workers held."""
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

    def lose_journals(self) -> None:
        """Somebody clears the folder of the flight journals on this machine."""
        for path in (self.folder / "here").glob("*"):
            path.unlink()

    # -- doubts --------------------------------------------------------------------------------

    def may_be_asked(self) -> bool:
        """Say whether a gateway could tell about a doubt."""
        rows = [row for row in self.law.rows.values() if row["state"] == MessageState.UNKNOWN]
        return any(self.telcos[row["gateway"]].sheet.can_query for row in rows)

    def ask(self, gateway: str, *, deaf: bool = False) -> None:
        """A gateway is asked about what is due; its answer is not written down yet."""
        telco = self.telcos[gateway]
        if not telco.sheet.can_query:
            return
        with self.store.read() as connection:
            doubts = outbox.doubts_due(
                connection,
                gateway,
                now=self.clock.now(),
                repeats=self.workers[0].lanes[gateway].repeats(),
                limit=100,
            )
        line = Line(telco, print)
        line.is_deaf = deaf
        if doubts:
            self.answers.append((doubts, tending.answers_of(line, doubts)))

    def ask_everywhere(self) -> None:
        """All gateways are asked, and their answers are written down."""
        for gateway in self.telcos:
            self.ask(gateway)
            self.write_down(-1)

    def write_down(self, which: int = 0) -> None:
        """One of the answers is written down."""
        if self.answers:
            doubts, answers = self.answers.pop(which % len(self.answers))
            tending.resolve(self.store, doubts, answers, self.clock.now())

    def say_what_happened(self, which: int | None = None) -> None:
        """A person looks a message, or all, up in the telcos' books, and says what happened.

        A book is final about a message of which nothing is under way.
        """
        doubts = [message for run in self.runs() for message in unknown_of(self.store, run.id)]
        if which is not None:
            doubts = doubts[which : which + 1]
        for message in doubts:
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

    def report(self, which: int, statuses: Sequence[ReceiptStatus], *, at_once: bool) -> None:
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
        if self.naming == "reference" and self.law.is_being_sent(name):
            # Its answer may give it another name, by which this will not be found.
            self.unclear.add(name)
        for batch in [received] if at_once else [[each] for each in received]:
            store_receipts(self.store, taken.gateway, batch, self.clock.now())
        self.reported.setdefault(name, set()).update(statuses)

    # -- time ----------------------------------------------------------------------------------

    def pass_time(self, seconds: int) -> None:
        """Time passes; what would be under way for too long arrives first."""
        ends = self.clock.now() + timedelta(seconds=seconds)
        for worker in self.workers:
            for gateway, since in list(worker.frozen.items()):
                if self.telcos[gateway].window and ends > since + FROZEN_AT_MOST:
                    worker.hand_over(gateway, [])
        for telco in self.telcos.values():
            telco.arrive(FLIGHT - timedelta(seconds=seconds))
        self.clock.sleep(seconds)
        with self.store.write() as connection:
            pass_time(connection, seconds)

    def trust_again(self, gateway: str) -> None:
        """A person has looked at a gateway."""
        with self.store.write() as connection:
            lanes.resume(connection, gateway)

    # -- what must hold ------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing unlawful has happened since the last time."""
        held = {name for name in self.law.rows if any(w.holds(name) for w in self.workers)}
        self.law.check(self.clock.now(), frozenset(held))
