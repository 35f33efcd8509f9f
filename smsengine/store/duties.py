"""Named statements on ``duties``: when each duty of upkeep was last done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.store.fitting import storable
from smsengine.store.service_tables import duties


class Done(NamedTuple):
    """When a duty was last done (UTC), and what came of it in words."""

    at: datetime
    said: str


def last(connection: Connection) -> Mapping[str, Done]:
    """When each duty was last done; one that was never done is absent."""
    return {row.name: Done(row.done_at, row.said) for row in connection.execute(select(duties))}


def note(connection: Connection, name: str, *, at: datetime, said: str) -> None:
    """Write down that a duty was done."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"done_at": at, "said": storable(said)}
    connection.execute(
        dialect.insert(duties)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )
