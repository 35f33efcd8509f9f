"""What most tests stand on: a migrated ledger, a recipe, a planner, a small installation."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, CursorResult

from smsengine.clock import ManualClock
from smsengine.config.job import Column, ColumnType, Guards
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.manifest import Prices
from smsengine.planning.messages import Composed, Composer, Recipe
from smsengine.planning.order import Order, Planned
from smsengine.planning.planner import Planner
from smsengine.service.bootstrap import Engine
from smsengine.sources.base import Row, Value
from smsengine.store import runs, schema
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from tests import statements
from tests.postgres import GIVEN, Databases, MissingPostgresError, Server, clear

if TYPE_CHECKING:
    from tests.flow.zygote import Victims  # with it comes all of the command line

#: 08:00 on 1 June 2019 in Vietnam.
START = datetime(2019, 6, 1, 1, 0, tzinfo=UTC)
KEY = b"the key of every test, long enough"
PLANNER = "elsewhere:1:1:1"
TEMPLATE = "Kính gửi {{ name }}: đã đóng {{ paid | money }} đồng tháng {{ period | mm_yyyy }}."

_RECIPE = Recipe(
    topic="c12-statement",
    period=Period.parse("2019-06"),
    key=KEY,
    columns={
        "code": Column(from_column="ma", type=ColumnType.CODE),
        "name": Column(from_column="ten", type=ColumnType.TEXT),
        "paid": Column(from_column="so_tien", type=ColumnType.MONEY),
    },
    places={"code": 0, "name": 1, "paid": 2},
    subject="code",
    cells=(3,),
    contacts=None,
    numbers="plain",
    template=TEMPLATE,
    template_name="c12-statement.j2",
    extra_prefixes={},
    max_segments=3,
    money="paid",
)


#: Files with tests that take many seconds each.
LONG = frozenset(
    f"test_{name}.py"
    for name in (
        *("daemon", "daemon_faults", "figures_agree", "killed"),
        *("outbox_machine", "three_years", "upkeep_commands"),
    )
)


def pytest_configure() -> None:
    statements.share()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the long tests, so that none of them ends alone.

    ``--dist worksteal`` gives every worker a piece of the list, and evens out what is left.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.path.name in LONG]
    short = iter([item for item in items if item.path.name not in LONG])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        share = (len(items) - len(ordered)) // (workers - worker)
        mine = long[worker::workers]
        ordered += [*mine, *islice(short, max(0, share - len(mine)))]
    items[:] = [*ordered, *short]


def phone(number: int) -> str:
    """A different mobile number for each number."""
    return f"09{number + 10_000_000:08d}"


def row(
    number: int,
    code: Value = "",
    *,
    name: Value = "Công ty Đường Hưng Yên",
    paid: Value = "1000000",
    cell: Value = "",
) -> Row:
    """A row of the recipe's extract; what is not said follows from its number."""
    return Row(number, (code or f"TA{number:04d}Z", name, paid, cell or phone(number)))


def rows(count: int) -> list[Row]:
    """That many rows about different employers; the header is line 1."""
    return [row(number) for number in range(2, count + 2)]


def a_recipe(**changes: Any) -> Recipe:
    """The recipe: code, name, paid, phone."""
    return replace(_RECIPE, **changes)


def compose(given: Sequence[Row], **changes: Any) -> Composed:
    """Compose rows with the recipe."""
    return Composer(a_recipe(**changes)).compose(given)


def execute(connection: Connection, sql: str, *values: Any) -> CursorResult[Any]:
    """Execute SQL as SQLite writes it: places are ``?``, bytes ``x'00'``, instants UTC."""
    if connection.dialect.name != "sqlite":
        sql = sql.replace("%", "%%").replace("?", "%s")
        sql = re.sub(r"\bx'([0-9a-f]*)'", r"'\\x\1'::bytea", sql)
        connection.exec_driver_sql("SET LOCAL TimeZone = 'UTC'")
    return connection.exec_driver_sql(sql, values)


