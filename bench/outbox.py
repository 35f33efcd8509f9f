"""Outboxes for the benches: made-up messages in a ledger, and lanes that drain them."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from smsengine.clock import SystemClock
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
)
from smsengine.identity import own_identity
from smsengine.sending.crew import Threads
from smsengine.sending.departure import Departures
from smsengine.sending.dispatcher import Dispatcher
from smsengine.sending.journal import FlightJournal
from smsengine.sending.lane import Lane
from smsengine.sending.pace import Pace, Rate
from smsengine.sending.routing import alone
from smsengine.store import messages, runs, schema
from smsengine.store.engine import Store
from smsengine.store.messages import Draft
from smsengine.store.runs import Run
from smsengine.store.tables import runs as runs_table
from smsengine.waves import LAST_PLACE

GATEWAY = "null"
TEXT = "x" * 254
CHUNK = 10_000


class NullGateway(Gateway):
    """Accepts at once, in this process."""

    capabilities = Capabilities(max_batch=5_000)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        if not clear(batch):
            return [HELD_BACK] * len(batch)
        return [
            Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=message.reference) for message in batch
        ]

    def close(self) -> None:
        """Nothing is open."""


def open_store(url: str) -> Store:
    """A migrated ledger."""
    store = Store(url)
    schema.upgrade(store)
    return store


def add_run(store: Store, count: int, *, gateway: str = GATEWAY, priority: int = 5) -> Run:
    """A run of so many queued messages that is being sent."""
    now = datetime.now(UTC)
    with store.write() as connection:
        run_id = connection.execute(
            insert(runs_table)
            .values(
                job="bench",
                topic="bench",
                owner="central",
                period=f"p{time.time_ns()}",
                revision=1,
                kind="regular",
                state="sending",
                gateway=gateway,
                priority=priority,
                created_at=now,
                manifest_hash="x",
                messages=count,
                source_rows=count,
                released_upto=LAST_PLACE,
            )
            .returning(runs_table.c.id)
        ).scalar_one()
    for start in range(0, count, CHUNK):
        drafts = [_draft(number) for number in range(start, min(count, start + CHUNK))]
        with store.write() as connection:
            messages.insert_drafts(
                connection, drafts, run_id=run_id, places=count(start + 1), due_at=now
            )
    with store.read() as connection:
        run = runs.get(connection, run_id)
    assert run is not None
    return run


def _draft(number: int) -> Draft:
    return Draft(
        row_number=number + 2,
        dedup_key=os.urandom(20),
        revision=1,
        replaces_id=None,
        subject=f"TA{number:07d}",
        address=f"+849{number:08d}",
        network="Viettel",
        text=TEXT,
        text_hash=b"h" * 16,
        segments=2,
    )


#: One statement for a piece of history; keys of a month begin alike, as the ledger's own do.
_HISTORY = """
WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})
INSERT INTO messages (run_id, place, row_number, dedup_key, revision, subject, address, network,
                      text, text_hash, segments, state, due_at, settled_at, gateway, gateway_id,
                      attempt, burnt)
SELECT {run}, n, n, {key}, 1, 'TA' || n, '+849' || (10000000 + n), 'Viettel',
       '{text}', {key}, 2, 'delivered', '{at}', '{at}', '{gateway}', 'old-' || n, 1, 1
FROM numbers
"""
_KEYS = {
    "sqlite": "CAST(printf('%04d', n / 700000) || hex(randomblob(8)) AS BLOB)",
    "postgresql": "convert_to(lpad((n / 700000)::text, 4, '0') || substr(md5(n::text), 1, 16),"
    " 'UTF8')",
}


def add_history(store: Store, count: int) -> None:
    """Messages of earlier months that were delivered long ago, written as fast as it goes."""
    run = add_run(store, 0)
    settled = datetime.now(UTC) - timedelta(days=40)
    for start in range(0, count, 50 * CHUNK):
        statement = _HISTORY.format(
            first=start + 1,
            last=min(count, start + 50 * CHUNK),
            run=run.id,
            key=_KEYS[store.engine.dialect.name],
            text=TEXT,
            at=f"{settled:%Y-%m-%d %H:%M:%S.%f}",
            gateway=GATEWAY,
        )
        with store.write() as connection:
            connection.exec_driver_sql(statement)
    with store.write() as connection:
        connection.execute(
            runs_table.update().where(runs_table.c.id == run.id).values(state="finished")
        )


def dispatcher(
    store: Store,
    gateway: Gateway,
    folder: Path,
    *,
    batch: int = 500,
    rate: Rate | None = None,
    name: str = GATEWAY,
) -> Dispatcher:
    """A dispatcher with one lane, wired as the engine wires it."""
    clock, worker, wake = SystemClock(), own_identity(), threading.Event()
    journal = FlightJournal(folder / "flights", worker)
    departures = Departures(
        clock=clock,
        pace=Pace(store=store, gateway=name, rate=rate, clock=clock),
        journal=journal,
        hours=None,
        at=lambda _point: None,
    )
    lane = Lane(
        name=name,
        gateway=gateway,
        store=store,
        clock=clock,
        worker=worker,
        batch=batch,
        departures=departures,
        crew=Threads(gateway.capabilities.concurrency, name),
        chance=random.Random(),
        wake=wake.set,
    )
    return Dispatcher(
        store=store,
        lanes=[lane],
        routes=alone,
        clock=clock,
        worker=worker,
        journal=journal,
        flights=folder / "flights",
        wake=wake,
    )


def remove(path: Path) -> None:
    """Delete a SQLite ledger with its side files."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").unlink()
