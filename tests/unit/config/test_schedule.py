"""``schedule`` and ``catch_up`` of a job as people write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smsengine.clock import VIETNAM
from smsengine.config.job import Job, load_job
from smsengine.errors import ConfigError
from smsengine.workdays import Workdays

JOB = """\
title: Kết quả đóng
topic: c12-statement
schedule: {SCHEDULE}
period: PERIOD
source: {kind: csv, path: "c12-{period}.csv"}
columns: {code: {from: ma, type: code}}
recipient: {subject: code, phones: [dien_thoai]}
gateway: trial
guards: {max_cost: 2.000.000}
"""

Load = Callable[..., Job]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a job with a schedule and read it."""

    def read(schedule: str, period: str = "current-month", more: str = "") -> Job:
        path = tmp_path / "c12-statement.yaml"
        text = JOB.replace("SCHEDULE", schedule).replace("PERIOD", period) + more
        path.write_text(text, encoding="utf-8")
        return load_job(path, jobs=tmp_path, templates=tmp_path, data=tmp_path)[0].job

    return read


def refused(load: Load, *job: str) -> str:
    """What is said of a job that is wrong: line, key and sentence."""
    with pytest.raises(ConfigError) as caught:
        load(*job)
    assert "\n" not in str(caught.value)
    return str(caught.value).rpartition(".yaml:")[2]


@pytest.mark.parametrize(
    ("schedule", "period", "said", "due"),
    [
        ('day: 1, at: "08:00"', "current-month", "day 1 at 08:00", "2024-03-01 08:00"),
        ("day: month_end, at: 17:30", "current-month", "month end at 17:30", "2024-02-29 17:30"),
        (
            "day: 10, at: 08:00, shift: next-working-day",
            "previous-month",
            "day 10 at 08:00, next-working-day",
            "2024-02-15 08:00",
        ),
        (
            "day: 10, at: 08:00, shift: previous-working-day",
            "previous-month",
            "day 10 at 08:00, previous-working-day",
            "2024-02-07 08:00",
        ),
        ("every: day, at: 07:30", "previous-day", "every day at 07:30", "2024-02-03 07:30"),
        ("every: 15 minutes", "current-day", "every 15 minutes", "2024-02-03 00:15"),
        ("every: 1 minute", "current-day", "every 1 minutes", "2024-02-03 00:01"),
        ('cron: "0 8 * * mon-fri"', "previous-day", "cron 0 8 * * mon-fri", "2024-02-05 08:00"),
        ('cron: "0 8 1 */3 *"', "previous-month", "cron 0 8 1 */3 *", "2024-04-01 08:00"),
    ],
)
def test_each_form_is_read_and_shown(
    load: Load, schedule: str, period: str, said: str, due: str
) -> None:
    """Asked on 3 February 2024, just before Tết."""
    read = load(schedule, period).schedule
    firing = read.timetable(Workdays()).next_after(datetime(2024, 2, 3, tzinfo=VIETNAM))
    assert firing is not None
    assert (said, due) == (str(read), f"{firing.at.astimezone(VIETNAM):%Y-%m-%d %H:%M}")


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("", "3: schedule: needs one of day, every, cron and on, and not more than one."),
        ("at: 08:00", "3: schedule: needs one of day, every, cron and on, and not more than one."),
        ("day: 1, every: day, at: 08:00", "3: schedule: needs one of day, every, cron and on, and"),
        (
            'day: 1, at: 08:00, cron: "0 8 1 * *"',
            "3: schedule: needs one of day, every, cron and on",
        ),
        ("day: 1", "3: schedule: needs at: the hour, such as 08:00."),
        ("every: day", "3: schedule: needs at: the hour, such as 08:00."),
        ("every: 15 minutes, at: 08:00", "3: schedule: at goes with a day of the month or every"),
        ('cron: "0 8 1 * *", at: 08:00', "3: schedule: at goes with a day of the month or every"),
        ("every: day, at: 08:00, shift: next-working-day", "3: schedule: shift goes with a day of"),
        ("day: 1, at: 08:00, shift: monday", "3: schedule.shift: is 'monday'; it must be 'none', "),
        ("day: 0, at: 08:00", "3: schedule.day: is '0'; write a day from 1 to 31, or month_end."),
        ("day: 1.5, at: 08:00", "3: schedule.day: is '1.5'; write a day from 1 to 31, or"),
        ("day: 1, at: 8:00", "3: schedule.at: is '8:00'; write the hour as 08:00."),
        ("every: month", "3: schedule.every: is 'month'; write day, or 1 minutes to 720 minutes."),
        ("every: 0 minutes", "3: schedule.every: is '0 minutes'; write day, or 1 minutes to"),
        ("every: 721 minutes", "3: schedule.every: is '721 minutes'; write day, or 1 minutes"),
        ('cron: "0 8 * * 1"', "3: schedule.cron: is '0 8 * * 1'; the weekday is '1', expected a"),
        ("hour: 8", "3: schedule.hour: is not a known key; the keys here are: at, cron, day, ever"),
    ],
)
def test_a_wrong_schedule_names_its_place(load: Load, schedule: str, said: str) -> None:
    """Every error says line, key, value and what was expected."""
    assert refused(load, schedule, "current-day").startswith(said)


