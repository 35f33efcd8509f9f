"""Named statements on ``runs`` and ``events``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.errors import LifecycleError
from smsengine.lifecycle import MessageState, RunKind, RunState, sources_of_run
from smsengine.store.fitting import fitted, is_possible, require_fit
from smsengine.store.governance_tables import told
from smsengine.store.tables import events, messages, runs, skips
from smsengine.store.turns import take_turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A row of ``runs``; counts are of its own messages only, money is đồng."""

    id: int
    job: str
    topic: str
    owner: str
    period: str
    revision: int
    kind: RunKind
    state: RunState
    reason: str
    gateway: str
    priority: int
    planner: str | None
    planner_until: datetime | None
    released_upto: int
    waves: str
    valid_seconds: int | None
    valid_until: datetime | None
    source_rows: int
    extra_recipients: int
    messages: int
    skips: int
    already_planned: int
    segments: int
    money: int
    cost: int
    manifest: str
    manifest_hash: str
    held_because: str
    created_at: datetime
    sealed_at: datetime | None
    finished_at: datetime | None
    purged_at: datetime | None
    version_id: int | None

    @property
    def label(self) -> str:
        """How a person names it: ``c12-statement 2019-06`` or ``c12-statement 2019-06 r2``."""
        return f"{self.job} {self.period}" + (f" r{self.revision}" if self.revision > 1 else "")


def _run(row: RowMapping) -> Run:
    values = dict(row)
    return Run(**{**values, "kind": RunKind(row["kind"]), "state": RunState(row["state"])})


def insert_planning(connection: Connection, values: dict[str, Any]) -> int | None:
    """Start a run in state ``planning``; None when another planner took this revision first.

    Raises:
        StoreError: a name is longer than the ledger keeps.
    """
    require_fit(runs, values)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = (
        dialect.insert(runs)
        .values(state=RunState.PLANNING, **values)
        .on_conflict_do_nothing(index_elements=["job", "period", "revision"])
        .returning(runs.c.id)
    )
    return connection.execute(statement).scalar_one_or_none()


def insert_missed(connection: Connection, values: dict[str, Any]) -> int | None:
    """Write down that a period passed without a run; None when this revision was taken first.

    Raises:
        StoreError: a name is longer than the ledger keeps.
    """
    require_fit(runs, values)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = (
        dialect.insert(runs)
        .values(state=RunState.MISSED, kind=RunKind.REGULAR, **values)
        .on_conflict_do_nothing(index_elements=["job", "period", "revision"])
        .returning(runs.c.id)
    )
    return connection.execute(statement).scalar_one_or_none()


def planned(connection: Connection, job: str) -> Sequence[Run]:
    """The runs of a job that are sealed and wait for their release, oldest first."""
    statement = select(runs).where(runs.c.job == job, runs.c.state == RunState.PLANNED)
    return [_run(row) for row in connection.execute(statement.order_by(runs.c.id)).mappings()]


def all_planned(connection: Connection) -> Sequence[Run]:
    """The runs of all jobs that are sealed and wait for their release, oldest first."""
    statement = select(runs).where(runs.c.state == RunState.PLANNED).order_by(runs.c.id)
    return [_run(row) for row in connection.execute(statement).mappings()]


def periods(connection: Connection, job: str) -> frozenset[str]:
    """The periods that are settled: a whole run is sealed, or they were missed or skipped.

    A few people who were told by hand do not settle a period for all others.
    """
    statement = (
        select(runs.c.period)
        .where(
            runs.c.job == job,
            runs.c.kind == RunKind.REGULAR,
            runs.c.state != RunState.PLANNING,
        )
        .distinct()
    )
    return frozenset(connection.execute(statement).scalars())


def renew_planner(connection: Connection, run_id: int, planner: str, until: datetime) -> bool:
    """Prolong a planner's hold on its run; False when it has lost it."""
    statement = (
        update(runs)
        .where(runs.c.id == run_id, runs.c.planner == planner, runs.c.state == RunState.PLANNING)
        .values(planner_until=until)
    )
    return connection.execute(statement).rowcount == 1


