"""Rows from an .xlsx workbook, streamed: memory does not grow with the sheet.

Text cells stay text and number cells stay numbers, so that planning sees which codes a spreadsheet
program destroyed. An error cell (``#N/A``) or a formula never calculated makes its row a fault.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile

from smsengine.errors import SourceError, TextError
from smsengine.sources.base import Row, Value
from smsengine.sources.header import column_names
from smsengine.sources.plain_file import open_extract
from smsengine.sources.xlsx_book import Book, chosen_sheet, open_book
from smsengine.sources.xlsx_xml import Cell, SheetRow, sheet_rows, unescaped
from smsengine.text.legacy import TABLE_CHARSETS, redecode

_OLE_MAGIC = b"\xd0\xcf\x11\xe0"
_ZIP_MAGIC = b"PK"
_BROKEN = (BadZipFile, ExpatError, zlib.error, EOFError, IndexError, ValueError, RuntimeError)


class _Table(NamedTuple):
    """An open sheet, read up to the end of its header."""

    columns: tuple[str, ...]
    first: int  #: where the header's first name stands; column A is 0
    cells: _CellReader
    rows: Iterator[SheetRow]


class _BadCellError(ValueError):
    """A cell whose value cannot be trusted."""


class XlsxFile:
    """One sheet of a workbook; ``Row.number`` is the row of the sheet."""

    def __init__(
        self,
        path: str | Path,
        *,
        sheet: str | None = None,
        charset: str | None = None,
        header_row: int = 1,
        name: str | None = None,
    ) -> None:
        """Remember the file; without ``sheet`` it is the first one that is not hidden.

        Args:
            path: the workbook.
            sheet: the name on the sheet's tab.
            charset: what the text cells are in when they were typed in an old font, e.g. ``tcvn3``.
            header_row: the row of the sheet that names the columns; rows above it are passed over.
            name: what to call the file in a sentence, if not its path.
        """
        self.path = Path(path)
        self.sheet = sheet
        self.charset = charset
        self.header_row = header_row
        self._name = name or str(path)

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self._name

    def columns(self) -> tuple[str, ...]:
        """Return the names in the header row."""
        with self._open() as table:
            return table.columns

    def rows(self) -> Iterator[Row]:
        """Yield every row below the header that is not blank, hidden rows too."""
        with self._open() as table:
            for row in table.rows:
                read = _row(table, row)
                if read is not None:
                    yield read

    @contextmanager
    def _open(self) -> Iterator[_Table]:
        with open_extract(self.path, self.name) as stream:
            _refuse_other_formats(stream, self.name)
            try:
                with open_book(stream) as book:
                    yield self._table(book)
            except KeyError as error:
                raise SourceError(
                    f"{self.name}: this zip is not an .xlsx workbook ({error.args[0]}); save it as "
                    ".xlsx."
                ) from error
            except _BROKEN as error:
                raise SourceError(
                    f"{self.name}: the workbook is cut short or damaged ({error}); save it again."
                ) from error

    def _table(self, book: Book) -> _Table:
        _refuse_unknown(self.charset, self.name)
        sheet = chosen_sheet(book.sheets, self.sheet, self.name)
        rows = sheet_rows(book.open(sheet))
        cells = _CellReader(book, self.charset)
        place = f"{self.name}, sheet {sheet.name!r}, row {self.header_row}"
        first, columns = _header(rows, cells, self.header_row, place)
        return _Table(columns, first, cells, rows)


def _refuse_other_formats(stream: BinaryIO, name: str) -> None:
    magic = stream.read(4)
    stream.seek(0)
    if magic == _OLE_MAGIC:
        raise SourceError(
            f"{name}: this is an old .xls or a workbook with a password; save it as .xlsx without "
            "a password."
        )
    if not magic.startswith(_ZIP_MAGIC):
        raise SourceError(
            f"{name}: this is not an .xlsx workbook, whatever its name says; save it as .xlsx, or "
            "read it as CSV if it is text."
        )


def _refuse_unknown(charset: str | None, name: str) -> None:
    try:
        redecode("a", charset or "utf-8")
    except LookupError as error:
        raise SourceError(
            f"{name}: {charset!r} is no charset; `charset:` is one of {', '.join(TABLE_CHARSETS)}."
        ) from error


class _CellReader:
    """Turns cells into values."""

    def __init__(self, book: Book, charset: str | None) -> None:
        self._book = book
        self._charset = charset

    def value(self, cell: Cell) -> Value:
        """Return what the cell holds.

        Raises:
            _BadCellError: the spreadsheet program itself says that it holds no value.
        """
        kind, text = cell.attributes.get("t", "n"), cell.text
        if kind == "s":
            return self._text(self._book.texts[int(text)])
        if kind in {"inlineStr", "str"}:
            return self._text(unescaped(text))
        if kind == "e":
            raise _BadCellError(f"holds the error {text}")
        if not text:
            _refuse_uncalculated(cell)
            return None
        if kind == "b":
            return text == "1"
        return datetime.fromisoformat(text) if kind == "d" else self._number(cell)

    def _text(self, text: str) -> str:
        try:
            return redecode(text, self._charset) if self._charset else text
        except TextError as error:
            raise _BadCellError(f"cannot be read as {self._charset} ({error})") from error

    def _number(self, cell: Cell) -> Value:
        style = int(cell.attributes.get("s", 0))
        number = _number(cell.text)
        if style >= len(self._book.date_styles) or not self._book.date_styles[style]:
            return number
        try:
            return self._book.moment(number)
        except OverflowError as error:
            raise _BadCellError(f"holds {cell.text}, which is no date") from error


def _refuse_uncalculated(cell: Cell) -> None:
    if cell.formula:
        raise _BadCellError(
            "holds a formula that was never calculated; open the file in a spreadsheet program "
            "and save it"
        )


def _number(text: str) -> int | float:
    if text.removeprefix("-").isdecimal():
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise _BadCellError(f"holds {text}, which is no number")
    return number


def _header(
    rows: Iterator[SheetRow], cells: _CellReader, header_row: int, place: str
) -> tuple[int, tuple[str, ...]]:
    """Return where the header begins and its names; unnamed columns at its sides are none of it."""
    names: dict[int, str] = {}
    for row in rows:
        if row.number >= header_row:
            if row.number == header_row:
                names = _header_cells(row, cells, place)
            break
    if not names:
        raise SourceError(f"{place}: there are no column names here; declare the `header_row:`.")
    first, last = min(names), max(names)
    return first, column_names([names.get(at, "") for at in range(first, last + 1)], place)


def _header_cells(row: SheetRow, cells: _CellReader, place: str) -> dict[int, str]:
    try:
        values = {at: cells.value(cell) for at, cell in _placed(row.cells)}
    except _BadCellError as error:
        raise SourceError(f"{place}: a cell of the header {error}.") from error
    return {at: str(value) for at, value in values.items() if not _is_blank(value)}


def _row(table: _Table, row: SheetRow) -> Row | None:
    """Return the row, or nothing if it is blank."""
    width = len(table.columns)
    values: list[Value] = [None] * width
    blank = True
    for at, cell in _placed(row.cells):
        try:
            value = table.cells.value(cell)
        except _BadCellError as error:
            return Row(row.number, (), f"cell {_letters(at)}{row.number} {error}")
        if _is_blank(value):
            continue
        blank = False
        if not 0 <= at - table.first < width:
            return Row(row.number, (), _outside(at, row.number))
        values[at - table.first] = value
    return None if blank else Row(row.number, tuple(values))


def _outside(at: int, number: int) -> str:
    return f"cell {_letters(at)}{number} is not empty, but its column has no name in the header"


def _is_blank(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _placed(cells: list[Cell]) -> Iterator[tuple[int, Cell]]:
    """Give each cell its column number; a writer may leave references out."""
    at = -1
    for cell in cells:
        at = _column(cell.attributes["r"]) if "r" in cell.attributes else at + 1
        yield at, cell


def _column(reference: str) -> int:
    return _number_of(reference.rstrip("0123456789"))


@lru_cache(16_384)  # as many columns as a sheet can have
def _number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _letters(at: int) -> str:
    letters = ""
    while at >= 0:
        letters = chr(65 + at % 26) + letters
        at = at // 26 - 1
    return letters
