"""How fast the notices of offices are checked: ``python -m bench.checking [--offices 20]``.

A temporary installation holds the Centre's notices of this project and, for each office, 100
notices with templates, golden rows and small extracts. All are checked in one process, as
``smsengine jobs check`` does, with the extracts that they have.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import tempfile
import time
from pathlib import Path

from smsengine import provinces
from smsengine.clock import SystemClock
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import check_job

ROOT = Path(__file__).resolve().parent.parent
TARGET = 20.0
CONFIG = """\
database: sqlite:///ledger.db
data: data
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{from: 2019-01-01, per_segment: 850}]
offices:
"""
JOB = """\
title: Kết quả hồ sơ {topic}
topic: {topic}
schedule: {{day: 10, at: "08:00"}}
period: current-month
source: {{kind: csv, path: "n{number}-{{period}}.csv", numbers: vi}}
columns:
  office: {{from: ma_co_quan, type: code}}
  code: {{from: ma, type: code}}
  name: {{from: ten, type: text}}
  amount: {{from: so_tien, type: money}}
recipient: {{subject: code, office: office, phones: [dien_thoai]}}
golden:
  longest: {{office: "{office}", code: A1, name: Nguyễn Thị Ví Dụ Rất Dài, amount: "1"}}
  largest: {{office: "{office}", code: A1, name: An, amount: "9.999.999.999"}}
  negative: {{office: "{office}", code: A1, name: An, amount: "-1.000"}}
  zero: {{office: "{office}", code: A1, name: An, amount: "0"}}
expires: {year}-12-31
gateway: trial
guards: {{max_cost: 100.000}}
"""
WORDS = (
    "BHXH kính gửi {{{{ name }}}}: việc {topic} mang mã {{{{ code }}}},"
    " lệ phí {{{{ amount | money }}}} đồng."
)
EXTRACT = "ma_co_quan,ma,ten,so_tien,dien_thoai\n{office},A1,Nguyễn Ví Dụ,1000,0910000001\n"


def make(folder: Path, offices: int, each: int, year: int) -> None:
    """Write the installation."""
    for name in ("jobs", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "data").mkdir()
    codes = sorted({each.new_code for each in provinces.provinces().values()})[:offices]
    names = [f"{code}-office" for code in codes]
    lines = [f"  {name}: {{name: {name}, gateways: [trial], daily: 1000}}\n" for name in names]
    (folder / "config.yaml").write_text(CONFIG + "".join(lines))
    for name in names:
        for number in range(each):
            _notice(folder, name, number, year)


def _notice(folder: Path, name: str, number: int, year: int) -> None:
    jobs, templates = (folder / kind / "provinces" / name for kind in ("jobs", "templates"))
    jobs.mkdir(parents=True, exist_ok=True)
    templates.mkdir(parents=True, exist_ok=True)
    values = {"topic": f"{name}-n{number}", "number": number, "office": f"0{name[:2]}"}
    (jobs / f"n{number}.yaml").write_text(JOB.format(**values, year=year), encoding="utf-8")
    (templates / f"n{number}.j2").write_text(WORDS.format(**values), encoding="utf-8")
    extract = jobs / f"n{number}-{year - 1}-06.csv"
    extract.write_text(EXTRACT.format(**values), encoding="utf-8")


def check_all(folder: Path) -> tuple[int, int, float]:
    """Check every notice; returns how many there are, how many are at fault, and seconds."""
    began = time.perf_counter()
    engine = Engine(folder / "config.yaml")
    catalogue = engine.catalogue()
    checked = [check_job(engine, catalogue, path) for path in catalogue.paths]
    faulty = [each for each in checked if each.faults and "-office/" in each.name]
    for each in faulty[:1]:
        print(f"{each.name}: {each.faults[0]}")
    return len(checked), len(faulty), time.perf_counter() - began


def main() -> None:
    """Measure once, and say whether it is fast enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offices", type=int, default=20)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.offices, options.each, SystemClock().now().year + 1)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        notices, faulty, seconds = check_all(folder)
        profile.disable()
        if options.profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    verdict = "PASS" if seconds < TARGET and not faulty else "FAIL"
    print(
        f"{notices} notices checked in {seconds:.1f} s, {faulty} at fault;"
        f" target {TARGET:.0f} s: {verdict}"
    )


if __name__ == "__main__":
    main()
