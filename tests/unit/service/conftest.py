"""An installation on each of the two databases, on which nobody has worked yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smsengine.service.bootstrap import Engine
from smsengine.store.engine import Store
from tests.conftest import Office
from tests.unit.service.collectors import CONFIG as COLLECTORS
from tests.unit.service.collectors import Collectors
from tests.unit.service.desk import Desk
from tests.unit.service.machine import begun
from tests.unit.service.standing import installed

CONFIG = """\
database: {database}
dedup_key: file:smsengine.key
data: data
flights: {flights}
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{{from: 2019-01-01, per_segment: 850}}]
"""
LINE = "TA0001Z,Công ty A,1000,0910000001"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    if request.param == "sqlite":
        return "sqlite:///ledger.db"
    store: Store = request.getfixturevalue("postgres_store")
    return store.engine.url.render_as_string(hide_password=False)


@pytest.fixture
def engine(installation: Callable[..., Engine], database: str) -> Engine:
    """An installation whose ledger nobody has worked on."""
    return begun(installation(LINE, config=CONFIG.format(database=database, flights="flights")))


@pytest.fixture
def postgres_engine(installation: Callable[..., Engine], postgres_store: Store) -> Engine:
    """An installation on a ledger that machines may share."""
    url = postgres_store.engine.url.render_as_string(hide_password=False)
    return begun(installation(LINE, config=CONFIG.format(database=url, flights="flights")))


@pytest.fixture
def sqlite_engine(installation: Callable[..., Engine]) -> Engine:
    config = CONFIG.format(database="sqlite:///ledger.db", flights="flights")
    return begun(installation(LINE, config=config))


@pytest.fixture
def desk(office: Office, tmp_path: Path) -> Iterator[Desk]:
    """One job, due now; looked after since yesterday, and its extract is there."""
    engine = installed(office.store, office.clock, tmp_path / "installation")
    made = Desk(engine)
    made.watch()
    made.write(3)
    yield made
    engine.store.close()


@pytest.fixture
def open_collectors(
    installation: Callable[..., Engine], database: str
) -> Callable[..., Collectors]:
    """Open an installation with two collecting organisations; says where their tables go."""

    def make(here: str = "", there: str = "", port: int = 1) -> Collectors:
        places = {"database": database, "flights": "flights", "port": port}
        config = COLLECTORS.format(**places, here=here, there=there)
        return Collectors(begun(installation(LINE, config=config)))

    return make


@pytest.fixture
def collectors(open_collectors: Callable[..., Collectors]) -> Collectors:
    """Two collecting organisations, whose tables go into the outbox."""
    return open_collectors()
