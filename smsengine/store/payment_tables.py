"""The tables of payments. What was recorded is only added to, in a chain of hashes.

Money is whole đồng, days are Vietnam's, instants UTC. Names, numbers, phones and codes stand sealed
in one column; what is searched by is a keyed hash beside it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from smsengine.lifecycle import EntryKind
from smsengine.store.tables import Instant, Key, metadata, one_of

# One row for each payment, correction and cancellation; none is ever changed. A cancellation has
# the facts of what it cancels.
payments = Table(
    "payments",
    metadata,
    # A running number without gaps: what is missing shows.
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("organisation", String(30), nullable=False),
    # The organisation's own number of its receipt.
    Column("receipt", String(60), nullable=False),
    Column("edition", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    # Of a correction or cancellation: what it takes the place of.
    Column("before_id", Key, ForeignKey("payments.id")),
    Column("reason", String(300), nullable=False, server_default=""),
    Column("type", String(20), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("months", Integer, nullable=False),
    Column("paid_on", Date, nullable=False),
    Column("office", String(5), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", String(120), nullable=False),
    # Keyed hashes: of all that was handed in, of the code, of the last four digits of the insurance
    # number and of the phone with that code, and of the member of the staff.
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("code_hash", LargeBinary(16)),
    Column("insurance_tail", LargeBinary(8), nullable=False),
    Column("phone_tail", LargeBinary(8)),
    Column("staff_hash", LargeBinary(8), nullable=False),
    # The code and the person, encrypted.
    Column("sealed", LargeBinary, nullable=False),
    # SHA-256 of the row before and of everything in this one.
    Column("chain", LargeBinary(32), nullable=False),
    UniqueConstraint("organisation", "receipt", "edition"),
    UniqueConstraint("code_hash"),
    one_of("kind", EntryKind),
    CheckConstraint("amount > 0 AND months > 0 AND edition >= 1", name="positive"),
    CheckConstraint("(edition = 1) = (before_id IS NULL)", name="first"),
    CheckConstraint("(edition = 1) = (kind = 'payment')", name="kind_of_first"),
    CheckConstraint("kind = 'payment' OR reason <> ''", name="reasoned"),
    CheckConstraint("(kind = 'cancellation') = (code_hash IS NULL)", name="coded"),
)
Index("ix_payments_paid_on", payments.c.paid_on, payments.c.organisation)
Index("ix_payments_recorded_at", payments.c.recorded_at)

# Entries of which the payer is still to be told; a row goes when that is planned.
payment_queue = Table(
    "payment_queue",
    metadata,
    Column("payment_id", Key, ForeignKey("payments.id"), primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
