"""Taking turns over all machines, where SQLite's single writer gives that by itself."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, func, select


def take_turn(connection: Connection, *names: str) -> None:
    """Wait until no other transaction has the turn of this name; it ends with the transaction.

    Two transactions that insert the same keys in different order would wait for each other.
    """
    if connection.dialect.name == "sqlite":
        return
    digest = hashlib.blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    number = int.from_bytes(digest, "big", signed=True)
    connection.execute(select(func.pg_advisory_xact_lock(number)))
