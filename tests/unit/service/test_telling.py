"""An alarm is told until somebody took it, by one machine, without a flood and without numbers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from smsengine.lifecycle import Grade
from smsengine.service.channels import Letter, Log
from smsengine.service.telling import Teller
from smsengine.store import alarms
from smsengine.store.engine import Store
from tests.conftest import START

MINUTE = timedelta(minutes=1)


@dataclass(kw_only=True)
class Pager:
    """A way that may be broken, and keeps what it took."""

    is_broken: bool = False
    took: list[Letter] = field(default_factory=list)
    asked: int = 0

    def tell(self, letter: Letter) -> str:
        self.asked += 1
        if self.is_broken:
            return "The pager of 0912345678 is broken."
        self.took.append(letter)
        return ""

    def check(self) -> str:
        return "a pager"


def sound(
    store: Store, key: str, *, text: str = "", grade: Grade = Grade.WARNING, at: datetime = START
) -> None:
    with store.write() as connection:
        alarms.sound(connection, key=key, at=at, grade=grade, text=text or f"About {key}.\nDo it.")


def untold(store: Store) -> int:
    with store.read() as connection:
        return alarms.count_untold(connection)


def teller(store: Store, *ways: Pager | Log, least: Grade = Grade.WARNING) -> Teller:
    return Teller(store, ways, least=least)


def test_an_alarm_is_told_once(store: Store) -> None:
    """It says its grade and its first line at the top, and everything in the text."""
    pager = Pager()
    sound(store, "a", grade=Grade.URGENT)
    told = [teller(store, pager).tell_due(START + n * MINUTE) for n in range(3)]
    assert [1, 0, 0] == told
    assert [("URGENT: About a.", "About a.\nDo it.", ("a",))] == [
        (letter.subject, letter.text, letter.keys) for letter in pager.took
    ]


def test_one_way_that_takes_it_is_enough(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Mail being away does not have the webhook told again and again; the log says so."""
    broken, good = Pager(is_broken=True), Pager()
    sound(store, "a")
    assert 1 == teller(store, broken, good).tell_due(START)
    assert (0, 1) == (untold(store), broken.asked)
    assert "The pager of 091***5678 is broken." in caplog.text


def test_what_nobody_took_is_told_later_and_later_for_ever(store: Store) -> None:
    """After a minute, two, four, up to an hour, until somebody takes it."""
    pager = Pager(is_broken=True)
    sound(store, "a")
    one, asked_at = teller(store, pager), []
    for minute in range(6 * 60):
        before = pager.asked
        one.tell_due(START + minute * MINUTE)
        asked_at += [minute] * (pager.asked - before)
    assert [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303] == asked_at
    pager.is_broken = False
    assert 1 == one.tell_due(START + 6 * 60 * MINUTE + timedelta(hours=1))
    assert 0 == untold(store)


def test_what_nobody_took_stands_in_the_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The log is the last place in which it can be found."""
    sound(store, "a", text="All is lost; call 0912 345 678.", grade=Grade.URGENT)
    teller(store, Pager(is_broken=True)).tell_due(START)
    assert "All is lost; call 091***5678." in caplog.text


def test_without_a_way_the_log_is_told(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """An installation without mail still has each alarm once, where its log is read."""
    sound(store, "a", grade=Grade.URGENT)
    with caplog.at_level(logging.INFO):
        assert 1 == teller(store, Log()).tell_due(START)
    assert [logging.ERROR] == [
        record.levelno
        for record in caplog.records
        if "About a." in record.message and record.message.startswith("About")
    ]
    assert 0 == untold(store)


@pytest.mark.parametrize(("alarms_at_once", "letters"), [(5, 5), (6, 1), (40, 1)])
def test_many_alarms_come_in_one_letter(store: Store, alarms_at_once: int, letters: int) -> None:
    """A night that goes wrong fills no mailbox, and no alarm is left out."""
    pager = Pager()
    for number in range(alarms_at_once):
        sound(store, f"a{number}", grade=Grade.URGENT if number == 3 else Grade.WARNING)
    assert alarms_at_once == teller(store, pager).tell_due(START)
    assert letters == len(pager.took)
    assert {f"a{n}" for n in range(alarms_at_once)} == {k for each in pager.took for k in each.keys}
    if letters == 1:
        letter = pager.took[0]
        assert f"URGENT: {alarms_at_once} alarms, the first: About a0." == letter.subject
        assert "URGENT: About a3.\nDo it." in letter.text
        assert f"WARNING: About a{alarms_at_once - 1}." in letter.text


def test_notes_are_left_to_the_morning_report(store: Store) -> None:
    """They are not told, and do not wait either."""
    pager = Pager()
    sound(store, "note", grade=Grade.NOTE)
    assert 0 == teller(store, pager).tell_due(START)
    assert (0, []) == (untold(store), pager.took)


def test_who_wants_urgent_alarms_only_still_gets_the_report(store: Store) -> None:
    """The report is a letter of its own, whose first line is its subject, also among many."""
    pager = Pager()
    for number in range(7):
        sound(store, f"a{number}")
    sound(store, "morning-report 2019-06-01", text="Morning report: fine.\n\nRUNS\n- nothing")
    assert 1 == teller(store, pager, least=Grade.URGENT).tell_due(START)
    assert ["Morning report: fine."] == [letter.subject for letter in pager.took]
    sound(store, "morning-report 2019-06-02", text="Morning report: bad.")
    for number in range(7):
        sound(store, f"b{number}")
    assert 8 == teller(store, pager).tell_due(START)
    assert [1, 1, 7] == [len(letter.keys) for letter in pager.took]


def test_two_machines_that_both_believe_to_lead_tell_it_once(store: Store) -> None:
    """While one is at the mail server, the other looks and finds nothing to tell."""
    second = Pager()

    class Slow(Pager):
        def tell(self, letter: Letter) -> str:
            assert 0 == teller(store, second).tell_due(START + timedelta(seconds=30))
            return super().tell(letter)

    first = Slow()
    sound(store, "a")
    assert 1 == teller(store, first).tell_due(START)
    assert (1, 0) == (len(first.took), len(second.took))


def test_a_machine_that_ends_while_it_tells_leaves_it_to_the_next_pass(store: Store) -> None:
    """Perhaps it is told twice, and surely not never."""

    class Died(Exception):  # noqa: N818
        pass

    class Dying(Pager):
        def tell(self, letter: Letter) -> str:
            raise Died

    sound(store, "a")
    with pytest.raises(Died):
        teller(store, Dying()).tell_due(START)
    pager = Pager()
    assert [0, 1] == [teller(store, pager).tell_due(START + n * MINUTE) for n in (0, 1)]


def test_a_cry_goes_past_the_ledger(store: Store) -> None:
    """When the ledger is away, it cannot hold that it is away."""
    pager = Pager()
    assert teller(store, pager).cry("The ledger is away; ask 0912345678.", START)
    assert [("URGENT: The ledger is away; ask 091***5678.", Grade.URGENT)] == [
        (letter.subject, letter.grade) for letter in pager.took
    ]
    assert not teller(store, Pager(is_broken=True)).cry("x", START)
    assert 0 == untold(store)


def test_no_number_of_a_phone_is_told(store: Store) -> None:
    """Whoever sounded it forgot to mask it."""
    pager = Pager()
    sound(store, "a", text="0912345678 complains.\n+84 912 345 678 and 84912345678, too.")
    teller(store, pager).tell_due(START)
    assert "091***5678 complains.\n091***5678 and 091***5678, too." == pager.took[0].text
    assert "0912345678" not in pager.took[0].subject
