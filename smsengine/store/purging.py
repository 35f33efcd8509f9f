"""Named statements that take personal data out of runs that ended long ago.

Text, subject and address of a message become empty, and so does what was said about it in words;
nothing that planning writes is ever empty, so an empty subject marks a purged row. Keyed hashes,
states, counts, places, networks, segments and the gateway's codes and names stay: accounts tie, and
whoever was told is not told again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from smsengine.lifecycle import MessageState, RunState
from smsengine.store import parts, receipts
from smsengine.store.tables import attempts, events, messages, runs, skips

#: What is written into a run's history when nothing personal is left in it.
PURGED = "purged"
#: A run in one of these states is never sent again, except for what is unknown in it.
_ENDED = (RunState.FINISHED, RunState.CANCELLED, RunState.MISSED)
#: The fate of these messages may still change the ledger, or is sent: their texts are needed.
_OPEN = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutoffs:
    """What ended before these instants has been kept long enough; None: it is kept."""

    texts: datetime | None
    skips: datetime | None

    def of(self, ended: datetime) -> Cutoffs:
        """The same for a run that ended then: what is not due of it is kept."""

        def due(cutoff: datetime | None) -> datetime | None:
            return cutoff if cutoff is not None and ended < cutoff else None

        return Cutoffs(texts=due(self.texts), skips=due(self.skips))


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What a run still holds: rows that may be purged now, and messages of an open fate."""

    messages: int
    skips: int
    open: int


_ended_at = func.coalesce(runs.c.finished_at, runs.c.sealed_at, runs.c.created_at)


def due(connection: Connection, cutoffs: Cutoffs) -> Sequence[int]:
    """Runs that ended long enough ago and still hold something personal, oldest first."""
    given = [each for each in (cutoffs.texts, cutoffs.skips) if each is not None]
    if not given:
        return ()
    done = exists().where(events.c.run_id == runs.c.id, events.c.what == PURGED)
    ended = and_(runs.c.state.in_(_ENDED), _ended_at < max(given))
    statement = select(runs.c.id).where(ended, ~done).order_by(runs.c.id)
    return connection.execute(statement).scalars().all()


def ended(connection: Connection, run_id: int, *, locked: bool = False) -> datetime | None:
    """When a run ended; None when it goes on. ``locked``: it stays ended in this transaction."""
    statement = select(_ended_at).where(runs.c.id == run_id, runs.c.state.in_(_ENDED))
    statement = statement.with_for_update() if locked else statement
    found: datetime | None = connection.execute(statement).scalar()
    return found


def begin(connection: Connection, run_id: int, at: datetime) -> None:
    """Write down that a run's texts are not all there any more, before the first one goes."""
    connection.execute(
        update(runs).where(runs.c.id == run_id, runs.c.purged_at.is_(None)).values(purged_at=at)
    )


def _holds_more(run_id: int) -> ColumnElement[bool]:
    """A message that is not purged; ``ix_messages_run_subject`` finds it behind those that are."""
    return and_(messages.c.run_id == run_id, messages.c.subject > "")


def _is_settled(cutoff: datetime) -> ColumnElement[bool]:
    return and_(messages.c.state.not_in(_OPEN), messages.c.settled_at < cutoff)


def _holds_skips(run_id: int) -> ColumnElement[bool]:
    return and_(skips.c.run_id == run_id, or_(skips.c.subject > "", skips.c.detail > ""))


def left(connection: Connection, run_id: int, cutoffs: Cutoffs) -> Left:
    """Count what a run that ended long enough ago still holds."""

    def count(*conditions: ColumnElement[bool]) -> int:
        return int(connection.execute(select(func.count()).where(*conditions)).scalar_one())

    texts = cutoffs.texts
    return Left(
        messages=count(_holds_more(run_id), _is_settled(texts)) if texts is not None else 0,
        skips=count(_holds_skips(run_id)) if cutoffs.skips is not None else 0,
        open=count(_holds_more(run_id), messages.c.state.in_(_OPEN)),
    )


def empty_messages(connection: Connection, run_id: int, cutoff: datetime, *, limit: int) -> int:
    """Purge some messages of a run, with what was said of their hand-overs.

    Rows that somebody else is changing are passed over, so nobody waits for anybody.

    Returns:
        How many were purged.
    """
    picked = (
        select(messages.c.id)
        .where(_holds_more(run_id), _is_settled(cutoff))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    statement = (
        update(messages)
        .where(messages.c.id.in_(select(picked.c.id)))
        .values(text="", subject="", address="", template=None, line=None, detail=None)
        .returning(messages.c.id)
    )
    ids = connection.execute(statement).scalars().all()
    if ids:
        connection.execute(
            update(attempts)
            .where(attempts.c.message_id.in_(ids), attempts.c.detail.is_not(None))
            .values(detail=None)
        )
        receipts.forget_raw(connection, ids)
        parts.forget(connection, ids)
    return len(ids)


def empty_skips(connection: Connection, run_id: int, *, limit: int) -> int:
    """Purge some skipped rows of a run; returns how many."""
    picked = select(skips.c.id).where(_holds_skips(run_id)).limit(limit).cte("picked")
    statement = (
        update(skips)
        .where(skips.c.id.in_(select(picked.c.id)))
        .values(subject="", detail="")
        .returning(skips.c.id)
    )
    return len(connection.execute(statement).all())


def is_empty(connection: Connection, run_id: int) -> bool:
    """Say whether nothing personal is left in a run's messages and skips."""
    more = or_(exists().where(_holds_more(run_id)), exists().where(_holds_skips(run_id)))
    return not connection.execute(select(more)).scalar()


def reword(connection: Connection, run_id: int, change: Callable[[str], str]) -> None:
    """Change what people wrote about a run: its reasons, and the words of its history."""
    row = connection.execute(select(runs.c.reason, runs.c.held_because).where(runs.c.id == run_id))
    told = row.mappings().one()
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values({name: change(said) for name, said in told.items()})
    )
    found = select(events.c.id, events.c.detail).where(events.c.run_id == run_id)
    for event_id, said in connection.execute(found).all():
        if change(said) != said:
            connection.execute(
                update(events).where(events.c.id == event_id).values(detail=change(said))
            )


def overwrite_freed(connection: Connection) -> None:
    """Have SQLite overwrite what it frees; on PostgreSQL old rows go with the next vacuum."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
