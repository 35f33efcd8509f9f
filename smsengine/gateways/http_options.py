"""The keys of a gateway of kind ``http``: one vendor, described as a table.

What a key needs of another one is checked where the key stands, so that an error names its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from smsengine.config.secret import Secret, SecretField
from smsengine.config.yaml import Model
from smsengine.gateways.base import ReceiptStatus
from smsengine.gateways.http_transport import TransportOptions

#: What a field may be filled with.
PLACEHOLDER = re.compile(r"\{(\w*)\}")
_OF_A_MESSAGE = ("to", "text", "reference", "segments")
_OF_THE_GATEWAY = ("key", "sender")

Meaning = Literal[
    "accepted",
    "duplicate",
    "rejected recipient",
    "rejected content",
    "rejected sender",
    "rejected account",
    "rejected caller",
    "throttled",
    "deferred",
    "transient",
    "unknown",
]
Format = Literal["json", "form", "query"]
Method = Literal["POST", "GET"]


def _has_only(value: str, known: Sequence[str]) -> str:
    for name in PLACEHOLDER.findall(value):
        if name not in known:
            said = " ".join(f"{{{each}}}" for each in known)
            raise ValueError(f"has {{{name}}}; it may have: {said}.")
    return value


def _is_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a URL such as https://sms.example.vn/send, without a password.")
    return _has_only(value, ("key", "cursor"))


def _is_template(value: str) -> str:
    return _has_only(value, (*_OF_A_MESSAGE, *_OF_THE_GATEWAY))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(_is_url)]
Template = Annotated[str, AfterValidator(_is_template)]
#: one code, or a list of them
Codes = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
#: keys of nested groups and places in lists, joined by dots: ``data.0.id``
Path = Annotated[str, Field(min_length=1)]


class Answer(Model):
    """Where the answer to a message says what."""

    code: Path = Field(description="path of the vendor's code")
    success: Codes = Field(description="codes that mean accepted")
    id: Path | None = Field(default=None, description="path of the vendor's name of the message")
    detail: Path | None = Field(default=None, description="path of a sentence for people")
    results: Path | None = Field(default=None, description="path of the list, for batch_list")
    reference: Path | None = Field(default=None, description="path of our reference, echoed")
    codes: Mapping[str, Meaning] = Field(default_factory=dict, description="code: what it means")
    retry_after: Path | None = Field(default=None, description="path of seconds to wait")
    not_before: Path | None = Field(default=None, description="path of the time to wait for")
    documented_503: bool = Field(
        default=False, description="the vendor writes that nothing was taken with a 503"
    )


class Query(Model):
    """How to ask what became of a message."""

    url: Url
    field: str = Field(min_length=1, description="name of the field with the reference")
    references: Literal["repeated", "comma", "one"] = Field(
        default="one", description="how several references are given"
    )
    at_once: int = Field(default=50, ge=1, le=1000, description="references in one question")
    results: Path | None = Field(default=None, description="path of the list of results")
    reference: Path = Field(description="path of the reference in a result")
    code: Path = Field(description="path of the code in a result")
    success: Codes = Field(description="codes that mean accepted")
    never: Codes = Field(description="codes that mean: surely never taken")
    after_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="how long after a hand-over it may still be taken; only then it is asked about",
    )
    id: Path | None = Field(default=None, description="path of the vendor's name of the message")
    codes: Mapping[str, Meaning] = Field(default_factory=dict, description="code: what it means")


class BalanceKeys(Model):
    """How to ask what is left."""

    url: Url
    amount: Path = Field(description="path of the amount")
    currency: Path | None = Field(default=None, description="path of the currency, else VND")


class ReceiptKeys(Model):
    """Where a receipt says what."""

    id: Path | None = Field(default=None, description="path of the vendor's name of the message")
    reference: Path | None = Field(default=None, description="path of our reference")
    status: Path = Field(description="path of the status")
    statuses: Mapping[str, ReceiptStatus] = Field(min_length=1, description="status: its meaning")
    code: Path | None = Field(default=None, description="path of the reason")
    results: Path | None = Field(default=None, description="path of the list of receipts")

    @field_validator("status")
    @classmethod
    def _names_the_message(cls, value: str, info: ValidationInfo) -> str:
        if not info.data.get("id") and not info.data.get("reference"):
            raise ValueError("is of no use without id or reference, which name the message.")
        return value


class Pull(ReceiptKeys):
    """How to fetch receipts."""

    url: Url = Field(description="with {cursor} for where the last ones ended")
    start: str = Field(default="0", description="the cursor of the first question")
    cursor: Path | None = Field(default=None, description="path of the next cursor")


class Push(ReceiptKeys):
    """How receipts come to us, and how we know that they are the vendor's."""

    token: SecretField = Field(description="what the vendor has to send along")
    token_header: str | None = Field(default=None, description="header with the token")
    token_field: str | None = Field(
        default=None, validate_default=True, description="field with the token"
    )
    status_code: int = Field(default=200, ge=200, le=299, description="status of our answer")
    body: str = Field(default="", description="body of our answer")
    content_type: str = Field(default="text/plain", description="kind of that body")

    @field_validator("token_field")
    @classmethod
    def _has_one_place(cls, value: str | None, info: ValidationInfo) -> str | None:
        if bool(value) == bool(info.data.get("token_header")):
            raise ValueError("needs a name, or token_header does; one of the two.")
        return value


