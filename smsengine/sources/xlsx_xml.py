"""The XML inside a workbook, read as a stream: cells of a sheet, shared texts, lists of tags.

Only expat is used and nothing is kept but what is asked for, so memory does not grow with a sheet.
A document type declaration is refused: no workbook needs one and it can be made to explode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType

_CHUNK_BYTES = 1 << 16
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


class Cell(NamedTuple):
    """A cell as the file has it: nothing is interpreted yet."""

    attributes: dict[str, str]  #: ``r`` where it stands, ``t`` its kind, ``s`` its style
    text: str
    formula: bool


class SheetRow(NamedTuple):
    """A row of a sheet as the file has it."""

    number: int
    cells: list[Cell]


def sheet_rows(stream: IO[bytes]) -> Iterator[SheetRow]:
    """Yield the rows of a worksheet part that the file mentions, in its order."""
    reader = _SheetReader()
    for _ in _fed(reader.parser, stream):
        yield from reader.rows
        reader.rows.clear()
        if reader.finished:
            return


def shared_texts(stream: IO[bytes]) -> Iterator[str]:
    """Yield the texts of the shared strings part, in their order."""
    reader = _TextsReader()
    for _ in _fed(reader.parser, stream):
        yield from reader.texts
        reader.texts.clear()


def tags(stream: IO[bytes]) -> list[tuple[str, dict[str, str]]]:
    """Return every start tag of a small part, without prefixes, with its attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        found.append((tag.rpartition(":")[2], plain))

    parser.StartElementHandler = start
    for _ in _fed(parser, stream):
        pass
    return found


def unescaped(text: str) -> str:
    """Return a text whose ``_x000D_`` are the characters they stand for."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _fed(parser: XMLParserType, stream: IO[bytes]) -> Iterator[None]:
    """Feed a parser piece by piece and stop after each, for its handlers' harvest."""
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    while chunk := stream.read(_CHUNK_BYTES):
        parser.Parse(chunk)
        yield
    parser.Parse(b"", True)
    yield


def _refuse_doctype(*_: object) -> None:
    raise ExpatError("a document type declaration")


class _TextReader:
    """What texts have in common: runs are joined, phonetic guides left out."""

    def __init__(self) -> None:
        self.parser = ParserCreate()
        self.parser.StartElementHandler = self._root
        self.pieces: list[str] = []
        self.phonetic = False

    def _root(self, tag: str, _: dict[str, str]) -> None:
        """Learn the prefix that this writer gives to every tag, e.g. ``x:``."""
        prefix = tag.rpartition(":")[0]
        self._name_tags(f"{prefix}:" if prefix else "")
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def _name_tags(self, prefix: str) -> None:
        self.guide = prefix + "rPh"
        self.text_tags = {prefix + "t", prefix + "v"}

    def start(self, tag: str, _: dict[str, str]) -> None:
        if tag in self.text_tags:
            if not self.phonetic:
                self.parser.CharacterDataHandler = self.pieces.append
        elif tag == self.guide:
            self.phonetic = True

    def end(self, tag: str) -> None:
        if tag in self.text_tags:
            self.parser.CharacterDataHandler = None
        elif tag == self.guide:
            self.phonetic = False

    def _taken(self) -> str:
        text = "".join(self.pieces)
        self.pieces.clear()
        return text


class _TextsReader(_TextReader):
    """Collects shared strings."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def _name_tags(self, prefix: str) -> None:
        super()._name_tags(prefix)
        self.item = prefix + "si"

    def end(self, tag: str) -> None:
        if tag == self.item:
            self.texts.append(unescaped(self._taken()))
        else:
            super().end(tag)


class _SheetReader(_TextReader):
    """Collects rows of cells until the sheet's data end."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[SheetRow] = []
        self.finished = False
        self.number = 0
        self.cells: list[Cell] = []
        self.attributes: dict[str, str] = {}
        self.formula = False

    def _name_tags(self, prefix: str) -> None:
        super()._name_tags(prefix)
        self.cell, self.row = prefix + "c", prefix + "row"
        self.computed, self.sheet_data = prefix + "f", prefix + "sheetData"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self.cell:
            self.attributes = attributes
        elif tag == self.row:
            self.number = int(attributes.get("r", self.number + 1))
        elif tag == self.computed:
            self.formula = True
        else:
            super().start(tag, attributes)

    def end(self, tag: str) -> None:
        if tag == self.cell:
            self.cells.append(Cell(self.attributes, self._taken(), self.formula))
            self.formula = False
        elif tag == self.row:
            self.rows.append(SheetRow(self.number, self.cells))
            self.cells = []
        elif tag == self.sheet_data:
            self.finished = True
        else:
            super().end(tag)
