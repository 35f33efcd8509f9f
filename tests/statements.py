"""The text of a statement is made once for all the ledgers that tests open one after the other.

SQLAlchemy keeps it with the engine; a test has an engine of its own, and would make each of its
statements anew. A daemon does not either.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event


class Compiled(dict[Any, Any]):
    """Statements by what they say, and by the kind and version of database, not by the engine."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_for_any_engine(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_for_any_engine(key), value)


def _for_any_engine(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *said = key
    return type(dialect), dialect.server_version_info, *said


def share() -> None:
    """Let every engine of this process look there first."""
    compiled = Compiled()

    @event.listens_for(Engine, "engine_connect")
    def look_there(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