def seal(connection: Connection, run_id: int, planner: str, values: dict[str, Any]) -> bool:
    """Fix a planned run's manifest and counts; False when the planner has lost the run.

    Raises:
        StoreError: a sum is larger than the ledger keeps.
    """
    require_fit(runs, values)
    statement = (
        update(runs)
        .where(runs.c.id == run_id, runs.c.planner == planner, runs.c.state == RunState.PLANNING)
        .values(planner=None, planner_until=None, **values)
    )
    return connection.execute(statement).rowcount == 1


def discard(connection: Connection, run_id: int, *, planner: str | None) -> None:
    """Throw away a run of this planner that was never sealed, with all its rows.

    SQLite gives the number of a deleted run to the next one, so the planner is part of the name.
    """
    unsealed = (
        runs.c.id == run_id,
        runs.c.state == RunState.PLANNING,
        runs.c.planner.is_not_distinct_from(planner),
    )
    locked = select(runs.c.topic, runs.c.period).where(*unsealed).with_for_update()
    found = connection.execute(locked).one_or_none()
    if found is None:
        return
    # Who looks up why its key is taken must still find the row that took it.
    take_turn(connection, *found)
    for table in (messages, skips, events, told):
        connection.execute(delete(table).where(table.c.run_id == run_id))
    connection.execute(delete(runs).where(runs.c.id == run_id))


def move(connection: Connection, run_id: int, after: RunState, **values: Any) -> None:
    """Move a run to another state.

    Raises:
        LifecycleError: the law does not allow it from the state the run is in.
    """
    statement = (
        update(runs)
        .where(runs.c.id == run_id, runs.c.state.in_(sources_of_run(after)))
        .values(state=after, **values)
    )
    if connection.execute(statement).rowcount != 1:
        state = connection.execute(select(runs.c.state).where(runs.c.id == run_id)).scalar()
        raise LifecycleError(f"Run {run_id} is {state}; it cannot become {after}.")


def unsealed(connection: Connection) -> Sequence[Run]:
    """Every run that is being planned, or whose planner died, oldest first."""
    statement = select(runs).where(runs.c.state == RunState.PLANNING).order_by(runs.c.id)
    return [_run(row) for row in connection.execute(statement).mappings()]


def under_way(connection: Connection) -> Sequence[Run]:
    """Every run that may have something to send, oldest first."""
    states = (RunState.RELEASED, RunState.SENDING, RunState.PAUSED)
    statement = select(runs).where(runs.c.state.in_(states)).order_by(runs.c.id)
    return [_run(row) for row in connection.execute(statement).mappings()]


def states(connection: Connection, run_ids: Collection[int]) -> dict[int, RunState]:
    """The state of each of these runs."""
    statement = select(runs.c.id, runs.c.state).where(runs.c.id.in_(run_ids))
    return {row.id: RunState(row.state) for row in connection.execute(statement)}


def stop(connection: Connection, run_id: int, *, because: str, at: datetime, actor: str) -> bool:
    """Pause a run that is under way, and write down why; False when it is in no such state."""
    statement = (
        update(runs)
        .where(runs.c.id == run_id, runs.c.state.in_(sources_of_run(RunState.PAUSED)))
        .values(state=RunState.PAUSED, held_because=because)
    )
    stopped = connection.execute(statement).rowcount == 1
    if stopped:
        note(connection, run_id, at=at, actor=actor, what="paused", detail=because)
    return stopped


def release_upto(connection: Connection, run_id: int, *, before: int, after: int) -> bool:
    """Release the next wave of a run that is being sent; False when another machine did."""
    statement = (
        update(runs)
        .where(
            runs.c.id == run_id,
            runs.c.released_upto == before,
            runs.c.state == RunState.SENDING,
        )
        .values(released_upto=after)
    )
    return connection.execute(statement).rowcount == 1


def get(connection: Connection, run_id: int, *, locked: bool = False) -> Run | None:
    """One run by its number; ``locked``: nobody else changes it until this transaction ends."""
    if not is_possible(run_id):
        return None
    statement = select(runs).where(runs.c.id == run_id)
    statement = statement.with_for_update() if locked else statement
    row = connection.execute(statement).mappings().one_or_none()
    return _run(row) if row is not None else None


def of_period(connection: Connection, job: str, period: str) -> Sequence[Run]:
    """All revisions of a job's run for one period, oldest first."""
    statement = (
        select(runs).where(runs.c.job == job, runs.c.period == period).order_by(runs.c.revision)
    )
    return [_run(row) for row in connection.execute(statement).mappings()]


