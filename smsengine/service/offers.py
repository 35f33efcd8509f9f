"""What the clock offers, and what the ledger makes of it: each due period becomes one run.

Nothing here remembers what was done: that is in the ledger, so that it may be looked at again at
any time, by whichever machine leads, however long all of them were down. Nor is anything planned
that was not the next run of its period when it was decided: a machine that was frozen in between
finds that out from the ledger. A job whose extract or file is not as it should be does not keep the
others from their work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.config.job import LoadedJob
from smsengine.errors import (
    AbsentExtractError,
    BusyError,
    DeposedError,
    SmsEngineError,
    StoreAwayError,
)
from smsengine.lifecycle import Grade, RunKind, RunState
from smsengine.period import Period
from smsengine.planning.order import Planned
from smsengine.service import auditing, sender, stumbling
from smsengine.service.arrivals import Arrivals, require_new, require_unchanged
from smsengine.service.bootstrap import Engine
from smsengine.service.catching_up import Offer, decide
from smsengine.service.logs import Event
from smsengine.service.missed import write_missed
from smsengine.service.people import program
from smsengine.service.stumbling import in_words, unexpected
from smsengine.store import alarms, runs, watched
from smsengine.store.runs import Run
from smsengine.store.watched import Watched
from smsengine.timetable import Timetable

#: A job whose extract is not there asks again so long after, ever later.
_FIRST_QUESTION = timedelta(minutes=1)
_LAST_QUESTION = timedelta(minutes=10)
#: An extract that is late by so much is told to a person.
_PATIENCE = timedelta(hours=1)
#: Who plans a run by hand releases it at once; checking the seal of millions takes minutes.
_LEFT_BEHIND = timedelta(hours=1)

#: A period that was left out, or that a person must decide about, is not planned once more.
_NOT_AGAIN = frozenset(
    {RunState.MISSED, RunState.CANCELLED, RunState.HELD, RunState.PAUSED, RunState.PLANNED}
)

#: A transaction that writes, and that fails where this machine does not lead any more.
Acting = Callable[[], AbstractContextManager[Connection]]


class StoppedError(Exception):
    """The works are stopped; what was being planned is thrown away and planned anew."""


#: What is no fault of a job, and ends the whole look.
_OF_ALL = (StoreAwayError, DeposedError, StoppedError)


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """A job and its times."""

    loaded: LoadedJob
    timetable: Timetable


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A period that cannot be planned yet: due since when, and when it is tried again."""

    since: datetime
    again_at: datetime
    pause: timedelta

    def is_early(self, now: datetime) -> bool:
        """Say whether it is not tried yet; a clock that was set back does not put it off."""
        return now < self.again_at <= now + _LAST_QUESTION


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
            planning: told how many rows were planned; raises StoppedError to end the planning.
        """
        self._engine = engine
        self._jobs = jobs
        self._acting = acting
        self._tell = tell
        self._planning = planning
        self._arrivals = Arrivals(engine.clock)
        self._questions: dict[tuple[str, Period], _Question] = {}
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
            planned = runs.all_planned(connection)
        for name, job in self._jobs.items():
            try:
                self._look_at(name, job, known.get(name))
            except _OF_ALL:
                raise
            except Exception as error:  # noqa: BLE001 - the other jobs are looked at all the same
                self._stumble(name, error)
        self._hold_left_behind(planned)

    def _look_at(self, name: str, job: Scheduled, known: Watched | None) -> None:
        now, settings = self._engine.clock.now(), job.loaded.job
        known = self._watched(name, job, known, now)
        with self._engine.store.read() as connection:
            periods = runs.periods(connection, name)
            planned = runs.planned(connection, name)
        for run in planned:
            self._release(run, now, patience=settings.catch_up_after())
        decision = decide(
            job.timetable,
            settings.period,
            since=known.since,
            known=periods,
            catch_up=settings.catch_up_after(),
            now=now,
        )
        for missed in decision.missed:
            self._miss(name, job, missed, known)
        offer = decision.offer or decision.again
        if known.waits_for is not None and (offer is None or str(offer.period) != known.waits_for):
            self._wait_no_more(name)
        if offer is not None:
            self._offer(name, job, offer, is_again=decision.offer is None)

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

    def _stumble(self, name: str, error: Exception) -> None:
        """Have a person told that a job cannot be looked after, once a day."""
        now = self._engine.clock.now()
        then = (
            "The other jobs are looked after; this one is tried again all the time.\n"
            f"Look: smsengine jobs check {name}, and the log."
        )
        with self._acting() as connection:
            told = stumbling.sound(connection, f"job {name}", error, now, then=then)
        if told:
            said = in_words(error)
            self._tell(Event.JOB_BROKEN, job=name, because=said, exc_info=unexpected(error))

    # -- planning ------------------------------------------------------------------------------

    def _offer(self, name: str, job: Scheduled, offer: Offer, *, is_again: bool) -> None:
        """Plan a period whose run is due, or once more for whoever is new."""
        question = self._questions.get((name, offer.period))
        if question is not None and question.is_early(self._engine.clock.now()):
            return
        if is_again and self._served.get(name) == offer.firing.at:
            return
        with self._acting() as connection:
            known = runs.of_period(connection, name, str(offer.period))
        sealed = [run for run in known if run.state is not RunState.PLANNING]
        if is_again:
            is_settled = any(run.state in _NOT_AGAIN for run in sealed)
        else:
            is_settled = any(run.kind is RunKind.REGULAR for run in sealed)
        if not is_settled:
            self._plan(name, job, offer, 1 + max((run.revision for run in sealed), default=0))

    def _plan(self, name: str, job: Scheduled, offer: Offer, revision: int) -> None:
        now = self._engine.clock.now()
        try:
            self._require_new(job.loaded, offer.period)
            planned = self._planned(job, offer.period, revision)
        except _OF_ALL:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            self._wait(name, offer, error, now)
            return
        if planned is None:
            return
        self._settle(name, offer)
        run = planned.run
        if run is None:
            return
        self._tell(
            Event.RUN_PLANNED, run=run.id, label=run.label, state=run.state, messages=run.messages
        )
        if run.state is RunState.HELD:
            self._tell(Event.RUN_HELD, run=run.id, label=run.label, because=run.held_because)
        elif run.state is RunState.PLANNED:
            self._release(run, self._engine.clock.now(), patience=job.loaded.job.catch_up_after())

    def _require_new(self, loaded: LoadedJob, period: Period) -> None:
        with self._engine.store.read() as connection:
            last = runs.sealed_last(connection, loaded.name, except_period=str(period))
        require_new(loaded, period, last)

    def _planned(self, job: Scheduled, period: Period, revision: int) -> Planned | None:
        """Plan what has arrived; None while it still grows."""
        with auditing.refusals(self._engine, program(), job.loaded.name):
            arrived = self._arrivals.look(job.loaded, period)
        if arrived is None:
            return None

        def planning(rows: int) -> None:
            self._planning(rows)
            require_unchanged(job.loaded, period, arrived)

        is_new = (job.loaded.name, period) not in self._questions
        if revision == 1 and (arrived or is_new):
            self._tell(Event.RUN_PLANNING, job=job.loaded.name, period=str(period))
        request = sender.Request(loaded=job.loaded, period=period, revision=revision)
        return sender.plan(self._engine, request, sender.Watch(planning=planning))

    def _wait(self, name: str, offer: Offer, error: Exception, now: datetime) -> None:
        """Try again later; what is no mere delay is told at once, a delay after a while."""
        key, period, because = (name, offer.period), str(offer.period), in_words(error)
        before = self._questions.get(key)
        since = before.since if before is not None else offer.firing.at
        pause = min(2 * before.pause, _LAST_QUESTION) if before is not None else _FIRST_QUESTION
        self._questions[key] = _Question(since=since, again_at=now + pause, pause=pause)
        late = now - since >= _PATIENCE
        with self._acting() as connection:
            watched.wait(connection, name, period=period, because=because)
            told = (late or not isinstance(error, AbsentExtractError | BusyError)) and alarms.sound(
                connection,
                key=f"waits {name} {period} {'late' if late else 'fault'}",
                at=now,
                grade=Grade.WARNING,
                text=(
                    f"{name} {period} was due at {_local(since)} and cannot be planned: {because}"
                    f" It is tried again until {_local(offer.deadline)}.\n"
                    f"Look: smsengine jobs check {name} --period {period}\n"
                    f"To leave it out: smsengine runs skip {name} --period {period} --reason TEXT"
                ),
            )
        self._tell(
            Event.RUN_WAITS,
            job=name,
            period=period,
            because=because,
            told=told,
            exc_info=unexpected(error),
        )

    def _settle(self, name: str, offer: Offer) -> None:
        """A period was planned."""
        self._served[name] = offer.firing.at
        self._forget(name, offer.period)
        with self._acting() as connection:
            watched.wait_no_more(connection, name)
            if offer.firing.remark:
                alarms.sound(
                    connection,
                    key=f"remark {name} {offer.period}",
                    at=self._engine.clock.now(),
                    grade=Grade.WARNING,
                    text=f"{name} {offer.period}: {offer.firing.remark}\n"
                    "Look at the file that 'holidays' names in config.yaml.",
                )

    def _forget(self, name: str, period: Period) -> None:
        self._questions.pop((name, period), None)
        self._arrivals.forget(name, period)

    def _wait_no_more(self, name: str) -> None:
        with self._acting() as connection:
            watched.wait_no_more(connection, name)

    # -- releasing -----------------------------------------------------------------------------

    def _release(self, run: Run, now: datetime, *, patience: timedelta) -> None:
        """Let a planned run be sent; one that a dead process left is held when it is too late."""
        if run.sealed_at is not None and now - run.sealed_at > patience:
            self._hold(run, "It was planned and not released in time; somebody must look.")
            return
        try:
            released = sender.release_run(self._engine, run, self._engine.identity)
        except StoreAwayError:
            raise
        except SmsEngineError as error:
            self._hold(run, f"It cannot be released: {error}")
            return
        self._tell(Event.RUN_RELEASED, run=run.id, label=run.label, state=released.state)

    def _hold_left_behind(self, planned: Sequence[Run]) -> None:
        """Hold what was planned for a job that nobody looks after any more."""
        before = self._engine.clock.now() - _LEFT_BEHIND
        for run in planned:
            if run.job not in self._jobs and run.sealed_at is not None and run.sealed_at < before:
                self._hold(run, "Its job is not there any more, or cannot be read.")

    def _hold(self, run: Run, because: str) -> None:
        """Have a person decide about a planned run; where another process was quicker, nothing."""
        now, actor = self._engine.clock.now(), self._engine.identity
        with self._acting() as connection:
            current = runs.get(connection, run.id, locked=True)
            if current is None or current.state is not RunState.PLANNED:
                return
            runs.move(connection, run.id, RunState.HELD, held_because=because)
            runs.note(connection, run.id, at=now, actor=actor, what="held", detail=because)
        self._tell(Event.RUN_HELD, run=run.id, label=run.label, because=because)

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
            alarms.sound(
                connection,
                key=f"missed {name} {period}",
                at=now,
                grade=Grade.URGENT,
                text=(
                    f"{name} {period} was not sent. {because}\n"
                    f"If people shall still be told: smsengine send {name} --period {period}"
                ),
            )
        self._forget(name, offer.period)
        self._tell(Event.RUN_MISSED, run=run_id, job=name, period=period, because=because)


def _local(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%d/%m/%Y %H:%M}"
