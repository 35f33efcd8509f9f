"""What fits into a column and into a statement, on either database.

SQLite takes texts and numbers of any size into any column, PostgreSQL does not; neither may, so
that what is planned into one could be planned into the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    any_,
    bindparam,
)

from smsengine.errors import StoreError

#: One statement takes 65,535 values with psycopg and 32,766 with SQLite as it is shipped.
_MOST_VALUES = 10_000
_BITS = {BigInteger: 63, Integer: 31}

T = TypeVar("T")


def slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into pieces of which each fits into one ``IN``."""
    for start in range(0, len(values), _MOST_VALUES):
        yield values[start : start + _MOST_VALUES]


def is_among(
    connection: Connection, column: Column[Any], values: Sequence[Any]
) -> ColumnElement[bool]:
    """A column has one of thousands of values: one array for PostgreSQL, a list for SQLite."""
    if connection.dialect.name == "sqlite":
        return column.in_(values)
    given = bindparam(None, list(values), type_=ARRAY(column.type))
    return column == any_(given)


def is_possible(key: int) -> bool:
    """Say whether a number that somebody typed can be the key of a row."""
    return 0 < key < 2**63


def storable(text: str) -> str:
    """A text in which what PostgreSQL cannot keep is a question mark: U+0000, half a pair."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def kept(text: str, most: int) -> str:
    """What strangers say, cut to a length and storable; quick where there is nothing to mend."""
    if not text:
        return text
    plain = text.isascii() and "\0" not in text
    return (text if plain else storable(text))[:most]


def fitted(column: Column[Any], text: str) -> str:
    """What strangers say, such as a gateway's name for a message, cut to what the column keeps.

    Cut alike everywhere, two equal names stay equal.
    """
    length = column.type.length if isinstance(column.type, String) else None
    return kept(text, length or len(text))


def require_fit(table: Table, values: Mapping[str, Any]) -> None:
    """Refuse what does not fit, before anything is written.

    Raises:
        StoreError: one sentence that names the column.
    """
    for name, value in values.items():
        said = _misfit(table.c[name], value)
        if said:
            raise StoreError(f"The ledger cannot keep {name} of {table.name}: {said}.")


def _misfit(column: Column[Any], value: object) -> str:
    kind = column.type
    if isinstance(value, str) and isinstance(kind, String):
        if kind.length is not None and len(value) > kind.length:
            return f"{value[:20]}… has {len(value)} characters, at most {kind.length} fit"
        if value != storable(value):
            return "it holds a character that is none (U+0000 or half of a pair)"
    if isinstance(value, int) and isinstance(kind, Integer):
        bits = _BITS[BigInteger if isinstance(kind, BigInteger) else Integer]
        if not -(2**bits) <= value < 2**bits:
            return f"{value} has too many digits"
    return ""
