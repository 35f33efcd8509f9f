"""What is answered: facts as JSON, and what is wrong as problem+json (RFC 9457).

A problem is one sentence, and one more for each field that is at fault. Neither repeats what came,
since that may be a name or a number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from smsengine.service.http_server import Answer

PROBLEM = "application/problem+json"
JSON = "application/json"


class Fault(NamedTuple):
    """What is wrong, or odd, with one field."""

    field: str
    because: str


class ProblemError(Exception):
    """A request that is not done; the text is one sentence."""

    def __init__(
        self,
        status: HTTPStatus,
        sentence: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(sentence)
        self.status, self.faults, self.headers = status, faults, tuple(headers)

    def answer(self) -> Answer:
        facts: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": str(self),
        }
        if self.faults:
            facts["faults"] = [each._asdict() for each in self.faults]
        return Answer(self.status, _json(facts), PROBLEM, self.headers)


def said(status: HTTPStatus, facts: Mapping[str, object]) -> Answer:
    """Facts as an answer."""
    return Answer(status, _json(facts), JSON)


def _json(facts: Mapping[str, object]) -> bytes:
    return json.dumps(facts, ensure_ascii=False).encode() + b"\n"


def come_again(seconds: float) -> tuple[tuple[str, str], ...]:
    """The header that says when; whole seconds."""
    return (("Retry-After", str(max(1, math.ceil(seconds)))),)


def too_often(seconds: float) -> ProblemError:
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "That is too often; come again when Retry-After says.",
        headers=come_again(seconds),
    )


def not_now(sentence: str = "It cannot be done just now; come again.") -> ProblemError:
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, sentence, headers=come_again(1))


def not_found(sentence: str = "There is no such page.") -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, sentence)


def wrong_method(*allowed: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"Only {' and '.join(allowed)}.",
        headers=[("Allow", ", ".join(allowed))],
    )
