"""A run of five messages, and hand-overs as a worker of ``trial`` makes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from smsengine.lifecycle import MessageState
from smsengine.store import attempts, claims
from smsengine.store.attempts import Settlement
from smsengine.store.claims import Claimed
from smsengine.store.engine import Store
from tests.conftest import START, Office, rows

LATER = START + timedelta(hours=1)
SETTLED = "'2019-06-01 01:00:00'"


def carrier_of(state: MessageState) -> str:
    """What stands beside a state in ``carrier_id``: only what is merged has one."""
    return "2" if state is MessageState.MERGED else "NULL"


def claim(store: Store, run_id: int = 1, **changes: Any) -> list[Claimed]:
    """Claim messages of a run."""
    values: dict[str, Any] = {
        "upto": 2**31 - 1,
        "gateway": "trial",
        "worker": "w1",
        "now": START,
        "limit": 100,
    }
    with store.write() as connection:
        return claims.claim(connection, run_id=run_id, **(values | changes))


def settlement(message: Claimed, state: MessageState, **changes: Any) -> Settlement:
    values: dict[str, Any] = {
        "message_id": message.id,
        "attempt": message.attempt,
        "state": state,
        "due_at": LATER,
        "gateway": None if state is MessageState.QUEUED else "trial",
        "gateway_id": "g1",
        "outcome": "accepted",
        "code": "00",
        "detail": "taken",
        "burnt": 1,
        "unknown_since": START if state is MessageState.UNKNOWN else None,
        "started_at": START,
    }
    return Settlement(**(values | changes))


def settle(store: Store, worker: str, *results: Settlement) -> int:
    with store.write() as connection:
        return attempts.settle(connection, worker, "trial", results, now=LATER)


@pytest.fixture
def five(office: Office) -> Office:
    """A released run of five messages."""
    office.released(rows(5))
    return office


def lose(office: Office, now: datetime = LATER) -> int:
    """All that is being sent is given up for lost."""
    with office.store.write() as connection:
        return attempts.lose(connection, attempts.held(connection), now=now)
