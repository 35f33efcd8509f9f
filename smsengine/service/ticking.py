"""The clock on the wall: says that a job is due, and nothing else.

APScheduler is a mere clock here: it keeps its jobs in memory, and what it forgets while the process
is down, or skips, does not matter. Whoever is told looks into the ledger.

APScheduler waits for its next firing by the seconds that are left, so it notices neither that the
wall clock was set nor that the machine was suspended. A beat that counts real seconds wakes it,
reckons all firings anew when the wall clock was set back, and has the ledger looked at in any case:
a firing that is not noticed costs one beat.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from smsengine.clock import VIETNAM, Clock, SystemClock
from smsengine.timetable import Timetable

#: The wall clock was set back when it fell behind by so many seconds from one beat to the next.
_JUMP_SECONDS = 1.0


class _Trigger(BaseTrigger):  # type: ignore[misc]
    """A timetable, as APScheduler asks it: what was passed over is told once."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        firing = self._timetable.next_after(max(previous or now, now))
        return firing and firing.at


class Ticker:
    """Tells which job is due, from threads of its own; never two things at once."""

    def __init__(
        self,
        *,
        offer: Callable[[str], None],
        look: Callable[[], None],
        failed: Callable[[BaseException], None],
        clock: Clock | None = None,
        beat_seconds: float = 30.0,
    ) -> None:
        """Put the clock together; it does not run yet.

        Args:
            offer: told the name of a job that is due.
            look: called with every beat, to look for what is due and was not told.
            failed: told what ``offer`` and ``look`` raise; the clock goes on.
            clock: the wall and the seconds that really pass.
            beat_seconds: from one beat to the next.
        """
        self._offer = offer
        self._look = look
        self._failed = failed
        self._clock = clock or SystemClock()
        self._beat_seconds = beat_seconds
        self._jobs: Mapping[str, Timetable] = {}
        self._stopping = threading.Event()
        self._one_at_a_time = threading.Lock()
        # Each firing would be two lines in the log; those who are told say what they made of it.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=VIETNAM,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._beat = threading.Thread(target=self._count, name="beat", daemon=True)

    def set_jobs(self, jobs: Mapping[str, Timetable]) -> None:
        """Replace all jobs, before the start or while it runs."""
        self._jobs = dict(jobs)
        self._scheduler.remove_all_jobs()
        for name, timetable in self._jobs.items():
            offer = partial(self._tell, partial(self._offer, name))
            self._scheduler.add_job(offer, _Trigger(timetable), id=name)

    def start(self) -> None:
        """Run, until it is stopped; once only."""
        self._scheduler.start()
        self._beat.start()

    def stop(self) -> None:
        """Tell nothing any more, and wait for what is being told; not from within a call of it."""
        self._stopping.set()
        if self._scheduler.running:
            # APScheduler stumbles when it is shut down at the moment at which a job is due.
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown()
            self._beat.join()

    def _tell(self, do: Callable[[], None]) -> None:
        with self._one_at_a_time:
            if self._stopping.is_set():
                return
            try:
                do()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next firing comes
                self._failed(error)

    def _count(self) -> None:
        ahead = self._ahead()
        while not self._stopping.wait(self._beat_seconds):
            before, ahead = ahead, self._ahead()
            if before - ahead > _JUMP_SECONDS:
                self.set_jobs(self._jobs)
            self._scheduler.wakeup()
            self._tell(self._look)

    def _ahead(self) -> float:
        """How far the wall is ahead of the seconds that really pass; less when it was set back."""
        return self._clock.now().timestamp() - self._clock.monotonic()
