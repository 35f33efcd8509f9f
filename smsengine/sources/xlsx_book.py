"""A workbook opened: its sheets, its shared texts, and which styles show a number as a date.

Shared texts lie in an unnamed temporary file, because they can be as many as the cells.
"""

from __future__ import annotations

import os
import posixpath
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, NamedTuple
from unicodedata import normalize
from zipfile import ZipFile

from smsengine.errors import SourceError
from smsengine.sources.xlsx_xml import shared_texts, tags

_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
#: Number formats that every program knows by number and that show a day.
_DATE_FORMATS = frozenset({*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58})
#: What a number format says literally: quoted, escaped, padded, or in brackets.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_TEXTS_AT_ONCE = 1_000
_LAST_FALSE_DAY = 60  # Excel believes in 29 February 1900


class Sheet(NamedTuple):
    """A worksheet and the part of the zip that holds it."""

    name: str
    part: str
    visible: bool


class _Part(NamedTuple):
    """A file of the zip, as the workbook refers to it."""

    identifier: str
    kind: str
    path: str


class SharedTexts:
    """The texts that cells refer to by number, written to disk as far as they were asked for."""

    def __init__(self, file: IO[bytes], texts: Iterator[str]) -> None:
        """Take the texts; none is read yet."""
        self._file = file
        self._texts = texts
        self._begin = array("Q", [0])

    def __getitem__(self, number: int) -> str:
        """Return one text; IndexError if there is none of this number."""
        while number + 1 >= len(self._begin):
            self._write_more()
        begin, end = self._begin[number], self._begin[number + 1]
        return os.pread(self._file.fileno(), end - begin, begin).decode("utf-8", "surrogatepass")

    def _write_more(self) -> None:
        batch = list(islice(self._texts, _TEXTS_AT_ONCE))
        if not batch:
            raise IndexError("a cell refers to a shared text that is not there")
        for text in batch:
            written = self._file.write(text.encode("utf-8", "surrogatepass"))
            self._begin.append(self._begin[-1] + written)
        self._file.flush()


class Book:
    """What a reader of cells must know about the workbook around them."""

    def __init__(self, archive: ZipFile, spool: IO[bytes]) -> None:
        """Read the small parts."""
        self._archive = archive
        parts = {part.identifier: part for part in self._parts()}
        kinds = {part.kind: part.path for part in parts.values()}
        content = self._tags(_WORKBOOK)
        self.sheets = _sheets(content, parts)
        self.since_1904 = any(
            attributes.get("date1904") in {"1", "true"}
            for tag, attributes in content
            if tag == "workbookPr"
        )
        self.date_styles = self._date_styles(kinds.get("styles"))
        self.texts = SharedTexts(spool, self._shared_texts(kinds.get("sharedStrings")))

    def open(self, sheet: Sheet) -> IO[bytes]:
        """Return the XML of a sheet as a stream."""
        return self._archive.open(sheet.part)

    def moment(self, serial: float) -> datetime:
        """Return the moment that a spreadsheet writes as this many days, to the millisecond.

        Raises:
            OverflowError: no calendar has that day.
        """
        first = datetime(1904, 1, 1) if self.since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no zone
        if not self.since_1904 and serial < _LAST_FALSE_DAY:
            serial += 1
        return first + timedelta(milliseconds=round(serial * 86_400_000))

    def _tags(self, part: str) -> list[tuple[str, dict[str, str]]]:
        with self._archive.open(part) as stream:
            return tags(stream)

    def _parts(self) -> Iterator[_Part]:
        for tag, found in self._tags(_RELATIONS):
            if tag == "Relationship" and found.get("TargetMode") != "External":
                path = posixpath.normpath(posixpath.join("xl", found["Target"])).lstrip("/")
                yield _Part(found["Id"], found["Type"].rpartition("/")[2], path)

    def _date_styles(self, part: str | None) -> list[bool]:
        return _date_styles(self._tags(part)) if part else []

    def _shared_texts(self, part: str | None) -> Iterator[str]:
        if part:
            with self._archive.open(part) as stream:
                yield from shared_texts(stream)


@contextmanager
def open_book(stream: IO[bytes]) -> Iterator[Book]:
    """Give the workbook in a zip; zip, XML and key errors are the caller's to explain."""
    with ZipFile(stream) as archive, TemporaryFile() as spool:
        yield Book(archive, spool)


def chosen_sheet(sheets: list[Sheet], wanted: str | None, name: str) -> Sheet:
    """Return the sheet of that name, or the first one that is not hidden.

    Raises:
        SourceError: there is no such sheet.
    """
    for sheet in sheets:
        if sheet.visible if wanted is None else normalize("NFC", wanted) == sheet.name:
            return sheet
    there_are = ", ".join(repr(sheet.name) for sheet in sheets) or "none"
    raise SourceError(f"{name}: there is no sheet {wanted!r}; its sheets are {there_are}.")


def _sheets(content: list[tuple[str, dict[str, str]]], parts: dict[str, _Part]) -> list[Sheet]:
    return [
        Sheet(
            normalize("NFC", found["name"]),
            parts[found["id"]].path,
            found.get("state", "visible") == "visible",
        )
        for tag, found in content
        if tag == "sheet" and parts[found["id"]].kind == "worksheet"
    ]


def _date_styles(content: list[tuple[str, dict[str, str]]]) -> list[bool]:
    """Return for each cell style whether its number format shows a day."""
    dates = set(_DATE_FORMATS)
    styles: list[bool] = []
    inside = ""
    for tag, attributes in content:
        if tag == "numFmt" and shows_a_day(attributes.get("formatCode", "")):
            dates.add(int(attributes["numFmtId"]))
        elif tag in {"cellStyleXfs", "cellXfs"}:
            inside = tag
        elif tag == "xf" and inside == "cellXfs":
            styles.append(int(attributes.get("numFmtId", "0")) in dates)
    return styles


def shows_a_day(number_format: str) -> bool:
    """Tell whether a custom number format has a day or a year in it; hours alone do not count."""
    return not {"d", "y"}.isdisjoint(_LITERAL.sub("", number_format).lower())
