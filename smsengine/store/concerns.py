"""Named statements that only read: what a person should look at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    literal_column,
    or_,
    select,
)

from smsengine.lifecycle import MessageState, RunKind, RunState
from smsengine.store import runs as stored
from smsengine.store.runs import Run
from smsengine.store.tables import messages, runs

_OPEN = (
    RunState.PLANNING,
    RunState.PLANNED,
    RunState.HELD,
    RunState.RELEASED,
    RunState.SENDING,
    RunState.PAUSED,
)
_NEVER_SENT = (RunState.PLANNING, RunState.MISSED, RunState.CANCELLED)


def _is(state: MessageState) -> ColumnElement[bool]:
    """A state as a constant: only then do the partial indexes serve."""
    return messages.c.state == literal_column(f"'{state}'")


def _of_numbers(connection: Connection, found: Sequence[int]) -> list[Run]:
    return [run for each in found if (run := stored.get(connection, each)) is not None]


def in_states(connection: Connection, *states: RunState) -> Sequence[Run]:
    """Every run in one of these states, oldest first."""
    statement = select(runs.c.id).where(runs.c.state.in_(states)).order_by(runs.c.id)
    return _of_numbers(connection, connection.execute(statement).scalars().all())


def touched_since(connection: Connection, since: datetime) -> Sequence[Run]:
    """Every run that is not over, and those that began or ended after an instant."""
    touched = or_(runs.c.state.in_(_OPEN), runs.c.created_at > since, runs.c.finished_at > since)
    statement = select(runs.c.id).where(touched).order_by(runs.c.id)
    return _of_numbers(connection, connection.execute(statement).scalars().all())


class Waiting(NamedTuple):
    """Messages of one run and gateway that have waited for a word, the oldest since then."""

    run_id: int
    gateway: str
    number: int
    since: datetime


def unknowns(connection: Connection, *, before: datetime) -> Sequence[Waiting]:
    """Messages that have been unknown since before an instant.

    Reads ``ix_messages_unknown`` only, and those few rows.
    """
    since = func.coalesce(messages.c.unknown_since, messages.c.due_at)
    statement = (
        select(
            messages.c.run_id,
            func.coalesce(messages.c.gateway, ""),
            func.count(),
            func.min(since),
        )
        .where(_is(MessageState.UNKNOWN), since <= before)
        .group_by(messages.c.run_id, messages.c.gateway)
        .order_by(messages.c.run_id, messages.c.gateway)
    )
    return [Waiting(*row) for row in connection.execute(statement)]


def without_receipt(
    connection: Connection, gateways: Collection[str], *, after: datetime, before: datetime
) -> Sequence[Waiting]:
    """Messages that gateways accepted before an instant and of which they said no more.

    Only runs that were made after another instant count. Reads all their messages: once a day.
    """
    recent = select(runs.c.id).where(runs.c.created_at > after)
    statement = (
        select(messages.c.run_id, messages.c.gateway, func.count(), func.min(messages.c.settled_at))
        .where(
            messages.c.run_id.in_(recent),
            _is(MessageState.ACCEPTED),
            messages.c.gateway.in_(gateways),
            messages.c.settled_at <= before,
        )
        .group_by(messages.c.run_id, messages.c.gateway)
        .order_by(messages.c.run_id, messages.c.gateway)
    )
    return [Waiting(*row) for row in connection.execute(statement)]


def count_due(connection: Connection, run_id: int, *, upto: int, now: datetime) -> int:
    """How many messages of a run, up to a place, might be handed over at once.

    ``run_id + 0`` is no column of an index: few messages are pinned to a gateway.
    """
    due = and_(_is(MessageState.QUEUED), messages.c.place <= upto, messages.c.due_at <= now)
    places = (
        and_(messages.c.run_id == run_id, messages.c.gateway.is_(None)),
        and_(messages.c.run_id + 0 == run_id, messages.c.gateway.is_not(None)),
    )
    counted = (select(func.count()).select_from(messages).where(due, place) for place in places)
    return sum(int(connection.execute(each).scalar_one()) for each in counted)


def last_cost(connection: Connection, job: str) -> int | None:
    """What the newest whole run of a job cost, in đồng; None before there was one."""
    statement = (
        select(runs.c.cost)
        .where(runs.c.job == job, runs.c.kind == RunKind.REGULAR, runs.c.state.not_in(_NEVER_SENT))
        .order_by(runs.c.id.desc())
    )
    return connection.execute(statement.limit(1)).scalar()
