"""The texts of a job before anything is planned: the same composing, nothing stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from smsengine.config.job import LoadedJob
from smsengine.lifecycle import SkipReason
from smsengine.period import Period
from smsengine.phone import mask
from smsengine.planning.manifest import Prices
from smsengine.planning.messages import Composed, Composer
from smsengine.planning.parallel import chunks
from smsengine.service.bootstrap import Engine
from smsengine.service.extracts import Extracts
from smsengine.service.orders import recipe_for
from smsengine.store.messages import Draft
from smsengine.store.skips import SkippedRow

_CHUNK = 500
#: Nothing is stored, so its hashes need no secret.
_NO_KEY = b"preview"


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """One message as it would go out; cost in đồng."""

    row_number: int
    subject: str
    phone: str
    text: str
    segments: int
    cost: int

    def facts(self) -> dict[str, object]:
        """The message for programs; the number is masked."""
        return {
            "row": self.row_number,
            "subject": self.subject,
            "phone": self.phone,
            "text": self.text,
            "characters": len(self.text),
            "segments": self.segments,
            "cost": self.cost,
        }


@dataclass(kw_only=True)
class Preview:
    """A stream of messages; what was skipped is counted while it is read."""

    composed: Iterator[Composed]
    prices: Prices
    skips: Counter[SkipReason] = field(default_factory=Counter)
    skipped_rows: list[SkippedRow] = field(default_factory=list)
    rows: int = 0

    def messages(self, limit: int | None = None) -> Iterator[Previewed]:
        """The messages in the extract's order; with a limit, no more is read than needed."""
        return islice(self._all(), limit)

    def _all(self) -> Iterator[Previewed]:
        for chunk in self.composed:
            self.rows += chunk.source_rows
            self.skips.update(skip.reason for skip in chunk.skips)
            self.skipped_rows += chunk.skips[: max(0, 20 - len(self.skipped_rows))]
            yield from (self._shown(draft) for draft in chunk.drafts)

    def _shown(self, draft: Draft) -> Previewed:
        return Previewed(
            row_number=draft.row_number,
            subject=draft.subject,
            phone=mask(draft.address),
            text=draft.text,
            segments=draft.segments,
            cost=draft.segments * self.prices.of(draft.network),
        )


def preview_job(
    engine: Engine, loaded: LoadedJob, period: Period, *, only: Sequence[str] = ()
) -> Preview:
    """Open a job's extract and compose it as it is read.

    Raises:
        ConfigError, SourceError: something that the job names is wrong or not there.
    """
    source = Extracts(engine, loaded, period).open()
    composer = Composer(recipe_for(engine, loaded, period, source, key=_NO_KEY, only=only))
    composed = map(composer.compose, chunks(source.rows(), _CHUNK))
    return Preview(composed=composed, prices=engine.prices_today(loaded.job.gateway))
