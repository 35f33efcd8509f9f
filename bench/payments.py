"""How fast payments are taken, coded and confirmed: ``python -m bench.payments [--rows 100000]``.

Measured in one process on SQLite: a CSV file is recorded (floor: csv module and one
``executemany`` of the same columns), the book is verified, payers are told (planned and released in
runs of 5,000, then handed to the simulated gateway), and codes are looked up.
"""

from __future__ import annotations

import argparse
import csv
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.planning import ROOT, show, verdict
from smsengine.service import sender
from smsengine.service.bootstrap import Engine
from smsengine.service.confirming import Confirmer
from smsengine.service.paying import Paying
from smsengine.service.roster import read_roster
from smsengine.store import runs
from smsengine.store.engine import Store

_HEADER = (
    *("maToChucDvt", "soBienLai", "hoTen", "maSoBhxh", "loaiDt", "soTien", "soThang"),
    *("ngayNopTien", "tuNgay", "denNgay", "soDienThoai", "maNhanVienThu", "tenNhanVienThu"),
)
_CONFIG = """\
database: sqlite:///ledger.db
data: .
jobs: {root}/jobs
templates: {root}/templates
gateways:
  simulated:
    kind: simulated
    prices: [{{from: 2019-01-01, per_segment: 850}}]
payments:
  organisations:
    AR0013M: {{name: UBND phường, office: "00101"}}
    IS0012M: {{name: Bưu điện, office: "00101"}}
"""
_LOOKUPS = 2_000


def _write(path: Path, rows: int, day: str) -> None:
    chance = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_HEADER)
        for number in range(rows):
            table.writerow(
                [
                    *(chance.choice(("AR0013M", "IS0012M")), f"BL{number:07}", "Trần Văn An"),
                    *(f"{chance.randrange(10**10):010}", "AR", 1_263_600, 12, day),
                    *("01/12/2026", "30/11/2027", f"09{chance.randrange(10**8):08}"),
                    *(f"NVT{number % 50:03}", "Lê Thị Bích"),
                ]
            )


def _floor(path: Path, folder: Path) -> float:
    started = time.perf_counter()
    with sqlite3.connect(folder / "floor.db") as database, path.open(encoding="utf-8") as file:
        marks = ", ".join("?" * len(_HEADER))
        database.execute(f"CREATE TABLE p ({', '.join(_HEADER)}, UNIQUE (maToChucDvt, soBienLai))")
        rows = csv.reader(file)
        next(rows)
        database.executemany(f"INSERT INTO p VALUES ({marks})", rows)
    return time.perf_counter() - started


def _timed(what: str, rows: int, do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    seconds = time.perf_counter() - started
    show(what, {"seconds": seconds, "rows": rows, "mb": 0})
    return seconds


def _confirm(engine: Engine) -> None:
    confirmer = Confirmer(engine, read_roster(engine).jobs, leads=lambda: True)
    while True:
        with engine.store.read() as connection:
            before = len(runs.newest(connection, limit=10_000))
        confirmer.look()
        with engine.store.read() as connection:
            if len(runs.newest(connection, limit=10_000)) == before:
                return


def _send(engine: Engine) -> None:
    with engine.store.read() as connection:
        waiting = list(runs.under_way(connection))
    for run in waiting:
        sender.send_run(engine, run, sender.Watch())


def measure(folder: Path, rows: int) -> None:
    """All of it, with the judgement."""
    (folder / "config.yaml").write_text(_CONFIG.format(root=ROOT), encoding="utf-8")
    engine = Engine(folder / "config.yaml")
    store = Store(engine.settings.database)
    engine.prepare(store)
    store.close()
    path = folder / "p.csv"
    _write(path, rows, f"{engine.today:%d/%m/%Y}")
    paying = Paying(engine)
    floor = _floor(path, folder)
    show("floor: csv and executemany", {"seconds": floor, "rows": rows, "mb": 0})
    taken = _timed(
        "recorded from a file",
        rows,
        lambda: paying.take_file(path, by="bench", tell=lambda _header, _bad: None),
    )
    _timed(
        "the same file again",
        rows,
        lambda: paying.take_file(path, by="bench", tell=lambda _header, _bad: None),
    )
    _timed("the book verified", rows, lambda: _require(paying.verify() == (rows, None)))
    _timed("planned for their payers", rows, lambda: _confirm(engine))
    _timed("handed to the simulated gateway", rows, lambda: _send(engine))
    seconds = _timed(
        "looked up",
        _LOOKUPS,
        lambda: [paying.look_up("MMK34-33JYW-WJP9K", "6789") for _ in range(_LOOKUPS)],
    )
    verdict(f"recorded {rows / taken:,.0f}/s from a file, at least 2,000", rows / taken >= 2_000)
    verdict(f"looked up in {seconds / _LOOKUPS * 1000:.2f} ms, under 5", seconds / _LOOKUPS < 0.005)
    print(f"recorded in {taken / floor:.1f} times the floor")


def _require(holds: bool) -> None:
    assert holds


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        measure(Path(made), given.rows)
