"""An installation on any of the two databases, and a ledger in which things go wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from smsengine.clock import ManualClock
from smsengine.service.bootstrap import Engine
from smsengine.store import alarms, lanes
from smsengine.store.engine import Store
from tests.conftest import KEY, START, TEMPLATE, Office

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: Who sends: no person's name has a colon.
MACHINE = "host:1:2:3"
_CONFIG = """\
database: {url}
data: data
gateways:
  trial: {{kind: file, path: trial.jsonl, prices: [{{from: 2019-01-01, per_segment: 850}}]}}
{more}"""
_JOB = """\
title: Kết quả đóng
topic: c12-statement
schedule: {day: 1, at: "08:00"}
period: current-month
source: {kind: csv, path: "c12-{period}.csv"}
columns:
  code: {from: ma, type: code}
  name: {from: ten}
  paid: {from: so_tien, type: money}
recipient: {subject: code, phones: [dien_thoai]}
gateway: trial
guards: {money: paid, max_cost: 1.000.000}
"""


def installed(store: Store, clock: ManualClock, folder: Path, more: str = "") -> Engine:
    """An installation of one job on the ledger of a test; ``more`` is added to its gateways."""
    for name in ("data", "jobs", "templates"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    url = store.engine.url.render_as_string(hide_password=False)
    (folder / "config.yaml").write_text(_CONFIG.format(url=url, more=more), encoding="utf-8")
    (folder / "smsengine.key").write_bytes(KEY)
    (folder / "jobs" / "c12-statement.yaml").write_text(_JOB, encoding="utf-8")
    (folder / "templates" / "c12-statement.j2").write_text(TEMPLATE, encoding="utf-8")
    return Engine(folder / "config.yaml", clock=clock)


def keys(store: Store) -> list[str]:
    """The keys of all alarms, in the order in which they were sounded."""
    with store.read() as connection:
        return [alarm.key for alarm in alarms.since(connection, START - DAY)]


def texts(store: Store) -> list[str]:
    """What all alarms say."""
    with store.read() as connection:
        return [alarm.text for alarm in alarms.since(connection, START - DAY)]


def refuse(store: Store, because: str = "401 sai mật khẩu") -> None:
    """The gateway refuses our account."""
    with store.write() as connection:
        lanes.ensure(connection, "trial")
        lanes.pause(connection, "trial", because)


def break_off(office: Office, trips: int) -> None:
    """The gateway does not answer, and was tried so often."""
    with office.store.write() as connection:
        lanes.ensure(connection, "trial")
    state = "open" if trips else "closed"
    office.change("UPDATE lanes SET breaker = ?, trips = ?", state, trips)
