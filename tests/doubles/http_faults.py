"""The fault menu: what may go wrong with a request or a message, and when it does.

A menu is given as a mapping from a fault to a share (a number from 0 to 1), to a rule, or to a list
of rules. A rule is a mapping with any of

* ``refs``: only requests or messages with one of these references,
* ``attempts``: only the first so many times that a reference is handed over (or asked for),
* ``share``: only this share of them, drawn by seed, reference and attempt,
* ``every``: only each so manieth of those that are left, ``first``: only the first so many,
* ``path``: the call that it concerns (else ``/send``),
* ``seconds``, ``keep``, ``not_before``: how the fault looks; see ``Fault``.

Rules are tried in the order of the menu; the first one that applies is the one that happens, and a
rule counts only what no earlier one took. A draw does not depend on the order in which requests
come, so that a run with many senders ends the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any


class Fault(StrEnum):
    """What may go wrong; each says what it does to a send."""

    #: delivered; the connection is closed without an answer
    ACCEPT_THEN_DROP = "accept-then-drop"
    #: delivered; the answer comes after ``seconds`` (30)
    ACCEPT_THEN_STALL = "accept-then-stall"
    #: not delivered; the connection is closed when the whole request has been read
    DROP = "drop"
    #: not delivered; the connection is closed after ``seconds`` (30) without an answer
    STALL = "stall"
    #: delivered only ``seconds`` (1) later; the connection is closed at once without an answer
    LATE = "late"
    #: delivered; HTTP 500
    ERROR_AFTER_ACCEPT = "error-after-accept"
    #: not delivered; HTTP 500
    ERROR = "error"
    #: not delivered; HTTP 503
    UNAVAILABLE = "unavailable"
    #: delivered; HTTP 200 with a web page
    HTML = "html"
    #: not delivered; HTTP 200 with a web page
    HTML_NOT_DELIVERED = "html-not-delivered"
    #: delivered; half of the promised bytes, then the connection is closed
    HALF_ANSWER = "half-answer"
    #: delivered; the answer comes byte by byte with ``seconds`` (0.02) between them
    SLOW_DRIP = "slow-drip"
    #: not delivered; HTTP 429 with Retry-After ``seconds`` (1)
    THROTTLE = "throttle"
    #: batch: the first ``keep`` (half of it) are delivered, then the connection is closed
    PARTIAL_DROP = "partial-drop"
    #: batch: all are delivered; the answer has only the first ``keep`` (half of it)
    MISSING_RESULTS = "missing-results"
    #: batch: the first ``keep`` (half of it) are delivered, and only they are in the answer
    MISSING_RESULTS_NOT_DELIVERED = "missing-results-not-delivered"
    #: batch: all are delivered; the answer has them from last to first
    REVERSED_RESULTS = "reversed-results"
    #: message: status 13
    REFUSE_NUMBER = "refuse-number"
    #: message: status 146
    REFUSE_CONTENT = "refuse-content"
    #: message: status 104
    REFUSE_SENDER = "refuse-sender"
    #: message: status 21
    TRY_LATER = "try-later"
    #: message: status 99 until ``not_before`` (else ``seconds``, 3600, from now)
    DEFER = "defer"
    #: message: delivered; each of its receipts comes twice
    DUPLICATE_RECEIPTS = "duplicate-receipts"


#: Faults of one message, and the status that they answer.
STATUS_OF = {
    Fault.REFUSE_NUMBER: "13",
    Fault.REFUSE_CONTENT: "146",
    Fault.REFUSE_SENDER: "104",
    Fault.TRY_LATER: "21",
    Fault.DEFER: "99",
    Fault.DUPLICATE_RECEIPTS: "0",
}
#: Faults of a send whose messages are not delivered, or not yet.
UNDELIVERING = frozenset(
    {
        Fault.DROP,
        Fault.STALL,
        Fault.LATE,
        Fault.ERROR,
        Fault.UNAVAILABLE,
        Fault.HTML_NOT_DELIVERED,
        Fault.THROTTLE,
    }
)
#: Faults that only a batch can have.
OF_A_BATCH = frozenset(
    {
        Fault.PARTIAL_DROP,
        Fault.MISSING_RESULTS,
        Fault.MISSING_RESULTS_NOT_DELIVERED,
        Fault.REVERSED_RESULTS,
    }
)
#: Faults of calls that hand nothing over.
_OF_ANY_CALL = (UNDELIVERING - {Fault.LATE}) | {Fault.HALF_ANSWER, Fault.SLOW_DRIP}
_SECONDS = {
    Fault.ACCEPT_THEN_STALL: 30.0,
    Fault.STALL: 30.0,
    Fault.LATE: 1.0,
    Fault.SLOW_DRIP: 0.02,
    Fault.THROTTLE: 1.0,
    Fault.DEFER: 3600.0,
}
SEND = "/send"
_PATHS = (SEND, "/status", "/balance", "/receipts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When a fault happens, and how it looks."""

    fault: Fault
    path: str = SEND
    refs: frozenset[str] | None = None
    attempts: int | None = None
    share: float | None = None
    every: int | None = None
    first: int | None = None
    seconds: float | None = None
    keep: int | None = None
    not_before: str | None = None

    def __post_init__(self) -> None:
        if self.path not in _PATHS:
            raise ValueError(f"{self.fault}: path is one of {', '.join(_PATHS)}")
        if self.path != SEND and self.fault not in _OF_ANY_CALL:
            raise ValueError(f"{self.fault} can only happen to {SEND}")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError(f"{self.fault}: share is a number from 0 to 1")
        for name in ("attempts", "every", "first", "seconds", "keep"):
            value = getattr(self, name)
            if value is not None and value < (1 if name == "every" else 0):
                raise ValueError(f"{self.fault}: {name} is too small")
        if self.not_before is not None:
            datetime.fromisoformat(self.not_before)

    def lasts(self) -> float:
        """The seconds of the rule, else those of the fault."""
        return _SECONDS[self.fault] if self.seconds is None else self.seconds

    def kept(self, count: int) -> int:
        """How many messages of a batch the fault spares."""
        return min(count, count // 2 if self.keep is None else self.keep)


_RULE_KEYS = {each.name for each in fields(Rule)} - {"fault"}


def rules(menu: Mapping[str, Any]) -> Iterator[Rule]:
    """Read a menu.

    Raises:
        ValueError: one sentence with what is wrong in it.
    """
    for name, given in menu.items():
        if name not in list(Fault):
            raise ValueError(f"no such fault: {name}")
        for each in given if isinstance(given, list) else [given]:
            keys: dict[str, Any] = (
                {"share": float(each)} if isinstance(each, int | float) else dict(each)
            )
            if strange := keys.keys() - _RULE_KEYS:
                raise ValueError(f"{name}: no such key: {', '.join(sorted(strange))}")
            if "refs" in keys:
                if not isinstance(keys["refs"], list):
                    raise ValueError(f"{name}: refs is a list")
                keys["refs"] = frozenset(keys["refs"])
            yield Rule(fault=Fault(name), **keys)


class _Counted:
    """A rule and what it has counted."""

    def __init__(self, rule: Rule, place: int, seed: int) -> None:
        self.rule = rule
        self._name = f"{seed}:{place}:{rule.fault}"
        self._seen = 0

    def applies(self, refs: Sequence[str], attempt: int) -> bool:
        rule = self.rule
        if rule.refs is not None and rule.refs.isdisjoint(refs):
            return False
        if rule.attempts is not None and attempt > rule.attempts:
            return False
        if rule.share is not None:
            ref = refs[0] if refs else ""
            if Random(f"{self._name}:{ref}:{attempt}").random() >= rule.share:
                return False
        self._seen += 1
        if rule.every is not None and self._seen % rule.every:
            return False
        return rule.first is None or self._seen // (rule.every or 1) <= rule.first


class Menu:
    """The rules in force."""

    def __init__(self, menu: Mapping[str, Any], seed: int) -> None:
        counted = [_Counted(rule, place, seed) for place, rule in enumerate(rules(menu))]
        self._of_requests = [each for each in counted if each.rule.fault not in STATUS_OF]
        self._of_messages = [each for each in counted if each.rule.fault in STATUS_OF]

    def for_request(
        self, path: str, refs: Sequence[str], *, attempt: int, is_batch: bool = False
    ) -> Rule | None:
        """The fault of a whole request; a batch counts as many attempts as its first message."""
        for each in self._of_requests:
            if each.rule.path != path or (each.rule.fault in OF_A_BATCH and not is_batch):
                continue
            if each.applies(refs, attempt):
                return each.rule
        return None

    def for_message(self, ref: str, attempt: int) -> Rule | None:
        """The fault of one message."""
        for each in self._of_messages:
            if each.applies((ref,), attempt):
                return each.rule
        return None
