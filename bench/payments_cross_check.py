"""Comparing payments with what the fund got: ``python -m bench.payments_cross_check``.

A hundred thousand payments of 3,000 organisations in the book, nine of ten at one of two prices,
and as many lines of the fund: those name their code in a text that is broken by a line end, the
others name their organisation or nothing. Taken, matched and reported on SQLite and PostgreSQL,
each step in a process of its own, so that what it needs of memory is its own.

Prints PASS or FAIL: the sums tie to the đồng, no line and no payment is matched twice, and no step
takes more memory with all payments than with a tenth of them, and 64 MiB.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from smsengine.clock import VIETNAM
from smsengine.payments import codes, cross_sheet
from smsengine.payments.payment import Payment
from smsengine.service.bootstrap import Engine
from smsengine.service.cross_checking import CrossCheck
from smsengine.service.paying import Paying
from smsengine.store.payment_tables import fund_lines, fund_queue, payment_matches
from smsengine.store.payments import stream
from tests.postgres import Server

ORGANISATIONS = 3_000
PRICES = (804_600, 1_263_600)
BATCH = 1_000
MOST_MORE = 64 << 20
FIRST = datetime.now(VIETNAM).date() - timedelta(days=45)
LAST = FIRST + timedelta(days=30)
STEPS = ("take", "match", "again", "day", "month")


def write_config(folder: Path, url: str) -> None:
    organisations = "\n".join(
        f"    AR{number:04d}M: {{name: To chuc {number}, office: '00101'}}"
        for number in range(ORGANISATIONS)
    )
    (folder / "config.yaml").write_text(
        f"database: {url}\ngateways:\n  trial:\n    kind: file\n    path: trial.jsonl\n"
        "    prices: [{from: 2019-01-01, per_segment: 850}]\n"
        f"payments:\n  organisations:\n{organisations}\n",
        encoding="utf-8",
    )


def price(number: int) -> int:
    """Where no code is named the amount must tell."""
    return 500_000 + number if (number + 1) % 10 == 0 else PRICES[number % 2]


def payment(number: int) -> Payment:
    who = number % ORGANISATIONS
    return Payment(
        organisation=f"AR{who:04d}M",
        receipt=f"BL{number}",
        name="Trần Văn An",
        insurance_number=f"{number:010d}",
        type="bhyt-hgd",
        amount=price(number),
        months=12,
        paid_on=FIRST + timedelta(days=number % 31),
        staff=f"NVT{who:012d}",
        staff_name="Lê Thị Bưởi",
    )


def fill(folder: Path, count: int) -> None:
    """The book, and the fund's file: one payment of a thousand is kept."""
    engine = Engine(folder / "config.yaml")
    store = engine.store
    paying = Paying(engine)
    for start in range(0, count, BATCH):
        paying.record([payment(number) for number in range(start, start + BATCH)], "bench")
    path = folder / "fund.csv"
    with (
        store.read() as connection,
        stream(connection) as rows,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(("ngayGiaoDich", "soTien", "noiDung", "soThamChieu"))
        for entry, _ in rows:
            if entry.id % 1_000 == 0:
                continue
            code = codes.shown(paying.safe.open(entry.sealed).code)
            memo = f"NOP TIEN BHYT {code[:8]}\n{code[8:]} TRAN VAN AN"
            if entry.id % 10 == 0:
                memo = entry.organisation if entry.id % 20 else "nop tien"
            day = entry.paid_on + timedelta(days=1)
            table.writerow((f"{day:%d/%m/%Y}", entry.amount, memo, f"FT{entry.id}"))
    store.close()


def step(folder: Path, name: str) -> dict[str, object]:
    """One step in this process: seconds, the peak of its memory, and what came of it."""
    engine = Engine(folder / "config.yaml")
    engine.store.close()
    check = CrossCheck(engine)

    def report() -> object:
        cross_sheet.write(
            folder / "day.xlsx",
            check.table(LAST, LAST),
            title="bench",
            findings=check.findings(LAST),
            strays=check.strays(LAST + timedelta(days=1)),
        )
        return None

    does: dict[str, Callable[[], object]] = {
        "take": lambda: vars(check.take(folder / "fund.csv", by="bench")),
        "match": lambda: vars(check.match()),
        "day": report,
        "month": lambda: vars(check.table(FIRST, LAST).total),
        "again": lambda: vars(check.match()),
    }
    began = time.perf_counter()
    said = does[name]()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak": peak(), "said": said}


def peak() -> int:
    """The most memory that this process had, in bytes; rusage counts its parent's, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def child(folder: Path, name: str) -> dict[str, object]:
    command = [sys.executable, "-m", "bench.payments_cross_check", "--step", name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(name: str, folder: Path, url: str, count: int) -> dict[str, int]:
    """All steps; the peaks of their memory."""
    folder.mkdir()
    write_config(folder, url)
    if not url.startswith("sqlite"):  # a ledger in a file makes its own
        (folder / "smsengine.key").write_text("a key for measuring, no secret at all\n")
    began = time.perf_counter()
    fill(folder, count)
    print(f"{name}: {count:,} payments recorded in {time.perf_counter() - began:.1f} s")
    peaks = {}
    for each in STEPS:
        found = child(folder, each)
        peaks[each] = int(str(found["peak"]))
        rate = count / float(str(found["seconds"]))
        print(
            f"{name}: {each}: {float(str(found['seconds'])):.1f} s, {rate:,.0f}/s,"
            f" {peaks[each] >> 20} MiB, {found['said']}"
        )
    prove(name, folder, count)
    return peaks


def verdict(said: str, is_good: bool) -> None:
    print(f"{'PASS' if is_good else 'FAIL'} {said}")


def prove(name: str, folder: Path, count: int) -> None:
    """What the tables say must be what the reports say."""
    engine = Engine(folder / "config.yaml")
    total = CrossCheck(engine).table(FIRST, LAST).total
    with engine.store.read() as connection:
        came = connection.execute(select(func.sum(fund_lines.c.amount))).scalar_one()
        unknown = connection.execute(
            select(func.coalesce(func.sum(fund_lines.c.amount), 0)).join_from(
                fund_queue, fund_lines
            )
        ).scalar_one()
        lines, made = connection.execute(
            select(func.count(func.distinct(payment_matches.c.line_id)), func.count()).select_from(
                payment_matches
            )
        ).one()
    engine.store.close()
    paid = sum(price(number) for number in range(count))
    verdict(f"{name}: paid {total.paid:,} = remitted + open", total.paid == paid)
    verdict(f"{name}: {total.remitted + total.open:,} is that", total.remitted + total.open == paid)
    ties = total.remitted + total.excess + unknown == came
    verdict(f"{name}: the fund's {came:,} = remitted + excess + unknown", ties)
    verdict(f"{name}: {made:,} matches, no line twice", lines == made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--step")
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(step(given.folder, given.step), default=str))
        return
    with tempfile.TemporaryDirectory() as temporary:
        server = Server(durable=True)
        try:
            for name in ("SQLite", "PostgreSQL"):
                peaks = []
                for count in (given.payments // 10, given.payments):
                    url = "sqlite:///ledger.db" if name == "SQLite" else server.create_database()
                    peaks.append(measure(name, Path(temporary) / f"{name}-{count}", url, count))
                for each in STEPS:
                    more = peaks[1][each] - peaks[0][each]
                    said = f"{name}: {each} takes {more >> 20} MiB more for ten times the payments"
                    verdict(said, more <= MOST_MORE)
        finally:
            server.close()


if __name__ == "__main__":
    main()
