"""Named statements on ``members``: the machines that work on this ledger, and how often each did.

Instants are seconds since 1970 by the database's clock, as in lanes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from smsengine.store.fitting import fitted
from smsengine.store.lanes import database_now
from smsengine.store.service_tables import members


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A row of ``members``: the machine's own name for itself, and its host as people call it."""

    token: str
    host: str
    beats: int
    seen_at: float


def everyone(connection: Connection) -> Sequence[Member]:
    """Every machine that ever joined, the one that was seen last first."""
    statement = select(members).order_by(members.c.seen_at.desc())
    return [Member(**row) for row in connection.execute(statement).mappings()]


def register(connection: Connection, token: str, *, host: str, beats: int, now: float) -> None:
    """Let a machine join. ``now`` is this machine's clock, which counts on SQLite."""
    values = {"host": fitted(members.c.host, host), "seen_at": database_now(connection, now)}
    connection.execute(insert(members).values(token=token, beats=beats, **values))


def beat(connection: Connection, token: str, *, host: str, beats: int, now: float) -> None:
    """Note that a machine is at work, for so-manieth time."""
    values = {"host": fitted(members.c.host, host), "seen_at": database_now(connection, now)}
    connection.execute(
        update(members).where(members.c.token == token).values(beats=beats, **values)
    )


def forget(connection: Connection, token: str) -> None:
    """A machine goes by another name from now on."""
    connection.execute(delete(members).where(members.c.token == token))
