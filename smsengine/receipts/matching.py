"""Receipts meet their messages. Delivered wins; a final word is never undone by a lesser one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.lifecycle import MessageState
from smsengine.store import receipts as stored
from smsengine.store.engine import Store
from smsengine.store.messages import key_of
from smsengine.store.tables import LONGEST_CODE, LONGEST_GATEWAY_ID

_MEANS = {
    ReceiptStatus.DELIVERED: MessageState.DELIVERED,
    ReceiptStatus.UNDELIVERED: MessageState.UNDELIVERED,
    # Whatever is on its way was taken: that settles a doubt.
    ReceiptStatus.IN_TRANSIT: MessageState.ACCEPTED,
}


def store_receipts(store: Store, gateway: str, received: Sequence[Receipt], now: datetime) -> int:
    """Keep every receipt, and move the messages that they speak of.

    A receipt that matches no message is kept all the same: it may have come before the answer was
    settled, and is matched again with the next ones.

    Returns:
        How many messages moved.
    """
    with store.write() as connection:
        known = stored.name_by_reference(connection, gateway, _named(received))
        stored.keep(
            connection,
            [
                {
                    "gateway": gateway,
                    "gateway_id": _name(receipt, known),
                    "status": receipt.status,
                    "code": receipt.code[:LONGEST_CODE],
                    "received_at": now,
                }
                for receipt in received
            ],
        )
        moved = 0
        for status, state in _MEANS.items():
            moved += stored.apply(connection, gateway, status=status, state=state, now=now)
        stored.match(connection, gateway)
    return moved


def _named(received: Sequence[Receipt]) -> dict[tuple[bytes, int], str]:
    """What the gateway calls the messages that it names by our reference, too.

    A message whose answer was lost has no other name at the gateway.
    """
    named = {}
    for receipt in received:
        key = key_of(receipt.reference) if receipt.reference else None
        if key is not None:
            named[key] = _name(receipt, {})
    return named


def _name(receipt: Receipt, known: Mapping[tuple[bytes, int], str]) -> str:
    """What the gateway calls the message, as the ledger keeps it.

    A gateway that named it in its answer may speak of it by our reference alone.
    """
    key = key_of(receipt.reference) if receipt.reference and not receipt.gateway_id else None
    if key is not None and key in known:
        return known[key]
    return (receipt.gateway_id or receipt.reference)[:LONGEST_GATEWAY_ID]
