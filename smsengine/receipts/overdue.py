"""Receipts that do not come: the gateway is asked, where it can be, and at last given up."""

from __future__ import annotations

from datetime import datetime, timedelta

from smsengine.gateways.base import Asked, Gateway
from smsengine.receipts.matching import store_receipts
from smsengine.store import awaiting
from smsengine.store import receipts as stored
from smsengine.store.engine import Store

#: Messages that are asked about at one time: half a minute where each is a request.
ASKED_AT_ONCE = 500
#: Runs that were sealed longer ago than this are let be, beside the time that receipts have.
_LATELY = timedelta(days=14)
_PIECE = 2000


def ask(store: Store, name: str, gateway: Gateway, *, now: datetime, after: timedelta) -> int:
    """Ask a gateway about some messages of which nothing was heard for so long.

    Returns:
        How many messages moved.

    Raises:
        GatewayError: it does not answer.
    """
    if not gateway.capabilities.can_report:
        return 0
    with store.read() as connection:
        found = awaiting.some(
            connection,
            name,
            sealed_after=now - after - _LATELY,
            accepted_before=now - after,
            limit=ASKED_AT_ONCE,
        )
    asked = [Asked(each.gateway_id or "", each.reference, each.address) for each in found]
    told = gateway.reports(asked) if asked else []
    return store_receipts(store, name, told, now) if told else 0


def give_up(store: Store, name: str, *, now: datetime, after: timedelta) -> int:
    """Wait no longer for receipts of messages that were accepted so long ago.

    A gateway that never gave a receipt gives none: its messages stay accepted.

    Returns:
        How many messages are unconfirmed now.
    """
    before = now - after
    with store.read() as connection:
        if not stored.has_any(connection, name):
            return 0
        ids = awaiting.all_of(
            connection, name, sealed_after=before - _LATELY, accepted_before=before
        )
    count = 0
    for start in range(0, len(ids), _PIECE):
        some = ids[start : start + _PIECE]
        with store.write() as connection:
            count += awaiting.give_up(connection, some, accepted_before=before, now=now)
    return count
