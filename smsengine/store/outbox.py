"""Named statements on what is under way: what waits, what is in doubt, what is withdrawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    update,
)

from smsengine.errors import LifecycleError
from smsengine.lifecycle import MessageState, RunState, may_move_message
from smsengine.store.fitting import slices
from smsengine.store.known import is_withdrawn
from smsengine.store.messages import CARRIERS_ROW, UNSETTLED
from smsengine.store.tables import messages, runs
from smsengine.waves import LAST_PLACE


def _is(state: MessageState) -> ColumnElement[bool]:
    """A state as a constant: only then do the partial indexes serve."""
    return messages.c.state == literal_column(f"'{state}'")


#: The conditions of the partial indexes ``queue``, ``pinned`` and ``sending``.
_FREE = and_(_is(MessageState.QUEUED), messages.c.gateway.is_(None))
_PINNED = and_(_is(MessageState.QUEUED), messages.c.gateway.is_not(None))
_SENDING = _is(MessageState.SENDING)


def waits(connection: Connection, run_id: int, *, upto: int = LAST_PLACE) -> bool:
    """Say whether any message of a run up to a place waits or is being sent.

    One statement: between two a message could go unseen from one place to the other.
    """
    places = (
        exists().where(of_run, place, messages.c.place <= upto) for of_run, place in _places(run_id)
    )
    return bool(connection.execute(select(or_(*places))).scalar())


def _places(run_id: int) -> list[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """Where messages of a run wait or are being sent.

    ``run_id + 0`` is no column of an index: few messages are pinned or being sent, and without it
    SQLite reads all the others of the run instead (measured: 25 ms for each 100,000).
    """
    of_run, few = messages.c.run_id == run_id, messages.c.run_id + 0 == run_id
    return [(of_run, _FREE), (few, _PINNED), (few, _SENDING)]


def waits_elsewhere(
    connection: Connection, run_id: int, *, upto: int, gateways: Sequence[str]
) -> bool:
    """Say whether any message of a run up to a place may still be taken by others than these."""
    (of_run, free), (few, pinned), (_, sending) = _places(run_id)
    others = and_(few, or_(and_(pinned, messages.c.gateway.not_in(gateways)), sending))
    released = messages.c.place <= upto
    places = (exists().where(of_run, free, released), exists().where(others, released))
    return bool(connection.execute(select(or_(*places))).scalar())


def count_waiting(connection: Connection, run_id: int) -> int:
    """How many messages of a run wait or are being sent."""
    return sum(
        int(connection.execute(select(func.count()).where(of_run, place)).scalar_one())
        for of_run, place in _places(run_id)
    )


def states_upto(connection: Connection, run_id: int, upto: int) -> Counter[MessageState]:
    """How many messages of a run up to a place are in each state."""
    statement = (
        select(messages.c.state, func.count())
        .where(messages.c.run_id == run_id, messages.c.place <= upto)
        .group_by(messages.c.state)
    )
    return Counter({MessageState(row[0]): row[1] for row in connection.execute(statement)})


class Doubt(NamedTuple):
    """A message of which nobody knows whether its gateway has it."""

    id: int
    run_id: int
    dedup_key: bytes
    revision: int
    attempt: int
    worker: str | None
    unknown_since: datetime | None


def _has_newer(table: FromClause) -> ColumnElement[bool]:
    """A newer edition was made on purpose, and was not withdrawn."""
    newer = messages.alias()
    return exists().where(
        newer.c.dedup_key == table.c.dedup_key,
        newer.c.revision > table.c.revision,
        ~is_withdrawn(newer),
    )


def _replaced() -> ColumnElement[bool]:
    """There is a newer edition of a message, or of one of those that it tells together.

    Planning again tells the others of these.
    """
    told = messages.alias()
    newer = exists().where(told.c.carrier_id == messages.c.id, _has_newer(told))
    is_carrier = messages.c.row_number == CARRIERS_ROW
    return or_(_has_newer(messages), and_(is_carrier, newer))


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeats:
    """Which messages in doubt may be handed over again: a gateway surely does not send them twice.

    Their first hand-over began after ``since``, fewer than ``burnt_below`` attempts count, and
    nobody has made a newer edition of them, which is sent in their place.
    """

    since: datetime
    burnt_below: int

    def condition(self) -> ColumnElement[bool]:
        """What a message's row must satisfy."""
        young = messages.c.unknown_since > self.since
        return and_(young, messages.c.burnt < self.burnt_below, not_(_replaced()))


