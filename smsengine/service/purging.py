"""Taking personal data out of the ledger when it has been kept long enough.

Piece by piece, each a short transaction, with as long a rest after it as it took: sending is never
in the way of it for longer than a piece. One that is killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsengine.clock import Clock
from smsengine.config.upkeep import Age, Retention
from smsengine.service.alarming import masked
from smsengine.store import purging, receipts, runs
from smsengine.store.engine import Store
from smsengine.store.purging import Cutoffs, Left

#: Rows in one transaction: tens of milliseconds on either database.
_PIECE = 2_000


@dataclass(kw_only=True)
class Purged:
    """What was purged. ``open`` counts messages that stay since their fate is open."""

    runs: int = 0
    messages: int = 0
    skips: int = 0
    open: int = 0
    is_all: bool = True

    def counts(self) -> str:
        """The counts in words."""
        return f"{self.messages} messages and {self.skips} skipped rows of {self.runs} runs"

    def __str__(self) -> str:
        said = f"{self.counts()} purged"
        if self.open:
            said += f", {self.open} messages stay since their fate is open"
        return said + ("" if self.is_all else "; more follows")


def kept_until(retention: Retention, now: datetime, *, older_than: Age | None = None) -> Cutoffs:
    """What has been kept long enough by now; ``older_than`` takes the place of the configured."""
    return Cutoffs(
        texts=(older_than or retention.texts).before(now),
        skips=(older_than or retention.skips).before(now),
    )


class Purger:
    """Purges runs that ended long enough ago."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        actor: str,
        piece: int = _PIECE,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor
        self._piece = piece
        self._at = at

    def look(self, cutoffs: Cutoffs) -> Purged:
        """Count what would be purged; nothing is changed."""
        found = Purged()
        with self._store.read() as connection:
            for run_id in purging.due(connection, cutoffs):
                ended = purging.ended(connection, run_id)
                if ended is None:
                    continue
                held = purging.left(connection, run_id, cutoffs.of(ended))
                _count(found, held)
        return found

    def purge(self, cutoffs: Cutoffs, *, within: timedelta | None = None) -> Purged:
        """Purge what is due.

        Args:
            cutoffs: what has been kept long enough.
            within: stop after that time, and leave the rest for later; None: all of it.
        """
        done = Purged()
        until = None if within is None else self._clock.monotonic() + within.total_seconds()
        with self._store.read() as connection:
            waiting = purging.due(connection, cutoffs)
        for run_id in waiting:
            before = done.messages + done.skips
            while self._one_piece(run_id, cutoffs, done):
                if until is not None and self._clock.monotonic() >= until:
                    done.is_all = False
                    break
            done.runs += done.messages + done.skips > before
            if not done.is_all:
                break
            self._finish(run_id, cutoffs, done)
        if done.is_all and cutoffs.texts is not None:
            self._forget_strangers(cutoffs.texts)
        return done

    def _forget_strangers(self, cutoff: datetime) -> None:
        """Receipts that never found a message belong to no run; they go by their own age."""
        count = self._piece
        while count == self._piece:
            with self._store.write() as connection:
                purging.overwrite_freed(connection)
                count = receipts.forget_strangers(connection, cutoff, limit=self._piece)

    def _one_piece(self, run_id: int, cutoffs: Cutoffs, done: Purged) -> bool:
        """Purge some rows of a run, then rest; False when none is left that may be purged now."""
        began = self._clock.monotonic()
        with self._store.write() as connection:
            ended = purging.ended(connection, run_id, locked=True)
            if ended is None:
                return False
            due = cutoffs.of(ended)
            purging.overwrite_freed(connection)
            messages = skips = 0
            if due.texts is not None:
                messages = purging.empty_messages(connection, run_id, due.texts, limit=self._piece)
            if messages:
                purging.begin(connection, run_id, self._clock.now())
            if due.skips is not None and not messages:
                skips = purging.empty_skips(connection, run_id, limit=self._piece)
            self._at("purging")
        self._at("purged")
        done.messages += messages
        done.skips += skips
        self._clock.sleep(self._clock.monotonic() - began)
        return bool(messages or skips)

    def _finish(self, run_id: int, cutoffs: Cutoffs, done: Purged) -> None:
        """Close a run in which nothing is left, and count what must stay in the others."""
        with self._store.read() as connection:
            ended = purging.ended(connection, run_id)
            if ended is None:
                return
            done.open += purging.left(connection, run_id, cutoffs.of(ended)).open
            if not purging.is_empty(connection, run_id):
                return
        with self._store.write() as connection:
            now = self._clock.now()
            if purging.ended(connection, run_id, locked=True) is not None:
                purging.reword(connection, run_id, masked)
                runs.note(connection, run_id, at=now, actor=self._actor, what=purging.PURGED)


def _count(found: Purged, held: Left) -> None:
    found.runs += bool(held.messages or held.skips)
    found.messages += held.messages
    found.skips += held.skips
    found.open += held.open
