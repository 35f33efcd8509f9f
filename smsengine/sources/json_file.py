"""Rows from JSON, streamed: the objects of a list somewhere in a document, or one on each line.

A value that is itself an object or a list is no cell: its key is no column, and where it is
declared as one the row is a fault. Numbers are ``int`` or ``Decimal``, never ``float``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

import ijson

from smsengine.errors import SourceError
from smsengine.sources.base import Row
from smsengine.sources.header import column_names
from smsengine.sources.json_items import Event, Item, ItemReader, object_lists
from smsengine.sources.json_lines import JsonLines
from smsengine.sources.plain_file import open_extract

_BOM = b"\xef\xbb\xbf"


class _Table(NamedTuple):
    """An open document, read up to its first item."""

    columns: tuple[str, ...]
    outer: frozenset[str]  #: columns that the first item lacks: they may stand round the items
    items: Iterator[Item]


class JsonFile:
    """A list of objects in a JSON file; ``Row.number`` counts them from 1.

    A scalar of an object round the list is a column under its own key if it stands before the list
    (``tenCqBhxh`` of a C12 export). A key that the first item has itself always means the item's.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        items: str = "item",
        columns: Sequence[str] | None = None,
        lines: bool = False,
        name: str | None = None,
    ) -> None:
        """Remember the file.

        Args:
            path: the file, plain or gzipped, in UTF-8.
            items: where the objects are, as ijson writes it: ``item`` for a list of them,
                ``c12s.item`` for a list under a key, ``item.c12s.item`` for a list of such.
            columns: the keys to read; without it those of the first item and round it.
            lines: one object stands on each line and there is no list; ``items`` does not count.
            name: what to call the file in a sentence, if not its path.
        """
        self.path = Path(path)
        self.items = items
        self._name = name or str(path)
        self._declared = column_names(columns, f"{self._name}: `fields:`") if columns else None
        self._lines = JsonLines(path, columns=columns, name=name) if lines else None

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self._name

    def columns(self) -> tuple[str, ...]:
        """Return the declared columns, or the keys of the first item and of what is round it."""
        if self._lines:
            return self._lines.columns()
        with self._open() as table:
            return table.columns

    def rows(self) -> Iterator[Row]:
        """Yield every item; a key that it lacks is None, a key that is no column is left out."""
        yield from self._lines.rows() if self._lines else self._items()

    def _items(self) -> Iterator[Row]:
        number = 0
        with self._open() as table:
            try:
                for number, item in enumerate(table.items, start=1):
                    yield _row(number, item, table)
            except ijson.JSONError as error:
                raise self._broken(number) from error

    @contextmanager
    def _open(self) -> Iterator[_Table]:
        reader = ItemReader(self.items)
        with open_extract(self.path, self.name) as stream:
            items = reader.items(_events(stream))
            try:
                first = next(items, None)
            except ijson.JSONError as error:
                raise self._broken(0) from error
            if first is None:
                yield self._empty(reader.list_seen)
            else:
                columns, outer = self._layout(first)
                yield _Table(columns, outer, chain([first], items))

    def _layout(self, first: Item) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return the columns, and which of them are looked for round the items."""
        if first.fault:
            raise SourceError(f"{self.name}: item 1 {first.fault}; correct the file or `items:`.")
        around = first.around.keys() - first.cells.keys() - first.nested
        found = [*first.cells, *(key for key in first.around if key in around)]
        columns = self._declared or column_names(found, f"{self.name}: item 1")
        return columns, frozenset(columns) - first.cells.keys() - first.nested

    def _empty(self, list_seen: bool) -> _Table:
        if not list_seen:
            raise SourceError(self._no_such_list())
        if not self._declared:
            raise SourceError(
                f"{self.name}: the list at {self.items!r} is empty; declare `fields:` to allow it."
            )
        return _Table(self._declared, frozenset(), iter(()))

    def _no_such_list(self) -> str:
        with open_extract(self.path, self.name) as stream:
            there_are = ", ".join(map(repr, object_lists(_events(stream)))) or "none"
        return (
            f"{self.name}: there are no objects at {self.items!r}; "
            f"`items:` can be one of these: {there_are}."
        )

    def _broken(self, number: int) -> SourceError:
        return SourceError(
            f"{self.name}: the JSON is broken or cut short after item {number}; export it again, "
            "as UTF-8."
        )


def _events(stream: BinaryIO) -> Iterator[Event]:
    if stream.read(len(_BOM)) != _BOM:
        stream.seek(0)
    events: Iterator[Event] = ijson.parse(stream)
    return events


def _row(number: int, item: Item, table: _Table) -> Row:
    fault = item.fault or _misplaced(item, table)
    if fault:
        return Row(number, (), fault)
    around = {key: item.around[key] for key in table.outer if key in item.around}
    return Row(number, tuple(map((around | item.cells).get, table.columns)))


def _misplaced(item: Item, table: _Table) -> str:
    """Say which column cannot be read from this item, if there is one."""
    for column in item.nested.intersection(table.columns):
        return f"the key {column!r} holds an object or a list, not a value"
    for column in table.outer & item.cells.keys() & item.around.keys():
        return f"the key {column!r} stands in it and also round the list"
    return ""
