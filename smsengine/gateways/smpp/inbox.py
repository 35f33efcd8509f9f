"""Receipts between the connection that they came on and the ledger; acknowledged only from there.

An SMSC sends what is not acknowledged again, so that nothing is lost when a process ends here.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from smsengine.gateways.base import Receipt
from smsengine.gateways.smpp.session import Session

#: More receipts than this wait for the ledger on the other side.
MOST_WAITING = 10_000


class Inbox:
    """Several threads use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._come: list[Receipt] = []
        self._open: dict[Receipt, list[tuple[Session, int]]] = defaultdict(list)
        self._waiting = 0
        self._wake: Callable[[], None] = lambda: None

    def listen(self, wake: Callable[[], None]) -> None:
        """Take what to call when a receipt has come."""
        self._wake = wake
        if self._come:
            wake()

    @property
    def is_full(self) -> bool:
        """The same receipt many times counts as often: each waits for its acknowledgement."""
        return self._waiting >= MOST_WAITING

    def put(self, receipt: Receipt, session: Session, sequence: int) -> None:
        """Take a receipt that came in this deliver_sm."""
        with self._lock:
            self._come.append(receipt)
            self._open[receipt].append((session, sequence))
            self._waiting += 1
        self._wake()

    def take(self) -> Sequence[Receipt]:
        """What has come since the last time."""
        with self._lock:
            come, self._come = self._come, []
        return come

    def stored(self, receipts: Sequence[Receipt]) -> dict[Session, list[int]]:
        """What may be acknowledged now, by the session that it came on."""
        found: dict[Session, list[int]] = defaultdict(list)
        with self._lock:
            for receipt in receipts:
                for session, sequence in self._open.pop(receipt, ()):
                    found[session].append(sequence)
                    self._waiting -= 1
        return found
