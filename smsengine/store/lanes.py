"""Named statements on ``lanes``: what all machines share about one gateway.

Instants are seconds since 1970 by the database's clock: PostgreSQL's own, and on SQLite, which
lives on one machine, that machine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Float,
    RowMapping,
    bindparam,
    case,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.lifecycle import BreakerState
from smsengine.store.tables import lanes

#: A reservation further ahead than this, and than so many stretches, was made by a clock that was
#: wrong; a rest that the gateway asked for may be as long as a day.
_FARTHEST_SECONDS = 60.0
_MOST_STRETCHES = 20
_LONGEST_REST_SECONDS = 86_400.0
#: A breaker that is to stay open for longer was opened by a clock that was wrong.
LONGEST_OPEN_SECONDS = 660.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneRow:
    """What all machines know about one gateway."""

    gateway: str
    next_at: float = 0.0
    speed: float = 1.0
    slowed_at: float = 0.0
    rest_until: float = 0.0
    breaker: BreakerState = BreakerState.CLOSED
    failures: int = 0
    trips: int = 0
    open_until: float = 0.0
    paused_because: str = ""

    def rests(self, now: float) -> bool:
        """Say whether the gateway was promised a rest, unless a wrong clock promised it."""
        is_likely = (
            self.slowed_at <= now and self.rest_until <= self.slowed_at + _LONGEST_REST_SECONDS
        )
        return now < self.rest_until and is_likely


def _lane(row: RowMapping) -> LaneRow:
    values = dict(row)
    return LaneRow(**{**values, "breaker": BreakerState(row["breaker"])})


_DATABASE_CLOCK = func.extract("epoch", func.clock_timestamp())


def database_now(connection: Connection, now: float) -> ColumnElement[Any]:
    """The present as the database sees it, at the moment a row is written."""
    return literal(now) if connection.dialect.name == "sqlite" else _DATABASE_CLOCK


def present(connection: Connection, now: float) -> float:
    """The database's clock; on SQLite that is this machine's, ``now``."""
    if connection.dialect.name == "sqlite":
        return now
    return float(connection.execute(select(database_now(connection, now))).scalar_one())


def ensure(connection: Connection, gateway: str) -> None:
    """Make the row of a gateway that is used for the first time."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(lanes).values(gateway=gateway).on_conflict_do_nothing())


def get(connection: Connection, gateway: str) -> LaneRow:
    """What is known about one gateway; a gateway that was never used is in order."""
    statement = select(lanes).where(lanes.c.gateway == gateway)
    row = connection.execute(statement).mappings().one_or_none()
    return _lane(row) if row is not None else LaneRow(gateway=gateway)


def all_known(connection: Connection) -> Sequence[LaneRow]:
    """What is known about every gateway that was ever used, by name."""
    statement = select(lanes).order_by(lanes.c.gateway)
    return [_lane(row) for row in connection.execute(statement).mappings()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """A stretch of a gateway's time: it begins so many seconds from now."""

    wait_seconds: float
    end: float
    speed: float
    slowed_at: float
    now: float


@cache
def _reserve_statement(dialect: str) -> Executable:
    def number(name: str) -> Any:
        return bindparam(name, type_=Float)

    present = number("now") if dialect == "sqlite" else _DATABASE_CLOCK
    unused = (lanes.c.next_at == number("unused_end"), number("unused_start"))
    free = case(unused, else_=lanes.c.next_at)
    is_near = free <= present + number("farthest")
    is_rest = (lanes.c.slowed_at <= present) & (free <= lanes.c.slowed_at + _LONGEST_REST_SECONDS)
    begins = case(((free >= present) & (is_near | is_rest), free), else_=present)
    return (
        update(lanes)
        .where(lanes.c.gateway == bindparam("lane"))
        .values(next_at=begins + number("stretch"))
        .returning(lanes.c.next_at, lanes.c.speed, lanes.c.slowed_at, present.label("present"))
    )


def reserve(
    connection: Connection,
    gateway: str,
    *,
    seconds: float,
    now: float,
    unused: tuple[float, float] = (0.0, 0.0),
) -> Reserved:
    """Take the next stretch of a gateway's time for one worker: one UPDATE, exact over machines.

    ``now`` is this machine's clock, which counts on SQLite. ``unused`` is what is left of the
    stretch that the worker had before, from and to: when nobody has reserved since, it is given
    back.
    """
    values = {
        "lane": gateway,
        "now": now,
        "stretch": seconds,
        "farthest": _FARTHEST_SECONDS + _MOST_STRETCHES * seconds,
        "unused_start": unused[0],
        "unused_end": unused[1],
    }
    row = connection.execute(_reserve_statement(connection.dialect.name), values).one()
    clock = float(row.present)
    return Reserved(
        wait_seconds=row.next_at - seconds - clock,
        end=row.next_at,
        speed=row.speed,
        slowed_at=row.slowed_at,
        now=clock,
    )


def slow(
    connection: Connection, gateway: str, *, speed: float, now: float, rest_seconds: float
) -> None:
    """Go on at a share of the contract's rate, after a rest."""
    present = database_now(connection, now)
    rested = present + rest_seconds
    connection.execute(
        update(lanes)
        .where(lanes.c.gateway == gateway)
        .values(
            speed=speed,
            slowed_at=present,
            rest_until=rested,
            next_at=case((lanes.c.next_at < rested, rested), else_=lanes.c.next_at),
        )
    )


def set_breaker(
    connection: Connection,
    gateway: str,
    *,
    state: BreakerState,
    failures: int,
    trips: int,
    open_until: float,
) -> None:
    """Write down whether a gateway is trusted."""
    connection.execute(
        update(lanes)
        .where(lanes.c.gateway == gateway)
        .values(breaker=state, failures=failures, trips=trips, open_until=open_until)
    )


def begin_probe(connection: Connection, gateway: str, *, now: float, until: float) -> bool:
    """Let one worker of all machines try a gateway that was away; False when another one does.

    ``now`` is the database's clock. The next one may try after ``until``, should this one never
    say how it ended.
    """
    statement = (
        update(lanes)
        .where(
            lanes.c.gateway == gateway,
            lanes.c.breaker != BreakerState.CLOSED,
            (lanes.c.open_until <= now) | (lanes.c.open_until > now + LONGEST_OPEN_SECONDS),
        )
        .values(breaker=BreakerState.HALF_OPEN, open_until=until)
    )
    return connection.execute(statement).rowcount == 1


def pause(connection: Connection, gateway: str, because: str) -> None:
    """Send nothing more through a gateway until a person has looked."""
    connection.execute(
        update(lanes).where(lanes.c.gateway == gateway).values(paused_because=because)
    )


def resume(connection: Connection, gateway: str) -> bool:
    """Send again through a gateway, which is trusted anew; False when it was not stopped."""
    stopped = (lanes.c.paused_because != "") | (lanes.c.breaker != BreakerState.CLOSED)
    statement = (
        update(lanes)
        .where(lanes.c.gateway == gateway, stopped)
        .values(paused_because="", breaker=BreakerState.CLOSED, failures=0, trips=0, open_until=0.0)
    )
    return connection.execute(statement).rowcount == 1
