"""Named statements on ``tokens``: secrets that a gateway changes by itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.store.service_tables import tokens


def get(connection: Connection, gateway: str) -> bytes | None:
    """What is kept for a gateway, sealed; None at first."""
    found: bytes | None = connection.execute(
        select(tokens.c.sealed).where(tokens.c.gateway == gateway)
    ).scalar_one_or_none()
    return found


def put(connection: Connection, gateway: str, sealed: bytes, now: datetime) -> None:
    """Keep this from now on."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"sealed": sealed, "changed_at": now}
    connection.execute(
        dialect.insert(tokens)
        .values(gateway=gateway, **values)
        .on_conflict_do_update(index_elements=["gateway"], set_=values)
    )
