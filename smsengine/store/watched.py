"""Named statements on ``watched``: since when the clock looks after a job, what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.store.fitting import storable
from smsengine.store.service_tables import watched


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A row of ``watched``. ``waits_for`` is a period whose run cannot be planned yet.

    ``times`` are the job's times in words, by which a change is noticed.
    """

    job: str
    since: datetime
    times: str
    waits_for: str | None
    waits_because: str


def _watched(row: RowMapping) -> Watched:
    return Watched(**dict(row))


def all_jobs(connection: Connection) -> Mapping[str, Watched]:
    """Every job that was ever looked after, by its name."""
    return {row["job"]: _watched(row) for row in connection.execute(select(watched)).mappings()}


def begin(connection: Connection, job: str, *, since: datetime, times: str = "") -> Watched:
    """Look after a job from now on; one that is known keeps its instant."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"job": job, "since": since, "times": times}
    connection.execute(dialect.insert(watched).values(**values).on_conflict_do_nothing())
    statement = select(watched).where(watched.c.job == job)
    return _watched(connection.execute(statement).mappings().one())


def change_times(
    connection: Connection, job: str, *, times: str, since: datetime | None = None
) -> None:
    """Note the times of a job, and since when it is looked after by them where that changes."""
    values = {"times": times} | ({"since": since} if since is not None else {})
    connection.execute(update(watched).where(watched.c.job == job).values(**values))


def begin_anew(connection: Connection, *, since: datetime) -> None:
    """Look after every known job from now on only: what was due before is not sent by the clock."""
    values = {"since": since, "waits_for": None, "waits_because": ""}
    connection.execute(update(watched).values(**values))


def wait(connection: Connection, job: str, *, period: str, because: str) -> None:
    """Note that the run of a period cannot be planned yet, and why."""
    values = {"waits_for": period, "waits_because": storable(because)}
    connection.execute(update(watched).where(watched.c.job == job).values(**values))


def wait_no_more(connection: Connection, job: str) -> None:
    """The run was planned, or is not waited for any more."""
    connection.execute(
        update(watched)
        .where(watched.c.job == job, watched.c.waits_for.is_not(None))
        .values(waits_for=None, waits_because="")
    )
