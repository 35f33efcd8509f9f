"""Periods that have no run: nobody was up in time, or a person left them out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from smsengine.config.job import LoadedJob
from smsengine.errors import LifecycleError, UsageError
from smsengine.lifecycle import RunKind, RunState
from smsengine.period import Period
from smsengine.service.bootstrap import Engine
from smsengine.store import runs, watched
from smsengine.store.runs import Run

_OVER = frozenset({RunState.FINISHED, RunState.CANCELLED})


def write_missed(
    connection: Connection,
    loaded: LoadedJob,
    period: str,
    *,
    now: datetime,
    actor: str,
    because: str = "",
    reason: str = "",
) -> int | None:
    """Write down that a period has no run, with ``because`` or on purpose, with a ``reason``.

    Returns:
        The number of the row; None where the period has a run, or one is being planned.
    """
    known = runs.of_period(connection, loaded.name, period)
    if any(_counts(run) for run in known):
        return None
    values = {
        "job": loaded.name,
        "topic": loaded.job.topic,
        "owner": loaded.owner,
        "period": period,
        "revision": 1 + max((run.revision for run in known), default=0),
        "gateway": loaded.job.gateway,
        "priority": loaded.job.priority,
        "held_because": because,
        "reason": reason,
        "created_at": now,
        "finished_at": now,
    }
    run_id = runs.insert_missed(connection, values)
    if run_id is not None:
        what = "skipped" if reason else "missed"
        runs.note(connection, run_id, at=now, actor=actor, what=what, detail=reason or because)
    return run_id


def _counts(run: Run) -> bool:
    """A few people who were told by hand do not make a period's run."""
    return run.kind is RunKind.REGULAR


def skip(engine: Engine, loaded: LoadedJob, period: Period, *, reason: str, actor: str) -> int:
    """Have the clock leave a period out, on purpose.

    Raises:
        UsageError: the period is of another length than the job's.
        LifecycleError: there is a run of this period already.
    """
    if period.unit is not loaded.job.period.unit:
        raise UsageError(
            f"{loaded.name} is about a {loaded.job.period.unit}, and {period} is a {period.unit}."
        )
    now = engine.clock.now()
    with engine.store.write() as connection:
        run_id = write_missed(connection, loaded, str(period), now=now, actor=actor, reason=reason)
        if run_id is None:
            raise LifecycleError(_not_skipped(runs.of_period(connection, loaded.name, str(period))))
        watched.wait_no_more(connection, loaded.name)
    return run_id


def _not_skipped(found: Sequence[Run]) -> str:
    """Why a period with runs is not skipped, and what else can be done."""
    newest = next((run for run in reversed(found) if _counts(run)), None)
    if newest is None or newest.state is RunState.PLANNING:
        return "It is being planned just now; try again when that has ended."
    said = f"Run {newest.id} ({newest.label}) is {newest.state}: "
    if newest.state is RunState.MISSED:
        return f"{said}this period is left out already."
    if newest.state in _OVER:
        return f"{said}only a period without a run can be skipped."
    return (
        f"{said}only a period without a run can be skipped. To withdraw what is not handed over:"
        f" smsengine runs cancel {newest.id} --reason TEXT"
    )
