"""Named statements on ``receipts``, and on the messages that they speak of.

Every statement reads by a name or a key: however many receipts the ledger holds, one more costs
the same. A receipt without a message is parked; ``ix_receipts_parked`` holds those alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Executable,
    RowMapping,
    bindparam,
    case,
    delete,
    func,
    select,
    true,
    tuple_,
    update,
)

from smsengine.lifecycle import MessageState, sources_of_message
from smsengine.store.bulk import Bulk, Given
from smsengine.store.fitting import fitted, slices
from smsengine.store.tables import messages, parts, receipts

_KEY = ("gateway", "gateway_id", "status", "code")
_SAID = ("gateway_id", "status", "code", "reference", "aliases", "raw")
_UNSAID: Mapping[str, Any] = {
    "reference": "",
    "aliases": "",
    "raw": "",
    "times": 1,
    "message_id": None,
}
_KEPT = ("gateway", "received_at", "times", "message_id", *_SAID)
#: What a receipt that waits is found by.
_WAITS_WITH = ("received_at", "reference", "aliases")


def _keep_statement(kind: Any, given: Given) -> Executable:
    """What is said again is counted, and speaks of the message that it fits now.

    A gateway that counts anew says the same of another message: where that one is not known yet,
    the receipt waits for it, by the names that it has now.
    """
    rows = select(*(given[name] for name in _KEPT)).where(true())
    insert = kind.insert(receipts).from_select([*_KEPT], rows)
    new = insert.excluded
    waits = new.message_id.is_(None)
    again = {
        "times": receipts.c.times + new.times,
        "message_id": new.message_id,
        **{name: case((waits, new[name]), else_=receipts.c[name]) for name in _WAITS_WITH},
    }
    statement: Executable = insert.on_conflict_do_update(index_elements=[*_KEY], set_=again)
    return statement


_KEEP = Bulk(_keep_statement, {name: receipts.c[name].type for name in _KEPT})


def keep(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write receipts as they came; one that is repeated is kept once, and counted.

    They are written in one order: two machines that hear the same must not wait for each other.
    """
    once: dict[tuple[Any, ...], dict[str, Any]] = {}
    of_key = itemgetter(*_KEY)
    for row in rows:
        fitting = {**_UNSAID, **row}
        fitting |= {name: fitted(receipts.c[name], fitting[name]) for name in _SAID}
        first = once.setdefault(of_key(fitting), fitting)
        if first is not fitting:
            first["times"] += fitting["times"]
            first["message_id"] = fitting["message_id"] or first["message_id"]
    ordered = [once[key] for key in sorted(once)]
    columns = {name: [row[name] for row in ordered] for name in _KEPT}
    _KEEP.execute(connection, columns, {})


class Named(NamedTuple):
    """A message that goes by a name; ``part`` is the name where it is the name of a part of it.

    ``settled_at`` is when its state was settled; None while it is not.
    """

    name: str
    id: int
    state: MessageState
    part: str = ""
    settled_at: datetime | None = None


def by_name(connection: Connection, gateway: str, names: Iterable[str]) -> list[Named]:
    """Messages of a gateway, by its names for them or for their parts."""
    found = []
    for some in slices(sorted(set(names) - {""})):
        message = (messages.c.id, messages.c.state, messages.c.settled_at)
        of_message = select(messages.c.gateway_id, *message).where(
            messages.c.gateway_id.in_(some), messages.c.gateway == gateway
        )
        of_part = (
            select(parts.c.part_id, *message, parts.c.part_id)
            .join(messages, messages.c.id == parts.c.message_id)
            .where(parts.c.gateway == gateway, parts.c.part_id.in_(some))
        )
        for statement in (of_message, of_part):
            for name, key, state, settled_at, *part in connection.execute(statement):
                named = Named(name, key, MessageState(state), *part)
                found.append(named._replace(settled_at=settled_at))
    return found


def by_key(
    connection: Connection, gateway: str, keys: Collection[tuple[bytes, int]]
) -> dict[tuple[bytes, int], int]:
    """The ids of a gateway's messages, by dedup key and revision."""
    found: dict[tuple[bytes, int], int] = {}
    for some in slices(sorted({key for key, _ in keys})):
        statement = select(messages.c.dedup_key, messages.c.revision, messages.c.id).where(
            messages.c.dedup_key.in_(some), messages.c.gateway == gateway
        )
        found |= {(bytes(key), edition): id_ for key, edition, id_ in connection.execute(statement)}
    return found


