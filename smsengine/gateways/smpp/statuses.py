"""What each ``command_status`` of a submit_sm means, by SMPP 3.4 and the practice of SMSCs; pure.

A status is a definite answer: whatever is not 0 was not accepted. Only where it says that our
request was not understood as one, nobody knows what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.gateways.http_outcomes import Codes, unmapped

_Meaning = tuple[OutcomeKind, Scope | None]
_TRANSIENT: _Meaning = (OutcomeKind.TRANSIENT, None)
_THROTTLED: _Meaning = (OutcomeKind.THROTTLED, None)
_UNKNOWN: _Meaning = (OutcomeKind.UNKNOWN, None)
_RECIPIENT: _Meaning = (OutcomeKind.REJECTED, Scope.RECIPIENT)
_CONTENT: _Meaning = (OutcomeKind.REJECTED, Scope.CONTENT)
_SENDER: _Meaning = (OutcomeKind.REJECTED, Scope.SENDER)
#: Also a defect of our configuration: nothing is right until a person has looked.
_ACCOUNT: _Meaning = (OutcomeKind.REJECTED, Scope.ACCOUNT)


class _Said(NamedTuple):
    name: str
    meaning: _Meaning


_STATUSES: Mapping[int, _Said] = {
    0x01: _Said("invalid message length", _CONTENT),
    0x02: _Said("invalid command length", _UNKNOWN),
    0x03: _Said("invalid command", _UNKNOWN),
    0x04: _Said("not bound for this", _TRANSIENT),
    0x05: _Said("already bound", _ACCOUNT),
    0x06: _Said("invalid priority flag", _ACCOUNT),
    0x07: _Said("invalid registered_delivery", _ACCOUNT),
    0x08: _Said("system error", _TRANSIENT),
    0x0A: _Said("invalid source address", _SENDER),
    0x0B: _Said("invalid destination address", _RECIPIENT),
    0x0D: _Said("bind failed", _ACCOUNT),
    0x0E: _Said("invalid password", _ACCOUNT),
    0x0F: _Said("invalid system_id", _ACCOUNT),
    0x14: _Said("message queue full", _THROTTLED),
    0x15: _Said("invalid service_type", _ACCOUNT),
    0x33: _Said("invalid number of destinations", _ACCOUNT),
    0x43: _Said("invalid esm_class", _CONTENT),
    0x44: _Said("cannot submit to a list", _ACCOUNT),
    0x45: _Said("submit failed", _TRANSIENT),
    0x48: _Said("invalid source TON", _SENDER),
    0x49: _Said("invalid source NPI", _SENDER),
    0x50: _Said("invalid destination TON", _RECIPIENT),
    0x51: _Said("invalid destination NPI", _RECIPIENT),
    0x53: _Said("invalid system_type", _ACCOUNT),
    0x54: _Said("invalid replace flag", _ACCOUNT),
    0x58: _Said("throttled", _THROTTLED),
    0x61: _Said("invalid schedule", _ACCOUNT),
    0x62: _Said("invalid validity", _ACCOUNT),
    0x63: _Said("invalid default message", _CONTENT),
    0x64: _Said("temporary error of an application", _TRANSIENT),
    0x65: _Said("permanent error of an application", _ACCOUNT),
    0x66: _Said("refused by an application", _ACCOUNT),
    0xC0: _Said("error in an optional part", _ACCOUNT),
    0xC1: _Said("optional parameter not allowed", _ACCOUNT),
    0xC2: _Said("invalid parameter length", _ACCOUNT),
    0xC3: _Said("optional parameter missing", _ACCOUNT),
    0xC4: _Said("invalid parameter value", _ACCOUNT),
    0xFE: _Said("delivery failed", _TRANSIENT),
    0xFF: _Said("unknown error", _TRANSIENT),
    0x100: _Said("service_type not authorised", _ACCOUNT),
    0x101: _Said("prohibited", _ACCOUNT),
    0x102: _Said("service_type not available", _ACCOUNT),
    0x103: _Said("service_type denied", _ACCOUNT),
    0x104: _Said("invalid data_coding", _CONTENT),
}
#: After these the two sides do not understand each other any more, or not as what we take it for.
BREAKING = frozenset({0x02, 0x03, 0x04})
#: A bind that is refused so may do well a little later: the old one is still there, or all is busy.
_BIND_LATER = frozenset({0x04, 0x05, 0x08, 0x14, 0x58, 0x64, 0xFE, 0xFF})


def code_of(status: int) -> str:
    """A status as documents write it: ``0x58``."""
    return f"0x{status:02X}"


def outcomes(codes: Codes) -> dict[int, Outcome]:
    """What each status means.

    Args:
        codes: by ``0x400`` or ``1024``; they win over the table of the specification.
    """
    table = {
        status: Outcome(*said.meaning, code=code_of(status), detail=said.name)
        for status, said in _STATUSES.items()
    }
    for code, (kind, scope) in codes.items():
        status = int(code, 0)
        table[status] = Outcome(kind, scope, code=code_of(status), detail=name_of(status))
    return table


def outcome_of(table: Mapping[int, Outcome], status: int) -> Outcome:
    """What a status means; a definite refusal where the table does not have it."""
    return table.get(status) or unmapped(code_of(status))


def name_of(status: int) -> str:
    """A status in a few words; empty for a vendor's own."""
    return _STATUSES[status].name if status in _STATUSES else ""


