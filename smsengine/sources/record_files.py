"""What DuckDB must be told about a file of records, and what its complaints mean.

The first line of a CSV file is read here and not left to DuckDB's guessing: the delimiter, the
columns and the quotes are then given, every value is text, and a line with too few or too many
values is an error with its number. DuckDB does not look at the check sum of a gzip file, so that is
done here as well: a flipped bit would otherwise change a figure.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from smsengine.errors import SourceError
from smsengine.sources.header import column_names
from smsengine.sources.plain_file import open_extract

_DELIMITERS = ",;\t|"
_BLOCK = 1 << 20
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)
_COUNTS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


class Shape(NamedTuple):
    """What files must share to be read together: the columns in order, and how they are written.

    A Parquet file has types; a CSV file has a delimiter and may be packed with gzip.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...] = ()
    delimiter: str = ""
    packed: bool = False


def shape_of(connection: Any, path: Path, delimiter: str | None) -> Shape:
    """Look at the head of one file.

    Raises:
        SourceError: it is missing, not whole, not UTF-8, or has doubled or no columns.
    """
    name = str(path)
    with open_extract(path, name) as file:
        if path.suffix.lower() == ".parquet":
            described = connection.execute("DESCRIBE SELECT * FROM " + _parquet([path]))  # noqa: S608
            found = described.fetchall()
            return Shape(tuple(row[0] for row in found), types=tuple(row[1] for row in found))
        line = _decoded(file.readline(_BLOCK), name)
        used = delimiter or max(_DELIMITERS, key=line.count)
        columns = column_names(next(csv.reader([line], delimiter=used), []), f"{name}:1")
        return Shape(columns, delimiter=used, packed=_is_packed(file))


def check_columns(place: str, found: Sequence[str], needed: Sequence[str]) -> None:
    """Every needed column is there.

    Raises:
        SourceError: one is missing.
    """
    for name in needed:
        if name not in found:
            raise SourceError(f"{place}: column {name} is missing; there are {', '.join(found)}.")


def check_whole(path: Path) -> None:
    """A packed file can be unpacked to its end and has the check sum it says.

    Raises:
        SourceError: it is cut short or damaged.
    """
    with open_extract(path, str(path)) as file:
        while _is_packed(file) and file.read(_BLOCK):
            pass


def read_expression(shape: Shape, paths: Sequence[Path]) -> str:
    """Return the DuckDB table function that reads files of one shape."""
    if shape.types:
        return _parquet(paths)
    packing = "gzip" if shape.packed else "none"
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in shape.columns)
    return (
        f"read_csv({_list(paths)}, columns = {{{columns}}}, delim = {_text(shape.delimiter)}, "
        f"compression = '{packing}', "
        "header = true, quote = '\"', escape = '\"', auto_detect = false, strict_mode = true)"
    )


def quoted(name: str) -> str:
    """Return the name of a column or table as DuckDB wants it quoted."""
    return '"' + name.replace('"', '""') + '"'


def complaint(names: str, message: str) -> str:
    """Make one sentence of what DuckDB says, with file and line where it knows them."""
    file, line = _FILE.search(message), _LINE.search(message)
    place = file[1] if file else names
    if line:
        place += f":{line[1]}"
    if counts := _COUNTS.search(message):
        return f"{place}: expected {counts[1]} values and found {counts[2]}."
    if "unicode" in message:
        return f"{place}: the line is not UTF-8 text."
    if "unterminated quote" in message:
        return f"{place}: a quote is opened and never closed."
    if message.startswith("Out of Memory"):
        return f"{place}: the memory given is too little for these records: raise memory_mb."
    return f"{place}: the records cannot be read: {message.splitlines()[0]}."


def _parquet(paths: Sequence[Path]) -> str:
    return f"read_parquet({_list(paths)})"


def _list(paths: Sequence[Path]) -> str:
    """Paths as DuckDB's list of texts; *, ? and [ in a name are themselves and no pattern."""
    names = (re.sub(r"[*?[]", r"[\g<0>]", str(path)) for path in paths)
    return "[" + ", ".join(_text(name) for name in names) + "]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _decoded(line: bytes, name: str) -> str:
    try:
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}:1: the line is not UTF-8 text; export it as UTF-8.") from error


def _is_packed(file: BinaryIO) -> bool:
    return isinstance(getattr(file, "raw", None), gzip.GzipFile)
