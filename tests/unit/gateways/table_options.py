"""Options of kind ``http`` for tests: those of the double, with changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smsengine.gateways import http

URL = "https://sms.example.vn"
#: The secret that ``key_folder`` puts into a file.
KEY = "hush-4711"
TOKEN = "token-0815"

ANSWER: dict[str, Any] = {
    "code": "status",
    "success": "0",
    "id": "id",
    "detail": "message",
    "reference": "ref",
    "not_before": "not_before",
    "codes": {
        "13": "rejected recipient",
        "146": "rejected content",
        "104": "rejected sender",
        "103": "rejected account",
        "124": "duplicate",
        "21": "transient",
        "99": "deferred",
    },
}
BATCH: dict[str, Any] = {
    "batch_list": "messages",
    "per_request": "100",
    "answer": ANSWER | {"results": "results"},
}


def questions(url: str = URL) -> dict[str, Any]:
    """The sections of everything that can be asked."""
    return {
        "query": {
            "url": f"{url}/status",
            "field": "ref",
            "references": "repeated",
            "results": "results",
            "reference": "ref",
            "code": "status",
            "success": "0",
            "never": "404",
            "id": "id",
        },
        "balance": {"url": f"{url}/balance", "amount": "amount", "currency": "currency"},
        "receipts": {
            "url": f"{url}/receipts?after={{cursor}}",
            "results": "receipts",
            "cursor": "last",
            **RECEIPT,
        },
        "callback": {"token": "file:token", "token_header": "X-Token", **RECEIPT},
    }


RECEIPT: dict[str, Any] = {
    "id": "id",
    "reference": "ref",
    "status": "state",
    "code": "code",
    "statuses": {
        "delivered": "delivered",
        "undelivered": "undelivered",
        "in-transit": "in-transit",
    },
}


def keys(base: str = URL, **changes: Any) -> dict[str, Any]:
    """The keys as they stand in YAML; a change of None takes a key out."""
    made = {
        "url": f"{base}/send",
        "auth": "bearer",
        "key": "file:key",
        "address": "84",
        "fields": {"to": "{to}", "text": "{text}", "ref": "{reference}"},
        "answer": ANSWER,
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def secrets(folder: Path, key: str = KEY) -> Path:
    """Put the secrets into files of a folder."""
    (folder / "key").write_text(key, encoding="utf-8")
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    return folder


def options(folder: Path, base: str = URL, **changes: Any) -> http.Options:
    """The options, read as from YAML."""
    return http.Options.model_validate(keys(base, **changes), context={"folder": folder})
