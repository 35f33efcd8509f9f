"""Kannel: an office's own gateway on the same machine, asked over its ``sendsms`` interface.

By Kannel's user guide for 1.4.5, and tried with Debian's package. An answer names no message, so
our reference travels in the address that a receipt is sent to. Kannel cuts a long text silently to
``max-messages`` parts; what needs more than that is refused here, before a byte of it leaves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlencode, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from smsengine.config.secret import Secret, SecretField, revealed
from smsengine.gateways.base import (
    Acknowledgement,
    Callback,
    Capabilities,
    Kind,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_outcomes import default_outcome, unreadable
from smsengine.gateways.http_reading import has_token
from smsengine.gateways.http_transport import TransportOptions, open_http
from smsengine.phone import mask_numbers
from smsengine.text import gsm

#: The whole answer of a 202: taken, and taken while no link to an SMSC is up.
TAKEN = ("0: Accepted for delivery", "3: Queued for later delivery")
#: ``type`` of a receipt: a bit of ``dlr-mask``.
STATUSES: Mapping[str, ReceiptStatus] = {
    "1": ReceiptStatus.DELIVERED,
    "2": ReceiptStatus.UNDELIVERED,
    "4": ReceiptStatus.IN_TRANSIT,
    "8": ReceiptStatus.IN_TRANSIT,
    "16": ReceiptStatus.UNDELIVERED,
}
_ALL = str(sum(map(int, STATUSES)))
#: Says that nobody knows; Kannel calls it undelivered.
_UNDETERMINED = "UNKNOWN"
_WORDS = {name: re.compile(rf"\b{name}:\s*(\w+)", re.I) for name in ("stat", "err")}
#: The end of a receipt holds the beginning of the text.
_TEXT = re.compile(r"\btext:.*", re.I | re.S)
#: ``sim[sim]    SMPP:127.0.0.1:22775/22775:user: (online 3s, rcvd: …``
_LINK = re.compile(r"^\s+([^\s\[]+)\S*\s+\S.*\(([a-z-]+)\b", re.M)
_TOO_LONG = Outcome(
    kind=OutcomeKind.REJECTED,
    scope=Scope.CONTENT,
    code="too-long",
    detail="needs more parts than max_messages says; Kannel would cut it.",
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _is_near(value: str) -> str:
    """The password stands in the address of every request."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a URL such as http://127.0.0.1:13013/cgi-bin/sendsms.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError(
            "leaves this machine with the password in plain sight; use 127.0.0.1, or https."
        )
    return value


NearUrl = Annotated[str, AfterValidator(_is_near)]


