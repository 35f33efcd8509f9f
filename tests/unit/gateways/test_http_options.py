"""The keys of kind http: what goes together, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from smsengine.config.yaml import build, load
from smsengine.errors import ConfigError
from smsengine.gateways import http
from tests.unit.gateways.table_options import ANSWER, BATCH, KEY, keys, options, questions, secrets

AT = ("gateways", "example")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return secrets(tmp_path)


def built(folder: Path, given: dict[str, Any]) -> http.Options:
    """The options of a gateway in a whole config.yaml, as the engine reads it."""
    path = folder / "config.yaml"
    whole = {"gateways": {"example": {"kind": "http", **given}}}
    plain = json.loads(json.dumps(whole))  # without what would become an alias
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    document = load(path)
    data = {k: v for k, v in document.data["gateways"]["example"].items() if k != "kind"}
    return build(http.Options, document, data=data, at=AT, context={"folder": folder})


def error_of(folder: Path, given: dict[str, Any]) -> str:
    """What is said, without the path of the file."""
    with pytest.raises(ConfigError) as caught:
        built(folder, given)
    return str(caught.value).replace(str(folder / "config.yaml"), "config.yaml")


def line_of(folder: Path, key: str) -> int:
    """The line in which a key stands."""
    content = (folder / "config.yaml").read_text(encoding="utf-8").splitlines()
    return 1 + next(at for at, line in enumerate(content) if line.strip().startswith(f"{key}:"))


@pytest.mark.parametrize(
    "given",
    [
        keys(),
        keys(**questions()),
        keys(**BATCH),
        keys(**BATCH, **questions()),
        keys(auth="none", key=None),
        keys(auth="basic", user="office"),
        keys(auth="header", header="X-Api-Key"),
        keys(auth="body", fields={"to": "{to}", "text": "{text}", "pass": "{key}"}),
        keys(auth="body", url="https://sms.example.vn/{key}/send"),
        keys(auth="body", **BATCH, batch_fields={"key": "{key}"}),
        keys(method="GET", format="query"),
        keys(method="POST", format="query"),
        keys(format="form", sender="BHXH", fields={"m": "{sender} {to} {text} {segments}"}),
        keys(idempotency_hours="24", connections="64", exchange_log="exchanges.jsonl"),
        keys(connect_timeout_seconds="0.5", read_timeout_seconds="10"),
    ],
)
def test_what_goes_together_is_taken(folder: Path, given: dict[str, Any]) -> None:
    """Each form of a vendor that the page describes can be written down."""
    assert given["url"] == built(folder, given).url


def query_with(**changes: Any) -> dict[str, Any]:
    return {"query": questions()["query"] | changes}


def callback_with(**changes: Any) -> dict[str, Any]:
    made = questions()["callback"] | changes
    return {"callback": {name: value for name, value in made.items() if value is not None}}


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"url": "sms.example.vn/send"}, "url", "must be a URL such as https://"),
        ({"url": "ftp://sms.example.vn"}, "url", "must be a URL such as https://"),
        ({"url": "https://u:p@sms.example.vn"}, "url", "must be a URL such as https://"),
        ({"url": "https://sms.example.vn/{to}"}, "url", "has {to}; it may have: {key}"),
        ({"method": "PUT"}, "method", "is 'PUT'; it must be 'POST' or 'GET'."),
        ({"method": "GET"}, "format", "is 'json'; with method GET it must be 'query'."),
        ({"format": "soap"}, "format", "is 'soap'; it must be 'json', 'form', 'query' or 'xml'."),
        ({"auth": "digest"}, "auth", "is 'digest'; it must be 'none', "),
        ({"auth": "none"}, "key", "is given; name auth."),
        ({"key": None}, "key", "is missing; auth 'bearer' needs it."),
        ({"key": KEY}, "key", "a secret must not stand here"),
        ({"key": "file:nothing"}, "key", "cannot be read"),
        ({"auth": "header"}, "header", "goes with auth 'header', which needs it."),
        ({"header": "X-Key"}, "header", "goes with auth 'header', which needs it."),
        ({"auth": "body"}, "fields", "have no {key}; auth 'body' needs it."),
        ({"address": "+84"}, "address", "is '+84'; it must be 'e164', '84' or '0'."),
        ({"fields": None}, "fields", "have no {to}; a message needs it."),
        ({"fields": {"to": "{to}"}}, "fields", "have no {text}; a message needs it."),
        ({"fields": {"text": "{text}"}}, "fields", "have no {to}; a message needs it."),
        ({"fields": {"to": "{tel}"}}, "fields.to", "has {tel}; it may have: {to} {text}"),
        ({"fields": {"to": "{to}{}", "m": "{text}"}}, "fields.to", "has {}; it may have"),
        (
            {"fields": {"a": "{to}{text}{sender}"}},
            "sender",
            "is missing; fields have {sender}.",
        ),
        (
            {"auth": "none", "key": None, "fields": {"a": "{to}{text}{key}"}},
            "fields",
            "have {key}; name auth and key.",
        ),
        (
            {"fields": {"a": "{to}{text}"}, "query": questions()["query"]},
            "query",
            "needs {reference} in one of the fields.",
        ),
        (
            {"fields": {"a": "{to}{text}"}, "idempotency_hours": "24"},
            "idempotency_hours",
            "needs {reference} in one of the fields.",
        ),
        ({"per_request": "2"}, "per_request", "is 2; more than one needs batch_list."),
        ({"per_request": "0"}, "per_request", "is '0'; "),
        ({"batch_list": "m"}, "answer", "lacks results, which batch_list needs."),
        (BATCH | {"format": "form"}, "batch_list", "needs format 'json'."),
        (
            BATCH | {"batch_fields": {"x": "{to}"}},
            "batch_fields",
            "have {to}, which differs from message to message.",
        ),
        ({"answer": None}, "answer", "is missing."),
        ({"answer": {"code": "status"}}, "answer.success", "is missing."),
        ({"answer": ANSWER | {"success": []}}, "answer.success", "is []; "),
        ({"answer": ANSWER | {"codes": {"1": "bad"}}}, "answer.codes.1", "it must be 'accepted',"),
        ({"answer": ANSWER | {"cods": {}}}, "answer.cods", "is not a known key; the keys here are"),
        ({"answer": ANSWER | {"documented_503": "often"}}, "answer.documented_503", "is 'often'; "),
        (query_with(never=[]), "query.never", "is []; "),
        (query_with(references="many"), "query.references", "it must be 'repeated', 'comma'"),
        ({"balance": {"url": "/balance", "amount": "a"}}, "balance.url", "must be a URL"),
        (
            {"receipts": {"url": "https://x", "status": "s", "statuses": {"1": "delivered"}}},
            "receipts.status",
            "is of no use without id or reference",
        ),
        (
            {"receipts": {"url": "https://x", "id": "i", "status": "s", "statuses": {"1": "ok"}}},
            "receipts.statuses.1",
            "it must be 'delivered', 'undelivered' or 'in-transit'.",
        ),
        (callback_with(token="x"), "callback.token", "a secret must not stand here"),
        (callback_with(token=None), "callback.token", "is missing."),
        (callback_with(token_field="t"), "callback.token_field", "is given beside token_header"),
        ({"auth": "login"}, "login", "goes with auth 'login', which needs it."),
        (
            {
                "auth": "login",
                "login": {
                    "url": "https://x",
                    "fields": {"p": "{key}"},
                    "token": "t",
                    "token_field": "t",
                    "stale_status": "200",
                },
            },
            "login.stale_words",
            "are missing; with stale_status 200 every answer would be old.",
        ),
        ({"format": "xml"}, "body", "goes with format 'xml', which needs it."),
        ({"body": "<a>{to}{text}</a>"}, "body", "goes with format 'xml', which needs it."),
        ({"numbers": ["text"]}, "numbers", "name 'text', which does not always hold a number."),
        (
            {"answer": {"code": "c", "success": "0", "form": "text"}},
            "answer.pattern",
            "goes with form 'text', which needs it.",
        ),
        (
            {"answer": {"code": "c", "success": "0", "form": "text", "pattern": "[0-9]"}},
            "answer.pattern",
            "names nothing; write such as (?P<code>[0-9]+).",
        ),
        ({"idempotency_hours": "-1"}, "idempotency_hours", "is '-1'; "),
        ({"connections": "0"}, "connections", "is '0'; "),
        ({"read_timeout_seconds": "never"}, "read_timeout_seconds", "is 'never'; "),
        ({"exchange_log": ""}, "exchange_log", "is empty; write a value."),
        ({"retries": "3"}, "retries", "is not a known key; the keys here are: address, answer"),
    ],
)
def test_what_is_wrong_is_one_sentence_at_its_key(
    folder: Path, changes: dict[str, Any], key: str, said: str
) -> None:
    """Whoever made a mistake reads the line, the key and what was expected."""
    error = error_of(folder, keys(**changes))
    assert f": gateways.example.{key}: " in error
    assert said in error
    assert 1 == len(error.splitlines())


@pytest.mark.parametrize(
    ("changes", "key", "stands"),
    [
        ({"per_request": "2"}, "per_request", "per_request"),
        ({"method": "GET", "format": "json"}, "format", "format"),
        ({"key": None}, "key", "example"),
        ({"fields": {"to": "{to}", "message": "{tekst}"}}, "fields.message", "message"),
        ({"answer": ANSWER | {"codes": {"777": "no"}}}, "answer.codes.777", "'777'"),
    ],
)
def test_an_error_names_the_line(
    folder: Path, changes: dict[str, Any], key: str, stands: str
) -> None:
    """The line is that of the key, or of the gateway where the key is missing."""
    error = error_of(folder, keys(**changes))
    assert f"config.yaml:{line_of(folder, stands)}: gateways.example.{key}: " in error


def test_one_mistake_does_not_look_like_two(folder: Path) -> None:
    """A key that depends on a broken one is not complained about."""
    error = error_of(folder, keys(auth="digest", format="soap", **BATCH))
    assert ["auth", "format"] == sorted(
        line.split(": ")[1].rpartition(".")[2] for line in error.splitlines()
    )


def test_no_error_shows_the_secret(folder: Path) -> None:
    """A wrong key beside the secret does not bring it to light."""
    assert KEY not in error_of(folder, keys(per_request="x", connections="y"))


def test_options_do_not_show_the_secret(folder: Path) -> None:
    """A settings object in a traceback shows stars."""
    assert KEY not in repr(options(folder))
