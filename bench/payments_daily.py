"""How long the daily tables take: ``python -m bench.payments_daily [--payments 100000]``.

Measured in child processes, each with its own peak memory: a book of one day is recorded; the
tables of all organisations are made, and delivered into a folder; the same for one organisation
that has all payments. ``--postgres URL`` measures on an empty PostgreSQL database instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from smsengine.payments.payment import Payment
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_delivering import Courier
from smsengine.service.daily_tables import DailyTables
from smsengine.service.paying import Paying
from smsengine.store.engine import Store

MAX_SECONDS, MAX_MB = 60, 300
AT_ONCE = 2_000
STAFF = 12
PAYMENT = Payment(
    organisation="",
    receipt="",
    name="Nguyễn Thị Minh Khai",
    insurance_number="0123456789",
    type="bhyt-hgd",
    amount=804_600,
    months=12,
    paid_on=date.today() - timedelta(days=1),  # noqa: DTZ011 - a day is enough
    phone="+84912345678",
    staff_name="Lê Thị Bình",
)


def code(number: int) -> str:
    return f"AR{number:04d}M"


def make_installation(folder: Path, organisations: int, database: str) -> None:
    lines = [
        f"    {code(each)}: {{name: UBND {each}, office: '00101'}}" for each in range(organisations)
    ]
    (folder / "config.yaml").write_text(
        f"database: {database}\n"
        "gateways:\n"
        "  trial: {kind: file, path: x.jsonl, prices: [{from: 2019-01-01, per_segment: 850}]}\n"
        "payments:\n  organisations:\n" + "\n".join(lines) + "\n",
        encoding="utf-8",
    )


def record(folder: Path, payments: int, organisations: int) -> None:
    engine = Engine(folder / "config.yaml")
    store = Store(engine.settings.database)
    engine.prepare(store)
    store.close()
    paying = Paying(engine)
    for start in range(0, payments, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, payments))
        paying.record([one(number, organisations) for number in numbers], "bench")


def one(number: int, organisations: int) -> Payment:
    return replace(
        PAYMENT,
        organisation=code(number % organisations),
        receipt=f"R{number}",
        amount=100_000 + number,
        staff=f"NVT{number % STAFF:012d}",
    )


def tables(folder: Path, payments: int) -> None:
    engine = Engine(folder / "config.yaml")
    daily = DailyTables(engine)
    courier = Courier(engine, daily)
    arrived = 0

    def bring(made, files) -> None:  # type: ignore[no-untyped-def]
        nonlocal arrived
        numbers = [each.id for each in made]
        arrived += courier.deliver_due(files=files, table_ids=numbers).arrived

    made = daily.make_all(engine.today - timedelta(days=1), then=bring)
    assert payments == sum(each.lines for each in made), "lines"
    assert sum(100_000 + number for number in range(payments)) == sum(each.amount for each in made)
    assert arrived == len(made), "deliveries"


def measured(step: str, folder: Path, *sizes: int) -> tuple[float, float, float]:
    """Seconds, peak MB and seconds of one core of a step in a process of its own."""
    command = [sys.executable, "-m", "bench.payments_daily", "--step", step, str(folder)]
    begun = time.perf_counter()
    done = subprocess.run([*command, *map(str, sizes)], check=True, capture_output=True)
    return time.perf_counter() - begun, *json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--organisations", type=int, default=3_000)
    parser.add_argument("--postgres", help="URL of an empty database; it is filled")
    parser.add_argument("--step", nargs="*")
    given = parser.parse_args()
    if given.step:
        name, folder, *sizes = given.step
        {"record": record, "tables": tables}[name](Path(folder), *map(int, sizes))
        print(
            json.dumps(
                [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time()]
            )
        )
        return
    is_fine = True
    for organisations in (given.organisations,) if given.postgres else (given.organisations, 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_installation(folder, organisations, given.postgres or "sqlite:///ledger.db")
            seconds, _megabytes, _core = measured("record", folder, given.payments, organisations)
            rate = given.payments / seconds
            print(f"{given.payments} payments recorded in {seconds:.1f} s ({rate:.0f}/s)")
            seconds, megabytes, core = measured("tables", folder, given.payments)
            print(
                f"tables of {organisations} organisations made and delivered in {seconds:.1f} s,"
                f" {core:.1f} s of a core, {megabytes:.0f} MB at most; {os.cpu_count()} cores, load"
                f" {os.getloadavg()[0]:.1f}"
            )
            is_fine = is_fine and seconds < MAX_SECONDS and megabytes < MAX_MB
    sys.exit(not is_fine)


if __name__ == "__main__":
    main()
