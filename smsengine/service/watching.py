"""Looks at the ledger every minute and has a person told what does not go on by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.errors import ConfigError
from smsengine.lifecycle import BreakerState, RunState
from smsengine.service import alarming, daily_duties
from smsengine.service.alarming import News
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import Duty
from smsengine.store import alarms, concerns, lanes, outbox, runs
from smsengine.store.lanes import LaneRow
from smsengine.store.runs import Run

EVERY = timedelta(minutes=1)
_NO_PROGRESS = timedelta(hours=1)
#: A breaker that has tripped so often in a row has been open for 15 + 30 + 60 + 120 + 240 + 480
#: seconds at least.
_MANY_TRIPS = 7
_MINUTES_OF_MANY_TRIPS = 15


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """How far a run was when it last got on, as far as this process has seen."""

    since: datetime
    waiting: int
    released_upto: int


class Watcher:
    """Remembers how far runs were; all else it reads from the ledger each time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._standing: dict[int, _Standing] = {}

    def look(self, now: datetime) -> str:
        """Sound what is new, and end what is over; says in a few words what it did."""
        with self._engine.store.read() as connection:
            known = {name: lanes.get(connection, name) for name in self._engine.settings.gateways}
            found = [*self._of_runs(connection, now), *_of_lanes(known)]
            found += self._stuck(connection, known, now)
            found += daily_duties.late(self._engine, connection, now)
            new = [news for news in found if not alarms.is_sounded(connection, news.key)]
            over = [key for key in _over(known) if alarms.is_sounded(connection, key)]
        if new or over:
            with self._engine.store.write() as connection:
                for news in new:
                    news.sound(connection, now)
                for key in over:
                    alarms.end(connection, key, at=now)
        return f"{len(new)} new, {len(over)} over"

    def _of_runs(self, connection: Connection, now: datetime) -> Iterator[News]:
        for run in concerns.in_states(connection, RunState.HELD, RunState.PAUSED):
            if run.state is RunState.HELD:
                yield alarming.held(run)
            else:
                yield _paused(connection, run)
        before = now - self._engine.settings.alerts.unknown_after
        for found in concerns.unknowns(connection, before=before):
            theirs = runs.get(connection, found.run_id)
            if theirs is not None:
                yield alarming.unknown(theirs, count=found.number, since=found.since)

    # -- runs that do not get on ---------------------------------------------------------------

    def _stuck(
        self, connection: Connection, known: Mapping[str, LaneRow], now: datetime
    ) -> Iterator[News]:
        present = lanes.present(connection, now.timestamp())
        under_way = concerns.in_states(connection, RunState.RELEASED, RunState.SENDING)
        self._forget_others({run.id for run in under_way})
        for run in under_way:
            due = concerns.count_due(connection, run.id, upto=run.released_upto, now=now)
            may_go = due > 0 and self._is_open(run, known, present, now)
            standing = self._stand(connection, run, now, may_go=may_go)
            if now - standing.since >= _NO_PROGRESS:
                yield alarming.stuck(run, waiting=due, since=standing.since)

    def _forget_others(self, run_ids: set[int]) -> None:
        self._standing = {each: at for each, at in self._standing.items() if each in run_ids}

    def _stand(self, connection: Connection, run: Run, now: datetime, *, may_go: bool) -> _Standing:
        """How far a run was when it last got on; while nothing may go it does not stand still."""
        waiting = outbox.count_waiting(connection, run.id)
        before = self._standing.get(run.id)
        goes_on = before is None or (waiting, run.released_upto) != (
            before.waiting,
            before.released_upto,
        )
        if before is None or goes_on or not may_go or before.since > now:
            before = _Standing(since=now, waiting=waiting, released_upto=run.released_upto)
            self._standing[run.id] = before
        return before

    def _is_open(
        self, run: Run, known: Mapping[str, LaneRow], present: float, now: datetime
    ) -> bool:
        try:
            used = self._engine.route(run.gateway).gateways
        except ConfigError:
            return True
        return any(
            not row.paused_because
            and row.breaker is BreakerState.CLOSED
            and not row.rests(present)
            and self._is_in_hours(row.gateway, now)
            for row in (known[name] for name in used)
        )

    def _is_in_hours(self, gateway: str, now: datetime) -> bool:
        settings = self._engine.settings
        hours = settings.gateways[gateway].window or settings.window
        return hours is None or hours.opens_at(now) is None


def watch_duty(engine: Engine) -> Duty:
    """Look every minute."""
    return Duty(name="watch", do=Watcher(engine).look, every=EVERY)


def _paused(connection: Connection, run: Run) -> News:
    actors = [row["actor"] for row in runs.notes(connection, run.id) if row["what"] == "paused"]
    by_person = bool(actors) and ":" not in actors[-1]
    return alarming.paused(run, times=len(actors), by_person=by_person)


def _of_lanes(known: Mapping[str, LaneRow]) -> Iterator[News]:
    for name, row in known.items():
        if row.paused_because:
            yield alarming.lane_paused(name, row.paused_because)
        if _is_long_open(row):
            yield alarming.breaker_open(name, minutes=_MINUTES_OF_MANY_TRIPS)


def _over(known: Mapping[str, LaneRow]) -> Iterator[str]:
    """Keys of what is not so any more."""
    for name, row in known.items():
        if not row.paused_because:
            yield alarming.lane_paused_key(name)
        if row.breaker is BreakerState.CLOSED:
            yield alarming.breaker_open_key(name)


def _is_long_open(row: LaneRow) -> bool:
    return row.breaker is not BreakerState.CLOSED and row.trips >= _MANY_TRIPS
