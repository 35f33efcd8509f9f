"""The morning report says everything that needs a look, and says so when nothing does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smsengine.config.job import Guards
from smsengine.gateways.base import Balance
from smsengine.lifecycle import Grade
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import do_due
from smsengine.service.morning import compose, morning_duty
from smsengine.service.morning_report import Account, Report, render
from smsengine.store import alarms, duties, lanes, runs, watched
from tests.conftest import START, Office, rows
from tests.unit.service.listeners import hook_server
from tests.unit.service.standing import HOUR, MACHINE, break_off, installed, keys, refuse

#: 07:00 on 2 June 2019 in Vietnam.
MORNING = datetime(2019, 6, 2, 0, 0, tzinfo=UTC)
NEXT = {
    "c12-statement": datetime(2019, 7, 1, 1, 0, tzinfo=UTC),
    "01-hanoi/daily": datetime(2019, 6, 2, 1, 30, tzinfo=UTC),
}
_SIMULATED = "  sim: {kind: simulated, prices: [{from: 2019-01-01, per_segment: 850}]}\n"


@pytest.fixture
def engine(office: Office, tmp_path: Path) -> Iterator[Engine]:
    """An installation with two gateways, of which one has receipts."""
    made = installed(office.store, office.clock, tmp_path / "installation", _SIMULATED)
    yield made
    made.store.close()


def report(engine: Engine, now: datetime = MORNING) -> Report:
    """What there is to say, with a disk that is the same everywhere."""
    found = compose(engine, now, next_fires=NEXT, broken={})
    return replace(found, free_bytes=120 * 2**30)


def test_nothing_happened_is_said(engine: Engine) -> None:
    """Silence would mean that nobody is there."""
    assert _EMPTY == render(report(engine))


_EMPTY = """\
Morning report of 02/06/2019: nothing needs a look.

RUNS SINCE 01/06/2019 07:00
- nothing

DUE TODAY
- 08:30 01-hanoi/daily

NEXT TIMES
- 02/06/2019 08:30 01-hanoi/daily
- 01/07/2019 08:00 c12-statement (Kết quả đóng)

ALARMS SINCE THEN
- nothing

UPKEEP
- 120.0 GiB free on disk"""


# -- everything at once ----------------------------------------------------------------------------


def go_wrong(office: Office) -> None:
    """All that a report can tell of happens on 1 June."""
    office.released(rows(10))
    _settle(office)
    office.planned(
        rows(3),
        job="hospital-summary",
        guards=Guards(money="paid", max_cost=100),
        recipe_topic="hospital-summary",
    )
    stopped = office.released(rows(2), job="daily", recipe_topic="daily")
    with office.store.write() as connection:
        because = "The gateway refused 10 messages in a row (content 304 'Kinh gui 0912345678')."
        runs.stop(connection, stopped.id, because=because, at=START, actor=MACHINE)
        for job, values in _NOT_SENT.items():
            runs.insert_missed(connection, _row(job) | values)
        watched.begin(connection, "01-hanoi/daily", since=START)
        watched.wait(
            connection, "01-hanoi/daily", period="2019-06-01", because="daily.csv is not there yet."
        )
        duties.note(connection, "backup", at=MORNING - 4 * HOUR, said="14 kept")
        duties.note(connection, "watch", at=MORNING, said="0 new, 0 over")
        lanes.ensure(connection, "sim")
    break_off(office, 3)
    refuse(office.store, "1002: so du khong du")
    _sound(office)


def _settle(office: Office) -> None:
    """Three were delivered, one by a gateway without receipts, three have none, and so on."""
    for state, gateway, places in (
        ("delivered", "sim", (1, 3)),
        ("accepted", "trial", (4, 4)),
        ("accepted", "sim", (5, 7)),
        ("unknown", "trial", (8, 9)),
        ("rejected", "trial", (10, 10)),
    ):
        office.change(
            "UPDATE messages SET state = ?, gateway = ?, settled_at = ?, unknown_since = ?"
            " WHERE place >= ? AND place <= ?",
            *(state, gateway, MORNING - 25 * HOUR, MORNING - 7 * HOUR, *places),
        )


_NOT_SENT = {
    "quarterly": {"held_because": "It was due at 01/06/2019 08:00."},
    "on-purpose": {"reason": "no figures this month"},
}


def _row(job: str) -> dict[str, object]:
    return {
        "job": job,
        "topic": job,
        "owner": "central",
        "period": "2019-05",
        "revision": 1,
        "gateway": "trial",
        "priority": 5,
        "created_at": START,
        "finished_at": START,
    }


def _sound(office: Office) -> None:
    with office.store.write() as connection:
        for number, grade in enumerate((Grade.URGENT, Grade.NOTE)):
            alarms.sound(
                connection,
                key=f"alarm {number}",
                at=START + number * HOUR,
                grade=grade,
                text=f"Alarm {number} of 0912345678.\nDo something.",
            )
        alarms.told(connection, 1, at=START)
        alarms.put_off(connection, alarms.untold(connection, now=MORNING)[0], until=MORNING)


def test_everything_is_said(office: Office, engine: Engine) -> None:
    """What needs a look comes first, each with what to do; no number and no text stands in it."""
    go_wrong(office)
    accounts = [
        Account(
            gateway="sim",
            balance=Balance(amount=9_000, currency="VND", at=MORNING),
            fault="",
            job="c12-statement",
            estimate=17_000,
        ),
        Account(gateway="trial", balance=None, fault="mail.example.vn does not answer."),
    ]
    found = replace(report(engine), accounts=accounts, broken={"10-hue/x": "x.yaml:7: is missing."})
    assert _FULL == render(found)


_FULL = """\
Morning report of 02/06/2019: 12 things need a look.

