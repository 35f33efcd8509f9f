"""What the fund got, and which payment each line of it is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "fund_files",
        sa.Column("id", Key, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("taken_by", sa.String(length=120), nullable=False),
        sa.CheckConstraint("added >= 0 AND lines >= added", name=op.f("ck_fund_files_counted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_files")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_fund_files_content_hash")),
    )
    op.create_table(
        "fund_lines",
        sa.Column("id", Key, nullable=False),
        sa.Column("file_id", Key, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("organisation", sa.String(length=30), nullable=False),
        sa.Column("code_hashes", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_fund_lines_something")),
        sa.ForeignKeyConstraint(
            ["file_id"], ["fund_files.id"], name=op.f("fk_fund_lines_file_id_fund_files")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_lines")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_fund_lines_content_hash")),
    )
    op.create_index("ix_fund_lines_day", "fund_lines", ["day"])
    op.create_table(
        "fund_queue",
        sa.Column("line_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["fund_lines.id"], name=op.f("fk_fund_queue_line_id_fund_lines")
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_fund_queue")),
    )
    _create_matches()


def _create_matches() -> None:
    op.create_table(
        "payment_matches",
        sa.Column("line_id", Key, autoincrement=False, nullable=False),
        sa.Column("payment_id", Key, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(length=6), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.CheckConstraint("how IN ('code', 'amount')", name=op.f("ck_payment_matches_known_how")),
        sa.CheckConstraint("part >= 1 AND edition >= 1", name=op.f("ck_payment_matches_positive")),
        sa.CheckConstraint("how = 'code' OR part = 1", name=op.f("ck_payment_matches_alone")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["fund_lines.id"], name=op.f("fk_payment_matches_line_id_fund_lines")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_matches_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_payment_matches")),
        sa.UniqueConstraint("payment_id", "part", name=op.f("uq_payment_matches_payment_id_part")),
    )
    op.create_index("ix_payment_matches_made_at", "payment_matches", ["made_at"])
