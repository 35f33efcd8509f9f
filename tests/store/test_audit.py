"""The audit: each entry holds the one before it, so that nothing is changed or taken out unseen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsengine.store import audit
from smsengine.store.engine import Store
from tests.conftest import execute

BEGIN = datetime(2019, 6, 1, 2, tzinfo=UTC)


def write(store: Store, count: int = 4) -> None:
    for number in range(1, count + 1):
        with store.write() as connection:
            audit.add(
                connection,
                at=BEGIN + timedelta(minutes=number),
                actor=f"person-{number}",
                account="root",
                what="submitted",
                subject="01-hanoi/dossier",
                detail=f"hồ sơ {number}",
            )


def broken(store: Store) -> tuple[int, int | None]:
    """How many entries hold, and which place in the chain does not."""
    with store.read() as connection:
        numbers = [*execute(connection, "SELECT id FROM audit ORDER BY id").scalars()]
        count, _, number = audit.verify(connection)
    return count, None if number is None else numbers.index(number) + 1


def test_what_was_written_holds(store: Store) -> None:
    """The last hash is that of the last entry, for whoever keeps it elsewhere."""
    assert (0, None) == broken(store)
    write(store)
    assert (4, None) == broken(store)
    with store.read() as connection:
        newest = audit.newest(connection)
        assert newest[0]["hash"] == audit.verify(connection)[1]
    assert [f"person-{number}" for number in (4, 3, 2, 1)] == [row["actor"] for row in newest]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE actor = 'person-2'", (1, 2)),
        ("UPDATE audit SET account = 'www' WHERE actor = 'person-2'", (1, 2)),
        ("UPDATE audit SET what = 'approved' WHERE actor = 'person-2'", (1, 2)),
        ("UPDATE audit SET subject = 'x' WHERE actor = 'person-1'", (0, 1)),
        ("UPDATE audit SET detail = '' WHERE actor = 'person-4'", (3, 4)),
        ("UPDATE audit SET at = (SELECT max(at) FROM audit) WHERE actor = 'person-2'", (1, 2)),
        ("DELETE FROM audit WHERE actor = 'person-2'", (1, 2)),
        ("DELETE FROM audit WHERE actor = 'person-1'", (0, 1)),
        ("UPDATE audit SET id = id + 100 WHERE actor = 'person-2'", (1, 2)),
    ],
)
def test_what_was_done_behind_it_is_found(
    store: Store, sql: str, expected: tuple[int, int]
) -> None:
    """Changed, taken out or put in another order: the first entry that does not follow is named."""
    write(store)
    with store.write() as connection:
        execute(connection, sql)
    assert expected == broken(store)


def test_the_same_is_found_again(store: Store) -> None:
    """Only where what, subject and sentence are the same."""
    write(store, 1)
    said = {"what": "submitted", "subject": "01-hanoi/dossier", "detail": "hồ sơ 1"}
    with store.read() as connection:
        assert audit.has_said(connection, **said)
        for name in said:
            assert not audit.has_said(connection, **said | {name: "another"})
