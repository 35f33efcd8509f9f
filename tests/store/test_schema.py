"""The migrations make what tables.py says; a ledger of somebody else is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from smsengine.clock import ManualClock
from smsengine.errors import StoreError
from smsengine.store import installation, schema
from smsengine.store.all_tables import metadata
from smsengine.store.engine import Store
from tests.conftest import KEY
from tests.postgres import Databases

#: Every table and index with its definition, by kind and name.
SQLITE_OBJECTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
    " AND name NOT LIKE 'sqlite_%'"
)
#: Every column, constraint, index and sequence with its definition, by kind and name.
POSTGRES_OBJECTS = """
WITH ours AS (
    SELECT oid, relname, relkind FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'
)
SELECT 'column', format('%s.%s', relname, attname), concat_ws(
    ' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
    'DEFAULT ' || pg_get_expr(adbin, adrelid), attcollation::regcollation,
    NULLIF(attidentity::text, ''), NULLIF(attgenerated::text, '')
)
FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind = 'r'
UNION ALL
SELECT 'constraint', format('%s.%s', relname, conname),
    format('%s %s', pg_get_constraintdef(c.oid), convalidated)
FROM ours JOIN pg_constraint c ON conrelid = ours.oid
UNION ALL
SELECT 'index', relname, format('%s %s', pg_get_indexdef(indexrelid), indisvalid)
FROM ours JOIN pg_index ON indexrelid = ours.oid
UNION ALL
SELECT 'sequence', relname, format_type(seqtypid, NULL)
FROM ours JOIN pg_sequence ON seqrelid = ours.oid
"""

Objects = dict[tuple[str, str], object]


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


def objects(store: Store) -> Objects:
    """All that a database holds, with its definition."""
    with store.read() as connection:
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(SQLITE_OBJECTS).all()
            return {(kind, name): pieces(sql) for kind, name, sql in rows}
        return {
            (kind, name): said for kind, name, said in connection.execute(text(POSTGRES_OBJECTS))
        }


@pytest.fixture
def new_sqlite(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/new.db")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def spoilt_database(postgres: Databases) -> str:
    return postgres.create_empty_database()


@pytest.fixture
def new_postgres(spoilt_database: str) -> Iterator[Store]:
    opened = Store(spoilt_database)
    with opened.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def new(request: pytest.FixtureRequest) -> Store:
    """A database without any table, on each of the two; a test may spoil it."""
    opened: Store = request.getfixturevalue(f"new_{request.param}")
    return opened


@pytest.fixture
def from_tables(new: Store) -> Objects:
    """What tables.py makes, without migrations."""
    with new.write() as connection:
        metadata.create_all(connection)
    return objects(new)


@pytest.fixture
def from_migrations(request: pytest.FixtureRequest, new: Store) -> Objects:
    """What the migrations make on the same kind of database."""
    kind = "sqlite" if new.engine.dialect.name == "sqlite" else "postgres"
    return objects(request.getfixturevalue(f"{kind}_store"))


def test_migrations_make_what_the_tables_say(
    from_tables: Objects, from_migrations: Objects
) -> None:
    """Both give the same tables, columns, types, defaults, constraints and indexes."""
    assert from_tables == from_migrations


def test_every_object_is_compared(new: Store, from_tables: Objects) -> None:
    """The comparison is of every table, with all its columns, constraints and indexes."""
    kinds = {
        "sqlite": {"table", "index"},
        "postgresql": {"column", "constraint", "index", "sequence"},
    }[new.engine.dialect.name]
    tables = {name.partition(".")[0] for kind, name in from_tables if kind in ("table", "column")}
    assert (set(metadata.tables), kinds) == (tables, {kind for kind, _name in from_tables})


def test_alembic_finds_no_difference(store: Store) -> None:
    """Alembic itself would have nothing to add to the migrations."""
    with store.read() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)


def test_upgrading_an_empty_database(new: Store) -> None:
    """A new ledger had no version before and has the newest one after."""
    before = schema.upgrade(new)
    with new.read() as connection:
        after = schema.version(connection)
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
def test_another_database_is_refused(new: Store, sql: str, said: str) -> None:
    """A database of another program and an empty one are told apart."""
    with new.write() as connection:
        connection.exec_driver_sql(sql)
    with pytest.raises(StoreError, match=said):
        schema.require_current(new)


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
def test_another_database_is_not_upgraded(new: Store, sql: list[str], said: str) -> None:
    """No table of ours is put among those of another program, or of a version to come."""
    with new.write() as connection:
        for statement in sql:
            connection.exec_driver_sql(statement)
    before = objects(new)
    with pytest.raises(StoreError, match=said):
        schema.upgrade(new)
    assert before == objects(new)


def test_a_ledger_of_another_version_is_refused(new: Store) -> None:
    """A newer or older ledger is not guessed at; both versions are named."""
    schema.upgrade(new)
    with new.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="has schema 0000, this program needs 0"):
        schema.require_current(new)


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


def test_the_ledger_does_not_hold_the_key(
    sqlite_store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    """Whoever takes the database cannot tell whom a hash speaks of."""
    with sqlite_store.write() as connection:
        installation.adopt(connection, KEY, clock.now())
    sqlite_store.close()
    assert KEY not in (tmp_path / "ledger.db").read_bytes()


def test_a_ledger_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    """A folder that is not there is told with the ledger's name, not with a traceback."""
    missing = Store(f"sqlite:///{tmp_path}/none/ledger.db")
    with (
        pytest.raises(StoreError, match=r"none/ledger\.db cannot be used: unable to open"),
        missing.read(),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("smsengine:geheim@db.example/ledger", "smsengine:***@db.example/ledger"),
        ("smsengine@db.example/ledger?password=geheim", "smsengine@db.example/ledger"),
    ],
)
def test_the_name_of_a_ledger_hides_its_password(url: str, name: str) -> None:
    """What errors call a ledger holds no secret."""
    assert f"postgresql+psycopg://{name}" == Store(f"postgresql+psycopg://{url}").name


@pytest.mark.parametrize(
    "url",
    ["mysql://db.example/ledger", "postgres://db.example/ledger", "postgresql+pg8000://db/ledger"],
)
def test_a_ledger_on_another_database_is_refused(url: str) -> None:
    """What the statements are not written for is said at once, with what there is."""
    with pytest.raises(StoreError, match="must begin with sqlite:/// or postgresql://"):
        Store(url)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_a_ledger_is_durable(sqlite_store: Store, pragma: str, value: object) -> None:
    """A claim is on disk before a byte is on the wire, and no row loses its parent."""
    with sqlite_store.read() as connection:
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
