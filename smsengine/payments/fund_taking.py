"""A file of the fund: all of it is written, each line once, or nothing."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from smsengine.config.cross_check import FundFiles
from smsengine.errors import SourceError
from smsengine.payments.fund_line import FundLine
from smsengine.payments.fund_safe import FundSafe
from smsengine.sources.base import Source
from smsengine.sources.csv_file import CsvFile
from smsengine.sources.mt940_file import Mt940File
from smsengine.sources.xlsx_file import XlsxFile
from smsengine.store import fund
from smsengine.store.fund import NewLine

_CHUNK = 1_000
_BYTES = 1 << 20
_STATEMENTS = frozenset({".sta", ".mt940", ".940"})


@dataclass(kw_only=True)
class FundTaken:
    """What came of a file. ``amount`` is the sum of its new lines in đồng.

    ``passed_over`` counts amounts that went out and not in.
    """

    new: int = 0
    known: int = 0
    amount: int = 0
    passed_over: int = 0


def source_of(path: Path, files: FundFiles) -> Source:
    """Open a file by its ending.

    Raises:
        SourceError: nothing of that kind is read.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return CsvFile(path, encoding=files.encoding, delimiter=files.delimiter)
    if suffix == ".xlsx":
        return XlsxFile(path, sheet=files.sheet, header_row=files.header_row)
    if suffix in _STATEMENTS:
        return Mt940File(path)
    endings = ", ".join((".csv", ".xlsx", *sorted(_STATEMENTS)))
    raise SourceError(f"{path}: a file of the fund ends in {endings}.")


def digest_of(path: Path) -> bytes:
    """A hash of a file's bytes; a text that ends within a line is refused.

    Raises:
        SourceError: it cannot be read, or may have been cut off.
    """
    digest, last = hashlib.sha256(), b""
    try:
        with path.open("rb") as file:
            while piece := file.read(_BYTES):
                digest.update(piece)
                last = piece[-1:]
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error
    if path.suffix.lower() == ".csv" and last not in (b"\n", b"\r", b"\0", b""):
        raise SourceError(
            f"{path}: its last line has no end, so it may have been cut off; export it anew, or end"
            " the line. Nothing was taken."
        )
    return digest.digest()


class Prepared:
    """The lines of a file, read to its end, sealed and laid aside: the ledger is not kept waiting.

    Two lines that say the same, with the bank's own reference, are one; without a reference they
    are two, and the same two when the file, or another one with them, comes again.
    """

    def __init__(self, path: Path, lines: Iterable[FundLine], safe: FundSafe) -> None:
        """Read.

        Args:
            path: the file.
            lines: all of its lines, not read yet.
            safe: seals what is private.

        Raises:
            SourceError: one is broken, or the file changed while it was read.
        """
        digest = digest_of(path)
        self.content_hash, self.count = safe.file_hash(digest), 0
        self._spool = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - closed below
        try:
            for row in _rows(lines, safe):
                self._spool.write(_laid_aside(row))
                self.count += 1
            if digest_of(path) != digest:
                raise SourceError(f"{path}: has changed while it was read; nothing was taken.")
        except BaseException:
            self._spool.close()
            raise

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._spool.close()

    def rows(self) -> Iterator[NewLine]:
        """What was laid aside, in its order."""
        self._spool.seek(0)
        for text in self._spool:
            place, content, day, amount, organisation, hashes, sealed = json.loads(text)
            yield NewLine(
                place=place,
                content_hash=bytes.fromhex(content),
                day=date.fromisoformat(day),
                amount=amount,
                organisation=organisation,
                code_hashes=bytes.fromhex(hashes),
                sealed=bytes.fromhex(sealed),
            )


def take(connection: Connection, prepared: Prepared, *, by: str, now: datetime) -> FundTaken:
    """Write the lines of a file that are not known yet.

    Args:
        connection: of a transaction that has the fund's lines.
        prepared: all of them.
        by: who hands the file in.
        now: when (UTC).
    """
    if fund.file_id(connection, prepared.content_hash) is not None:
        return FundTaken(known=prepared.count)
    number = fund.add_file(connection, prepared.content_hash, lines=prepared.count, by=by, now=now)
    taken, rows = FundTaken(), prepared.rows()
    while chunk := list(islice(rows, _CHUNK)):
        new = fund.add_lines(connection, number, list({each[1]: each for each in chunk}.values()))
        taken.new += len(new)
        taken.known += len(chunk) - len(new)
        taken.amount += sum(each.amount for each in new)
    fund.count_added(connection, number, added=taken.new)
    return taken


def _laid_aside(row: NewLine) -> str:
    values = (value.hex() if isinstance(value, bytes) else value for value in row)
    return json.dumps([*values], default=str) + "\n"


def _rows(lines: Iterable[FundLine], safe: FundSafe) -> Iterator[NewLine]:
    seen: dict[bytes, int] = {}
    for line in lines:
        content = safe.content_hash(line, 1)
        if not line.reference:
            nth = seen[content] = seen.get(content, 0) + 1
            content = content if nth == 1 else safe.content_hash(line, nth)
        yield NewLine(
            place=line.place,
            content_hash=content,
            day=line.day,
            amount=line.amount,
            organisation=line.organisation,
            code_hashes=safe.code_hashes(line),
            sealed=safe.seal(line),
        )
