"""Reading a vendor's words by a table: paths, codes, times, receipts; pure.

A vendor's answer may have any shape. What is not where the table says it is counts as not said, and
what is not said is never taken for good or bad news.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from smsengine.clock import VIETNAM
from smsengine.gateways.base import (
    Callback,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from smsengine.gateways.http_exchange import Reply
from smsengine.gateways.http_login import NotNowError
from smsengine.gateways.http_options import Answer, Meaning, Query, ReceiptKeys
from smsengine.gateways.http_outcomes import (
    Codes,
    pause_seconds,
    unanswered,
    unmapped,
    unreadable,
)
from smsengine.gateways.http_xml import leaves

_MOST_AMOUNT = 10**15
_UNREADABLE = "its answer cannot be read"

# -- documents -------------------------------------------------------------------------------------


def document(body: bytes) -> Any:
    """A JSON answer; None where it is none.

    Some vendors put a byte order mark before it, and some write JSON into a string of JSON.
    """
    try:
        found = json.loads(body.decode("utf-8-sig"))
        inner = json.loads(found) if isinstance(found, str) else found
    except (ValueError, RecursionError):
        return None
    return inner


def answered(body: bytes, answer: Answer) -> Any:
    """What an answer to a message says, by names; None where it cannot be read."""
    match answer.form:
        case "xml":
            with suppress(ValueError):
                return leaves(body)
            return None
        case "text":
            found = re.search(answer.pattern or "", body.decode(errors="replace"))
            return found.groupdict() if found else None
        case _:
            return document(body)


def payload(callback: Callback) -> Any:
    """What a callback carries: JSON, or the fields of its query and its form."""
    found = document(callback.body)
    if isinstance(found, dict | list):
        return found
    return {**callback.query, **dict(parse_qsl(callback.body.decode(errors="replace")))}


def at(found: Any, path: str | None) -> Any:
    """What stands at a path of keys and places; None where it leads nowhere."""
    for part in (path or "").split("."):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def text(found: Any, path: str | None) -> str | None:
    """A word or a number at a path, as text; a vendor that writes 0 means "0"."""
    value = at(found, path)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def amount(found: Any, path: str) -> int:
    """A whole amount at a path.

    Raises:
        ValueError: there is none.
    """
    if found is None:
        raise ValueError(_UNREADABLE)
    try:
        value = Decimal(text(found, path) or "")
        if abs(value) < _MOST_AMOUNT:
            return int(value)
    except ArithmeticError:  # as decimal calls what is no number, or far too large
        pass
    raise ValueError(f"{path} is no amount")


def no_answer(name: str, code: str | None, words: str | None = None) -> ValueError:
    """What to raise where a question got a refusal: its code under its name, and its words."""
    if code is None:
        return ValueError(_UNREADABLE)
    return ValueError(f"{name} {code}: {words}" if words else f"{name} {code}")


def login_document(reply: Reply) -> Any:
    """The answer to a login as a document.

    Raises:
        NotNowError: it is a page, as vendors show one while they mend something.
    """
    found = document(reply.body)
    if found is None and reply.is_success:
        raise NotNowError(_UNREADABLE)
    return found


def moment(said: str | None) -> datetime | None:
    """A time in ISO 8601, in Vietnam where it names no zone, or in seconds since 1970."""
    try:
        if (said or "").isdecimal():
            return datetime.fromtimestamp(int(said or ""), UTC)
        found = datetime.fromisoformat(said or "")
    except (ValueError, OverflowError, OSError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=VIETNAM)).astimezone(UTC)


def results_by_reference(found: Any, path: str | None, reference: str) -> dict[str, Any]:
    """The results in an answer by the reference that each names; contradictions are left out."""
    results = at(found, path) if path else [found]
    named: dict[str, list[Any]] = {}
    for each in results if isinstance(results, list) else []:
        named.setdefault(text(each, reference) or "", []).append(each)
    return {
        name: same[0]
        for name, same in named.items()
        if name and all(each == same[0] for each in same)
    }


def has_token(callback: Callback, token: str) -> bool:
    """Say whether a callback's path ends in our token; where a vendor signs nothing, that is all.

    Without a token of ours nothing is believed.
    """
    given = callback.token.encode(errors="replace")
    return bool(token) and hmac.compare_digest(given, token.encode())


# -- outcomes --------------------------------------------------------------------------------------


def outcome(found: Any, answer: Answer, now: datetime) -> Outcome:
    """What an answer says about one message."""
    code = text(found, answer.code)
    if code is None:
        return unreadable()
    if code in answer.success:
        return _meaning("accepted", found, answer, now)
    if code in answer.codes:
        return _meaning(answer.codes[code], found, answer, now)
    return unmapped(code, text(found, answer.detail) or "")


def meant(codes: Mapping[str, Meaning]) -> Codes:
    """A table of codes in words, as an office writes it: ``rejected recipient`` and the like."""
    split = {code: meaning.partition(" ") for code, meaning in codes.items()}
    return {
        code: (OutcomeKind(kind), Scope(scope) if scope else None)
        for code, (kind, _, scope) in split.items()
    }


def refusal(found: Any, answer: Answer, now: datetime) -> Outcome | None:
    """What the table says about an answer whose HTTP status is a refusal; None: nothing.

    A word of success in it is a contradiction, and nobody knows which half is true.
    """
    code = text(found, answer.code) or ""
    if _is_success(code, answer):
        return unreadable()
    return _meaning(answer.codes[code], found, answer, now) if code in answer.codes else None


def says_success(body: bytes, answer: Answer) -> bool:
    """Say whether an answer to a message, or a message of a batch, may be an acceptance."""
    found = answered(body, answer)
    results = at(found, answer.results) if answer.results else None
    each = results if isinstance(results, list) else [found]
    return any(_is_success(text(one, answer.code) or "", answer) for one in each)


def _is_success(code: str, answer: Answer) -> bool:
    return code in answer.success or answer.codes.get(code) == "accepted"


def batch_outcomes(
    messages: Sequence[Outbound], found: Any, answer: Answer, now: datetime
) -> Sequence[Outcome]:
    """One outcome for each message of a batch: by reference, else by place."""
    results = at(found, answer.results)
    if not isinstance(results, list):
        # One word for all of them: only a refusal that the table knows is believed.
        return [refusal(found, answer, now) or unreadable()] * len(messages)
    if answer.reference is not None:
        named = results_by_reference(found, answer.results, answer.reference)
        return [
            outcome(named[each.reference], answer, now) if each.reference in named else unanswered()
            for each in messages
        ]
    if len(results) != len(messages):
        return [unanswered()] * len(messages)
    return [outcome(each, answer, now) for each in results]


def _meaning(meaning: str, found: Any, answer: Answer, now: datetime) -> Outcome:
    """``rejected recipient`` is a kind and a scope; the rest stands at its paths."""
    kind, _, scope = meaning.partition(" ")
    return Outcome(
        kind=OutcomeKind(kind),
        scope=Scope(scope) if scope else None,
        gateway_id=text(found, answer.id) or None,
        code=text(found, answer.code) or "",
        detail=text(found, answer.detail) or "",
        retry_after_seconds=pause_seconds(text(found, answer.retry_after), now),
        not_before=moment(text(found, answer.not_before)),
    )


def became(result: Any, query: Query) -> Outcome | None:
    """What a result of a query proves; a code that the table lacks proves nothing."""
    code = text(result, query.code) or ""
    if code in query.never:
        return None
    meaning = "accepted" if code in query.success else query.codes.get(code, "unknown")
    kind, _, scope = meaning.partition(" ")
    return Outcome(
        kind=OutcomeKind(kind),
        scope=Scope(scope) if scope else None,
        gateway_id=text(result, query.id) or None,
        code=code,
    )


# -- receipts --------------------------------------------------------------------------------------


def receipts(found: Any, keys: ReceiptKeys) -> list[Receipt]:
    """The receipts in a document; one that names no message or no status is passed over.

    Raises:
        ValueError: there is no list of receipts where one should be.
    """
    results = at(found, keys.results) if keys.results else [found]
    if not isinstance(results, list):
        raise ValueError("There are no receipts in it.")
    read = (_receipt(each, keys) for each in results)
    return [each for each in read if each is not None]


def _receipt(found: Any, keys: ReceiptKeys) -> Receipt | None:
    status = text(found, keys.status)
    gateway_id, reference = text(found, keys.id) or "", text(found, keys.reference) or ""
    if status is None or not (gateway_id or reference):
        return None
    return Receipt(
        gateway_id=gateway_id,
        reference=reference,
        # A status that nobody explained is not final: a later receipt may still say more.
        status=keys.statuses.get(status, ReceiptStatus.IN_TRANSIT),
        code=text(found, keys.code) or status,
        raw=json.dumps(found, ensure_ascii=False),
    )
