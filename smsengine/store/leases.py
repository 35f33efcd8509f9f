"""Named statements on ``leases``: who may act for all machines, and until when.

Instants are seconds since 1970 by the database's clock, as in lanes.py. A holder is told from an
earlier one, even of the same name, by the term, which grows with each new holding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.store.fitting import fitted
from smsengine.store.lanes import database_now, present
from smsengine.store.service_tables import leases

#: A lease that ends further ahead than this was taken by a clock that was wrong.
_LONGEST_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A row of ``leases``."""

    name: str
    holder: str
    term: int
    until: float


def take(
    connection: Connection, name: str, holder: str, *, seconds: float, now: float
) -> Lease | None:
    """Take a lease that is free or has lapsed, or prolong one's own; None when another holds it.

    ``now`` is this machine's clock, which counts on SQLite. Locks the lease's row.
    """
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    at = database_now(connection, now)
    is_alive = (leases.c.until > at) & (leases.c.until <= at + _LONGEST_SECONDS)
    is_own = leases.c.holder == fitted(leases.c.holder, holder)
    values = {"holder": fitted(leases.c.holder, holder), "until": at + seconds}
    statement = (
        dialect.insert(leases)
        .values(name=name, term=1, **values)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={**values, "term": leases.c.term + case((is_own & is_alive, 0), else_=1)},
            where=is_own | ~is_alive,
        )
        .returning(leases)
    )
    row = connection.execute(statement).mappings().one_or_none()
    return Lease(**row) if row is not None else None


def give_up(connection: Connection, lease: Lease) -> None:
    """Let another one have the lease at once; nothing happens when another one has it."""
    connection.execute(
        update(leases)
        .where(
            leases.c.name == lease.name,
            leases.c.holder == lease.holder,
            leases.c.term == lease.term,
        )
        .values(until=0.0)
    )


def holds(connection: Connection, lease: Lease, *, now: float) -> bool:
    """Prove that a lease has neither lapsed nor passed to another one.

    Locks its row: nobody else gets it before this transaction ends, however long that takes.
    """
    statement = (
        select(leases.c.until)
        .where(
            leases.c.name == lease.name,
            leases.c.holder == lease.holder,
            leases.c.term == lease.term,
        )
        .with_for_update()
    )
    until = connection.execute(statement).scalar_one_or_none()
    # The clock is asked after the lock was waited for.
    return until is not None and present(connection, now) < until


def current(connection: Connection, name: str, *, now: float) -> Lease | None:
    """Who holds a lease now; None for nobody."""
    row = connection.execute(select(leases).where(leases.c.name == name)).mappings().one_or_none()
    lapsed = row is None or row["until"] <= present(connection, now)
    return None if row is None or lapsed else Lease(**row)
