"""The threads of a lane: each does one hand-over at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

Task = Callable[[], None]


class Crew(Protocol):
    """Does tasks in the order in which they are given, some of them at once."""

    size: int

    def give(self, task: Task) -> None:
        """Have a task done."""

    def close(self, seconds: float) -> bool:
        """Take no more tasks, and wait for those that are at work; False when some still are."""


class Threads:
    """A crew of threads."""

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(1, size + 1)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def give(self, task: Task) -> None:
        self._tasks.put(task)

    def close(self, seconds: float) -> bool:
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)


class Inline:
    """A crew that does each task at once, on the thread that gives it; for rehearsals and tests."""

    size = 1

    def give(self, task: Task) -> None:
        task()

    def close(self, seconds: float) -> bool:  # noqa: ARG002 - nothing is ever at work
        return True
