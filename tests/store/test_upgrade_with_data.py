"""A ledger of the first version is upgraded with everything that stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from smsengine.lifecycle import RunState
from smsengine.store import claims, runs, schema
from smsengine.store.engine import Store
from tests.postgres import Databases

NOW = datetime(2019, 6, 1, 1, tzinfo=UTC)
AT = "2019-06-01 01:00:00.000000"
RUN = f"""
INSERT INTO runs (id, job, topic, owner, period, revision, kind, state, reason, gateway, priority,
                  released_upto, messages, source_rows, manifest_hash, created_at)
VALUES (1, 'c12', 'c12', 'central', '2019-06', 1, 'regular', 'sending', '', 'old', 5,
        2147483647, 4, 4, 'x', '{AT}')
"""
MESSAGES = """
INSERT INTO messages (id, run_id, place, row_number, dedup_key, revision, subject, address, network,
                      text, text_hash, segments, state, due_at, attempt, worker, lease_until,
                      gateway_id, settled_at)
VALUES ({id}, 1, {id}, {id}, {key}, 1, 'TA{id}', '+8490000000{id}', 'VinaPhone', 'text', {key}, 1,
        '{state}', '{at}', {attempt}, {worker}, {lease}, {name}, {settled})
"""
ATTEMPT = """
INSERT INTO attempts (message_id, number, gateway, worker, started_at, ended_at, outcome)
VALUES ({id}, 1, 'old', 'w', '{at}', {ended}, {outcome})
"""


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A ledger of the first version: one message waits, one is sent, one accepted, one unknown."""
    if request.param == "sqlite":
        made = Store(f"sqlite:///{tmp_path}/old.db")
    else:
        databases: Databases = request.getfixturevalue("postgres")
        made = Store(databases.create_empty_database())
    config = Config()
    config.set_main_option("script_location", str(files("smsengine.store") / "migrations"))
    with made.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (RUN, *_messages(request.param), *_attempts()):
            connection.exec_driver_sql(statement)
    yield made
    made.close()


def _messages(database: str) -> Iterator[str]:
    held, name = (f"'w', '{AT}'", "'G-3'")
    for number, (state, worker, gateway_id, settled) in enumerate(
        [
            ("queued", "NULL, NULL", "NULL", "NULL"),
            ("sending", held, "NULL", "NULL"),
            ("accepted", "NULL, NULL", name, f"'{AT}'"),
            ("unknown", "NULL, NULL", "NULL", "NULL"),
        ],
        start=1,
    ):
        holder, lease = worker.split(", ")
        key = f"x'0{number}'" if database == "sqlite" else f"'\\x0{number}'::bytea"
        yield MESSAGES.format(
            id=number,
            key=key,
            state=state,
            at=AT,
            attempt=0 if state == "queued" else 1,
            worker=holder,
            lease=lease,
            name=gateway_id,
            settled=settled,
        )


def _attempts() -> Iterator[str]:
    yield ATTEMPT.format(id=2, at=AT, ended="NULL", outcome="NULL")
    yield ATTEMPT.format(id=3, at=AT, ended=f"'{AT}'", outcome="'accepted'")
    yield ATTEMPT.format(id=4, at=AT, ended=f"'{AT}'", outcome="'unknown'")


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def test_what_was_handed_over_belongs_to_its_run_s_gateway(old: Store) -> None:
    """A receipt still finds its message, and a doubt the gateway that is asked about it."""
    assert "0001" == schema.upgrade(old)
    assert [(1, None), (2, "old"), (3, "old"), (4, "old")] == rows(
        old, "SELECT id, gateway FROM messages ORDER BY id"
    )


def test_a_doubt_keeps_its_age(old: Store) -> None:
    """Only the unknown message is in doubt, since its own time."""
    schema.upgrade(old)
    assert [(4,)] == rows(old, "SELECT id FROM messages WHERE unknown_since IS NOT NULL")


def test_ended_attempts_stay_and_open_ones_show_in_the_message(old: Store) -> None:
    """No hand-over that came to an end is forgotten."""
    schema.upgrade(old)
    assert [(3, 1, "accepted"), (4, 1, "unknown")] == rows(
        old, "SELECT message_id, number, outcome FROM attempts ORDER BY message_id"
    )


def test_what_waited_can_be_claimed(old: Store) -> None:
    """The run goes on where it stopped, with the one message that waits."""
    schema.upgrade(old)
    with old.write() as connection:
        run = runs.get(connection, 1)
        assert run is not None
        claimed = claims.claim(
            connection,
            run_id=1,
            upto=run.released_upto,
            gateway="old",
            worker="w2",
            now=NOW,
            limit=10,
        )
    assert (RunState.SENDING, [1]) == (run.state, [message.id for message in claimed])
