"""The outbox against the world: whatever happens, nobody is told twice and nobody is forgotten.

Workers that die, freeze and lose their commits, telcos that lose answers, people who pause, cancel
and decide, in any order, each through the functions that the engine itself uses. What really
happened stands in the telcos' book, ``Truth``. Two things are assumed, since no ledger can prove
them: telcos and people say the truth, and a hand-over that was cleared does not reach a gateway
with an idempotency window later than ``FROZEN_AT_MOST``.

``SMSENGINE_CHAOS=5000`` plays hundreds of other stories: those from number 5000 on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from smsengine.gateways.base import ReceiptStatus
from smsengine.lifecycle import FAILED_STATES, MessageState, RunState
from smsengine.planning.order import Resend
from smsengine.store.engine import Store
from tests.postgres import Databases
from tests.properties.outbox_law import watch
from tests.properties.outbox_model import FLIGHT, SHEETS, Fate
from tests.properties.outbox_rest import come_to_rest
from tests.properties.outbox_workers import Trouble, Worker
from tests.properties.outbox_world import LEAPS, MEANWHILE, MOST_ROWS, QUESTION, ROUTES, World

#: What happens on a bad day: mostly that nobody can say at once what happened, as after the first.
BAD = (
    Fate.UNHEARD,
    Fate.UNSENT,
    Fate.LATE,
    Fate.BROKEN,
    Fate.FREEZE,
    Fate.DIE_BEFORE,
    Fate.DIE_AFTER,
    Fate.DIE_LATE,
    Fate.FAULT,
    Fate.NO_NAME,
)
OPEN_STATES = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN)
SOME = st.integers(0, 7)
GATEWAYS = st.sampled_from(["alpha", "beta"])
FATES = st.lists(st.sampled_from(list(Fate)), min_size=1, max_size=6)
STATUSES = st.lists(st.sampled_from(list(ReceiptStatus)), min_size=1, max_size=3)
TROUBLES = st.sampled_from([*[Trouble.NONE] * 6, *Trouble])
#: What happens between a claim and the hand-over, and between that and the settlement.
EVENTS = st.tuples(*[st.sampled_from(["", "", "", *MEANWHILE])] * 2)
BAD_FATES = st.lists(st.sampled_from(BAD), min_size=1, max_size=6)
UNCLEAR_FATES = st.lists(st.sampled_from(BAD[:4]), min_size=1, max_size=6)


class Deed(NamedTuple):
    """One thing that may happen: how often against others, when it may, and with what."""

    weight: int
    may: Callable[[World], Any]
    arguments: dict[str, st.SearchStrategy[Any]]


DEEDS: dict[str, Deed] = {}
Do = Callable[..., None]


def deed(
    weight: int = 1, *, when: Callable[[World], Any] = lambda _world: True, **arguments: Any
) -> Callable[[Do], Do]:
    """Let a method happen in stories."""

    def listed(do: Do) -> Do:
        DEEDS[do.__name__] = Deed(weight, when, arguments)
        return do

    return listed


def in_doubt(world: World) -> int:
    """How many messages nobody knows the fate of."""
    return world.law.count(MessageState.UNKNOWN)


def at_work(world: World) -> Worker | None:
    """A worker that has neither died nor stopped."""
    return world.worker(0)


class Machine(World, RuleBasedStateMachine):
    """Stories about a ledger."""

    is_sound = False

    @initialize(
        sheets=st.tuples(*[st.sampled_from([*SHEETS, "asked", "both"])] * 2),
        most=st.integers(1, 3),
        together=st.booleans(),
        naming=st.sampled_from(["id", "reference", "both"]),
        route=st.sampled_from(list(ROUTES)),
    )
    def begin(self, sheets: tuple[str, str], naming: str, route: str, **how: Any) -> None:
        """Two gateways, two workers, and a run that may be sent."""
        self.naming = naming
        self.connect(sheets, **how)
        self.hire(elsewhere=False)
        self.hire(elsewhere=True)
        self.plan(count=MOST_ROWS, route=route, waves=(), valid=None, go=True)
        self.tend(self.store)
        self.check()
        self.is_sound = True

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One rule, not one for each deed: of many, hypothesis keeps most out of a story."""
        self.is_sound = False
        for telco in self.telcos.values():
            telco.arrive(FLIGHT)
        self.law.is_fresh = True
        able = [name for name, each in DEEDS.items() if each.may(self) for _ in range(each.weight)]
        name = data.draw(st.sampled_from(able), label="what")
        getattr(self, name)(**data.draw(st.fixed_dictionaries(DEEDS[name].arguments), label="how"))

    @deed()
    def nothing_happens(self) -> None:
        """First, since it is what hypothesis begins with."""
        self.is_sound = True

    # -- people --------------------------------------------------------------------------------

    @deed(
        6,
        when=lambda world: world.periods < 12 and world.law.count(MessageState.QUEUED) < 6,
        count=st.integers(1, MOST_ROWS),
        route=st.sampled_from(list(ROUTES)),
        waves=st.sampled_from([(), (1,), (2, 3)]),
        valid=st.sampled_from([None, None, None, 100, 3000]),
        go=st.booleans(),
    )
    def a_run_is_planned(self, **how: Any) -> None:
        self.plan(**how)

    @deed(
        2,
        when=lambda world: world.law.count(MessageState.UNKNOWN, *FAILED_STATES),
        which=SOME,
        how=st.sampled_from([Resend.UNKNOWN, Resend.UNKNOWN, Resend.FAILED]),
        go=st.booleans(),
        late=st.booleans(),
    )
    def somebody_tells_again(self, which: int, how: Resend, go: bool, late: bool) -> None:
        """What was to be repeated is not, but asked about, perhaps while it is on its way."""
        if late and (worker := self.worker(which)):
            self.work_everywhere(worker, [Fate.LATE] * 3)
        self.tell_again(self.run(which), how, go=go)
        if go:
            self.pass_time(LEAPS[0])
            self.ask_everywhere()

    @deed(when=lambda world: world.law.count(*OPEN_STATES), which=SOME)
    def somebody_decides(self, which: int) -> None:
        """What waits for a word goes on; when nothing does, a run is paused."""
        known = self.runs()
        words = {RunState.PLANNED: "release", RunState.HELD: "release", RunState.PAUSED: "resume"}
        run = next((each for each in known if each.state in words), known[which % len(known)])
        self.decide(run, words.get(run.state, "pause"))

    @deed(when=in_doubt, which=SOME)
    def somebody_says_what_happened(self, which: int) -> None:
        self.say_what_happened(which)

    @deed(when=lambda world: world.law.is_distrusted, gateway=GATEWAYS)
    def somebody_trusts_again(self, gateway: str) -> None:
        self.trust_again(gateway)

    # -- workers -------------------------------------------------------------------------------

    @deed(
        when=lambda world: sum(not worker.is_dead for worker in world.workers) < 3,
        elsewhere=st.booleans(),
    )
    def a_worker_begins(self, elsewhere: bool) -> None:
        self.hire(elsewhere=elsewhere)

    @deed(8, when=at_work, which=SOME, fates=FATES, trouble=TROUBLES, meanwhile=EVENTS)
    def a_worker_works(self, which: int, **how: Any) -> None:
        self.work_everywhere(self.worker(which), **how)

    @deed(8, when=at_work, which=SOME, fates=BAD_FATES, trouble=TROUBLES, meanwhile=EVENTS)
    def a_worker_has_a_bad_day(self, which: int, **how: Any) -> None:
        self.work_everywhere(self.worker(which), **how)

    @deed(
        3,
        when=at_work,
        which=SOME,
        gateway=GATEWAYS,
        fate=st.sampled_from([None, Fate.FREEZE, Fate.DIE_BEFORE, Fate.DIE_LATE]),
        trouble=st.sampled_from([Trouble.NONE, Trouble.UNHEARD, Trouble.DIE_AFTER]),
    )
    def a_worker_falls_behind(
        self, which: int, gateway: str, fate: Fate | None, trouble: Trouble
    ) -> None:
        """It claims, also what is repeated, perhaps even begins to write, and is taken for lost."""
        worker = self.worker(which)
        self.pass_time(LEAPS[1])
        self.tend(self.store)
        worker.look()
        worker.round(gateway, trouble)
        if fate is not None and worker.can_hand_over(gateway):
            worker.hand_over(gateway, [fate])
        self.recover(self.store)
        self.ask_everywhere()
        self.meanwhile("take-over", which)

    @deed(4, when=at_work, which=SOME, gateway=GATEWAYS, trouble=TROUBLES, looks=st.booleans())
    def a_worker_claims(self, which: int, gateway: str, trouble: Trouble, looks: bool) -> None:
        """By what it sees now or saw long ago; what has come back is settled with it."""
        self.law.is_fresh = looks
        worker = self.worker(which)
        if looks:
            worker.look()
        worker.round(gateway, trouble)

    @deed(
        6,
        when=lambda world: any(worker.can_hand_over() for worker in world.workers),
        which=SOME,
        fates=FATES,
    )
    def a_worker_hands_over(self, which: int, fates: list[Fate]) -> None:
        able = [worker for worker in self.workers if worker.can_hand_over()]
        worker = able[which % len(able)]
        worker.hand_over(next(each for each in self.telcos if worker.can_hand_over(each)), fates)

    @deed(
        2,
        when=lambda world: world.worker(0, frozen=True),
        which=SOME,
        fates=FATES,
        dies=st.booleans(),
    )
    def a_frozen_worker_goes_on(self, which: int, fates: list[Fate], dies: bool) -> None:
        worker = self.worker(which, frozen=True)
        if dies:
            worker.die()
        else:
            worker.hand_over(next(iter(worker.frozen)), fates)

    # -- what is looked after ------------------------------------------------------------------

    @deed(
        3,
        when=lambda world: world.law.count(*OPEN_STATES),
        which=SOME,
        meanwhile=st.sampled_from([*MEANWHILE, "by-hand", "round"]),
    )
    def runs_are_tended(self, which: int, meanwhile: str) -> None:
        self.tend(self.amid(meanwhile, which))

    @deed(
        2,
        when=lambda world: world.law.count(MessageState.SENDING),
        which=SOME,
        meanwhile=st.sampled_from(["", "round", "round-and-die"]),
        asks=st.booleans(),
    )
    def lost_workers_are_looked_for(self, which: int, meanwhile: str, asks: bool) -> None:
        """What they may have handed over may be asked about at once."""
        self.recover(self.amid(meanwhile, which))
        if asks:
            self.ask_everywhere()

    @deed(when=lambda world: world.law.count(MessageState.SENDING))
    def the_journals_are_lost(self) -> None:
        self.lose_journals()

    @deed(2, when=in_doubt, gateway=GATEWAYS, deaf=st.booleans(), later=st.booleans())
    def a_gateway_is_asked(self, gateway: str, deaf: bool, later: bool) -> None:
        """Its answer may be written down much later."""
        self.ask(gateway, deaf=deaf)
        if not later:
            self.write_down(-1)

    @deed(
        6,
        when=lambda world: world.may_be_asked() and world.worker(0),
        which=SOME,
        fates=UNCLEAR_FATES,
        said=STATUSES,
    )
    def answers_take_long(self, which: int, fates: list[Fate], said: list[ReceiptStatus]) -> None:
        """A person or a telco says it first, and it may be handed over again."""
        self.pass_time(QUESTION)
        for gateway in self.telcos:
            self.ask(gateway)
        if self.truth.taken:
            self.report(-1 - which, said, at_once=True)
        self.say_what_happened()
        if worker := self.worker(which):
            self.work_everywhere(worker, fates)
        while self.answers:
            self.write_down()

    @deed(when=lambda world: world.answers, which=SOME)
    def an_answer_is_written_down(self, which: int) -> None:
        self.write_down(which)

    @deed(
        when=lambda world: world.truth.taken,
        which=st.integers(-3, 20),
        statuses=STATUSES,
        at_once=st.booleans(),
    )
    def a_telco_reports(self, which: int, **how: Any) -> None:
        self.report(which, **how)

    @deed(
        2,
        when=lambda world: world.law.count(MessageState.SENDING, MessageState.UNKNOWN),
        seconds=st.sampled_from(LEAPS),
    )
    def time_passes(self, seconds: int) -> None:
        self.pass_time(seconds)

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def everything_is_lawful(self) -> None:
        if self.telcos and not self.is_sound:
            self.check()
            self.is_sound = True

    def teardown(self) -> None:
        try:
            if self.is_sound:
                come_to_rest(self)
        finally:
            self.leave()


CHAOS = os.environ.get("SMSENGINE_CHAOS", "")
#: The chances of the stories, by ledger; those on PostgreSQL take twice as long.
STORIES = {"sqlite": range(14), "postgres": range(30, 37)}
SETTINGS = settings(
    # One story: hypothesis would tell most others by copying bits of it. Before it comes an empty.
    max_examples=2,
    stateful_step_count=100,
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
    for number in range(int(CHAOS), int(CHAOS) + 500) if CHAOS else STORIES[kind]:
        tell = seed(number)(lambda: Machine(store))
        run_state_machine_as_test(tell, settings=SETTINGS)
