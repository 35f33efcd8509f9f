"""What is not told although a text could be made: phones left alone, what the Centre tells, caps.

Asked for each chunk of drafts before they are written, and in a dry run with the same answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.config.job import CENTRAL
from smsengine.lifecycle import SkipReason
from smsengine.mailbox import NETWORK as E_MAIL
from smsengine.store import suppressions, told
from smsengine.store.known import told_subjects
from smsengine.store.messages import Waiting
from smsengine.store.skips import SkippedRow
from smsengine.store.told import Heard

#: Half of a keyed hash is enough to count by.
_COUNTED_BYTES = 8
_NOBODY = Heard(0, 0)
#: A longer list of phones that are left alone is asked about some at a time.
_LISTED_AT_ONCE = 100_000
#: So many phones are counted in memory before the ledger is told.
_NOTED_AT_ONCE = 100_000


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The most texts that one phone gets; None for no limit."""

    per_day: int | None = None
    per_month: int | None = None

    @property
    def are_set(self) -> bool:
        return self.per_day is not None or self.per_month is not None


class Told(Protocol):
    """What is judged: a draft, or a message that waits."""

    @property
    def row_number(self) -> int: ...
    @property
    def subject(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def network(self) -> str: ...


ToldT = TypeVar("ToldT", bound=Told)


class Withholding:
    """Judges the drafts of one run."""

    def __init__(
        self,
        *,
        key: bytes,
        owner: str,
        period: str,
        overlaps: Sequence[str],
        caps: Caps,
        now: datetime,
        is_rehearsed: bool = False,
        is_late: bool = False,
    ) -> None:
        """Begin.

        Args:
            key: of the keyed hashes.
            owner: whose run it is.
            period: what it is about.
            overlaps: topics of the Centre of which it tells a part.
            caps: the most texts for one phone.
            now: when it is planned (UTC).
            is_rehearsed: nothing is written into the ledger.
            is_late: caps are judged once it is known which texts a phone gets; see ``over_caps``.
        """
        self._key, self._owner, self._period = key, owner, period
        self._overlaps = () if owner == CENTRAL else tuple(overlaps)
        self._caps, self._now = caps, now
        self.is_late = is_late and caps.are_set
        self._caps_at_once = Caps() if is_late else caps
        self._day: date = now.astimezone(VIETNAM).date()
        self._rehearsed: Counter[bytes] | None = Counter() if is_rehearsed else None
        self._batch: Counter[bytes] = Counter()
        #: the phones that are left alone, where the list is short enough to be held
        self._alone: frozenset[bytes] | None = None
        #: phones that have as many texts as the lower cap, where few enough are; read anew whenever
        #: the ledger is told what was counted here
        self._often: frozenset[bytes] | None = None
        self._often_is_old = True

    def judge(
        self, connection: Connection, drafts: Sequence[ToldT]
    ) -> tuple[list[ToldT], list[SkippedRow]]:
        """Tell which drafts are told, and why the others are not.

        Args:
            connection: to the ledger.
            drafts: in the extract's order, which is the order in which caps are used up.
        """
        has_list, has_caps = suppressions.are_there(connection), self._caps_at_once.are_set
        digests = self._digests(drafts) if has_list or has_caps else [b""] * len(drafts)
        alone = self._left_alone(connection, digests) if has_list else frozenset[bytes]()
        central = self._told_by_the_centre(connection, drafts)
        near = self._near_caps(connection, digests) if has_caps else {}
        kept, skipped, far = list[ToldT](), list[SkippedRow](), list[bytes]()
        for draft, digest in zip(drafts, digests, strict=True):
            if digest in alone:
                skipped.append(_skip(draft, SkipReason.SUPPRESSED, _ALONE))
            elif draft.subject in central:
                skipped.append(_skip(draft, SkipReason.DUPLICATE_OF_CENTRAL, _CENTRAL))
            elif not has_caps:
                kept.append(draft)
            elif (counted := digest[:_COUNTED_BYTES]) not in near:
                kept.append(draft)
                if self._is_counted(draft):
                    far.append(counted)
            elif over := self._over(draft, counted, near[counted]):
                skipped.append(_skip(draft, *over))
            else:
                kept.append(draft)
        self._batch.update(far)
        return kept, skipped

    def _digests(self, drafts: Sequence[Told]) -> list[bytes]:
        return [suppressions.address_hash(self._key, draft.address) for draft in drafts]

    def may_withhold(self, connection: Connection) -> bool:
        """Say whether anything could be withheld at all."""
        return bool(self._overlaps) or self._caps.are_set or suppressions.are_there(connection)

    def _left_alone(self, connection: Connection, digests: Sequence[bytes]) -> frozenset[bytes]:
        """A list of usual length is read once; who comes onto it later is seen at the release."""
        if self._alone is None and suppressions.count(connection) <= _LISTED_AT_ONCE:
            self._alone = suppressions.all_hashes(connection, office=self._owner, now=self._now)
        if self._alone is not None:
            return self._alone
        given = sorted(set(digests))
        return suppressions.among(connection, given, office=self._owner, now=self._now)

    def _told_by_the_centre(self, connection: Connection, drafts: Sequence[Told]) -> frozenset[str]:
        if not self._overlaps:
            return frozenset()
        subjects = sorted({draft.subject for draft in drafts})
        return told_subjects(
            connection, subjects, owner=CENTRAL, topics=self._overlaps, period=self._period
        )

    def over_caps(
        self, connection: Connection, waiting: Sequence[Waiting]
    ) -> dict[int, tuple[SkipReason, str]]:
        """Tell which messages of a run are over a cap, and of which, by their numbers.

        Args:
            connection: to the ledger.
            waiting: the messages that are sent, in the order in which caps are used up.
        """
        digests = self._digests(waiting)
        near, found = self._near_caps(connection, digests), {}
        for message, digest in zip(waiting, digests, strict=True):
            counted = digest[:_COUNTED_BYTES]
            if over := self._over(message, counted, near.get(counted, _NOBODY)):
                found[message.id] = over
        return found

    # -- caps --------------------------------------------------------------------------------------

    def _near_caps(self, connection: Connection, digests: Sequence[bytes]) -> dict[bytes, Heard]:
        """Phones that may reach a cap with these drafts, and what they were planned before.

        The Centre is judged by its own texts alone, so that it goes before everybody else.
        """
        here = Counter(digest[:_COUNTED_BYTES] for digest in digests)
        again = [digest for digest, times in here.items() if times > 1 or self._planned(digest)]
        least = min(cap for cap in (self._caps.per_day, self._caps.per_month) if cap is not None)
        if self._often_is_old:
            self._often = told.all_many(
                connection, day=self._day, least=least, most=_LISTED_AT_ONCE
            )
            self._often_is_old = False
        often: Iterable[bytes]
        if self._often is not None:
            often = here.keys() & self._often
        else:
            rest = sorted(here.keys() - set(again))
            often = told.many(connection, rest, day=self._day, least=least)
        owner = CENTRAL if self._owner == CENTRAL else None
        near = sorted({*again, *often})
        heard = told.heard(connection, near, day=self._day, owner=owner)
        return {digest: heard.get(digest, _NOBODY) for digest in near}

    def _planned(self, digest: bytes) -> int:
        """How many texts this run has for a phone that are not in the ledger."""
        return self._batch[digest] + (self._rehearsed[digest] if self._rehearsed else 0)

    def _is_counted(self, draft: Told) -> bool:
        """An e-mail address is not capped."""
        return self._caps.are_set and draft.network != E_MAIL

    def _over(self, draft: Told, digest: bytes, heard: Heard) -> tuple[SkipReason, str] | None:
        if not self._is_counted(draft):
            return None
        (day, month), more = heard, self._planned(digest)
        if self._caps.per_day is not None and day + more >= self._caps.per_day:
            return SkipReason.OVER_DAILY_CAP, f"The phone has its {day + more} texts of the day."
        if self._caps.per_month is not None and month + more >= self._caps.per_month:
            said = f"The phone has its {month + more} texts of the month."
            return SkipReason.OVER_MONTHLY_CAP, said
        self._batch[digest] += 1
        return None

    def written(self, connection: Connection, run_id: int, *, is_last: bool) -> None:
        """What was judged is written; from time to time what it adds is counted with it.

        Hashes are spread over all of the table, so that few large writes touch fewer of its pages
        than many small ones.
        """
        if not is_last and len(self._batch) < _NOTED_AT_ONCE:
            return
        if self._rehearsed is not None:
            self._rehearsed.update(self._batch)
        else:
            told.note(connection, self._batch, run_id=run_id, day=self._day)
        self._batch.clear()
        self._often_is_old = True

    def withdrawn(self, drafts: Sequence[Told]) -> None:
        """These of the batch were not written, since they were there already."""
        for draft in drafts:
            digest = suppressions.address_hash(self._key, draft.address)[:_COUNTED_BYTES]
            if self._is_counted(draft) and self._batch[digest]:
                self._batch[digest] -= 1
        self._batch += Counter()


_ALONE = "The phone is on the list of those that are left alone."
_CENTRAL = "The subject has the Centre's notice on the same for this period."


def _skip(draft: Told, reason: SkipReason, detail: str) -> SkippedRow:
    return SkippedRow(draft.row_number, draft.subject, reason, detail)
