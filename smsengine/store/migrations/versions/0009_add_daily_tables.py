"""Daily tables of payments, up to when the book is in them, and where each of them goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0009"
down_revision = "0008"

_WAYS = "'folder', 'email', 'sftp'"
_STATES = "'open', 'acknowledged', 'dropped'"


def upgrade() -> None:
    _add_tables()
    op.create_table(
        "daily_cuts",
        sa.Column("id", Key, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("upto_id", Key, nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.CheckConstraint("upto_id >= 0", name=op.f("ck_daily_cuts_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_cuts")),
    )
    _add_deliveries()


def _add_tables() -> None:
    op.create_table(
        "daily_tables",
        sa.Column("id", Key, nullable=False),
        sa.Column("organisation", sa.String(length=30), nullable=False),
        sa.Column("office", sa.String(length=5), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("after_id", Key, nullable=False),
        sa.Column("upto_id", Key, nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.String(length=100), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "sequence >= 0 AND lines >= 0", name=op.f("ck_daily_tables_not_negative")
        ),
        sa.CheckConstraint(
            "after_id >= 0 AND upto_id >= after_id", name=op.f("ck_daily_tables_range")
        ),
        sa.CheckConstraint("sequence > 0 OR after_id = 0", name=op.f("ck_daily_tables_begins")),
        sa.CheckConstraint("sequence = 0 OR lines > 0", name=op.f("ck_daily_tables_supplements")),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_daily_tables_hashed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_tables")),
        sa.UniqueConstraint(
            "day",
            "organisation",
            "office",
            "sequence",
            name=op.f("uq_daily_tables_day_organisation_office_sequence"),
        ),
    )


def _add_deliveries() -> None:
    op.create_table(
        "daily_deliveries",
        sa.Column("id", Key, nullable=False),
        sa.Column("table_id", Key, nullable=False),
        sa.Column("way", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=12), server_default="open", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("said", sa.String(length=300), server_default="", nullable=False),
        sa.CheckConstraint(f"way IN ({_WAYS})", name=op.f("ck_daily_deliveries_known_way")),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_daily_deliveries_known_state")),
        sa.CheckConstraint(
            "(state = 'open') = (settled_at IS NULL)", name=op.f("ck_daily_deliveries_settled")
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_daily_deliveries_not_negative")),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["daily_tables.id"],
            name=op.f("fk_daily_deliveries_table_id_daily_tables"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_deliveries")),
        sa.UniqueConstraint(
            "table_id",
            "way",
            "target",
            name=op.f("uq_daily_deliveries_table_id_way_target"),
        ),
    )
    op.create_index(
        "ix_daily_deliveries_due_at",
        "daily_deliveries",
        ["due_at"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
