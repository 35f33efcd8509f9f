"""What is due becomes one run; what is late is waited for, and what is too late is told."""

from __future__ import annotations

from datetime import datetime

import pytest

from smsengine.clock import VIETNAM
from smsengine.lifecycle import RunKind, RunState
from smsengine.service.logs import Event
from smsengine.service.offers import Scheduled
from smsengine.store import runs
from smsengine.timetable import Firing, Monthly
from tests.conftest import START, execute
from tests.unit.service.desk import JOB, ONE, SECOND, Desk
from tests.unit.service.standing import DAY, HOUR, MINUTE

# -- due -------------------------------------------------------------------------------------------


def test_what_is_due_is_planned_and_released_once(desk: Desk) -> None:
    desk.look(times=5, after=MINUTE)
    assert ONE == desk.runs()
    assert [Event.RUN_PLANNING, Event.RUN_PLANNED, Event.RUN_RELEASED] == [
        event for event, _ in desk.told
    ]
    assert [] == desk.alarms()


def test_a_daemon_that_knows_nothing_more_plans_nothing_more(desk: Desk) -> None:
    desk.look()
    desk.start()
    desk.look(HOUR)
    assert ONE == desk.runs()


def test_a_job_that_is_new_owes_nothing_of_old(desk: Desk) -> None:
    """It is known from now on, and due for the first time in July."""
    with desk.engine.store.write() as connection:
        execute(connection, "DELETE FROM watched")
    desk.look(SECOND)
    assert ([], START + SECOND) == (desk.runs(), desk.known().since)


def test_a_run_that_needs_approval_is_held_and_stays_so(desk: Desk) -> None:
    desk.rewrite_job("gateway: trial", "gateway: trial\napproval: required")
    desk.look(times=3, after=MINUTE)
    assert [("2019-06", 1, RunState.HELD)] == desk.runs()
    assert 1 == desk.count(Event.RUN_HELD)


class Remarking(Monthly):
    """Nobody knows the holidays of that year."""

    def next_after(self, after: datetime) -> Firing:
        return super().next_after(after)._replace(remark="2019 is not known.")


def test_a_day_that_could_not_be_moved_is_sent_and_told(desk: Desk) -> None:
    """The notice goes out on its own day."""
    timetable = Remarking(day=1, at=START.astimezone(VIETNAM).time())
    loaded = desk.engine.job(JOB)
    desk.start(**{JOB: Scheduled(loaded=loaded, timetable=timetable)})
    desk.look(times=3, after=MINUTE)
    assert ONE == desk.runs()
    (alarm,) = desk.alarms("remark ")
    assert alarm.text.startswith("c12-statement 2019-06: 2019 is not known.")


def test_a_few_people_told_by_hand_do_not_settle_the_month_for_all(desk: Desk) -> None:
    """Whoever tries a notice out on one employer the evening before loses nobody."""
    desk.clock.sleep(-HOUR.total_seconds())
    desk.plan(only=["TA0001Z"])
    desk.look(HOUR)
    assert [("2019-06", 1, RunState.RELEASED), ("2019-06", 2, RunState.RELEASED)] == desk.runs()
    with desk.engine.store.read() as connection:
        first, second = runs.of_period(connection, JOB, "2019-06")
    assert (RunKind.SUPPLEMENT, 1) == (first.kind, first.messages)
    assert (RunKind.REGULAR, 2) == (second.kind, second.messages)


def test_a_month_of_which_a_few_were_told_by_hand_can_be_missed(desk: Desk) -> None:
    desk.plan(only=["TA0001Z"])
    desk.look(11 * DAY)
    assert ("2019-06", 2, RunState.MISSED) in desk.runs()
    assert 1 == len(desk.alarms("missed "))


# -- extracts --------------------------------------------------------------------------------------


def test_a_late_extract_is_waited_for_and_told_after_an_hour(desk: Desk) -> None:
    path = desk.engine.settings.data / "c12-2019-06.csv"
    path.unlink()
    desk.look(MINUTE, times=59)
    assert ([], []) == (desk.runs(), desk.alarms())
    assert ("2019-06", True) == (desk.known().waits_for, "no file" in desk.known().waits_because)
    desk.look(MINUTE, times=180)
    assert ["waits c12-statement 2019-06 late"] == [alarm.key for alarm in desk.alarms()]
    assert "until 11/06/2019 08:00" in desk.alarms()[0].text
    desk.write(3)
    desk.look(10 * MINUTE)
    assert (ONE, None) == (desk.runs(), desk.known().waits_for)


