"""How fast an extract becomes a sealed manifest: ``python -m bench.planning [--rows 700000]``.

Measured in child processes, each with its own peak memory:

* floor: csv module, one compiled sandboxed template, a translate table, a keyed hash and raw
  ``sqlite3.executemany`` of the same columns in chunks of 5,000, in one process;
* the planner with one process and with two, for 100,000 rows and for all;
* with ``--caps``, what withholding adds to the planner, on both databases;
* the planner into a ledger that already holds ``--months`` months of the same size.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smsengine.period import Period
from smsengine.service import samples
from smsengine.service.bootstrap import Engine
from smsengine.service.orders import order_for
from smsengine.store.messages import Draft
from smsengine.store.tables import messages, runs

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 5_000
KEY = b"k" * 32
CONFIG = """\
database: sqlite:///ledger.db
data: .
jobs: {root}/jobs
templates: {root}/templates
gateways:
  simulated:
    kind: simulated
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""


def make_folder(folder: Path, rows: int) -> None:
    """An installation with one extract."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.format(root=ROOT))
    samples.write_csv(folder / "c12-2019-06.csv", samples.C12_HEADER, samples.employers(rows))


def peak_memory(pid: int) -> int:
    """Resident KiB of a process and its children, now."""
    total = 0
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for each in (pid, *map(int, children.read_text().split())):
        try:
            status = Path(f"/proc/{each}/status").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0
        )
    return total


class MemoryWatch:
    """The largest sum of resident memory of this process and its helper."""

    def __enter__(self) -> MemoryWatch:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.peak = max(self.peak, peak_memory(os.getpid()))

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def run_planner(folder: Path, processes: int, period: str = "2019-06") -> dict[str, float]:
    """Plan once, into whatever ledger is there."""
    engine = Engine(folder / "config.yaml")
    loaded = engine.job("c12-statement")
    guards = loaded.job.guards.model_copy(update={"max_cost": 10**15})
    store = engine.store
    with MemoryWatch() as memory:
        started = time.perf_counter()
        order = replace(
            order_for(engine, loaded, Period.parse(period)), processes=processes, guards=guards
        )
        planned = engine.planner(store, lambda _rows: None).plan(order)
        seconds = time.perf_counter() - started
    assert planned.run is not None
    run = planned.run
    assert run.source_rows + run.extra_recipients == run.messages + run.skips
    return {"seconds": seconds, "rows": planned.rows_read, "mb": memory.peak / 1024}


def run_floor(folder: Path) -> dict[str, float]:
    """The bare path, without accounts, phones, proofs or seal."""
    template = (ROOT / "templates" / "c12-statement.j2").read_text()
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.filters["money"] = lambda value: f"{value:,}".replace(",", ".")
    environment.filters["mm_yyyy"] = lambda period: f"{period.month:02d}/{period.year}"
    render = environment.from_string(template).render
    table = {code: chr(code) for code in range(128)} | {
        ord(char): plain_of(char) for char in map(chr, range(0x80, 0x1F00)) if char.isalpha()
    }
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32768"):
        database.execute(f"PRAGMA {pragma}")
    columns = bare_table(database)
    period = Period.parse("2019-06")
    started = time.perf_counter()
    count = 0
    with (folder / "c12-2019-06.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        while chunk := list(islice(reader, CHUNK)):
            rows = [
                bare_row(row, count + at, period, render, table) for at, row in enumerate(chunk)
            ]
            count += len(chunk)
            database.execute("BEGIN IMMEDIATE")
            database.executemany(columns, rows)
            database.execute("COMMIT")
    return {"seconds": time.perf_counter() - started, "rows": count, "mb": 0}


def plain_of(char: str) -> str:
    """A letter without its marks."""
    bare = "".join(
        part for part in unicodedata.normalize("NFD", char) if not unicodedata.combining(part)
    )
    return {"đ": "d", "Đ": "D"}.get(char, bare)


def bare_table(database: sqlite3.Connection) -> str:
    """The columns that planning fills, with the unique key and nothing else."""
    filled = {*Draft._fields, "run_id", "place", "state", "due_at"} - {"template"}
    names = [column.name for column in messages.columns if column.name in filled]
    columns = f"id INTEGER PRIMARY KEY, {', '.join(names)}"
    database.execute(f"CREATE TABLE floor ({columns}, UNIQUE (dedup_key, revision))")
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO floor ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def bare_row(
    row: list[str], number: int, period: Period, render: Callable[..., str], table: dict[int, str]
) -> tuple[object, ...]:
    """One message, as bare as it can be."""
    text = render(
        unit_name=row[1],
        paid=int(row[4]),
        carried=int(row[5]),
        due=int(row[6]),
        office=row[7],
        period=period,
    ).translate(table)
    key = hashlib.blake2b(f"{row[0]}\x1f{row[8]}".encode(), key=KEY, digest_size=20).digest()
    digest = hashlib.blake2b(text.encode(), key=KEY, digest_size=16).digest()
    due = "2019-06-01 01:00:00.000000"
    return (1, number, number, key, 1, None, row[0], row[8], "", text, digest, 2, "queued", due)


def fill_months(folder: Path, months: int) -> None:
    """Plan one earlier month, and copy it: other run, other key prefix, everything delivered."""
    (folder / "c12-2019-05.csv").symlink_to(folder / "c12-2019-06.csv")
    child(run_planner, folder, 2, "2019-05")
    database = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    columns = [column.name for column in messages.columns if column.name != "id"]
    told = {
        "state": "'delivered'",
        "settled_at": "due_at",
        "run_id": ":month",
        "dedup_key": "CAST(:prefix || substr(dedup_key, 5) AS BLOB)",
    }
    picked = ", ".join(told.get(name, name) for name in columns)
    for month in range(2, months + 1):
        copy_run(database, month)
        database.execute(
            f"INSERT INTO messages ({', '.join(columns)})"
            f" SELECT {picked} FROM messages WHERE run_id = 1 ORDER BY id",
            {"month": month, "prefix": random.Random(month).randbytes(4)},
        )
    database.close()
    os.sync()


def copy_run(database: sqlite3.Connection, month: int) -> None:
    """A run like the first, of an earlier period."""
    names = [column.name for column in runs.columns]
    period = f"'20{17 - month // 12:02d}-{month % 12 + 1:02d}'"
    given = {"id": str(month), "period": period, "state": "'finished'"}
    picked = ", ".join(given.get(name, name) for name in names)
    database.execute(
        f"INSERT INTO runs ({', '.join(names)}) SELECT {picked} FROM runs WHERE id = 1"
    )


def child(target: Callable[..., dict[str, float]], *values: object) -> dict[str, float]:
    """Run a measurement in a fresh process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, target, values))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"a measurement ended with {process.exitcode}")
    return json.loads(receiver.recv())


