"""One phone that serves many subjects, e.g. an accounting firm's: a capped series of texts.

Looked at once all rows are written, since only then it is known how often a phone is there. What
other runs told the phone about the period counts, too: planning again tells it no more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from smsengine.lifecycle import SkipReason
from smsengine.planning.leaving_out import leave_out
from smsengine.planning.manifest import Tally
from smsengine.store import runs, series
from smsengine.store.engine import Store


@dataclass(frozen=True, kw_only=True)
class Before:
    """What other runs told the phones of a run about its topic and period.

    ``is_rehearsed``: the run is not in the ledger, and its number means nothing there.
    """

    ledger: Store
    is_rehearsed: bool
    topic: str
    period: str

    def told(self, connection: Connection, run_id: int) -> Counter[str]:
        """How many subjects other runs told each phone of this run."""
        own = 0 if self.is_rehearsed else run_id
        with self.ledger.read() as reading:
            if not runs.topic_is_known(reading, self.topic, self.period, except_run=own):
                return Counter()
            here = {message.address for message in series.beyond(connection, run_id, 0)}
            told = series.told_addresses(reading, self.topic, self.period, except_run=own)
            return Counter(address for address in told if address in here)


class Series:
    """Takes out what is more than the first so many texts for one phone."""

    def __init__(self, *, before: Before, most: int) -> None:
        """Begin.

        Args:
            before: what other runs told.
            most: so many texts a phone gets about the period.
        """
        self._before, self._most = before, most

    def finish(self, connection: Connection, run_id: int, tally: Tally) -> None:
        """Make skips of the texts beyond the series, in the extract's order."""
        before = self._before.told(connection, run_id)
        least = 0 if before else self._most
        found = [
            message.id
            for message in series.beyond(connection, run_id, least)
            if message.nth > self._most - before[message.address]
        ]
        said = f"The phone has its {self._most} texts about this period."
        leave_out(connection, run_id, tally, dict.fromkeys(found, (SkipReason.OVER_SERIES, said)))
