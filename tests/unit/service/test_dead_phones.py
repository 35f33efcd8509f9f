"""A phone that nothing reaches is left alone; one that was reached once begins anew."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smsengine.lifecycle import SkipReason
from smsengine.period import Period
from smsengine.service import dead_phones
from smsengine.service.bootstrap import Engine
from tests.conftest import Office, row
from tests.unit.service.machine import change, office

DAY = timedelta(days=1)


@pytest.fixture
def desk(engine: Engine) -> Office:
    return office(engine)


def sent(desk: Office, engine: Engine, month: int, *states: str) -> None:
    """A run of a month that ended, each message with the state that its receipt says."""
    given = [row(number, f"TA{number}") for number in range(1, len(states) + 1)]
    run = desk.planned(given, recipe_period=Period.parse(f"2019-{month:02}"), recipe_key=engine.key)
    for number, state in enumerate(states, start=1):
        change(
            engine,
            "UPDATE messages SET state = ?, settled_at = due_at WHERE run_id = ? AND subject = ?",
            state,
            run.id,
            f"TA{number}",
        )
    change(
        engine, "UPDATE runs SET state = 'finished', finished_at = sealed_at WHERE id = ?", run.id
    )
    desk.clock.sleep(4 * DAY.total_seconds())


def looked(engine: Engine) -> str:
    return dead_phones.look(engine, engine.clock.now())


def alone(desk: Office) -> list[tuple[object, ...]]:
    return desk.all("SELECT cause, office FROM suppressions")


def test_three_in_a_row(desk: Office, engine: Engine) -> None:
    """The third undelivered text is the last for half a year; others go on to be told."""
    for month, said in ((1, 0), (2, 0), (3, 1)):
        sent(desk, engine, month, "undelivered", "delivered")
        assert f"1 runs looked at, {said} phones are left alone" == looked(engine)
    assert [("dead", "central")] == alone(desk)
    planned = desk.plan([row(1, "TA1"), row(2, "TA2")], recipe_key=engine.key)
    assert planned.run is not None
    assert [("TA1", SkipReason.SUPPRESSED)] == desk.all(
        "SELECT subject, reason FROM skips WHERE run_id = ?", planned.run.id
    )
    assert [("smsengine", "list-added")] == desk.all("SELECT actor, what FROM audit")


def test_reached_once_it_begins_anew(desk: Office, engine: Engine) -> None:
    for month, state in enumerate(("undelivered", "undelivered", "delivered", "undelivered"), 1):
        sent(desk, engine, month, state)
        looked(engine)
    assert ([], [(1,)]) == (alone(desk), desk.all("SELECT times FROM strikes"))


def test_a_run_counts_once(desk: Office, engine: Engine) -> None:
    """However often the duty is done, and whatever else says nothing of the phone."""
    sent(desk, engine, 1, "undelivered")
    for expected in (1, 0, 0):
        assert f"{expected} runs looked at, 0 phones are left alone" == looked(engine)
    sent(desk, engine, 2, "unconfirmed")
    looked(engine)
    assert [(1,)] == desk.all("SELECT times FROM strikes")


def test_receipts_have_three_days(desk: Office, engine: Engine) -> None:
    sent(desk, engine, 1, "undelivered")
    desk.clock.sleep(-2 * DAY.total_seconds())
    assert "0 runs looked at, 0 phones are left alone" == looked(engine)
