"""How the daemon is: what its threads note about themselves, and what others may ask.

A thread that has given no sign for longer than it said is stuck, and the process should be started
anew (``is_alive``). A process that is alive may still not do its work (``is_ready``): it has not
begun, the ledger is away, or nothing may be sent from here; starting it anew would not help.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

_AWAY = "The ledger is away; it is tried again all the time."


@dataclass(kw_only=True)
class Vitals:
    """Shared by all threads. Whoever notes something puts a whole new value in its place.

    ``fenced`` is why nothing may be sent, empty when all may; ``away_because`` is why the ledger
    cannot be used. ``broken_jobs`` is what is wrong with each job that cannot be used,
    ``next_fires`` when each of the others is due next (UTC); both by the job's name. ``monotonic``
    tells seconds that stand still while the machine is suspended: the threads did, too.
    """

    monotonic: Callable[[], float] = time.monotonic
    started: bool = False
    stopping: bool = False
    leads: bool = False
    store_ok: bool = True
    away_because: str = ""
    fenced: str = ""
    broken_jobs: Mapping[str, str] = field(default_factory=dict)
    next_fires: Mapping[str, datetime] = field(default_factory=dict)
    _limits: dict[str, float] = field(default_factory=dict)
    _beats: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, thread: str, limit_seconds: float) -> None:
        """From now on a thread gives a sign at least so often."""
        with self._lock:
            self._limits[thread] = limit_seconds
            self._beats[thread] = self.monotonic()

    def beat(self, thread: str) -> None:
        """A sign of life; of a thread that is not expected it means nothing."""
        with self._lock:
            if thread in self._limits:
                self._beats[thread] = self.monotonic()

    def forget(self, thread: str) -> None:
        """A thread has ended as it should."""
        with self._lock:
            self._limits.pop(thread, None)
            self._beats.pop(thread, None)

    def ages(self, now: float | None = None) -> dict[str, float]:
        """How many seconds ago each expected thread gave its last sign, at ``now`` (monotonic)."""
        with self._lock:
            present = self.monotonic() if now is None else now
            return {thread: present - at for thread, at in sorted(self._beats.items())}

    def stuck(self) -> list[str]:
        """One sentence for each thread that has been silent for too long."""
        ages = self.ages()
        with self._lock:
            limits = dict(self._limits)
        return [
            f"The thread {thread} has given no sign for {age:.0f} seconds."
            for thread, age in ages.items()
            if thread in limits and age > limits[thread]
        ]

    def is_alive(self) -> bool:
        """Say whether every expected thread has given a sign within its own time."""
        return not self.stuck()

    def not_ready(self) -> list[str]:
        """One sentence for each reason why the daemon does not do its work."""
        said = []
        if not self.started:
            said.append("It has not started yet.")
        if self.stopping:
            said.append("It is stopping.")
        if not self.store_ok:
            said.append(f"{_AWAY} {self.away_because}".strip())
        if self.fenced:
            said.append(self.fenced)
        return said + self.stuck()

    def is_ready(self) -> bool:
        """Say whether the daemon does its work."""
        return not self.not_ready()
