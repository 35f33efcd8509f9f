"""Named statements on ``alarms``: what a person must be told, once, and whether it was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.lifecycle import Grade
from smsengine.store.fitting import fitted, storable
from smsengine.store.service_tables import alarms

#: What is put off for longer than this was put off by a clock that was wrong.
_FARTHEST = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """A row of ``alarms``. ``told_at`` is None while nobody was told."""

    id: int
    key: str
    at: datetime
    grade: Grade
    text: str
    told_at: datetime | None
    tries: int
    due_at: datetime


def _alarm(row: RowMapping) -> Alarm:
    values = dict(row)
    return Alarm(**{**values, "grade": Grade(row["grade"])})


def sound(connection: Connection, *, key: str, at: datetime, grade: Grade, text: str) -> bool:
    """Have a person told, once for each key, e.g. ``missed c12-statement 2019-06``.

    Returns:
        False when it was sounded before.
    """
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = (
        dialect.insert(alarms)
        .values(key=fitted(alarms.c.key, key), at=at, grade=grade, text=storable(text), due_at=at)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(alarms.c.id)
    )
    return connection.execute(statement).scalar_one_or_none() is not None


def untold(connection: Connection, *, now: datetime, limit: int = 50) -> Sequence[Alarm]:
    """What is to be told by now, oldest first."""
    statement = (
        select(alarms)
        .where(
            alarms.c.told_at.is_(None),
            or_(alarms.c.due_at <= now, alarms.c.due_at > now + _FARTHEST),
        )
        .order_by(alarms.c.id)
        .limit(limit)
    )
    return [_alarm(row) for row in connection.execute(statement).mappings()]


def told(connection: Connection, alarm_id: int, *, at: datetime) -> None:
    """Note that a person was told."""
    connection.execute(update(alarms).where(alarms.c.id == alarm_id).values(told_at=at))


def put_off(connection: Connection, alarm: Alarm, *, until: datetime) -> bool:
    """Nobody else tells it before then; False when another machine was faster, or told it."""
    statement = (
        update(alarms)
        .where(alarms.c.id == alarm.id, alarms.c.told_at.is_(None), alarms.c.tries == alarm.tries)
        .values(due_at=until, tries=alarms.c.tries + 1)
    )
    return connection.execute(statement).rowcount == 1


def end(connection: Connection, key: str, *, at: datetime) -> bool:
    """What was sounded is over: it is sounded again when it happens anew.

    The row stays, under a key with its number. False when nothing was sounded.
    """
    row = connection.execute(select(alarms.c.id).where(alarms.c.key == key)).one_or_none()
    if row is None:
        return False
    name = fitted(alarms.c.key, f"{row.id} over {at:%Y-%m-%dT%H:%M:%SZ} {key}")
    connection.execute(update(alarms).where(alarms.c.id == row.id).values(key=name))
    return True


def is_sounded(connection: Connection, key: str) -> bool:
    """Say whether it was sounded before."""
    statement = select(alarms.c.id).where(alarms.c.key == fitted(alarms.c.key, key))
    return connection.execute(statement).scalar() is not None


def newest_at(connection: Connection, beginning: str) -> datetime | None:
    """When the newest alarm was sounded whose key begins so."""
    statement = select(alarms.c.at).where(alarms.c.key.startswith(beginning, autoescape=True))
    return connection.execute(statement.order_by(alarms.c.id.desc()).limit(1)).scalar()


def since(connection: Connection, after: datetime) -> Sequence[Alarm]:
    """Everything that was sounded after an instant, oldest first."""
    statement = select(alarms).where(alarms.c.at > after).order_by(alarms.c.id)
    return [_alarm(row) for row in connection.execute(statement).mappings()]


def count_untold(connection: Connection, *, tries: int = 0) -> int:
    """How many alarms wait to be told, of those with which that was tried so often at least."""
    statement = (
        select(func.count())
        .select_from(alarms)
        .where(alarms.c.told_at.is_(None), alarms.c.tries >= tries)
    )
    return int(connection.execute(statement).scalar_one())
