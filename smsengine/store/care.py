"""Named statements about the database itself: its size, its version, and its housekeeping.

What a database refuses inside a transaction runs on a connection of its own, outside any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, make_url, select, text
from sqlalchemy.exc import DBAPIError

from smsengine.errors import StoreAwayError
from smsengine.lifecycle import RunState
from smsengine.store.engine import Store
from smsengine.store.tables import messages, runs

#: SQLite waits no longer for readers before it cuts its log; nobody must wait for that.
_CHECKPOINT_MILLISECONDS = 1_000
#: So many dead rows, and this share of the living, are left to PostgreSQL's own autovacuum.
_FEW_ROWS = 10_000
_SHARE = 0.2


def is_sqlite(url: str) -> bool:
    """Say whether a ledger is a SQLite file."""
    return make_url(url).get_backend_name() == "sqlite"


def size_bytes(connection: Connection) -> int:
    """How much the ledger takes; a SQLite file's log is not counted."""
    if connection.dialect.name == "sqlite":
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
        return pages * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
    size = func.pg_database_size(func.current_database())
    return int(connection.execute(select(size)).scalar_one())


def server_version(connection: Connection) -> tuple[int, str] | None:
    """PostgreSQL's major version, and the whole of it in words; None for SQLite."""
    if connection.dialect.name == "sqlite":
        return None
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    said = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
    return number // 10_000, said


class Sealed(NamedTuple):
    """How many messages the sealed runs of a ledger say that they have, and have."""

    said: int
    stored: int


def sealed_messages(connection: Connection) -> Sealed:
    """Whether no message of a sealed run is missing, in two sums."""
    is_sealed = runs.c.state.not_in([RunState.PLANNING, RunState.MISSED])
    said = select(func.coalesce(func.sum(runs.c.messages), 0)).where(is_sealed)
    of_sealed = messages.c.run_id.in_(select(runs.c.id).where(is_sealed))
    stored = select(func.count()).select_from(messages).where(of_sealed)
    return Sealed(
        int(connection.execute(said).scalar_one()), int(connection.execute(stored).scalar_one())
    )


@contextmanager
def _outside(store: Store) -> Iterator[Any]:
    """The driver's own connection, in no transaction.

    Raises:
        StoreAwayError: the database is away, or too busy for it.
    """
    dbapi: Any = store.engine.dialect.dbapi
    try:
        raw = store.engine.raw_connection()
        try:
            driver: Any = raw.driver_connection
            if store.engine.dialect.name != "sqlite":
                driver.autocommit = True
            yield driver
        finally:
            raw.invalidate()
    except (DBAPIError, dbapi.Error) as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise StoreAwayError(f"The ledger {store.name} cannot be looked after: {said}.") from error


def tidy(store: Store) -> str:
    """Give the database the housekeeping that it lacks; says what was done."""
    return _tidy_sqlite(store) if store.engine.dialect.name == "sqlite" else _tidy_postgres(store)


def _tidy_sqlite(store: Store) -> str:
    """New statistics where they are old, and an empty write-ahead log if nobody reads now."""
    with _outside(store) as driver:
        driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MILLISECONDS}")
        driver.execute("PRAGMA optimize")
        busy, _in_log, _moved = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return "statistics looked after" + (", the log is in use" if busy else ", the log emptied")


class Wear(NamedTuple):
    """A table of PostgreSQL in need of housekeeping, and of which."""

    table: str
    dead: int
    needs_vacuum: bool


def wear(connection: Connection) -> Sequence[Wear]:
    """The tables that autovacuum has not come round to."""
    statement = text(
        "SELECT relname, n_live_tup, n_dead_tup, n_mod_since_analyze FROM pg_stat_user_tables"
        " WHERE schemaname = current_schema() ORDER BY relname"
    )
    found = []
    for table, live, dead, modified in connection.execute(statement):
        most = max(_FEW_ROWS, _SHARE * live)
        if dead > most or modified > most:
            found.append(Wear(table, dead, dead > most))
    return found


def _tidy_postgres(store: Store) -> str:
    with store.read() as connection:
        worn = wear(connection)
    with _outside(store) as driver:
        for each in worn:
            how = "VACUUM (ANALYZE)" if each.needs_vacuum else "ANALYZE"
            driver.execute(f'{how} "{each.table}"')
    named = ", ".join(f"{each.table} ({each.dead} dead rows)" for each in worn)
    return f"looked after {named}" if named else "nothing needed it"
