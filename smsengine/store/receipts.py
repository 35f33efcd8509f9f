"""Named statements on ``receipts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.lifecycle import MessageState, sources_of_message
from smsengine.store.fitting import fitted, slices
from smsengine.store.tables import messages, receipts


def keep(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write receipts as they came, not yet matched to a message; a repeated one is kept once.

    They are written in one order: two machines that hear the same must not wait for each other.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    said = ("gateway_id", "status", "code")
    fitting = [row | {name: fitted(receipts.c[name], row[name]) for name in said} for row in rows]
    if fitting:
        ordered = sorted(fitting, key=itemgetter(*said))
        connection.execute(dialect.insert(receipts).on_conflict_do_nothing(), ordered)


def name_by_reference(
    connection: Connection, gateway: str, names: Mapping[tuple[bytes, int], str]
) -> dict[tuple[bytes, int], str]:
    """Tell messages that have no name of the gateway's yet what came with our reference.

    Args:
        connection: a transaction.
        gateway: whose messages.
        names: for each dedup key and revision what the gateway calls it; our reference where it
            gave no name.

    Returns:
        What each of them is called in the ledger now.
    """
    statement = (
        update(messages)
        .where(
            messages.c.dedup_key == bindparam("key"),
            messages.c.revision == bindparam("edition"),
            messages.c.gateway == gateway,
            messages.c.gateway_id.is_(None),
        )
        .values(gateway_id=bindparam("name"))
    )
    rows = [
        {"key": key, "edition": edition, "name": fitted(messages.c.gateway_id, name)}
        for (key, edition), name in sorted(names.items())
    ]
    if rows:
        connection.execute(statement, rows)
    found: dict[tuple[bytes, int], str] = {}
    for some in slices(sorted({key for key, _ in names})):
        known = select(messages.c.dedup_key, messages.c.revision, messages.c.gateway_id).where(
            messages.c.dedup_key.in_(some),
            messages.c.gateway == gateway,
            messages.c.gateway_id.is_not(None),
        )
        found |= {(key, edition): name for key, edition, name in connection.execute(known)}
    return found


def apply(
    connection: Connection, gateway: str, *, status: str, state: MessageState, now: datetime
) -> int:
    """Move the messages of unmatched receipts with this status, where the law allows it.

    One that is being sent waits for its answer: what a later receipt says must find it settled.

    Returns:
        How many moved.
    """
    spoken_of = select(receipts.c.gateway_id).where(
        receipts.c.gateway == gateway,
        receipts.c.message_id.is_(None),
        receipts.c.status == status,
    )
    sources = set(sources_of_message(state)) - {MessageState.SENDING}
    statement = (
        update(messages)
        .where(
            messages.c.gateway_id.in_(spoken_of),
            messages.c.gateway == gateway,
            messages.c.state.in_(sorted(sources)),
        )
        .values(state=state, settled_at=now, unknown_since=None, worker=None)
    )
    return connection.execute(statement).rowcount


def match(connection: Connection, gateway: str) -> int:
    """Tie unmatched receipts to the settled messages that they speak of; returns how many."""
    settled = [MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED]
    found = select(messages.c.id).where(
        messages.c.gateway_id == receipts.c.gateway_id,
        messages.c.gateway == gateway,
        messages.c.state.in_(settled),
    )
    statement = (
        update(receipts)
        .where(receipts.c.gateway == gateway, receipts.c.message_id.is_(None), found.exists())
        .values(message_id=found.limit(1).scalar_subquery())
    )
    return connection.execute(statement).rowcount


def of_message(connection: Connection, message_id: int) -> Sequence[RowMapping]:
    """Every receipt of a message, in the order in which they came."""
    statement = select(receipts).where(receipts.c.message_id == message_id).order_by(receipts.c.id)
    return connection.execute(statement).mappings().all()
