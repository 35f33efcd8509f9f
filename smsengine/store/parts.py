"""Named statements on ``parts``: the parts of long messages that get receipts of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, case, delete, func, literal_column, select, true
from sqlalchemy import update as update_of

from smsengine.store.bulk import Bulk, Given
from smsengine.store.fitting import fitted, slices
from smsengine.store.tables import parts

_DELIVERED = "delivered"
_COLUMNS = ("gateway", "part_id", "message_id")


def _name_statement(kind: Any, given: Given) -> Executable:
    """A gateway that begins to count anew gives an old name to a new part: the new one has it."""
    rows = select(*(given[column] for column in _COLUMNS)).where(true())
    insert = kind.insert(parts).from_select([*_COLUMNS], rows)
    statement: Executable = insert.on_conflict_do_update(
        index_elements=["gateway", "part_id"],
        set_={"message_id": insert.excluded.message_id, "status": literal_column("NULL")},
        where=parts.c.message_id != insert.excluded.message_id,
    )
    return statement


_NAME = Bulk(_name_statement, {column: parts.c[column].type for column in _COLUMNS})


def name(connection: Connection, gateway: str, named: Mapping[int, Sequence[str]]) -> None:
    """Write down the gateway's names of the parts of messages, by the messages' ids.

    A single name is the message's own, and is not written here.
    """
    owners = {
        fitted(parts.c.part_id, part): message
        for message, names in named.items()
        if len(names) > 1
        for part in names
    }
    if not owners:
        return
    ordered = sorted(owners)
    columns: dict[str, Sequence[Any]] = {
        "part_id": ordered,
        "message_id": [owners[part] for part in ordered],
    }
    _NAME.execute(connection, columns, {"gateway": gateway})


def deliver(connection: Connection, gateway: str, part_ids: Collection[str]) -> None:
    """These parts have arrived; nothing takes that back."""
    for some in slices(sorted(part_ids)):
        connection.execute(
            update_of(parts)
            .where(parts.c.gateway == gateway, parts.c.part_id.in_(some))
            .values(status=_DELIVERED)
        )


def complete(connection: Connection, message_ids: Collection[int]) -> set[int]:
    """Those messages of which every part has arrived."""
    found: set[int] = set()
    arrived = func.sum(case((parts.c.status == literal_column(f"'{_DELIVERED}'"), 1), else_=0))
    for some in slices(sorted(message_ids)):
        statement = (
            select(parts.c.message_id)
            .where(parts.c.message_id.in_(some))
            .group_by(parts.c.message_id)
            .having(func.count() == arrived)
        )
        found.update(connection.execute(statement).scalars())
    return found


def forget(connection: Connection, message_ids: Sequence[int]) -> None:
    """The names of the parts of these messages are not needed any more."""
    connection.execute(delete(parts).where(parts.c.message_id.in_(message_ids)))
