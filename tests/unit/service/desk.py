"""A machine that looks at the jobs of one installation, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from smsengine.clock import ManualClock
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.service import sender
from smsengine.service.bootstrap import Engine
from smsengine.service.leader import Leadership
from smsengine.service.logs import Event
from smsengine.service.offers import Offers, Scheduled
from smsengine.service.roster import read_roster
from smsengine.store import alarms, runs, watched
from smsengine.store.alarms import Alarm
from smsengine.store.runs import Run
from smsengine.store.watched import Watched
from tests.conftest import START
from tests.unit.service.standing import DAY, HOUR

JOB = "c12-statement"
JUNE = Period.parse("2019-06")
SECOND = timedelta(seconds=1)
#: The one run of June, on its way.
ONE = [("2019-06", 1, RunState.RELEASED)]


class Desk:
    """A machine that looks at the jobs of one installation."""

    def __init__(self, engine: Engine, holder: str = "here:1:1:1") -> None:
        self.engine = engine
        assert isinstance(engine.clock, ManualClock)
        self.clock = engine.clock
        self.leadership = Leadership(store=engine.store, clock=self.clock, holder=holder)
        self.told: list[tuple[Event, dict[str, Any]]] = []
        self.while_planning: Callable[[], None] = lambda: None
        self.start()

    def start(self, **more: Scheduled) -> None:
        """A daemon starts, and reads its jobs."""
        jobs = {**read_roster(self.engine).jobs, **more}
        self.offers = Offers(
            self.engine,
            jobs,
            acting=self.leadership.acting,
            tell=lambda event, **facts: self.told.append((event, facts)),
            planning=lambda _rows: self.while_planning(),
        )

    def look(self, after: timedelta = timedelta(0), times: int = 1) -> None:
        """Look, each time so long after the last one."""
        for _ in range(times):
            self.clock.sleep(after.total_seconds())
            self.leadership.renew(self.clock.now())
            self.offers.look()

    def watch(self, since: datetime = START - DAY, job: str = JOB) -> None:
        """The job has been looked after for a while."""
        with self.engine.store.write() as connection:
            watched.begin(connection, job, since=since)

    def write(self, count: int, *, age: timedelta = HOUR, name: str = "c12-2019-06.csv") -> Path:
        """An extract that was written a while ago."""
        path = self.engine.settings.data / name
        lines = [f"TA{n:04}Z,Công ty A,1000,09{n + 10_000_000:08}" for n in range(count)]
        path.write_text("\n".join(["ma,ten,so_tien,dien_thoai", *lines]) + "\n", encoding="utf-8")
        self.touch(path, age)
        return path

    def touch(self, path: Path, age: timedelta = timedelta(0)) -> None:
        """A file was changed so long ago."""
        at = (self.clock.now() - age).timestamp()
        os.utime(path, (at, at))

    def rewrite_job(self, old: str, new: str, name: str = JOB) -> None:
        path = self.engine.settings.jobs / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        self.start()

    def another_job(self, name: str) -> None:
        """A second job, like the first."""
        text = (self.engine.settings.jobs / f"{JOB}.yaml").read_text(encoding="utf-8")
        text = text.replace("topic: c12-statement", f"topic: {name}").replace("c12-{", f"{name}-{{")
        path = self.engine.settings.jobs / f"{name}.yaml"
        path.write_text(f"{text}template: c12-statement.j2\n", encoding="utf-8")
        self.start()

    def request(self, **changes: Any) -> sender.Request:
        return sender.Request(loaded=self.engine.job(JOB), period=JUNE, **changes)

    def plan(self, **changes: Any) -> Run:
        """Plan by hand, or as a process that dies before the release."""
        run = sender.plan(self.engine, self.request(**changes), sender.Watch()).run
        assert run is not None
        return run

    # -- what became of it -------------------------------------------------------------------------

    def runs(self) -> list[tuple[str, int, RunState]]:
        with self.engine.store.read() as connection:
            found = runs.newest(connection, limit=1000)
        return [(run.period, run.revision, run.state) for run in reversed(found)]

    def alarms(self, beginning: str = "") -> list[Alarm]:
        with self.engine.store.read() as connection:
            found = alarms.since(connection, START - 1000 * DAY)
        return [alarm for alarm in found if alarm.key.startswith(beginning)]

    def known(self) -> Watched:
        with self.engine.store.read() as connection:
            return watched.all_jobs(connection)[JOB]

    def count(self, event: Event) -> int:
        return sum(each == event for each, _ in self.told)
