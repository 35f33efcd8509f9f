"""Measure the facility figures over generated visit records: seconds and memory, against a floor.

    python -m bench.figures [--records 15000000]

The records lie in files: CSV, packed CSV and Parquet. Each measurement is a process of its own, so
that its peak of resident memory is its own. The floor reads the same columns of the same file in
the same run and counts the visits, nothing more. The sums are compared with those that the
generator knows without grouping anything.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import column, func, select, table

from smsengine.notices import facility
from smsengine.sources.grouped import GroupedFiles
from smsengine.workdays import Workdays

FACILITIES = 12_800
#: Of a hundred records so many are a second version of a visit; of a hundred visits so many late.
RESENT, LATE = 3, 28
MAX_SECONDS, MAX_MB = 90, 1000
FILES = ("records.csv", "records.csv.gz", "records.parquet")
#: A few facilities send most visits: the facility is the cube of an even number.
VISITS = """
    SELECT visit, again, salt % 100 < {late} AS late, discharged,
           CAST(12800 * power(salt // 100 % 1000003 / 1000003.0, 3) AS INTEGER) % {facilities}
               AS facility,
           salt // 7 % 500000000 + CASE WHEN again THEN 100000 ELSE 0 END AS hundredths
    FROM (
        SELECT visit, again, hash(visit + {seed}) AS salt,
               TIMESTAMP '2019-04-01'
                   + to_minutes(CAST(hash(visit + {seed} + 1) % 43200 AS INTEGER)) AS discharged
        FROM (
            SELECT i >= {visits} AS again, CASE WHEN i < {visits} THEN i
                   ELSE (i - {visits}) * {step} END AS visit
            FROM range({records}) AS numbers(i)
        )
    )
"""
RECORDS = """
    SELECT printf('V%015d', visit) AS MA_LK, printf('%05d', facility) AS MA_CSKCB,
           strftime(discharged, '%Y%m%d%H%M') AS NGAY_RA, '04' AS THANG_QT, '2019' AS NAM_QT,
           printf('%d.%02d', hundredths // 100, hundredths % 100) AS T_BHTT,
           strftime(
               CASE WHEN again THEN discharged + INTERVAL 20 DAY
                    WHEN late THEN discharged + INTERVAL 12 DAY
                    ELSE date_trunc('day', discharged) + INTERVAL 86399 SECOND END,
               '%Y%m%d%H%M%S') AS THOI_GIAN_TIEP_NHAN,
           printf('K%02d', visit % 50) AS MA_KHOA
    FROM visits
"""
TOTALS = """
    SELECT count(*) FILTER (NOT again) AS visits,
           sum(hundredths) FILTER (NOT again)
               + 100000 * count(*) FILTER (again) AS hundredths,
           count(*) FILTER (NOT again AND NOT late) AS on_time
    FROM visits
"""


def generate(folder: Path, records: int, seed: int) -> dict[str, int]:
    """Write the files and return the sums that the figures must come to."""
    import duckdb

    visits = records * (100 - RESENT) // 100
    step = max(1, visits // max(1, records - visits) - 1)
    made = VISITS.format(
        seed=seed, records=records, visits=visits, step=step, late=LATE, facilities=FACILITIES
    )
    connection = duckdb.connect(config={"preserve_insertion_order": False, "threads": 2})
    connection.execute(f"CREATE VIEW visits AS {made}")
    first, *others = (folder / name for name in reversed(FILES))
    connection.execute(f"COPY ({RECORDS}) TO '{first}'")
    for path in others:
        connection.execute(f"COPY (FROM '{first}') TO '{path}' (HEADER)")
    row = connection.execute(TOTALS).fetchone()
    return dict(zip(("visits", "hundredths", "on_time"), map(int, row), strict=True))


def measure_figures(path: Path) -> dict[str, int]:
    """Run the real thing once and add up what it gives."""
    rule = facility.Rule(year=2019, month=4)
    source = GroupedFiles([path], facility.statement(rule, Workdays()))
    sums = {"visits": 0, "hundredths": 0, "on_time": 0}
    rows = 0
    for row in source.rows():
        rows += 1
        for name, value in zip(sums, row.values[1:4], strict=True):
            sums[name] += int(value)
    return sums | {"facilities": rows}


def measure_floor(path: Path) -> dict[str, int]:
    """Read the same columns and count the visits."""
    names = list(vars(facility.Columns()).values())
    records = table("records", *(column(name) for name in names))
    lengths = [func.sum(func.length(records.c[name])) for name in names]
    keys = select(records.c.MA_CSKCB, records.c.MA_LK).distinct().subquery()
    visits = select(func.count()).select_from(keys).scalar_subquery()
    (row,) = GroupedFiles([path], select(visits, *lengths)).rows()
    return {"visits": int(row.values[0])}


def child(what: str, path: Path) -> None:
    """Measure once in this process and print the result as JSON."""
    start = time.perf_counter()
    found = {"figures": measure_figures, "floor": measure_floor}[what](path)
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found |= {"seconds": seconds, "peak_mb": int(peak.split()[1]) / 1024}
    print(json.dumps(found | {"cpu": usage.ru_utime + usage.ru_stime}))


def run(what: str, path: Path) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "bench.figures", "--child", what, str(path)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def report(path: Path, known: dict[str, int]) -> bool:
    """Print one line of the table; say whether the targets are met and the sums are right."""
    floor, found = run("floor", path), run("figures", path)
    right = all(known[name] == found[name] for name in known)
    quick = found["seconds"] < MAX_SECONDS and found["peak_mb"] < MAX_MB
    verdict = "PASS" if right and quick else "FAIL"
    print(
        f"{path.name:16}{path.stat().st_size / 1e6:9.0f}{floor['seconds']:9.1f}"
        f"{found['seconds']:9.1f}{found['seconds'] / floor['seconds']:8.1f}{found['cpu']:8.0f}"
        f"{floor['peak_mb']:10.0f}{found['peak_mb']:9.0f}   {'right' if right else 'WRONG'}"
        f"  {verdict}",
        flush=True,
    )
    return right and quick


def main() -> int:
    """Generate, measure, print; the exit code is 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=15_000_000)
    parser.add_argument("--seed", type=int, default=48)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="smsengine-bench-") as folder:
        start = time.perf_counter()
        known = generate(Path(folder), options.records, options.seed)
        print(f"{options.records:,} records, {known['visits']:,} visits, {RESENT} % sent again;")
        print(f"generated in {time.perf_counter() - start:.0f} s; targets: {MAX_SECONDS} s and ")
        print(f"{MAX_MB} MB of resident memory for 15,000,000 records on 2 cores\n")
        print(
            "file                   MB  floor s  seconds   ratio   cpu s  floor MB  peak MB   sums"
        )
        passed = [report(Path(folder, name), known) for name in FILES]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
