"""A town whose people pay collectors, and what the fund says that it got; for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from smsengine.clock import VIETNAM, ManualClock
from smsengine.payments import codes
from smsengine.payments.cross_report import Finding, Table
from smsengine.service.bootstrap import Engine
from smsengine.service.cross_checking import CrossCheck, Matched
from smsengine.service.paying import Paying
from smsengine.store.all_tables import metadata
from smsengine.store.engine import Store
from tests.conftest import execute
from tests.payers import PAID as ANY_PAID

PRICE = 804_600
#: A Tuesday; 2026 is a year whose holidays are known.
DAY = date(2026, 11, 24)
CONFIG = """\
database: {url}
gateways:
  trial:
    kind: file
    path: trial.jsonl
    prices: [{{from: 2019-01-01, per_segment: 850}}]
payments:
  organisations:
    AR0013M: {{name: UBND phường Điện Biên, office: "00101", also: [AR0099M]}}
    BI0007M: {{name: Bưu điện Hà Nội, office: "00102"}}
  cross_check: {check}
"""
PAID = replace(
    ANY_PAID, amount=PRICE, paid_on=DAY, staff="NVT001099000123", staff_name="Lê Thị Bưởi"
)


def hour(day: date, at: str) -> datetime:
    """An hour of a day in Vietnam."""
    return datetime.fromisoformat(f"{day}T{at}").replace(tzinfo=VIETNAM)


class Town:
    """One installation on a ledger, with a clock that stands."""

    def __init__(self, store: Store, folder: Path, *, check: str = "{}") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.clock = folder, ManualClock(hour(DAY, "09:00"))
        url = store.engine.url.render_as_string(hide_password=False)
        (folder / "config.yaml").write_text(CONFIG.format(url=url, check=check), encoding="utf-8")
        (folder / "smsengine.key").write_text("a key for tests, no secret, long enough\n")
        self.engine = Engine(folder / "config.yaml", clock=self.clock)
        self.paying, self.check = Paying(self.engine), CrossCheck(self.engine)
        self._files = count(1)

    def close(self) -> None:
        self.engine.store.close()

    def at(self, day: date, at: str) -> None:
        """Move the clock there."""
        self.clock.sleep((hour(day, at) - self.clock.now()).total_seconds())

    def pay(self, receipt: str = "BL1", **changes: Any) -> str:
        """Record a payment; returns its code as it is stored."""
        (result,) = self.paying.record([replace(PAID, receipt=receipt, **changes)], "lan")
        assert not result.refused
        return result.code

    def correct(self, receipt: str = "BL1", **changes: Any) -> str:
        payment = replace(PAID, receipt=receipt, **changes)
        return self.paying.correct(payment, reason="mistyped", by="lan").code

    def cancel(self, receipt: str = "BL1") -> None:
        self.paying.cancel("AR0013M", receipt, reason="wrong person", by="lan")

    def file(self, *rows: Iterable[object], name: str = "") -> Path:
        """A ledger of the fund: day, amount, text, reference."""
        path = self.folder / (name or f"fund-{next(self._files)}.csv")
        lines = ["ngayGiaoDich,soTien,noiDung,soThamChieu"]
        lines += [",".join(f'"{cell}"' for cell in row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def fund(self, *rows: Iterable[object]) -> Matched:
        """The fund's file comes with these rows, and is matched."""
        self.check.take(self.file(*rows), by="lan")
        return self.check.match()

    def findings(self, day: date = DAY) -> list[Finding]:
        return list(self.check.findings(day))

    def kinds(self, day: date = DAY) -> list[tuple[str, str]]:
        """What is said of which receipt."""
        return [(found.receipt, found.kind.value) for found in self.findings(day)]

    def table(self, first: date = DAY, last: date = DAY) -> Table:
        return self.check.table(first, last)

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query on the ledger gives."""
        with self.engine.store.read() as connection:
            return [tuple(line) for line in execute(connection, sql, *values)]

    def empty(self) -> None:
        """Take everything out that has to do with payments."""
        names = ("payment_matches", "fund_queue", "fund_lines", "fund_files", "payment_queue")
        with self.engine.store.write() as connection:
            for name in (*names, "payments"):
                connection.execute(metadata.tables[name].delete())


def line(
    code: str, amount: int = PRICE, day: date = DAY, reference: str = ""
) -> tuple[object, ...]:
    """A row of the fund's file that names a code as people write it."""
    return (day, amount, f"nop tien {codes.shown(code)} cam on", reference)
