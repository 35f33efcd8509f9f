"""What can be set on the double, at its start and while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from tests.doubles import http_faults


class ReceiptMode(StrEnum):
    """How receipts come."""

    NORMAL = "normal"
    #: before the answer to the send is written
    EARLY = "early"
    #: each one twice
    TWICE = "twice"
    #: the second of two messages before the first, what is final before what is not
    REORDERED = "reordered"
    #: delivered, and then undelivered
    CONTRADICTORY = "contradictory"
    #: each one with another one for an id that never was
    UNKNOWN_ID = "unknown-id"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is in force. Numbers are 0 where something is switched off."""

    #: before each answer of the vendor; what it does with a message it does at once
    latency_ms: float = 0
    #: a reference is known for so long after its last delivery; then it is delivered again
    dedup_seconds: float = 0
    #: messages that are paid for; None is without end
    balance: int | None = None
    #: each so manieth send is answered with 429
    throttle_every: int = 0
    #: messages taken in any second; a send that would exceed it is answered with 429 as a whole
    per_second: int = 0
    receipts: str = ReceiptMode.NORMAL
    receipt_delay_ms: float = 0
    #: a receipt without a final state comes before the final one
    in_transit: bool = False
    #: share of messages whose receipt says undelivered
    undelivered: float = 0
    #: receipts in one answer of ``/receipts``
    receipts_at_once: int = 1000
    #: where receipts are pushed to; nowhere when empty
    callback_url: str = ""
    callback_token: str = "the token of the double"
    #: how often a push is tried while the other side does not answer 2xx
    callback_tries: int = 5
    callback_pause_ms: float = 100
    callback_timeout_ms: float = 5000
    faults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            given = _KINDS[name]
            if not isinstance(value, given) or (isinstance(value, bool) and bool not in given):
                raise ValueError(f"{name}: not a value of this setting")
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{name}: is 0 or more")
        if self.receipts not in list(ReceiptMode):
            raise ValueError(f"receipts is one of {', '.join(ReceiptMode)}")
        if self.receipts_at_once < 1:
            raise ValueError("receipts_at_once is 1 or more")
        list(http_faults.rules(self.faults))

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """The settings with some of them changed.

        Raises:
            ValueError: one sentence with what is wrong in the changes.
        """
        if strange := changes.keys() - _KINDS.keys():
            raise ValueError(f"no such setting: {', '.join(sorted(strange))}")
        try:
            return replace(self, **changes)
        except TypeError as error:
            raise ValueError(f"not a value of this setting: {error}") from error

    def asdict(self) -> dict[str, Any]:
        """The settings as they are shown."""
        return asdict(self)


_BY_ANNOTATION: dict[str, tuple[type, ...]] = {
    "float": (int, float),
    "int": (int,),
    "int | None": (int, type(None)),
    "bool": (bool,),
    "str": (str,),
    "Mapping[str, Any]": (dict,),
}
_KINDS = {each.name: _BY_ANNOTATION[str(each.type)] for each in fields(Settings)}
NAMES = tuple(_KINDS)
