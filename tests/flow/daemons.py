"""Daemons as real processes on a small installation: started, watched, killed, asked to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from smsengine.clock import VIETNAM
from smsengine.store import tables, watched
from smsengine.store.engine import Store
from tests.doubles.http_gateway import Double
from tests.flow.victims import Typed
from tests.flow.zygote import Victim, Victims, until

JOB = "c12-statement"
_JOB = """\
title: Kết quả đóng
topic: {topic}
schedule: {schedule}
period: current-month
source: {{kind: csv, path: "{name}-{{period}}.csv"}}
columns:
  unit_code: {{from: madvi, type: code}}
  paid: {{from: so_da_dong, type: money}}
recipient: {{subject: unit_code, phones: [dien_thoai]}}
template: notice.j2
gateway: double
approval: {approval}
guards: {{max_cost: 2.000.000.000}}
"""
_TEMPLATE = "Don vi {{ unit_code }} da dong {{ paid | money }} dong."


def today() -> datetime:
    """The present in Vietnam."""
    return datetime.now(VIETNAM)


def period() -> str:
    """The month that a job is about."""
    return f"{today():%Y-%m}"


@dataclass
class Daemon:
    """One process of ``smsengine run``."""

    process: subprocess.Popen[str] | Victim
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """What it has written so far."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def count(self, event: str) -> int:
        return sum(each["event"] == event for each in self.events())

    def said(self, event: str) -> bool:
        return self.count(event) > 0

    def wait_for(self, event: str, seconds: float = 60) -> None:
        """Wait until it has written an event down."""
        until(lambda: self.said(event) or self.process.poll() is not None, event, seconds)
        assert self.said(event), self.log.read_text(encoding="utf-8")

    def ready(self) -> list[str]:
        """Why it says that it does not work; nothing when it does."""
        (port,) = (each["web"] for each in self.events() if each["event"] == "daemon.started")
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/readyz")
            return list(json.load(connection.getresponse())["reasons"])

    def end(self, number: int = signal.SIGTERM, seconds: float = 90) -> int | None:
        """Send it a signal, and wait for its end."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(seconds)


@dataclass
class Site:
    """An installation with one HTTP vendor, on a database that several sites may share."""

    folder: Path
    database: str
    double: Double
    victims: Victims
    rate: str = ""
    daemons: list[Daemon] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("data", "jobs", "templates"):
            (self.folder / name).mkdir(parents=True)
        rate = {"rate": self.rate} if self.rate else {}
        config = {
            "database": self.database,
            "data": "data",
            "web": {"port": 0},
            "log": {"form": "json"},
            "gateways": {
                "double": {
                    "kind": "http",
                    "url": f"{self.double.url}/send",
                    "auth": "bearer",
                    "key": "file:double.key",
                    "fields": {"to": "{to}", "text": "{text}", "ref": "{reference}"},
                    "address": "84",
                    "answer": {"code": "status", "id": "id", "success": ["0"]},
                    "connections": 4,
                    "batch": 20,
                    "prices": [{"from": "2019-01-01", "per_segment": 850}],
                    **rate,
                }
            },
        }
        self.config.write_text(json.dumps(config, indent=1), encoding="utf-8")
        (self.folder / "smsengine.key").write_text("a" * 64)
        (self.folder / "double.key").write_text(self.double.key)
        (self.folder / "templates" / "notice.j2").write_text(_TEMPLATE, encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def write_job(
        self, name: str = JOB, *, approval: str = "auto", at: datetime | None = None
    ) -> None:
        """A job that was due when the day began, or is due at an hour of today."""
        at = at or today().replace(hour=0, minute=0)
        text = _JOB.format(
            topic=name,
            name=name,
            approval=approval,
            schedule=f"{{day: {at.day}, at: '{at:%H:%M}'}}",
        )
        (self.folder / "jobs" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def write_extract(self, count: int, name: str = JOB) -> None:
        """An extract with so many employers for this month, that came a while ago."""
        path = self.folder / "data" / f"{name}-{period()}.csv"
        lines = [f"TA{n:04},{1_000_000 + n},0912{n:06}" for n in range(1, count + 1)]
        path.write_text("\n".join(["madvi,so_da_dong,dien_thoai", *lines]) + "\n", encoding="utf-8")
        long_ago = datetime.now(UTC).timestamp() - 600
        os.utime(path, (long_ago, long_ago))

    def watch_since(self, days: int, name: str = JOB) -> None:
        """The job has been looked after for so many days."""
        store = Store(self.database)
        with store.write() as connection:
            watched.begin(connection, name, since=datetime.now(UTC) - timedelta(days=days))
        store.close()

    def start(self) -> Daemon:
        """Start a daemon, forked where all that it imports is loaded."""
        log = self._new_log()
        typed = Typed(
            words=["run", "--config", str(self.config)],
            folder=str(self.folder),
            out=str(log),
            err=str(log),
            environment=dict(os.environ),
        )
        self.daemons.append(Daemon(self.victims.start(typed), log))
        return self.daemons[-1]

    def start_alone(self, environment: Mapping[str, str]) -> Daemon:
        """Start a daemon as a machine does, from nothing."""
        log = self._new_log()
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "smsengine", "run", "--config", str(self.config)],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.folder,
                env={**os.environ, **environment},
            )
        self.daemons.append(Daemon(process, log))
        return self.daemons[-1]

    def _new_log(self) -> Path:
        log = self.folder / f"daemon{len(self.daemons)}.log"
        log.touch()
        return log

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command beside the daemon."""
        return self.victims.type([*words, "--config", str(self.config)], self.folder)

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()

    # -- what became of it ---------------------------------------------------------------------

    def states(self) -> Counter[str]:
        """How many messages are in each state."""
        store = Store(self.database)
        try:
            with store.read() as connection:
                found = connection.execute(
                    select(tables.messages.c.state, func.count()).group_by(tables.messages.c.state)
                )
                return Counter({row[0]: row[1] for row in found})
        finally:
            store.close()

    def runs(self) -> list[tuple[str, str, int, str]]:
        """Job, period, revision and state of each run."""
        store = Store(self.database)
        try:
            with store.read() as connection:
                columns = (tables.runs.c[name] for name in ("job", "period", "revision", "state"))
                found = connection.execute(select(*columns).order_by(tables.runs.c.id))
                return [(row.job, row.period, row.revision, row.state) for row in found]
        finally:
            store.close()

    def taken(self) -> Counter[str]:
        """How often the vendor really took each reference."""
        return Counter(line["ref"] for line in self.double.ledger())


def due_today(site: Site, count: int = 40) -> Site:
    """Its job was due when the day began, with so many employers."""
    site.write_job()
    site.write_extract(count)
    assert 0 == site.command("db", "upgrade").returncode
    site.watch_since(3)
    return site


def wait_until_sent(site: Site, count: int = 40, seconds: float = 90) -> None:
    """Wait until the vendor has taken so many, each of them once."""
    until(lambda: site.states()["accepted"] >= count, f"{count} sent", seconds)
    assert {1} == set(site.taken().values())


class Supervisor:
    """What systemd hears from a service."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(0.1)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        """All lines heard so far."""
        with suppress(TimeoutError):
            while True:
                self.heard += self._socket.recv(4096).decode().splitlines()
        return self.heard

    def close(self) -> None:
        self._socket.close()
