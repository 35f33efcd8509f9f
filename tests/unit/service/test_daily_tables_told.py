"""The organisation's contact is told that the table is there, by the job of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smsengine.errors import SmsEngineError
from smsengine.period import Period
from smsengine.service import sender
from smsengine.service.bootstrap import Engine
from smsengine.service.catalogue import Catalogue
from tests.conftest import execute
from tests.unit.service.collectors import HERE, THERE, YESTERDAY, Collectors

PAGE = (Path(__file__).parents[3] / "docs" / "daily-table.md").read_text(encoding="utf-8")
PERIOD = Period.parse(str(YESTERDAY))


def block(kind: str) -> str:
    """The page's own job, or its template."""
    section = PAGE.partition("## A text when it is there")[2]
    found = re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def told(collectors: Collectors) -> Collectors:
    """The job of the page; one of the two organisations has a contact."""
    engine = collectors.engine
    config = engine.folder / "config.yaml"
    config.write_text(
        config.read_text().replace(
            'office: "00101", deliver: []', 'office: "00101", contact: "0912345678"'
        )
    )
    job = block("yaml").replace("gateway: simulated", "gateway: trial")
    (engine.folder / "jobs" / "daily-table.yaml").write_text(job, encoding="utf-8")
    (engine.folder / "templates" / "daily-table.j2").write_text(block("jinja"), encoding="utf-8")
    opened = Engine(config, clock=collectors.clock)
    opened.__dict__["store"] = engine.store
    return Collectors(opened)


def plan(collectors: Collectors) -> list[tuple[str, str]]:
    """What is planned by now: whom it tells, in which words."""
    engine = collectors.engine
    catalogue: Catalogue = engine.catalogue()
    loaded, _ = catalogue.load(engine.folder / "jobs" / "daily-table.yaml")
    sender.plan(engine, sender.Request(loaded=loaded, period=PERIOD), sender.Watch())
    with engine.store.read() as connection:
        rows = execute(connection, "SELECT address, text FROM messages ORDER BY id")
        return [tuple(row) for row in rows]


def test_who_has_a_contact_is_told_once_the_table_has_arrived(told: Collectors) -> None:
    """With its sums; not before, and not twice."""
    told.pay("R1", 300)
    told.pay("R2", 400)
    told.tables.make_all(YESTERDAY)
    assert plan(told) == []
    told.courier.deliver_due()
    expected = (
        "+84912345678",
        "BHXH: bang tong hop so tien thu ngay 31/05/2019 cua UBND phuong Dien Bien da co: 2 khoan,"
        " 700 dong.",
    )
    assert plan(told) == [expected]
    assert plan(told) == [expected]


def test_who_has_no_contact_is_a_skip(told: Collectors) -> None:
    """The run says so."""
    told.tables.make_all(YESTERDAY)
    told.courier.deliver_due()
    plan(told)
    with told.engine.store.read() as connection:
        skipped = execute(connection, "SELECT subject, reason FROM skips").all()
    assert [tuple(row) for row in skipped] == [(THERE, "no-phone")]


def test_an_office_may_not_read_it(told: Collectors) -> None:
    """The tables are the Centre's."""
    folder = told.engine.folder / "jobs" / "provinces" / "01-hanoi"
    folder.mkdir(parents=True)
    (folder / "x.yaml").write_text(block("yaml"), encoding="utf-8")
    with pytest.raises(SmsEngineError):
        told.engine.catalogue().load(folder / "x.yaml")
    assert HERE in told.engine.settings.payments.organisations