def _report(
    pipe: object, target: Callable[..., dict[str, float]], values: tuple[object, ...]
) -> None:
    pipe.send(json.dumps(target(*values)))  # type: ignore[attr-defined]


def show(name: str, measured: dict[str, float], floor: dict[str, float] | None = None) -> float:
    """One line of the table; returns rows a second."""
    rate = measured["rows"] / measured["seconds"]
    ratio = f"{rate / (floor['rows'] / floor['seconds']):.2f}" if floor else ""
    memory = f"{measured['mb']:,.0f} MB" if measured["mb"] else ""
    print(
        f"{name:<44}{measured['rows']:>10,.0f}{measured['seconds']:>9.1f} s"
        f"{rate:>10,.0f}/s{ratio:>8}{memory:>10}",
        flush=True,
    )
    return rate


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=700_000)
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument(
        "--months", type=int, default=0, help="also plan into a ledger of so many months"
    )
    parser.add_argument(
        "--caps", action="store_true", help="only what withholding adds, on both databases"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="smsengine-bench-"))
    try:
        if options.caps:
            from bench.caps import measure_caps

            measure_caps(folder, options.rows)
        else:
            measure(folder, options)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """The table, and the judgement of the targets."""
    print(f"{os.cpu_count()} cores; rows, seconds, rows/s, ratio to the floor, resident memory")
    for name, rows in (("small", options.small), ("full", options.rows), ("two", options.rows)):
        make_folder(folder / name, rows)
    floor = child(run_floor, folder / "full")
    show("floor: bare path, one process", floor)
    small = child(run_planner, folder / "small", 1)
    show("planner, one process", small, floor)
    one = child(run_planner, folder / "full", 1)
    show("planner, one process", one, floor)
    two = child(run_planner, folder / "two", 2)
    show("planner, two processes", two, floor)
    verdict("one process at least 0.6 of the floor", floor["seconds"] / one["seconds"] >= 0.6)
    verdict("at least 20,000 rows/s on 2 cores", two["rows"] / two["seconds"] >= 20_000)
    verdict("under 300 MB", max(one["mb"], two["mb"]) < 300)
    verdict("flat from small to full", one["mb"] - small["mb"] < 30)
    if options.months:
        measure_months(folder, options, floor, two)


def measure_months(
    folder: Path, options: argparse.Namespace, floor: dict[str, float], empty: dict[str, float]
) -> None:
    """Planning with full dedup against a long ledger."""
    make_folder(folder / "long", options.rows)
    fill_months(folder / "long", options.months)
    full = child(run_planner, folder / "long", 2)
    show(f"planner, two processes, after {options.months} months", full, floor)
    verdict(
        "at most 1.3 times the cost of an empty ledger", full["seconds"] <= 1.3 * empty["seconds"]
    )


def verdict(what: str, good: bool) -> None:
    """One judged target."""
    print(f"{'PASS' if good else 'FAIL'}  {what}", flush=True)


if __name__ == "__main__":
    main()
