"""Open deliveries are found by their index, however many have arrived."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from smsengine.store import daily_deliveries
from smsengine.store.engine import Store
from tests.conftest import START


def test_what_is_due_is_found_by_the_index(sqlite_store: Store) -> None:
    """A million tables that have arrived are not looked at every minute."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, sql: str, values: Any, *_more: Any) -> None:
        asked.append((sql, values))

    event.listen(sqlite_store.engine, "before_cursor_execute", hear)
    with sqlite_store.read() as connection:
        daily_deliveries.due(connection, now=START, limit=9)
        daily_deliveries.still_open(connection, made_before=START)
        for sql, values in asked[-2:]:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
            assert any("ix_daily_deliveries_due_at" in row[3] for row in plan), plan
