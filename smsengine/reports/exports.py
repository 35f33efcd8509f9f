"""Every row of a run as a table, for a spreadsheet or another program."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sqlalchemy import RowMapping

from smsengine.clock import VIETNAM
from smsengine.errors import UsageError
from smsengine.phone import mask
from smsengine.store import messages, skips
from smsengine.store.engine import Store

HEADER = (
    "row",
    "subject",
    "phone",
    "state",
    "code",
    "detail",
    "settled_at",
    "segments",
    "text",
)
#: What stands where personal data was; see store/purging.
PURGED = "(purged)"
#: What a spreadsheet takes for a formula. A phone or an amount with its sign is none.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![0-9.]+\Z)")
_Line = tuple[str, ...]


def lines(store: Store, run_id: int, *, full_phones: bool) -> Iterator[_Line]:
    """Messages first, then skipped rows; times in Vietnam, numbers masked unless asked for."""
    with store.read() as connection:
        with messages.stream(connection, run_id) as written:
            for row in written:
                yield _message(row, full_phones=full_phones)
        with skips.stream(connection, run_id) as skipped:
            for row in skipped:
                about = (str(row["row_number"]), row["subject"])
                detail = row["detail"] or PURGED
                yield (*about, "", "skipped", row["reason"], detail, "", "", "")


def _message(row: RowMapping, *, full_phones: bool) -> _Line:
    settled = row["settled_at"]
    return (
        str(row["row_number"]),
        row["subject"],
        row["address"] if full_phones else mask(row["address"]) if row["address"] else "",
        row["state"],
        row["code"] or "",
        row["detail"] or (f"told by message {row['carrier_id']}" if row["carrier_id"] else ""),
        settled.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S") if settled else "",
        str(row["segments"]),
        row["text"] or PURGED,
    )


def write(path: Path, rows: Iterable[_Line]) -> int:
    """Write a table as .csv or .xlsx, by the name's ending.

    Returns:
        How many lines were written.

    Raises:
        UsageError: another ending, or the file cannot be written.
    """
    writers: dict[str, Callable[[Path, Iterable[_Line]], int]] = {
        ".csv": _write_csv,
        ".xlsx": _write_xlsx,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"{path}: name a file that ends in .csv or .xlsx.")
    try:
        return writer(path, rows)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}).") from error


def _write_csv(path: Path, rows: Iterable[_Line]) -> int:
    written = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for written, row in enumerate(rows, start=1):  # noqa: B007 - the last number is the sum
            table.writerow([harmless(cell) for cell in row])
    return written


def harmless(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula becomes words; numbers stay numbers."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _write_xlsx(path: Path, rows: Iterable[_Line]) -> int:
    import xlsxwriter

    count = 0
    with path.open("wb") as file:
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False})
        sheet = book.add_worksheet("run")
        for column, name in enumerate(HEADER):
            sheet.write_string(0, column, name)
        for count, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                sheet.write_string(count, column, value)
        book.close()
    return count