@dataclass(kw_only=True)
class Office:
    """A planner on a ledger."""

    store: Store
    clock: ManualClock
    job: str = "c12-statement"

    def order(self, given: Iterable[Row], **changes: Any) -> Order:
        """An order for the recipe; changes of the recipe start with ``recipe_``."""
        recipe = {
            name.removeprefix("recipe_"): changes.pop(name)
            for name in list(changes)
            if name.startswith("recipe_")
        }
        values: dict[str, Any] = {
            "job": self.job,
            "owner": "central",
            "gateway": "trial",
            "priority": 5,
            "prices": Prices(others=850),
            "guards": Guards(money="paid", max_cost=10**12),
            "needs_approval": False,
            "recipe": a_recipe(**recipe),
            "source_name": "c12.csv",
            "rows": iter(given),
            "job_hash": "j" * 64,
            "template_hash": "t" * 64,
            "processes": 1,
        }
        return Order(**(values | changes))

    def planner(self, *, identity: str = PLANNER, outbox: Store | None = None) -> Planner:
        return Planner(
            ledger=self.store, outbox=outbox or self.store, clock=self.clock, identity=identity
        )

    def plan(self, given: Iterable[Row], **changes: Any) -> Planned:
        return self.planner().plan(self.order(given, **changes))

    def planned(self, given: Iterable[Row], **changes: Any) -> Run:
        """A sealed run of these rows."""
        run = self.plan(given, **changes).run
        assert run is not None
        return run

    def released(self, given: Iterable[Row], **changes: Any) -> Run:
        """A run of these rows that may be sent."""
        run = self.planned(given, **changes)
        return release.release(self.store, run, key=KEY, clock=self.clock, actor="test")

    def run(self, run_id: int) -> Run:
        """A run as it stands in the ledger."""
        with self.store.read() as connection:
            found = runs.get(connection, run_id)
        assert found is not None
        return found

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query on the ledger gives."""
        with self.store.read() as connection:
            return [tuple(line) for line in execute(connection, sql, *values)]

    def change(self, sql: str, *values: Any) -> None:
        """Change the ledger behind everybody's back."""
        with self.store.write() as connection:
            execute(connection, sql, *values)

    def states(self) -> list[str]:
        """The state of each message, in the order in which they were written."""
        return [line[0] for line in self.all("SELECT state FROM messages ORDER BY id")]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at eight in the morning of 1 June 2019 in Vietnam."""
    return ManualClock(START)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated ledger to copy: migrating takes ten times as long as copying."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    made = Store(f"sqlite:///{path}")
    schema.upgrade(made)
    made.close()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty ledger, on each of the two databases."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


@pytest.fixture
def sqlite_store(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty ledger in the file ``ledger.db``."""
    path = tmp_path / "ledger.db"
    shutil.copy(migrated, path)
    opened = Store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def postgres_store(shared_store: Store) -> Store:
    """An empty ledger on PostgreSQL."""
    with shared_store.write() as connection:
        clear(connection)
    return shared_store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """A PostgreSQL: a throw-away one, or the one that the environment names."""
    given = os.environ.get(GIVEN)
    databases = Databases(given) if given else _started()
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A PostgreSQL that a test may stop, start and restart; it leaves it running."""
    if GIVEN not in os.environ:
        yield request.getfixturevalue("postgres")
        return
    server = _started()
    yield server
    server.close()


def _started() -> Server:
    """On a machine that must have everything, a missing PostgreSQL is a failure."""
    try:
        return Server()
    except MissingPostgresError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def shared_database(postgres: Databases) -> str:
    """The database that tests empty and use one after the other: a new one takes much longer."""
    return postgres.create_database()


@pytest.fixture(scope="session")
def shared_store(shared_database: str) -> Iterator[Store]:
    """That database, open: a new connection's server process learns every table again."""
    opened = Store(shared_database)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """The process that forks senders and commands."""
    from tests.flow.zygote import Victims

    started = Victims(tmp_path_factory.mktemp("victims"))
    yield started
    started.close()


@pytest.fixture
def scratch(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    """A second ledger, as a dry run uses one."""
    path = tmp_path / "scratch.db"
    shutil.copy(migrated, path)
    opened = Store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def office(store: Store, clock: ManualClock) -> Office:
    """A planner on an empty ledger."""
    return Office(store=store, clock=clock)


@pytest.fixture
def sqlite_office(sqlite_store: Store, clock: ManualClock) -> Office:
    """A planner on an empty ledger in a file."""
    return Office(store=sqlite_store, clock=clock)


_CONFIG = """\
database: sqlite:///ledger.db
data: data
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{from: 2019-01-01, per_segment: 850}]
"""
_JOB = """\
title: Kết quả đóng
topic: c12-statement
schedule: {day: 1, at: "08:00"}
period: current-month
source: {kind: csv, path: "c12-{period}.csv"}
columns:
  code: {from: ma, type: code}
  name: {from: ten}
  paid: {from: so_tien, type: money}
recipient: {subject: code, phones: [dien_thoai]}
gateway: trial
guards: {money: paid, max_cost: 1.000.000}
"""


@pytest.fixture
def installation(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., Engine]]:
    """Write an installation with one job, and open it; its extract is given as CSV lines."""
    opened: list[Engine] = []

    def make(*lines: str, job: str = _JOB, config: str = _CONFIG) -> Engine:
        folder = tmp_path / "installation"
        for name in ("data", "jobs", "templates"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        extract = "\n".join(("ma,ten,so_tien,dien_thoai", *lines)) + "\n"
        (folder / "data" / "c12-2019-06.csv").write_text(extract, encoding="utf-8")
        (folder / "jobs" / "c12-statement.yaml").write_text(job, encoding="utf-8")
        (folder / "templates" / "c12-statement.j2").write_text(TEMPLATE, encoding="utf-8")
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        opened.append(Engine(folder / "config.yaml", clock=clock))
        return opened[-1]

    yield make
    for engine in opened:
        if "store" in engine.__dict__:
            engine.store.close()
