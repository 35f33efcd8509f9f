"""Real processes on a small installation of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from smsengine.service import samples
from smsengine.service.bootstrap import Engine
from smsengine.store.engine import Store
from tests.doubles.http_gateway import Double
from tests.flow.daemons import Site
from tests.flow.sheets import Sheet
from tests.flow.worlds import World
from tests.flow.zygote import Victims

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
database: sqlite:///ledger.db
data: data
jobs: jobs
templates: templates
offices:
  01-hanoi: {{name: BHXH Hà Nội, gateways: [simulated], daily: 1000, trial: ["0900000009"]}}
people:
  an: {{office: 01-hanoi, may: [submit], accounts: [any]}}
  binh: {{office: central, may: [approve], accounts: [any]}}
gateways:
  simulated:
    kind: simulated
    refused: 2%
    undelivered: 3%
    silent: 2%
    batch: {batch}
    latency_ms: {latency}
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""


OF_A_WORLD = ("connections", "speed", "seed", "flights")


@dataclass
class Office:
    """An installation in a folder, and what its commands say."""

    folder: Path
    victims: Victims
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def write_employers(self, count: int, period: str = samples.C12_PERIOD) -> None:
        path = self.folder / "data" / f"c12-{period}.csv"
        samples.write_csv(path, samples.C12_HEADER, samples.employers(count))

    def extract(self, period: str = samples.C12_PERIOD) -> list[str]:
        path = self.folder / "data" / f"c12-{period}.csv"
        return path.read_text(encoding="utf-8").splitlines()

    def write_extract(self, lines: list[str], period: str = samples.C12_PERIOD) -> None:
        path = self.folder / "data" / f"c12-{period}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command as a person starts it, to be watched, signalled or killed."""
        process = subprocess.Popen(
            [sys.executable, "-m", "smsengine", *words, "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )
        self.running.append(process)
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command from its start to its end, forked where all that it imports is loaded."""
        done = self.victims.type([*words, "--config", str(self.config)], self.folder)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *words: str) -> list[dict[str, object]]:
        done = self.run(*words, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "ledger.db")) as database:
            return database.execute(sql).fetchall()

    def ledger(self) -> list[tuple[object, ...]]:
        """All that a run leaves behind, without times and names of processes."""
        return [
            *self.rows(
                "SELECT r.job, r.period, r.revision, r.kind, r.state, r.manifest_hash FROM runs r"
                " ORDER BY r.job, r.period, r.revision"
            ),
            *self.rows(
                "SELECT m.place, m.row_number, m.subject, m.address, m.text, m.segments, m.state,"
                " m.gateway_id FROM messages m ORDER BY m.run_id, m.place"
            ),
            *self.rows("SELECT row_number, subject, reason, detail FROM skips ORDER BY 1, 2, 3, 4"),
        ]

    def delivered(self) -> list[str]:
        """What the gateway's own books say it took."""
        path = self.folder / "simulated.jsonl"
        if not path.exists():
            return []
        return [json.loads(line)["reference"] for line in path.read_text().splitlines()]


@pytest.fixture
def make_office(tmp_path: Path, victims: Victims) -> Iterator[Callable[..., Office]]:
    """Makes installations; what still runs at the end is killed."""
    made: list[Office] = []

    def make(name: str = "office", *, batch: int = 200, latency: int = 0) -> Office:
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        shutil.copytree(ROOT / "jobs", folder / "jobs")
        shutil.copytree(ROOT / "templates", folder / "templates")
        (folder / "config.yaml").write_text(CONFIG.format(batch=batch, latency=latency))
        # One key for all, so that a message has the same name and fate in each installation.
        (folder / "smsengine.key").write_text("a" * 64)
        made.append(Office(folder, victims))
        engine = Engine(folder / "config.yaml")
        store = Store(engine.settings.database)
        engine.prepare(store)
        store.close()
        return made[-1]

    yield make
    for office in made:
        for process in office.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def office(make_office: Callable[..., Office]) -> Office:
    """One installation with sixty employers."""
    made = make_office()
    made.write_employers(60)
    return made


@pytest.fixture
def make_site(tmp_path: Path, victims: Victims) -> Iterator[Callable[..., Site]]:
    """Makes installations with a vendor of their own, or that share another one's."""
    made: list[Site] = []
    doubles: list[Double] = []

    def make(database: str = "", *, double: Double | None = None, rate: str = "") -> Site:
        folder = tmp_path / f"site{len(made)}"
        if double is None:
            double = Double(tmp_path / f"double{len(made)}", latency_ms=20).__enter__()
            doubles.append(double)
        site = Site(
            folder=folder,
            database=database or f"sqlite:///{folder}/ledger.db",
            double=double,
            victims=victims,
            rate=rate,
        )
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()
    for double in doubles:
        double.__exit__(None, None, None)


@pytest.fixture
def make_world(
    request: pytest.FixtureRequest, victims: Victims, migrated: Path, tmp_path: Path
) -> Iterator[Callable[..., World]]:
    """Makes worlds on a database of their own: in a file, or of a server by its fixture's name.

    Keywords that a world lacks are settings of its vendors.
    """
    with ExitStack() as opened:

        def make(
            database: str, sheets: Mapping[str, Sheet], *, disk: Path | None = None, **options: Any
        ) -> World:
            folder = tmp_path / f"world{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            if database == "sqlite":
                ledger = (disk or folder) / "ledger.db"
                shutil.copy(migrated, ledger)
                url = f"sqlite:///{ledger}"
            else:
                url = request.getfixturevalue(database).create_database()
            own = {name: options.pop(name) for name in OF_A_WORLD if name in options}
            world = World(
                folder=folder,
                database=url,
                sheets=sheets,
                victims=victims,
                settings=options,
                **own,
            )
            return opened.enter_context(world)

        yield make


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in figures what was gone through, and how to go through it again."""
    figures, seeds = Counter[str](), set[object]()
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        told = dict(report.user_properties)
        figures.update(told.get("chaos", {}))
        seeds |= {told["seed"]} if "seed" in told else set()
    if figures:
        terminalreporter.section("chaos")
        for name, count in figures.items():
            terminalreporter.line(f"{count:8}  {name}")
        terminalreporter.line(f"again with: make chaos SEED={', '.join(map(str, seeds))}")
