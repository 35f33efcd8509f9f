"""An office with a notice, the Centre that decides about it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from smsengine.clock import ManualClock
from smsengine.period import Period
from smsengine.service import approvals, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import in_force
from smsengine.service.people import Actor
from smsengine.store import audit, versions
from smsengine.store.runs import Run
from smsengine.store.versions import Version

CONFIG = """\
database: {database}
data: data
flights: flights
offices:
  01-hanoi: {{name: BHXH Ha Noi, gateways: [trial], daily: 5, trial: ["0900000009"]}}
  79-hcm: {{name: BHXH TP HCM, gateways: [trial], daily: 5}}
people:
  an: {{office: 01-hanoi, may: [submit], accounts: [any]}}
  binh: {{office: central, may: [approve, submit], accounts: [any]}}
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""
NAME = "01-hanoi/dossier"
JOB = """\
title: Ho so
topic: dossier
schedule: {day: 10, at: "08:00"}
period: current-month
source: {kind: csv, path: "dossier-{period}.csv"}
columns:
  office: {from: ma_co_quan, type: code}
  code: {from: ma, type: code}
  name: {from: ten, type: text}
recipient: {subject: code, office: office, phones: [dien_thoai]}
golden:
  longest: {office: "001", code: A1, name: Cong ty Trach nhiem huu han Vi Du}
expires: 2019-12-31
gateway: trial
guards: {max_cost: 100.000}
"""
WORDS = "BHXH kính gửi {{ name }}: hồ sơ {{ code }} đã xong."
ROWS = ["001,A1,Ông Vi Du,0910000001", "00101,A2,Bà Vi Du,0910000002", "079,B1,Ông X,0910000003"]
JUNE = Period.parse("2019-06")
AN = Actor(name="an", account="an", office="01-hanoi")
BINH = Actor(name="binh", account="binh", office="central")
CHI = Actor(name="chi", account="chi", office="central")


@dataclass(frozen=True)
class Bureau:
    """One installation with the files of one office."""

    engine: Engine

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.engine.clock, ManualClock)
        return self.engine.clock

    @property
    def job(self) -> Path:
        return self.engine.settings.jobs / "provinces" / f"{NAME}.yaml"

    @property
    def template(self) -> Path:
        return self.engine.settings.templates / "provinces" / f"{NAME}.j2"

    def write(self, job: str = JOB, words: str = WORDS, rows: list[str] | None = None) -> None:
        for path, text in ((self.job, job), (self.template, words)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        lines = ["ma_co_quan,ma,ten,dien_thoai", *(ROWS if rows is None else rows)]
        extract = self.job.with_name("dossier-2019-06.csv")
        extract.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def submit(self, actor: Actor = AN) -> Version:
        return approvals.submit(self.engine, NAME, actor)

    def approve(self, actor: Actor = BINH) -> Version:
        return approvals.approve(self.engine, approvals.waiting(self.engine, NAME), actor)

    def approved(self) -> Version:
        self.submit()
        return self.approve()

    def request(self) -> sender.Request:
        return sender.Request(loaded=in_force(self.engine, NAME), period=JUNE)

    def plan(self) -> Run:
        run = sender.plan(self.engine, self.request(), sender.Watch()).run
        assert run is not None
        return run

    def send(self) -> list[str]:
        """Plan and send; returns what the gateway has by then."""
        sender.send_run(self.engine, self.plan(), sender.Watch())
        return self.outbox()

    def outbox(self) -> list[str]:
        path = self.engine.folder / "outbox" / "trial.jsonl"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def states(self) -> list[tuple[int, str]]:
        with self.engine.store.read() as connection:
            known = versions.of_job(connection, NAME)
        return [(each.number, str(each.state)) for each in known]

    def said(self) -> list[tuple[str, str, str]]:
        """The audit: who, what, about."""
        with self.engine.store.read() as connection:
            assert audit.verify(connection)[2] is None
            found = audit.newest(connection, limit=1000)
        return [(row["actor"], row["what"], row["subject"]) for row in reversed(found)]

    def wait(self, days: int) -> None:
        self.clock.sleep(timedelta(days=days).total_seconds())
