"""Named statements on ``attempts``: a message is claimed, handed over once, settled by proof."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from smsengine.lifecycle import MessageState
from smsengine.store.messages import UNSETTLED, reference
from smsengine.store.tables import Instant, attempts, messages


class Claimed(NamedTuple):
    """A message that a worker holds: it may go to the gateway once."""

    id: int
    dedup_key: bytes
    revision: int
    address: str
    network: str
    text: str
    segments: int
    attempt: int
    code: str | None = None

    @property
    def reference(self) -> str:
        """Our name for it at the gateway: stable over retries, 35 safe characters."""
        return reference(self.dedup_key, self.revision)


_PICKED = (
    select(messages.c.id)
    .where(
        messages.c.run_id == bindparam("run"),
        messages.c.state == MessageState.QUEUED,
        messages.c.place <= bindparam("upto"),
        messages.c.due_at <= bindparam("now", type_=Instant),
    )
    .order_by(messages.c.run_id, messages.c.place)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("picked")
)
_CLAIM = (
    update(messages)
    .where(messages.c.id.in_(select(_PICKED.c.id)))
    .values(
        state=MessageState.SENDING,
        worker=bindparam("claimer"),
        lease_until=bindparam("until", type_=Instant),
        attempt=messages.c.attempt + 1,
    )
    .returning(*(messages.c[name] for name in Claimed._fields))
)


def claim(
    connection: Connection,
    *,
    run_id: int,
    upto: int,
    gateway: str,
    worker: str,
    now: datetime,
    until: datetime,
    limit: int,
) -> list[Claimed]:
    """Take the next messages of a run for one worker and record the attempts.

    Locks the picked rows only; rows that another worker is picking are passed over. Nothing may
    be sent before the surrounding transaction is committed.
    """
    values = {
        "run": run_id,
        "upto": upto,
        "now": now,
        "most": limit,
        "claimer": worker,
        "until": until,
    }
    claimed = [Claimed(*row) for row in connection.execute(_CLAIM, values)]
    if claimed:
        connection.execute(
            insert(attempts),
            [
                {
                    "message_id": message.id,
                    "number": message.attempt,
                    "gateway": gateway,
                    "worker": worker,
                    "started_at": now,
                }
                for message in claimed
            ],
        )
    return sorted(claimed, key=lambda message: message.id)


class Settlement(NamedTuple):
    """What one attempt came to, and the state that follows from it."""

    message_id: int
    attempt: int
    state: MessageState
    due_at: datetime
    gateway_id: str | None
    outcome: str
    code: str
    detail: str


_SETTLE = (
    update(messages)
    .where(
        messages.c.id == bindparam("message"),
        messages.c.worker == bindparam("holder"),
        messages.c.attempt == bindparam("tried"),
        messages.c.state == MessageState.SENDING,
    )
    .values(
        state=bindparam("after"),
        due_at=bindparam("due", type_=Instant),
        gateway_id=func.coalesce(bindparam("vendor_id"), messages.c.gateway_id),
        code=bindparam("said"),
        detail=bindparam("words"),
        settled_at=bindparam("settled", type_=Instant),
        worker=None,
        lease_until=None,
    )
)
_END_ATTEMPT = (
    update(attempts)
    .where(
        attempts.c.message_id == bindparam("message"),
        attempts.c.number == bindparam("tried"),
        attempts.c.ended_at.is_(None),
    )
    .values(
        ended_at=bindparam("ended", type_=Instant),
        outcome=bindparam("came_to"),
        code=bindparam("said"),
        detail=bindparam("words"),
    )
)


def settle(
    connection: Connection, worker: str, results: Sequence[Settlement], *, now: datetime
) -> int:
    """Write the outcomes of one worker's attempts; a late worker changes nothing.

    Returns:
        How many messages were still this worker's.
    """
    rows = [
        {
            "message": result.message_id,
            "holder": worker,
            "tried": result.attempt,
            "after": result.state,
            "due": result.due_at,
            "vendor_id": result.gateway_id,
            "said": result.code,
            "words": result.detail,
            "settled": None if result.state in UNSETTLED else now,
            "ended": now,
            "came_to": result.outcome,
        }
        for result in results
    ]
    settled = connection.execute(_SETTLE, rows).rowcount
    connection.execute(_END_ATTEMPT, rows)
    return settled


def close_lost(connection: Connection, message_ids: Sequence[int], *, now: datetime) -> None:
    """Write down that attempts ended with their worker, nobody knows how."""
    statement = (
        update(attempts)
        .where(attempts.c.message_id.in_(message_ids), attempts.c.ended_at.is_(None))
        .values(ended_at=now, outcome="unknown", code="worker-lost")
    )
    connection.execute(statement)


def attempts_of(connection: Connection, message_id: int) -> Sequence[RowMapping]:
    """Every hand-over of a message, first to last."""
    statement = (
        select(attempts).where(attempts.c.message_id == message_id).order_by(attempts.c.number)
    )
    return connection.execute(statement).mappings().all()
