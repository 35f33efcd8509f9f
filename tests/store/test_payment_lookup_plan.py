"""A lookup reads by indexes alone, however many payments there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, event

from smsengine.config.payments import Organisation
from smsengine.payments.book import Book
from smsengine.payments.lookup import look_up
from smsengine.payments.safe import Safe
from smsengine.store.engine import Store
from tests.conftest import KEY
from tests.payers import PAID

SAFE = Safe(KEY)


def record(connection: Connection) -> str:
    """A book with one payment; its code."""
    book = Book(SAFE, {"AR0013M": Organisation(name="UBND", office="00101")})
    now = datetime(2019, 6, 1, tzinfo=UTC)
    (result,) = book.record(connection, [PAID], by="test", now=now)
    return result.code


@contextmanager
def statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are made meanwhile, with their values."""
    found: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, said: str, values: Any, *_: object) -> None:
        found.append((said, values))

    event.listen(connection, "before_cursor_execute", note)
    yield found
    event.remove(connection, "before_cursor_execute", note)


def plan(connection: Connection, said: str, values: Any) -> Sequence[str]:
    """How the database would go about a statement in a large table."""
    if connection.dialect.name == "sqlite":
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values)]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {said}", values)]


def test_a_lookup_reads_payments_by_unique_indexes_alone(store: Store) -> None:
    """By the code, by organisation and receipt, by the payment; nothing is scanned or sorted."""
    with store.write() as connection:
        code = record(connection)
        with statements(connection) as made:
            assert look_up(connection, SAFE, code, "6789") is not None
        plans = [plan(connection, *each) for each in made]
    assert 3 == len(plans)
    for lines in plans:
        said = " ".join(lines)
        if store.engine.dialect.name == "sqlite":
            assert all(line.startswith("SEARCH ") for line in lines)
        else:
            assert "Seq Scan" not in said
            assert "Index" in said
    assert "code_hash" in " ".join(plans[0])
    assert "receipt" in " ".join(plans[1])
    assert "payment_id" in " ".join(plans[2])
