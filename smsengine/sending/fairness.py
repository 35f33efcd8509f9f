"""Whose turn it is among runs: by weight, so that nobody waits behind a bigger run.

Stride scheduling: each run has come so far on its way, and the one that has come least far is next.
A run of priority 1 gets sixteen times as much of a lane as one of priority 5, and none gets
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from smsengine.store.runs import Run

_LOWEST_PRIORITY = 9


def weight(priority: int) -> int:
    """How much of a lane a run gets, against others; twice as much for each step of priority."""
    return int(2 ** (_LOWEST_PRIORITY - priority))


class Turns:
    """How far each run has come at one lane."""

    def __init__(self) -> None:
        self._come: dict[int, float] = {}

    def order(self, runs: Iterable[Run]) -> list[Run]:
        """Runs in the order in which they may take messages.

        One that was away, or is new, starts where the others are: nobody saves up turns.
        """
        present = list(runs)
        known = [self._come[run.id] for run in present if run.id in self._come]
        start = min(known, default=0.0)
        self._come = {run.id: self._come.get(run.id, start) for run in present}
        return sorted(present, key=lambda run: (self._come[run.id], run.priority, run.id))

    def charge(self, run: Run, count: int) -> None:
        """Write down that a run has taken messages."""
        if run.id in self._come:
            self._come[run.id] += count / weight(run.priority)
