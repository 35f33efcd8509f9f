"""The ledger's database: opening it, reading it, writing it.

SQLite is the embedded default: WAL so that readers and one writer do not wait for each other,
``synchronous=FULL`` so that a claim is on disk before a byte is on the wire, and BEGIN IMMEDIATE
for writers, since a transaction that reads first and writes later may get SQLITE_BUSY whatever the
time-out. Statements are the same on PostgreSQL: there writers READ COMMITTED and take turns where
SQLite lets only one write, and readers see one snapshot, as they do on SQLite.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    TimeoutError,
)

from smsengine.errors import MissingExtraError, StoreAwayError, StoreError

_BUSY_MILLISECONDS = 30_000
#: A server that does not answer is away after seconds, not after the kernel's quarter of an hour.
#: What the URL says comes first.
_LIBPQ = {
    "application_name": "smsengine",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
#: For each connection, whatever the server's defaults: a lock is waited for as long as on SQLite; a
#: machine that vanishes or hangs in the middle of a transaction lets go of its rows within about a
#: minute; a statement about a month of messages takes as long as it takes.
_SESSION = {
    "lock_timeout": f"{_BUSY_MILLISECONDS}ms",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "statement_timeout": "0",
}


class Store:
    """Short transactions on one database."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        # Options behind a "?" may hold a password, too.
        self.name = parsed.set(query={}).render_as_string(hide_password=True)
        self.engine = _engine(parsed, self.name)
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        is_sqlite = self.engine.dialect.name == "sqlite"
        self._readers = self.engine.execution_options(**({} if is_sqlite else snapshot))
        # SQLite lets one write; who waits in its own queue sleeps for longer than it must.
        self._one_writer = threading.Lock() if is_sqlite else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; it takes no lock that a writer waits for."""
        with _explained(self.name), self._readers.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that writes, durable once the block ends; an error undoes all of it.

        Args:
            durable: False where losing the last moments with the power does no harm; saves the
                wait for the disk.
        """
        with self._one_writer, _explained(self.name), self.engine.connect() as connection:
            writer = connection.execution_options(smsengine_writer=True, smsengine_durable=durable)
            with writer.begin():
                yield writer

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the driver says of a locked, full, missing or unlawful database into a sentence."""
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        raise StoreAwayError(f"The ledger {name} cannot be used: {_said(error)}.") from error
    except TimeoutError as error:
        raise StoreAwayError(f"The ledger {name} has no connection to spare.") from error
    except DBAPIError as error:
        raise StoreError(f"The ledger {name} cannot be used: {_said(error)}.") from error


def _said(error: DBAPIError) -> str:
    """The driver's first line; PostgreSQL's next ones may hold a row with its text and phone."""
    return str(error.orig).strip().partition("\n")[0].rstrip(".")


def _engine(url: URL, name: str) -> Engine:
    try:
        kind = (url.get_backend_name(), url.get_driver_name())
        if kind[0] == "sqlite":
            return _sqlite(url)
        if kind == ("postgresql", "psycopg"):
            return _postgresql(url)
    except NoSuchModuleError:
        pass
    except ImportError as error:
        raise MissingExtraError(
            f"The ledger {name} needs the Python library {error.name}; install it with"
            " `pip install 'smsengine[postgres]'`."
        ) from error
    raise StoreError(
        f"The ledger {name} cannot be used: its URL must begin with sqlite:/// or postgresql://."
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={name: value for name, value in _LIBPQ.items() if name not in url.query},
        # A connection that a restart of the server cut is found out before it is used.
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    calls = ", ".join(["set_config(%s, %s, false)"] * len(_SESSION))
    values = [part for setting in _SESSION.items() for part in setting]
    connection.execute(f"SELECT {calls}", values)
    connection.commit()


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
    options = connection.get_execution_options()
    if options.get("smsengine_writer"):
        level = "FULL" if options.get("smsengine_durable", True) else "NORMAL"
        connection.exec_driver_sql(f"PRAGMA synchronous={level}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if not connection.get_execution_options().get("smsengine_durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
