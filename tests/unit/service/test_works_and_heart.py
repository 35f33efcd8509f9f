"""The threads of a daemon: what they take in their stride, and what ends the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock, SystemClock
from smsengine.errors import DeposedError, SmsEngineError, StoreAwayError
from smsengine.service.absence import Absence
from smsengine.service.alarming import News
from smsengine.service.bootstrap import Engine
from smsengine.service.chores import Chores
from smsengine.service.duties import Duty, do_due
from smsengine.service.heart import Heart
from smsengine.service.leader import Leadership
from smsengine.service.logs import Event
from smsengine.service.roster import read_roster
from smsengine.service.tally import Tally
from smsengine.service.telling import open_teller
from smsengine.service.vitals import Vitals
from smsengine.service.works import Works
from smsengine.store.engine import Store
from tests.conftest import START, Office, rows
from tests.flow.zygote import until
from tests.unit.service.standing import installed, keys, texts


@dataclass
class Body:
    """A heart, and what it told."""

    store: Store
    clock: ManualClock
    said: str | Exception = ""
    told: list[Event] = field(default_factory=list)
    cried: list[News] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    gained: list[bool] = field(default_factory=list)
    vitals: Vitals = field(default_factory=Vitals)

    def __post_init__(self) -> None:
        self.leadership = Leadership(store=self.store, clock=self.clock, holder="here:1:1:1")
        self.heart = Heart(
            leadership=self.leadership,
            belong=self._belong,
            vitals=self.vitals,
            clock=self.clock,
            tell=lambda event, **_facts: self.told.append(event),
            absence=Absence(
                vitals=self.vitals,
                clock=self.clock,
                tell=lambda event, **_facts: self.told.append(event),
                cry=self.cried.append,
            ),
            fail=self.failed.append,
            gained=lambda: self.gained.append(self.leadership.leads()),
        )

    def _belong(self) -> str:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def beat(self, times: int = 1, seconds: float = 4.0) -> None:
        for _ in range(times):
            self.clock.sleep(seconds)
            self.heart.beat()


@pytest.fixture
def body(sqlite_store: Store, clock: ManualClock) -> Body:
    return Body(sqlite_store, clock)


def test_a_machine_that_belongs_leads(body: Body) -> None:
    body.beat(3)
    assert ([Event.LEADER_GAINED], True, "") == (body.told, body.vitals.leads, body.vitals.fenced)
    assert [True] == body.gained, "so that what is due is looked at once"


def test_a_machine_that_does_not_belong_steps_down_at_once(body: Body) -> None:
    """Another one leads without waiting for the lease."""
    body.beat()
    body.said = "The ledger was restored."
    body.beat()
    other = Leadership(store=body.store, clock=body.clock, holder="there:2:2:2")
    assert ("The ledger was restored.", False) == (body.vitals.fenced, body.vitals.leads)
    assert [Event.LEADER_GAINED, Event.LEADER_LOST] == body.told
    assert other.renew(body.clock.now())


def test_a_ledger_that_is_away_is_told_once_after_five_minutes(body: Body) -> None:
    body.beat()
    body.said = StoreAwayError()
    body.beat(74)
    before = len(body.cried)
    body.beat(300)
    assert (0, 1, False) == (before, len(body.cried), body.vitals.store_ok)
    assert [Event.LEADER_GAINED, Event.LEDGER_AWAY, Event.LEADER_LOST] == body.told
    body.said = ""
    body.beat()
    assert (2, True) == (len(body.cried), body.vitals.store_ok)
    assert "was away for 25 minutes" in body.cried[1].text
    assert [Event.LEDGER_BACK, Event.LEADER_GAINED] == body.told[-2:]


def test_a_short_absence_is_no_news_for_people(body: Body) -> None:
    body.beat()
    body.said = StoreAwayError()
    body.beat(2)
    body.said = ""
    body.beat()
    assert [] == body.cried
    assert [Event.LEADER_GAINED, Event.LEDGER_AWAY, Event.LEDGER_BACK] == body.told


def test_a_ledger_that_comes_back_as_a_copy_is_not_believed_for_a_moment(body: Body) -> None:
    """It is there again and the wrong one: both are known with the same beat."""
    body.said = StoreAwayError()
    body.beat()
    body.said = "The ledger was restored."
    body.beat()
    assert (True, "The ledger was restored.") == (body.vitals.store_ok, body.vitals.fenced)


def test_what_a_heart_does_not_expect_ends_the_process(body: Body) -> None:
    body.said = ValueError("?")
    body.heart.start()
    until(lambda: body.failed, "it fails", 20)
    body.heart.stop()
    assert [body.said] == body.failed


# -- works -----------------------------------------------------------------------------------------


@dataclass
class Shop:
    """Works on real threads, and what they told."""

    engine: Engine
    rounds: dict[str, Callable[[], None]]
    told: list[tuple[Event, dict[str, Any]]] = field(default_factory=list)
    beats: list[str] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    leads: bool = True
    look_seconds: float = 30.0

    def __post_init__(self) -> None:
        self.works = Works(
            self.engine,
            read_roster(self.engine).jobs,
            leads=lambda: self.leads,
            acting=self.engine.store.write,
            rounds=self.rounds,
            beat=self.beats.append,
            tell=lambda event, **facts: self.told.append((event, facts)),
            fail=self.failed.append,
            tally=Tally(),
            look_seconds=self.look_seconds,
        )


@pytest.fixture
def engine(sqlite_office: Office, tmp_path: Path) -> Iterator[Engine]:
    """An installation on the machine's own clock."""
    manual = installed(sqlite_office.store, sqlite_office.clock, tmp_path / "installation")
    made = Engine(manual.config, clock=SystemClock())
    yield made
    made.store.close()


