"""Named statements for whoever only looks: small sums over what is under way.

Each reads a partial index of messages that are in a certain place of their life, or a small table;
none takes a lock, and none reads messages that are settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, literal_column, select

from smsengine.lifecycle import MessageState, RunState
from smsengine.store.tables import messages, runs


class Doubts(NamedTuple):
    """The unknown messages of a gateway: how many, and since when the oldest is in doubt."""

    messages: int
    since: datetime | None


class RunInHand(NamedTuple):
    """A run under way, as far as its row says."""

    id: int
    job: str
    period: str
    messages: int


def run_states(connection: Connection) -> Counter[RunState]:
    """How many runs are in each state."""
    statement = select(runs.c.state, func.count()).group_by(runs.c.state)
    return Counter({RunState(row[0]): row[1] for row in connection.execute(statement)})


def runs_in_hand(connection: Connection) -> Sequence[RunInHand]:
    """Every run that was released and has not ended, oldest first."""
    states = (RunState.RELEASED, RunState.SENDING, RunState.PAUSED)
    statement = select(*(runs.c[name] for name in RunInHand._fields))
    statement = statement.where(runs.c.state.in_(states)).order_by(runs.c.id)
    return [RunInHand(*row) for row in connection.execute(statement)]


def last_finished(connection: Connection) -> Mapping[str, datetime]:
    """When a run of each job last ended; a job of which none has ended is absent."""
    statement = (
        select(runs.c.job, func.max(runs.c.finished_at))
        .where(runs.c.finished_at.is_not(None))
        .group_by(runs.c.job)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def sending(connection: Connection) -> Mapping[str, int]:
    """How many messages each gateway is being given."""
    statement = (
        select(messages.c.gateway, func.count())
        .where(messages.c.state == literal_column(f"'{MessageState.SENDING}'"))
        .group_by(messages.c.gateway)
    )
    return {str(row[0]): row[1] for row in connection.execute(statement)}


def unknown(connection: Connection) -> Mapping[str, Doubts]:
    """The doubts of each gateway that has any."""
    statement = (
        select(messages.c.gateway, func.count(), func.min(messages.c.unknown_since))
        .where(messages.c.state == literal_column(f"'{MessageState.UNKNOWN}'"))
        .group_by(messages.c.gateway)
    )
    return {str(row[0]): Doubts(row[1], row[2]) for row in connection.execute(statement)}
