"""Versions of notices and the audit; phones that are left alone, and what each was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0006"
down_revision = "0005"

_STATES = "'submitted', 'approved', 'rejected', 'withdrawn', 'expired', 'replaced'"


def upgrade() -> None:
    op.add_column("runs", sa.Column("version_id", Key, nullable=True))
    _create_versions()
    _create_audit()
    _create_suppressions()
    op.create_table(
        "told",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=8), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", Key, autoincrement=False, nullable=False),
        sa.Column("texts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "address_hash", "day", "run_id", name=op.f("pk_told")),
        sqlite_with_rowid=False,
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", Key, nullable=False),
        sa.Column("job", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("overlaps", sa.Text(), server_default="[]", nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("expires", sa.String(length=10), server_default="", nullable=False),
        sa.Column("submitted_by", sa.String(length=120), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'rejected', 'expired', 'replaced') OR (decided_at IS NOT"
            " NULL AND decided_by IS NOT NULL AND decided_by <> submitted_by)",
            name=op.f("ck_versions_decided"),
        ),
        sa.CheckConstraint(
            "state <> 'rejected' OR reason <> ''", name=op.f("ck_versions_reasoned")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_versions_number")),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_versions_known_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("job", "number", name=op.f("uq_versions_job_number")),
    )
    for state in ("submitted", "approved"):
        only = sa.text(f"state = '{state}'")
        op.create_index(
            f"ix_versions_{state}",
            "versions",
            ["job"],
            unique=True,
            sqlite_where=only,
            postgresql_where=only,
        )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", Key, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_hash")),
    )


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", Key, nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("office", sa.String(length=100), nullable=False),
        sa.Column("masked", sa.String(length=60), nullable=False),
        sa.Column("cause", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.CheckConstraint(
            "cause IN ('asked', 'dead', 'other')", name=op.f("ck_suppressions_known_cause")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint(
            "address_hash", "office", name=op.f("uq_suppressions_address_hash_office")
        ),
    )
    op.create_table(
        "strikes",
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint("times >= 1", name=op.f("ck_strikes_times")),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_strikes")),
        sqlite_with_rowid=False,
    )
