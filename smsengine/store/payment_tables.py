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

from smsengine.lifecycle import DeliveryState, DeliveryWay, EntryKind, MatchedBy
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

# -- what the fund got -----------------------------------------------------------------------------

# A bank statement or a ledger of the fund that was taken.
fund_files = Table(
    "fund_files",
    metadata,
    Column("id", Key, primary_key=True),
    # Keyed hash of its bytes.
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("lines", Integer, nullable=False),
    # Those that were not known from other files.
    Column("added", Integer, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("taken_by", String(120), nullable=False),
    UniqueConstraint("content_hash"),
    CheckConstraint("added >= 0 AND lines >= added", name="counted"),
)

# One row for each amount that came to the fund; none is ever changed.
fund_lines = Table(
    "fund_lines",
    metadata,
    Column("id", Key, primary_key=True),
    Column("file_id", Key, ForeignKey("fund_files.id"), nullable=False),
    # Where it stands in its file, as a person looks for it.
    Column("place", Integer, nullable=False),
    # Keyed hash of all that it says, and of how many of the same stood before it.
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("day", Date, nullable=False),
    # Negative: taken back.
    Column("amount", BigInteger, nullable=False),
    # The organisation that it names; empty where it names none.
    Column("organisation", String(30), nullable=False),
    # Hashes of the codes that it names, 16 bytes each; as those of payments are made.
    Column("code_hashes", LargeBinary, nullable=False),
    # Text, reference and codes, encrypted.
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("content_hash"),
    CheckConstraint("amount <> 0", name="something"),
)
Index("ix_fund_lines_day", fund_lines.c.day)

# Lines of which it is not known yet which payment they are about; a row goes when that is known.
fund_queue = Table(
    "fund_queue",
    metadata,
    Column("line_id", Key, ForeignKey("fund_lines.id"), primary_key=True, autoincrement=False),
)

# Which payment a line is about: no line twice, no part of a payment twice; none is ever changed.
payment_matches = Table(
    "payment_matches",
    metadata,
    Column("line_id", Key, ForeignKey("fund_lines.id"), primary_key=True, autoincrement=False),
    # The first edition of the receipt, whichever edition the line names.
    Column("payment_id", Key, ForeignKey("payments.id"), nullable=False),
    Column("part", Integer, nullable=False),
    # The edition that held when it was matched.
    Column("edition", Integer, nullable=False),
    Column("how", String(6), nullable=False),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("payment_id", "part"),
    one_of("how", MatchedBy),
    CheckConstraint("part >= 1 AND edition >= 1", name="positive"),
    # Only who names the code adds to what came before.
    CheckConstraint("how = 'code' OR part = 1", name="alone"),
)
Index("ix_payment_matches_made_at", payment_matches.c.made_at)

# -- daily tables ---------------------------------------------------------------------------------

# The daily tables that were made. Number 0 of a day is its table, the next ones are supplements; of
# the book each holds what was recorded behind ``after_id``, up to ``upto_id``.
daily_tables = Table(
    "daily_tables",
    metadata,
    Column("id", Key, primary_key=True),
    Column("organisation", String(30), nullable=False),
    Column("office", String(5), nullable=False),
    Column("day", Date, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("after_id", Key, nullable=False),
    Column("upto_id", Key, nullable=False),
    Column("lines", Integer, nullable=False),
    # The sum of its lines: what a supplement takes back counts as minus.
    Column("amount", BigInteger, nullable=False),
    # Of the file, in hexadecimal digits.
    Column("sha256", String(64), nullable=False),
    Column("file_name", String(100), nullable=False),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("day", "organisation", "office", "sequence"),
    CheckConstraint("sequence >= 0 AND lines >= 0", name="not_negative"),
    CheckConstraint("after_id >= 0 AND upto_id >= after_id", name="range"),
    CheckConstraint("sequence > 0 OR after_id = 0", name="begins"),
    CheckConstraint("sequence = 0 OR lines > 0", name="supplements"),
    CheckConstraint("length(sha256) = 64", name="hashed"),
)

# Moments by which every table was there that had to be there: of all days up to ``day``.
daily_cuts = Table(
    "daily_cuts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("day", Date, nullable=False),
    Column("upto_id", Key, nullable=False),
    Column("made_at", Instant, nullable=False),
    CheckConstraint("upto_id >= 0", name="range"),
)

# Where each table goes; ``target`` names the folder, the address, the server.
daily_deliveries = Table(
    "daily_deliveries",
    metadata,
    Column("id", Key, primary_key=True),
    Column("table_id", Key, ForeignKey("daily_tables.id"), nullable=False),
    Column("way", String(10), nullable=False),
    Column("target", String(300), nullable=False),
    Column("state", String(12), nullable=False, server_default="open"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),
    Column("settled_at", Instant),
    # What the other side said last, in few words.
    Column("said", String(300), nullable=False, server_default=""),
    UniqueConstraint("table_id", "way", "target"),
    one_of("way", DeliveryWay),
    one_of("state", DeliveryState),
    CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
    CheckConstraint("tries >= 0", name="not_negative"),
)
Index(
    "ix_daily_deliveries_due_at",
    daily_deliveries.c.due_at,
    sqlite_where=daily_deliveries.c.state == "open",
    postgresql_where=daily_deliveries.c.state == "open",
)
