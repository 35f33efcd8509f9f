"""Floors: the least that the same work costs with nothing but a driver.

``sqlite`` and ``postgres`` claim and settle in the ledger's own table with its own indexes: in
batches, with durable commits, the settlement of one batch in the transaction of the next claim,
statements by hand through the bare driver; no attempt record, no pace, no journal, no gateway.
``http`` is bare ``requests`` with a session for each thread.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import requests
from sqlalchemy import make_url

_CLAIM = """
WITH picked AS (SELECT id FROM messages
                WHERE run_id = {run} AND state = 'queued' AND gateway IS NULL AND place > 0
                ORDER BY place LIMIT {batch} {lock})
UPDATE messages SET state = 'sending', worker = 'w', lease_until = '2030-01-01 00:00:00.000000',
                    attempt = attempt + 1, gateway = 'null'
WHERE id IN (SELECT id FROM picked) RETURNING id, address, text, segments, attempt
"""


_SETTLE_AT_ONCE = """
UPDATE messages SET state = 'accepted', gateway_id = done.name, worker = NULL, lease_until = NULL,
                    settled_at = '2026-01-01 00:00:00.000000'
FROM (SELECT column1 AS name, column2 AS id, column3 AS attempt FROM (VALUES {values})) AS done
WHERE messages.id = done.id AND worker = 'w' AND messages.attempt = done.attempt
"""


def sqlite(path: Path, run: int, batch: int, at_once: bool = False) -> tuple[int, float]:
    """Drain a run on SQLite; messages and seconds.

    ``at_once`` settles a batch by one statement with a table of rows, as the engine does, and not
    by one that is executed for each row.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32768"):
        connection.execute(f"PRAGMA {pragma}")
    claim = _CLAIM.format(run=run, batch=batch, lock="")
    settle = (
        "UPDATE messages SET state = 'accepted', gateway_id = ?, worker = NULL, lease_until = NULL,"
        " settled_at = '2026-01-01 00:00:00.000000' WHERE id = ? AND worker = 'w' AND attempt = ?"
    )
    drained, taken = 0, list[Any]()
    started = time.perf_counter()
    while True:
        connection.execute("BEGIN IMMEDIATE")
        if taken and at_once:
            values = ", ".join(["(?, ?, ?)"] * len(taken))
            flat = [part for row in taken for part in (f"g{row[0]:030}", row[0], row[4])]
            connection.execute(_SETTLE_AT_ONCE.format(values=values), flat)
        elif taken:
            connection.executemany(settle, [(f"g{row[0]:030}", row[0], row[4]) for row in taken])
        taken = connection.execute(claim).fetchall()
        connection.execute("COMMIT")
        drained += len(taken)
        if not taken:
            break
    seconds = time.perf_counter() - started
    connection.close()
    return drained, seconds


def postgres(url: str, run: int, batch: int) -> tuple[int, float]:
    """Drain a run on PostgreSQL; messages and seconds. Several may do it at once."""
    claim = _CLAIM.format(run=run, batch=batch, lock="FOR UPDATE SKIP LOCKED")
    settle = """
        UPDATE messages SET state = 'accepted', gateway_id = done.name, worker = NULL,
                            lease_until = NULL, settled_at = '2026-01-01'
        FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS done (id, attempt, name)
        WHERE messages.id = done.id AND worker = 'w' AND messages.attempt = done.attempt
    """
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    drained, taken = 0, list[Any]()
    with psycopg.connect(plain) as connection:
        started = time.perf_counter()
        while True:
            if taken:
                ids = [row[0] for row in taken]
                names = [f"g{number:030}" for number in ids]
                connection.execute(settle, (ids, [row[4] for row in taken], names))
            taken = connection.execute(claim).fetchall()
            connection.commit()
            drained += len(taken)
            if not taken:
                return drained, time.perf_counter() - started


def http(url: str, key: str, count: int, threads: int, text: str) -> float:
    """Messages a second that bare ``requests`` drives with a session for each thread."""
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {key}"
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            body = {"to": f"849{number:08d}", "text": text, "ref": f"floor-{number}"}
            answer = session.post(f"{url}/send", json=body, timeout=30)
            assert answer.json()["status"] == "0"

    crew = [threading.Thread(target=work) for _ in range(threads)]
    started = time.perf_counter()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return count / (time.perf_counter() - started)
