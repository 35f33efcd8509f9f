"""The migrations make what tables.py says; a ledger of somebody else is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from smsengine.clock import ManualClock
from smsengine.errors import StoreError
from smsengine.store import installation, schema
from smsengine.store.engine import Store
from smsengine.store.tables import metadata
from tests.conftest import KEY

OBJECTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
    " AND name NOT LIKE 'sqlite_%'"
)


def pieces(sql: str) -> tuple[str, list[str]]:
    """A CREATE statement: its head, and its columns and constraints in any order."""
    head, _, body = re.sub(r"\s+", " ", sql or "").partition("(")
    parts, depth = [""], 0
    for char in body.rstrip().removesuffix(")"):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return head.strip(), sorted(part.strip() for part in parts)


def objects(store: Store) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Every table and index of a database with its definition."""
    with store.read() as connection:
        rows = connection.exec_driver_sql(OBJECTS).all()
    return {(kind, name): pieces(sql) for kind, name, sql in rows}


@pytest.fixture
def from_tables(tmp_path: Path) -> Store:
    """A database made from tables.py, without migrations."""
    made = Store(f"sqlite:///{tmp_path}/tables.db")
    with made.write() as connection:
        metadata.create_all(connection)
    made.close()
    return made


@pytest.mark.parametrize("kind", ["table", "index"])
def test_the_same_objects(store: Store, from_tables: Store, kind: str) -> None:
    """Migrations and tables.py make the same tables and indexes."""
    names = [
        sorted(name for what, name in objects(each) if what == kind)
        for each in (
            from_tables,
            store,
        )
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_the_same_columns_and_constraints(store: Store, from_tables: Store, table: str) -> None:
    """Each table has the same columns, types, defaults, CHECK and UNIQUE constraints."""
    assert objects(from_tables)["table", table] == objects(store)["table", table]


def test_the_same_indexes(store: Store, from_tables: Store) -> None:
    """Each index has the same columns and the same condition."""
    found = [
        {key: value for key, value in objects(each).items() if key[0] == "index"}
        for each in (from_tables, store)
    ]
    assert found[0] == found[1]


def test_alembic_finds_no_difference(store: Store) -> None:
    """Alembic itself would have nothing to add to the migrations."""
    with store.read() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)


def test_every_table_is_compared() -> None:
    """The comparison above is of all the tables of the design."""
    assert {"attempts", "events", "installation", "messages", "receipts", "runs", "skips"} == set(
        metadata.tables
    )


def test_upgrading_an_empty_database(tmp_path: Path) -> None:
    """A new ledger had no version before and has the newest one after."""
    new = Store(f"sqlite:///{tmp_path}/new.db")
    before = schema.upgrade(new)
    with new.read() as connection:
        after = schema.version(connection)
    new.close()
    assert (None, schema.newest_version()) == (before, after)


def test_upgrading_twice_is_harmless(store: Store) -> None:
    """A second upgrade finds the newest version and changes nothing."""
    before = objects(store)
    assert (schema.newest_version(), before) == (schema.upgrade(store), objects(store))


def test_upgrading_keeps_what_is_there(store: Store, clock: ManualClock) -> None:
    """The installation's row survives an upgrade."""
    with store.write() as connection:
        installation.adopt(connection, KEY, clock.now())
    schema.upgrade(store)
    with store.read() as connection:
        assert installation.fingerprint(KEY) == installation.remembered(connection)


