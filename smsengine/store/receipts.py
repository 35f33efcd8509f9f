"""Named statements on ``receipts`` and ``parts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.lifecycle import MessageState, sources_of_message
from smsengine.store.fitting import fitted, slices
from smsengine.store.tables import messages, parts, receipts

#: States of a message that was handed over and is not being handed over just now.
_HANDED_OVER = [
    MessageState.ACCEPTED,
    MessageState.DELIVERED,
    MessageState.UNDELIVERED,
    MessageState.UNCONFIRMED,
    MessageState.UNKNOWN,
]


class Parked(NamedTuple):
    """A receipt that is not tied to a message yet; ``aliases`` are apart by blanks."""

    id: int
    gateway_id: str
    status: str
    aliases: str


def keep(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write receipts as they came, not yet matched to a message; a repeated one is counted.

    They are written in one order: two machines that hear the same must not wait for each other.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    said = ("gateway_id", "status", "code")
    fitting = [row | {name: fitted(receipts.c[name], row[name]) for name in said} for row in rows]
    if fitting:
        insert = dialect.insert(receipts)
        again = insert.on_conflict_do_update(
            index_elements=["gateway", *said], set_={"times": receipts.c.times + 1}
        )
        connection.execute(again, sorted(fitting, key=itemgetter(*said)))


def parked(connection: Connection, gateway: str, names: Sequence[str]) -> list[Parked]:
    """Receipts by these names that are not tied to a message."""
    found: list[Parked] = []
    for some in slices([fitted(receipts.c.gateway_id, name) for name in names]):
        found += _parked(connection, gateway, receipts.c.gateway_id.in_(some))
    return found


def parked_since(connection: Connection, gateway: str, since: datetime) -> list[Parked]:
    """Receipts since then that are not tied to a message; reads ``ix_receipts_parked`` only."""
    return _parked(connection, gateway, receipts.c.received_at >= since)


def _parked(connection: Connection, gateway: str, condition: ColumnElement[bool]) -> list[Parked]:
    statement = select(*(receipts.c[name] for name in Parked._fields)).where(
        receipts.c.gateway == gateway, receipts.c.message_id.is_(None), condition
    )
    return [Parked(*row) for row in connection.execute(statement)]


def strangers(connection: Connection, *, after: datetime, before: datetime) -> Mapping[str, int]:
    """How many receipts of a time speak of no message of ours, by gateway."""
    statement = (
        select(receipts.c.gateway, func.count())
        .where(
            receipts.c.message_id.is_(None),
            receipts.c.received_at >= after,
            receipts.c.received_at < before,
        )
        .group_by(receipts.c.gateway)
    )
    return {str(gateway): int(count) for gateway, count in connection.execute(statement)}


# -- whose they are --------------------------------------------------------------------------------


def by_name(connection: Connection, gateway: str, names: Sequence[str]) -> dict[str, int]:
    """Handed over messages by the gateway's names of them."""
    found: dict[str, int] = {}
    for some in slices(names):
        statement = select(messages.c.gateway_id, messages.c.id).where(
            messages.c.gateway_id.in_(some),
            messages.c.gateway == gateway,
            messages.c.state.in_(_HANDED_OVER),
        )
        found.update((name, message) for name, message in connection.execute(statement))
    return found


def by_part(connection: Connection, gateway: str, names: Sequence[str]) -> dict[str, int]:
    """Messages by the gateway's names of their parts."""
    found: dict[str, int] = {}
    for some in slices(names):
        statement = select(parts.c.part_id, parts.c.message_id).where(
            parts.c.gateway == gateway, parts.c.part_id.in_(some)
        )
        found.update((name, message) for name, message in connection.execute(statement))
    return found


def by_key(
    connection: Connection, gateway: str, keys: Sequence[tuple[bytes, int]]
) -> dict[tuple[bytes, int], int]:
    """Handed over messages by dedup key and revision."""
    found: dict[tuple[bytes, int], int] = {}
    for some in slices(sorted({key for key, _ in keys})):
        statement = select(messages.c.dedup_key, messages.c.revision, messages.c.id).where(
            messages.c.dedup_key.in_(some),
            messages.c.gateway == gateway,
            messages.c.state.in_(_HANDED_OVER),
        )
        found.update(
            ((bytes(key), edition), each) for key, edition, each in connection.execute(statement)
        )
    return found


def tie(connection: Connection, pairs: Mapping[int, int]) -> None:
    """Tie receipts to the messages that they speak of; both by their ids."""
    statement = (
        update(receipts)
        .where(receipts.c.id == bindparam("receipt"))
        .values(message_id=bindparam("message"))
    )
    rows = [{"receipt": receipt, "message": pairs[receipt]} for receipt in sorted(pairs)]
    if rows:
        connection.execute(statement, rows)


def give_names(connection: Connection, names: Mapping[int, str]) -> None:
    """Tell messages that have no name of the gateway's yet what it calls them."""
    statement = (
        update(messages)
        .where(messages.c.id == bindparam("message"), messages.c.gateway_id.is_(None))
        .values(gateway_id=bindparam("name"))
    )
    rows = [
        {"message": message, "name": fitted(messages.c.gateway_id, names[message])}
        for message in sorted(names)
    ]
    if rows:
        connection.execute(statement, rows)


# -- what they move --------------------------------------------------------------------------------


def move(connection: Connection, ids: Sequence[int], state: MessageState, *, now: datetime) -> int:
    """Move messages, where the law allows it; returns how many moved.

    One that is being sent waits for its answer: what a later receipt says must find it settled.
    """
    moved = 0
    sources = sorted(set(sources_of_message(state)) - {MessageState.SENDING})
    for some in slices(sorted(ids)):
        statement = (
            update(messages)
            .where(messages.c.id.in_(some), messages.c.state.in_(sources))
            .values(state=state, settled_at=now, unknown_since=None, worker=None)
        )
        moved += connection.execute(statement).rowcount
    return moved


def remember_parts(
    connection: Connection, gateway: str, named: Sequence[tuple[int, Sequence[str]]]
) -> None:
    """Keep the gateway's names of the parts of messages, by the messages' ids."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [
        {"gateway": gateway, "part_id": fitted(parts.c.part_id, name), "message_id": message}
        for message, names in named
        for name in names
    ]
    if rows:
        connection.execute(dialect.insert(parts).on_conflict_do_nothing(), rows)


def mark_parts(connection: Connection, gateway: str, said: Mapping[str, str]) -> None:
    """Write down what receipts say of parts, by the gateway's names of them."""
    statement = (
        update(parts)
        .where(parts.c.gateway == gateway, parts.c.part_id == bindparam("name"))
        .values(status=bindparam("said"))
    )
    rows = [{"name": name, "said": said[name]} for name in sorted(said)]
    if rows:
        connection.execute(statement, rows)


def parts_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str | None]]:
    """What is known of the parts of these messages, by message and the gateway's name."""
    found: dict[int, dict[str, str | None]] = {}
    for some in slices(sorted(ids)):
        statement = select(parts.c.message_id, parts.c.part_id, parts.c.status).where(
            parts.c.message_id.in_(some)
        )
        for message, name, status in connection.execute(statement):
            found.setdefault(message, {})[name] = status
    return found


def of_message(connection: Connection, message_id: int) -> Sequence[RowMapping]:
    """Every receipt of a message, in the order in which they came."""
    statement = select(receipts).where(receipts.c.message_id == message_id).order_by(receipts.c.id)
    return connection.execute(statement).mappings().all()
