"""The figures of the daemon: its own, and those of the ledger, which may be away or slow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from smsengine import metrics
from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError
from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.lifecycle import BreakerState, Grade, MessageState
from smsengine.metrics import Metric
from smsengine.service.bootstrap import Engine
from smsengine.service.eyes import Eyes, Samples, of_ledger, registry
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals
from smsengine.store import alarms, duties, lanes
from smsengine.store.attempts import Settlement
from smsengine.store.engine import Store
from tests.conftest import START, Office, rows


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ledger:
    """Gives figures, and may be away."""

    def __init__(self) -> None:
        self.looks = 0
        self.away = False

    def __call__(self) -> Samples:
        self.looks += 1
        if self.away:
            raise StoreAwayError
        return {metrics.ALARMS_UNTOLD: {(): self.looks}}


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def vitals(seconds: Seconds) -> Vitals:
    return Vitals(monotonic=seconds, started=True)


def opened(
    look: Callable[[], Samples], seconds: Seconds, *, patience: float = 10.0, **given: object
) -> CollectorRegistry:
    """Eyes on a ledger, as ``/metrics`` shows them."""
    vitals = given.get("vitals") or Vitals(monotonic=seconds, started=True)
    tally = given.get("tally") or Tally()
    assert isinstance(vitals, Vitals)
    assert isinstance(tally, Tally)
    eyes = Eyes(vitals=vitals, tally=tally, look=look, monotonic=seconds, patience_seconds=patience)
    return registry(eyes)


def seen(figures: CollectorRegistry) -> dict[str, float]:
    """The ledger's state and its one figure, from one question."""
    wanted = {metrics.LEDGER_UP.sample, metrics.ALARMS_UNTOLD.sample}
    return {
        sample.name: sample.value
        for family in figures.collect()
        for sample in family.samples
        if sample.name in wanted
    }


def test_the_ledger_is_read_at_most_every_ten_seconds(seconds: Seconds) -> None:
    """Several who ask cost no more than one."""
    ledger = Ledger()
    figures = opened(ledger, seconds)
    found = []
    for _ in range(4):
        found.append(seen(figures)["smsengine_alarms_untold"])
        seconds.now += 5
    assert found == [1.0, 1.0, 2.0, 2.0]


def test_a_ledger_that_is_away_hides_only_its_own_figures(seconds: Seconds) -> None:
    """Old figures do not pass for new ones; when it is back, so are they."""
    ledger = Ledger()
    figures = opened(ledger, seconds)
    assert seen(figures) == {"smsengine_ledger_up": 1.0, "smsengine_alarms_untold": 1.0}
    ledger.away = True
    seconds.now += 11
    assert seen(figures) == {"smsengine_ledger_up": 0.0}
    assert figures.get_sample_value("smsengine_ready") == 1.0
    ledger.away = False
    seconds.now += 11
    assert seen(figures) == {"smsengine_ledger_up": 1.0, "smsengine_alarms_untold": 3.0}


def test_a_slow_look_is_repeated_more_rarely(seconds: Seconds) -> None:
    """Looking takes a hundredth of a connection at most."""
    ledger = Ledger()

    def slow() -> Samples:
        seconds.now += 1
        return ledger()

    figures = opened(slow, seconds)
    looks = []
    for _ in range(12):
        seen(figures)
        looks.append(ledger.looks)
        seconds.now += 11
    assert looks == [1] * 9 + [2] * 3


def test_nobody_waits_for_a_ledger_that_does_not_answer(seconds: Seconds) -> None:
    """What was seen last is given for a while; then the ledger counts as away."""
    ledger, hangs, goes_on = Ledger(), threading.Event(), threading.Event()
    goes_on.set()

    def hanging() -> Samples:
        hangs.set()
        assert goes_on.wait(30)
        return ledger()

    figures = opened(hanging, seconds, patience=0.01)
    while seen(figures) != {"smsengine_ledger_up": 1.0, "smsengine_alarms_untold": 1.0}:
        seconds.now += 1
    goes_on.clear()
    hangs.clear()
    seconds.now += 11
    assert seen(figures)["smsengine_alarms_untold"] == 1.0
    assert hangs.wait(30)
    seconds.now += 31
    assert seen(figures) == {"smsengine_ledger_up": 0.0}
    assert ledger.looks == 1
    goes_on.set()
    while seen(figures).get("smsengine_alarms_untold") != 2.0:
        seconds.now += 0.01


def test_the_daemon_shows_how_it_is(vitals: Vitals, seconds: Seconds) -> None:
    """Who leads, what is broken, what comes next, which thread is silent."""
    vitals.leads = True
    vitals.fenced = "restored"
    vitals.broken_jobs = {"bad": "jobs/bad.yaml:1: is empty."}
    vitals.next_fires = {"c12-statement": datetime(2019, 7, 1, 1, tzinfo=UTC)}
    vitals.expect("lanes", 60)
    figures = opened(Ledger(), seconds, vitals=vitals)
    seconds.now += 7

    def value(metric: Metric, **labels: str) -> float | None:
        return figures.get_sample_value(metric.sample, labels)

    assert value(metrics.LEADER) == 1.0
    assert value(metrics.FENCED) == 1.0
    assert value(metrics.READY) == 0.0
    assert value(metrics.JOB_BROKEN, job_name="bad") == 1.0
    assert value(metrics.NEXT_FIRE, job_name="c12-statement") == 1_561_942_800.0
    assert value(metrics.BEAT_AGE, thread="lanes") == 7.0
    assert value(metrics.BUILD, version="0.1.0") == 1.0


