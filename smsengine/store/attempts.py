"""Named statements on ``attempts``: a hand-over is settled by proof, or given up for lost.

While a hand-over is at work it shows in the message's own row (state ``sending``, worker, lease,
gateway, number); the attempt is written when it ends, so a message costs one row and not two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Executable,
    RowMapping,
    bindparam,
    case,
    func,
    literal_column,
    null,
    select,
    true,
    update,
)

from smsengine.lifecycle import MessageState
from smsengine.store import parts
from smsengine.store.bulk import Bulk, Given
from smsengine.store.claims import LEASE
from smsengine.store.messages import UNSETTLED
from smsengine.store.tables import Instant, attempts, messages


class Settlement(NamedTuple):
    """What one attempt came to, and the state that follows from it.

    ``gateway`` stays with a message that was handed over, and pins one that waits again.
    ``burnt`` is how many attempts count by now. An empty ``outcome`` is no attempt at all: the
    message is given back as it was. ``part_ids`` are the gateway's names of the parts of a long
    message, where there are several.
    """

    message_id: int
    attempt: int
    state: MessageState
    due_at: datetime
    gateway: str | None
    gateway_id: str | None
    outcome: str
    code: str
    detail: str
    burnt: int
    unknown_since: datetime | None
    started_at: datetime
    part_ids: tuple[str, ...] = ()


_NEW = ("state", "due_at", "gateway", "gateway_id", "code", "detail", "burnt", "unknown_since")
_OPEN = f"('{MessageState.SENDING}', '{MessageState.UNKNOWN}')"
_UNSETTLED = ", ".join(f"'{state}'" for state in sorted(UNSETTLED))


def _settle_statement(_kind: Any, given: Given) -> Executable:
    state_in: Any = given["state"].op("IN")
    waits = state_in(literal_column(f"({_UNSETTLED})"))
    new = {name: given[name] for name in _NEW}
    new["gateway_id"] = func.coalesce(given["gateway_id"], messages.c.gateway_id)
    new["settled_at"] = case((waits, null()), else_=given["ended_at"])
    return (
        update(messages)
        .where(
            messages.c.id == given["message_id"],
            messages.c.worker == given["worker"],
            messages.c.attempt == given["attempt"],
            messages.c.state.op("IN")(literal_column(_OPEN)),
        )
        .values(**new, worker=null(), lease_until=null())
    )


_SETTLE = Bulk(
    _settle_statement,
    {name: messages.c[name].type for name in (*_NEW, "worker", "attempt")}
    | {"message_id": messages.c.id.type, "ended_at": messages.c.settled_at.type},
)
_ATTEMPT = (
    "message_id",
    "number",
    "gateway",
    "worker",
    "started_at",
    "ended_at",
    "outcome",
    "code",
    "detail",
)


def _record_statement(kind: Any, given: Given) -> Executable:
    """An attempt that was taken for lost may be heard of after all: its real end replaces that."""
    rows = select(*(given[name] for name in _ATTEMPT)).where(true())
    insert = kind.insert(attempts).from_select(list(_ATTEMPT), rows)
    ended = {name: insert.excluded[name] for name in ("ended_at", "outcome", "code", "detail")}
    statement: Executable = insert.on_conflict_do_update(
        index_elements=["message_id", "number"], set_=ended
    )
    return statement


_RECORD = Bulk(_record_statement, {name: attempts.c[name].type for name in _ATTEMPT})


def settle(
    connection: Connection,
    worker: str,
    gateway: str,
    results: Sequence[Settlement],
    *,
    now: datetime,
) -> int:
    """Write the outcomes of one worker's attempts.

    A worker that was taken for lost still settles its own attempt: its word is the proof that was
    missing. Where the message has moved on since, it changes nothing.

    Returns:
        How many messages were still this worker's.
    """
    columns = _columns(results)
    of_message = {name: columns[name] for name in (*_NEW, "message_id", "attempt")}
    settled = _SETTLE.execute(connection, of_message, {"worker": worker, "ended_at": now})
    if any(columns["part_ids"]):
        parts.name(connection, gateway, {each.message_id: each.part_ids for each in results})
    if not all(columns["outcome"]):
        columns = _columns([result for result in results if result.outcome])
    columns["number"] = columns["attempt"]
    own = ("message_id", "number", "started_at", "outcome", "code", "detail")
    alike = {"gateway": gateway, "worker": worker, "ended_at": now}
    _RECORD.execute(connection, {name: columns[name] for name in own}, alike)
    return settled


def _columns(results: Sequence[Settlement]) -> dict[str, Sequence[Any]]:
    columns: Any = zip(*results, strict=True) if results else [()] * len(Settlement._fields)
    found = dict[str, Sequence[Any]](zip(Settlement._fields, columns, strict=True))
    for name in ("state", "outcome"):
        found[name] = list(map(str, found[name]))
    return found


class Held(NamedTuple):
    """A message that some worker holds, as others see it."""

    id: int
    run_id: int
    attempt: int
    gateway: str
    worker: str
    lease_until: datetime


def held(connection: Connection) -> list[Held]:
    """Every message that is being sent, by any worker; reads ``ix_messages_sending`` only."""
    statement = select(*(messages.c[name] for name in Held._fields)).where(
        messages.c.state == literal_column(f"'{MessageState.SENDING}'")
    )
    return [Held(*row) for row in connection.execute(statement)]


def give_back(
    connection: Connection, worker: str, gateway: str, *, except_ids: Collection[int] = ()
) -> Sequence[int]:
    """Let go of what a worker holds for a gateway and has surely not handed over.

    No attempt is burnt; ``except_ids`` stay as they are.

    Returns:
        The ids of what was let go.
    """
    statement = (
        update(messages)
        .where(
            messages.c.state == literal_column(f"'{MessageState.SENDING}'"),
            messages.c.worker == worker,
            messages.c.gateway == gateway,
            messages.c.id.not_in(except_ids) if except_ids else true(),
        )
        .values(**_free())
        .returning(messages.c.id)
    )
    return connection.execute(statement).scalars().all()


def free(connection: Connection, found: Sequence[Held]) -> int:
    """Let go of messages that a lost worker held and surely never handed over."""
    return _change(connection, found, _free())


def lose(
    connection: Connection,
    found: Sequence[Held],
    *,
    now: datetime,
    ask_after: Mapping[str, timedelta] = MappingProxyType({}),
) -> int:
    """Of these messages nobody knows whether they were handed over.

    Worker and number stay in the row, so that the worker can still say what came of them. They are
    asked about when what was last on its way has surely arrived: so long from now, by gateway.
    """
    moved = _change(
        connection,
        found,
        {
            "state": MessageState.UNKNOWN,
            "due_at": bindparam("ask_at", type_=Instant),
            "lease_until": None,
            "unknown_since": func.coalesce(
                messages.c.unknown_since, bindparam("since", type_=Instant)
            ),
            "code": LOST,
            "detail": messages.c.worker,
        },
        [
            {
                "since": each.lease_until - LEASE,
                "ask_at": now + ask_after.get(each.gateway, _ASK_AFTER),
            }
            for each in found
        ],
    )
    lost = _lost(connection, found)
    columns: dict[str, Sequence[Any]] = {
        "message_id": [each.id for each in lost],
        "number": [each.attempt for each in lost],
        "gateway": [each.gateway for each in lost],
        "worker": [each.worker for each in lost],
        "started_at": [each.lease_until - LEASE for each in lost],
    }
    alike = {"ended_at": now, "outcome": "unknown", "code": LOST, "detail": ""}
    _RECORD.execute(connection, columns, alike)
    return moved


def _lost(connection: Connection, found: Sequence[Held]) -> list[Held]:
    """Those that were given up; a worker that settled in the meantime was quicker."""
    statement = select(messages.c.id, messages.c.attempt, messages.c.worker).where(
        messages.c.id.in_([each.id for each in found]),
        messages.c.state == literal_column(f"'{MessageState.UNKNOWN}'"),
    )
    lost = {tuple(row) for row in connection.execute(statement)}
    return [each for each in found if (each.id, each.attempt, each.worker) in lost]


#: When a gateway is asked of which it is not known here how long a message may be on its way.
_ASK_AFTER = timedelta(minutes=1)
#: The code of a hand-over whose worker was lost.
LOST = "worker-lost"


def _free() -> dict[str, Any]:
    """Waits again as before; one whose earlier hand-over is in doubt is in doubt again."""
    in_doubt = messages.c.unknown_since.is_not(None)
    return {
        "state": case((in_doubt, MessageState.UNKNOWN), else_=MessageState.QUEUED),
        "worker": None,
        "lease_until": None,
        "gateway": case((in_doubt, messages.c.gateway)),
    }


def _change(
    connection: Connection,
    found: Sequence[Held],
    values: dict[str, Any],
    each_with: Sequence[dict[str, Any]] = (),
) -> int:
    """Change messages that are still held as they were seen; ``each_with`` binds further values."""
    statement = (
        update(messages)
        .where(
            messages.c.id == bindparam("message"),
            messages.c.worker == bindparam("holder"),
            messages.c.attempt == bindparam("tried"),
            messages.c.state == literal_column(f"'{MessageState.SENDING}'"),
        )
        .values(**values)
    )
    rows: list[dict[str, Any]] = [
        {"message": each.id, "holder": each.worker, "tried": each.attempt} for each in found
    ]
    if each_with:
        rows = [row | more for row, more in zip(rows, each_with, strict=True)]
    return connection.execute(statement, rows).rowcount if rows else 0


def attempts_of(connection: Connection, message_id: int) -> Sequence[RowMapping]:
    """Every hand-over of a message that has ended, first to last."""
    statement = (
        select(attempts).where(attempts.c.message_id == message_id).order_by(attempts.c.number)
    )
    return connection.execute(statement).mappings().all()
