"""SpeedSMS.vn: a request has one text, and every text of ours differs, so it has one number, too.

By the vendor's pages sms-api and sms-api-service, and its public client libraries. There is no
reference of ours, so a doubt stays a doubt until a person or a report settles it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field

from smsengine.config.secret import SecretField, revealed
from smsengine.gateways.base import (
    Acknowledgement,
    Asked,
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
from smsengine.gateways.http_exchange import Reply, Request, base_64
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import (
    Codes,
    coded,
    default_outcome,
    pause_seconds,
    unreadable,
)
from smsengine.gateways.http_reading import amount, at, document, has_token, text
from smsengine.gateways.http_transport import TokenOptions, open_http

_REJECTED = OutcomeKind.REJECTED
#: What a code means. What is missing here is a refusal whose code is kept.
CODES: Codes = {
    "00": (OutcomeKind.ACCEPTED, None),
    "007": (_REJECTED, Scope.ACCOUNT),
    "008": (_REJECTED, Scope.ACCOUNT),
    "009": (_REJECTED, Scope.ACCOUNT),
    "300": (_REJECTED, Scope.ACCOUNT),
    "101": (_REJECTED, Scope.CALLER),
    "105": (_REJECTED, Scope.RECIPIENT),
    "110": (_REJECTED, Scope.CONTENT),
    "113": (_REJECTED, Scope.CONTENT),
    # "try again", says the vendor, and does not know a repeat again
    "500": (OutcomeKind.UNKNOWN, None),
}
_INVALID = Outcome(kind=_REJECTED, scope=Scope.RECIPIENT, code="invalidPhone")
_RATE = "429"
#: As in a GSM status report: 0 delivered, below this temporary, from here on for good.
_FOR_GOOD = 64


class Options(TokenOptions):
    """Keys of a gateway of kind ``speedsms``."""

    access_token: SecretField
    sender: str = Field(default="", max_length=11, description="brandname; empty for sms_type 2")
    sms_type: int = Field(default=3, ge=1, le=8, description="3 is a registered brandname")
    url: Url = Field(default="https://api.speedsms.vn/index.php")


class SpeedSmsVendor(Vendor):
    """SpeedSMS as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url.rstrip("/")
        token = options.access_token.reveal()
        self._token = revealed(options.callback_token)
        basic = base_64(f"{token}:x")
        self._headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        self.secrets = [each for each in (token, basic, self._token) if each]
        self.capabilities = Capabilities(
            max_batch=1,
            concurrency=options.connections,
            has_balance=True,
            can_report=True,
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        body = {
            "to": [message.address.removeprefix("+")],
            "content": message.text,
            "sms_type": self._options.sms_type,
            "sender": self._options.sender,
        }
        return Request(
            method="POST",
            url=f"{self.url}/sms/send",
            headers=self._headers,
            body=json.dumps(body).encode(),
        )

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        said = _of_status(reply, now) or _of_number(reply, messages[0].address)
        if said is not None:
            return [said]
        found = document(reply.body)
        code = text(found, "code")
        if {"success": True, "error": False}.get(text(found, "status") or "") != (code == "00"):
            return [unreadable()]
        return [coded(CODES, code, text(found, "message"), text(found, "data.tranId"))]

    # -- asking ------------------------------------------------------------------------------------

    def build_report(self, asked: Sequence[Asked]) -> Request:
        url = f"{self.url}/sms/status/{quote(asked[0].gateway_id, safe='')}"
        return Request(method="GET", url=url, headers=self._headers)

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        found = at(document(reply.body), "data")
        tran = asked[0].gateway_id
        rows = found if isinstance(found, list) else []
        return [each for row in rows if (each := _receipt(row, tran)) is not None]

    def build_balance(self) -> Request:
        return Request(method="GET", url=f"{self.url}/user/info", headers=self._headers)

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        found = document(reply.body)
        return amount(found, "data.balance"), text(found, "data.currency") or "VND"

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        return has_token(callback, self._token)

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        found = document(callback.body)
        receipt = _receipt(found, text(found, "tranId") or "")
        if text(found, "type") != "report" or receipt is None:
            raise ValueError("It is no report.")
        return [receipt], Acknowledgement()


def _of_status(reply: Reply, now: datetime) -> Outcome | None:
    """What a status means; the rate limit also comes as a word in the body."""
    if reply.status == 429 or text(document(reply.body), "status") == _RATE:
        pause = pause_seconds(reply.header("X-Rate-Limit-Reset"), now)
        return Outcome(kind=OutcomeKind.THROTTLED, code=_RATE, retry_after_seconds=pause)
    if reply.status == 404:
        # Clients report this for a wrong token.
        return Outcome(kind=_REJECTED, scope=Scope.ACCOUNT, code="http-404")
    return default_outcome(reply, now)


def _of_number(reply: Reply, address: str) -> Outcome | None:
    """A number may be refused in an answer that is a success."""
    found = document(reply.body)
    lists = (at(found, "data.invalidPhone"), at(found, "invalidPhone"))
    refused = any(_holds(each, address.removeprefix("+")) for each in lists)
    return _INVALID if refused else None


def _holds(numbers: Any, number: str) -> bool:
    """Say whether a list of refused numbers holds this one, written in any of the usual ways."""
    listed = numbers if isinstance(numbers, list) else []
    ends = [str(each).removeprefix("+").removeprefix("84").lstrip("0") for each in listed]
    return number.removeprefix("84") in ends


def _receipt(found: Any, tran: str) -> Receipt | None:
    """A report; the request had one number, so that its ``tranId`` names the message."""
    status = text(found, "status")
    if not tran or status is None or not status.isdecimal():
        return None
    means = ReceiptStatus.IN_TRANSIT
    if int(status) == 0:
        means = ReceiptStatus.DELIVERED
    elif int(status) >= _FOR_GOOD:
        means = ReceiptStatus.UNDELIVERED
    return Receipt(gateway_id=tran, status=means, code=status)


KIND = Kind(
    options=Options, open=lambda options, site: open_http(SpeedSmsVendor(options), options, site)
)
