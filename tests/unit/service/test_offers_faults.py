"""Periods left out, runs left behind, defects, deposed leaders and a ledger that goes away."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from smsengine.clock import VIETNAM, ManualClock
from smsengine.errors import BusyError, DeposedError, LifecycleError, StoreAwayError, UsageError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.service import missed, sender
from smsengine.service.logs import Event
from smsengine.service.offers import Scheduled
from smsengine.store import runs
from smsengine.store.engine import Store
from smsengine.timetable import Firing, Monthly
from tests.conftest import START, execute
from tests.postgres import Server
from tests.unit.service.desk import JOB, ONE, SECOND, Desk
from tests.unit.service.standing import DAY, HOUR, MINUTE, installed

# -- left out on purpose ---------------------------------------------------------------------------


def skip(desk: Desk, period: str = "2019-06") -> int:
    return missed.skip(
        desk.engine,
        desk.engine.job(JOB),
        Period.parse(period),
        reason="merger",
        actor="truc",
    )


def test_a_period_that_is_skipped_is_not_sent(desk: Desk) -> None:
    skip(desk)
    desk.look(times=3, after=MINUTE)
    desk.look(11 * DAY)
    assert ([("2019-06", 1, RunState.MISSED)], []) == (desk.runs(), desk.alarms())


def test_a_job_that_waits_and_is_skipped_waits_no_more(desk: Desk) -> None:
    (desk.engine.settings.data / "c12-2019-06.csv").unlink()
    desk.look()
    skip(desk)
    assert None is desk.known().waits_for


def test_what_has_a_run_cannot_be_skipped(desk: Desk) -> None:
    desk.look()
    with pytest.raises(LifecycleError, match="runs cancel 1 --reason"):
        skip(desk)


def test_what_is_skipped_already_says_so(desk: Desk) -> None:
    skip(desk)
    with pytest.raises(LifecycleError, match="left out already"):
        skip(desk)


def test_what_is_being_planned_cannot_be_skipped(desk: Desk) -> None:
    """A cancel would not be lawful either, so none is offered."""
    said: list[str] = []

    def try_it() -> None:
        with pytest.raises(LifecycleError) as caught:
            skip(desk)
        said.append(str(caught.value))

    desk.while_planning = try_it
    desk.look()
    assert (ONE, ["It is being planned just now; try again when that has ended."]) == (
        desk.runs(),
        said,
    )


def test_a_skip_of_another_length_is_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match="is about a month"):
        skip(desk, "2019-06-01")


def test_people_told_by_hand_do_not_keep_a_period_from_being_skipped(desk: Desk) -> None:
    desk.plan(only=["TA0001Z"])
    skip(desk)
    desk.look()
    assert [("2019-06", 1, RunState.RELEASED), ("2019-06", 2, RunState.MISSED)] == desk.runs()


# -- runs that a dead process left planned ---------------------------------------------------------


def test_a_planned_run_that_was_left_is_released(desk: Desk) -> None:
    desk.plan()
    desk.look()
    assert ONE == desk.runs()


def test_a_planned_run_that_was_left_for_too_long_is_held(desk: Desk) -> None:
    run = desk.plan()
    desk.look(10 * DAY + SECOND)
    assert [("2019-06", 1, RunState.HELD)] == desk.runs()
    with desk.engine.store.read() as connection:
        assert "held" == runs.notes(connection, run.id)[-1]["what"]


def test_a_run_whose_seal_is_broken_is_held_and_not_read_again_and_again(desk: Desk) -> None:
    desk.plan()
    with desk.engine.store.write() as connection:
        execute(connection, "UPDATE messages SET text = 'Another text' WHERE id = 1")
    desk.look(times=3, after=MINUTE)
    with desk.engine.store.read() as connection:
        (run,) = runs.of_period(connection, JOB, "2019-06")
    assert (RunState.HELD, 1) == (run.state, desk.count(Event.RUN_HELD))
    assert "is not the sealed one" in run.held_because


def test_a_run_whose_job_has_gone_is_held_after_an_hour(desk: Desk) -> None:
    """Not at once: whoever sends by hand a job that this daemon has not read yet is at it."""
    desk.plan()
    (desk.engine.settings.jobs / f"{JOB}.yaml").unlink()
    desk.start()
    desk.look(HOUR)
    before = desk.runs()
    desk.look(SECOND)
    states = [each[0][2] for each in (before, desk.runs())]
    assert [RunState.PLANNED, RunState.HELD] == states


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_defect_in_one_job_does_not_keep_the_other(desk: Desk) -> None:
    """It is told without what it quotes, and tried again."""
    desk.another_job("hospital")
    desk.watch(job="hospital")
    desk.write(2, name="hospital-2019-06.csv")
    planned: list[int] = []

    def stumble() -> None:
        planned.append(1)
        if len(planned) == 1:
            raise ValueError("Kinh gui 0912345678")

    desk.while_planning = stumble
    desk.look()
    with desk.engine.store.read() as connection:
        assert ["hospital"] == [run.job for run in runs.newest(connection)]
    (alarm,) = desk.alarms()
    assert "smsengine stumbled (ValueError at test_offers_faults.py:" in alarm.text
    assert "0912345678" not in alarm.text + desk.known().waits_because
    desk.look(MINUTE)
    assert 2 == len(desk.runs())


def test_a_defect_outside_of_planning_is_told_once_a_day(desk: Desk) -> None:
    class Broken(Monthly):
        def next_after(self, after: datetime) -> Firing:
            raise KeyError(after)

    broken = desk.engine.job(JOB)
    timetable = Broken(day=1, at=START.astimezone(VIETNAM).time())
    desk.start(**{"aaa": Scheduled(loaded=broken, timetable=timetable)})
    desk.look(times=5, after=MINUTE)
    assert [("2019-06", 1, RunState.RELEASED)] == desk.runs()
    assert ["stumbled job aaa 2019-06-01"] == [alarm.key for alarm in desk.alarms()]
    assert 1 == desk.count(Event.JOB_BROKEN)


def test_an_extract_outside_of_its_folder_is_this_jobs_fault_alone(desk: Desk) -> None:
    path = desk.engine.settings.data / "c12-2019-06.csv"
    path.unlink()
    path.symlink_to("/etc/hostname")
    desk.look()
    assert ["waits c12-statement 2019-06 fault"] == [alarm.key for alarm in desk.alarms()]


def test_a_clock_that_was_set_back_puts_nothing_off(desk: Desk) -> None:
    """It was a day ahead when the extract was asked for."""
    path = desk.engine.settings.data / "c12-2019-06.csv"
    path.unlink()
    desk.look(DAY)
    desk.clock.sleep(-DAY.total_seconds())
    desk.write(3)
    desk.look(MINUTE)
    assert ONE == desk.runs()


def test_a_deposed_leader_plans_nothing(desk: Desk) -> None:
    """It was frozen before it planned; the other one plans, and one run is sent."""
    desk.clock.sleep(-HOUR.total_seconds())
    desk.look()
    desk.clock.sleep(HOUR.total_seconds())
    desk.leadership.renew(desk.clock.now())
    with desk.engine.store.write() as connection:
        execute(connection, "UPDATE leases SET until = 0")
    other = Desk(desk.engine, holder="there:2:2:2")
    other.leadership.renew(desk.clock.now())
    with pytest.raises(DeposedError):
        desk.offers.look()
    assert [] == desk.runs()
    other.offers.look()
    assert ONE == desk.runs()


def test_a_leader_deposed_while_it_planned_releases_nothing(desk: Desk) -> None:
    """The one who leads now finds the run sealed, and releases it."""

    def depose() -> None:
        with desk.engine.store.write() as connection:
            execute(connection, "UPDATE leases SET until = 0")

    desk.while_planning = depose
    with pytest.raises(DeposedError):
        desk.look()
    assert [("2019-06", 1, RunState.PLANNED)] == desk.runs()
    other = Desk(desk.engine, holder="there:2:2:2")
    other.look()
    assert ONE == desk.runs()


def test_a_period_that_got_a_run_in_the_meantime_is_left_to_it(desk: Desk) -> None:
    """Somebody left it out while a long table of contacts was read."""
    skip(desk)
    with pytest.raises(BusyError, match="has got a run in the meantime"):
        sender.plan(desk.engine, desk.request(revision=1), sender.Watch())
    assert [("2019-06", 1, RunState.MISSED)] == desk.runs()


def test_while_the_ledger_is_away_nothing_is_lost(
    postgres_server: Server, clock: ManualClock, tmp_path: Path
) -> None:
    """It goes away in the middle of planning; what was half there is thrown away later."""
    url = postgres_server.create_database()
    store = Store(url)
    engine = installed(store, clock, tmp_path / "installation")
    engine.prepare(store)
    desk = Desk(engine)
    desk.watch()
    desk.write(3)
    desk.while_planning = postgres_server.stop
    with pytest.raises(StoreAwayError):
        desk.look()
    with pytest.raises(StoreAwayError):
        desk.offers.look()
    postgres_server.start()
    desk.while_planning = lambda: None
    desk.look(2 * MINUTE)
    assert ONE == desk.runs()
    for opened in (store, engine.store):
        opened.close()
