"""JSON, read strictly, and held against the very schema that the API's document shows.

No NaN, no key that stands twice, nothing that is no text in a text, and no number with a point
where money stands: ``804600`` is an amount, ``804.6``, ``8046e2`` and ``"804.600"`` are none.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from smsengine.service.api.problems import JSON, Fault, ProblemError
from smsengine.service.http_server import Question

Schema = Mapping[str, Any]
#: Bytes of a body.
MOST_BODY = 16 * 1024
_MOST_DIGITS = 20


class _WrongError(ValueError):
    """One sentence on what is no JSON of ours."""


def read(question: Question) -> Mapping[str, Any]:
    """The object in the body of a request.

    Raises:
        ProblemError: there is none, or it is too long.
    """
    require_kind(question, JSON)
    try:
        given = json.loads(
            question.body.decode("utf-8"),
            parse_int=_whole,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except _WrongError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from None
    except (ValueError, RecursionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The body is no JSON in UTF-8.") from None
    if not isinstance(given, dict):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The body must be one JSON object.")
    return given


def require_kind(question: Question, kind: str) -> None:
    """See to it that a body is of a kind, and not too long.

    Raises:
        ProblemError: it is not.
    """
    if len(question.body) > MOST_BODY:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {MOST_BODY} bytes."
        )
    given = question.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != kind:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {kind}.")


def _whole(text: str) -> int:
    """Longer numbers mean nothing here, and take long to read."""
    if len(text) > _MOST_DIGITS:
        raise _WrongError(f"A number has more than {_MOST_DIGITS} digits.")
    return int(text)


def _no_constant(_text: str) -> None:
    raise _WrongError("NaN and Infinity are no JSON.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _WrongError("A key stands twice.")
    return found


def check(schema: Schema, given: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with an object, one fault for each field; fields in the schema's order."""
    fields: Mapping[str, Schema] = schema["properties"]
    strange = sorted(given.keys() - fields.keys())
    return [
        *(Fault(name, "is missing.") for name in schema["required"] if name not in given),
        *(
            Fault(name, because)
            for name, field in fields.items()
            if name in given and (because := _wrong(field, given[name]))
        ),
        *(Fault(_named(name), "is not known here.") for name in strange),
    ]


def _named(name: str) -> str:
    """A field that nobody knows, where its name is one."""
    return name if re.fullmatch(r"[A-Za-z_]{1,40}", name) else "(strange)"


def _wrong(field: Schema, value: Any) -> str:
    """Why a value does not fit its field, empty when it does."""
    if field["type"] == "integer":
        is_number = isinstance(value, int) and not isinstance(value, bool)
        fits = is_number and field["minimum"] <= value <= field["maximum"]
    elif isinstance(value, str) and not _is_text(value):
        return "holds a character that is no text."
    else:
        fits = isinstance(value, str) and _fits(field, value)
    return "" if fits else f"must be {field['description']}."


def _fits(field: Schema, value: str) -> bool:
    return (
        field.get("minLength", 0) <= len(value) <= field.get("maxLength", len(value))
        and value in field.get("enum", (value,))
        and _pattern(field.get("pattern", "")).search(value) is not None
    )


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern as JSON Schema means it: its end is the end of the text."""
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


def _is_text(value: str) -> bool:
    """Say whether a value holds no control characters, and no halves of a character."""
    return value.isprintable() or not any(
        unicodedata.category(char) in ("Cc", "Cs") and not char.isspace() for char in value
    )
