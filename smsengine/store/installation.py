"""Named statements on ``installation``: which ledger this is, and its key's fingerprint."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.errors import StoreError
from smsengine.store.tables import installation


def fingerprint(key: bytes) -> str:
    """What the ledger remembers of the key; the key cannot be told from it."""
    return hashlib.blake2b(b"smsengine dedup key", key=key, digest_size=16).hexdigest()


def remembered(connection: Connection) -> str | None:
    """The fingerprint of the key that this ledger was made with; None for a new ledger."""
    return connection.execute(select(installation.c.key_fingerprint)).scalar_one_or_none()


def uid(connection: Connection) -> str:
    """The name of this ledger, which its copies share."""
    return str(connection.execute(select(installation.c.uid)).scalar_one())


def adopt(connection: Connection, key: bytes, now: datetime) -> None:
    """Give a new ledger its identity, or make sure that a known one is used with its own key.

    Raises:
        StoreError: another key; every hash would differ and notices could go out twice.
    """
    if remembered(connection) is None:
        # Two machines may begin at once; the one that comes second sees the other's row.
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(
            dialect.insert(installation)
            .values(
                id=1, uid=secrets.token_hex(16), key_fingerprint=fingerprint(key), created_at=now
            )
            .on_conflict_do_nothing()
        )
    if remembered(connection) != fingerprint(key):
        raise StoreError(
            "The dedup_key is not the one that this ledger was made with, so notices could go out"
            " twice; restore the right key file or variable."
        )
