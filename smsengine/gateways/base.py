"""The contract of a gateway: what it can, what it is given, what it may answer.

An adapter hands over and says what the answer means. It never retries, never sleeps between
retries, never decides what happens next, and never logs a text or a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class OutcomeKind(StrEnum):
    """What an answer means, in our own words."""

    #: the gateway took responsibility
    ACCEPTED = "accepted"
    #: the gateway says that it has this message already
    DUPLICATE = "duplicate"
    #: it will not be sent
    REJECTED = "rejected"
    #: surely not accepted, because of the rate
    THROTTLED = "throttled"
    #: surely not accepted before a certain time
    DEFERRED = "deferred"
    #: surely not accepted; may be tried again
    TRANSIENT = "transient"
    #: may or may not have been accepted
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """Whose fault a rejection is."""

    RECIPIENT = "recipient"
    CONTENT = "content"
    SENDER = "sender"
    ACCOUNT = "account"
    CALLER = "caller"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The answer to one hand-over. ``code`` is the gateway's own, ``detail`` is for people."""

    kind: OutcomeKind
    scope: Scope | None = None
    gateway_id: str | None = None
    code: str = ""
    detail: str = ""
    retry_after_seconds: float | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbound:
    """One message on its way. ``address`` is E.164; ``reference`` is our stable name for it."""

    reference: str
    address: str
    network: str
    text: str
    segments: int


class ReceiptStatus(StrEnum):
    """What a receipt says about an accepted message."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    #: on its way; nothing is final
    IN_TRANSIT = "in-transit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What the gateway or the telco says later."""

    gateway_id: str
    status: ReceiptStatus
    code: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a gateway can, as data."""

    #: messages in one ``send``
    max_batch: int
    #: ``query`` says for certain whether a reference was taken
    can_query: bool
    #: ``receipts`` yields something
    has_receipts: bool


class Gateway(Protocol):
    """One way out."""

    @property
    def capabilities(self) -> Capabilities:
        """The capability sheet."""

    def send(self, batch: Sequence[Outbound]) -> Sequence[Outcome]:
        """Hand messages over.

        Returns:
            One outcome for each message, in the same order; it never raises for one message.
        """

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        """Ask what became of earlier hand-overs.

        Returns:
            For each reference its outcome, or None when the gateway surely never took it.
        """

    def receipts(self) -> Sequence[Receipt]:
        """Receipts that have come since the last call."""

    def close(self) -> None:
        """Let go of files and connections."""
