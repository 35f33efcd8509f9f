"""A person lets a machine work on a ledger; what may have been sent is stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smsengine.errors import StoreAwayError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.service import fence, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.sender import Watch
from smsengine.store import watched
from tests.conftest import START, row
from tests.unit.service.machine import (
    another,
    change,
    counts,
    file_of,
    office,
    remembered,
    request,
    set_back,
)


def states(engine: Engine) -> list[str]:
    return [line[0] for line in office(engine).all("SELECT state FROM runs ORDER BY id")]


def in_every_state(engine: Engine) -> None:
    """A planned, a released, a sending and a finished run, and a job that the clock knows."""
    for number, period in enumerate(("2019-03", "2019-04", "2019-05", "2019-06")):
        work = office(engine)
        given = [row(number + 2)]
        plan = work.planned if period == "2019-03" else work.released
        plan(given, recipe_period=Period.parse(period))
    change(engine, "UPDATE runs SET state = 'sending' WHERE id = 3")
    change(engine, "UPDATE runs SET state = 'finished' WHERE id = 4")
    with engine.store.write() as connection:
        watched.begin(connection, "c12-statement", since=START - timedelta(days=90))


def since(engine: Engine) -> list[timedelta]:
    """How long ago the clock began to look after each job."""
    with engine.store.read() as connection:
        return [START - each.since for each in watched.all_jobs(connection).values()]


STOPPED = ["held", "paused", "paused", "finished"]
UNTOUCHED = ["planned", "released", "sending", "finished"]


def test_adopting_an_older_copy_stops_what_may_have_been_sent(engine: Engine) -> None:
    """Every run that would go on by itself; and the clock begins anew."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    said = fence.adopt(engine, "person")
    assert (STOPPED, [timedelta(0)]) == (states(engine), since(engine))
    assert [
        "This machine works on this ledger from now on.",
        "Run 2 (c12-statement 2019-04) is paused.",
        "Run 3 (c12-statement 2019-05) is paused.",
        "Run 1 (c12-statement 2019-03) is held.",
        "The clock sends only what becomes due from now on, of all jobs: c12-statement.",
    ] == said[:5]
    assert "does not know what was sent" in said[5]


def test_what_adopting_stopped_says_why(engine: Engine) -> None:
    """Whoever wants to go on with a run reads it, and who stopped it."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    fence.adopt(engine, "person")
    because = "The ledger was restored or copied; what was sent since is not known."
    assert [(because,)] * 3 == office(engine).all(
        "SELECT held_because FROM runs WHERE id < 4 ORDER BY id"
    )
    assert [("held", "person"), ("paused", "person"), ("paused", "person")] == office(engine).all(
        "SELECT what, actor FROM events WHERE detail = ? ORDER BY run_id", because
    )


def test_an_adopted_ledger_is_used_as_before(engine: Engine) -> None:
    """The machine has a new name in it, and its old one is gone."""
    fence.beat(engine)
    old = remembered(engine)["token"]
    set_back(engine)
    fence.adopt(engine, "person")
    assert ("", "", [2]) == (fence.check(engine), fence.beat(engine), counts(engine))
    assert old != remembered(engine)["token"]


def test_what_adopting_would_do_is_shown_before(engine: Engine) -> None:
    """The same sentences, and nothing is changed yet."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    shown = fence.adoption(engine).sentences()
    untouched = states(engine)
    assert (UNTOUCHED, shown) == (untouched, fence.adopt(engine, "person"))


def test_adopting_what_belongs_does_nothing(engine: Engine) -> None:
    """Typed once too often, it stops no run."""
    fence.beat(engine)
    in_every_state(engine)
    said = fence.adopt(engine, "person")
    assert (UNTOUCHED, [1]) == (states(engine), counts(engine))
    assert ["This machine belongs to this ledger already; there is nothing to do."] == said


def test_adopting_a_new_ledger_stops_nothing(engine: Engine) -> None:
    """An installation from before the fence has runs, and nobody in it."""
    in_every_state(engine)
    fence.adopt(engine, "person")
    assert (UNTOUCHED, [1], "") == (states(engine), counts(engine), fence.check(engine))


def test_adopting_a_copy_stops_what_may_have_been_sent(engine: Engine) -> None:
    """Also on a shared ledger where no other machine is at work: it may be a copy."""
    fence.beat(engine)
    in_every_state(engine)
    change(engine, "UPDATE members SET seen_at = seen_at - 3600")
    fence.adopt(another(engine), "person")
    assert (STOPPED, "") == (states(engine), fence.check(another(engine)))


def test_a_second_machine_that_joins_others_at_work_stops_nothing(
    postgres_engine: Engine,
) -> None:
    """They know what was sent."""
    fence.beat(postgres_engine)
    in_every_state(postgres_engine)
    second = another(postgres_engine)
    fence.adopt(second, "person")
    assert (UNTOUCHED, "", "") == (
        states(postgres_engine),
        fence.beat(second),
        fence.beat(postgres_engine),
    )


def test_an_older_copy_is_one_even_while_others_are_at_work(postgres_engine: Engine) -> None:
    """All machines of a restored database find it older; the first to be adopted is at work."""
    second = another(postgres_engine)
    fence.beat(postgres_engine)
    fence.adopt(second, "person")
    in_every_state(postgres_engine)
    fence.beat(second)
    set_back(postgres_engine)
    fence.adopt(second, "person")
    assert (STOPPED, "is older" in fence.check(postgres_engine)) == (states(second), True)


def test_a_file_that_cannot_be_written_leaves_the_fence_up(engine: Engine) -> None:
    """The disk is full in the middle of adopting: it is adopted again, and not less careful."""
    fence.beat(engine)
    in_every_state(engine)
    set_back(engine)
    obstacle = file_of(engine).with_name("member.new")
    obstacle.mkdir()
    with pytest.raises(StoreAwayError, match="cannot be used"):
        fence.adopt(engine, "person")
    change(engine, "UPDATE runs SET state = 'sending' WHERE id = 3")
    up = fence.check(engine)
    obstacle.rmdir()
    fence.adopt(engine, "person")
    assert (True, STOPPED, "") == ("is older" in up, states(engine), fence.check(engine))


def test_a_run_that_adopting_paused_is_gone_on_with(engine: Engine) -> None:
    """When a person has looked, the run is sent as always."""
    planned = sender.plan(engine, request(engine), Watch())
    assert planned.run is not None
    sender.release_run(engine, planned.run, "person")
    set_back(engine)
    fence.adopt(engine, "person")
    run = office(engine).run(planned.run.id)
    assert RunState.PAUSED is run.state
    release.resume(engine.store, run, clock=engine.clock, actor="person")
    sender.send_run(engine, office(engine).run(run.id), Watch())
    assert RunState.FINISHED is office(engine).run(run.id).state
