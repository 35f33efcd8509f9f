"""What a program of an organisation wants, read from its request; nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from smsengine.config.payment_api import Scope
from smsengine.payments.payment import Payment
from smsengine.service.api.keys import Caller
from smsengine.service.api.present import House
from smsengine.service.api.problems import Fault, ProblemError, not_found, not_now
from smsengine.service.api.strict import check, read
from smsengine.service.http_server import Question, Reply

_SCHEMAS: Mapping[Scope, str] = {
    "record": "Payment",
    "correct": "Correction",
    "cancel": "Cancellation",
}
#: A sentence of the reader that begins with what came.
_QUOTED = re.compile(r"^(?P<mark>['\"]).*(?P=mark) ", re.DOTALL)


class Wanted(NamedTuple):
    """A request whose key was good when it came; ``receipt`` is empty where it is in the body."""

    scope: Scope
    caller: Caller
    receipt: str
    question: Question
    reply: Reply


class Payload(NamedTuple):
    """What it says."""

    payment: Payment
    reason: str
    replaces: str
    warnings: list[Fault]


def fields(house: House, wanted: Wanted) -> Mapping[str, Any]:
    """The fields of a request.

    Raises:
        ProblemError: they are not what they must be.
    """
    given = read(wanted.question)
    faults = check(house.taken[_SCHEMAS[wanted.scope]], given)
    if faults:
        raise _faulty(faults)
    return given


def payload(house: House, wanted: Wanted) -> Payload:
    """The payment of a request.

    Raises:
        ProblemError: it is none.
    """
    given = {**fields(house, wanted), "organisation": wanted.caller.organisation}
    reason = " ".join(str(given.pop("reason", "")).split())
    replaces = str(given.pop("replaces", ""))
    if wanted.receipt:
        given["receipt"] = wanted.receipt
    found = house.reader().read(given)
    if found.payment is None:
        raise _faulty([_fault(each) for each in found.faults])
    return Payload(found.payment, reason, replaces, [_fault(each) for each in found.warnings])


def _faulty(faults: list[Fault]) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "It does not say what it must; each field at fault is named.",
        faults=faults,
    )


def _fault(told: str) -> Fault:
    """``field: sentence`` without what came."""
    field, _, sentence = told.partition(": ")
    return Fault(field, _QUOTED.sub("", sentence, count=1))


def require_standing(present_house: House | None, wanted: Wanted) -> House:
    """See to it that a key is still good for what is wanted, just before it is done.

    Raises:
        ProblemError: it was taken out since, or nothing is recorded from here now.
    """
    if present_house is None:
        raise not_found()
    if not present_house.keys.holds(wanted.caller):
        raise wrong_key()
    return present_house


def wrong_key() -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "The key is missing or is none that is known.",
        headers=[("WWW-Authenticate", "Bearer")],
    )


def fenced() -> ProblemError:
    return not_now("Nothing is recorded from here just now; come again.")