NEEDS A LOOK
- hospital-summary 2019-06 is held: It would cost 2.550 dong; the limit is 100. Look: smsengine \
runs show 2
- daily 2019-06 is paused: The gateway refused 10 messages in a row (content 304). Look: \
smsengine runs show 3
- quarterly 2019-05 was missed: It was due at 01/06/2019 08:00. Send it all the same: smsengine \
send quarterly --period 2019-05
- 01-hanoi/daily 2019-06-01 waits: daily.csv is not there yet.
- The job 10-hue/x cannot be read: x.yaml:7: is missing.
- 2 messages of c12-statement 2019-06 unknown for more than 6 hours, the oldest since 02/06/2019 \
00:00. Look: smsengine runs show 1
- 3 messages of c12-statement 2019-06 without a receipt of sim for more than a day, the oldest \
since 01/06/2019 06:00
- Gateway trial refuses our account (code 1002). When it is mended: smsengine gateways resume \
trial
- Gateway sim gives no usable answer. Look: smsengine gateways check sim
- Too little money for the next run. sim: 9.000 VND left; the last run of c12-statement cost \
17.000 dong
- Gateway trial cannot be asked: mail.example.vn does not answer.
- 1 alarm could not be told yet. Is mail in order?

RUNS SINCE 01/06/2019 07:00
- c12-statement 2019-06 (run 1): released; 10 messages: 4 accepted, 3 delivered, 1 rejected, 2 \
unknown; 8.500 dong
- hospital-summary 2019-06 (run 2): held; 3 messages: 3 queued; 2.550 dong
- daily 2019-06 (run 3): paused; 2 messages: 2 queued; 1.700 dong
- quarterly 2019-05 (run 4): missed
- on-purpose 2019-05 (run 5): skipped on purpose: no figures this month

DUE TODAY
- 08:30 01-hanoi/daily

NEXT TIMES
- 02/06/2019 08:30 01-hanoi/daily
- 01/07/2019 08:00 c12-statement (Kết quả đóng)

MONEY
- sim: 9.000 VND left; the last run of c12-statement cost 17.000 dong
- trial: cannot be asked

ALARMS SINCE THEN
- 01/06/2019 08:00 urgent: Alarm 0 of 091***5678.
- 01/06/2019 09:00 note: Alarm 1 of 091***5678.

