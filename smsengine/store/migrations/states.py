"""A further state becomes lawful, for migrations."""

from __future__ import annotations

from alembic import op

_CHECK = "ck_messages_known_state"


def allow_message_states(before: str, after: str) -> None:
    """Change the states of a message that the database knows.

    No row changes, so that a long ledger is not written anew.

    Args:
        before: the states that it knows, as they stand in the constraint.
        after: those that it shall know.
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f(_CHECK), "messages", type_="check")
        op.create_check_constraint(op.f(_CHECK), "messages", f"state IN ({after})")
        return
    # SQLite's own way for a change that touches no row: https://sqlite.org/lang_altertable.html
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'messages'",
        (f"({before})", f"({after})"),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
