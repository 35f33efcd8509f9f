"""``alerts:`` of ``config.yaml``: who is told, by which ways, and from when on something is late.

A secret is only named here; it is fetched when a way is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from smsengine.config.amounts import Duration
from smsengine.config.secret import is_reference
from smsengine.config.yaml import Model
from smsengine.lifecycle import Grade

_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+", re.ASCII)
_PORTS = {"none": 25, "starttls": 587, "tls": 465}
#: Headers that only ever hold a secret.
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


def _is_address(value: str) -> str:
    if _ADDRESS.fullmatch(value) is None:
        raise ValueError(f"is {value!r}; write an address such as on-call@example.vn.")
    return value


def _is_host(value: str) -> str:
    if re.fullmatch(r"[\w.:-]+", value, re.ASCII) is None:
        raise ValueError(f"is {value!r}; write the server's name, such as mail.example.vn.")
    return value


def _is_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("must be one line of words.")
    return value


def _is_url(value: str) -> str:
    if is_reference(value):
        return value
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or re.search(r"[^!-~]", value):
        raise ValueError(
            "must be a URL such as https://example.vn/hook, without a password; a secret one is"
            " named: ${NAME}, file:path or credential:name."
        )
    return value


def _is_secret(value: str) -> str:
    if not is_reference(value):
        raise ValueError(
            "a secret must not stand here; write ${NAME} for an environment variable, file:path or"
            " credential:name."
        )
    return value


def _hour(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII) is None:
        raise ValueError(f"is {value!r}; write the hour as 07:00.")
    return time.fromisoformat(value)


Address = Annotated[str, AfterValidator(_is_address)]
#: a URL, or where a secret one is kept
SecretUrl = Annotated[str, AfterValidator(_is_url)]
SecretName = Annotated[str, AfterValidator(_is_secret)]
Hour = Annotated[time, BeforeValidator(_hour)]


class Smtp(Model):
    """Mail."""

    host: Annotated[str, AfterValidator(_is_host)] = Field(description="name of the mail server")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="default: what its security is known for"
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="how the connection is kept secret"
    )
    ca: str | None = Field(
        default=None, min_length=1, description="file with the certificate that signed the server's"
    )
    user: str | None = Field(default=None, min_length=1, description="name to log in with")
    password: SecretName | None = Field(default=None, description="its password, a secret")
    sender: Address = Field(description="whom a mail is from")
    to: tuple[Address, ...] = Field(min_length=1, description="who gets it")

    @property
    def known_port(self) -> int:
        return self.port or _PORTS[self.security]

    @model_validator(mode="after")
    def _fits(self) -> Smtp:
        if (self.user is None) != (self.password is None):
            raise ValueError("needs user and password, or neither.")
        if self.user is not None and self.security == "none":
            raise ValueError("must not send a password that all can read; use starttls or tls.")
        return self


class Webhook(Model):
    """A program that is told by HTTP."""

    url: SecretUrl = Field(description="where it listens; may be a secret")
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="further headers; a value may be a secret"
    )

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, said in value.items():
            if re.fullmatch(r"[A-Za-z0-9-]+", name) is None or re.search(r"[^ -~]", said):
                raise ValueError(f"has {name!r}, which cannot be sent as a header.")
            if name.lower() in _SECRET_HEADERS and not is_reference(said):
                raise ValueError(
                    f"has {name}, which is a secret; write ${{NAME}} for an environment variable,"
                    " file:path or credential:name."
                )
        return value


class Ping(Model):
    """A dead-man switch: it raises the alarm when it hears nothing any more."""

    url: SecretUrl = Field(description="what is fetched; may be a secret")
    every: Duration = Field(
        default="5 minutes", validate_default=True, description="how often it hears of us"
    )


class AlertSettings(Model):
    """Who is told what."""

    name: Annotated[str, AfterValidator(_is_line)] = Field(
        default="smsengine",
        max_length=60,
        description="what this installation is called in what is told",
    )
    smtp: Smtp | None = Field(default=None, description="tell by mail")
    webhook: Webhook | None = Field(default=None, description="tell a program")
    ping: Ping | None = Field(default=None, description="let a dead-man switch know")
    morning: Hour = Field(
        default="07:00", validate_default=True, description="when the morning report is told"
    )
    least: Grade = Field(default=Grade.WARNING, description="the lowest grade that is told at once")
    unknown_after: Duration = Field(
        default="6 hours",
        validate_default=True,
        description="how long a message may be unknown before somebody is told",
    )