UPKEEP
- backup: 02/06/2019 03:00, 14 kept
- 120.0 GiB free on disk"""


def test_a_report_is_about_the_time_since_the_last_one(office: Office, engine: Engine) -> None:
    """What is over was told; what is not over is told every morning until it is."""
    go_wrong(office)
    with office.store.write() as connection:
        alarms.sound(
            connection, key="morning-report 2019-06-02", at=MORNING, grade=Grade.NOTE, text="x"
        )
    found = report(engine, MORNING + 24 * HOUR)
    assert MORNING == found.since
    assert [] == [*found.alarms]
    assert {"released", "held", "paused"} == {line.run.state for line in found.runs}
    assert Counter(delivered=3, accepted=4, unknown=2, rejected=1) == found.runs[0].states


def test_many_lines_are_counted_and_not_listed(engine: Engine) -> None:
    """A report is read on a phone."""
    broken = {f"job-{number}": "is broken." for number in range(40)}
    said = render(replace(report(engine), broken=broken))
    assert "40 things need a look." in said
    assert "- The job job-29 cannot be read: is broken.\n- and 10 more\n" in said


def test_a_full_disk_and_untold_alarms_need_a_look(engine: Engine) -> None:
    """Both are the report's own business, too."""
    said = render(replace(report(engine), free_bytes=2**30, untold=1))
    assert "- Little room: 1.0 GiB free on disk." in said
    assert "- 1 alarm could not be told yet. Is mail in order?" in said


# -- money -----------------------------------------------------------------------------------------

_VENDOR = """\
  vendor:
    kind: http
    url: {url}/send
    fields: {{to: "{{to}}", text: "{{text}}"}}
    answer: {{code: code, success: "0"}}
    balance: {{url: "{url}/balance", amount: left}}
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""


@pytest.mark.parametrize(("left", "is_short"), [(8_499, True), (8_500, False)])
def test_what_is_left_is_held_against_the_last_run_of_the_next_job(
    office: Office, tmp_path: Path, left: int, is_short: bool
) -> None:
    """A person pays in before the first of the month, not after."""
    office.released(rows(10))
    with hook_server() as book:
        book.status, book.answer = 200, b'{"left": %d}' % left
        folder = tmp_path / "installation"
        made = installed(office.store, office.clock, folder, _VENDOR.format(url=book.url))
        job = folder / "jobs" / "c12-statement.yaml"
        job.write_text(job.read_text().replace("gateway: trial", "gateway: vendor"))
        later = job.read_text().replace("topic: c12-statement", "topic: later")
        job.with_name("later.yaml").write_text(later)
        fires = NEXT | {"later": NEXT["c12-statement"] + HOUR}
        found = compose(made, MORNING, next_fires=fires, broken={}).accounts
        made.store.close()
    assert [("vendor", "c12-statement", 8_500)] == [(a.gateway, a.job, a.estimate) for a in found]
    assert is_short is found[0].is_short


def test_a_gateway_that_does_not_say_what_is_left_needs_a_look(
    office: Office, tmp_path: Path
) -> None:
    """It keeps nobody from the rest of the report."""
    with hook_server() as book:
        book.status = 500
        more = _VENDOR.format(url=book.url)
        made = installed(office.store, office.clock, tmp_path / "installation", more)
        said = render(report(made))
        made.store.close()
    assert "- Gateway vendor cannot be asked: " in said


# -- the duty --------------------------------------------------------------------------------------


def test_it_is_written_once_a_day_whichever_machine_leads(office: Office, engine: Engine) -> None:
    """At seven, and also when the daemon starts later; one before seven is yesterday's."""
    duty = morning_duty(engine, next_fires=lambda _now: NEXT, broken=dict)
    hours = (-1, 0, 0.5, 23.9, 24, 60)
    did = [
        do_due(office.store, [duty], MORNING + timedelta(hours=number)) != [] for number in hours
    ]
    assert [True, True, False, False, True, True] == did
    days = ("01", "02", "03", "04")
    assert [f"morning-report 2019-06-{day}" for day in days] == keys(office.store)
    assert [("warning",)] * 4 == office.all("SELECT grade FROM alarms")


def test_a_second_machine_writes_no_second_report(office: Office, engine: Engine) -> None:
    """Its key is the day."""
    duty = morning_duty(engine, next_fires=lambda _now: NEXT, broken=dict)
    assert ["written", "was written before"] == [duty.do(MORNING), duty.do(MORNING)]
    assert 1 == len(keys(office.store))
