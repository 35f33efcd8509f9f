"""What withholding adds to planning; a part of ``python -m bench.planning --caps``.

A month in which the Centre has told everybody; then a notice of an office about as many other
subjects on the same phones, once with a list of phones that are left alone, topics of the Centre
and caps, and once without. Both into copies of the same ledger, in turn.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert

from bench import planning
from smsengine.lifecycle import Cause
from smsengine.period import Period
from smsengine.planning.order import Order
from smsengine.planning.withholding import Caps
from smsengine.service.bootstrap import Engine
from smsengine.service.orders import order_for
from smsengine.sources.base import Row
from smsengine.store.engine import Store
from smsengine.store.governance_tables import suppressions
from tests.postgres import Server

_JUNE = Period.parse("2019-06")
_ALONE = 10_000
_TURNS = 2
_MOST = 1.2
_CAPS = Caps(per_day=20, per_month=100)


def measure_caps(folder: Path, rows: int) -> None:
    """Both databases, and the judgement."""
    planning.make_folder(folder / "caps", rows)
    _judge("SQLite", folder, None)
    with_server = Server(durable=True)
    try:
        _judge("PostgreSQL", folder, with_server)
    finally:
        with_server.close()


def _judge(name: str, folder: Path, server: Server | None) -> None:
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(_TURNS):
        for withheld in (False, True):
            where = folder / f"caps-{name}-{turn}-{withheld}"
            shutil.copytree(folder / "caps", where)
            if server is not None:
                config = where / "config.yaml"
                url = server.create_database()
                config.write_text(config.read_text().replace("sqlite:///ledger.db", url))
            planning.child(_tell_all, where)
            found = planning.child(_tell_others, where, withheld)
            seconds[withheld].append(found["seconds"])
            what = "withheld" if withheld else "not withheld"
            planning.show(f"{name}: an office's notice, {what}", found)
            shutil.rmtree(where)
    ratio = min(seconds[True]) / min(seconds[False])
    planning.verdict(f"{name}: withholding costs {ratio:.2f}, at most {_MOST}", ratio <= _MOST)


def _tell_all(folder: Path) -> dict[str, float]:
    """The Centre's notice of the month, counted for the caps, and a list of phones."""
    engine = Engine(folder / "config.yaml")
    store = Store(engine.settings.database)
    engine.prepare(store)
    store.close()
    with engine.store.write() as connection:
        _leave_alone(connection)
    order = replace(_order(engine, "c12-statement"), caps=_CAPS, processes=2)
    return _planned(engine, order)


def _leave_alone(connection: Connection) -> None:
    """Phones of strangers: the list is long, and none of these is on it."""
    rows = [
        {
            "address_hash": number.to_bytes(16, "big"),
            "office": "central",
            "masked": "*",
            "cause": Cause.ASKED,
            "reason": "x",
            "by": "bench",
            "since": datetime(2019, 1, 1, tzinfo=UTC),
        }
        for number in range(_ALONE)
    ]
    connection.execute(insert(suppressions), rows)


def _tell_others(folder: Path, withheld: bool) -> dict[str, float]:
    """An office's notice about other subjects, on the phones that the Centre has texted."""
    engine = Engine(folder / "config.yaml")
    order = _order(engine, "c12-statement")
    order = replace(
        order,
        job="01-hanoi/other",
        owner="01-hanoi",
        recipe=replace(order.recipe, topic="other"),
        rows=_renamed(order.rows),
        processes=2,
    )
    if withheld:
        order = replace(order, overlaps=("c12-statement",), caps=_CAPS)
    else:
        with engine.store.write() as connection:
            connection.execute(suppressions.delete())
    return _planned(engine, order)


def _order(engine: Engine, job: str) -> Order:
    order = order_for(engine, engine.job(job), _JUNE)
    return replace(order, guards=order.guards.model_copy(update={"max_cost": 10**15}))


def _renamed(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows about other subjects."""
    for row in rows:
        yield row._replace(values=(f"X{row.values[0]}", *row.values[1:]))


def _planned(engine: Engine, order: Order) -> dict[str, float]:
    started = time.perf_counter()
    planned = engine.planner(engine.store, lambda _rows: None).plan(order)
    seconds = time.perf_counter() - started
    assert planned.run is not None
    assert planned.run.messages > planned.run.skips
    return {"seconds": seconds, "rows": planned.rows_read, "mb": 0}
