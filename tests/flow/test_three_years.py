"""Three years of both monthly notices on a clock that is moved by hand.

The daemon's own parts do the work: timetables, offers, lead, fence, planner, lanes. Outages, late
extracts, a skipped month, a clock that is set back, a restored copy and a leader that was frozen
come in between. What the gateway really took is held against a calendar that was worked out by
hand, and so is the ledger.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import defaultdict
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from smsengine.clock import VIETNAM, ManualClock
from smsengine.errors import DeposedError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.reports.accounts import account
from smsengine.service import fence, missed
from smsengine.service.backups import backup
from smsengine.service.bootstrap import Engine
from smsengine.service.leader import Leadership
from smsengine.service.offers import Offers
from smsengine.service.roster import read_roster
from smsengine.store import alarms, runs
from smsengine.store.engine import Store

FIRST, LAST = date(2022, 1, 1), date(2025, 1, 1)
#: Day 1 and day 6 that were days off, and the next working day; worked out from wall calendars.
MOVED = {
    "2022-01-01": "2022-01-04",
    "2022-02-01": "2022-02-07",
    "2022-02-06": "2022-02-07",
    "2022-03-06": "2022-03-07",
    "2022-05-01": "2022-05-04",
    "2022-08-06": "2022-08-08",
    "2022-09-01": "2022-09-05",
    "2022-10-01": "2022-10-03",
    "2022-11-06": "2022-11-07",
    "2023-01-01": "2023-01-03",
    "2023-04-01": "2023-04-03",
    "2023-05-01": "2023-05-04",
    "2023-05-06": "2023-05-08",
    "2023-07-01": "2023-07-03",
    "2023-08-06": "2023-08-07",
    "2023-09-01": "2023-09-05",
    "2023-10-01": "2023-10-02",
    "2024-01-01": "2024-01-02",
    "2024-01-06": "2024-01-08",
    "2024-04-06": "2024-04-08",
    "2024-05-01": "2024-05-02",
    "2024-06-01": "2024-06-03",
    "2024-07-06": "2024-07-08",
    "2024-09-01": "2024-09-04",
    "2024-10-06": "2024-10-07",
    "2024-12-01": "2024-12-02",
}
EMPLOYERS, FACILITIES = "employers", "facilities"
#: From and to; nobody is up in between.
OUTAGES = [
    ("2022-03-01 00:00", "2022-03-03 12:00"),
    ("2022-08-01 00:00", "2022-08-20 09:00"),
    ("2023-03-20 00:00", "2023-07-03 09:00"),
]
#: When an extract came that was not there on its day.
LATE = {(FACILITIES, "2022-10"): "2022-11-12 10:00", (EMPLOYERS, "2022-12"): "2022-12-20 10:00"}
#: What becomes of what is not sent on its day; None for nothing at all.
OTHERWISE: dict[tuple[str, str], str | None] = {
    (EMPLOYERS, "2022-03"): "2022-03-03",
    (EMPLOYERS, "2022-08"): None,
    (FACILITIES, "2022-07"): None,
    (FACILITIES, "2022-10"): "2022-11-12",
    (EMPLOYERS, "2022-12"): None,
    (FACILITIES, "2023-03"): None,
    (EMPLOYERS, "2023-04"): None,
    (FACILITIES, "2023-04"): None,
    (EMPLOYERS, "2023-05"): None,
    (FACILITIES, "2023-05"): None,
    (EMPLOYERS, "2023-06"): None,
    (EMPLOYERS, "2023-10"): None,
}
SKIPPED = (EMPLOYERS, "2023-10")
#: Sent after the copy was made that is restored later: nobody may be told again.
AFTER_THE_COPY = [(EMPLOYERS, "2024-06"), (FACILITIES, "2024-05")]
_JOB = """\
title: {name}
topic: {name}
schedule: {{day: {day}, at: "08:00", shift: next-working-day}}
period: {rule}
source: {{kind: csv, path: "{name}-{{period}}.csv"}}
columns: {{code: {{from: code, type: code}}, month: {{from: month, type: code}}}}
recipient: {{subject: code, phones: [phone]}}
template: notice.j2
gateway: file
guards: {{max_cost: 1.000.000}}
"""


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


class Years:
    """One installation, whoever is up in it, and what its gateway took on which day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(local("2021-12-31 12:00"))
        for name in ("jobs", "data", "templates"):
            (folder / name).mkdir()
        for name, day, rule in (
            (EMPLOYERS, 1, "current-month"),
            (FACILITIES, 6, "previous-month"),
        ):
            text = _JOB.format(name=name, day=day, rule=rule)
            (folder / "jobs" / f"{name}.yaml").write_text(text)
        (folder / "templates" / "notice.j2").write_text("{{ code }} {{ month }}")
        price = {"prices": [{"from": "2019-01-01", "per_segment": 850}]}
        gateway = {"kind": "file", "path": "taken.jsonl", **price}
        config = {"database": "sqlite:///ledger.db", "gateways": {"file": gateway}}
        (folder / "config.yaml").write_text(json.dumps(config))
        self.taken: dict[tuple[str, str], list[date]] = defaultdict(list)
        self._read = 0
        self.extracts = self._extracts()
        self.start()

    def _extracts(self) -> list[tuple[datetime, str, str]]:
        """When each extract comes: a day before its notice is due, or late."""
        found = []
        month = Period.parse("2021-12")
        while month.first_day < LAST:
            for name, day in ((EMPLOYERS, month.first_day), (FACILITIES, month.next.first_day)):
                usual = f"{day - timedelta(days=1)} 10:00"
                came = LATE.get((name, str(month)), usual)
                found.append((local(came), name, str(month)))
            month = month.next
        return sorted(found)

    def start(self, holder: str = "here:1:1:1") -> None:
        """A daemon starts, and knows nothing but what is in the ledger."""
        self.engine = Engine(self.folder / "config.yaml", clock=self.clock)
        if not (self.folder / "ledger.db").exists():
            self.engine.prepare(Store(self.engine.settings.database))
        self.leadership = Leadership(store=self.engine.store, clock=self.clock, holder=holder)
        self.offers = Offers(
            self.engine, read_roster(self.engine).jobs, acting=self.leadership.acting
        )

    def stop(self) -> None:
        self.leadership.step_down()
        self.engine.store.close()

    def look(self) -> str:
        """What a daemon does in half a minute; says why it may not."""
        because = fence.beat(self.engine)
        if because:
            return because
        if self.leadership.renew(self.clock.now()):
            self.offers.look()
            self.send()
        return ""

    def send(self) -> None:
        with self.engine.store.read() as connection:
            under_way = runs.under_way(connection)
        for run in under_way:
            with closing(self.engine.gateway("file")) as gateway:
                dispatcher = self.engine.dispatcher(
                    {"file": gateway}, receive=lambda _gateway, _receipts: None
                )
                dispatcher.drain(run)
        self._note()

    def _note(self) -> None:
        """Which day the gateway took what."""
        path = self.folder / "taken.jsonl"
        if not path.exists():
            return
        today = self.clock.now().astimezone(VIETNAM).date()
        lines = path.read_text().splitlines()
        for line in lines[self._read :]:
            code, month = json.loads(line)["text"].split()
            self.taken[EMPLOYERS if code.startswith("E") else FACILITIES, month].append(today)
        self._read = len(lines)

    def pass_time(self, until: datetime) -> None:
        """Extracts come in while the time passes."""
        while self.extracts and self.extracts[0][0] <= until:
            _, name, month = self.extracts.pop(0)
            rows = [f"{name[0].upper()}{n},{month},091200000{n}" for n in (1, 2, 3)]
            path = self.folder / "data" / f"{name}-{month}.csv"
            path.write_text("\n".join(["code,month,phone", *rows]) + "\n")
        self.clock.sleep((until - self.clock.now()).total_seconds())