class HttpOptions(TransportOptions):
    """Keys of a gateway of kind ``http``."""

    url: Url = Field(description="where messages go")
    method: Method = Field(default="POST", description="how they go there")
    format: Format = Field(
        default="json", validate_default=True, description="how fields are written"
    )
    auth: Literal["none", "bearer", "basic", "header", "body"] = Field(
        default="none", description="where the key goes"
    )
    user: str = Field(default="", description="name that goes with the key, for basic")
    header: str | None = Field(
        default=None, validate_default=True, description="name of the key's header, for header"
    )
    key: SecretField | None = Field(
        default=None, validate_default=True, description="the secret: ${NAME} or file:path"
    )
    address: Literal["e164", "84", "0"] = Field(
        default="e164", description="how numbers begin: +84, 84 or 0"
    )
    batch_list: str | None = Field(default=None, description="field with the list of messages")
    batch_fields: Mapping[str, Template] = Field(
        default_factory=dict, description="fields beside that list"
    )
    fields: Mapping[str, Template] = Field(description="the vendor's field: what goes into it")
    sender: str = Field(default="", validate_default=True, description="what {sender} stands for")
    per_request: int = Field(default=1, ge=1, le=5000, description="messages in one request")
    answer: Answer
    query: Query | None = None
    balance: BalanceKeys | None = None
    receipts: Pull | None = None
    callback: Push | None = None
    idempotency_hours: int = Field(
        default=0, ge=0, le=168, description="hours in which a reference is not sent twice"
    )

    @field_validator("format")
    @classmethod
    def _fits_the_method(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("method") == "GET" and value != "query":
            raise ValueError(f"is {value!r}; with method GET it must be 'query'.")
        return value

    @field_validator("header")
    @classmethod
    def _is_for_header(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "auth" in info.data and (info.data["auth"] == "header") != bool(value):
            raise ValueError("goes with auth 'header', which needs it.")
        return value

    @field_validator("key")
    @classmethod
    def _fits_the_auth(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        auth = info.data.get("auth")
        if auth is not None and (auth == "none") != (value is None):
            raise ValueError(
                f"is missing; auth {auth!r} needs it." if value is None else "is given; name auth."
            )
        return value

    @field_validator("batch_list")
    @classmethod
    def _is_json(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("format", "json") != "json":
            raise ValueError("needs format 'json'.")
        return value

    @field_validator("batch_fields")
    @classmethod
    def _are_shared(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name in _OF_A_MESSAGE:
            if _uses(value, name):
                raise ValueError(f"have {{{name}}}, which differs from message to message.")
        return value

    @field_validator("fields")
    @classmethod
    def _carry_a_message(cls, value: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        for name in ("to", "text"):
            if not _uses(value, name):
                raise ValueError(f"have no {{{name}}}; a message needs it.")
        shown = {"": info.data.get("url", ""), **info.data.get("batch_fields", {}), **value}
        asked = _uses(shown, "key")
        if asked and info.data.get("auth") == "none":
            raise ValueError("have {key}; name auth and key.")
        if info.data.get("auth") == "body" and not asked:
            raise ValueError("have no {key}; auth 'body' needs it.")
        return value

    @field_validator("sender")
    @classmethod
    def _is_there(cls, value: str, info: ValidationInfo) -> str:
        shown = {**info.data.get("fields", {}), **info.data.get("batch_fields", {})}
        if not value and _uses(shown, "sender"):
            raise ValueError("is missing; fields have {sender}.")
        return value

    @field_validator("per_request")
    @classmethod
    def _has_a_list(cls, value: int, info: ValidationInfo) -> int:
        if value > 1 and not info.data.get("batch_list", "wrong"):
            raise ValueError(f"is {value}; more than one needs batch_list.")
        return value

    @field_validator("answer")
    @classmethod
    def _has_results(cls, value: Answer, info: ValidationInfo) -> Answer:
        if info.data.get("batch_list") and not value.results:
            raise ValueError("lacks results, which batch_list needs.")
        return value

    @field_validator("query", "idempotency_hours")
    @classmethod
    def _knows_the_reference(cls, value: Any, info: ValidationInfo) -> Any:
        # A vendor that was never told a reference would call every message never taken.
        if value and not _uses(info.data.get("fields", {"": "{reference}"}), "reference"):
            raise ValueError("needs {reference} in one of the fields.")
        return value


def _uses(fields: Mapping[str, str], name: str) -> bool:
    return any(name in PLACEHOLDER.findall(template) for template in fields.values())