def of_topic(connection: Connection, topic: str, period: str) -> Sequence[Run]:
    """All runs of any job that tell a topic for one period, oldest first."""
    statement = select(runs).where(runs.c.topic == topic, runs.c.period == period)
    return [_run(row) for row in connection.execute(statement.order_by(runs.c.id)).mappings()]


def newest(connection: Connection, *, job: str | None = None, limit: int = 50) -> Sequence[Run]:
    """The latest runs, newest first."""
    statement = select(runs).order_by(runs.c.id.desc()).limit(limit)
    if job is not None:
        statement = statement.where(runs.c.job == job)
    return [_run(row) for row in connection.execute(statement).mappings()]


def topic_is_known(connection: Connection, topic: str, period: str, *, except_run: int) -> bool:
    """Say whether any other run has messages on this topic and period."""
    statement = select(runs.c.id).where(
        runs.c.topic == topic, runs.c.period == period, runs.c.id != except_run
    )
    return connection.execute(statement.limit(1)).scalar() is not None


def sealed_totals(connection: Connection, job: str, period: str) -> tuple[int, int] | None:
    """Source rows and money of the first plan of a period, for comparison; None without one."""
    row = connection.execute(
        select(runs.c.source_rows, runs.c.money).where(
            runs.c.job == job,
            runs.c.period == period,
            runs.c.kind == RunKind.REGULAR,
            runs.c.state.not_in([RunState.PLANNING, RunState.CANCELLED, RunState.MISSED]),
        )
    ).one_or_none()
    return (row.source_rows, row.money) if row is not None else None


def sealed_last(connection: Connection, job: str, *, except_period: str) -> Run | None:
    """The whole run of a job that was sealed last, of all other periods."""
    statement = select(runs).where(
        runs.c.job == job,
        runs.c.period != except_period,
        runs.c.kind == RunKind.REGULAR,
        runs.c.sealed_at.is_not(None),
    )
    row = connection.execute(statement.order_by(runs.c.sealed_at.desc()).limit(1)).mappings()
    found = row.one_or_none()
    return _run(found) if found is not None else None


def planned_since(connection: Connection, owner: str, since: datetime) -> int:
    """How many texts of an owner were sealed since an instant.

    Of a cancelled run those count that were not withdrawn.
    """
    since_then = (runs.c.owner == owner, runs.c.sealed_at >= since)
    is_whole = (
        *since_then,
        runs.c.state.not_in([RunState.PLANNING, RunState.CANCELLED, RunState.MISSED]),
    )
    whole = select(func.coalesce(func.sum(runs.c.messages), 0)).where(*is_whole)
    merged = select(func.count()).where(
        messages.c.run_id.in_(select(runs.c.id).where(*is_whole)),
        messages.c.carrier_id.is_not(None),
    )
    cancelled = select(runs.c.id).where(
        *since_then, runs.c.state == RunState.CANCELLED, runs.c.released_upto > 0
    )
    left = select(func.count()).where(
        messages.c.run_id.in_(cancelled),
        messages.c.state.not_in([MessageState.CANCELLED, MessageState.MERGED]),
    )
    counted = [int(connection.execute(each).scalar_one()) for each in (whole, left, merged)]
    return counted[0] + counted[1] - counted[2]


def next_revision(connection: Connection, job: str, period: str) -> int:
    """The number that the next run of a job for a period gets."""
    statement = select(func.max(runs.c.revision)).where(runs.c.job == job, runs.c.period == period)
    return int(connection.execute(statement).scalar() or 0) + 1


def note(
    connection: Connection, run_id: int, *, at: datetime, actor: str, what: str, detail: str = ""
) -> None:
    """Write down who did what to a run."""
    values = {
        "actor": fitted(events.c.actor, actor),
        "what": what,
        "detail": fitted(events.c.detail, detail),
    }
    connection.execute(insert(events).values(run_id=run_id, at=at, **values))


def notes(connection: Connection, run_id: int) -> Sequence[RowMapping]:
    """What happened to a run, oldest first."""
    statement = select(events).where(events.c.run_id == run_id).order_by(events.c.id)
    return connection.execute(statement).mappings().all()
