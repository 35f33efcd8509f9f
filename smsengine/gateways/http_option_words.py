"""Words and sections that the keys of kind ``http`` are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from smsengine.config.yaml import Model

#: What a field may be filled with.
PLACEHOLDER = re.compile(r"\{(\w*)\}")

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


def has_only(value: str, known: Sequence[str]) -> str:
    for name in PLACEHOLDER.findall(value):
        if name not in known:
            said = " ".join(f"{{{each}}}" for each in known)
            raise ValueError(f"has {{{name}}}; it may have: {said}.")
    return value


def _is_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a URL such as https://sms.example.vn/send, without a password.")
    return has_only(value, ("key", "cursor"))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(_is_url)]
#: one code, or a list of them
Codes = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
#: keys of nested groups and places in lists, joined by dots: ``data.0.id``
Path = Annotated[str, Field(min_length=1)]


def _is_pattern(value: str) -> str:
    try:
        names = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}.") from error
    if not names:
        raise ValueError("names nothing; write such as (?P<code>[0-9]+).")
    return value


Pattern = Annotated[str, AfterValidator(_is_pattern)]


def uses(fields: Mapping[str, str], name: str) -> bool:
    return any(name in PLACEHOLDER.findall(template) for template in fields.values())


class UnicodeWords(Model):
    """What ``{unicode}`` stands for."""

    plain: str = Field(default="0", description="in a text of plain letters")
    other: str = Field(default="1", description="in any other text")

    @property
    def either(self) -> Sequence[str]:
        return self.plain, self.other


class LoginKeys(Model):
    """How to log in, and where the token goes that it gives."""

    url: Url
    format: Literal["json", "form", "query"] = Field(
        default="form", description="how the fields of the login are written"
    )
    fields: Mapping[str, str] = Field(min_length=1, description="its fields; {key} is the secret")
    code: Path | None = Field(default=None, description="path of the answer's code")
    success: Codes | None = Field(default=None, description="codes that mean: logged in")
    token: Path = Field(description="path of the token")
    minutes: float = Field(default=5, gt=0, le=1440, description="how long it is good")
    token_header: str | None = Field(default=None, description="header that takes it")
    token_field: str | None = Field(
        default=None, validate_default=True, description="field that takes it"
    )
    stale_status: int = Field(
        default=401, ge=200, le=499, description="HTTP status of an answer to an old token"
    )
    stale_words: Codes | None = Field(
        default=None, validate_default=True, description="words of which such an answer has one"
    )

    @field_validator("fields")
    @classmethod
    def _have_the_key(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for each in value.values():
            has_only(each, ("key",))
        if not uses(value, "key"):
            raise ValueError("have no {key}; a login needs it.")
        return value

    @field_validator("token_field")
    @classmethod
    def _has_one_place(cls, value: str | None, info: ValidationInfo) -> str | None:
        if bool(value) == bool(info.data.get("token_header")):
            raise ValueError("needs a name, or token_header does; one of the two.")
        return value

    @field_validator("stale_words")
    @classmethod
    def _tell_it_from_an_acceptance(
        cls, value: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        # What is called stale is handed over again: it must not be what was taken.
        status = info.data.get("stale_status", 401)
        if value is None and status < 300:
            raise ValueError(f"are missing; with stale_status {status} every answer would be old.")
        return value