def settlement(state: MessageState, outcome: str) -> Settlement:
    return Settlement(1, 1, state, START, "trial", None, outcome, "", "", 1, None, START)


def test_hand_overs_and_receipts_are_counted(seconds: Seconds) -> None:
    """What never left is no hand-over."""
    tally = Tally()
    accepted = settlement(MessageState.ACCEPTED, "accepted")
    tally.settled("trial", [accepted, accepted, settlement(MessageState.QUEUED, "")])
    tally.settled("trial", [accepted, settlement(MessageState.QUEUED, "throttled")])
    tally.received("trial", [Receipt(gateway_id="1", status=ReceiptStatus.DELIVERED)] * 3)
    figures = opened(Ledger(), seconds, tally=tally)
    given = {
        tuple(sample.labels.values()): sample.value
        for family in figures.collect()
        for sample in family.samples
        if sample.name in (metrics.HAND_OVERS.sample, metrics.RECEIPTS.sample)
    }
    assert given == {
        ("trial", "accepted", "accepted"): 3.0,
        ("trial", "throttled", "queued"): 1.0,
        ("trial", "delivered"): 3.0,
    }


@pytest.fixture
def engine(installation: Callable[..., Engine], store: Store) -> Engine:
    """An installation whose ledger is one of each of the two databases."""
    made = installation()
    made.__dict__["store"] = store
    return made


def test_the_ledgers_figures(engine: Engine, office: Office, clock: ManualClock) -> None:
    """Runs, what waits, doubts, lanes, alarms and duties, on both databases."""
    run = office.released(rows(5))
    office.change(
        "UPDATE messages SET state = 'unknown', gateway = 'trial',"
        " unknown_since = '2019-06-01 00:00:00' WHERE place = 1"
    )
    office.change(
        "UPDATE messages SET state = 'sending', gateway = 'trial', worker = 'w',"
        " lease_until = '2019-06-01 02:00:00' WHERE place = 2"
    )
    with office.store.write() as connection:
        lanes.ensure(connection, "trial")
        lanes.pause(connection, "trial", "no money")
        lanes.set_breaker(
            connection, "trial", state=BreakerState.OPEN, failures=5, trips=1, open_until=0
        )
        alarms.sound(connection, key="k", at=START, grade=Grade.NOTE, text="said")
        duties.note(connection, "backup", at=START, said="failed: the disk is full.")
    found = of_ledger(engine)
    named = (str(run.id), "c12-statement", "2019-06")
    assert found[metrics.RUNS]["released",] == 1
    assert found[metrics.RUNS]["finished",] == 0
    assert found[metrics.RUN_MESSAGES] == {named: 5}
    assert found[metrics.RUN_WAITING] == {named: 4}
    assert found[metrics.SENDING] == {("trial",): 1}
    assert found[metrics.UNKNOWN] == {("trial",): 1}
    assert found[metrics.UNKNOWN_AGE] == {("trial",): 3600.0}
    assert found[metrics.LANE_PAUSED] == {("trial",): 1.0}
    assert found[metrics.LANE_BREAKER]["trial", "open"] == 1.0
    assert found[metrics.LANE_BREAKER]["trial", "closed"] == 0.0
    assert found[metrics.ALARMS_UNTOLD] == {(): 1}
    assert found[metrics.DUTY_DONE] == {("backup",): START.timestamp()}
    assert found[metrics.DUTY_FAILED] == {("backup",): 1.0}
    assert found[metrics.LAST_FINISHED] == {}
    clock.sleep(timedelta(hours=1).total_seconds())
    assert of_ledger(engine)[metrics.UNKNOWN_AGE] == {("trial",): 7200.0}


def test_when_a_job_last_ended(engine: Engine, office: Office) -> None:
    """An alert can say that a month went by without it."""
    office.released(rows(1))
    office.change("UPDATE runs SET state = 'finished', finished_at = '2019-06-01 01:00:00'")
    assert of_ledger(engine)[metrics.LAST_FINISHED] == {("c12-statement",): START.timestamp()}
    assert of_ledger(engine)[metrics.RUN_WAITING] == {}


def test_a_gateway_that_was_never_used_is_in_order(engine: Engine) -> None:
    """Its series are there before the first message is."""
    found = of_ledger(engine)
    assert found[metrics.UNKNOWN] == {("trial",): 0}
    assert found[metrics.LANE_SPEED] == {("trial",): 1.0}
    assert found[metrics.LANE_BREAKER]["trial", "closed"] == 1.0


def test_every_metric_of_the_ledger_is_given(engine: Engine) -> None:
    """None is named that nobody fills; the labels have as many values as names."""
    own = {
        *(metrics.BUILD, metrics.READY, metrics.LEADER, metrics.FENCED, metrics.JOB_BROKEN),
        *(metrics.NEXT_FIRE, metrics.BEAT_AGE, metrics.HAND_OVERS, metrics.RECEIPTS),
        *(metrics.LEDGER_UP, metrics.CALLBACKS, metrics.PAYMENT_REQUESTS),
    }
    found = of_ledger(engine)
    assert set(metrics.ALL.values()) - own == set(found)
    for metric, samples in found.items():
        assert all(len(values) == len(metric.labels) for values in samples), metric.name


def test_looking_uses_the_partial_indexes(sqlite_office: Office) -> None:
    """A million settled messages are not read to find the few that are not."""
    for state in ("sending", "unknown"):
        plan = sqlite_office.all(
            "EXPLAIN QUERY PLAN SELECT gateway, count(*), min(unknown_since) FROM messages"
            f" WHERE state = '{state}' GROUP BY gateway"
        )
        assert any(f"ix_messages_{state}" in str(line) for line in plan), plan
