"""Receipts in any order, any number of times, before or after the answer: the same end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.receipts.matching import store_receipts
from smsengine.store import messages
from tests.conftest import Office, rows

DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED
PARTS = ("P-1", "P-2", "P-3")
REFERENCE = "by our reference"


@dataclass(frozen=True)
class Said:
    """What one receipt says: of a part by its name, or of the whole by our reference."""

    name: str
    status: ReceiptStatus


SAID = st.builds(Said, st.sampled_from([*PARTS, REFERENCE]), st.sampled_from(list(ReceiptStatus)))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Said]], int]:
    """Batches of receipts, some repeated, in two orders' worth of freedom; and when it settles."""
    distinct = draw(st.lists(SAID, max_size=6, unique=True))
    repeated = distinct + (
        draw(st.lists(st.sampled_from(distinct), max_size=3)) if distinct else []
    )
    order = draw(st.permutations(repeated))
    cuts = draw(st.lists(st.integers(0, len(order)), max_size=3).map(sorted))
    places = [0, *cuts, len(order)]
    batches = [list(order[a:b]) for a, b in pairwise(places)]
    return batches, draw(st.integers(0, len(batches)))


def expected(said: Sequence[Said]) -> str:
    """The law, of the set of what was said."""
    delivered = {each.name for each in said if each.status is DELIVERED}
    if REFERENCE in delivered or set(PARTS) <= delivered:
        return "delivered"
    if any(each.status is UNDELIVERED for each in said):
        return "undelivered"
    return "accepted"


def begin(office: Office) -> str:
    """A long message of three parts is being sent; gives our reference."""
    if not office.all("SELECT id FROM messages"):
        office.released(rows(1))
    office.change("DELETE FROM receipts")
    office.change("DELETE FROM parts")
    office.change(
        "UPDATE messages SET state = 'sending', gateway = 'trial', gateway_id = NULL,"
        " worker = 'w', lease_until = due_at, settled_at = NULL"
    )
    ((key, revision),) = office.all("SELECT dedup_key, revision FROM messages")
    return messages.reference(bytes(key), revision)


def settle(office: Office) -> None:
    """The gateway's answer is in the ledger."""
    office.change(
        "UPDATE messages SET state = 'accepted', gateway_id = 'P-1', worker = NULL,"
        " lease_until = NULL, settled_at = due_at"
    )
    for part in PARTS:
        office.change("INSERT INTO parts VALUES ('trial', ?, 1, NULL)", part)


def receipt(said: Said, reference: str) -> Receipt:
    by_reference = said.name == REFERENCE
    return Receipt(
        gateway_id="" if by_reference else said.name,
        reference=reference if by_reference else "",
        status=said.status,
    )


@given(histories())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_end_depends_on_what_was_said_and_on_nothing_else(
    office: Office, history: tuple[list[list[Said]], int]
) -> None:
    """Neither on the order, nor on repetitions, nor on when the answer was settled."""
    batches, settles_at = history
    reference = begin(office)
    now = office.clock.now()
    for number, batch in enumerate([*batches, []]):
        if number == settles_at:
            settle(office)
        store_receipts(office.store, "trial", [receipt(each, reference) for each in batch], now)
    if settles_at > len(batches):
        settle(office)
    store_receipts(office.store, "trial", [], now)
    said = [each for batch in batches for each in batch]
    assert [expected(said)] == office.states()
    assert len(set(said)) == office.all("SELECT count(*) FROM receipts")[0][0]
    assert len(said) == (office.all("SELECT sum(times) FROM receipts")[0][0] or 0)
    assert [] == office.all("SELECT id FROM receipts WHERE message_id IS NULL")
