"""How often each of many may come, counted in the memory of this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

#: So many are remembered; beyond that those that came longest ago are forgotten.
MOST = 100_000


class Limits:
    """Lets each come so often, and some at once after a pause; several threads may ask.

    Of each it remembers one instant only: when all of its turns are free again. A turn moves that
    by one interval, and none is left when it would lie further ahead than all turns together.
    """

    def __init__(
        self, *, most: int = MOST, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._monotonic = most, monotonic
        self._free_at: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: Hashable, *, turns: int, seconds: float) -> float:
        """Take a turn.

        Args:
            who: whose turn.
            turns: how many there are.
            seconds: how long it takes until all of them are free again.

        Returns:
            0.0 when it was free, else how many seconds remain until the next one is.
        """
        interval = seconds / turns
        with self._lock:
            now = self._monotonic()
            free_at = max(now, self._free_at.get(who, now))
            ahead = free_at + interval - now - seconds
            if ahead > interval / 1000:
                return ahead
            self._free_at[who] = free_at + interval
            self._free_at.move_to_end(who)
            if len(self._free_at) > self._most:
                self._free_at.popitem(last=False)
        return 0.0

    def give_back(self, who: Hashable, *, turns: int, seconds: float) -> None:
        """A turn that was taken does not count."""
        with self._lock:
            if who in self._free_at:
                self._free_at[who] -= seconds / turns