def of_bind(status: int) -> Outcome:
    """What follows for messages while a bind is refused."""
    refused = Outcome(
        OutcomeKind.REJECTED,
        Scope.ACCOUNT,
        code=f"bind-{code_of(status)}",
        detail=f"refuses our bind: {name_of(status) or 'a status of its own'}",
    )
    if status in _BIND_LATER:
        return refused._replace(kind=OutcomeKind.TRANSIENT, scope=None)
    return refused


def folded(parts: Iterable[str | Outcome | None]) -> Outcome:
    """What the answers to the parts of a message mean together.

    Args:
        parts: the gateway's name where a part was taken; None where there was no word of it.

    A part that was taken is on its way to somebody, so that the message must not be sent again,
    whatever became of the others: nobody but a person can tell what to do then.
    """
    said = list(parts)
    names = tuple(each for each in said if isinstance(each, str))
    if len(names) == len(said):
        return _accepted(names)
    others = [each or UNANSWERED for each in said if not isinstance(each, str)]
    doubts = [each for each in others if each.kind is OutcomeKind.UNKNOWN]
    if names or (doubts and len(said) > 1):
        worst = (doubts or others)[0]
        taken = f"{len(names)} of {len(said)} parts were taken; {worst.detail}"
        return worst._replace(kind=OutcomeKind.UNKNOWN, scope=None, detail=taken)
    return max(others, key=_weight)


def _accepted(names: tuple[str, ...]) -> Outcome:
    parts = names if len(names) > 1 and all(names) else ()
    return Outcome(OutcomeKind.ACCEPTED, None, names[0] or None, part_ids=parts)


def _weight(outcome: Outcome) -> int:
    """Of refusals of parts that all were refused, the most definite one speaks for the message."""
    order = (OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED, OutcomeKind.REJECTED)
    return order.index(outcome.kind) if outcome.kind in order else len(order)


UNANSWERED = Outcome(OutcomeKind.UNKNOWN, code="no-answer", detail="no answer in time")
CUT_OFF = Outcome(OutcomeKind.UNKNOWN, code="cut-off", detail="the connection broke before it")
NACKED = Outcome(OutcomeKind.UNKNOWN, code="nack", detail="not understood as a request")
NOT_WRITTEN = Outcome(OutcomeKind.TRANSIENT, code="not-written", detail="the connection was gone")
LEFT_OUT = Outcome(OutcomeKind.TRANSIENT, code="left-out", detail="an earlier part was not taken")
