"""What is new, what is known, what contradicts what: drafts against the ledger.

For a plan, a key that the ledger knows with the same text is already told; with another text it is
refused, since a changed figure goes out only as a correction. For a re-send the question is turned
round: only what was told before and fits the selection gets a new edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from sqlalchemy import Connection

from smsengine.lifecycle import FAILED_STATES, MessageState, SkipReason
from smsengine.planning.leaving_out import leave_out
from smsengine.planning.manifest import Tally
from smsengine.planning.messages import Composed
from smsengine.planning.withholding import Withholding
from smsengine.store import messages, runs, skips
from smsengine.store.engine import Store
from smsengine.store.known import Known, newest_known, newest_texts
from smsengine.store.messages import Draft
from smsengine.store.skips import SkippedRow
from smsengine.store.turns import take_turn

_CAPPED_AT_ONCE = 20_000
_NOT_SETTLED = frozenset({MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN})


@dataclass(kw_only=True)
class Selection:
    """What a plan or a re-send did not take, and why."""

    same: int = 0
    changed: list[str] = field(default_factory=list)
    still_open: int = 0
    over_cap: int = 0
    not_told_before: int = 0
    other: int = 0


class Dedup:
    """Compares drafts with what is known, and writes what is left into one run."""

    def __init__(
        self,
        *,
        ledger: Store,
        outbox: Store,
        run_id: int,
        topic: str,
        period: str,
        resend: str | None,
        resend_cap: int,
        tally: Tally,
        withholding: Withholding,
    ) -> None:
        self._store = ledger
        self._run_id = run_id
        self._resend = resend
        self._topic = topic
        self._period = period
        self._cap = resend_cap
        self._tally = tally
        self._withholding = withholding
        self._contradicted: set[str] = set()
        self._places = count(1)
        self.selection = Selection()
        self.rows_read = 0
        # In a dry run the outbox is a scratch database, whose run numbers mean nothing here.
        self._own_run = run_id if outbox is ledger else 0
        with ledger.read() as connection:
            self._known_topic = runs.topic_is_known(
                connection, topic, period, except_run=self._own_run
            )

    def choose(self, composed: Composed) -> Composed:
        """Leave out what is known already, what a re-send does not want, and what is withheld."""
        self.rows_read += composed.source_rows
        chosen = self._chosen(composed) if self._known_topic else composed
        with self._store.read() as connection:
            kept, withheld = self._withholding.judge(connection, chosen.drafts)
        return _replaced(chosen, kept, [*chosen.skips, *withheld]) if withheld else chosen

    def _chosen(self, composed: Composed) -> Composed:
        drafts = composed.drafts
        told: Mapping[str, str] = {}
        with self._store.read() as connection:
            known = newest_known(connection, [draft.dedup_key for draft in drafts])
            new = sorted({draft.subject for draft in drafts if draft.dedup_key not in known})
            if new and self._resend is None:
                told = newest_texts(
                    connection, self._topic, self._period, new, except_run=self._own_run
                )
        if self._resend is not None:
            return self._chosen_again(composed, known)
        return self._only_new(composed, known, told)

    def _only_new(
        self, composed: Composed, known: Mapping[bytes, Known], told: Mapping[str, str]
    ) -> Composed:
        drafts, skipped = [], list(composed.skips)
        for draft in composed.drafts:
            before = known.get(draft.dedup_key)
            if before is None and told.get(draft.subject, draft.text) != draft.text:
                # A new phone of a subject whose figures changed since it was told elsewhere.
                self.selection.changed.append(draft.subject)
                skipped.append(_changed_subject(draft))
            elif before is None or before.run_id == self._own_run:
                drafts.append(draft)
            elif before.state is MessageState.CANCELLED:
                drafts.append(_next_edition(draft, before))
            else:
                skipped += self._told_elsewhere(draft, before)
        return _replaced(composed, drafts, skipped)

    def _chosen_again(self, composed: Composed, known: Mapping[bytes, Known]) -> Composed:
        drafts = []
        for draft in composed.drafts:
            before = known.get(draft.dedup_key)
            if before is not None and self._is_wanted(draft, before):
                drafts.append(_next_edition(draft, before))
            elif before is None:
                self.selection.not_told_before += 1
        return _replaced(composed, drafts, [])

    def _is_wanted(self, draft: Draft, before: Known) -> bool:
        changed = before.text_hash != draft.text_hash
        unknown = before.state is MessageState.UNKNOWN
        fits = {
            "failed": before.state in FAILED_STATES,
            "unknown": unknown,
            "changed": changed,
            "all": True,
        }[self._resend or "all"]
        open_ = before.state in _NOT_SETTLED and not (unknown and self._resend == "unknown")
        if not fits:
            self.selection.other += 1
        elif open_:
            self.selection.still_open += 1
        elif before.told >= self._cap:
            self.selection.over_cap += 1
        else:
            return True
        return False

    def write(self, connection: Connection, composed: Composed, *, due_at: datetime) -> None:
        """Write a chunk into the run and count it; one recipient has one message."""
        drafts, skipped = composed.drafts, list(composed.skips)
        self._take_turn(connection)
        written = messages.insert_drafts(
            connection, drafts, run_id=self._run_id, places=self._places, due_at=due_at
        )
        self._tally.read(composed)
        self._tally.write(drafts)
        if written != len(drafts):
            skipped += self._left_out(connection, drafts)
        skips.write(connection, self._run_id, skipped)
        self._tally.skip(skipped)

    def written(self, connection: Connection) -> None:
        """All chunks of a batch are written."""
        self._withholding.written(connection, self._run_id, is_last=False)

    def _left_out(self, connection: Connection, drafts: list[Draft]) -> list[SkippedRow]:
        """Account for the drafts that were not written since their key was there already."""
        known = newest_known(connection, [draft.dedup_key for draft in drafts])
        skipped = []
        for draft in drafts:
            first = known[draft.dedup_key]
            if first.run_id == self._run_id and first.row_number == draft.row_number:
                continue
            self._tally.withdraw(draft.text_hash, draft.segments, draft.network, draft.template)
            self._withholding.withdrawn([draft])
            same = first.text_hash == draft.text_hash
            if first.run_id != self._run_id:
                skipped += self._told_elsewhere(draft, first)
            elif same:
                skipped.append(_twin(draft, first.row_number))
            else:
                self._contradicted.add(draft.subject)
                skipped.append(_conflicting(draft.row_number, draft.subject))
        return skipped

    def _told_elsewhere(self, draft: Draft, first: Known) -> list[SkippedRow]:
        """Another run has told this recipient, or is about to."""
        if first.text_hash == draft.text_hash:
            self.selection.same += 1
            self._tally.already_planned += 1
            return []
        self.selection.changed.append(draft.subject)
        return [_changed(draft, first)]

    def finish(self, connection: Connection) -> None:
        """Take out every message about a subject whose rows contradict each other."""
        self._take_turn(connection)
        subjects = self._contradicted | messages.contradicting_subjects(connection, self._run_id)
        if not subjects:
            return
        taken = messages.withdraw(connection, self._run_id, sorted(subjects))
        for message in taken:
            self._tally.take_out(message)
        skipped = [_conflicting(message.row_number, message.subject) for message in taken]
        skips.write(connection, self._run_id, skipped)
        self._tally.skip(skipped)

    def finish_caps(self, connection: Connection) -> None:
        """Judge the caps, where only now it is known what phones of many subjects get."""
        if self._withholding.is_late:
            self._judge_caps(connection)
        self._withholding.written(connection, self._run_id, is_last=True)

    def _judge_caps(self, connection: Connection) -> None:
        last = 0
        while waiting := messages.waiting_after(
            connection, self._run_id, last, limit=_CAPPED_AT_ONCE
        ):
            last = waiting[-1].id
            # What this transaction has counted is seen by no other.
            with self._store.read() if self._own_run == 0 else nullcontext(connection) as reading:
                over = self._withholding.over_caps(reading, waiting)
            leave_out(connection, self._run_id, self._tally, over)
            self.written(connection)

    def _take_turn(self, connection: Connection) -> None:
        """Of two jobs that tell the same, one writes and looks at a time."""
        take_turn(connection, self._topic, self._period)


def _next_edition(draft: Draft, before: Known) -> Draft:
    return draft._replace(revision=before.last_revision + 1, replaces_id=before.id)


def _changed(draft: Draft, before: Known) -> SkippedRow:
    return SkippedRow(
        draft.row_number,
        draft.subject,
        SkipReason.CHANGED_AFTER_SENT,
        f"Run {before.run_id} has another text for this recipient; if that one was sent and this is"
        " a correction, use --resend changed --reason.",
    )


def _changed_subject(draft: Draft) -> SkippedRow:
    return SkippedRow(
        draft.row_number,
        draft.subject,
        SkipReason.CHANGED_AFTER_SENT,
        "Another phone of this subject was told other figures; correct those first with --resend"
        " changed --reason.",
    )


def _twin(draft: Draft, first_row: int) -> SkippedRow:
    return SkippedRow(
        draft.row_number, draft.subject, SkipReason.DUPLICATE_ROW, f"The same as row {first_row}."
    )


def _conflicting(row_number: int, subject: str) -> SkippedRow:
    return SkippedRow(
        row_number,
        subject,
        SkipReason.CONFLICTING_ROWS,
        "Several rows give this subject different figures; none is sent.",
    )


def _replaced(composed: Composed, drafts: list[Draft], skipped: list[SkippedRow]) -> Composed:
    return Composed(
        drafts=drafts,
        skips=skipped,
        subjects=composed.subjects,
        source_rows=composed.source_rows,
        extra_recipients=composed.extra_recipients,
        money=composed.money,
        lowest=composed.lowest,
        highest=composed.highest,
    )
