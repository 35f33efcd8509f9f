"""Named statements on phones that serve many subjects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from smsengine.lifecycle import MessageState
from smsengine.store.fitting import slices
from smsengine.store.messages import take_out
from smsengine.store.tables import messages, runs


class Nth(NamedTuple):
    """A message of a run, and the how many-eth for its address it is, from 1."""

    id: int
    address: str
    nth: int


def beyond(connection: Connection, run_id: int, most: int) -> Iterator[Nth]:
    """The messages of a run that are more than the first so many for their address, by place."""
    nth = func.row_number().over(partition_by=messages.c.address, order_by=messages.c.place)
    ranked = (
        select(messages.c.id, messages.c.address, nth.label("nth"))
        .where(messages.c.run_id == run_id)
        .subquery()
    )
    statement = select(ranked).where(ranked.c.nth > most).order_by(ranked.c.id)
    return (Nth(*row) for row in connection.execute(statement))


def told_addresses(
    connection: Connection, topic: str, period: str, *, except_run: int
) -> Iterator[str]:
    """The addresses of a topic's messages about a period, once for each subject told."""
    statement = (
        select(messages.c.address)
        .join(runs, runs.c.id == messages.c.run_id)
        .where(
            runs.c.topic == topic,
            runs.c.period == period,
            runs.c.id != except_run,
            messages.c.state != MessageState.CANCELLED,
        )
        .group_by(messages.c.address, messages.c.subject)
    )
    return iter(connection.execute(statement).scalars())


def take(connection: Connection, message_ids: Sequence[int]) -> Iterator[Sequence[Any]]:
    """Take messages out of a run that is still being planned, some at a time; see ``take_out``."""
    for some in slices(message_ids):
        yield take_out(connection, messages.c.id.in_(some))
