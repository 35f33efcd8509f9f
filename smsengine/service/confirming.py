"""Payers are told within seconds: what was recorded since the last look becomes a run.

A row of the queue goes only once its notices are planned. Who dies in between leaves it there, and
the keys of the messages keep the next look from telling anybody twice: they hold the day on which a
payment was recorded, not the one on which it is planned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from smsengine.clock import VIETNAM
from smsengine.config.job import LoadedJob
from smsengine.errors import SmsEngineError, StoreAwayError
from smsengine.lifecycle import RunState
from smsengine.period import Period, Unit
from smsengine.service import fence, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import require_in_force
from smsengine.service.logs import Event
from smsengine.service.offers import Scheduled
from smsengine.service.orders import order_for
from smsengine.service.payment_rows import of_entries
from smsengine.store import payments as stored

#: Payments of so many seconds are told in one run; everybody is told within ten.
EVERY_SECONDS = 3.0
_AT_ONCE = 5_000


class Confirmer:
    """Tells payers; used by one thread of the machine that leads."""

    def __init__(
        self,
        engine: Engine,
        jobs: Mapping[str, Scheduled],
        *,
        leads: Callable[[], bool],
        tell: Callable[..., None] = lambda _event, **_facts: None,
    ) -> None:
        """Begin.

        Args:
            engine: the installation.
            jobs: by name; those that are due on each payment tell payers.
            leads: says whether this machine leads.
            tell: told what happened, as an event for the log.
        """
        self._engine, self._leads, self._tell = engine, leads, tell
        self._jobs = [job.loaded for job in jobs.values() if job.loaded.job.schedule.on is not None]

    def look(self) -> None:
        """Tell whoever paid since the last look.

        Raises:
            SmsEngineError: a notice cannot be planned; its payments stay in the queue, and keep
                neither other notices nor other payments from theirs.
        """
        if not self._leads():
            return
        if not self._jobs:
            return
        with self._engine.store.read() as connection:
            ids = stored.queued(connection)
        faults: list[SmsEngineError] = []
        for start in range(0, len(ids), _AT_ONCE):
            with self._engine.store.read() as connection:
                entries = stored.of_ids(connection, ids[start : start + _AT_ONCE])
            for period, some in _by_day(entries).items():
                faults += self._tell_some(period, some)
        if faults:
            raise faults[0]

    def _tell_some(self, period: Period, ids: Sequence[int]) -> list[SmsEngineError]:
        """Plan each notice; what keeps one from being planned keeps its payments in the queue."""
        faults = []
        for loaded in self._jobs:
            try:
                self._plan(loaded, period, ids)
            except StoreAwayError:
                raise
            except SmsEngineError as error:
                faults.append(error)
        if not faults:
            with self._engine.store.write() as connection:
                stored.told(connection, ids)
        return faults

    def _plan(self, loaded: LoadedJob, period: Period, ids: Sequence[int]) -> None:
        engine = self._engine
        fence.require(engine)
        require_in_force(engine, loaded)
        rows = of_entries(engine, ids)
        order = replace(order_for(engine, loaded, period), rows=rows.rows())
        run = engine.planner(engine.store, lambda _rows: None).plan(order).run
        if run is None:
            return
        self._tell(
            Event.RUN_PLANNED, run=run.id, label=run.label, state=run.state, messages=run.messages
        )
        if run.state is RunState.PLANNED:
            sender.release_run(engine, run, engine.identity)


def _by_day(entries: Mapping[int, stored.Entry]) -> Mapping[Period, list[int]]:
    """The numbers of entries by the day, in Vietnam, on which they were recorded."""
    found: dict[Period, list[int]] = defaultdict(list)
    for number, entry in sorted(entries.items()):
        day = entry.recorded_at.astimezone(VIETNAM).date()
        found[Period(Unit.DAY, day)].append(number)
    return found
