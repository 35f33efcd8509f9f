"""Machines on one ledger, and what is done to it behind their backs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smsengine.clock import ManualClock
from smsengine.period import Period
from smsengine.service.bootstrap import Engine
from smsengine.service.sender import Request
from smsengine.store.engine import Store
from tests.conftest import Office, execute


def begun(engine: Engine) -> Engine:
    store = Store(engine.settings.database)
    engine.prepare(store)
    store.close()
    return engine


def another(engine: Engine, folder: str = "flights-there") -> Engine:
    """The same ledger on a machine with a folder of its own; its store is the same."""
    config = engine.config.with_name(f"{folder}.yaml")
    text = engine.config.read_text(encoding="utf-8")
    config.write_text(text.replace("flights: flights", f"flights: {folder}"), encoding="utf-8")
    made = Engine(config, clock=engine.clock)
    made.store = engine.store
    return made


def change(engine: Engine, sql: str, *values: Any) -> None:
    """Change the ledger behind everybody's back."""
    with engine.store.write() as connection:
        execute(connection, sql, *values)


def counts(engine: Engine) -> list[int]:
    """How often each machine has reported, as the ledger knows it."""
    with engine.store.read() as connection:
        return list(execute(connection, "SELECT beats FROM members ORDER BY beats").scalars())


def file_of(engine: Engine) -> Path:
    return engine.settings.flights / "member"


def remembered(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file_of(engine).read_text())
    return found


def set_back(engine: Engine) -> None:
    """The ledger is one report older than this machine."""
    change(engine, "UPDATE members SET beats = beats - 1")


def office(engine: Engine) -> Office:
    assert isinstance(engine.clock, ManualClock)
    return Office(store=engine.store, clock=engine.clock)


def request(engine: Engine) -> Request:
    return Request(loaded=engine.job("c12-statement"), period=Period.parse("2019-06"))
