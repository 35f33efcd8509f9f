"""Receipts that do not come: asked for first, and given up at last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from smsengine.gateways.base import (
    Asked,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    Receipt,
    ReceiptStatus,
)
from smsengine.receipts import overdue
from smsengine.receipts.matching import store_receipts
from tests.conftest import Office, rows

HOUR, DAYS = timedelta(hours=1), timedelta(days=3)


class Teller(Gateway):
    """Knows what became of some messages."""

    def __init__(self, known: dict[str, ReceiptStatus], *, can_report: bool = True) -> None:
        self.known = known
        self.asked: list[Asked] = []
        self._can_report = can_report

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(max_batch=1, can_report=self._can_report)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        raise NotImplementedError

    def reports(self, asked: Sequence[Asked]) -> Sequence[Receipt]:
        self.asked += asked
        return [
            Receipt(gateway_id=each.gateway_id, status=self.known[each.gateway_id])
            for each in asked
            if each.gateway_id in self.known
        ]

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def sent(office: Office) -> Office:
    """A run of three messages that were accepted as ``T-1`` to ``T-3``."""
    office.released(rows(3))
    office.change(
        "UPDATE messages SET state = 'accepted', gateway = 'trial', settled_at = due_at,"
        " gateway_id = 'T-' || place"
    )
    return office


def ask(office: Office, gateway: Gateway) -> int:
    return overdue.ask(office.store, "trial", gateway, now=office.clock.now(), after=HOUR)


def give_up(office: Office) -> int:
    return overdue.give_up(office.store, "trial", now=office.clock.now(), after=DAYS)


def test_who_stays_silent_is_asked_about(sent: Office) -> None:
    """Not before its time; by the gateway's name, our own, and the number."""
    teller = Teller({"T-1": ReceiptStatus.DELIVERED, "T-2": ReceiptStatus.UNDELIVERED})
    assert (0, []) == (ask(sent, teller), teller.asked)
    sent.clock.sleep(3700)
    assert 2 == ask(sent, teller)
    assert ["delivered", "undelivered", "accepted"] == sent.states()
    assert {"T-1", "T-2", "T-3"} == {each.gateway_id for each in teller.asked}
    assert all(each.reference.endswith("-1") and each.address for each in teller.asked)


def test_who_was_heard_of_is_not_asked_about(sent: Office) -> None:
    store_receipts(
        sent.store,
        "trial",
        [Receipt(gateway_id="T-1", status=ReceiptStatus.DELIVERED)],
        sent.clock.now(),
    )
    sent.clock.sleep(3700)
    teller = Teller({})
    ask(sent, teller)
    assert {"T-2", "T-3"} == {each.gateway_id for each in teller.asked}


def test_a_gateway_that_cannot_be_asked_is_not(sent: Office) -> None:
    sent.clock.sleep(3700)
    teller = Teller({}, can_report=False)
    assert (0, []) == (ask(sent, teller), teller.asked)


def test_at_last_nothing_more_is_expected(sent: Office) -> None:
    """What is unconfirmed may still be heard of."""
    first = Receipt(gateway_id="T-1", status=ReceiptStatus.DELIVERED)
    late = Receipt(gateway_id="T-2", status=ReceiptStatus.UNDELIVERED)
    store_receipts(sent.store, "trial", [first], sent.clock.now())
    assert 0 == give_up(sent)
    sent.clock.sleep(DAYS.total_seconds() + 60)
    assert 2 == give_up(sent)
    assert ["delivered", "unconfirmed", "unconfirmed"] == sent.states()
    store_receipts(sent.store, "trial", [late], sent.clock.now())
    assert ["delivered", "undelivered", "unconfirmed"] == sent.states()


def test_a_gateway_without_receipts_leaves_its_messages_accepted(sent: Office) -> None:
    sent.clock.sleep(DAYS.total_seconds() + 60)
    assert (0, ["accepted"] * 3) == (give_up(sent), sent.states())
