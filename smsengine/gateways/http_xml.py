"""Answers in XML, such as SOAP's: the texts of their innermost elements, by plain names; pure.

Only expat is used. A document type declaration is refused: no answer needs one, and it can be made
to explode.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers.expat import ExpatError, ParserCreate


def leaves(body: bytes) -> Mapping[str, str]:
    """The text of each element that holds no other one, by its name without a prefix.

    Raises:
        ValueError: it is no XML, or says two different things under one name.
    """
    reader = _Leaves()
    try:
        reader.parser.Parse(body, True)
    except ExpatError as error:
        raise ValueError("It is no XML that can be read.") from error
    return reader.found


class _Leaves:
    """Collects texts; memory is bounded by the answer's own size."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.parser = ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._take
        self._pieces: list[str] = []
        self._is_leaf = False

    def _start(self, _tag: str, _attributes: object) -> None:
        self._pieces = []
        self._is_leaf = True

    def _take(self, piece: str) -> None:
        self._pieces.append(piece)

    def _end(self, tag: str) -> None:
        if self._is_leaf:
            name, said = tag.rpartition(":")[2], "".join(self._pieces).strip()
            if self.found.setdefault(name, said) != said:
                raise ValueError(f"It says two things about {name}.")
        self._is_leaf = False


def _refuse(*_: object) -> None:
    raise ExpatError("a document type declaration")