def doubts_due(
    connection: Connection, gateway: str, *, now: datetime, repeats: Repeats | None, limit: int
) -> Sequence[Doubt]:
    """Unknown messages of a gateway about which it is time to ask, oldest question first.

    Those that can be repeated are not asked about: the repeat answers the question.
    """
    statement = (
        select(*(messages.c[name] for name in Doubt._fields))
        .where(_is(MessageState.UNKNOWN), messages.c.gateway == gateway, messages.c.due_at <= now)
        .order_by(messages.c.due_at)
        .limit(limit)
    )
    if repeats is not None:
        statement = statement.where(not_(repeats.condition()))
    return [Doubt(*row) for row in connection.execute(statement)]


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDoubts:
    """Doubts of a gateway that will be settled, or at least asked about, soon."""

    gateway: str
    due_by: datetime
    can_query: bool
    repeats: Repeats | None


def open_doubts(connection: Connection, run_id: int, soon: OpenDoubts) -> set[int]:
    """The messages of a run in doubt that will be settled, or asked about, soon."""
    conditions = [
        _is(MessageState.UNKNOWN),
        messages.c.gateway == soon.gateway,
        messages.c.run_id == run_id,
        messages.c.due_at <= soon.due_by,
    ]
    if not soon.can_query and soon.repeats is not None:
        conditions.append(soon.repeats.condition())
    return set(connection.execute(select(messages.c.id).where(*conditions)).scalars())


def unknown_ids(connection: Connection, run_id: int) -> Sequence[int]:
    """The unknown messages of a run, in the order of their places."""
    statement = (
        select(messages.c.id)
        .where(_is(MessageState.UNKNOWN), messages.c.run_id == run_id)
        .order_by(messages.c.place)
    )
    return connection.execute(statement).scalars().all()


def run_counts(connection: Connection, message_ids: Sequence[int]) -> Counter[int]:
    """How many of these messages belong to each run."""
    statement = (
        select(messages.c.run_id, func.count())
        .where(messages.c.id.in_(message_ids))
        .group_by(messages.c.run_id)
    )
    return Counter({row[0]: row[1] for row in connection.execute(statement)})


def ask_again(connection: Connection, message_ids: Sequence[int], at: datetime) -> None:
    """Put off the next question about messages that are still unknown."""
    connection.execute(
        update(messages)
        .where(messages.c.id.in_(message_ids), _is(MessageState.UNKNOWN))
        .values(due_at=at)
    )


def resolve(
    connection: Connection,
    message_ids: Sequence[int],
    after: MessageState,
    *,
    now: datetime,
    attempt: int | None = None,
    **values: Any,
) -> list[int]:
    """Move unknown messages on by proof, where the law allows it; they are in doubt no more.

    Those that wait again may go to any gateway. ``attempt`` is the hand-over that the proof is
    about: it says nothing of a later one.

    Returns:
        The ids of those that moved.

    Raises:
        LifecycleError: nothing unknown may become that.
    """
    if after is MessageState.SENDING or not may_move_message(MessageState.UNKNOWN, after):
        raise LifecycleError(f"An unknown message cannot become {after} by proof.")
    if after is MessageState.QUEUED:
        values |= {"gateway": None, "due_at": now}
    statement = (
        update(messages)
        .where(
            messages.c.id.in_(message_ids),
            _is(MessageState.UNKNOWN),
            true() if attempt is None else messages.c.attempt == attempt,
        )
        .values(
            state=after,
            worker=None,
            lease_until=None,
            unknown_since=None,
            settled_at=None if after in UNSETTLED else now,
            **values,
        )
        .returning(messages.c.id)
    )
    return list(connection.execute(statement).scalars())


