"""How long a lookup takes in a large book: ``python -m bench.payments_lookup [--minutes 10]``.

A book on SQLite is filled for so many minutes, or up to ``--count`` payments. Most rows are as wide
as real ones and hold rubbish; one in ten thousand is a real payment with its code, spread over the
whole book. They are written in the order of their hashes, which fills pages faster than time would,
and leaves the indexes as deep as they would be; a lookup still goes to any of them.

Measured are right answers, wrong digits and unknown codes, first with the file dropped from the
system's memory, then with what was read since. Prints PASS or FAIL for the target.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from smsengine.payments import codes
from smsengine.payments.payment import Payment
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.store.payments import Entry

SLOWEST_SECONDS = 0.005
WHOLE = 20_000_000
REAL = 10_000
ORGANISATION = "AR0013M"
COLUMNS = [*Entry._fields, "chain"]


def installation(folder: Path) -> Paying:
    organisation = {"name": "UBND phường Điện Biên", "office": "00101"}
    prices = [{"from": "2024-01-01", "per_segment": 850}]
    config = {
        "gateways": {"trial": {"kind": "simulated", "path": "out.txt", "prices": prices}},
        "payments": {"organisations": {ORGANISATION: organisation}},
    }
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    engine = Engine(folder / "config.yaml")
    assert engine.store is not None
    return Paying(engine)


class Rows:
    """The rows of a book of ``whole`` payments, and the codes of the real ones."""

    def __init__(self, paying: Paying, whole: int) -> None:
        self._safe, self._step = paying.safe, 2**128 // whole
        self._begin = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=3 * 365)
        self._between = timedelta(days=3 * 365) / whole
        self.codes: list[str] = []

    def next(self, first: int, count: int) -> Iterator[tuple[object, ...]]:
        for number in range(first, first + count):
            yield self._row(number)

    def _row(self, number: int) -> tuple[object, ...]:
        at = self._begin + self._between * number
        day = at.date()
        head = (number, ORGANISATION, f"BL-{number:09}", 1, "payment", None, "", "bhyt-hgd")
        paid = (804_600, 12, day.isoformat(), "00101")
        recorded = (at.isoformat(" ", "microseconds"), "api AR0013M 12345678", _HASH)
        sums = self._sums(number) if number % REAL else self._real(f"BL-{number:09}", day)
        return (*head, *paid, *recorded, *sums, random.randbytes(32))

    def _sums(self, number: int) -> tuple[object, ...]:
        """Rubbish as wide as what a real payment has."""
        rubbish = random.randbytes(24)
        hash_ = (number * self._step).to_bytes(16, "big")
        return hash_, rubbish[:8], rubbish[8:16], rubbish[16:], _RUBBISH

    def _real(self, receipt: str, day: date) -> tuple[object, ...]:
        payment = Payment(
            organisation=ORGANISATION,
            receipt=receipt,
            name="Trần Văn An",
            insurance_number="0123456789",
            type="bhyt-hgd",
            amount=804_600,
            months=12,
            paid_on=day,
            staff="NVT000000000001",
            staff_name="Nguyễn Thị Bình",
        )
        code, safe = codes.make(secrets.randbelow), self._safe
        self.codes.append(code)
        tails = safe.tail(code, payment.insurance_number), None, safe.staff_hash(payment.staff)
        return (safe.code_hash(code), *tails, safe.seal(payment, code))


_RUBBISH, _HASH = os.urandom(240), os.urandom(16)


def fill(file: Path, rows: Rows, whole: int, until: float) -> int:
    """Write rows until the time is over; how many there are."""
    into = f"INSERT INTO payments ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-1000000")
    count, some = 0, 100_000
    while count < whole and time.monotonic() < until:
        connection.execute("BEGIN")
        connection.executemany(into, rows.next(count + 1, min(some, whole - count)))
        connection.execute("COMMIT")
        count += min(some, whole - count)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return count


def forget(file: Path) -> None:
    """Drop a file from the system's memory."""
    number = os.open(file, os.O_RDONLY)
    os.fsync(number)
    os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(number)


def measure(paying: Paying, known: list[str], what: str) -> None:
    """Look up each of some codes, with right and with wrong digits, and codes that nobody has."""
    asked = [
        ("found", [(code, "6789") for code in known], True),
        ("wrong digits", [(code, "0000") for code in known], False),
        ("unknown code", [(codes.make(secrets.randbelow), "6789") for _ in known], False),
    ]
    for name, questions, is_there in asked:
        waits = []
        for code, digits in questions:
            began = time.perf_counter()
            shown = paying.look_up(code, digits)
            waits.append(time.perf_counter() - began)
            assert (shown is not None) is is_there
        waits.sort()
        middle, late = statistics.median(waits), waits[len(waits) * 99 // 100]
        print(
            f"{'PASS' if middle <= SLOWEST_SECONDS else 'FAIL'} {what}, {name}: median"
            f" {middle * 1000:.2f} ms, 99 of 100 within {late * 1000:.2f} ms, slowest"
            f" {waits[-1] * 1000:.1f} ms of {len(waits)} (median at most"
            f" {SLOWEST_SECONDS * 1000:.0f})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=WHOLE)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paying, file = installation(folder), folder / "smsengine.db"
        rows, began = Rows(paying, given.count), time.monotonic()
        count = fill(file, rows, given.count, began + given.minutes * 60)
        print(
            f"{count:,} payments in {time.monotonic() - began:.0f} s,"
            f" {file.stat().st_size / 1e9:.1f} GB, {len(rows.codes):,} of them real",
            flush=True,
        )
        known = random.sample(rows.codes, min(1000, len(rows.codes)))
        forget(file)
        paying.look_up(codes.make(secrets.randbelow), "0000")  # the first one reads the schema
        measure(paying, known, "from the disk")
        measure(paying, known, "from memory")


if __name__ == "__main__":
    main()