class Options(TransportOptions):
    """Keys of a gateway of kind ``kannel``."""

    url: NearUrl = Field(
        default="http://127.0.0.1:13013/cgi-bin/sendsms", description="of smsbox's sendsms"
    )
    username: str = Field(min_length=1, description="as in the group sendsms-user")
    password: SecretField
    sender: str = Field(default="", max_length=20, description="from; empty for global-sender")
    smsc: str = Field(default="", description="smsc-id of the link; empty for any")
    max_messages: int = Field(
        default=1, ge=1, le=255, description="as in the group sendsms-user; there 1 if not set"
    )
    callback_url: str = Field(
        default="", description="where receipts go, without the token; without it none come"
    )
    callback_token: SecretField | None = Field(
        default=None, validate_default=True, description="last part of the callback's path"
    )
    status_url: NearUrl | None = Field(
        default=None, description="bearerbox's status.txt, for gateways check"
    )
    status_password: SecretField | None = Field(default=None, description="status-password")

    @field_validator("callback_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if value and ("?" in value or not urlsplit(value).hostname):
            raise ValueError("must be a URL such as http://127.0.0.1:8080/callbacks, without ?.")
        return value.rstrip("/")

    @field_validator("callback_token")
    @classmethod
    def _goes_with_the_url(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if bool(info.data.get("callback_url")) != (value is not None):
            raise ValueError("goes with callback_url; give both or neither.")
        return value


class KannelVendor(Vendor):
    """Kannel as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url
        self._password = options.password.reveal()
        self._token = revealed(options.callback_token)
        self._status_password = revealed(options.status_password)
        kept = (self._password, self._token, self._status_password)
        self.secrets = [each for each in kept if each]
        self.capabilities = Capabilities(max_batch=1, concurrency=options.connections)

    def refuses(self, message: Outbound) -> Outcome | None:
        return _TOO_LONG if message.segments > self._options.max_messages else None

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        is_plain = gsm.measure(message.text).encoding == "gsm7"
        fields = {
            "username": self._options.username,
            "password": self._password,
            "from": self._options.sender,
            "to": message.address,
            "smsc": self._options.smsc,
            "coding": "0" if is_plain else "2",
            "charset": "UTF-8",
            "text": message.text,
            **self._receipt_fields(message),
        }
        said = urlencode({name: value for name, value in fields.items() if value})
        return Request(method="GET", url=f"{self.url}?{said}")

    def _receipt_fields(self, message: Outbound) -> dict[str, str]:
        """Where receipts go; Kannel fills in what stands behind a %, and takes two for one."""
        if not self._options.callback_url:
            return {}
        ours = urlencode({"reference": message.reference, "parts": message.segments})
        where = f"{self._options.callback_url}/{quote(self._token, safe='')}?{ours}"
        filled = "&type=%d&id=%F&reply=%A"
        return {"dlr-mask": _ALL, "dlr-url": where.replace("%", "%%") + filled}

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        said = default_outcome(reply, now, documented_503=True)
        body = reply.body.decode(errors="replace").strip()
        if said is None and reply.status == 202 and body in TAKEN:
            said = Outcome(kind=OutcomeKind.ACCEPTED, code=body[0])
        return [(said or unreadable())._replace(detail=body)] * len(messages)

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        return has_token(callback, self._token)

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        kind, reference = callback.query.get("type", ""), callback.query.get("reference", "")
        if kind not in STATUSES or not reference:
            raise ValueError("It names no message, or no type that Kannel has.")
        reply = callback.query.get("reply", "")
        stat = _word("stat", reply).upper()
        status = STATUSES[kind] if stat != _UNDETERMINED else ReceiptStatus.IN_TRANSIT
        receipt = Receipt(
            gateway_id="",
            reference=reference,
            status=status,
            code=_code(kind, stat, reply),
            raw=mask_numbers(urlencode({**callback.query, "reply": _TEXT.sub("text:***", reply)})),
        )
        return [receipt], Acknowledgement()

    # -- status ------------------------------------------------------------------------------------

    def build_check(self) -> Request | None:
        """The request for bearerbox's status; None where its address is not known."""
        if self._options.status_url is None:
            return None
        asked = urlencode({"password": self._status_password})
        return Request(method="GET", url=f"{self._options.status_url}?{asked}")

    def read_check(self, reply: Reply) -> str:
        """What the status says of the links that are used, in a few words.

        Raises:
            ValueError: what is wrong, as the end of a sentence.
        """
        body = reply.body.decode(errors="replace")
        if not reply.is_success or "Denied" in body:
            raise ValueError("refuses the password; look at status_password")
        if "Status: running" not in body:
            raise ValueError("does not say that it runs; look at its log")
        links = dict(_LINK.findall(body.partition("SMSC connections:")[2]))
        named = self._options.smsc
        used = {each: how for each, how in links.items() if named in ("", each)}
        online = sum(how == "online" for how in used.values())
        if not online:
            raise ValueError(f"has no link {named or 'to an SMSC'} that is online")
        return f"{online} of {len(used)} links are online"


def _word(name: str, reply: str) -> str:
    found = _WORDS[name].search(_TEXT.sub("", reply))
    return found[1] if found else ""


def _code(kind: str, stat: str, reply: str) -> str:
    """The reason in a few characters: ``UNDELIV 069``, ``NACK/11``, else the type."""
    if stat:
        return f"{stat} {_word('err', reply)}".strip()
    nack = re.match(r"NACK/\w*", reply)
    return nack[0] if nack else kind


KIND = Kind(
    options=Options, open=lambda options, site: open_http(KannelVendor(options), options, site)
)
