"""The tables of who may say what to whom: versions of notices, the audit, phones left alone."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from smsengine.lifecycle import Cause, VersionState
from smsengine.store.tables import Instant, Key, metadata, one_of

# Each row is one edition of a notice that was submitted: its files as they were, byte for byte, and
# who said what about it. ``files`` is JSON, role: text; ``overlaps`` JSON, topics of the Centre.
versions = Table(
    "versions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("job", String(100), nullable=False),
    Column("number", Integer, nullable=False),
    Column("owner", String(100), nullable=False),
    Column("topic", String(100), nullable=False),
    Column("title", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("files", Text, nullable=False),
    Column("overlaps", Text, nullable=False, server_default="[]"),
    Column("state", String(12), nullable=False),
    # The last day on which it may be sent, ISO; empty for ever.
    Column("expires", String(10), nullable=False, server_default=""),
    Column("submitted_by", String(120), nullable=False),
    Column("submitted_at", Instant, nullable=False),
    Column("decided_by", String(120)),
    Column("decided_at", Instant),
    # Why it was rejected or withdrawn, or approved in spite of similar words.
    Column("reason", Text, nullable=False, server_default=""),
    UniqueConstraint("job", "number"),
    one_of("state", VersionState),
    # Whoever submits does not approve.
    CheckConstraint(
        "state NOT IN ('approved', 'rejected', 'expired', 'replaced')"
        " OR (decided_at IS NOT NULL AND decided_by IS NOT NULL AND decided_by <> submitted_by)",
        name="decided",
    ),
    CheckConstraint("state <> 'rejected' OR reason <> ''", name="reasoned"),
    CheckConstraint("number >= 1", name="number"),
)
for _state in (VersionState.SUBMITTED, VersionState.APPROVED):
    # Of each notice one version at most waits, and one at most is in force.
    _only = text(f"state = '{_state}'")
    Index(
        f"ix_versions_{_state}",
        versions.c.job,
        unique=True,
        sqlite_where=_only,
        postgresql_where=_only,
    )

# What was done or refused, by whom; each row's hash holds that of the row before it, so that none
# can be changed or taken out unseen. Rows are only ever added.
audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True),
    Column("at", Instant, nullable=False),
    # The person, and the account of the machine under which the command was run.
    Column("actor", String(120), nullable=False),
    Column("account", String(120), nullable=False),
    Column("what", String(40), nullable=False),
    # The notice, phone (masked) or table that it is about.
    Column("subject", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    # SHA-256 in hexadecimal.
    Column("hash", String(64), nullable=False),
    UniqueConstraint("hash"),
)

# Phones that are left alone, by keyed hash: by one office, or by all where that is ``central``.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("address_hash", LargeBinary(16), nullable=False),
    Column("office", String(100), nullable=False),
    Column("masked", String(60), nullable=False),
    Column("cause", String(12), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(120), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    UniqueConstraint("address_hash", "office"),
    one_of("cause", Cause),
)

# Undelivered texts in a row of a phone, by keyed hash, counted run by run.
strikes = Table(
    "strikes",
    metadata,
    Column("address_hash", LargeBinary(16), primary_key=True),
    Column("times", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
    CheckConstraint("times >= 1", name="times"),
    sqlite_with_rowid=False,
)

# How many texts each phone has been planned, by month, half of its keyed hash, and day: the caps
# are counted from it. The month stands first, so that those of one month lie side by side.
told = Table(
    "told",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("address_hash", LargeBinary(8), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("run_id", Key, primary_key=True, autoincrement=False),
    Column("texts", Integer, nullable=False),
    sqlite_with_rowid=False,
)
