"""What can be set on the SMSC, at its start and while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Ids(StrEnum):
    """How a message's number is spelled."""

    DECIMAL = "decimal"
    HEX = "hex"
    #: hexadecimal in small letters behind zeros
    PADDED_HEX = "padded-hex"
    #: decimal behind zeros
    PADDED = "padded"


class Receipts(StrEnum):
    """How receipts come."""

    NORMAL = "normal"
    #: before the answer to the submit_sm
    EARLY = "early"
    TWICE = "twice"
    #: the second of two before the first
    REORDERED = "reordered"
    #: delivered, and then undelivered
    CONTRADICTORY = "contradictory"
    #: each one with another one for an id that never was
    UNKNOWN_ID = "unknown-id"
    NEVER = "never"


class Form(StrEnum):
    """What a receipt is made of."""

    TEXT = "text"
    #: parameters, and no text
    TLV = "tlv"
    BOTH = "both"
    #: the text in UCS-2
    UCS2 = "ucs2"
    #: other order, other case, seconds in its dates, letters in err, a colon in the text
    ODD = "odd"


class Fault(StrEnum):
    """What may happen to a submit_sm; it is delivered only where its name says so."""

    #: no answer, ever
    SILENCE = "silence"
    ACCEPT_THEN_SILENCE = "accept-then-silence"
    #: the connection is cut, and all that is under way on it with it
    DROP = "drop"
    ACCEPT_THEN_DROP = "accept-then-drop"
    #: unbind in the middle of a window; what is unanswered stays so
    UNBIND = "unbind"
    ACCEPT_THEN_UNBIND = "accept-then-unbind"
    #: generic_nack in the place of the answer
    NACK = "nack"
    ACCEPT_THEN_NACK = "accept-then-nack"
    #: an answer whose length is a lie
    LIE = "lie"
    ACCEPT_THEN_LIE = "accept-then-lie"
    #: definite refusals
    QUEUE_FULL = "queue-full"
    THROTTLE = "throttle"
    SYSTEM_ERROR = "system-error"
    BAD_NUMBER = "bad-number"


#: After these the other side cannot know whether the message was taken.
DOUBTFUL = frozenset(
    each
    for each in Fault
    if each not in (Fault.QUEUE_FULL, Fault.THROTTLE, Fault.SYSTEM_ERROR, Fault.BAD_NUMBER)
)
#: After these whatever else was under way on the connection is in doubt, too.
BREAKING = frozenset(
    each for each in DOUBTFUL if each.removeprefix("accept-then-") not in ("silence",)
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is in force. Numbers are 0 where something is switched off."""

    system_id: str = "smsengine"
    password: str = "secret08"
    #: status of the answer to a bind; None: it is never answered
    bind_status: int | None = 0
    #: more than so many unanswered submit_sm on a connection are answered with 0x58
    window: int = 0
    #: before each answer to a submit_sm
    latency_ms: float = 0
    ids: Ids = Ids.DECIMAL
    #: in receipts; None is as in the answers
    receipt_ids: Ids | None = None
    receipts: Receipts = Receipts.NORMAL
    form: Form = Form.TEXT
    receipt_delay_ms: float = 0
    #: ENROUTE comes before the final word
    in_transit: bool = False
    #: share of messages whose receipt says undelivered
    undelivered: float = 0
    #: enquire_link is answered
    answers_enquiries: bool = True
    #: a fault: the share of submit_sm that it happens to, or which ones since this was set, from 1
    faults: Mapping[Fault, float | Sequence[int]] = field(default_factory=dict)

    def changed(self, **changes: object) -> Settings:
        """The settings with some of them changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
