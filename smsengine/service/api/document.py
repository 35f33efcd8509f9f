"""The API's own description: OpenAPI 3.1, made of the schemas that the door checks with."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from smsengine.config.payments import PaymentSettings
from smsengine.service.api import schemas
from smsengine.service.api.problems import JSON, PROBLEM

_Part = Mapping[str, Any]

_RETRY_AFTER: _Part = {
    "Retry-After": {
        "description": "Seconds until it may be asked again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_BODY = (400, 413, 415, 422)
_ALWAYS = (429, 503)
_KEYED = (401, 403)
_WHEN: Mapping[int, str] = {
    400: "The body is no strict JSON.",
    401: "The key is missing or wrong.",
    403: "The key is not good for this.",
    404: "There is none.",
    409: "It contradicts what is recorded.",
    413: "The body is too long.",
    415: "The body is of another kind.",
    422: "Fields are at fault; each is named.",
    429: "Too often; Retry-After says when to come again.",
    503: "Not now; Retry-After says when to come again. Nothing was recorded, or it is known.",
}
_IN_PATH: _Part = {
    "name": "receipt",
    "in": "path",
    "required": True,
    "description": "The receipt's number; a / in it is written %2F.",
    "schema": schemas.RECEIPT,
}


def document(settings: PaymentSettings) -> _Part:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Payments",
            "version": "1",
            "description": "For organisations that collect, and for whoever holds a code.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**schemas.taken(settings), **schemas.GIVEN},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The organisation's key.",
                }
            },
        },
    }


def _paths() -> _Part:
    one = "/api/v1/payments/{receipt}"
    return {
        "/api/v1/payments": {
            "post": _keyed("record", "Record one payment.", "Payment", "Confirmation", 200, 201)
        },
        one: {"get": _keyed("read", "What holds now of a receipt.", "", "Standing", 200, at=True)},
        f"{one}/corrections": {
            "post": _keyed(
                *("correct", "Put other facts in its place.", "Correction", "Confirmation"),
                *(200, 201),
                at=True,
            )
        },
        f"{one}/cancellation": {
            "post": _keyed(
                *("cancel", "Say that it is void.", "Cancellation", "Cancelled", 200, 201), at=True
            )
        },
        "/api/v1/lookup": {
            "post": _operation(
                *("lookup", "What there is under a code.", "Question", "Shown", (200,)),
                errors=(*_BODY, 404, *_ALWAYS),
            )
        },
        "/api/v1/openapi.json": {
            "get": {
                "operationId": "document",
                "summary": "This document.",
                "security": [],
                "responses": {"200": _content("It.", JSON, {"type": "object"})},
            }
        },
    }


def _keyed(scope: str, summary: str, body: str, given: str, *good: int, at: bool = False) -> _Part:
    """A request with a key; ``at`` says that it names a receipt in its path."""
    errors = (*_KEYED, *_ALWAYS, *(_BODY if body else ()))
    conflicts = (404,) * at + (409,) * bool(body)
    operation = _operation(scope, summary, body, given, good, errors=(*errors, *conflicts))
    return {
        **operation,
        "security": [{"key": []}],
        "description": f"Needs a key with the scope {scope}.",
        "parameters": [_IN_PATH] if at else [],
    }


def _operation(
    name: str, summary: str, body: str, given: str, good: tuple[int, ...], errors: tuple[int, ...]
) -> _Part:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {
            **{str(status): _good(status, given) for status in good},
            **{str(status): _error(status) for status in sorted(errors)},
        },
    }
    if body:
        content = {JSON: {"schema": _reference(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _good(status: int, given: str) -> _Part:
    when = "Done." if status == HTTPStatus.CREATED else "So it stands in the book."
    return _content(when, JSON, _reference(given))


def _error(status: int) -> _Part:
    found = {**_content(_WHEN[status], PROBLEM, _reference("Problem"))}
    if status in _ALWAYS:
        found["headers"] = _RETRY_AFTER
    return found


def _content(description: str, kind: str, schema: _Part) -> _Part:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _reference(name: str) -> _Part:
    return {"$ref": f"#/components/schemas/{name}"}