def take_back(connection: Connection, message_ids: Sequence[int], *, now: datetime) -> None:
    """Look after those of these messages that have just come back into the queue.

    Some must not be sent any more and are withdrawn: their run was cancelled, or a newer edition of
    them was made on purpose. For the others a run that had ended goes on. Locks their runs: who
    ends or cancels one at the same moment would not see what has only just come back.
    """
    if not message_ids:
        return
    theirs = select(messages.c.run_id).where(messages.c.id.in_(message_ids))
    connection.execute(
        select(runs.c.id)
        .where(runs.c.id.in_(theirs))
        .order_by(runs.c.id)
        .with_for_update(key_share=True)
    )
    cancelled = select(runs.c.id).where(runs.c.state == RunState.CANCELLED)
    waits = and_(messages.c.id.in_(message_ids), _is(MessageState.QUEUED))
    connection.execute(
        update(messages)
        .where(waits, or_(messages.c.run_id.in_(cancelled), _replaced()))
        .values(state=MessageState.CANCELLED, settled_at=now)
    )
    left = select(messages.c.run_id).where(waits)
    connection.execute(
        update(runs)
        .where(runs.c.id.in_(left), runs.c.state == RunState.FINISHED)
        .values(state=RunState.SENDING, finished_at=None)
    )


def _end_queued(connection: Connection, run_id: int, after: MessageState, *, now: datetime) -> int:
    ended = 0
    for of_run, place in _places(run_id)[:2]:
        statement = update(messages).where(of_run, place)
        ended += connection.execute(statement.values(state=after, settled_at=now)).rowcount
    return ended


def cancel_queued(connection: Connection, run_id: int, *, now: datetime) -> int:
    """Withdraw every message of a run that has not been handed over; returns how many."""
    return _end_queued(connection, run_id, MessageState.CANCELLED, now=now)


def leave_alone(
    connection: Connection, addresses: Sequence[str], *, owner: str | None, code: str, now: datetime
) -> int:
    """Withdraw what waits in runs under way for phones that are to be left alone; how many.

    Args:
        connection: a transaction that writes.
        addresses: the phones.
        owner: in whose runs; None for everybody's.
        code: why.
        now: when (UTC).
    """
    states = (RunState.RELEASED, RunState.SENDING, RunState.PAUSED)
    under_way = select(runs.c.id).where(runs.c.state.in_(states))
    if owner is not None:
        under_way = under_way.where(runs.c.owner == owner)
    withdrawn = 0
    for some in slices(addresses):
        statement = update(messages).where(
            messages.c.run_id.in_(under_way),
            _is(MessageState.QUEUED),
            messages.c.address.in_(some),
        )
        values = {"state": MessageState.CANCELLED, "code": code, "settled_at": now}
        withdrawn += connection.execute(statement.values(**values)).rowcount
    return withdrawn


def expire_queued(connection: Connection, run_id: int, *, now: datetime) -> int:
    """End every message of a run that was not handed over while it was valid; how many."""
    return _end_queued(connection, run_id, MessageState.EXPIRED, now=now)


def may_hear_more(connection: Connection, run_id: int) -> bool:
    """Say whether a run holds messages of which the gateway may have more to say."""
    open_states = [
        MessageState.QUEUED,
        MessageState.SENDING,
        MessageState.UNKNOWN,
        MessageState.ACCEPTED,
    ]
    statement = select(
        exists().where(messages.c.run_id == run_id, messages.c.state.in_(open_states))
    )
    return bool(connection.execute(statement).scalar())


#: How long after its first failure an unknown message is asked about: a third of its age, within
#: these bounds.
_SOONEST, _LATEST = timedelta(seconds=20), timedelta(minutes=15)


def next_question(unknown_since: datetime | None, now: datetime) -> datetime:
    """When to ask again about a message that stays unknown; the older, the more rarely."""
    age = now - (unknown_since or now)
    return now + min(max(age / 3, _SOONEST), _LATEST)
