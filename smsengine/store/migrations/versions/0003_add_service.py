"""The daemon: who leads, which machines belong, which jobs wait, whom to tell, what was done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "members",
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_members")),
    )
    op.create_table(
        "watched",
        sa.Column("job", sa.String(length=100), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("times", sa.Text(), server_default="", nullable=False),
        sa.Column("waits_for", sa.String(length=40), nullable=True),
        sa.Column("waits_because", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_watched")),
    )
    op.create_table(
        "alarms",
        sa.Column("id", Key, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("grade", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "grade IN ('note', 'warning', 'urgent')", name=op.f("ck_alarms_known_grade")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("key", name=op.f("uq_alarms_key")),
    )
    untold = sa.text("told_at IS NULL")
    op.create_index(
        "ix_alarms_untold", "alarms", ["due_at"], sqlite_where=untold, postgresql_where=untold
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("done_at", Instant(), nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duties")),
    )
