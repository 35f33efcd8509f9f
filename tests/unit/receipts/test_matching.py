"""Receipts meet their messages, in whatever order they come."""

from __future__ import annotations

import pytest

from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.receipts.matching import store_receipts
from smsengine.store import messages
from tests.conftest import Office, rows

DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED
IN_TRANSIT = ReceiptStatus.IN_TRANSIT


@pytest.fixture
def sent(office: Office) -> Office:
    """A run of two messages that were accepted as ``T-1`` and ``T-2``."""
    office.released(rows(2))
    office.change(
        "UPDATE messages SET state = 'accepted', gateway = 'trial', settled_at = due_at,"
        " gateway_id = CASE WHEN place = 1 THEN 'T-1' ELSE 'T-2' END"
    )
    return office


def receive(office: Office, *received: Receipt, gateway: str = "trial") -> int:
    """Receipts come; how many messages moved."""
    return store_receipts(office.store, gateway, received, office.clock.now())


def of(
    name: str, status: ReceiptStatus = DELIVERED, code: str = "", reference: str = ""
) -> Receipt:
    return Receipt(gateway_id=name, status=status, code=code, reference=reference)


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([DELIVERED], "delivered"),
        ([UNDELIVERED], "undelivered"),
        ([IN_TRANSIT], "accepted"),
        ([IN_TRANSIT, DELIVERED], "delivered"),
        ([UNDELIVERED, DELIVERED], "delivered"),
        ([DELIVERED, UNDELIVERED], "delivered"),
        ([DELIVERED, IN_TRANSIT], "delivered"),
        ([DELIVERED, DELIVERED], "delivered"),
        ([UNDELIVERED, UNDELIVERED, IN_TRANSIT], "undelivered"),
    ],
)
def test_delivered_wins(sent: Office, statuses: list[ReceiptStatus], state: str) -> None:
    """A final word is never undone by a lesser one, in whatever order receipts come."""
    for status in statuses:
        receive(sent, of("T-1", status))
    assert [state, "accepted"] == sent.states()


@pytest.mark.parametrize("both", [(UNDELIVERED, DELIVERED), (DELIVERED, UNDELIVERED)])
def test_contrary_receipts_in_one_answer(sent: Office, both: tuple[ReceiptStatus, ...]) -> None:
    """Of two words in one batch the better one counts."""
    receive(sent, *(of("T-1", status) for status in both))
    assert "delivered" == sent.states()[0]


def test_a_repeated_receipt_is_kept_once(sent: Office) -> None:
    """Telcos repeat themselves; the ledger does not, and nothing moves a second time."""
    moved = [receive(sent, of("T-1")) for _ in range(2)]
    assert ([1, 0], [(1,)]) == (moved, sent.all("SELECT count(*) FROM receipts"))


def test_a_receipt_is_tied_to_its_message(sent: Office) -> None:
    """Who looks at a message finds what the telco said of it, with the code."""
    receive(sent, of("T-2", UNDELIVERED, "EXPIRED"))
    assert [(2, "undelivered", "EXPIRED")] == sent.all(
        "SELECT message_id, status, code FROM receipts"
    )


def test_a_receipt_for_nobody_is_kept(sent: Office) -> None:
    """A receipt that speaks of no message of ours moves nothing, and can be looked up."""
    assert 0 == receive(sent, of("strange"))
    assert [("strange", None)] == sent.all("SELECT gateway_id, message_id FROM receipts")


def test_a_receipt_of_another_gateway_moves_nothing(sent: Office) -> None:
    """Two gateways may give the same name to different messages."""
    receive(sent, of("T-1"), gateway="other")
    assert ["accepted", "accepted"] == sent.states()


def test_a_receipt_that_came_before_its_answer(sent: Office) -> None:
    """A telco that is faster than our own ledger is believed when the next receipts come."""
    sent.change(
        "UPDATE messages SET state = 'sending', gateway_id = NULL, worker = 'w',"
        " lease_until = due_at WHERE place = 1"
    )
    moved = [receive(sent, of("T-1"))]
    sent.change("UPDATE messages SET state = 'accepted', gateway_id = 'T-1' WHERE place = 1")
    moved.append(receive(sent))
    assert ([0, 1], "delivered") == (moved, sent.states()[0])


@pytest.mark.parametrize("state", ["queued", "rejected", "cancelled", "expired"])
def test_a_receipt_moves_nothing_that_was_not_handed_over(sent: Office, state: str) -> None:
    """A receipt for a message that waits or was withdrawn changes no state."""
    sent.change("UPDATE messages SET state = ? WHERE place = 1", state)
    receive(sent, of("T-1"))
    assert state == sent.states()[0]


def test_a_receipt_may_name_a_message_by_our_reference(sent: Office) -> None:
    """A gateway that never told us its own name for it is understood all the same."""
    ((key, revision),) = sent.all("SELECT dedup_key, revision FROM messages WHERE place = 2")
    sent.change("UPDATE messages SET gateway_id = NULL WHERE place = 2")
    receive(sent, of("", reference=messages.reference(bytes(key), revision)))
    assert ["accepted", "delivered"] == sent.states()


@pytest.mark.parametrize(
    "reference",
    [
        "x",
        "-1",
        "aaaa-x",
        "1-1-1",
        "đ-1",
        f"{'a' * 32}-0",
        f"{'a' * 32}-{10**30}",
        f"{'a' * 32}--1",
    ],
)
def test_a_reference_that_is_none_moves_nothing(sent: Office, reference: str) -> None:
    """What a stranger writes into a receipt is no name of ours."""
    assert 0 == receive(sent, of("", reference=reference))


def test_a_message_that_is_told_of_is_settled_then(sent: Office) -> None:
    """The ledger knows when the telco's word came."""
    sent.clock.sleep(90)
    receive(sent, of("T-1"))
    ((settled, due),) = sent.all("SELECT settled_at, due_at FROM messages WHERE place = 1")
    assert settled > due
