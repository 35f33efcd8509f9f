"""The sealed sum of a run: what was counted before anything was sent."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smsengine.lifecycle import SkipReason
from smsengine.planning.messages import Composed, seal_of, seal_of_template
from smsengine.store.messages import CARRIERS_ROW, Draft, Taken
from smsengine.store.series import Listed
from smsengine.store.skips import SkippedRow

_WARNINGS_KEPT = 5

#: Reasons that mean "nobody could be told".
PHONE_REASONS = frozenset(
    {
        SkipReason.NO_PHONE,
        SkipReason.BAD_PHONE,
        SkipReason.LANDLINE,
        SkipReason.SHORT_CODE,
        SkipReason.FOREIGN_PHONE,
        SkipReason.PHONE_REVIEW,
        SkipReason.NO_EMAIL,
        SkipReason.BAD_EMAIL,
    }
)


@dataclass(kw_only=True)
class Warnings:
    """What looks odd in an extract and yet is no fault: how often, and the first few sentences."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        self.count += 1
        if len(self.first) < _WARNINGS_KEPT:
            self.first.append(sentence)


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What one segment costs, in đồng: to some networks, and to all others."""

    others: int
    networks: Mapping[str, int] = field(default_factory=dict)

    def of(self, network: str) -> int:
        """The price of a segment to a network."""
        return self.networks.get(network, self.others)

    def cost(self, segments: Mapping[str, int]) -> int:
        """What segments cost, given by network."""
        return sum(count * self.of(network) for network, count in segments.items())


@dataclass(kw_only=True)
class Tally:
    """Adds up what is written into a run. Money is đồng; ``key`` is that of the seal."""

    key: bytes = b""
    source_rows: int = 0
    extra_recipients: int = 0
    already_planned: int = 0
    messages: int = 0
    #: messages that others tell, and the others; both are among the messages
    merged: int = 0
    carriers: int = 0
    money: int = 0
    lowest: int | None = None
    highest: int | None = None
    seal: int = 0
    template_seal: int = 0
    networks: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    reasons: Counter[SkipReason] = field(default_factory=Counter)

    @property
    def skips(self) -> int:
        return self.reasons.total()

    @property
    def segments(self) -> int:
        return self.networks.total()

    @property
    def without_phone(self) -> int:
        return sum(self.reasons[reason] for reason in PHONE_REASONS)

    def read(self, composed: Composed) -> None:
        """Count what a chunk of the extract held."""
        self.source_rows += composed.source_rows
        self.extra_recipients += composed.extra_recipients
        self.money += composed.money
        for value in (composed.lowest, composed.highest):
            if value is not None:
                self.lowest = value if self.lowest is None else min(self.lowest, value)
                self.highest = value if self.highest is None else max(self.highest, value)

    def write(self, drafts: Sequence[Draft]) -> None:
        """Count messages that were written."""
        self.messages += len(drafts)
        self.lengths.update(draft.segments for draft in drafts)
        for draft in drafts:
            self.networks[draft.network] += draft.segments
            if draft.template is not None:
                self.template_seal += seal_of_template(self.key, draft.text_hash, draft.template)
        self.seal += seal_of([draft.text_hash for draft in drafts])

    def skip(self, skips: list[SkippedRow]) -> None:
        """Count rows that got no message."""
        self.reasons.update(skip.reason for skip in skips)

    def withdraw(self, text_hash: bytes, segments: int, network: str, template: str | None) -> None:
        """Take back a message that was written."""
        self.messages -= 1
        self.networks[network] -= segments
        self.lengths[segments] -= 1
        self.seal -= seal_of([text_hash])
        self.template_seal -= seal_of_template(self.key, text_hash, template)

    def merge(self, carriers: Sequence[Draft], members: Sequence[Listed]) -> None:
        """Messages were merged into others, which go out in their place."""
        self.write(carriers)
        self.carriers += len(carriers)
        self.extra_recipients += len(carriers)
        self.merged += len(members)
        for each in members:
            self.networks[each.network] -= each.segments
            self.lengths[each.segments] -= 1

    def take_out(self, taken: Taken) -> None:
        """Take back a message that was written, and perhaps merged."""
        if taken.carrier_id is not None:
            self.merged -= 1
            self.networks[taken.network] += taken.segments
            self.lengths[taken.segments] += 1
        if taken.row_number == CARRIERS_ROW:
            self.carriers -= 1
            self.extra_recipients -= 1
        self.withdraw(taken.text_hash, taken.segments, taken.network, taken.template)

    def facts(self) -> dict[str, object]:
        """The counts, as they stand in the manifest."""
        return {
            "source_rows": self.source_rows,
            "extra_recipients": self.extra_recipients,
            "already_planned": self.already_planned,
            "messages": self.messages,
            "merged": self.merged,
            "skips": self.skips,
            "skip_reasons": {reason.value: count for reason, count in sorted(self.reasons.items())},
            "segments": self.segments,
            "segments_by_network": {
                network: count for network, count in sorted(self.networks.items()) if count
            },
            "messages_by_segments": {
                str(length): count for length, count in sorted(self.lengths.items()) if count
            },
            "money": self.money,
            "lowest": self.lowest,
            "highest": self.highest,
            "texts": written_seal(self.seal),
            "templates": written_seal(self.template_seal),
        }


def written_seal(seal: int) -> str:
    """A seal as it stands in the manifest."""
    return format(seal % 2**128, "032x")


def sealed(facts: dict[str, object]) -> tuple[str, str]:
    """Write a manifest down and sign it.

    Returns:
        The canonical JSON text and its SHA-256, in hexadecimal.
    """
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()
