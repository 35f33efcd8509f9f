"""One phone that serves many subjects, e.g. an accounting firm's: a capped series of texts.

Looked at once all rows are written, since only then it is known how often a phone is there. What
other runs told the phone about the period counts, too: planning again tells it no more.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from smsengine.lifecycle import SkipReason
from smsengine.planning.manifest import Tally
from smsengine.store import runs, series, skips
from smsengine.store.engine import Store
from smsengine.store.skips import SkippedRow


class Series:
    """Takes out what is more than the first so many texts for one phone."""

    def __init__(
        self, *, ledger: Store, is_rehearsed: bool, topic: str, period: str, most: int
    ) -> None:
        """Begin.

        Args:
            ledger: what other runs told.
            is_rehearsed: the run is not in the ledger, and its number means nothing there.
            topic: of the run.
            period: of the run.
            most: so many texts a phone gets about the period.
        """
        self._ledger, self._is_rehearsed = ledger, is_rehearsed
        self._topic, self._period, self._most = topic, period, most

    def finish(self, connection: Connection, run_id: int, tally: Tally) -> None:
        """Make skips of the texts beyond the series, in the extract's order."""
        before = self._told_before(connection, run_id)
        least = 0 if before else self._most
        found = [
            message.id
            for message in series.beyond(connection, run_id, least)
            if message.nth > self._most - before[message.address]
        ]
        for taken in series.take(connection, found):
            for message in taken:
                tally.withdraw(
                    message.text_hash, message.segments, message.network, message.template
                )
            skipped = [self._skip(message.row_number, message.subject) for message in taken]
            skips.write(connection, run_id, skipped)
            tally.skip(skipped)

    def _told_before(self, connection: Connection, run_id: int) -> Counter[str]:
        """How many subjects other runs told each phone of this run."""
        own = 0 if self._is_rehearsed else run_id
        with self._ledger.read() as reading:
            if not runs.topic_is_known(reading, self._topic, self._period, except_run=own):
                return Counter()
            here = {message.address for message in series.beyond(connection, run_id, 0)}
            told = series.told_addresses(reading, self._topic, self._period, except_run=own)
            return Counter(address for address in told if address in here)

    def _skip(self, row_number: int, subject: str) -> SkippedRow:
        said = f"The phone has its {self._most} texts about this period."
        return SkippedRow(row_number, subject, SkipReason.OVER_SERIES, said)
