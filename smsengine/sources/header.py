"""What a header must be, for every source that has one: each column named, each name once."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

from smsengine.errors import SourceError


def column_names(cells: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the names with inner blanks and line breaks made one space, in NFC.

    Args:
        cells: what the header holds, from the first column to the last.
        place: where it stands, e.g. ``c12.csv:1``; every complaint begins with it.

    Raises:
        SourceError: a name is missing or stands twice.
    """
    names = tuple(tidy_name(cell) for cell in cells)
    if not any(names):
        raise SourceError(f"{place}: there are no column names here; the header must name them.")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise SourceError(f"{place}: column {number} has no name; name it or remove it.")
        if name in seen:
            where = f"columns {seen[name]} and {number}"
            raise SourceError(f"{place}: {where} are both called {name!r}; rename one of them.")
        seen[name] = number
    return names


def tidy_name(cell: str) -> str:
    """Return a column name as a person would type it: no BOM, single spaces, NFC."""
    return normalize("NFC", " ".join(cell.replace("\ufeff", "").split()))


class TidyNames(dict[str, str]):
    """Tidied names of the keys seen so far; records repeat the same few keys by the million."""

    def __missing__(self, key: str) -> str:
        """Tidy a key the first time."""
        self[key] = name = tidy_name(key)
        return name