@pytest.mark.parametrize(
    "schedule",
    [
        "every: day, at: 08:00",
        "every: 15 minutes",
        'cron: "0 8 * * mon"',
        'cron: "0 8 1,15 * *"',
        'cron: "0 8,16 1 * *"',
        'cron: "0 8 1,29 2 *"',
    ],
)
def test_a_month_is_not_due_several_times(load: Load, schedule: str) -> None:
    """Whoever writes such a schedule means other periods, or one day."""
    assert (
        "3: schedule: is due several times a month, and a notice about the previous-month is sent"
        " once a month; name one day." == refused(load, schedule, "previous-month")
    )


@pytest.mark.parametrize("schedule", ['cron: "0 8 last * *"', 'cron: "0 8 29 2 *"'])
def test_a_cron_that_is_due_once_a_month_may_tell_of_one(load: Load, schedule: str) -> None:
    """The expression itself counts, not that it is one."""
    assert "cron" in str(load(schedule, "previous-month").schedule)


@pytest.mark.parametrize(
    ("schedule", "period", "more", "expected"),
    [
        ("day: 1, at: 08:00", "current-month", "", timedelta(days=10)),
        ('cron: "0 8 1 * *"', "current-month", "", timedelta(days=10)),
        ("every: day, at: 08:00", "previous-day", "", timedelta(hours=12)),
        ('cron: "0 8 * * mon"', "previous-day", "", timedelta(hours=12)),
        ("day: 1, at: 08:00", "previous-day", "", timedelta(hours=12)),
        ("every: 15 minutes", "current-day", "", timedelta(minutes=15)),
        ("day: 1, at: 08:00", "current-month", "catch_up: 36 hours\n", timedelta(hours=36)),
        ("day: 1, at: 08:00", "current-month", "catch_up: none\n", timedelta(minutes=5)),
    ],
)
def test_how_late_a_run_may_begin(
    load: Load, schedule: str, period: str, more: str, expected: timedelta
) -> None:
    """It follows from what the notice is about, unless the job says it."""
    assert expected == load(schedule, period, more).catch_up_after()


@pytest.mark.parametrize("value", ["0 days", "never", "10", "400 days"])
def test_a_wrong_catch_up_names_its_place(load: Load, value: str) -> None:
    """A time, or none."""
    said = refused(load, "day: 1, at: 08:00", "current-month", f"catch_up: {value}\n")
    assert said.startswith(f"10: catch_up: is '{value}'; write a time such as 36 hours")
