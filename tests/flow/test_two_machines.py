"""What two machines do to one ledger at the same moment, step by step.

On SQLite one of them always comes after the other; on PostgreSQL they meet in the middle.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.gateways.base import Capabilities, Outcome, OutcomeKind
from smsengine.lifecycle import MessageState, RunState
from smsengine.planning import release
from smsengine.sending import tending
from smsengine.sending.tending import RunTender
from smsengine.store import attempts, claims, outbox, runs
from smsengine.store.attempts import Held, Settlement
from smsengine.store.claims import Claimed
from smsengine.store.engine import Store
from smsengine.store.outbox import Doubt
from smsengine.store.runs import Run
from tests.conftest import Office, execute, rows
from tests.doubles.telco import SIMPLE, Telco
from tests.flow.zygote import until

OURS, THEIRS = "elsewhere:1:1:1", "elsewhere:2:2:2"


class Meanwhile:
    """Does something on another machine, until it is done or waits for a lock of ours."""

    def __init__(self, store: Store, do: Callable[[], Any]) -> None:
        self._do = do
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        until(lambda: not self._thread.is_alive() or _somebody_waits(store))

    def _work(self) -> None:
        try:
            self._do()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error

    def end(self) -> None:
        """Wait until it is done."""
        self._thread.join()
        if self._error is not None:
            raise self._error


def _somebody_waits(store: Store) -> bool:
    """Whether a transaction in this database waits for another one."""
    with store.read() as connection:
        return bool(
            execute(
                connection,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock'",
            ).scalar()
        )


@pytest.fixture
def both(postgres_store: Store, clock: ManualClock) -> Office:
    """A ledger that two machines use."""
    return Office(store=postgres_store, clock=clock)


def sending(office: Office, count: int = 1) -> Run:
    """A run that is being sent."""
    run = office.released(rows(count))
    office.change("UPDATE runs SET state = 'sending' WHERE id = ?", run.id)
    return office.run(run.id)


def claim(office: Office, run: Run, worker: str = OURS) -> list[Claimed]:
    with office.store.write() as connection:
        return claims.claim(
            connection,
            run_id=run.id,
            upto=run.released_upto,
            gateway="trial",
            worker=worker,
            now=office.clock.now(),
            limit=100,
        )


def settlement(message: Claimed, state: MessageState, outcome: str = "") -> Settlement:
    doubt = message.due_at if state is MessageState.UNKNOWN else None
    return Settlement(
        message_id=message.id,
        attempt=message.attempt,
        state=state,
        due_at=message.due_at,
        gateway=None if state is MessageState.QUEUED else "trial",
        gateway_id=None,
        outcome=outcome,
        code="",
        detail="",
        burnt=0,
        unknown_since=doubt,
        started_at=message.due_at,
    )


def settle(office: Office, message: Claimed, state: MessageState, outcome: str) -> None:
    with office.store.write() as connection:
        found = [settlement(message, state, outcome)]
        attempts.settle(connection, OURS, "trial", found, now=office.clock.now())


def doubts(office: Office) -> Sequence[Doubt]:
    now = office.clock.now() + timedelta(hours=1)
    with office.store.read() as connection:
        return outbox.doubts_due(connection, "trial", now=now, repeats=None, limit=100)


def held(office: Office) -> list[Held]:
    with office.store.read() as connection:
        return attempts.held(connection)


def in_doubt(office: Office, run: Run) -> Sequence[Doubt]:
    """Every message of a run was handed over, and nobody knows whether it was taken."""
    for message in claim(office, run):
        settle(office, message, MessageState.UNKNOWN, "unknown")
    return doubts(office)


# -- runs ------------------------------------------------------------------------------------------


def test_a_run_is_begun_once(both: Office) -> None:
    """Two machines see a released run: one begins it, the other finds it begun."""
    run = both.released(rows(1))
    tender = RunTender(store=both.store, clock=both.clock, actor=OURS)
    with both.store.write() as connection:
        runs.move(connection, run.id, RunState.SENDING)
        other = Meanwhile(both.store, lambda: tender.tend(run))
    other.end()
    assert RunState.SENDING is both.run(run.id).state


def test_a_run_is_ended_once(both: Office) -> None:
    """Two machines see that nothing is left of a run: one ends it, the other finds it ended."""
    run = sending(both)
    both.change("UPDATE messages SET state = 'accepted', settled_at = due_at")
    others: list[Meanwhile] = []
    second = RunTender(store=both.store, clock=both.clock, actor=THEIRS)

    def at(point: str) -> None:
        others.append(Meanwhile(both.store, lambda: second.tend(run)))

    RunTender(store=both.store, clock=both.clock, actor=OURS, at=at).tend(run)
    others[0].end()
    assert ["finished"] == [
        line[0] for line in both.all("SELECT what FROM events WHERE what = 'finished'")
    ]


def test_a_run_does_not_end_over_a_message_that_comes_back(both: Office) -> None:
    """While one machine ends a run another one learns that a message was never taken."""
    run = sending(both)
    found = in_doubt(both, run)
    others: list[Meanwhile] = []

    def at(point: str) -> None:
        now = both.clock.now()
        told = Meanwhile(both.store, lambda: tending.resolve(both.store, found, [None], now))
        others.append(told)

    RunTender(store=both.store, clock=both.clock, actor=OURS, at=at).tend(run)
    others[0].end()
    assert (["queued"], RunState.SENDING) == (both.states(), both.run(run.id).state)


def test_nothing_comes_back_into_a_run_that_is_being_cancelled(both: Office) -> None:
    """A message is given back at the moment of the cancel: it is withdrawn with the others."""
    run = sending(both, 2)
    message, *_ = claim(both, run)
    now = both.clock.now()

    def cancel() -> None:
        release.cancel(both.store, run, clock=both.clock, actor="person", reason="mistake")

    with both.store.write() as connection:
        back = [settlement(message, MessageState.QUEUED)]
        attempts.settle(connection, OURS, "trial", back, now=now)
        outbox.take_back(connection, [message.id], now=now)
        other = Meanwhile(both.store, cancel)
    other.end()
    assert "queued" not in both.states()


# -- doubts ----------------------------------------------------------------------------------------


def test_an_old_answer_says_nothing_of_a_new_hand_over(sqlite_office: Office) -> None:
    """Asked before another machine handed the message over again, and heard after it did."""
    run = sending(sqlite_office)
    asked = in_doubt(sqlite_office, run)
    now = sqlite_office.clock.now()
    tending.resolve(sqlite_office.store, doubts(sqlite_office), [None], now)
    in_doubt(sqlite_office, run)
    tending.resolve(sqlite_office.store, asked, [None], now)
    assert ["unknown"] == sqlite_office.states()


def test_who_dies_after_the_question_may_have_sent_before(sqlite_office: Office) -> None:
    """A frozen sender thaws, hands over and dies while its gateway is asked: nothing is proved."""
    run = sending(sqlite_office)
    with subprocess.Popen(
        [sys.executable, "-c", _NAMES_ITSELF], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as frozen:
        assert frozen.stdout is not None
        claim(sqlite_office, run, frozen.stdout.readline().decode().strip())
        frozen_now = sqlite_office.clock.now()
        with sqlite_office.store.write() as connection:
            attempts.lose(connection, attempts.held(connection), now=frozen_now)
        asked = doubts(sqlite_office)

        def tells(_reference: str) -> Outcome | None:
            frozen.send_signal(signal.SIGKILL)
            frozen.wait()
            return None

        capabilities = Capabilities(max_batch=SIMPLE.max_batch, can_query=True)
        telco = Telco(clock=sqlite_office.clock, capabilities=capabilities, tells=tells)
        answers = tending.answers_of(telco, asked)
    tending.resolve(sqlite_office.store, asked, answers, frozen_now)
    assert ["unknown"] == sqlite_office.states()


_NAMES_ITSELF = """
import sys
from smsengine.identity import own_identity
print(own_identity(), flush=True)
sys.stdin.read()
"""


def test_what_was_settled_is_not_lost_any_more(sqlite_office: Office) -> None:
    """A worker settles just before it is taken for lost: the end of its attempt is the real one."""
    run = sending(sqlite_office)
    message, *_ = claim(sqlite_office, run)
    seen = held(sqlite_office)
    settle(sqlite_office, message, MessageState.ACCEPTED, "accepted")
    with sqlite_office.store.write() as connection:
        attempts.lose(connection, seen, now=sqlite_office.clock.now())
    assert (["accepted"], [("accepted",)]) == (
        sqlite_office.states(),
        sqlite_office.all("SELECT outcome FROM attempts"),
    )


def test_what_was_last_on_its_way_is_not_asked_about_too_soon(
    sqlite_office: Office, tmp_path: Path
) -> None:
    """What a lost worker handed over may still arrive; its gateway says how long that takes."""
    run = sending(sqlite_office)
    claim(sqlite_office, run)
    later = sqlite_office.clock.now() + claims.LEASE + timedelta(seconds=1)
    tending.recover(
        sqlite_office.store,
        flights=tmp_path,
        worker=THEIRS,
        now=later,
        ask_after={"trial": timedelta(seconds=30)},
    )
    asked = sqlite_office.all("SELECT state, due_at FROM messages")
    assert [("unknown", f"{later + timedelta(seconds=30):%Y-%m-%d %H:%M:%S.%f}")] == asked


def test_a_gateway_that_raises_leaves_every_doubt(sqlite_office: Office) -> None:
    """A question that ends in an error proves nothing about anybody."""
    run = sending(sqlite_office, 2)
    asked = in_doubt(sqlite_office, run)

    def tells(_reference: str) -> Outcome | None:
        raise ValueError("a defect")

    capabilities = Capabilities(max_batch=SIMPLE.max_batch, can_query=True)
    telco = Telco(clock=sqlite_office.clock, capabilities=capabilities, tells=tells)
    answers = tending.answers_of(telco, asked)
    assert [OutcomeKind.UNKNOWN] * 2 == [answer.kind for answer in answers if answer is not None]