def test_a_current_ledger_is_taken(store: Store) -> None:
    """A ledger of this version is used without a word."""
    schema.require_current(store)
    with store.read() as connection:
        assert schema.newest_version() == schema.version(connection)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE invoices (id INTEGER)", "is the database of another program; choose an"),
        ("SELECT 1", "is empty; run 'smsengine db upgrade'."),
    ],
)
def test_another_database_is_refused(tmp_path: Path, sql: str, said: str) -> None:
    """A database of another program and an empty one are told apart."""
    strange = Store(f"sqlite:///{tmp_path}/strange.db")
    with strange.write() as connection:
        connection.exec_driver_sql(sql)
    with pytest.raises(StoreError, match=said):
        schema.require_current(strange)
    strange.close()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (["CREATE TABLE invoices (id INTEGER)"], "is the database of another program; choose an"),
        (
            [
                "CREATE TABLE alembic_version (version_num VARCHAR(32))",
                "INSERT INTO alembic_version VALUES ('abc')",
            ],
            "has schema abc, which this program does not know",
        ),
    ],
)
def test_another_database_is_not_upgraded(tmp_path: Path, sql: list[str], said: str) -> None:
    """No table of ours is put among those of another program, or of a version to come."""
    strange = Store(f"sqlite:///{tmp_path}/strange.db")
    with strange.write() as connection:
        for statement in sql:
            connection.exec_driver_sql(statement)
    before = objects(strange)
    with pytest.raises(StoreError, match=said):
        schema.upgrade(strange)
    assert before == objects(strange)
    strange.close()


def test_a_ledger_of_another_version_is_refused(store: Store) -> None:
    """A newer or older ledger is not guessed at; both versions are named."""
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="has schema 0000, this program needs 0"):
        schema.require_current(store)


def test_a_new_ledger_adopts_its_key(store: Store, clock: ManualClock) -> None:
    """The first key that a ledger meets is its own."""
    with store.write() as connection:
        installation.adopt(connection, KEY, clock.now())
        installation.adopt(connection, KEY, clock.now())
    with store.read() as connection:
        assert 1 == connection.exec_driver_sql("SELECT count(*) FROM installation").scalar()


def test_another_key_is_refused(store: Store, clock: ManualClock) -> None:
    """With another key every hash would differ, and everybody would be told twice."""
    with store.write() as connection:
        installation.adopt(connection, KEY, clock.now())
    with (
        pytest.raises(StoreError, match="The dedup_key is not the one that this ledger was made"),
        store.write() as connection,
    ):
        installation.adopt(connection, b"another key, as long as the first", clock.now())


def test_the_ledger_does_not_hold_the_key(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """Whoever takes the database cannot tell whom a hash speaks of."""
    with store.write() as connection:
        installation.adopt(connection, KEY, clock.now())
    store.close()
    assert KEY not in (tmp_path / "ledger.db").read_bytes()


def test_a_ledger_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    """A folder that is not there is told with the ledger's name, not with a traceback."""
    missing = Store(f"sqlite:///{tmp_path}/none/ledger.db")
    with (
        pytest.raises(StoreError, match=r"none/ledger\.db cannot be used: unable to open"),
        missing.read(),
    ):
        pass


def test_the_name_of_a_ledger_hides_its_password() -> None:
    """What errors call a ledger holds no secret."""
    store = Store("postgresql+psycopg://smsengine:geheim@db.example/ledger")
    assert "postgresql+psycopg://smsengine:***@db.example/ledger" == store.name


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_a_ledger_is_durable(store: Store, pragma: str, value: object) -> None:
    """A claim is on disk before a byte is on the wire, and no row loses its parent."""
    with store.read() as connection:
        assert value == connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()


def test_an_error_undoes_a_whole_transaction(store: Store, clock: ManualClock) -> None:
    """Nothing of a transaction that broke off is kept."""

    def broken_off() -> None:
        with store.write() as connection:
            installation.adopt(connection, KEY, clock.now())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    with store.read() as connection:
        assert installation.remembered(connection) is None


def test_a_reader_does_not_wait_for_a_writer(store: Store, clock: ManualClock) -> None:
    """Reports are read while a run is being written, and see what was there before."""
    with store.write() as writing:
        installation.adopt(writing, KEY, clock.now())
        with store.read() as reading:
            assert installation.remembered(reading) is None
