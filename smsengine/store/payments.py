"""Named statements on ``payments``: a book that is only added to, in a chain of hashes."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from smsengine.lifecycle import EntryKind
from smsengine.store.fitting import slices
from smsengine.store.payment_tables import payment_queue, payments
from smsengine.store.turns import take_turn


class Entry(NamedTuple):
    """One row of the book. ``before_id`` is what a correction or cancellation takes the place of.

    A cancellation has no code of its own: ``code_hash`` is None.
    """

    id: int
    organisation: str
    receipt: str
    edition: int
    kind: EntryKind
    before_id: int | None
    reason: str
    type: str
    amount: int
    months: int
    paid_on: date
    office: str
    recorded_at: datetime
    recorded_by: str
    content_hash: bytes
    code_hash: bytes | None
    insurance_tail: bytes
    phone_tail: bytes | None
    staff_hash: bytes
    sealed: bytes


_COLUMNS = tuple(payments.c[name] for name in Entry._fields)
#: What the chain says of a row; the hash of its content stands for what is sealed.
_CHAINED = Entry._fields[: Entry._fields.index("code_hash") + 1]


def _entry(row: Any) -> Entry:
    values = Entry(*row)
    return values._replace(kind=EntryKind(values.kind))


def take_the_book(connection: Connection) -> tuple[int, bytes]:
    """Have the book to oneself until the transaction ends.

    Returns:
        The number and the link of its last row; 0 and nothing for an empty book.
    """
    take_turn(connection, "payments")
    last = select(payments.c.id, payments.c.chain).order_by(payments.c.id.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    return (0, b"") if row is None else (row.id, row.chain)


def link(before: bytes, entry: Entry) -> bytes:
    """The chain's link of a row that follows the one with the link ``before``."""
    return hashlib.sha256(before + _chained(entry).encode()).digest()


def _chained(entry: Entry) -> str:
    given: list[object] = []
    for name in _CHAINED:
        value = getattr(entry, name)
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        elif isinstance(value, date):
            value = value.isoformat()
        given.append(value)
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def add(connection: Connection, entries: Sequence[Entry], before: bytes) -> bytes:
    """Add rows to the end of the book, whose payers are to be told.

    Args:
        connection: of a transaction that has the book.
        entries: with the numbers that follow.
        before: the link of the row before them.

    Returns:
        The link of the last of them.
    """
    rows = []
    for entry in entries:
        before = link(before, entry)
        rows.append({**entry._asdict(), "chain": before})
    if rows:
        connection.execute(insert(payments), rows)
        connection.execute(insert(payment_queue), [{"payment_id": each.id} for each in entries])
    return before


def of_receipts(
    connection: Connection, receipts: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Sequence[Entry]]:
    """All editions of each of these receipts, named by organisation and number, oldest first."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for organisation, receipt in receipts:
        wanted[organisation].append(receipt)
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for organisation, numbers in wanted.items():
        for some in slices(numbers):
            statement = (
                select(*_COLUMNS)
                .where(payments.c.organisation == organisation, payments.c.receipt.in_(some))
                .order_by(payments.c.edition)
            )
            for row in connection.execute(statement):
                entry = _entry(row)
                found[organisation, entry.receipt].append(entry)
    return found


def by_code(connection: Connection, code_hash: bytes) -> Entry | None:
    """The entry that has a code."""
    statement = select(*_COLUMNS).where(payments.c.code_hash == code_hash)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _entry(row)


def known_codes(connection: Connection, hashes: Sequence[bytes]) -> frozenset[bytes]:
    """Those of these codes that were given to a payment."""
    found: set[bytes] = set()
    for some in slices(hashes):
        statement = select(payments.c.code_hash).where(payments.c.code_hash.in_(some))
        found.update(connection.execute(statement).scalars())
    return frozenset(found)


def queued(connection: Connection) -> Sequence[int]:
    """The numbers of entries whose payers are still to be told, oldest first."""
    statement = select(payment_queue.c.payment_id).order_by(payment_queue.c.payment_id)
    return connection.execute(statement).scalars().all()


def told(connection: Connection, ids: Sequence[int]) -> None:
    """Their payers were told, as far as they can be."""
    for some in slices(ids):
        connection.execute(delete(payment_queue).where(payment_queue.c.payment_id.in_(some)))


def of_ids(connection: Connection, ids: Sequence[int]) -> Mapping[int, Entry]:
    """The entries with these numbers."""
    found: dict[int, Entry] = {}
    for some in slices(ids):
        statement = select(*_COLUMNS).where(payments.c.id.in_(some))
        found.update((row.id, _entry(row)) for row in connection.execute(statement))
    return found


def recorded_between(connection: Connection, begin: datetime, end: datetime) -> Sequence[int]:
    """The numbers of the entries that were recorded from one instant to before another (UTC)."""
    statement = select(payments.c.id).where(
        payments.c.recorded_at >= begin, payments.c.recorded_at < end
    )
    return connection.execute(statement.order_by(payments.c.id)).scalars().all()


@contextmanager
def stream(
    connection: Connection, *, after: int = 0, day: date | None = None
) -> Iterator[Iterator[tuple[Entry, bytes]]]:
    """Every row behind a number, with its link, in order; of one day of payment, where given."""
    statement = select(*_COLUMNS, payments.c.chain).where(payments.c.id > after)
    if day is not None:
        statement = statement.where(payments.c.paid_on == day)
    statement = statement.order_by(payments.c.id)
    with connection.execute(statement, execution_options={"yield_per": 2000}) as rows:
        yield ((_entry(row[:-1]), row[-1]) for row in rows)
