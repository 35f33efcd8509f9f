"""Rows from JSON lines: one object on each line of a UTF-8 file.

The rules are those of ``json_file``: objects and lists are no cells, numbers are ``int`` or
``Decimal``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from smsengine.errors import SourceError, TextError
from smsengine.sources.base import Row
from smsengine.sources.header import TidyNames, column_names
from smsengine.sources.plain_file import open_extract
from smsengine.text.legacy import text_lines

Line = tuple[int, dict[str, Any], str]


class JsonLines:
    """A file of objects, one per line; ``Row.number`` is the line."""

    def __init__(
        self,
        path: str | Path,
        *,
        columns: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        """Remember the file; ``columns`` not declared are the keys of the first line."""
        self.path = Path(path)
        self._name = name or str(path)
        self._declared = column_names(columns, f"{self._name}: `fields:`") if columns else None

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self._name

    def columns(self) -> tuple[str, ...]:
        """Return the declared columns, or the keys of the first line."""
        if self._declared:
            return self._declared
        with self._open() as objects:
            number, cells, fault = next(objects, (1, {}, "holds no object"))
        place = f"{self.name}:{number}"
        if fault:
            raise SourceError(f"{place}: {fault}; correct it, as the first line names the columns.")
        return column_names([key for key, value in cells.items() if not _is_nested(value)], place)

    def rows(self) -> Iterator[Row]:
        """Yield every line; a line that is no object is a fault, a blank one is passed over."""
        columns = self.columns()
        with self._open() as objects:
            for number, cells, fault in objects:
                values = tuple(map(cells.get, columns))
                why = fault or _nested_column(columns, values)
                yield Row(number, (), why) if why else Row(number, values)

    @contextmanager
    def _open(self) -> Iterator[Iterator[Line]]:
        with open_extract(self.path, self.name) as stream, closing(_objects(stream)) as objects:
            try:
                yield objects
            except TextError as error:
                raise SourceError(f"{self.name}: {error}") from error


def _objects(stream: BinaryIO) -> Generator[Line, None, None]:
    decoder = json.JSONDecoder(
        parse_float=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=_single_keys(TidyNames()),
    )
    for number, line in enumerate(text_lines(stream, "utf-8"), start=1):
        if line.strip():
            yield number, *_object(decoder, line.strip())


def _object(decoder: json.JSONDecoder, line: str) -> tuple[dict[str, Any], str]:
    try:
        found = decoder.decode(line)
    except json.JSONDecodeError as error:
        return {}, f"is no JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return {}, f"is no JSON object ({error})"
    return (found, "") if isinstance(found, dict) else ({}, "is JSON but no object")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _single_keys(names: TidyNames) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Return the hook that makes an object of its pairs and refuses a key that stands twice."""

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        cells = {names[key]: value for key, value in pairs}
        if len(cells) != len(pairs):
            raise ValueError("a key stands twice in it")
        return cells

    return made


def _is_nested(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _nested_column(columns: tuple[str, ...], values: tuple[Any, ...]) -> str:
    for column, value in zip(columns, values, strict=True):
        if _is_nested(value):
            return f"the key {column!r} holds an object or a list, not a value"
    return ""
