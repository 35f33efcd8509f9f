"""One text that tells a phone of many subjects, instead of a text about each.

Looked at once all rows are written, since only then it is known how often a phone is there. The
messages about each subject stay in the run, merged into the one that is sent: their keys keep
anybody from telling them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from smsengine.errors import RowError
from smsengine.lifecycle import SkipReason
from smsengine.planning.leaving_out import leave_out
from smsengine.planning.manifest import Tally
from smsengine.planning.merging import Before
from smsengine.planning.messages import Hasher, Recipe, prove_rules
from smsengine.planning.registering import Registrar
from smsengine.planning.templates import MessageTemplate
from smsengine.store import messages, series
from smsengine.store.messages import CARRIERS_ROW, Draft
from smsengine.store.series import Listed
from smsengine.text.gsm import measure

_CHUNK = 5_000
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

    def text(self, lines: Sequence[str], network: str) -> tuple[str, int, str | None]:
        """One text, its segments, and its registered template.

        Raises:
            RowError: it cannot be sent; TOO_LONG where there are too many lines.
        """
        recipe, said = self._recipe, self._between.join(lines)
        text = self._template.render({"count": len(lines), "lines": said, "period": recipe.period})
        if said not in text:
            raise RowError("The text about many subjects does not say all that there is of each.")
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
        """How many of these lines, from the first, one text has room for; 0 for not even one."""
        low, high = 0, len(lines)
        while low < high:
            middle = (low + high + 1) // 2
            if self._has_room(lines[:middle], network):
                low = middle
            else:
                high = middle - 1
        return low

    def _has_room(self, lines: Sequence[str], network: str) -> bool:
        try:
            self.text(lines, network)
        except RowError as error:
            return error.reason is not SkipReason.TOO_LONG
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

    def finish(self, connection: Connection, run_id: int, tally: Tally, first_place: int) -> None:
        """Write the texts about many subjects, and merge what they tell into them.

        Args:
            connection: of a transaction that writes.
            run_id: the run, whose messages are all written.
            tally: its sums.
            first_place: the place of the first of them; they come after all others.
        """
        place = first_place
        for some in _batches(self._phones(connection, run_id)):
            told, lost = _Told(), list[tuple[Listed, RowError]]()
            for of_phone in some:
                self._tell(of_phone, run_id, told, lost)
            written = messages.insert_drafts(
                connection, told.drafts, run_id=run_id, first_place=place, due_at=self._now
            )
            assert written == len(told.drafts), "the name of a run's texts is its own"
            place += written
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
        self,
        of_phone: Sequence[Listed],
        run_id: int,
        told: _Told,
        lost: list[tuple[Listed, RowError]],
    ) -> None:
        """As many texts as a phone's subjects need."""
        address, network = of_phone[0].address, of_phone[0].network
        rest, number = of_phone, 0
        while rest:
            room = self._composer.longest([each.line for each in rest], network)
            some, rest = rest[: max(room, 1)], rest[max(room, 1) :]
            try:
                made = self._composer.text([each.line for each in some], network)
            except RowError as error:
                lost += [(each, error) for each in some]
                continue
            number += 1
            # No code of an extract has a blank in it.
            subject = f"list {run_id}.{number}"
            key = self._hasher.dedup_key(subject, address)
            text, segments, template = made
            seal = self._hasher.text_hash(key, text)
            draft = Draft(
                *(CARRIERS_ROW, key, 1, None, subject, address, network),
                *(text, seal, segments, template),
            )
            told.add(draft, some)


class _Told:
    """Texts about many subjects, and the messages that are merged into them."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.members: list[Listed] = []
        #: the dedup key of its carrier for each message that is merged
        self.carriers: dict[int, bytes] = {}

    def add(self, draft: Draft, members: Sequence[Listed]) -> None:
        self.drafts.append(draft)
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
