"""One text that tells a phone of many subjects, instead of a text about each.

Looked at once all rows are written, since only then it is known how often a phone is there. The
messages about each subject stay in the run, merged into the one that is sent: their keys keep
anybody from telling them again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from smsengine.errors import ConfigError, RefusedError, RowError
from smsengine.lifecycle import SkipReason
from smsengine.planning.leaving_out import leave_out
from smsengine.planning.manifest import Tally
from smsengine.planning.merging import Before
from smsengine.planning.messages import Hasher, Recipe, prove_rules
from smsengine.planning.registering import Registrar
from smsengine.planning.templates import MAX_CHARACTERS, MessageTemplate
from smsengine.store import messages, series
from smsengine.store.messages import CARRIERS_ROW, Draft
from smsengine.store.series import Listed
from smsengine.text.gsm import measure
from smsengine.text.numerals import amounts_in

_CHUNK = 5_000
_NAME_BYTES = 8
#: What the template of the whole text may use.
NAMES = ("count", "lines", "period")


class ListComposer:
    """Makes the texts about many subjects."""

    def __init__(self, recipe: Recipe) -> None:
        """Compile the recipe.

        Raises:
            ConfigError: the template is wrong, uses a name that there is not, or does not say of
                whom it tells.
        """
        listed = recipe.listed
        assert listed is not None
        self._recipe, self._between = recipe, listed.between
        self._template = MessageTemplate(listed.template, listed.template_name, recipe.period)
        self._template.require(NAMES)
        self._registrar = (
            Registrar(listed.registered, listed.registered_name) if listed.registered else None
        )

    def rehearse(self) -> None:
        """Try the template on made-up lines.

        Raises:
            ConfigError: it does not print them as they are.
        """
        try:
            self._rendered(["X 1", "Y 2"])
        except RowError as error:
            raise ConfigError(f"{self._template.name}: {error}") from error

    def _rendered(self, lines: Sequence[str]) -> str:
        said = self._between.join(lines)
        text = self._template.render(
            {"count": len(lines), "lines": said, "period": self._recipe.period}
        )
        figures = Counter(amounts_in(text))
        figures.subtract(amount for line in lines for amount in amounts_in(line))
        if said not in text or any(left < 0 for left in figures.values()):
            raise RowError("The text about many subjects does not say all that there is of each.")
        return text

    def text(self, lines: Sequence[str], network: str) -> tuple[str, int, str | None]:
        """One text, its segments, and its registered template.

        Raises:
            RowError: it cannot be sent, or there are too many lines.
        """
        recipe, text = self._recipe, self._rendered(lines)
        measured = measure(text)
        if measured.segments > recipe.max_segments:
            raise RowError(
                f"The text about {len(lines)} subjects has {measured.segments} segments; the job"
                f" allows {recipe.max_segments}.",
                reason=SkipReason.TOO_LONG,
            )
        prove_rules(text, measured, recipe.rules)
        template = self._registrar.template_of(text, network) if self._registrar else None
        return text, measured.segments, template

    def longest(self, lines: Sequence[str], network: str) -> int:
        """How many of these lines, from the first, one text can tell; 0 for not even one.

        Whatever is wrong with a line ends the text before it, so that it spoils no other.
        """
        good, bad = 0, 1
        while bad <= len(lines) and self._can_be_told(lines[:bad], network):
            good, bad = bad, 2 * bad
        bad = min(bad, len(lines) + 1)
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._can_be_told(lines[:middle], network):
                good = middle
            else:
                bad = middle
        return good

    def _can_be_told(self, lines: Sequence[str], network: str) -> bool:
        try:
            self.text(lines, network)
        except RowError:
            return False
        return True


class Lists:
    """Merges the messages of phones that have more than the first so many."""

    def __init__(
        self, recipe: Recipe, *, before: Before, most: int, is_resend: bool, now: datetime
    ) -> None:
        """Begin.

        Args:
            recipe: how texts are made.
            before: what other runs told.
            most: so many texts a phone gets one by one.
            is_resend: whoever is told was told before.
            now: when it is planned (UTC).
        """
        self._composer = ListComposer(recipe)
        self._hasher = Hasher(recipe.key, recipe.topic, str(recipe.period))
        self._before, self._most = before, most
        self._is_resend, self._now = is_resend, now

    def finish(self, connection: Connection, run_id: int, tally: Tally) -> None:
        """Write the texts about many subjects, and merge what they tell into them.

        Args:
            connection: of a transaction that writes.
            run_id: the run, whose messages are all written.
            tally: its sums.

        Raises:
            RefusedError: the extract has a subject that is called as one of these texts is.
        """
        for some in _batches(self._phones(connection, run_id)):
            told, lost = _Told(), list[tuple[Listed, RowError]]()
            for of_phone in some:
                self._tell(of_phone, told, lost)
            written = messages.insert_drafts(
                connection, told.drafts, run_id=run_id, places=told.places, due_at=self._now
            )
            if written != len(told.drafts):
                raise RefusedError("A subject is called as a text about many is; rename it.")
            series.merge(connection, told.carriers, now=self._now)
            tally.merge(told.drafts, told.members)
            reasons = {each.id: (error.reason, str(error)) for each, error in lost}
            leave_out(connection, run_id, tally, reasons)

    def _phones(self, connection: Connection, run_id: int) -> Iterator[list[Listed]]:
        """The messages of each phone that gets texts about many subjects."""
        before = self._before.told(connection, run_id)
        ids = series.of_shared_phones(connection, run_id, 2 if before else max(2, self._most + 1))
        found = (
            each
            for start in range(0, len(ids), _CHUNK)
            for each in series.listed(connection, ids[start : start + _CHUNK])
        )
        for address, theirs in groupby(found, key=attrgetter("address")):
            of_phone = list(theirs)
            # Whom a re-send tells was told before, and is among those.
            all_ = before[address] if self._is_resend else before[address] + len(of_phone)
            if len(of_phone) > 1 and max(all_, len(of_phone)) > self._most:
                yield of_phone

    def _tell(
        self, of_phone: Sequence[Listed], told: _Told, lost: list[tuple[Listed, RowError]]
    ) -> None:
        """As many texts as a phone's subjects need."""
        lost += [(each, _NO_LINE) for each in of_phone if not each.line]
        listed = [each for each in of_phone if each.line]
        network, start = of_phone[0].network, 0
        while start < len(listed):
            some = listed[start : start + MAX_CHARACTERS]
            some = some[: max(1, self._composer.longest(_lines(some), network))]
            start += len(some)
            try:
                made = self._composer.text(_lines(some), network)
            except RowError as error:
                lost += [(each, error) for each in some]
            else:
                told.add(self._draft(some, *made), some)

    def _draft(
        self, told: Sequence[Listed], text: str, segments: int, template: str | None
    ) -> Draft:
        """The message; its name follows from what it tells, so that it is the same made anew."""
        names = b"".join(each.dedup_key + bytes([each.revision % 256]) for each in told)
        subject = f"list {hashlib.blake2b(names, digest_size=_NAME_BYTES).hexdigest()}"
        address, network = told[0].address, told[0].network
        key = self._hasher.dedup_key(subject, address)
        seal = self._hasher.text_hash(key, text)
        return Draft(
            *(CARRIERS_ROW, key, 1, None, subject, address, network),
            *(text, seal, segments, template),
        )


def _lines(some: Sequence[Listed]) -> list[str]:
    return [each.line or "" for each in some]


_NO_LINE = RowError("What a text about many subjects says of it cannot be made.")


class _Told:
    """Texts about many subjects, and the messages that are merged into them."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        #: each stands where the first of those that it tells stands
        self.places: list[int] = []
        self.members: list[Listed] = []
        #: the dedup key of its carrier for each message that is merged
        self.carriers: dict[int, bytes] = {}

    def add(self, draft: Draft, members: Sequence[Listed]) -> None:
        self.drafts.append(draft)
        self.places.append(members[0].place)
        self.members += members
        self.carriers.update(dict.fromkeys((each.id for each in members), draft.dedup_key))


def _batches(phones: Iterable[list[Listed]]) -> Iterator[list[list[Listed]]]:
    """So many phones at a time that their messages are written with one statement."""
    batch: list[list[Listed]] = []
    for of_phone in phones:
        batch.append(of_phone)
        if sum(map(len, batch)) >= _CHUNK:
            yield batch
            batch = []
    if batch:
        yield batch
