"""Rows from a CSV file: any Vietnamese charset, any usual delimiter, plain or gzipped.

Quoting is that of RFC 4180, strictly: a reader that forgives a stray quote swallows every row up to
the next one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from smsengine.errors import SourceError, TextError
from smsengine.sources.base import Row
from smsengine.sources.header import column_names
from smsengine.sources.plain_file import open_extract
from smsengine.text.legacy import ENCODINGS, detect, text_lines

if TYPE_CHECKING:
    from _csv import Reader

_DELIMITERS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_SAMPLE_BYTES = 1 << 20
_BLANK = "\ufeff \t\r\n"
_HEADER_LINES = 200  #: as many as a header may run over; past it a quote was left open


class _Table(NamedTuple):
    """An open file, read up to the end of its header."""

    columns: tuple[str, ...]
    width: int  #: fields of the header line, its unnamed last ones counted
    reader: Reader


class CsvFile:
    """A text file of delimited fields; ``Row.number`` is the line on which the record begins."""

    def __init__(
        self,
        path: str | Path,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        name: str | None = None,
    ) -> None:
        """Remember the file; an encoding or delimiter not declared is told from its beginning."""
        if delimiter is not None and len(delimiter) != 1:
            raise SourceError(f"{path}: `delimiter:` must be one character, not {delimiter!r}.")
        self.path = Path(path)
        self.encoding = encoding
        self.delimiter = delimiter
        self._name = name or str(path)

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self._name

    def columns(self) -> tuple[str, ...]:
        """Return the names of the header, which is the first line that is not blank."""
        with self._open() as table:
            return table.columns

    def rows(self) -> Iterator[Row]:
        """Yield every record below the header; blank lines are passed over."""
        with self._open() as table:
            yield from _rows(table, self.name)

    @contextmanager
    def _open(self) -> Iterator[_Table]:
        with open_extract(self.path, self.name) as stream:
            try:
                encoding = (self.encoding or _detected(stream)).lower()
                with closing(_lines(stream, encoding, self.name)) as lines:
                    yield _table(lines, self.delimiter, self.name)
            except TextError as error:
                raise SourceError(f"{self.name}: {error}") from error
            except LookupError as error:
                raise SourceError(
                    f"{self.name}: {encoding!r} is no encoding; `encoding:` is one of "
                    f"{', '.join(ENCODINGS)}."
                ) from error


def _detected(stream: BinaryIO) -> str:
    sample = stream.read(_SAMPLE_BYTES)
    stream.seek(0)
    return detect(sample)


def _lines(stream: BinaryIO, encoding: str, name: str) -> Generator[str, None, None]:
    for number, line in enumerate(text_lines(stream, encoding), start=1):
        if "\0" in line:
            raise SourceError(
                f"{name}:{number}: there is a NUL byte here; the file is damaged or its encoding "
                f"is not {encoding}."
            )
        yield line


def _table(lines: Iterator[str], declared: str | None, name: str) -> _Table:
    blank = list(_blank_lines(lines))
    place = f"{name}:{len(blank)}"
    header = _whole_header(blank.pop(), lines) if blank else []
    if not "".join(header).strip(_BLANK):
        raise SourceError(f"{name}: the file holds only blank lines; export it again.")
    delimiter = declared or _delimiter("".join(header), place)
    reader = csv.reader(chain(blank, header, lines), delimiter=delimiter, strict=True)
    cells = _header_cells(reader, len(blank), place)
    named = max((at for at, cell in enumerate(cells, start=1) if cell.strip()), default=1)
    return _Table(column_names(cells[:named], place), len(cells), reader)


def _blank_lines(lines: Iterator[str]) -> Iterator[str]:
    """Yield the blank lines before the header and then its first line."""
    for line in lines:
        yield line
        if line.strip(_BLANK):
            return


def _whole_header(line: str, lines: Iterator[str]) -> list[str]:
    """Return the header's lines: there are more of them while a quote is open."""
    header = [line]
    quotes = line.count('"')
    while quotes % 2 and len(header) < _HEADER_LINES:
        header.append(next(lines, ""))
        quotes += header[-1].count('"')
    return header


def _header_cells(reader: Reader, blank_lines: int, place: str) -> list[str]:
    try:
        return list(islice(reader, blank_lines + 1))[-1]
    except csv.Error as error:
        raise SourceError(
            f"{place}: the header's quotes do not match ({error}); correct them."
        ) from error


def _delimiter(header: str, place: str) -> str:
    """Return the delimiter that stands most often outside quotes; any will do if none does."""
    bare = _QUOTED.sub("", header)
    counts = sorted(((bare.count(mark), mark) for mark in _DELIMITERS), reverse=True)
    (most, best), (second, other) = counts[:2]
    if most and most == second:
        raise SourceError(
            f"{place}: {best!r} and {other!r} could both part the columns; "
            "declare the file's `delimiter:`."
        )
    return best if most else ","


def _rows(table: _Table, name: str) -> Iterator[Row]:
    columns, _, reader = table
    width = len(columns)
    line = reader.line_num + 1
    while True:
        try:
            for fields in reader:
                if len(fields) == width:
                    yield Row(line, tuple(fields))
                elif not _is_blank(fields):
                    yield _uneven(table, line, fields)
                line = reader.line_num + 1
        except csv.Error as error:
            yield _misquoted(line, reader.line_num, name, error)
            line = reader.line_num + 1
        else:
            return


def _is_blank(fields: list[str]) -> bool:
    return not fields or (len(fields) == 1 and not fields[0].strip(_BLANK))


def _uneven(table: _Table, line: int, fields: list[str]) -> Row:
    """Cut empty fields under the unnamed last columns of the header; else it is a fault."""
    width = len(table.columns)
    if width < len(fields) <= table.width and not any(fields[width:]):
        return Row(line, tuple(fields[:width]))
    fault = f"has {len(fields)} fields, the header has {width}"
    if table.reader.line_num > line:
        fault += f" (it runs on to line {table.reader.line_num}: is a quote left open?)"
    return Row(line, (), fault)


def _misquoted(line: int, last_line: int, name: str, error: csv.Error) -> Row:
    """Return the fault of one line; a record over several lines may have swallowed others.

    Raises:
        SourceError: the quote opened on ``line`` was not closed there.
    """
    if last_line > line:
        raise SourceError(
            f"{name}:{line}: a quote is opened in this record and not closed rightly up to line "
            f"{last_line}; correct the quotes."
        ) from error
    return Row(line, (), f"its quotes do not match ({error})")