def test_it_is_asked_for_ever_later(desk: Desk) -> None:
    """Once a minute at first, every ten minutes in the end, whatever the clock offers."""
    (desk.engine.settings.data / "c12-2019-06.csv").unlink()
    desk.look(10 * SECOND, times=60 * 6)
    assert (9, 1) == (desk.count(Event.RUN_WAITS), desk.count(Event.RUN_PLANNING))
    desk.write(3)
    desk.look(10 * MINUTE)
    assert 2 == desk.count(Event.RUN_PLANNING)


def test_a_wrong_extract_is_told_at_once_and_once(desk: Desk) -> None:
    path = desk.write(3)
    path.write_text("\n", encoding="utf-8")
    desk.touch(path, HOUR)
    desk.look(times=10, after=5 * MINUTE)
    assert ["waits c12-statement 2019-06 fault"] == [alarm.key for alarm in desk.alarms()]
    desk.write(3)
    desk.look(10 * MINUTE)
    assert ONE == desk.runs()


def test_a_file_that_grows_is_not_read(desk: Desk) -> None:
    for number in range(1, 6):
        desk.write(number, age=SECOND)
        desk.look(MINUTE - 2 * SECOND)
    assert ([], []) == (desk.runs(), desk.told)
    desk.look(30 * SECOND)
    assert ONE == desk.runs()


def test_a_file_that_grows_for_ever_is_told(desk: Desk) -> None:
    """Nobody would hear of it before its time is over."""
    for number in range(1, 140):
        desk.write(number, age=SECOND)
        desk.look(MINUTE / 2)
    assert ([], 1) == (desk.runs(), len(desk.alarms("waits ")))
    assert 0 == desk.count(Event.RUN_PLANNING)
    assert "changes all the time" in desk.known().waits_because
    desk.look(11 * MINUTE)
    assert ONE == desk.runs()


def test_two_looks_within_a_moment_prove_nothing(desk: Desk) -> None:
    """Two jobs that are due together make the clock tick twice."""
    path = desk.write(3, age=SECOND)
    desk.look(SECOND, times=3)
    assert [] == desk.runs()
    desk.touch(path, -HOUR)
    desk.look(SECOND)
    desk.look(20 * SECOND)
    assert ONE == desk.runs(), "also where the file's clock is ahead of ours"


def test_a_file_that_is_written_while_it_is_read_is_read_anew(desk: Desk) -> None:
    """Its time of change lies in the past: another machine's clock is behind."""

    def grow() -> None:
        desk.write(4)

    desk.while_planning = grow
    desk.look()
    assert [] == desk.runs()
    assert "changed while it was read" in desk.known().waits_because
    assert [] == desk.alarms()
    desk.while_planning = lambda: None
    desk.look(2 * MINUTE)
    assert ONE == desk.runs()


def test_the_extract_of_last_month_is_not_sent_for_this_one(desk: Desk) -> None:
    """A file whose name tells no period lies there until the new one comes."""
    desk.rewrite_job("c12-{period}.csv", "c12-2019-06.csv")
    desk.look()
    desk.look(30 * DAY)
    assert (ONE, "2019-07") == (desk.runs(), desk.known().waits_for)
    assert "has not changed since it was read for c12-statement 2019-06" in (
        desk.known().waits_because
    )
    desk.write(3, age=MINUTE)
    desk.look(2 * MINUTE)
    assert [*ONE, ("2019-07", 1, RunState.RELEASED)] == desk.runs()


# -- too late --------------------------------------------------------------------------------------


def test_what_is_too_late_is_missed_and_told_with_the_way_out(desk: Desk) -> None:
    desk.look(10 * DAY)
    desk.look(MINUTE, times=3)
    assert [("2019-06", 1, RunState.MISSED)] == desk.runs()
    (alarm,) = desk.alarms()
    assert ("missed c12-statement 2019-06", "urgent") == (alarm.key, alarm.grade)
    assert "due at 01/06/2019 08:00 and could begin until 11/06/2019 08:00" in alarm.text
    assert alarm.text.endswith("smsengine send c12-statement --period 2019-06")


