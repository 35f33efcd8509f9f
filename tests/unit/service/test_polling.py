"""Payments from somebody's database: asked for each minute, each recorded once, faults told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import SourceError
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.service.polling import Poller
from tests.conftest import _CONFIG, execute

CONFIG = f"""{_CONFIG}payments:
  organisations:
    AR0013M: {{name: UBND phường Điện Biên, office: "00101"}}
  source:
    kind: sql
    url: sqlite:///theirs.db
    query: SELECT * FROM paid WHERE ngayNopTien >= :yesterday
"""
COLUMNS = "maToChucDvt, soBienLai, hoTen, maSoBhxh, loaiDt, soTien, soThang, ngayNopTien"


class Theirs:
    """The database of those who collect."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "theirs.db"
        self.run(f"CREATE TABLE paid ({COLUMNS})")

    def run(self, sql: str, *values: object) -> None:
        database = sqlite3.connect(self._path)
        with database:
            database.execute(sql, values)
        database.close()

    def pay(self, receipt: str, amount: object = 804_600, day: str = "2019-06-01") -> None:
        values = ("AR0013M", receipt, "Trần Văn An", "0123456789", "AR", amount, 12, day)
        self.run("INSERT INTO paid VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)


@pytest.fixture
def engine(installation: Callable[..., Engine]) -> Engine:
    return installation(config=CONFIG)


@pytest.fixture
def theirs(engine: Engine) -> Theirs:
    return Theirs(engine.folder)


def recorded(engine: Engine) -> list[str]:
    with engine.store.read() as connection:
        rows = execute(connection, "SELECT receipt FROM payments ORDER BY id")
        return list(rows.scalars())


def alarms(engine: Engine) -> list[str]:
    with engine.store.read() as connection:
        return list(execute(connection, "SELECT text FROM alarms ORDER BY id").scalars())


def wait(engine: Engine, seconds: float) -> None:
    assert isinstance(engine.clock, ManualClock)
    engine.clock.sleep(seconds)


def test_each_payment_is_recorded_once(engine: Engine, theirs: Theirs) -> None:
    """However often the query gives it; what is of old is not asked for."""
    poller = Poller(engine)
    theirs.pay("A")
    theirs.pay("OLD", day="2019-05-30")
    poller.look()
    theirs.pay("B")
    wait(engine, 61)
    poller.look()
    assert recorded(engine) == ["A", "B"]
    assert Paying(engine).verify() == (2, None)


def test_it_is_asked_each_minute(engine: Engine, theirs: Theirs) -> None:
    """Not more often."""
    poller = Poller(engine)
    poller.look()
    theirs.pay("A")
    wait(engine, 30)
    poller.look()
    assert recorded(engine) == []
    wait(engine, 31)
    poller.look()
    assert recorded(engine) == ["A"]


def test_faults_are_told_once_a_day(engine: Engine, theirs: Theirs) -> None:
    """The good ones are recorded all the same; nothing private is told."""
    poller = Poller(engine)
    theirs.pay("A", amount="804.600")
    theirs.pay("B")
    for _ in range(3):
        poller.look()
        wait(engine, 61)
    assert recorded(engine) == ["B"]
    (said,) = alarms(engine)
    assert said.startswith("1 payments of the source are not recorded, e.g. row 1: amount: ")
    assert "0123456789" not in said
    assert "Trần" not in said


def test_an_amount_that_changes_there_is_told(engine: Engine, theirs: Theirs) -> None:
    """What was recorded stands."""
    poller = Poller(engine)
    theirs.pay("A")
    poller.look()
    theirs.run("UPDATE paid SET soTien = 900000")
    wait(engine, 61)
    poller.look()
    assert recorded(engine) == ["A"]
    assert "was recorded with 804.600 đồng instead of 900.000" in alarms(engine)[0]


def test_a_source_that_is_away_is_asked_again(engine: Engine) -> None:
    """In a minute; only the machine that leads asks."""
    poller = Poller(engine)
    with pytest.raises(SourceError, match=r"theirs\.db"):
        poller.look()
    poller.look()
    wait(engine, 61)
    with pytest.raises(SourceError, match=r"theirs\.db"):
        poller.look()
    Poller(engine, leads=lambda: False).look()


def test_an_alarm_holds_no_code_and_no_person(engine: Engine, theirs: Theirs) -> None:
    """Of what a row has nothing is repeated, whatever stands in which column."""
    theirs.run("ALTER TABLE paid ADD COLUMN maXacNhan")
    for receipt in ("A", "B"):
        values = ("AR0013M", receipt, "Trần Văn An", "0123456789", "AR", 804_600, 12, "2019-06-01")
        theirs.run("INSERT INTO paid VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *values, "POS0123456789")
    poller = Poller(engine)
    poller.look()
    theirs.run("UPDATE paid SET soBienLai = 'Trần Thị Mật', maXacNhan = NULL WHERE soBienLai = 'B'")
    wait(engine, 61)
    poller.look()
    said = " ".join(alarms(engine))
    assert "is another payment's" in said
    assert "is no receipt number" in said
    assert "POS0123456789" not in said
    assert "Mật" not in said