def looks(day: date) -> list[datetime]:
    """The hours of a day at which something may happen: twice, since extracts must have arrived."""
    hours = [time(8, 1), time(8, 2)] if day.day < 22 else []
    return [datetime.combine(day, hour, VIETNAM) for hour in [*hours, time(20, 0)]]


def is_out(at: datetime) -> bool:
    return any(local(begin) <= at < local(end) for begin, end in OUTAGES)


@pytest.fixture
def years(tmp_path: Path) -> Years:
    """Three years have passed."""
    lived = Years(tmp_path)
    chance = random.Random(20220101)
    live(lived, chance)
    return lived


def live(lived: Years, chance: random.Random) -> None:
    day, up = FIRST, True
    while day < LAST:
        for at in looks(day):
            lived.pass_time(at)
            if is_out(at):
                if up:
                    lived.stop()
                up = False
                continue
            if not up or chance.random() < 0.05:
                if up:
                    lived.stop()
                lived.start()
                up = True
            for _ in range(1 + (at.hour == 20)):
                assert "" == lived.look(), at
                lived.clock.sleep(30)
        happen(lived, day)
        day += timedelta(days=1)


def happen(lived: Years, day: date) -> None:
    """What people, clocks and frozen machines do on certain evenings."""
    match str(day):
        case "2023-09-25":
            job = lived.engine.job(EMPLOYERS)
            missed.skip(
                lived.engine, job, Period.parse("2023-10"), reason="merger", actor="somebody"
            )
        case "2023-12-05":
            lived.clock.sleep(-3 * 3600.0)
        case "2024-03-31":
            be_deposed(lived)
        case "2024-05-20":
            backup(lived.engine, lived.folder / "copy.db")
        case "2024-06-25":
            restore(lived)


