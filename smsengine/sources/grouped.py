"""Sources that group raw records on the way: one SELECT over files, or where the records are.

``GroupedFiles`` lets DuckDB run the SELECT over CSV (also ``.csv.gz``) and Parquet files, which
need not fit into memory. ``GroupedQuery`` sends it to a database and only reads there. The SELECT
is built with SQLAlchemy; the one table it reads says which columns are needed, and no other column
is read. Of files every value is text: a code such as 01E51 is not a number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, Select, TableClause, create_engine, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import visitors

from smsengine.errors import MissingExtraError, SourceError
from smsengine.sources.base import Row
from smsengine.sources.record_files import (
    Shape,
    check_columns,
    check_whole,
    complaint,
    quoted,
    read_expression,
    shape_of,
)

_BATCH = 1000


class GroupedFiles:
    """Rows that a SELECT makes of records in CSV and Parquet files.

    Args:
        paths: the files; together they stand for the one table that ``statement`` reads.
        statement: the SELECT.
        memory_mb: what DuckDB may use before it moves work to a temporary folder.
        threads: how many cores it may use.
        delimiter: of the CSV files; found in each file's first line if not given.
        temp_folder: where the temporary folder is made; the system's choice if not given.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        statement: Select[Any],
        *,
        memory_mb: int = 600,
        threads: int = 2,
        delimiter: str | None = None,
        temp_folder: Path | None = None,
    ) -> None:
        if not paths:
            raise SourceError("no file of records is given: name at least one.")
        self.name = ", ".join(str(path) for path in paths)
        self._paths = tuple(paths)
        self._statement = statement
        self._table = _table(statement)
        self._memory_mb = memory_mb
        self._threads = threads
        self._delimiter = delimiter
        self._temp_folder = temp_folder

    def columns(self) -> tuple[str, ...]:
        """Return the names of the SELECT's columns, once every file has shown the needed ones."""
        with self._connect() as connection:
            self._shapes(connection)
        return tuple(self._statement.selected_columns.keys())

    def rows(self) -> Iterator[Row]:
        """Yield the rows that the SELECT makes; ``number`` is their ordinal from 1."""
        for path in self._paths:
            check_whole(path)
        with self._connect() as connection:
            connection.execute(self._view(self._shapes(connection)))
            connection.execute(_duckdb_sql(self._statement))
            number = 0
            while batch := connection.fetchmany(_BATCH):
                for values in batch:
                    number += 1
                    yield Row(number, values)

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        duckdb = _duckdb()
        with tempfile.TemporaryDirectory(prefix="smsengine-", dir=self._temp_folder) as folder:
            settings = {
                "memory_limit": f"{self._memory_mb}MB",
                "threads": self._threads,
                "temp_directory": folder,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            }
            connection = duckdb.connect(":memory:", config=settings)
            try:
                yield connection
            except duckdb.Error as error:
                raise SourceError(complaint(self.name, str(error))) from error
            finally:
                connection.close()

    def _shapes(self, connection: Any) -> dict[Shape, list[Path]]:
        """The files by their shape; every needed column is there in each of them."""
        shapes: dict[Shape, list[Path]] = {}
        for path in self._paths:
            shape = shape_of(connection, path, self._delimiter)
            check_columns(str(path), shape.columns, self._table.columns.keys())
            shapes.setdefault(shape, []).append(path)
        return shapes

    def _view(self, shapes: dict[Shape, list[Path]]) -> str:
        names = [quoted(name) for name in self._table.columns.keys()]  # noqa: SIM118 - not a dict
        texts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in names)
        reads = [read_expression(shape, paths) for shape, paths in shapes.items()]
        union = " UNION ALL ".join(f"SELECT {texts} FROM {read}" for read in reads)  # noqa: S608
        return f"CREATE VIEW {quoted(self._table.name)} AS {union}"


class GroupedQuery:
    """Rows that a SELECT makes of records in a database, which is only read.

    Args:
        database: an engine, which stays open, or the URL of one.
        statement: the SELECT.
        name: what to call it in a sentence; not the URL, which may hold a password.
    """

    def __init__(
        self, database: Engine | str, statement: Select[Any], *, name: str = "the database"
    ) -> None:
        self.name = name
        self._database = database
        self._statement = statement
        self._table = _table(statement)

    def columns(self) -> tuple[str, ...]:
        """Return the names of the SELECT's columns, once the table has shown the needed ones.

        SQLite takes a quoted name that it does not know for a text, so this is not left to it.
        """
        table = self._table
        with self._connect() as connection:
            found = inspect(connection).get_columns(table.name, schema=table.schema)
        names = [str(column["name"]) for column in found]
        check_columns(f"{self.name}, table {table.name}", names, table.columns.keys())
        return tuple(self._statement.selected_columns.keys())

    def rows(self) -> Iterator[Row]:
        """Yield the rows that the SELECT makes; ``number`` is their ordinal from 1."""
        self.columns()
        with self._connect() as connection:
            result = connection.execution_options(yield_per=_BATCH).execute(self._statement)
            for number, values in enumerate(result, start=1):
                yield Row(number, tuple(values))

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        engine: Engine | None = None
        try:
            engine = _engine(self._database)
            _check_file(engine, self.name)
            with _reading_only(engine) as connection:
                yield connection
        except ImportError as error:
            raise MissingExtraError(
                f"{self.name}: the Python library {error.name} is missing; "
                "PostgreSQL's comes with pip install 'smsengine[postgres]'."
            ) from error
        except SQLAlchemyError as error:
            raise SourceError(f"{self.name} cannot be read: {_first_line(error)}.") from error
        finally:
            if engine is not None and engine is not self._database:
                engine.dispose()


@contextmanager
def _reading_only(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)  # noqa: PLW2901
        if engine.dialect.name != "sqlite":
            yield connection
            return
        connection.exec_driver_sql("PRAGMA query_only = ON")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("PRAGMA query_only = OFF")


def _engine(database: Engine | str) -> Engine:
    return database if isinstance(database, Engine) else create_engine(database)


def _check_file(engine: Engine, name: str) -> None:
    """SQLite would make an empty file where there is none."""
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and file != ":memory:":
        path = Path(file)
        if not file.startswith("file:") and not path.exists():
            raise SourceError(f"{name} cannot be read: there is no file {file}.")


def _first_line(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).splitlines()), type(cause).__name__).rstrip(".")


def _table(statement: Select[Any]) -> TableClause:
    """The one table that the statement reads and does not make itself."""
    parts = visitors.iterate(statement)
    tables = {part for part in parts if isinstance(part, TableClause)}
    if len(tables) != 1:
        raise ValueError(f"the statement reads {len(tables)} tables, not one")
    return tables.pop()


def _duckdb() -> ModuleType:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError(
            "files of records need DuckDB: pip install 'smsengine[figures]'."
        ) from error
    return duckdb


def _duckdb_sql(statement: Select[Any]) -> str:
    """DuckDB understands the PostgreSQL dialect; the statement's own values stand in the text."""
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
