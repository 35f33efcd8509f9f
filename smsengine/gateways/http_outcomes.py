"""What an HTTP exchange means where the vendor has said nothing about it; pure.

The first question is always whether the message may have been accepted. Only what surely was not
is worth a second try; every doubt is ``UNKNOWN``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from smsengine.gateways.base import HELD_BACK, Outcome, OutcomeKind, Scope
from smsengine.gateways.http_exchange import Phase, Reply

#: A vendor that asks for a longer pause than this is asked again after it.
LONGEST_PAUSE_SECONDS = 3600.0
#: Statuses after which the message may have been accepted all the same. Many a server leads on to
#: a page after it has taken something: 303 says just that, and 302 is used for it.
_DOUBTFUL = frozenset({302, 303, 408, 425})
#: Refusals whose reason is plain.
_PLAIN = frozenset({401, 403, 429})


def default_outcome(reply: Reply, now: datetime, *, documented_503: bool = False) -> Outcome | None:
    """What a reply means by itself; None where the vendor's own answer has to be read.

    Args:
        reply: how the exchange ended.
        now: the present, for a Retry-After with a date.
        documented_503: the vendor writes that it has not taken what it answers with 503.
    """
    match reply.phase:
        case Phase.HELD_BACK:
            return HELD_BACK
        case Phase.LOGIN_REFUSED | Phase.LOCKED_OUT:
            return _broken_off(OutcomeKind.REJECTED, reply)._replace(scope=Scope.ACCOUNT)
        case Phase.NOT_WRITTEN | Phase.NO_LOGIN:
            return _broken_off(OutcomeKind.TRANSIENT, reply)
        case Phase.NO_ANSWER:
            return _broken_off(OutcomeKind.UNKNOWN, reply)
        case Phase.ANSWERED:
            return None if reply.is_success else _of_status(reply, now, documented_503)


def _broken_off(kind: OutcomeKind, reply: Reply) -> Outcome:
    return Outcome(
        kind=kind, code=reply.phase.value, detail=reply.detail or str(reply.trouble or "")
    )


def _of_status(reply: Reply, now: datetime, documented_503: bool) -> Outcome:
    code = f"http-{reply.status}"
    if reply.status == 429:
        pause = pause_seconds(reply.header("Retry-After"), now)
        return Outcome(kind=OutcomeKind.THROTTLED, code=code, retry_after_seconds=pause)
    if reply.status == 503 and documented_503:
        return Outcome(kind=OutcomeKind.TRANSIENT, code=code)
    if reply.status in (401, 403):
        return Outcome(kind=OutcomeKind.REJECTED, scope=Scope.ACCOUNT, code=code)
    if 300 <= reply.status < 500 and reply.status not in _DOUBTFUL:
        return Outcome(kind=OutcomeKind.REJECTED, scope=Scope.CALLER, code=code)
    return Outcome(kind=OutcomeKind.UNKNOWN, code=code)


def is_explicable(status: int) -> bool:
    """A refusal that says nothing by itself: a code that the vendor documents may explain it."""
    return 400 <= status < 500 and status not in _DOUBTFUL | _PLAIN


def pause_seconds(said: str | None, now: datetime) -> float | None:
    """Read a Retry-After, seconds or an HTTP date; None where it says nothing."""
    try:
        seconds = float(said or "")
    except ValueError:
        seconds = _seconds_until(said or "", now)
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)


def _seconds_until(date: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (zoned - now).total_seconds()


#: A vendor's codes: what each of them means.
Codes = Mapping[str, tuple[OutcomeKind, Scope | None]]


def coded(
    codes: Codes, code: str | None, detail: str | None = None, gateway_id: str | None = None
) -> Outcome:
    """What a vendor's code means by its table; the gateway's name counts only where it was taken.

    Without a code the answer is unreadable; one that the table lacks is a refusal.
    """
    if code is None:
        return unreadable()
    if code not in codes:
        return unmapped(code, detail or "")
    kind, scope = codes[code]
    taken = kind in (OutcomeKind.ACCEPTED, OutcomeKind.DUPLICATE)
    return Outcome(
        kind=kind,
        scope=scope,
        gateway_id=(gateway_id or None) if taken else None,
        code=code,
        detail=detail or "",
    )


def unreadable() -> Outcome:
    """The vendor answered, and nobody can tell what."""
    return Outcome(kind=OutcomeKind.UNKNOWN, code="unreadable")


def unanswered() -> Outcome:
    """The answer to a batch does not speak of this message, or not of it alone."""
    return Outcome(kind=OutcomeKind.UNKNOWN, code="unanswered")


def unmapped(code: str, detail: str = "") -> Outcome:
    """A definite refusal with a code that the table lacks; the code is kept."""
    said = f"unmapped; {detail}" if detail else "unmapped"
    return Outcome(kind=OutcomeKind.REJECTED, scope=Scope.CALLER, code=code, detail=said)
