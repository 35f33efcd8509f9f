"""Named statements on accepted messages of which nothing was heard since.

They go run by run, over runs that were sealed lately: no index is kept for it, since every message
would pass through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, literal_column, select, update

from smsengine.lifecycle import MessageState
from smsengine.store.messages import reference
from smsengine.store.tables import messages, runs


class Awaited(NamedTuple):
    """A message whose receipt is awaited."""

    gateway_id: str | None
    reference: str
    address: str


def _awaited(
    gateway: str, sealed_after: datetime, accepted_before: datetime
) -> ColumnElement[bool]:
    lately = select(runs.c.id).where(runs.c.sealed_at >= sealed_after)
    return (
        messages.c.run_id.in_(lately)
        & (messages.c.state == literal_column(f"'{MessageState.ACCEPTED}'"))
        & (messages.c.gateway == gateway)
        & (messages.c.settled_at < accepted_before)
    )


def some(
    connection: Connection,
    gateway: str,
    *,
    sealed_after: datetime,
    accepted_before: datetime,
    limit: int,
) -> Sequence[Awaited]:
    """Some of them, others each time: who stays silent does not keep the rest from their turn."""
    statement = (
        select(
            messages.c.gateway_id,
            messages.c.dedup_key,
            messages.c.revision,
            messages.c.address,
        )
        .where(_awaited(gateway, sealed_after, accepted_before))
        .order_by(func.random())
        .limit(limit)
    )
    return [
        Awaited(name, reference(bytes(key), revision), address)
        for name, key, revision, address in connection.execute(statement)
    ]


def all_of(
    connection: Connection, gateway: str, *, sealed_after: datetime, accepted_before: datetime
) -> Sequence[int]:
    """The ids of all of them, by one look at each run."""
    statement = (
        select(messages.c.id)
        .where(_awaited(gateway, sealed_after, accepted_before))
        .order_by(messages.c.id)
    )
    return connection.execute(statement).scalars().all()


def give_up(
    connection: Connection, ids: Sequence[int], *, accepted_before: datetime, now: datetime
) -> int:
    """Count on a receipt no more, for these messages where none has come; returns for how many."""
    picked = (
        select(messages.c.id)
        .where(
            messages.c.id.in_(ids),
            messages.c.state == literal_column(f"'{MessageState.ACCEPTED}'"),
            messages.c.settled_at < accepted_before,
        )
        .order_by(messages.c.id)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    statement = (
        update(messages)
        .where(messages.c.id.in_(select(picked.c.id)))
        .values(state=MessageState.UNCONFIRMED, settled_at=now)
        .returning(messages.c.id)
    )
    return len(connection.execute(statement).all())
