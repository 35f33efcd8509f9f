"""Threads that look something up, and one that sees to it that answers come in time."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count


class Clerks:
    """Do what they are given, one after the other; ``give`` never waits."""

    def __init__(self, name: str, *, threads: int, most_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threading.Semaphore(most_waiting)

    def give(self, work: Callable[[], None]) -> bool:
        """Have something done; False when too many wait."""
        if not self._free.acquire(blocking=False):
            return False
        try:
            self._threads.submit(self._do, work)
        except RuntimeError:  # they have gone home
            self._free.release()
            return False
        return True

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._free.release()

    def close(self) -> None:
        """Do nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class Punctual:
    """Says what it is given at a time, and not before: one thread, however many wait."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._closed = False
        self._come = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="punctual", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Say nothing more."""
        with self._come:
            self._closed = True
            self._come.notify()
        if self._thread.is_alive():
            self._thread.join()

    def at(self, due: float, say: Callable[[], None]) -> None:
        """Say something at an instant of the monotonic clock."""
        with self._come:
            heapq.heappush(self._waiting, (due, next(self._order), say))
            self._come.notify()

    def _work(self) -> None:
        while (say := self._next()) is not None:
            say()

    def _next(self) -> Callable[[], None] | None:
        with self._come:
            while not self._closed:
                wait = self._waiting[0][0] - self._monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._come.wait(wait)
        return None