def be_deposed(lived: Years) -> None:
    """A leader freezes while it acts; another one leads; the first wakes up and may do nothing."""
    frozen, clock = lived.leadership, ManualClock(lived.clock.now())
    asleep = Leadership(
        store=Store(lived.engine.settings.database), clock=clock, holder="here:1:1:1"
    )
    assert asleep.renew(clock.now())
    ended = lived.engine.store
    lived.clock.sleep(60)
    lived.start(holder="there:2:2:2")
    assert lived.leadership.renew(lived.clock.now())
    assert asleep.leads(), "its own clock stood still"
    behind = Offers(lived.engine, read_roster(lived.engine).jobs, acting=asleep.acting)
    with pytest.raises(DeposedError), asleep.acting():
        pass
    behind.look()
    assert not frozen.leads()
    ended.close()


def restore(lived: Years) -> None:
    """The copy of a month ago is put back; nothing leaves until somebody has looked."""
    lived.stop()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (lived.folder / name).unlink(missing_ok=True)
    shutil.copy(lived.folder / "copy.db", lived.folder / "ledger.db")
    lived.start()
    before = len(lived.taken)
    assert "restored" in lived.look()
    assert before == len(lived.taken)
    assert fence.adopt(lived.engine, "somebody")


def expected() -> dict[tuple[str, str], date | None]:
    """The day on which each notice was sent, by the calendar on the wall; None for never."""
    found: dict[tuple[str, str], date | None] = {}
    for year in (2022, 2023, 2024):
        for month in range(1, 13):
            of_last = f"{year}-{month - 1:02}" if month > 1 else f"{year - 1}-12"
            for name, day, period in (
                (EMPLOYERS, date(year, month, 1), f"{year}-{month:02}"),
                (FACILITIES, date(year, month, 6), of_last),
            ):
                usual = date.fromisoformat(MOVED.get(str(day), str(day)))
                other = OTHERWISE.get((name, period), str(usual))
                found[name, period] = date.fromisoformat(other) if other else None
    return found


def test_three_years(years: Years) -> None:
    """One test, since the years are lived once for each worker that looks at them."""
    each_notice_left_once_on_its_day(years)
    the_ledger_says_the_same(years)


def each_notice_left_once_on_its_day(years: Years) -> None:
    wanted = {key: [day] * 3 for key, day in expected().items() if day is not None}
    taken = years.taken
    assert not {key for key in wanted.keys() | taken.keys() if wanted.get(key) != taken.get(key)}
    assert 62 == len(wanted)


def the_ledger_says_the_same(years: Years) -> None:
    wanted = {
        key: RunState.MISSED if day is None else RunState.FINISHED
        for key, day in expected().items()
        if key not in AFTER_THE_COPY
    }
    with years.engine.store.read() as connection:
        known = runs.newest(connection, limit=1000)
        told = {alarm.key for alarm in alarms.since(connection, local("2021-01-01 00:00"))}
    states = {(run.job, run.period): run.state for run in known}
    assert not {key for key in wanted.keys() | states.keys() if wanted.get(key) != states.get(key)}
    assert {"merger"} == {run.reason for run in known if (run.job, run.period) == SKIPPED}
    late = {key for key, state in wanted.items() if state is RunState.MISSED} - {SKIPPED}
    assert {f"missed {job} {period}" for job, period in late} == {
        key for key in told if key.startswith("missed ")
    }
    for run in known:
        found = account(years.engine.store, run.id)
        assert found is not None
        assert [] == found.breaks
