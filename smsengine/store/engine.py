"""The ledger's database: opening it, reading it, writing it.

SQLite is the embedded default: WAL so that readers and one writer do not wait for each other,
``synchronous=FULL`` so that a claim is on disk before a byte is on the wire, and BEGIN IMMEDIATE
for writers, since a transaction that reads first and writes later may get SQLITE_BUSY whatever the
time-out. Statements are the same on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from smsengine.errors import StoreError

_BUSY_MILLISECONDS = 30_000


class Store:
    """Short transactions on one database."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.name = make_url(url).render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; it takes no lock that a writer waits for."""
        with _explained(self.name), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes, durable once the block ends; an error undoes all of it."""
        with _explained(self.name), self.engine.connect() as connection:
            writer = connection.execution_options(smsengine_writer=True)
            with writer.begin():
                yield writer

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the driver says of a locked, full or missing database into one sentence."""
    try:
        yield
    except OperationalError as error:
        raise StoreError(f"The ledger {name} cannot be used: {error.orig}.") from error
    except SQLAlchemyError as error:
        if error.__class__.__name__ == "ProgrammingError":
            raise StoreError(f"The ledger {name} cannot be used: {error}.") from error
        raise


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-32768",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("smsengine_writer")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")
