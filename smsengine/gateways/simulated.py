"""A gateway that only pretends: latency, rate, refusals and receipts, all seeded.

What happens to a message follows from the seed and its reference alone, so a run that was killed
and started again ends like one that was not. What it accepts it writes to a file, as a real gateway
keeps its own books; after a crash it can be asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from pydantic import Field

from smsengine.clock import Clock
from smsengine.config.amounts import Share
from smsengine.config.yaml import Model
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Kind,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from smsengine.gateways.file import LineFile

_WHOLE = 2**32
_RECEIPTS_AT_ONCE = 500


class Options(Model):
    """Keys of a gateway of kind ``simulated``."""

    seed: int = Field(default=1, description="another seed, another fate for each message")
    path: str = Field(default="simulated.jsonl", description="file with what it accepted")
    latency_ms: int = Field(default=0, ge=0, description="answer time of one batch")
    per_second: int = Field(default=0, ge=0, description="messages a second; 0 is without limit")
    refused: Share = Field(default=Decimal(0), description="share of numbers refused for good")
    undelivered: Share = Field(default=Decimal(0), description="share accepted but not delivered")
    silent: Share = Field(default=Decimal(0), description="share accepted without any receipt")


class SimulatedGateway(Gateway):
    """Plays a gateway."""

    capabilities = Capabilities(max_batch=1000, can_query=True, has_receipts=True)

    def __init__(self, options: Options, folder: Path, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._lines = LineFile(folder / options.path)
        self._reported = _TakenSoFar(self._lines)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        if not clear(batch):
            return [HELD_BACK] * len(batch)
        self._take_time(len(batch))
        outcomes = [self._outcome(message.reference) for message in batch]
        self._lines.append(
            [
                message
                for message, outcome in zip(batch, outcomes, strict=True)
                if outcome.kind is OutcomeKind.ACCEPTED
            ]
        )
        return outcomes

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        taken = self._lines.taken(references)
        unsure = self._lines.unsure()
        return [self._outcome(name) if name in taken else unsure for name in references]

    def receipts(self) -> Sequence[Receipt]:
        """Receipts for what was accepted, some hundred at a time, also of an earlier process."""
        while taken := list(self._reported.following(_RECEIPTS_AT_ONCE)):
            found = [receipt for each in taken if (receipt := self._receipt(each)) is not None]
            if found:
                return found
        return ()

    def close(self) -> None:
        self._reported.close()
        self._lines.close()

    def _take_time(self, count: int) -> None:
        seconds = self._options.latency_ms / 1000
        if self._options.per_second:
            seconds = max(seconds, count / self._options.per_second)
        if seconds:
            self._clock.sleep(seconds)

    def _outcome(self, reference: str) -> Outcome:
        if self._falls_below(reference, "refused", self._options.refused):
            return Outcome(
                kind=OutcomeKind.REJECTED,
                scope=Scope.RECIPIENT,
                code="13",
                detail="Subscriber does not take messages.",
            )
        return Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=f"SIM-{reference}")

    def _receipt(self, reference: str) -> Receipt | None:
        if self._falls_below(reference, "silent", self._options.silent):
            return None
        lost = self._falls_below(reference, "undelivered", self._options.undelivered)
        return Receipt(
            gateway_id=f"SIM-{reference}",
            status=ReceiptStatus.UNDELIVERED if lost else ReceiptStatus.DELIVERED,
            code="EXPIRED" if lost else "DELIVRD",
        )

    def _falls_below(self, reference: str, what: str, share: Decimal) -> bool:
        name = f"{self._options.seed}/{what}/{reference}".encode()
        drawn = int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "big")
        return drawn < share * _WHOLE


class _TakenSoFar:
    """Reads the accepted messages once, following the file as it grows."""

    def __init__(self, lines: LineFile) -> None:
        self._file = lines.path.open(encoding="ascii")

    def following(self, most: int) -> Iterator[str]:
        for _ in range(most):
            start = self._file.tell()
            line = self._file.readline()
            if not line.endswith("\n"):
                self._file.seek(start)
                return
            yield line.split('"', 4)[3]

    def close(self) -> None:
        self._file.close()


KIND = Kind(
    options=Options, open=lambda options, site: SimulatedGateway(options, site.folder, site.clock)
)
