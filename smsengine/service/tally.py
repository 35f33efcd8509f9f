"""What this process has settled and taken in, counted a batch at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter

from smsengine.gateways.base import Receipt
from smsengine.store.attempts import Settlement

_OUTCOME_AND_STATE = itemgetter(
    Settlement._fields.index("outcome"), Settlement._fields.index("state")
)
_STATUS = attrgetter("status")


class Tally:
    """Counts that only grow; several threads may add."""

    def __init__(self) -> None:
        self._hand_overs: Counter[tuple[str, str, str]] = Counter()
        self._receipts: Counter[tuple[str, str]] = Counter()
        self._callbacks: Counter[tuple[str, str]] = Counter()
        self._payment_requests: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def settled(self, gateway: str, settlements: Sequence[Settlement]) -> None:
        """A lane has written down what its hand-overs came to; what never left is not counted."""
        # Nearly all are alike: comparing neighbours costs a third of hashing each.
        alike = groupby(map(_OUTCOME_AND_STATE, settlements))
        with self._lock:
            for (outcome, state), those in alike:
                if outcome:
                    self._hand_overs[gateway, outcome, state] += len(list(those))

    def received(self, gateway: str, receipts: Sequence[Receipt]) -> None:
        """Receipts were stored."""
        counts = Counter(map(_STATUS, receipts))
        with self._lock:
            for status, count in counts.items():
                self._receipts[gateway, status] += count

    def callback(self, gateway: str, answer: str) -> None:
        """A callback was answered; ``gateway`` is empty for none of ours."""
        with self._lock:
            self._callbacks[gateway, answer] += 1

    def payment_request(self, wanted: str, status: int) -> None:
        """A request about payments was answered."""
        with self._lock:
            self._payment_requests[wanted, str(status)] += 1

    def payment_requests(self) -> Mapping[tuple[str, ...], int]:
        """How many, by what was wanted and status."""
        with self._lock:
            return {(wanted, status): n for (wanted, status), n in self._payment_requests.items()}

    def hand_overs(self) -> Mapping[tuple[str, ...], int]:
        """How many, by gateway, outcome and state."""
        with self._lock:
            return {(gate, *map(str, rest)): n for (gate, *rest), n in self._hand_overs.items()}

    def receipts(self) -> Mapping[tuple[str, ...], int]:
        """How many, by gateway and status."""
        with self._lock:
            return {(gate, str(status)): n for (gate, status), n in self._receipts.items()}

    def callbacks(self) -> Mapping[tuple[str, ...], int]:
        """How many, by gateway and answer."""
        with self._lock:
            return {(gate, answer): n for (gate, answer), n in self._callbacks.items()}
