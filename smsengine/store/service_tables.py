"""The tables of the daemon: who leads, who works here, what is watched, told, done and kept."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from smsengine.lifecycle import Grade
from smsengine.store.tables import Instant, Key, metadata, one_of

__all__ = ["alarms", "duties", "leases", "members", "tokens", "watched"]

# Who may act for all machines, compared by the database's clock (seconds since 1970). ``term``
# grows with each holder, so that whoever was deposed while it was frozen finds out.
leases = Table(
    "leases",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("holder", String(120), nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("until", Float(53), nullable=False),
)

# Every machine that works on this ledger. ``beats`` only grows, and the machine keeps its own count
# in a file: a ledger that knows fewer was restored from an older copy.
members = Table(
    "members",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("host", String(120), nullable=False),
    Column("beats", BigInteger, nullable=False),
    Column("seen_at", Float(53), nullable=False),
)

# Jobs that the clock looks after, since when and at which times, and what one of them waits for.
watched = Table(
    "watched",
    metadata,
    Column("job", String(100), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("times", Text, nullable=False, server_default=""),
    Column("waits_for", String(40)),
    Column("waits_because", Text, nullable=False, server_default=""),
)

# What a person must be told, once for each key, and whether it was told.
alarms = Table(
    "alarms",
    metadata,
    Column("id", Key, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("grade", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("told_at", Instant),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),
    one_of("grade", Grade),
    Index(
        "ix_alarms_untold",
        "due_at",
        sqlite_where=text("told_at IS NULL"),
        postgresql_where=text("told_at IS NULL"),
    ),
)

# When each duty of upkeep was last done, and what came of it.
duties = Table(
    "duties",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("done_at", Instant, nullable=False),
    Column("said", Text, nullable=False, server_default=""),
)

# Secrets that a gateway changes by itself, such as tokens that serve once; sealed.
tokens = Table(
    "tokens",
    metadata,
    Column("gateway", String(60), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at", Instant, nullable=False),
)
