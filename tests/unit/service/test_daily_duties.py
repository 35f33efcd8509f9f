"""The daily tables by the clock, on a virtual one: made at their hours, told of where late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import pytest

from smsengine.service.bootstrap import Engine
from smsengine.service.daily_duties import duties
from smsengine.service.duties import do_due
from smsengine.service.upkeep_duties import ledger_duties
from smsengine.service.watching import Watcher
from tests.unit.service.collectors import HERE, TODAY, YESTERDAY, Collectors
from tests.unit.service.listeners import MailBook, mail_server

MAIL = "{kind: email, to: thu@example.vn}"
Open = Callable[..., Collectors]


@pytest.fixture
def book() -> Iterator[MailBook]:
    with mail_server() as opened:
        yield opened


@pytest.fixture
def mailed(open_collectors: Open, book: MailBook) -> Collectors:
    """One organisation gets its tables by mail; those of yesterday are made and delivered."""
    collectors = open_collectors(MAIL, "", book.port)
    pass_by(collectors, "2019-06-01 08:00")
    return collectors


def pass_by(collectors: Collectors, local: str) -> None:
    """What a daemon does at that time in Vietnam."""
    now = collectors.at(local)
    do_due(collectors.engine.store, duties(collectors.engine), now)
    Watcher(collectors.engine).look(now)


def test_where_nobody_collects_there_is_nothing_to_do(engine: Engine) -> None:
    """An installation without organisations is not even asked."""
    assert [] == duties(engine)


def test_they_are_duties_of_whoever_leads(collectors: Collectors) -> None:
    """Every minute it is looked whether something is due."""
    names = [duty.name for duty in ledger_duties(collectors.engine)]
    assert ["daily tables", "table deliveries"] == names[-2:]


def test_yesterdays_tables_are_made_and_sent_after_midnight(
    mailed: Collectors, book: MailBook
) -> None:
    """Not before their hour, and once."""
    mailed.pay("R1", 300, TODAY)
    pass_by(mailed, "2019-06-02 00:29")
    assert [] == mailed.made(TODAY)
    for minute in ("00:30", "00:31", "00:32"):
        pass_by(mailed, f"2019-06-02 {minute}")
    assert [300, 0] == [each.amount for each in mailed.made(TODAY)]
    assert ["acknowledged"] * 2 == mailed.states(TODAY)
    assert 2 == len(book.mails)


def test_supplements_are_made_in_the_morning(mailed: Collectors) -> None:
    """What was recorded at night about the day before arrives before eight, too."""
    pass_by(mailed, "2019-06-02 00:30")
    mailed.pay("R1", 300, TODAY)
    pass_by(mailed, "2019-06-02 06:59")
    assert 2 == len(mailed.made(TODAY))
    pass_by(mailed, "2019-06-02 07:00")
    assert [(HERE, 1, 1, 300)] == [each for each in mailed.sums(TODAY) if each[1]]
    assert ["acknowledged"] * 3 == mailed.states(TODAY)


def test_a_daemon_that_was_down_makes_up_for_it(mailed: Collectors) -> None:
    """When it is back, it makes and delivers what was owed since."""
    pass_by(mailed, "2019-06-04 10:00")
    assert [2, 2] == [len(mailed.made(date(2019, 6, day))) for day in (2, 3)]


def test_a_morning_on_which_all_arrives_is_silent(mailed: Collectors) -> None:
    """Nobody is woken for nothing."""
    for minute in ("00:30", "07:00", "07:44", "07:45", "08:00", "12:00"):
        pass_by(mailed, f"2019-06-02 {minute}")
    assert [] == mailed.alarms()


def test_a_table_that_has_not_arrived_is_told_at_a_quarter_to_eight(
    mailed: Collectors, book: MailBook
) -> None:
    """Once, and urgently; it is tried on and on, past eight o'clock."""
    book.instead = "451 come back later"
    for minute in ("00:30", "07:00", "07:44"):
        pass_by(mailed, f"2019-06-02 {minute}")
    assert [] == mailed.alarms()
    pass_by(mailed, "2019-06-02 07:45")
    (said,) = mailed.alarms()
    assert (
        f"01/06/2019 have not arrived, and 08:00 is near: 1 delivery is open, for {HERE}." in said
    )
    assert "smsengine payments daily --day 2019-06-01" in said
    pass_by(mailed, "2019-06-02 08:30")
    assert 1 == len(mailed.alarms())
    book.instead = ""
    pass_by(mailed, "2019-06-02 09:00")
    assert ["acknowledged"] * 2 == mailed.states(TODAY)


def test_tables_that_were_not_made_are_told(mailed: Collectors) -> None:
    """The duty that makes them failed, or hangs; whoever watches is another thread."""
    now = mailed.at("2019-06-02 07:45")
    Watcher(mailed.engine).look(now)
    (said,) = mailed.alarms()
    assert "they are not made." in said


def test_the_first_morning_owes_what_was_recorded_before_it(collectors: Collectors) -> None:
    """Whoever sets it up is not woken; whoever took payments the day before is."""
    now = collectors.at("2019-06-02 09:00")
    Watcher(collectors.engine).look(now)
    assert [] == collectors.alarms()
    collectors.pay("R1", 300, TODAY)
    Watcher(collectors.engine).look(now)
    assert [] == collectors.alarms()
    Watcher(collectors.engine).look(collectors.at("2019-06-03 07:45"))
    assert 1 == len(collectors.alarms())


def test_what_is_made_by_day_is_not_late(mailed: Collectors, book: MailBook) -> None:
    """A supplement that somebody makes at noon has the next morning's time."""
    book.instead = "451 come back later"
    pass_by(mailed, "2019-06-02 00:30")
    book.instead = ""
    pass_by(mailed, "2019-06-02 07:00")
    book.instead = "451 come back later"
    mailed.pay("R1", 300, YESTERDAY)
    mailed.at("2019-06-02 12:00")
    mailed.tables.make_all(TODAY)
    pass_by(mailed, "2019-06-02 12:01")
    assert [] == mailed.alarms()
    pass_by(mailed, "2019-06-03 07:45")
    assert 1 == len(mailed.alarms())
