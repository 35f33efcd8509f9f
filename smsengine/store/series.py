"""Named statements on phones that serve many subjects, and on texts that tell of many."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, func, literal_column, select, update

from smsengine.lifecycle import MessageState
from smsengine.store.bulk import Bulk, Given
from smsengine.store.known import is_withdrawn
from smsengine.store.messages import CARRIERS_ROW
from smsengine.store.tables import messages, runs


class Nth(NamedTuple):
    """A message of a run, and the how many-eth for its address it is, from 1."""

    id: int
    address: str
    nth: int


def beyond(connection: Connection, run_id: int, most: int) -> Iterator[Nth]:
    """The messages of a run that are more than the first so many for their address, by place."""
    nth = func.row_number().over(partition_by=messages.c.address, order_by=messages.c.place)
    ranked = (
        select(messages.c.id, messages.c.address, nth.label("nth"))
        .where(messages.c.run_id == run_id)
        .subquery()
    )
    statement = select(ranked).where(ranked.c.nth > most).order_by(ranked.c.id)
    return (Nth(*row) for row in connection.execute(statement))


def told_addresses(
    connection: Connection, topic: str, period: str, *, except_run: int
) -> Iterator[str]:
    """The addresses of a topic's messages about a period, once for each subject told."""
    statement = (
        select(messages.c.address)
        .join(runs, runs.c.id == messages.c.run_id)
        .where(
            runs.c.topic == topic,
            runs.c.period == period,
            runs.c.id != except_run,
            messages.c.row_number != CARRIERS_ROW,
            ~is_withdrawn(messages),
        )
        .group_by(messages.c.address, messages.c.subject)
    )
    return iter(connection.execute(statement).scalars())


class Listed(NamedTuple):
    """A message that may be told together with others of its phone."""

    id: int
    place: int
    row_number: int
    dedup_key: bytes
    revision: int
    subject: str
    address: str
    network: str
    segments: int
    line: str | None


def of_shared_phones(connection: Connection, run_id: int, least: int) -> Sequence[int]:
    """The messages of a run to phones that have at least so many in it, phone by phone."""
    shared = (
        select(messages.c.address)
        .where(messages.c.run_id == run_id)
        .group_by(messages.c.address)
        .having(func.count() >= least)
    )
    statement = (
        select(messages.c.id)
        .where(messages.c.run_id == run_id, messages.c.address.in_(shared))
        .order_by(messages.c.address, messages.c.place)
    )
    return array("q", connection.execute(statement).scalars())


def listed(connection: Connection, message_ids: Sequence[int]) -> Sequence[Listed]:
    """These messages, in this order."""
    statement = select(*(messages.c[name] for name in Listed._fields)).where(
        messages.c.id.in_(message_ids)
    )
    found = {row.id: Listed(*row) for row in connection.execute(statement)}
    return [found[each] for each in message_ids]


def _merge_statement(_kind: Any, given: Given) -> Executable:
    carrier = messages.alias("carrier")
    found = select(carrier.c.id).where(
        carrier.c.dedup_key == given["carrier_key"], carrier.c.revision == literal_column("1")
    )
    return (
        update(messages)
        .where(messages.c.id == given["id"])
        .values(
            state=literal_column(f"'{MessageState.MERGED}'"),
            carrier_id=found.scalar_subquery(),
            settled_at=given["settled_at"],
        )
    )


_MERGE = Bulk(
    _merge_statement,
    {
        "id": messages.c.id.type,
        "carrier_key": messages.c.dedup_key.type,
        "settled_at": messages.c.settled_at.type,
    },
)


def merge(connection: Connection, carriers: Mapping[int, bytes], *, now: datetime) -> None:
    """Merge messages into those that tell them, named by their dedup keys."""
    columns: dict[str, Sequence[Any]] = {
        "id": list(carriers),
        "carrier_key": list(carriers.values()),
    }
    _MERGE.execute(connection, columns, {"settled_at": now})