def test_what_was_waited_for_in_vain_says_why(desk: Desk) -> None:
    (desk.engine.settings.data / "c12-2019-06.csv").unlink()
    desk.look()
    desk.look(10 * DAY)
    (alarm,) = desk.alarms("missed ")
    assert "There is no file data/c12-2019-06.csv" in alarm.text
    desk.look(MINUTE)
    assert None is desk.known().waits_for


def test_just_in_time_is_not_too_late(desk: Desk) -> None:
    desk.look(10 * DAY - SECOND)
    assert ONE == desk.runs()


def test_a_period_that_is_sent_by_hand_just_now_is_not_missed(desk: Desk) -> None:
    """The person who is at it does what the clock did not."""
    with desk.engine.store.write() as connection:
        execute(
            connection,
            "INSERT INTO runs (job, topic, owner, period, revision, kind, state, gateway, priority,"
            " planner, planner_until, created_at) VALUES (?, ?, 'central', '2019-06', 1, 'regular',"
            " 'planning', 'trial', 5, 'elsewhere:1:1:1', '2030-01-01 00:00:00',"
            " '2019-06-01 00:00:00')",
            JOB,
            JOB,
        )
    desk.look(11 * DAY)
    assert ([("2019-06", 1, RunState.PLANNING)], []) == (desk.runs(), desk.alarms())


def test_times_that_change_make_nothing_of_old_due(desk: Desk) -> None:
    """Nobody hears of the fifteenth of each month of the year before."""
    with desk.engine.store.write() as connection:
        execute(connection, "UPDATE watched SET since = '2018-06-01 00:00:00', times = 'day 1'")
    desk.rewrite_job("{day: 1,", "{day: 15,")
    desk.look()
    assert ([], [], START - 10 * DAY) == (desk.runs(), desk.alarms(), desk.known().since)


# -- again and again -------------------------------------------------------------------------------


@pytest.fixture
def minutely(desk: Desk) -> Desk:
    """The same every minute, about the day."""
    desk.rewrite_job('{day: 1, at: "08:00"}', "{every: 1 minutes}")
    desk.rewrite_job("period: current-month", "period: current-day")
    desk.write(3, name="c12-2019-06-01.csv")
    with desk.engine.store.write() as connection:
        execute(connection, "UPDATE watched SET since = '2019-06-01 00:59:00'")
    return desk


def test_whoever_is_new_is_told_with_the_next_firing(minutely: Desk) -> None:
    minutely.look()
    minutely.write(5, name="c12-2019-06-01.csv")
    minutely.look(MINUTE)
    with minutely.engine.store.read() as connection:
        found = runs.of_period(connection, JOB, "2019-06-01")
    assert [(1, 3), (2, 2)] == [(run.revision, run.messages) for run in found]


def test_a_minute_in_which_nobody_is_new_leaves_nothing(minutely: Desk) -> None:
    """A year of them would fill the ledger."""

    def size() -> list[int]:
        tables = ("runs", "messages", "skips", "events", "alarms", "duties", "members", "watched")
        with minutely.engine.store.read() as connection:
            return [
                int(execute(connection, f"SELECT count(*) FROM {table}").scalar_one())
                for table in tables
            ]

    minutely.look(times=2, after=MINUTE)
    before = size()
    minutely.look(30 * SECOND, times=60)
    assert before == size()


def test_what_a_person_decided_about_is_not_planned_again(minutely: Desk) -> None:
    minutely.look()
    with minutely.engine.store.write() as connection:
        runs.move(connection, runs.newest(connection)[0].id, RunState.CANCELLED)
    minutely.write(5, name="c12-2019-06-01.csv")
    minutely.look(MINUTE, times=3)
    assert [("2019-06-01", 1, RunState.CANCELLED)] == minutely.runs()


def test_an_extract_that_is_missing_all_morning_is_told(minutely: Desk) -> None:
    """Each minute is a new firing; what was due first is what is late."""
    (minutely.engine.settings.data / "c12-2019-06-01.csv").unlink()
    minutely.look(MINUTE, times=75)
    assert ["waits c12-statement 2019-06-01 late"] == [alarm.key for alarm in minutely.alarms()]


def test_a_supplement_that_cannot_be_planned_shows_that_it_waits(minutely: Desk) -> None:
    minutely.look()
    (minutely.engine.settings.data / "c12-2019-06-01.csv").unlink()
    minutely.look(MINUTE)
    minutely.look(SECOND)
    assert "2019-06-01" == minutely.known().waits_for
