"""An installation knows when its jobs are due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from smsengine.clock import VIETNAM
from smsengine.service.bootstrap import Engine
from tests.conftest import START

_JOB = """\
title: Kết quả đóng
topic: c12-statement
schedule: {day: 6, at: "08:00", shift: next-working-day}
period: current-month
source: {kind: csv, path: "c12-{period}.csv"}
columns: {code: {from: ma, type: code}}
recipient: {subject: code, phones: [dien_thoai]}
gateway: trial
guards: {max_cost: 1.000.000}
"""
_CONFIG = """\
holidays: office.tsv
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{from: 2019-01-01, per_segment: 850}]
"""


def test_a_job_moves_by_the_holidays_of_its_office(installation: Callable[..., Engine]) -> None:
    """6 June 2019 is a Thursday, on which this office is closed."""
    engine = installation(job=_JOB, config=_CONFIG)
    holidays = engine.folder / "office.tsv"
    holidays.write_text("date\tkind\tname\n2019-06-06\tholiday\tNgày truyền thống\n", "utf-8")
    firing = engine.timetable(engine.job("c12-statement")).next_after(START)
    assert firing is not None
    assert datetime(2019, 6, 7, 8, tzinfo=VIETNAM) == firing.at
