"""Lanes: pace, breaker and pauses per gateway; whose turn a message is; waves and validity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0002"
down_revision = "0001"


def _index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "messages", columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.create_table(
        "lanes",
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("next_at", sa.Float(53), server_default="0", nullable=False),
        sa.Column("speed", sa.Float(53), server_default="1", nullable=False),
        sa.Column("slowed_at", sa.Float(53), server_default="0", nullable=False),
        sa.Column("rest_until", sa.Float(53), server_default="0", nullable=False),
        sa.Column("breaker", sa.String(length=10), server_default="closed", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trips", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_until", sa.Float(53), server_default="0", nullable=False),
        sa.Column("paused_because", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("speed > 0 AND speed <= 1", name=op.f("ck_lanes_speed")),
        sa.CheckConstraint(
            "breaker IN ('closed', 'open', 'half-open')", name=op.f("ck_lanes_known_breaker")
        ),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_lanes")),
    )
    op.add_column("runs", sa.Column("waves", sa.Text(), server_default="", nullable=False))
    op.add_column("runs", sa.Column("valid_seconds", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("valid_until", Instant(), nullable=True))
    _change_messages()
    _change_attempts()


def _change_messages() -> None:
    op.drop_index("ix_messages_queue", "messages")
    op.drop_index("ix_messages_open", "messages")
    op.add_column("messages", sa.Column("burnt", sa.Integer(), server_default="0", nullable=False))
    op.add_column("messages", sa.Column("gateway", sa.String(length=60), nullable=True))
    op.add_column("messages", sa.Column("unknown_since", Instant(), nullable=True))
    # Until now a run had one gateway, and it had whatever was handed over.
    op.execute(
        "UPDATE messages SET gateway = (SELECT gateway FROM runs WHERE runs.id = messages.run_id)"
        " WHERE state <> 'queued'"
    )
    op.execute("UPDATE messages SET unknown_since = due_at WHERE state = 'unknown'")
    _index(
        "ix_messages_queue", ["run_id", "place", "due_at"], "state = 'queued' AND gateway IS NULL"
    )
    _index(
        "ix_messages_pinned",
        ["gateway", "run_id", "place"],
        "state = 'queued' AND gateway IS NOT NULL",
    )
    _index("ix_messages_sending", ["id"], "state = 'sending'")
    _index("ix_messages_unknown", ["gateway", "due_at"], "state = 'unknown'")


def _change_attempts() -> None:
    """One entry in one tree for each hand-over, written when it ends.

    What is open shows in the message's own row from now on.
    """
    op.rename_table("attempts", "attempts_before")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_attempts RENAME TO pk_attempts_before")
    op.create_table(
        "attempts",
        sa.Column("message_id", Key, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("worker", sa.String(length=120), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", "number", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )
    columns = "message_id, number, gateway, worker, started_at, ended_at, outcome, code, detail"
    op.execute(
        f"INSERT INTO attempts ({columns}) SELECT {columns} FROM attempts_before"  # noqa: S608
        " WHERE ended_at IS NOT NULL AND outcome IS NOT NULL"
    )
    op.drop_table("attempts_before")
