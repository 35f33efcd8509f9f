"""Receipts that match: parts, spellings, what came as it came; templates in messages; tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant, Key

revision = "0005"
down_revision = "0004"

_CHECK = "ck_messages_known_state"
_BEFORE = (
    "'queued', 'sending', 'accepted', 'delivered', 'undelivered', 'rejected', 'unknown', 'expired',"
    " 'cancelled'"
)
_AFTER = (
    "'queued', 'sending', 'accepted', 'delivered', 'undelivered', 'unconfirmed', 'rejected',"
    " 'unknown', 'expired', 'cancelled'"
)


def upgrade() -> None:
    op.add_column("messages", sa.Column("template", sa.Text(), nullable=True))
    op.add_column(
        "receipts", sa.Column("reference", sa.String(length=43), server_default="", nullable=False)
    )
    op.add_column("receipts", sa.Column("aliases", sa.Text(), server_default="", nullable=False))
    op.add_column("receipts", sa.Column("raw", sa.Text(), server_default="", nullable=False))
    op.add_column("receipts", sa.Column("times", sa.Integer(), server_default="1", nullable=False))
    nobodys = sa.text("message_id IS NULL")
    op.create_index(
        "ix_receipts_parked",
        "receipts",
        ["gateway", "received_at"],
        sqlite_where=nobodys,
        postgresql_where=nobodys,
    )
    op.create_table(
        "parts",
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("part_id", sa.String(length=100), nullable=False),
        sa.Column("message_id", Key, nullable=False),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("gateway", "part_id", name=op.f("pk_parts")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parts_message_id", "parts", ["message_id"])
    op.create_table(
        "tokens",
        sa.Column("gateway", sa.String(length=60), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_tokens")),
    )
    _allow_unconfirmed()


def _allow_unconfirmed() -> None:
    """A further state is lawful; no row changes, so that a long ledger is not written anew."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f(_CHECK), "messages", type_="check")
        op.create_check_constraint(op.f(_CHECK), "messages", f"state IN ({_AFTER})")
        return
    # SQLite's own way for a change that touches no row: https://sqlite.org/lang_altertable.html
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'messages'",
        (f"({_BEFORE})", f"({_AFTER})"),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
