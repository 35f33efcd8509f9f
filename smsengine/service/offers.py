"""What the clock offers, and what the ledger makes of it: each due period becomes one run.

Nothing here remembers what was done: that is in the ledger, so that it may be looked at again at
any time, by whichever machine leads, however long all of them were down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.config.job import LoadedJob
from smsengine.errors import (
    AbsentExtractError,
    LifecycleError,
    SmsEngineError,
    StoreAwayError,
    UsageError,
)
from smsengine.lifecycle import Grade, RunState
from smsengine.period import Period
from smsengine.service import sender
from smsengine.service.arrivals import Signature, is_quiet, signature
from smsengine.service.bootstrap import Engine
from smsengine.service.catching_up import Offer, decide
from smsengine.service.logs import Event
from smsengine.store import alarms, runs, watched
from smsengine.store.runs import Run
from smsengine.store.watched import Watched
from smsengine.timetable import Timetable

#: A job whose extract is not there asks again so long after, ever later.
_FIRST_QUESTION = timedelta(minutes=1)
_LAST_QUESTION = timedelta(minutes=10)
#: An extract that is late by so much is told to a person.
_PATIENCE = timedelta(hours=1)

#: A period that was left out, or that a person must decide about, is not planned once more.
_NOT_AGAIN = frozenset(
    {RunState.MISSED, RunState.CANCELLED, RunState.HELD, RunState.PAUSED, RunState.PLANNED}
)

#: A transaction that writes, and that fails where this machine does not lead any more.
Acting = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """A job and its times."""

    loaded: LoadedJob
    timetable: Timetable


class Offers:
    """Looks at all jobs; used by one thread of the machine that leads."""

    def __init__(
        self,
        engine: Engine,
        jobs: Mapping[str, Scheduled],
        *,
        acting: Acting,
        tell: Callable[..., None] = lambda _event, **_facts: None,
        planning: Callable[[int], None] = lambda _rows: None,
    ) -> None:
        """Offer what is due.

        Args:
            engine: the installation.
            jobs: by name.
            acting: opens a transaction; raises DeposedError where another machine leads.
            tell: told what happened, as an event for the log.
            planning: told how many rows were planned; what it raises ends the planning.
        """
        self._engine = engine
        self._jobs = jobs
        self._acting = acting
        self._tell = tell
        self._planning = planning
        self._seen: dict[tuple[str, Period], Signature] = {}
        self._ask_at: dict[tuple[str, Period], tuple[datetime, timedelta]] = {}
        # For jobs that plan a period again and again: the last firing that was served.
        self._served: dict[str, datetime] = {}

    def look(self) -> None:
        """Look at every job once.

        Raises:
            StoreAwayError: nothing is lost; the next look does it.
            DeposedError: another machine leads now.
        """
        with self._engine.store.read() as connection:
            known = watched.all_jobs(connection)
        for name, job in self._jobs.items():
            self._look_at(name, job, known.get(name))

    def _look_at(self, name: str, job: Scheduled, known: Watched | None) -> None:
        now, settings = self._engine.clock.now(), job.loaded.job
        known = self._watched(name, job, known, now)
        with self._engine.store.read() as connection:
            periods = runs.periods(connection, name)
            planned = runs.planned(connection, name)
        for run in planned:
            self._release(job, run, now)
        decision = decide(
            job.timetable,
            settings.period,
            since=known.since,
            known=periods,
            catch_up=settings.catch_up_after(),
            now=now,
        )
        for offer in decision.missed:
            self._miss(name, job, offer, known)
        if decision.offer is not None:
            self._plan(name, job, decision.offer)
        elif known.waits_for is not None:
            self._wait_no_more(name)
        if decision.again is not None and self._may_be_told_again(name, decision.again):
            self._plan(name, job, decision.again)

    def _watched(self, name: str, job: Scheduled, known: Watched | None, now: datetime) -> Watched:
        """Since when a job is looked after.

        One whose times have changed owes nothing of old that could not be sent any more: nobody
        shall hear of days that were none of its days.
        """
        settings = job.loaded.job
        times = f"{settings.schedule}; {settings.period}"
        if known is not None and known.times == times:
            return known
        with self._acting() as connection:
            if known is None:
                return watched.begin(connection, name, since=now, times=times)
            since = max(known.since, now - settings.catch_up_after()) if known.times else None
            watched.change_times(connection, name, times=times, since=since)
        return replace(known, times=times, since=since or known.since)

    def _may_be_told_again(self, name: str, again: Offer) -> bool:
        """Say whether a period that has a run is due once more for whoever is new."""
        if self._served.get(name) == again.firing.at:
            return False
        with self._engine.store.read() as connection:
            known = runs.of_period(connection, name, str(again.period))
        return not any(run.state in _NOT_AGAIN for run in known)

    # -- planning ------------------------------------------------------------------------------

    def _plan(self, name: str, job: Scheduled, offer: Offer) -> None:
        key, now = (name, offer.period), self._engine.clock.now()
        asked_again_at, _ = self._ask_at.get(key, (now, _FIRST_QUESTION))
        if now < asked_again_at or not self._has_arrived(key, job):
            return
        request = sender.Request(loaded=job.loaded, period=offer.period)
        try:
            planned = sender.plan(self._engine, request, sender.Watch(planning=self._planning))
        except StoreAwayError:
            raise
        except SmsEngineError as error:
            self._wait(key, offer, error, now)
            return
        self._ask_at.pop(key, None)
        self._seen.pop(key, None)
        self._served[name] = offer.firing.at
        self._planned(name, offer)
        run = planned.run
        if run is None:
            return
        self._tell(
            Event.RUN_PLANNED, run=run.id, label=run.label, state=run.state, messages=run.messages
        )
        if run.state is RunState.PLANNED:
            self._release(job, run, self._engine.clock.now())

    def _has_arrived(self, key: tuple[str, Period], job: Scheduled) -> bool:
        """Say whether the files are quiet, or the same as at the last look."""
        found = signature(job.loaded, key[1])
        before = self._seen.get(key)
        self._seen[key] = found
        return found == before or is_quiet(found, self._engine.clock.now())

    def _wait(
        self, key: tuple[str, Period], offer: Offer, error: SmsEngineError, now: datetime
    ) -> None:
        name, period = key
        _, pause = self._ask_at.get(key, (now, _FIRST_QUESTION))
        self._ask_at[key] = (now + pause, min(2 * pause, _LAST_QUESTION))
        late = now - offer.firing.at >= _PATIENCE
        with self._acting() as connection:
            watched.wait(connection, name, period=str(period), because=str(error))
            if late or not isinstance(error, AbsentExtractError):
                told = alarms.sound(
                    connection,
                    key=f"waits {name} {period} {'late' if late else 'fault'}",
                    at=now,
                    grade=Grade.WARNING,
                    text=(
                        f"{name} {period} was due at {_local(offer.firing.at)} and cannot be"
                        f" planned: {error} It is tried again until {_local(offer.deadline)}."
                    ),
                )
            else:
                told = False
        self._tell(Event.RUN_WAITS, job=name, period=str(period), because=str(error), told=told)

    def _planned(self, name: str, offer: Offer) -> None:
        with self._acting() as connection:
            watched.wait_no_more(connection, name)
            if offer.firing.remark:
                alarms.sound(
                    connection,
                    key=f"remark {name} {offer.period}",
                    at=self._engine.clock.now(),
                    grade=Grade.WARNING,
                    text=f"{name} {offer.period}: {offer.firing.remark}",
                )

    def _wait_no_more(self, name: str) -> None:
        with self._acting() as connection:
            watched.wait_no_more(connection, name)

    # -- releasing -----------------------------------------------------------------------------

    def _release(self, job: Scheduled, run: Run, now: datetime) -> None:
        """Let a planned run be sent; one that a dead process left is held when it is too late."""
        if run.sealed_at is not None and now - run.sealed_at > job.loaded.job.catch_up_after():
            because = "It was planned and not released in time; somebody must look."
            with self._acting() as connection:
                runs.move(connection, run.id, RunState.HELD, held_because=because)
                runs.note(
                    connection,
                    run.id,
                    at=now,
                    actor=self._engine.identity,
                    what="held",
                    detail=because,
                )
            return
        try:
            released = sender.release_run(self._engine, run, self._engine.identity)
        except StoreAwayError:
            raise
        except SmsEngineError as error:
            with self._acting() as connection:
                alarms.sound(
                    connection,
                    key=f"release {run.id}",
                    at=now,
                    grade=Grade.URGENT,
                    text=f"{run.label} cannot be released: {error}",
                )
            return
        self._tell(Event.RUN_RELEASED, run=run.id, label=run.label, state=released.state)

    # -- what passed ---------------------------------------------------------------------------

    def _miss(self, name: str, job: Scheduled, offer: Offer, known: Watched) -> None:
        now, period = self._engine.clock.now(), str(offer.period)
        because = (
            f"It was due at {_local(offer.firing.at)} and could begin until"
            f" {_local(offer.deadline)}."
        )
        if known.waits_for == period:
            because += f" {known.waits_because}"
        with self._acting() as connection:
            run_id = write_missed(
                connection,
                job.loaded,
                period,
                now=now,
                actor=self._engine.identity,
                because=because,
            )
            if run_id is None:
                return
            watched.wait_no_more(connection, name)
            alarms.sound(
                connection,
                key=f"missed {name} {period}",
                at=now,
                grade=Grade.URGENT,
                text=(
                    f"{name} {period} was not sent. {because} If people shall still be told:"
                    f" smsengine send {name} --period {period}"
                ),
            )
        self._tell(Event.RUN_MISSED, run=run_id, job=name, period=period, because=because)


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
        The number of the row; None where the ledger holds a run of this period.
    """
    values = {
        "job": loaded.name,
        "topic": loaded.job.topic,
        "owner": loaded.owner,
        "period": period,
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
            found = runs.of_period(connection, loaded.name, str(period))[-1]
            raise LifecycleError(
                f"Run {found.id} ({found.label}) is {found.state}; a period with a run cannot be"
                " skipped. To withdraw what is not handed over: smsengine runs cancel"
                f" {found.id}"
            )
        watched.wait_no_more(connection, loaded.name)
    return run_id


def _local(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%d/%m/%Y %H:%M}"
