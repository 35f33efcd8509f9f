"""Statements for thousands of rows at once, compiled once, given ready tuples.

SQLite executes a statement again for each tuple, which costs next to nothing where no network lies
between. PostgreSQL gets all rows as arrays in one statement, since each statement is a message to
the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    Executable,
    String,
    Text,
    bindparam,
    cast,
    func,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from smsengine.store.tables import Instant

#: For each name of a row's values, what stands for it in a statement.
Given = Mapping[str, Any]


class Bulk:
    """One statement for many rows; the same on both databases."""

    def __init__(
        self, make: Callable[[Any, Given], Executable], types: Mapping[str, TypeEngine[Any]]
    ) -> None:
        """Keep a statement.

        Args:
            make: builds the statement from the dialect's module, ``sqlite`` or ``postgresql``, and
                from what stands for the values of a row. Constants in it are ``literal_column``.
            types: the names of a row's values with their types, in the order of the tuples.
        """
        self._make = make
        self._types = types
        self._one_by_one = cache(self._compile_one_by_one)
        self._at_once = lru_cache(maxsize=64)(self._compile_at_once)

    def execute(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Execute for these rows; instants are ``bound_instant``.

        Returns:
            How many rows were written or changed in all.
        """
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            sql, places = self._one_by_one()
            in_order = places == tuple(range(len(self._types)))
            ready = list(rows if in_order else map(itemgetter(*places), rows))
            return connection.exec_driver_sql(sql, ready).rowcount
        columns = [list(column) for column in zip(*rows, strict=True)]
        alike = tuple(len(set(column)) == 1 for column in columns)
        sql, places = self._at_once(alike)
        given = tuple(columns[place][0] if alike[place] else columns[place] for place in places)
        return connection.exec_driver_sql(sql, given).rowcount

    def _compile_one_by_one(self) -> tuple[str, tuple[int, ...]]:
        given: dict[str, Any] = {name: bindparam(name) for name in self._types}
        return self._text(self._make(sqlite, given), sqlite, "qmark")

    def _compile_at_once(self, alike: tuple[bool, ...]) -> tuple[str, tuple[int, ...]]:
        """The rows as columns of ``unnest``; a value that is alike in all rows is given once.

        Of a settlement most values are: measured for 100,000, this takes 0.5 s of the client's time
        where arrays of everything take 2.9 s.
        """
        given: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for (name, kind), same in zip(self._types.items(), alike, strict=True):
            # With its type: an array of nothing but NULL has none of its own. Never one with a
            # length: a cast would cut what is too long, where the column refuses it.
            plain = Text() if isinstance(kind, String) else kind
            if same:
                given[name] = cast(bindparam(name), plain)
            else:
                arrays[name] = cast(bindparam(name), ARRAY(plain))
        if arrays:
            rows = func.unnest(*arrays.values()).table_valued(*arrays).render_derived(name="given")
            given |= {name: rows.c[name] for name in arrays}
        return self._text(self._make(postgresql, given), postgresql, "format")

    def _text(self, statement: Any, kind: Any, style: str) -> tuple[str, tuple[int, ...]]:
        names = list(self._types)
        compiled = statement.compile(dialect=kind.dialect(paramstyle=style))
        return str(compiled), tuple(names.index(name) for name in compiled.positiontup)


def bound_instant(value: datetime | None, dialect: Dialect) -> Any:
    """An instant as the driver takes it."""
    if value is None or dialect.name != "sqlite":
        return value
    processor = Instant().dialect_impl(dialect).bind_processor(dialect)
    return processor(value) if processor is not None else value
