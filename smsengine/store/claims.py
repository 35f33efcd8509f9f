"""Named statements that claim messages for one worker of one gateway.

A claim marks messages ``sending`` with worker, lease and the number of the hand-over. Nothing may
leave before the surrounding transaction is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    literal_column,
    or_,
    select,
    true,
    update,
)

from smsengine.lifecycle import MessageState, RunState
from smsengine.store.messages import reference
from smsengine.store.outbox import Repeats
from smsengine.store.tables import Instant, messages, runs

#: How long a claim is believed without a word from its worker.
LEASE = timedelta(minutes=5)


class Claimed(NamedTuple):
    """A message that a worker holds: it may go to the gateway once."""

    id: int
    run_id: int
    place: int
    dedup_key: bytes
    revision: int
    address: str
    network: str
    text: str
    segments: int
    attempt: int
    burnt: int
    due_at: datetime
    unknown_since: datetime | None
    template: str | None = None
    #: This gateway alone may take it, since others of its route refused our name.
    pinned: bool = False

    @property
    def reference(self) -> str:
        """Our name for it at the gateway: stable over retries, 35 safe characters."""
        return reference(self.dedup_key, self.revision)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a run's messages: some networks, and of ``whole`` shares those in ``[low, high)``.

    Shares are dealt by place, so that every machine deals them alike.
    """

    networks: tuple[str, ...] = ()
    except_networks: tuple[str, ...] = ()
    whole: int = 1
    low: int = 0
    high: int = 1

    def condition(self) -> ColumnElement[bool]:
        """What a message's row must satisfy."""
        found: ColumnElement[bool] = true()
        if self.networks:
            found &= messages.c.network.in_(self.networks)
        if self.except_networks:
            found &= messages.c.network.not_in(self.except_networks)
        if (self.low, self.high) != (0, self.whole):
            share = messages.c.place % self.whole
            found &= (share >= self.low) & (share < self.high)
        return found


#: The whole of a run.
WHOLE = (Part(),)


@lru_cache(maxsize=256)
def _claim_statement(parts: tuple[Part, ...] | None) -> Any:
    """Claim what is free within parts of a run, or, without parts, what is pinned to a gateway.

    A subquery in the form of a CTE: PostgreSQL may evaluate a bare ``IN (SELECT … LIMIT)`` again
    and claim more than the limit.
    """
    waits = [
        messages.c.run_id == bindparam("run"),
        messages.c.state == literal_column(f"'{MessageState.QUEUED}'"),
        messages.c.place > bindparam("after"),
        messages.c.place <= bindparam("upto"),
        messages.c.due_at <= bindparam("now", type_=Instant),
    ]
    if parts is None:
        waits.append(messages.c.gateway == bindparam("lane"))
    else:
        waits.append(messages.c.gateway.is_(None))
        if parts != WHOLE:
            waits.append(or_(*(part.condition() for part in parts)))
    picked = (
        select(messages.c.id)
        .where(*waits)
        .order_by(messages.c.place)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    return (
        update(messages)
        .where(messages.c.id.in_(select(picked.c.id)))
        .values(
            state=MessageState.SENDING,
            worker=bindparam("claimer"),
            lease_until=bindparam("until", type_=Instant),
            attempt=messages.c.attempt + 1,
            gateway=bindparam("lane"),
        )
        .returning(*_RETURNED)
    )


_RETURNED = tuple(messages.c[name] for name in Claimed._fields if name != "pinned")


def claim(
    connection: Connection,
    *,
    run_id: int,
    upto: int,
    gateway: str,
    worker: str,
    now: datetime,
    limit: int,
    parts: tuple[Part, ...] | None = WHOLE,
    after: int = 0,
) -> list[Claimed]:
    """Take the next messages of a run for one worker, in the order of their places.

    Locks the picked rows only; rows that another worker is picking are passed over. Nothing may
    be sent before the surrounding transaction is committed. ``parts`` are the parts of the run
    that this gateway serves, None stands for what is pinned to it; ``after`` and ``upto`` are
    places.
    """
    values = {
        "run": run_id,
        "after": after,
        "upto": upto,
        "now": now,
        "most": limit,
        "claimer": worker,
        "until": now + LEASE,
        "lane": gateway,
    }
    taken = connection.execute(_claim_statement(parts), values).all()
    pinned = parts is None
    claimed = [Claimed._make((*row, pinned)) for row in taken]
    claimed.sort(key=attrgetter("place"))
    return claimed


def claim_repeats(
    connection: Connection,
    *,
    gateway: str,
    worker: str,
    now: datetime,
    repeats: Repeats,
    limit: int,
) -> list[Claimed]:
    """Take messages in doubt that their gateway surely does not send twice."""
    may_go = select(runs.c.id).where(runs.c.state.in_([RunState.SENDING, RunState.FINISHED]))
    picked = (
        select(messages.c.id)
        .where(
            messages.c.state == literal_column(f"'{MessageState.UNKNOWN}'"),
            messages.c.gateway == gateway,
            messages.c.due_at <= now,
            repeats.condition(),
            messages.c.run_id.in_(may_go),
        )
        .order_by(messages.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    statement = (
        update(messages)
        .where(messages.c.id.in_(select(picked.c.id)))
        .values(
            state=MessageState.SENDING,
            worker=worker,
            lease_until=now + LEASE,
            attempt=messages.c.attempt + 1,
        )
        .returning(*_RETURNED)
    )
    return [Claimed(*row) for row in connection.execute(statement)]
