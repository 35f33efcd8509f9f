"""Time is an argument: whoever needs the present is given a clock."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

#: The only zone in which days, months and sending hours are meant.
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def day_begins(now: datetime) -> datetime:
    """When the day in Vietnam began that it is now (UTC)."""
    midnight = now.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The present as an aware UTC instant."""

    def monotonic(self) -> float:
        """Seconds that only go forward, also while the machine is suspended; to measure with."""

    def sleep(self, seconds: float) -> None:
        """Wait that long."""

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Wait until something has happened, but not longer than that."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> None:
        event.wait(seconds)


class ManualClock:
    """A clock that only its owner moves; waiting moves it at once. For tests and rehearsals."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def sleep(self, seconds: float) -> None:
        # What is too short for it is a microsecond: who waits for an instant gets there.
        self._now += timedelta(seconds=seconds) or timedelta(microseconds=seconds > 0)

    def wait(self, event: threading.Event, seconds: float) -> None:
        if not event.is_set():
            self.sleep(seconds)
