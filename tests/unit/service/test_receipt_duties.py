"""Receipts that found no message, and what came as it came: looked at again, told of, purged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smsengine.config.upkeep import Retention
from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.receipts.matching import store_receipts
from smsengine.service import alarming
from smsengine.service.purging import Purger, kept_until
from smsengine.store import parts
from tests.conftest import START, Office, rows


def receive(office: Office, *names: str) -> None:
    found = [
        Receipt(gateway_id=name, status=ReceiptStatus.DELIVERED, raw=f"raw of {name}")
        for name in names
    ]
    store_receipts(office.store, "trial", found, office.clock.now())


def purge(office: Office, days: int) -> None:
    later = office.clock.now() + timedelta(days=days)
    purger = Purger(store=office.store, clock=office.clock, actor="test", piece=2)
    purger.purge(kept_until(Retention(), later))


@pytest.fixture
def told(office: Office) -> Office:
    """A finished run of one message that arrived in two parts, and three strangers."""
    office.released(rows(1))
    office.change("UPDATE runs SET state = 'finished', finished_at = sealed_at")
    office.change(
        "UPDATE messages SET state = 'accepted', gateway = 'trial', settled_at = due_at,"
        " gateway_id = 'P-1'"
    )
    ((key,),) = office.all("SELECT id FROM messages")
    with office.store.write() as connection:
        parts.name(connection, "trial", {key: ("P-1", "P-2")})
    receive(office, "P-1", "P-2", "S-1", "S-2", "S-3")
    return office


def test_what_came_stays_as_long_as_the_text(told: Office) -> None:
    """Until then it can be looked up, word for word."""
    purge(told, 80)
    assert {"raw of P-1", "raw of S-1"} < {line[0] for line in told.all("SELECT raw FROM receipts")}
    assert 2 == len(told.all("SELECT part_id FROM parts"))


def test_what_came_goes_with_the_text(told: Office) -> None:
    """The receipts stay with their status; strangers and names of parts go altogether."""
    purge(told, 100)
    assert [("P-1", "delivered", ""), ("P-2", "delivered", "")] == told.all(
        "SELECT gateway_id, status, raw FROM receipts ORDER BY gateway_id"
    )
    assert [] == told.all("SELECT part_id FROM parts")
    assert ["delivered"] == told.states()


@pytest.mark.parametrize(
    ("count", "grade", "first"),
    [
        (3, "note", "3 receipts of trial since yesterday speak of no message of ours."),
        (10, "warning", "At least 10 receipts of trial since yesterday speak of no message"),
    ],
)
def test_only_many_strangers_are_told_at_once(count: int, grade: str, first: str) -> None:
    """A few stand in the morning report."""
    news = alarming.strangers("trial", count, most=10, now=START)
    assert (grade, True) == (news.grade, news.text.startswith(first))
