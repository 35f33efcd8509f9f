"""The tables of the ledger. CHECK and UNIQUE constraints repeat the law of lifecycle.py.

Money is whole đồng. Instants are UTC. Text and address are personal data and may be purged; the
keyed hashes (``dedup_key``, ``text_hash``) and all counts stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from smsengine.lifecycle import BreakerState, MessageState, RunKind, RunState


@lru_cache(maxsize=4096)
def _read_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite keeps it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """SQLite's texts are read here: thousands of rows hold the same few instants."""
        if dialect.name == "sqlite":
            return _read_text
        return super().result_processor(dialect, coltype)


#: What a gateway says may be longer; it is cut there, alike wherever it is compared.
LONGEST_GATEWAY_ID = 100
LONGEST_CODE = 60
#: 32 letters, a dash and a revision.
LONGEST_REFERENCE = 43

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: BIGINT keys; SQLite only numbers rows by itself in a column that is called INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")


def one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"known_{column}")


def _not_negative(*columns: str) -> CheckConstraint:
    return CheckConstraint(" AND ".join(f"{name} >= 0" for name in columns), name="not_negative")


installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(32), nullable=False),
    Column("key_fingerprint", String(32), nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("id = 1", name="only_one"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("job", String(100), nullable=False),
    Column("topic", String(100), nullable=False),
    Column("owner", String(100), nullable=False),
    Column("period", String(40), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("gateway", String(60), nullable=False),
    Column("priority", Integer, nullable=False),
    # While planning: who writes the rows, and until when that is believed.
    Column("planner", String(120)),
    Column("planner_until", Instant),
    # Messages up to this place in the run may be sent; waves move it, never the messages' rows.
    Column("released_upto", Integer, nullable=False, server_default="0"),
    # JSON: the places at which waves end, and the shares at which sending stops; see sending/waves.
    Column("waves", Text, nullable=False, server_default=""),
    # Seconds after its release for which a message is worth sending, and the instant they end.
    Column("valid_seconds", Integer),
    Column("valid_until", Instant),
    Column("source_rows", Integer, nullable=False, server_default="0"),
    Column("extra_recipients", Integer, nullable=False, server_default="0"),
    Column("messages", Integer, nullable=False, server_default="0"),
    Column("skips", Integer, nullable=False, server_default="0"),
    Column("already_planned", Integer, nullable=False, server_default="0"),
    Column("segments", Integer, nullable=False, server_default="0"),
    Column("money", BigInteger, nullable=False, server_default="0"),
    Column("cost", BigInteger, nullable=False, server_default="0"),
    Column("manifest", Text, nullable=False, server_default=""),
    Column("manifest_hash", String(64), nullable=False, server_default=""),
    Column("held_because", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("sealed_at", Instant),
    Column("finished_at", Instant),
    # Since when personal data is being taken out of it, message by message; see store/purging.
    Column("purged_at", Instant),
    # The approved version of the notice that it was planned from, where it needs an approval.
    Column("version_id", Key),
    UniqueConstraint("job", "period", "revision"),
    one_of("state", RunState),
    one_of("kind", RunKind),
    _not_negative("source_rows", "extra_recipients", "messages", "skips", "already_planned"),
    CheckConstraint("revision >= 1", name="revision"),
    CheckConstraint(
        "state IN ('planning', 'missed') OR"
        " source_rows + extra_recipients = messages + skips + already_planned",
        name="accounts_tie",
    ),
    CheckConstraint("state IN ('planning', 'missed') OR manifest_hash <> ''", name="sealed"),
    CheckConstraint("kind IN ('regular', 'supplement') OR reason <> ''", name="resend_reason"),
    Index("ix_runs_topic_period", "topic", "period"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_id", Key, ForeignKey("runs.id"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("row_number", Integer, nullable=False),
    Column("dedup_key", LargeBinary(20), nullable=False),
    Column("revision", Integer, nullable=False),
    # No foreign key: throwing an unsealed run away would search the whole table for each row.
    Column("replaces_id", Key),
    Column("subject", String(100), nullable=False),
    Column("address", String(100), nullable=False),
    Column("network", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("text_hash", LargeBinary(16), nullable=False),
    Column("segments", Integer, nullable=False),
    # JSON: the registered template and its parameters, for gateways that take no text; else empty.
    Column("template", Text),
    # What a text about many subjects says of this one, where its job makes such texts.
    Column("line", Text),
    # Of a merged message, the one that tells it. No foreign key, for the same reason.
    Column("carrier_id", Key),
    Column("state", String(12), nullable=False),
    Column("due_at", Instant, nullable=False),
    # The number of the newest hand-over: with the worker it names it, and is never used again.
    Column("attempt", Integer, nullable=False, server_default="0"),
    # Hand-overs that count towards the limit of attempts.
    Column("burnt", Integer, nullable=False, server_default="0"),
    # The gateway that has it or had it last; while it waits, the only one that may take it.
    Column("gateway", String(60)),
    # When the first hand-over began of which nobody knows how it ended; empty when all are known.
    Column("unknown_since", Instant),
    Column("worker", String(120)),
    Column("lease_until", Instant),
    Column("gateway_id", String(LONGEST_GATEWAY_ID)),
    Column("code", String(LONGEST_CODE)),
    Column("detail", Text),
    Column("settled_at", Instant),
    UniqueConstraint("dedup_key", "revision"),
    one_of("state", MessageState),
    CheckConstraint(
        "state <> 'sending' OR (worker IS NOT NULL AND lease_until IS NOT NULL)", name="claimed"
    ),
    CheckConstraint(
        "state IN ('queued', 'sending', 'unknown') OR settled_at IS NOT NULL", name="settled"
    ),
    CheckConstraint("(state = 'merged') = (carrier_id IS NOT NULL)", name="carried"),
    CheckConstraint("revision >= 1 AND segments >= 1 AND place >= 1", name="counted"),
)


def _partial_index(name: str, where: str, *columns: str) -> Index:
    """An index of those messages only that are in a certain place of their life."""
    condition = text(where)
    return Index(
        name,
        *(messages.c[column] for column in columns),
        sqlite_where=condition,
        postgresql_where=condition,
    )


# What any lane of the route may take, in its order; and what one gateway alone may take.
_partial_index(
    "ix_messages_queue", "state = 'queued' AND gateway IS NULL", "run_id", "place", "due_at"
)
_partial_index(
    "ix_messages_pinned", "state = 'queued' AND gateway IS NOT NULL", "gateway", "run_id", "place"
)
_partial_index("ix_messages_sending", "state = 'sending'", "id")
_partial_index("ix_messages_unknown", "state = 'unknown'", "gateway", "due_at")
_partial_index("ix_messages_carrier", "carrier_id IS NOT NULL", "carrier_id")
_partial_index("ix_messages_gateway_id", "gateway_id IS NOT NULL", "gateway_id")
Index("ix_messages_run_subject", messages.c.run_id, messages.c.subject, messages.c.row_number)

skips = Table(
    "skips",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_id", Key, ForeignKey("runs.id"), nullable=False),
    Column("row_number", Integer, nullable=False),
    Column("subject", String(100), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_skips_run_id_reason", "run_id", "reason"),
)

# The key is all there is: one row, one entry in one tree for each hand-over. No foreign key, since
# a row is only ever written together with its message's.
attempts = Table(
    "attempts",
    metadata,
    Column("message_id", Key, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("gateway", String(60), nullable=False),
    Column("worker", String(120), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("code", String(LONGEST_CODE)),
    Column("detail", Text),
    sqlite_with_rowid=False,
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("gateway", String(60), nullable=False),
    Column("gateway_id", String(LONGEST_GATEWAY_ID), nullable=False),
    Column("status", String(20), nullable=False),
    Column("code", String(LONGEST_CODE), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("message_id", Key, ForeignKey("messages.id")),
    # Our own name for the message, where the receipt gives it.
    Column("reference", String(LONGEST_REFERENCE), nullable=False, server_default=""),
    # Further spellings of the gateway's name, a blank between them; exactly one may fit.
    Column("aliases", Text, nullable=False, server_default=""),
    # What came the first time, without secrets, texts and whole numbers; goes with the purge.
    Column("raw", Text, nullable=False, server_default=""),
    # How often the same was said.
    Column("times", Integer, nullable=False, server_default="1"),
    Index("ix_receipts_message_id", "message_id"),
    # Receipts of which the message is not known.
    Index(
        "ix_receipts_parked",
        "gateway",
        "received_at",
        sqlite_where=text("message_id IS NULL"),
        postgresql_where=text("message_id IS NULL"),
    ),
    UniqueConstraint("gateway", "gateway_id", "status", "code"),
)

# Parts of long messages that get receipts of their own, by the gateway's names of them.
parts = Table(
    "parts",
    metadata,
    Column("gateway", String(60), primary_key=True),
    Column("part_id", String(LONGEST_GATEWAY_ID), primary_key=True),
    Column("message_id", Key, nullable=False),
    Column("status", String(20)),
    Index("ix_parts_message_id", "message_id"),
    sqlite_with_rowid=False,
)

# One row for each gateway, shared by all machines. Instants are seconds since 1970 by the
# database's clock, since they are compared and added to within one UPDATE.
lanes = Table(
    "lanes",
    metadata,
    Column("gateway", String(60), primary_key=True),
    # The first moment that nobody has reserved yet.
    Column("next_at", Float(53), nullable=False, server_default="0"),
    # The share of the contract's rate that was left after the gateway last complained, and when.
    Column("speed", Float(53), nullable=False, server_default="1"),
    Column("slowed_at", Float(53), nullable=False, server_default="0"),
    # Until when the gateway asked to be left alone.
    Column("rest_until", Float(53), nullable=False, server_default="0"),
    Column("breaker", String(10), nullable=False, server_default="closed"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("trips", Integer, nullable=False, server_default="0"),
    Column("open_until", Float(53), nullable=False, server_default="0"),
    # Why a person must look at the account first; empty when the lane may send.
    Column("paused_because", Text, nullable=False, server_default=""),
    one_of("breaker", BreakerState),
    CheckConstraint("speed > 0 AND speed <= 1", name="speed"),
)

events = Table(
    "events",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_id", Key, ForeignKey("runs.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("what", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_events_run_id", "run_id"),
)
