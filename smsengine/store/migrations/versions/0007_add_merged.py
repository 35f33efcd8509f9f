"""Messages that are told together with others, in one text to a phone of many subjects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Key

revision = "0007"
down_revision = "0006"

_STATE, _CARRIED = "ck_messages_known_state", "ck_messages_carried"
_BEFORE = (
    "state IN ('queued', 'sending', 'accepted', 'delivered', 'undelivered', 'unconfirmed',"
    " 'rejected', 'unknown', 'expired', 'cancelled')"
)
_AFTER = f"{_BEFORE.removesuffix(')')}, 'merged')"
_IS_CARRIED = "(state = 'merged') = (carrier_id IS NOT NULL)"


def upgrade() -> None:
    op.add_column("messages", sa.Column("line", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("carrier_id", Key, nullable=True))
    _allow_merged()
    carried = sa.text("carrier_id IS NOT NULL")
    op.create_index(
        "ix_messages_carrier",
        "messages",
        ["carrier_id"],
        sqlite_where=carried,
        postgresql_where=carried,
    )


def _allow_merged() -> None:
    """A further state is lawful; no row changes, so that a long ledger is not written anew."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f(_STATE), "messages", type_="check")
        op.create_check_constraint(op.f(_STATE), "messages", _AFTER)
        op.create_check_constraint(op.f(_CARRIED), "messages", _IS_CARRIED)
        return
    # SQLite's own way for a change that touches no row: https://sqlite.org/lang_altertable.html
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'messages'",
        (f"CHECK ({_BEFORE})", f"CHECK ({_AFTER}), CONSTRAINT {_CARRIED} CHECK ({_IS_CARRIED})"),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
