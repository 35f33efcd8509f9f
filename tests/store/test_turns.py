"""Two at once on PostgreSQL: who comes second waits, and finds what the first one did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection

from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError, StoreError
from smsengine.lifecycle import RunKind, RunState
from smsengine.planning import release
from smsengine.planning.order import Planned
from smsengine.planning.planner import Planner
from smsengine.store import installation, messages, runs, schema
from smsengine.store.engine import Store
from smsengine.store.turns import take_turn
from tests.conftest import KEY, PLANNER, START, Office, compose, rows

WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
#: Starts a task in another thread and comes back once it waits for a lock.
Blocked = Callable[[Callable[[], Any]], Future[Any]]


@pytest.fixture
def other(postgres_store: Store) -> Iterator[Store]:
    """The same ledger, as another machine opens it."""
    opened = Store(postgres_store.engine.url.render_as_string(hide_password=False))
    yield opened
    opened.close()


@pytest.fixture
def blocked(other: Store) -> Iterator[Blocked]:
    """Give a way to start something that has to wait for us."""

    def start(task: Callable[[], Any]) -> Future[Any]:
        future = pool.submit(task)
        deadline = time.monotonic() + 30
        waiting = 0
        while not waiting:
            assert not future.done(), f"it did not wait: {future.exception() or future.result()}"
            assert time.monotonic() < deadline
            with other.read() as connection:
                waiting = connection.exec_driver_sql(WAITING).scalar_one()
        return future

    with ThreadPoolExecutor(1) as pool:
        yield start


@pytest.fixture
def office(postgres_store: Store, clock: ManualClock) -> Office:
    """A planner on PostgreSQL."""
    return Office(store=postgres_store, clock=clock)


def impatient(store: Store) -> AbstractContextManager[Connection]:
    """A transaction that does not wait for a lock."""

    @contextmanager
    def begun() -> Iterator[Connection]:
        with store.write() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
            yield connection

    return begun()


def test_a_turn_is_one_s_own(postgres_store: Store, other: Store) -> None:
    """As long as one transaction has the turn, no other one gets it."""
    with postgres_store.write() as first:
        take_turn(first, "c12", "2019-06")
        with pytest.raises(StoreAwayError, match="due to lock timeout"), impatient(other) as second:
            take_turn(second, "c12", "2019-06")


@pytest.mark.parametrize("names", [("c12", "2019-07"), ("c1", "22019-06"), ("c12",)])
def test_turns_of_other_names_are_not_waited_for(
    postgres_store: Store, other: Store, names: tuple[str, ...]
) -> None:
    """Planners of other notices and months do not wait for each other."""
    with postgres_store.write() as first, impatient(other) as second:
        take_turn(first, "c12", "2019-06")
        take_turn(second, *names)
        held = first.exec_driver_sql(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        )
        assert 2 == held.scalar()


def test_a_turn_ends_with_its_transaction(postgres_store: Store, other: Store) -> None:
    """Committed or undone, the next one goes on."""
    with postgres_store.engine.connect() as first:
        take_turn(first, "c12")
        first.rollback()
        with impatient(other) as second:
            take_turn(second, "c12")
            assert 1 == second.exec_driver_sql("SELECT 1").scalar()


class MeetingClock(ManualClock):
    """The second time that its owner looks at it, it waits until the others have come as far."""

    def __init__(self, now: datetime, barrier: Barrier) -> None:
        super().__init__(now)
        self._barrier = barrier
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        if self._looks == 2:
            self._barrier.wait(60)
        return super().now()


def test_two_jobs_of_one_topic_at_once_tell_everybody_once(store: Store) -> None:
    """Planned by two machines at the same moment, in opposite order, each recipient is told once.

    Without turns each would wait for a key of the other, which PostgreSQL ends with an error.
    """
    barrier = Barrier(2)

    def plan(job: str, *, backwards: bool) -> Planned:
        clock = MeetingClock(START, barrier)
        planner = Planner(ledger=store, outbox=store, clock=clock, identity=f"elsewhere:{job}:1:1")
        given = rows(6_000)
        made = Office(store=store, clock=clock, job=job)
        return planner.plan(made.order(given[::-1] if backwards else given))

    with ThreadPoolExecutor(2) as pool:
        planned = [
            pool.submit(plan, job, backwards=backwards).result
            for job, backwards in (("c12-statement", False), ("hanoi/c12", True))
        ]
        told = [each().run for each in planned]
    assert (2, 6_000, 6_000) == (
        len(told),
        sum(run.messages for run in told if run is not None),
        sum(run.already_planned for run in told if run is not None),
    )


def planning(connection: Connection, store: Store, clock: ManualClock) -> int:
    """Begin a run as a planner does."""
    order = Office(store=store, clock=clock).order([])
    values = {
        "job": order.job,
        "topic": order.recipe.topic,
        "owner": order.owner,
        "period": order.period,
        "revision": 1,
        "kind": RunKind.REGULAR,
        "gateway": order.gateway,
        "priority": order.priority,
        "planner": PLANNER,
        "planner_until": START,
        "created_at": START,
    }
    run_id = runs.insert_planning(connection, values)
    assert run_id is not None
    return run_id


def test_a_planner_that_writes_is_waited_for_and_then_thrown_away_whole(
    office: Office, other: Store, blocked: Blocked
) -> None:
    """Taken for dead in the middle of a transaction, it leaves no row behind."""

    def discard() -> None:
        with other.write() as connection:
            runs.discard(connection, run_id, planner=PLANNER)

    with office.store.write() as connection:
        run_id = planning(connection, office.store, office.clock)
    with office.store.write() as connection:
        assert runs.renew_planner(connection, run_id, PLANNER, START + timedelta(seconds=60))
        discarding = blocked(discard)
        messages.insert_drafts(
            connection, compose(rows(5)).drafts, run_id=run_id, places=count(1), due_at=START
        )
    discarding.result(60)
    assert [(0, 0)] == office.all(
        "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages)"
    )


def test_a_run_is_thrown_away_in_its_topic_s_turn(
    office: Office, other: Store, blocked: Blocked
) -> None:
    """A planner whose key is taken still finds the row that took it."""

    def discard() -> None:
        with other.write() as connection:
            runs.discard(connection, run_id, planner=PLANNER)

    with office.store.write() as connection:
        run_id = planning(connection, office.store, office.clock)
    with office.store.write() as connection:
        take_turn(connection, "c12-statement", "2019-06")
        discarding = blocked(discard)
    discarding.result(60)
    assert [(0,)] == office.all("SELECT count(*) FROM runs")


def test_of_two_releases_the_first_one_s_word_stands(
    office: Office, other: Store, blocked: Blocked
) -> None:
    """Two people approve the same run: it is released once, and both hear so."""
    run = office.planned(rows(3))
    with office.store.write() as connection:
        runs.get(connection, run.id, locked=True)
        second = blocked(
            lambda: release.release(other, run, key=KEY, clock=office.clock, actor="second")
        )
        runs.move(connection, run.id, RunState.RELEASED)
        runs.note(connection, run.id, at=START, actor="first", what="released")
    assert RunState.RELEASED is second.result(60).state
    assert [("first",)] == office.all("SELECT actor FROM events WHERE what = 'released'")


@pytest.mark.parametrize("key", [KEY, b"another key, as long as the first"], ids=["same", "other"])
def test_of_two_machines_that_begin_one_gives_the_key(
    office: Office, other: Store, blocked: Blocked, key: bytes
) -> None:
    """A new ledger adopts one key; who comes second has the same one or is refused."""

    def begin() -> str:
        with other.write() as connection:
            installation.adopt(connection, key, START)
        return "taken"

    with office.store.write() as connection:
        installation.adopt(connection, KEY, START)
        second = blocked(begin)
    if key == KEY:
        assert "taken" == second.result(60)
    else:
        with pytest.raises(StoreError, match="is not the one that this ledger was made with"):
            second.result(60)


def test_of_two_upgrades_the_second_has_nothing_to_do(
    postgres_store: Store, other: Store, blocked: Blocked
) -> None:
    """Two machines that upgrade at once do not both make the tables."""
    with postgres_store.write() as connection:
        take_turn(connection, "upgrade")
        upgrading = blocked(lambda: schema.upgrade(other))
    assert schema.newest_version() == upgrading.result(60)
