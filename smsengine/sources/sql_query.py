"""Rows from a query on any database that SQLAlchemy reaches, streamed and read-only.

The query is started once: ``columns()`` runs it and ``rows()`` goes on from there. A lost
connection is tried again only before the first row; later the rows already given would come twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from smsengine.errors import MissingExtraError, SourceError
from smsengine.sources.base import Row
from smsengine.sources.header import column_names
from smsengine.sources.sql_statement import reading_statement

_ROWS_AT_ONCE = 1_000
_TRIES = 3
_SECONDS_BETWEEN_TRIES = 2
_VALUE_TYPES = frozenset({str, int, float, Decimal, date, datetime, bool, type(None)})
#: What tells a database that this connection only reads, where it is a statement.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET TRANSACTION READ ONLY",
    "mariadb": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


class SqlQuery:
    """One SELECT; ``Row.number`` counts its rows from 1.

    A database that cannot be told to only read (SQL Server) needs an account that cannot write.
    """

    def __init__(
        self,
        url: str | URL,
        query: str,
        params: Mapping[str, object],
        *,
        name: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the query; nothing is connected yet.

        Raises:
            SourceError: the URL or the query is not what it must be.
        """
        self._url = _parsed(url)
        self._name = name or self._url.set(query={}).render_as_string(hide_password=True)
        self._statement = reading_statement(query, params, self._name)
        self._sleep = sleep
        self._result: CursorResult[Any] | None = None

    @property
    def name(self) -> str:
        """What to call it in a sentence; a password in the URL is not shown."""
        return self._name

    def columns(self) -> tuple[str, ...]:
        """Return the names that the query gives its columns; this starts it."""
        try:
            return column_names(list(self._started().keys()), self.name)
        except SourceError:
            self.close()
            raise

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the query that ``columns()`` started, then close it."""
        columns = self.columns()
        number = 0
        try:
            for number, found in enumerate(self._started(), start=1):
                yield _row(number, tuple(found), columns)
        except (SQLAlchemyError, ValueError) as error:
            raise self._explained(error, f" after row {number}") from error
        finally:
            self.close()

    def close(self) -> None:
        """End the query and undo its transaction; needed only if ``rows()`` is not read."""
        result, self._result = self._result, None
        if result is not None:
            connection = result.connection
            with suppress(SQLAlchemyError):
                result.close()
            with suppress(SQLAlchemyError):
                connection.close()

    def _started(self) -> CursorResult[Any]:
        if self._result is None:
            _refuse_missing_file(self._url, self.name)
            self._result = self._start()
        return self._result

    def _start(self) -> CursorResult[Any]:
        tries = Retrying(
            sleep=self._sleep,
            stop=stop_after_attempt(_TRIES),
            wait=wait_fixed(_SECONDS_BETWEEN_TRIES),
            retry=retry_if_exception(_is_connection_trouble),
            reraise=True,
        )
        try:
            return tries(self._execute)
        except (ImportError, NoSuchModuleError) as error:
            raise MissingExtraError(_missing_driver(self.name, error)) from error
        except SQLAlchemyError as error:
            raise self._explained(error) from error

    def _execute(self) -> CursorResult[Any]:
        connection = create_engine(self._url, poolclass=NullPool).connect()
        try:
            connection.execution_options(postgresql_readonly=True, yield_per=_ROWS_AT_ONCE)
            _make_read_only(connection)
            return connection.execute(self._statement)
        except BaseException:
            connection.close()
            raise

    def _explained(self, error: Exception, place: str = "") -> SourceError:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        reason = said.partition("\n")[0].rstrip(".")
        if self._url.password:
            reason = reason.replace(str(self._url.password), "***")
        return SourceError(
            f"{self.name}: the database refused{place} ({reason}); check the query and the account."
        )


def _parsed(url: str | URL) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SourceError(
            "the database URL cannot be read; write it like postgresql://user@host/database."
        ) from error


def _refuse_missing_file(url: URL, name: str) -> None:
    """SQLite would make a missing database, empty, instead of saying so."""
    file = url.database or ":memory:"
    named = url.get_backend_name() == "sqlite" and not file.startswith((":memory:", "file:"))
    if named and not Path(file).exists():
        raise SourceError(f"{name}: there is no such database file; check the path.")


def _is_connection_trouble(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or error.statement is None


def _missing_driver(name: str, error: Exception) -> str:
    library = getattr(error, "name", None) or "that SQLAlchemy names for it"
    return (
        f"{name}: this database needs the Python library {library}; install it (PostgreSQL's comes "
        "with `pip install 'smsengine[postgres]'`)."
    )


def _make_read_only(connection: Connection) -> None:
    statement = _READ_ONLY.get(connection.dialect.name)
    if statement:
        connection.exec_driver_sql(statement)


def _row(number: int, values: tuple[Any, ...], columns: tuple[str, ...]) -> Row:
    if _VALUE_TYPES.issuperset(map(type, values)):
        return Row(number, values)
    column, strange = next(
        (column, value)
        for column, value in zip(columns, values, strict=True)
        if type(value) not in _VALUE_TYPES
    )
    kind = type(strange).__name__
    return Row(number, (), f"column {column!r} is of type {kind}; cast it to text in the query")
