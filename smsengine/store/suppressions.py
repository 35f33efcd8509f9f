"""Named statements on ``suppressions``: phones that are left alone, by keyed hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)

from smsengine.lifecycle import Cause
from smsengine.phone import mask
from smsengine.store.fitting import fitted, is_among, slices
from smsengine.store.governance_tables import suppressions

_BYTES = 16
#: Whose list counts for every office.
_ALL = "central"


def address_hash(key: bytes, address: str) -> bytes:
    """The keyed hash of a phone or an e-mail address, as these tables know it."""
    given = f"address\x1f{address}".encode()
    return hashlib.blake2b(given, key=key, digest_size=_BYTES).digest()


def masked(address: str) -> str:
    """What of an address may be shown."""
    return fitted(suppressions.c.masked, mask(address))


def add(
    connection: Connection,
    *,
    key: bytes,
    address: str,
    office: str,
    cause: Cause,
    reason: str,
    by: str,
    at: datetime,
    until: datetime | None = None,
) -> None:
    """Leave a phone alone from now on; what was said of it before by this office is replaced."""
    digest = address_hash(key, address)
    remove(connection, key=key, address=address, office=office)
    values = {
        "address_hash": digest,
        "office": office,
        "masked": masked(address),
        "cause": cause,
        "reason": reason,
        "by": fitted(suppressions.c.by, by),
        "since": at,
        "until": until,
    }
    connection.execute(insert(suppressions).values(**values))


def remove(connection: Connection, *, key: bytes, address: str, office: str) -> bool:
    """Take a phone off an office's list; False when it is not on it."""
    statement = delete(suppressions).where(
        suppressions.c.address_hash == address_hash(key, address),
        suppressions.c.office == office,
    )
    return connection.execute(statement).rowcount > 0


def are_there(connection: Connection) -> bool:
    """Say whether any phone is left alone at all."""
    return bool(connection.execute(select(exists(select(suppressions.c.id)))).scalar())


def count(connection: Connection) -> int:
    """How many phones are left alone, by whomever."""
    return int(connection.execute(select(func.count()).select_from(suppressions)).scalar_one())


def all_hashes(connection: Connection, *, office: str, now: datetime) -> frozenset[bytes]:
    """All phones that are on the list of everybody or of this office, and still count."""
    statement = select(suppressions.c.address_hash).where(*_counts(office, now))
    return frozenset(connection.execute(statement).scalars())


def _counts(office: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    until = suppressions.c.until
    return suppressions.c.office.in_((_ALL, office)), or_(until.is_(None), until > now)


def among(
    connection: Connection, hashes: Sequence[bytes], *, office: str, now: datetime
) -> frozenset[bytes]:
    """Those of these that are on the list of everybody or of this office, and still count."""
    found: set[bytes] = set()
    for some in slices(hashes):
        statement = select(suppressions.c.address_hash).where(
            is_among(connection, suppressions.c.address_hash, some), *_counts(office, now)
        )
        found.update(connection.execute(statement).scalars())
    return frozenset(found)


def newest(
    connection: Connection, *, offices: Iterable[str] = (), limit: int = 100
) -> Sequence[RowMapping]:
    """The latest entries, newest first; of these offices, where some are named."""
    statement = select(suppressions).order_by(suppressions.c.id.desc()).limit(limit)
    named = tuple(offices)
    if named:
        statement = statement.where(suppressions.c.office.in_(named))
    return connection.execute(statement).mappings().all()
