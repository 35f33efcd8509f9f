"""However many receipts and messages there are, one more receipt reads a handful of rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.receipts.matching import match_parked, store_receipts
from smsengine.store import messages, receipts
from smsengine.store.engine import Store
from tests.conftest import START, Office, rows

MANY = 3000
TABLES = ("messages", "receipts", "parts")


@pytest.fixture
def full(office: Office) -> Office:
    """Three thousand accepted messages, and as many receipts of strangers long ago."""
    run = office.released(rows(2))
    key = {
        "sqlite": "randomblob(20)",
        "postgresql": "substr(decode(repeat(md5(n::text), 2), 'hex'), 1, 20)",
    }
    dialect = office.store.engine.dialect.name
    following = f"SELECT n + 1 FROM numbers WHERE n < {MANY}"
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 3 UNION ALL {following})"
    columns = (
        "run_id, place, row_number, dedup_key, revision, subject, address, network, text,"
        " text_hash, segments, state, due_at, settled_at, gateway, gateway_id, attempt, burnt"
    )
    at = "'2019-06-01 01:00:00'" + ("::timestamptz" if dialect == "postgresql" else "")
    office.change(
        f"INSERT INTO messages ({columns}) {numbers} SELECT {run.id}, n, n, {key[dialect]}, 1,"
        f" 'TA', '+84900000000', 'Viettel', 'x', {key[dialect]}, 1, 'accepted', {at}, {at},"
        " 'trial', 'G-' || n, 1, 1 FROM numbers"
    )
    office.change(
        "INSERT INTO receipts (gateway, gateway_id, status, code, received_at)"
        f" {numbers} SELECT 'trial', 'old-' || n, 'delivered', '', {at} FROM numbers"
    )
    office.change("INSERT INTO parts SELECT 'trial', 'P-' || place, id, NULL FROM messages")
    if dialect == "postgresql":
        for table in TABLES:
            office.change(f"ANALYZE {table}")
    return office


def plans(store: Store, do: Callable[[], object]) -> list[str]:
    """How the database executes each statement of what is done."""
    seen: list[tuple[str, Any]] = []

    def note(
        _connection: Any, _cursor: Any, sql: str, values: Any, _context: Any, many: bool
    ) -> None:
        if sql.lstrip().startswith(("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")):
            seen.append((sql, values[0] if many else values))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        do()
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if store.engine.dialect.name == "sqlite" else "EXPLAIN "
    found = []
    with store.read() as connection:
        for sql, values in seen:
            lines = connection.exec_driver_sql(explain + sql, values).all()
            found.append("\n".join([sql, *(str(line[-1]) for line in lines)]))
    return found


def whole_tables(found: list[str]) -> list[str]:
    """The plans that read one of the tables from end to end."""
    scans = [f"{word} {table}" for word in ("SCAN", "Seq Scan on") for table in TABLES]
    # An index that is read from end to end is no better, unless it holds what is wanted alone.
    return [plan for plan in found if any(scan in plan for scan in scans)]


def test_a_receipt_reads_no_table_from_end_to_end(full: Office) -> None:
    """By the gateway's name, by a part's, by a spelling, by our reference, and for nobody."""
    ((key, revision),) = full.all("SELECT dedup_key, revision FROM messages WHERE place = 5")
    said = ReceiptStatus.DELIVERED
    received = [
        Receipt(gateway_id="G-7", status=said),
        Receipt(gateway_id="P-9", status=said),
        Receipt(gateway_id="7D1", aliases=("G-11",), status=said),
        Receipt(gateway_id="", reference=messages.reference(bytes(key), revision), status=said),
        Receipt(gateway_id="nobody", status=said),
    ]
    moved: list[int] = []
    found = plans(
        full.store,
        lambda: moved.append(store_receipts(full.store, "trial", received, full.clock.now())),
    )
    assert ([4], []) == (moved, whole_tables(found))
    assert len(found) >= 6


def test_looking_again_reads_the_parked_ones_of_late(full: Office) -> None:
    """Strangers of long ago cost nothing."""
    full.clock.sleep(3600)
    now = full.clock.now()
    store_receipts(
        full.store, "trial", [Receipt(gateway_id="new", status=ReceiptStatus.DELIVERED)], now
    )
    found = plans(full.store, lambda: match_parked(full.store, "trial", now))
    assert [] == whole_tables(found)
    assert "ix_receipts_parked" in found[0]


def test_strangers_are_counted_up_to_a_number(full: Office) -> None:
    """By the index of those that have no message."""

    def count(gateway: str) -> int:
        since, until = START - timedelta(1), START + timedelta(hours=1)
        with full.store.read() as connection:
            return receipts.strangers(connection, gateway, after=since, before=until, most=100)

    assert (100, 0) == (count("trial"), count("elsewhere"))
    (found,) = plans(full.store, lambda: count("elsewhere"))
    assert "ix_receipts_parked" in found
