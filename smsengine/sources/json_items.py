"""Finding the repeated objects of a JSON document in its stream of events, and what is round them.

An event is a triple of ijson: prefix (``c12s.item.stt``), kind, value. Only one item is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from smsengine.sources.header import TidyNames

Event = tuple[str, str, Any]
_OPENING = frozenset({"start_map", "start_array"})
_CLOSING = frozenset({"end_map", "end_array"})
_STRUCTURE = _OPENING | _CLOSING | {"map_key"}


class Item(NamedTuple):
    """One of the repeated objects."""

    cells: dict[str, Any]
    around: dict[str, Any]  #: scalars of the objects it lies in, as far as they stand before it
    nested: frozenset[str] = frozenset()  #: keys that hold an object or a list
    fault: str = ""


class ItemReader:
    """Reads the items at one prefix, and notes whether their list was there at all."""

    def __init__(self, prefix: str) -> None:
        """Remember what to look for, e.g. ``c12s.item``."""
        self._prefix = prefix
        self._is_list = prefix == "item" or prefix.endswith(".item")
        parts = prefix.split(".")
        self._outer = {".".join(parts[:length]) for length in range(len(parts))}
        self._list = ".".join(parts[:-1])
        self._names = TidyNames()
        self.list_seen = False

    def items(self, events: Iterator[Event]) -> Iterator[Item]:
        """Yield every object at the prefix; what is no object in that list is a fault."""
        scopes: dict[str, dict[str, Any]] = {}
        for prefix, kind, value in events:
            if prefix == self._prefix:
                if kind == "start_map":
                    yield self._item(events, scopes)
                elif self._is_list and kind not in _CLOSING:
                    yield Item({}, {}, fault="is not an object")
            elif kind not in _STRUCTURE:
                self._note(scopes, prefix, value)
            elif prefix in self._outer:
                self._enter(scopes, prefix, kind)

    def _enter(self, scopes: dict[str, dict[str, Any]], prefix: str, kind: str) -> None:
        if kind == "start_map":
            scopes[prefix] = {}
        elif kind == "start_array" and prefix == self._list:
            self.list_seen = True

    def _note(self, scopes: dict[str, dict[str, Any]], prefix: str, value: Any) -> None:
        """Keep a scalar that stands directly in an object round the items."""
        outer, _, key = prefix.rpartition(".")
        if outer in scopes:
            scopes[outer][self._names[key]] = value

    def _item(self, events: Iterator[Event], scopes: dict[str, dict[str, Any]]) -> Item:
        """Read on to the end of the object that was just opened."""
        cells: dict[str, Any] = {}
        nested: set[str] = set()
        key = doubled = ""
        depth = 0
        for _, kind, value in events:
            if kind in _OPENING:
                if not depth:
                    nested.add(key)
                depth += 1
            elif kind in _CLOSING:
                if not depth:
                    break
                depth -= 1
            elif depth:
                continue
            elif kind == "map_key":
                key = self._names[value]
                doubled = key if key in cells or key in nested else doubled
            else:
                cells[key] = value
        fault = f"the key {doubled!r} stands twice in it" if doubled else ""
        return Item(cells, _merged(scopes), frozenset(nested), fault)


def _merged(scopes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the scalars of all enclosing objects; the innermost hides an outer one's namesake."""
    merged: dict[str, Any] = {}
    for prefix in sorted(scopes, key=len):
        merged.update(scopes[prefix])
    return merged


def object_lists(events: Iterator[Event], limit: int = 10) -> list[str]:
    """Return the prefixes at which the document has objects in a list, the first few of them."""
    found: dict[str, None] = {}
    for prefix, kind, _ in events:
        if kind == "start_map" and (prefix == "item" or prefix.endswith(".item")):
            found[prefix] = None
            if len(found) == limit:
                break
    return list(found)