def lock(connection: Connection, message_ids: Collection[int]) -> dict[int, MessageState]:
    """The states of messages, that nobody else changes until the transaction has ended.

    Rows are locked in one order, so that two machines never wait for each other.
    """
    found: dict[int, MessageState] = {}
    for some in slices(sorted(message_ids)):
        statement = (
            select(messages.c.id, messages.c.state)
            .where(messages.c.id.in_(some))
            .order_by(messages.c.id)
            .with_for_update()
        )
        found |= {key: MessageState(state) for key, state in connection.execute(statement)}
    return found


def call(connection: Connection, named: Mapping[int, str]) -> None:
    """Tell messages that have no name of the gateway's yet what it calls them."""
    statement = (
        update(messages)
        .where(messages.c.id == bindparam("message"), messages.c.gateway_id.is_(None))
        .values(gateway_id=bindparam("name"))
    )
    rows = [
        {"message": key, "name": fitted(messages.c.gateway_id, name)}
        for key, name in sorted(named.items())
    ]
    if rows:
        connection.execute(statement, rows)


def move(
    connection: Connection, message_ids: Collection[int], state: MessageState, *, now: datetime
) -> int:
    """Move messages where the law allows it; returns how many.

    One that is being sent waits for its answer: what a receipt says must find it settled.
    """
    sources = sorted(set(sources_of_message(state)) - {MessageState.SENDING})
    moved = 0
    for some in slices(sorted(message_ids)):
        statement = (
            update(messages)
            .where(messages.c.id.in_(some), messages.c.state.in_(sources))
            .values(state=state, settled_at=now, unknown_since=None, worker=None)
        )
        moved += connection.execute(statement).rowcount
    return moved


class Parked(NamedTuple):
    """A receipt that waits for its message."""

    id: int
    received_at: datetime
    gateway_id: str
    reference: str
    aliases: str
    status: str


def parked(
    connection: Connection,
    gateway: str,
    *,
    after: datetime,
    limit: int,
    before: tuple[datetime, int] | None = None,
) -> list[Parked]:
    """Parked receipts that came after an instant, the newest first.

    Args:
        connection: a transaction.
        gateway: whose.
        after: older ones are left out.
        limit: most rows.
        before: instant and id of the last one that was given before.
    """
    place = tuple_(receipts.c.received_at, receipts.c.id)
    statement = (
        select(*(receipts.c[name] for name in Parked._fields))
        .where(
            receipts.c.gateway == gateway,
            receipts.c.message_id.is_(None),
            receipts.c.received_at > after,
            true() if before is None else receipts.c.received_at <= before[0],
            true() if before is None else place < tuple_(*before),
        )
        .order_by(receipts.c.received_at.desc(), receipts.c.id.desc())
        .limit(limit)
    )
    return [Parked(*row) for row in connection.execute(statement)]


def tie(connection: Connection, tied: Mapping[int, int]) -> None:
    """Parked receipts have found their messages; by the receipts' ids."""
    statement = (
        update(receipts)
        .where(receipts.c.id == bindparam("receipt"), receipts.c.message_id.is_(None))
        .values(message_id=bindparam("message"))
    )
    rows = [{"receipt": key, "message": message} for key, message in sorted(tied.items())]
    if rows:
        connection.execute(statement, rows)


def strangers(
    connection: Connection, gateway: str, *, after: datetime, before: datetime, most: int
) -> int:
    """How many receipts that came between two instants speak of no message; counted up to that."""
    some = (
        select(receipts.c.id)
        .where(
            receipts.c.gateway == gateway,
            receipts.c.message_id.is_(None),
            receipts.c.received_at > after,
            receipts.c.received_at <= before,
        )
        .limit(most)
        .subquery()
    )
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def has_any(connection: Connection, gateway: str) -> bool:
    """Say whether a gateway has ever sent a receipt."""
    statement = select(receipts.c.id).where(receipts.c.gateway == gateway).limit(1)
    return connection.execute(statement).first() is not None


def forget_raw(connection: Connection, message_ids: Sequence[int]) -> None:
    """What came as it came is taken out of the receipts of these messages."""
    connection.execute(
        update(receipts)
        .where(receipts.c.message_id.in_(message_ids), receipts.c.raw > "")
        .values(raw="")
    )


def forget_strangers(connection: Connection, cutoff: datetime, *, limit: int) -> int:
    """Delete receipts that came before an instant and speak of no message; returns how many."""
    old = (
        select(receipts.c.id)
        .where(receipts.c.message_id.is_(None), receipts.c.received_at < cutoff)
        .limit(limit)
    )
    return connection.execute(delete(receipts).where(receipts.c.id.in_(old))).rowcount


def of_message(connection: Connection, message_id: int) -> Sequence[RowMapping]:
    """Every receipt of a message, in the order in which they came."""
    statement = select(receipts).where(receipts.c.message_id == message_id).order_by(receipts.c.id)
    return connection.execute(statement).mappings().all()
