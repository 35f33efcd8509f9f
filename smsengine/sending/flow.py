"""How much a lane holds at once: the crew never waits, and yet it can stop quickly."""

from __future__ import annotations

import math

#: A message should not be held longer than this between its claim and its answer.
_HELD_SECONDS = 1.0
_LESS = 0.7


class Flow:
    """Finds out how many messages may be under way; pure, told what happened."""

    def __init__(self, *, batch: int, crew: int) -> None:
        """Begin with a quarter of a batch.

        Args:
            batch: most messages claimed at once.
            crew: how many hand-overs are at work at once.
        """
        self._batch = batch
        self._crew = crew
        self._most = max(2 * batch, 3 * crew)
        self._ahead = min(self._most, max(crew, batch // 4, 1))
        self._held_since = math.inf

    def came_back(self, claimed_at: float) -> None:
        """Take note of an answer to what was claimed then."""
        self._held_since = min(self._held_since, claimed_at)

    def settled(self, now: float) -> None:
        """What has come back is settled: where it was held for too long, less is claimed."""
        if now - self._held_since > _HELD_SECONDS:
            self._ahead = max(self._crew, int(self._ahead * _LESS))
        self._held_since = math.inf

    def room(self, under_way: int, *, goes_on: bool) -> int:
        """How many messages may be claimed now; small claims are not worth a commit.

        Args:
            under_way: messages that were claimed and have no answer.
            goes_on: something was claimed before; where a part of the crew has had nothing left to
                do, more is claimed from now on.
        """
        if under_way > self._ahead // 2:
            return 0
        if goes_on and under_way < self._crew:
            self._ahead = min(self._most, self._ahead * 2)
        return min(self._ahead - under_way, self._batch)
