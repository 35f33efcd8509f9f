"""Named statements on ``strikes``: undelivered texts in a row of a phone, by keyed hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    delete,
    exists,
    literal_column,
    select,
    true,
)

from smsengine.lifecycle import MessageState, RunState
from smsengine.store.bulk import Bulk, Given
from smsengine.store.fitting import is_among, slices
from smsengine.store.governance_tables import strikes
from smsengine.store.tables import events, messages, runs

#: What stands in the history of a run whose receipts were counted here.
COUNTED = "phones counted"


def _one_more(kind: Any, given: Given) -> Executable:
    one: Any = literal_column("1")
    rows = select(given["address_hash"], one, given["changed_at"]).where(true())
    added = kind.insert(strikes).from_select(["address_hash", "times", "changed_at"], rows)
    statement: Executable = added.on_conflict_do_update(
        index_elements=["address_hash"],
        set_={
            "times": strikes.c.times + literal_column("1"),
            "changed_at": added.excluded.changed_at,
        },
    )
    return statement


_ONE_MORE = Bulk(_one_more, {name: strikes.c[name].type for name in ("address_hash", "changed_at")})


def add(connection: Connection, hashes: Sequence[bytes], *, at: datetime) -> Mapping[bytes, int]:
    """One text more did not reach each of these phones; how many in a row by now."""
    found: dict[bytes, int] = {}
    if hashes:
        _ONE_MORE.execute(connection, {"address_hash": list(hashes)}, {"changed_at": at})
    for some in slices(hashes):
        statement = select(strikes.c.address_hash, strikes.c.times).where(
            is_among(connection, strikes.c.address_hash, some)
        )
        found |= {row.address_hash: row.times for row in connection.execute(statement)}
    return found


def are_there(connection: Connection) -> bool:
    """Say whether any phone has strikes."""
    return bool(connection.execute(select(exists(select(strikes.c.times)))).scalar())


def among(connection: Connection, hashes: Sequence[bytes]) -> frozenset[bytes]:
    """Those of these phones that have strikes."""
    found: set[bytes] = set()
    for some in slices(hashes):
        condition = is_among(connection, strikes.c.address_hash, some)
        found.update(connection.execute(select(strikes.c.address_hash).where(condition)).scalars())
    return frozenset(found)


def clear(connection: Connection, hashes: Sequence[bytes]) -> None:
    """These phones were reached, or are left alone from now on."""
    for some in slices(hashes):
        condition = is_among(connection, strikes.c.address_hash, some)
        connection.execute(delete(strikes).where(condition))


def due(connection: Connection, now: datetime, *, after: timedelta) -> Sequence[int]:
    """Runs that ended so long ago and were not counted yet, oldest first."""
    counted = exists().where(events.c.run_id == runs.c.id, events.c.what == COUNTED)
    statement = select(runs.c.id).where(
        runs.c.state == RunState.FINISHED,
        runs.c.finished_at < now - after,
        runs.c.purged_at.is_(None),
        ~counted,
    )
    return connection.execute(statement.order_by(runs.c.id)).scalars().all()


def fates(connection: Connection, run_id: int, after: int, *, limit: int) -> Sequence[Any]:
    """Messages of a run that reached a phone or did not: id, address and state, by their ids."""
    statement = (
        select(messages.c.id, messages.c.address, messages.c.state)
        .where(
            messages.c.run_id == run_id,
            messages.c.id > after,
            messages.c.state.in_((MessageState.DELIVERED, MessageState.UNDELIVERED)),
            messages.c.address.startswith("+"),
        )
        .order_by(messages.c.id)
        .limit(limit)
    )
    return connection.execute(statement).all()
