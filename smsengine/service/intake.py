"""Receipts that others bring: stored in groups, and answered when they are in the ledger.

A commit takes as long for a thousand receipts as for one. Whoever brings some while a commit is
under way waits for the next one, which holds all that came in the meantime.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from smsengine.errors import StoreAwayError
from smsengine.gateways.base import Receipt

#: Receipts in one commit; more of them hold up whoever else writes.
_AT_ONCE = 1000
#: Receipts that wait at most: some seconds of a commit for each thousand.
MOST_WAITING = 20_000

Keep = Callable[[str, Sequence[Receipt]], None]


class Brought(NamedTuple):
    """What one callback brought."""

    gateway: str
    receipts: Sequence[Receipt]
    stored: Future[None]


class Intake:
    """One thread that stores what several bring."""

    def __init__(self, keep: Keep, *, most_waiting: int = MOST_WAITING) -> None:
        """Put it together.

        Args:
            keep: stores receipts of a gateway, durably when it returns.
            most_waiting: receipts that may wait.
        """
        self._keep = keep
        self._most = most_waiting
        self._waiting: deque[Brought] = deque()
        self._count = 0
        self._closed = False
        self._come = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="receipts", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def close(self) -> None:
        """Store what waits, and end."""
        with self._come:
            self._closed = True
            self._come.notify()
        if self._thread.is_alive():
            self._thread.join()

    def bring(self, gateway: str, receipts: Sequence[Receipt]) -> Future[None] | None:
        """Have receipts stored.

        Returns:
            Done when they are durably in the ledger, or with what kept them from it; None when too
            many wait.
        """
        stored: Future[None] = Future()
        with self._come:
            if self._closed or self._count + len(receipts) > self._most:
                return None
            self._waiting.append(Brought(gateway, receipts, stored))
            self._count += len(receipts)
            self._come.notify()
        return stored

    def _work(self) -> None:
        while group := self._next():
            for gateway in dict.fromkeys(each.gateway for each in group):
                self._store(gateway, [each for each in group if each.gateway == gateway])

    def _next(self) -> list[Brought]:
        """What waits, up to a commit's worth; nothing when it is closed and all is stored."""
        with self._come:
            while not self._waiting and not self._closed:
                self._come.wait()
            group: list[Brought] = []
            count = 0
            while self._waiting and count < _AT_ONCE:
                group.append(self._waiting.popleft())
                count += len(group[-1].receipts)
            self._count -= count
            return group

    def _store(self, gateway: str, group: Sequence[Brought]) -> None:
        try:
            self._keep(gateway, [receipt for each in group for receipt in each.receipts])
        except Exception as error:  # noqa: BLE001 - whoever brought them is told
            if len(group) > 1 and not isinstance(error, StoreAwayError):
                # What is wrong with one of them must not keep out the others.
                for each in group:
                    self._store(gateway, [each])
                return
            for each in group:
                each.stored.set_exception(error)
            return
        for each in group:
            each.stored.set_result(None)