def test_a_round_that_stumbles_is_told_and_does_not_end_the_lanes(engine: Engine) -> None:
    """Without the words of the error, which may quote a row."""
    done = threading.Event()

    def stumble() -> None:
        raise KeyError("Kinh gui 0912345678")

    shop = Shop(engine, {"house": stumble, "teller": done.set})
    shop.works.start()
    until(lambda: texts(engine.store), "it is told", 20)
    assert done.wait(20)
    assert shop.works.stop()
    (text,) = texts(engine.store)
    assert text.startswith("thread house: smsengine stumbled (KeyError at test_works_and_heart.py:")
    assert "0912345678" not in text
    assert [] == shop.failed
    assert {"lanes", "office", "payments", "source", "house", "teller"} == set(shop.beats)


@pytest.mark.parametrize("error", [StoreAwayError(), DeposedError()])
def test_a_ledger_that_is_away_is_no_alarm(engine: Engine, error: SmsEngineError) -> None:
    """The heart tells that."""
    met = threading.Event()

    def meet() -> None:
        met.set()
        raise error

    shop = Shop(engine, {"house": meet})
    shop.works.start()
    assert met.wait(20)
    assert shop.works.stop()
    assert [Event.OFFICE_WAITS] == [event for event, _ in shop.told]
    assert [] == texts(engine.store) + shop.failed


def test_what_waits_is_written_down_once(engine: Engine) -> None:
    """The log of an outage is read, and not counted."""
    says: list[Exception | None] = [StoreAwayError(), StoreAwayError(), None, StoreAwayError()]
    done = threading.Event()

    def meet() -> None:
        error = says.pop(0) if says else done.set()
        if error is not None:
            raise error

    shop = Shop(engine, {"house": meet}, look_seconds=0.01, leads=False)
    shop.works.start()
    assert done.wait(20)
    assert shop.works.stop()
    assert [Event.OFFICE_WAITS] * 2 == [event for event, _ in shop.told]


def test_that_a_run_has_ended_is_written_down(engine: Engine, sqlite_office: Office) -> None:
    """By whoever ended it, with what became of it."""
    run = sqlite_office.released(rows(3))
    shop = Shop(engine, {}, leads=False)
    shop.works.start()
    until(lambda: shop.told, "it is told", 20)
    assert shop.works.stop()
    ended = {"run": run.id, "label": run.label, "accepted": 3}
    assert [(Event.RUN_FINISHED, ended)] == shop.told


def test_lanes_that_stumble_end_the_process(engine: Engine) -> None:
    """Only a new process knows from its journal what has left."""
    text = engine.config.read_text(encoding="utf-8")
    engine.config.write_text(text.replace("kind: file", "kind: pigeon"), encoding="utf-8")
    broken = Engine(engine.config, clock=SystemClock())
    shop = Shop(broken, {})
    shop.works.start()
    until(lambda: shop.failed, "it fails", 20)
    shop.works.stop()
    broken.store.close()
    assert "kind" in str(shop.failed[0])


def test_who_does_not_lead_offers_nothing(engine: Engine) -> None:
    shop = Shop(engine, {})
    shop.leads = False
    shop.works.start()
    until(lambda: "office" in shop.beats, "it looks", 20)
    assert shop.works.stop()
    assert [] == shop.told


# -- duties and chores -----------------------------------------------------------------------------


def test_a_duty_that_stumbles_does_not_keep_the_others(office: Office) -> None:
    done: list[str] = []

    def stumble(_now: object) -> str:
        raise ZeroDivisionError("0912345678")

    duties = [
        Duty(name="first", do=stumble),
        Duty(name="second", do=lambda _now: done.append("done") or "done"),  # type: ignore[func-returns-value]
    ]
    said = do_due(office.store, duties, START)
    assert ["done"] == done
    assert said[0].startswith("first: failed: smsengine stumbled (ZeroDivisionError at test_works")
    assert ["duty first 2019-06-01"] == keys(office.store)
    assert [] == do_due(office.store, duties, START + timedelta(hours=1))


def chores(engine: Engine, leadership: Leadership) -> Chores:
    return Chores(
        engine,
        read_roster(engine),
        teller=open_teller(engine),
        leadership=leadership,
        is_well=lambda: True,
        tell=lambda _event, **_facts: None,
    )


def test_a_broken_job_is_told_once_a_day_by_who_leads(office: Office, tmp_path: Path) -> None:
    engine = installed(office.store, office.clock, tmp_path / "installation")
    (engine.settings.jobs / "bad.yaml").write_text("title: x\n")
    leader = Leadership(store=engine.store, clock=office.clock, holder="here:1:1:1")
    other = Leadership(store=engine.store, clock=office.clock, holder="there:2:2:2")
    leader.renew(office.clock.now())
    for _ in range(3):
        chores(engine, leader).tell_people()
        chores(engine, other).tell_people()
    assert ["broken job bad 2019-06-01"] == keys(office.store)
    engine.store.close()


def test_a_deposed_leader_tells_nobody(office: Office, tmp_path: Path) -> None:
    engine = installed(office.store, office.clock, tmp_path / "installation")
    (engine.settings.jobs / "bad.yaml").write_text("title: x\n")
    leader = Leadership(store=engine.store, clock=office.clock, holder="here:1:1:1")
    leader.renew(office.clock.now())
    office.change("UPDATE leases SET until = 0")
    with suppress(DeposedError):
        chores(engine, leader).tell_people()
    assert [] == keys(office.store)
    engine.store.close()
