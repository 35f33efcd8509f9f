"""The contract of a source: named columns, then rows, one at a time.

A source only reads. It never decides what a value means: codes, money and phones are told apart
by the job's declared column types in planning. Values stay what the file held (text stays text,
a number cell of a spreadsheet is a ``float`` or ``int``), so that planning can say what was
destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

#: What one cell may hold.
Value = str | int | float | Decimal | date | datetime | bool | None


class Row(NamedTuple):
    """One row of an extract.

    ``number`` is what a person would look for: the line of a text file (the header is line 1), the
    row of a sheet, the ordinal of a record (from 1) in a query or a JSON list. ``fault`` is empty,
    or one sentence saying why this row cannot be read; its values do not count then.
    """

    number: int
    values: tuple[Value, ...]
    fault: str = ""


class Source(Protocol):
    """Where rows come from. ``columns()`` is called once, before ``rows()``."""

    @property
    def name(self) -> str:
        """What to call it in a sentence, e.g. ``samples/c12-2019-06.csv``."""

    def columns(self) -> tuple[str, ...]:
        """Return the column names in the order of a row's values.

        Raises:
            SourceError: it cannot be opened, decoded, or has doubled or no columns.
        """

    def rows(self) -> Iterator[Row]:
        """Yield every row, streaming: memory does not grow with their number.

        Raises:
            SourceError: reading broke off, with the place where.
        """
