"""Payments that collectors take, in a chain of hashes, and of whom the payer is to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0008"
down_revision = "0007"

_KINDS = "'payment', 'correction', 'cancellation'"


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(length=30), nullable=False),
        sa.Column("receipt", sa.String(length=60), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("before_id", Key, nullable=True),
        sa.Column("reason", sa.String(length=300), server_default="", nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("office", sa.String(length=5), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("insurance_tail", sa.LargeBinary(length=8), nullable=False),
        sa.Column("phone_tail", sa.LargeBinary(length=8), nullable=True),
        sa.Column("staff_hash", sa.LargeBinary(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_payments_known_kind")),
        sa.CheckConstraint(
            "amount > 0 AND months > 0 AND edition >= 1", name=op.f("ck_payments_positive")
        ),
        sa.CheckConstraint("(edition = 1) = (before_id IS NULL)", name=op.f("ck_payments_first")),
        sa.CheckConstraint(
            "(edition = 1) = (kind = 'payment')", name=op.f("ck_payments_kind_of_first")
        ),
        sa.CheckConstraint("kind = 'payment' OR reason <> ''", name=op.f("ck_payments_reasoned")),
        sa.CheckConstraint(
            "(kind = 'cancellation') = (code_hash IS NULL)", name=op.f("ck_payments_coded")
        ),
        sa.ForeignKeyConstraint(
            ["before_id"], ["payments.id"], name=op.f("fk_payments_before_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint(
            "organisation",
            "receipt",
            "edition",
            name=op.f("uq_payments_organisation_receipt_edition"),
        ),
        sa.UniqueConstraint("code_hash", name=op.f("uq_payments_code_hash")),
    )
    op.create_index("ix_payments_paid_on", "payments", ["paid_on", "organisation"])
    op.create_index("ix_payments_recorded_at", "payments", ["recorded_at"])
    op.create_table(
        "payment_queue",
        sa.Column("payment_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_queue_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payment_queue")),
        sqlite_with_rowid=False,
    )
