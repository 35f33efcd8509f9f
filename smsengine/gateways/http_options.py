"""The keys of a gateway of kind ``http``: one vendor, described as a table.

What a key needs of another one is checked where the key stands, so that an error names its line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from smsengine.config.secret import Secret, SecretField
from smsengine.config.yaml import Model
from smsengine.gateways.base import ReceiptStatus
from smsengine.gateways.http_option_words import (
    Codes,
    LoginKeys,
    Meaning,
    Path,
    Pattern,
    UnicodeWords,
    Url,
    has_only,
    uses,
)
from smsengine.gateways.http_transport import TransportOptions

__all__ = ["Answer", "HttpOptions", "Meaning", "Query", "ReceiptKeys", "Url"]

_OF_A_MESSAGE = ("to", "text", "reference", "segments", "unicode")
_OF_THE_GATEWAY = ("key", "sender")

Format = Literal["json", "form", "query", "xml"]
Method = Literal["POST", "GET"]


def _is_template(value: str) -> str:
    return has_only(value, (*_OF_A_MESSAGE, *_OF_THE_GATEWAY))


Template = Annotated[str, AfterValidator(_is_template)]


class Answer(Model):
    """Where the answer to a message says what."""

    form: Literal["json", "xml", "text"] = Field(
        default="json", description="what it is written in; SOAP is xml"
    )
    pattern: Pattern | None = Field(
        default=None,
        validate_default=True,
        description="for text: a regular expression whose named groups are the paths",
    )
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

    @field_validator("pattern")
    @classmethod
    def _is_for_text(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "form" in info.data and (info.data["form"] == "text") != bool(value):
            raise ValueError("goes with form 'text', which needs it.")
        return value


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
        default=None, description="field with the token; else it ends the address"
    )
    status_code: int = Field(default=200, ge=200, le=299, description="status of our answer")
    body: str = Field(default="", description="body of our answer")
    content_type: str = Field(default="text/plain", description="kind of that body")

    @field_validator("token_field")
    @classmethod
    def _is_the_only_place(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("token_header"):
            raise ValueError("is given beside token_header; one of the two.")
        return value


class HttpOptions(TransportOptions):
    """Keys of a gateway of kind ``http``."""

    url: Url = Field(description="where messages go")
    method: Method = Field(default="POST", description="how they go there")
    format: Format = Field(
        default="json", validate_default=True, description="how fields are written"
    )
    headers: Mapping[str, str] = Field(default_factory=dict, description="further headers")
    auth: Literal["none", "bearer", "basic", "header", "body", "login"] = Field(
        default="none", description="where the key goes"
    )
    user: str = Field(default="", description="name that goes with the key, for basic")
    header: str | None = Field(
        default=None, validate_default=True, description="name of the key's header, for header"
    )
    key: SecretField | None = Field(
        default=None, validate_default=True, description="the secret: ${NAME} or file:path"
    )
    login: LoginKeys | None = Field(
        default=None, validate_default=True, description="how to log in, for login"
    )
    address: Literal["e164", "84", "0"] = Field(
        default="e164", description="how numbers begin: +84, 84 or 0"
    )
    batch_list: str | None = Field(default=None, description="field with the list of messages")
    batch_fields: Mapping[str, Template] = Field(
        default_factory=dict, description="fields beside that list"
    )
    body: Template = Field(default="", validate_default=True, description="the whole body, for xml")
    fields: Mapping[str, Template] = Field(
        default_factory=dict,
        validate_default=True,
        description="the vendor's field: what goes into it",
    )
    unicode_flag: UnicodeWords = Field(
        default_factory=UnicodeWords, description="what {unicode} stands for"
    )
    numbers: Sequence[str] = Field(
        default=(), description="those of the fields that JSON holds as numbers"
    )
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

    @field_validator("login")
    @classmethod
    def _is_for_login(cls, value: LoginKeys | None, info: ValidationInfo) -> LoginKeys | None:
        if "auth" in info.data and (info.data["auth"] == "login") != (value is not None):
            raise ValueError("goes with auth 'login', which needs it.")
        if value is None:
            return value
        if value.token_field and info.data.get("format") == "xml":
            raise ValueError("has token_field, which xml cannot take; use token_header.")
        return value

    @field_validator("body")
    @classmethod
    def _is_for_xml(cls, value: str, info: ValidationInfo) -> str:
        if "format" in info.data and (info.data["format"] == "xml") != bool(value):
            raise ValueError("goes with format 'xml', which needs it.")
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
            if uses(value, name):
                raise ValueError(f"have {{{name}}}, which differs from message to message.")
        return value

    @field_validator("fields")
    @classmethod
    def _carry_a_message(cls, value: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        body = info.data.get("body", "")
        if value and body:
            raise ValueError("cannot stand beside a body.")
        value_or_body = {"": body} if body else value
        for name in ("to", "text"):
            if not uses(value_or_body, name):
                raise ValueError(f"have no {{{name}}}; a message needs it.")
        shared = info.data.get("batch_fields", {})
        shown = {"url": info.data.get("url", ""), **shared, **value_or_body}
        asked = uses(shown, "key")
        if asked and info.data.get("auth") == "none":
            raise ValueError("have {key}; name auth and key.")
        if asked and info.data.get("auth") == "login":
            raise ValueError("have {key}, which goes into the fields of login.")
        if info.data.get("auth") == "body" and not asked:
            raise ValueError("have no {key}; auth 'body' needs it.")
        return value

    @field_validator("numbers")
    @classmethod
    def _are_numbers(cls, value: Sequence[str], info: ValidationInfo) -> Sequence[str]:
        words = info.data.get("unicode_flag") or UnicodeWords()
        for name in value:
            said = info.data.get("fields", {}).get(name, "0").replace("{segments}", "1")
            if not all(said.replace("{unicode}", each).isdecimal() for each in words.either):
                raise ValueError(f"name {name!r}, which does not always hold a number.")
        return value

    @field_validator("sender")
    @classmethod
    def _is_there(cls, value: str, info: ValidationInfo) -> str:
        shown = {"": info.data.get("body", ""), **info.data.get("fields", {})}
        shown |= info.data.get("batch_fields", {})
        if not value and uses(shown, "sender"):
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
        shown = {"": info.data.get("body", ""), **info.data.get("fields", {"": "{reference}"})}
        if value and not uses(shown, "reference"):
            raise ValueError("needs {reference} in one of the fields.")
        return value
