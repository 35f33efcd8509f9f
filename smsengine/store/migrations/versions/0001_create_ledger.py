"""The first schema: runs, messages, attempts, skips, receipts, events, installation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("key_fingerprint", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "runs",
        sa.Column("id", Key, nullable=False),
        sa.Column("job", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("period", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("planner", sa.String(length=120), nullable=True),
        sa.Column("planner_until", Instant(), nullable=True),
        sa.Column("released_upto", sa.Integer(), server_default="0", nullable=False),
        sa.Column("source_rows", sa.Integer(), server_default="0", nullable=False),
        sa.Column("extra_recipients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skips", sa.Integer(), server_default="0", nullable=False),
        sa.Column("already_planned", sa.Integer(), server_default="0", nullable=False),
        sa.Column("segments", sa.Integer(), server_default="0", nullable=False),
        sa.Column("money", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("manifest", sa.Text(), server_default="", nullable=False),
        sa.Column("manifest_hash", sa.String(length=64), server_default="", nullable=False),
        sa.Column("held_because", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sealed_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('regular', 'supplement') OR reason <> ''", name=op.f("ck_runs_resend_reason")
        ),
        sa.CheckConstraint(
            "kind IN ('regular', 'supplement', 'resend', 'correction')",
            name=op.f("ck_runs_known_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('planning', 'missed') OR manifest_hash <> ''", name=op.f("ck_runs_sealed")
        ),
        sa.CheckConstraint(
            "state IN ('planning', 'missed') OR source_rows + extra_recipients = messages + skips + already_planned",
            name=op.f("ck_runs_accounts_tie"),
        ),
        sa.CheckConstraint(
            "state IN ('planning', 'planned', 'held', 'released', 'sending', 'paused', 'finished', 'cancelled', 'missed')",
            name=op.f("ck_runs_known_state"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_runs_revision")),
        sa.CheckConstraint(
            "source_rows >= 0 AND extra_recipients >= 0 AND messages >= 0 AND skips >= 0 AND already_planned >= 0",
            name=op.f("ck_runs_not_negative"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("job", "period", "revision", name=op.f("uq_runs_job_period_revision")),
    )
    op.create_index("ix_runs_topic_period", "runs", ["topic", "period"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", Key, nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_events_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_run_id", "events", ["run_id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", Key, nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("dedup_key", sa.LargeBinary(length=20), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("replaces_id", Key, nullable=True),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("network", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("gateway_id", sa.String(length=100), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state <> 'sending' OR (worker IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_messages_claimed"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'accepted', 'delivered', 'undelivered', 'rejected', 'unknown', 'expired', 'cancelled')",
            name=op.f("ck_messages_known_state"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'unknown') OR settled_at IS NOT NULL",
            name=op.f("ck_messages_settled"),
        ),
        sa.CheckConstraint(
            "revision >= 1 AND segments >= 1 AND place >= 1", name=op.f("ck_messages_counted")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_messages_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("dedup_key", "revision", name=op.f("uq_messages_dedup_key_revision")),
    )
    op.create_index(
        "ix_messages_gateway_id",
        "messages",
        ["gateway_id"],
        unique=False,
        sqlite_where=sa.text("gateway_id IS NOT NULL"),
        postgresql_where=sa.text("gateway_id IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_open",
        "messages",
        ["run_id", "lease_until"],
        unique=False,
        sqlite_where=sa.text("state IN ('sending', 'unknown')"),
        postgresql_where=sa.text("state IN ('sending', 'unknown')"),
    )
    op.create_index(
        "ix_messages_queue",
        "messages",
        ["run_id", "place"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_messages_run_subject", "messages", ["run_id", "subject", "row_number"], unique=False
    )
    op.create_table(
        "skips",
        sa.Column("id", Key, nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_skips_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skips")),
    )
    op.create_index("ix_skips_run_id_reason", "skips", ["run_id", "reason"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", Key, nullable=False),
        sa.Column("message_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("worker", sa.String(length=120), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_attempts_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("message_id", "number", name=op.f("uq_attempts_message_id_number")),
    )
    op.create_table(
        "receipts",
        sa.Column("id", Key, nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("gateway_id", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("message_id", Key, nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_receipts_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint(
            "gateway",
            "gateway_id",
            "status",
            "code",
            name=op.f("uq_receipts_gateway_gateway_id_status_code"),
        ),
    )
    op.create_index("ix_receipts_message_id", "receipts", ["message_id"], unique=False)
