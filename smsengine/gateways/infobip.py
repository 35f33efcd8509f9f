"""Infobip: many messages with different texts in a request, ids of our own, status groups.

By Infobip's SMS API (v3 messages, reports, balance). ``messageId`` names a message and does not
keep a repeat from being sent, so that a doubt is asked about and never repeated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

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
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome, unanswered, unreadable
from smsengine.gateways.http_reading import (
    amount,
    at,
    document,
    has_token,
    results_by_reference,
    text,
)
from smsengine.gateways.http_transport import TokenOptions, open_http

_REJECTED = OutcomeKind.REJECTED
#: Group of a status in the answer to a message: what it means.
GROUPS: Codes = {
    "0": (OutcomeKind.ACCEPTED, None),
    "1": (OutcomeKind.ACCEPTED, None),
    "2": (_REJECTED, Scope.RECIPIENT),
    "3": (OutcomeKind.ACCEPTED, None),
    "4": (_REJECTED, Scope.RECIPIENT),
    # whose fault it is says its name; one that is missing below is ours, until somebody has looked
    "5": (_REJECTED, Scope.CALLER),
}
#: Name of a status of group 5: what it means.
NAMES: Codes = {
    "REJECTED_DUPLICATE_MESSAGE_ID": (OutcomeKind.DUPLICATE, None),
    "REJECTED_DESTINATION": (_REJECTED, Scope.RECIPIENT),
    "REJECTED_DESTINATION_NOT_REGISTERED": (_REJECTED, Scope.RECIPIENT),
    "REJECTED_DND": (_REJECTED, Scope.RECIPIENT),
    "REJECTED_NETWORK": (_REJECTED, Scope.RECIPIENT),
    "REJECTED_PREFIX_MISSING": (_REJECTED, Scope.RECIPIENT),
    "REJECTED_MESSAGE_TOO_LONG": (_REJECTED, Scope.CONTENT),
    "REJECTED_FLOODING_FILTER": (_REJECTED, Scope.CONTENT),
    "REJECTED_SENDER": (_REJECTED, Scope.SENDER),
    "REJECTED_SOURCE": (_REJECTED, Scope.SENDER),
    "REJECTED_ROUTE_NOT_AVAILABLE": (_REJECTED, Scope.SENDER),
    "REJECTED_NOT_ENOUGH_CREDITS": (_REJECTED, Scope.ACCOUNT),
    "REJECTED_PREPAID_PACKAGE_EXPIRED": (_REJECTED, Scope.ACCOUNT),
}
#: Group of a status in a report: what it means.
REPORTED: Mapping[str, ReceiptStatus] = {
    "2": ReceiptStatus.UNDELIVERED,
    "3": ReceiptStatus.DELIVERED,
    "4": ReceiptStatus.UNDELIVERED,
    "5": ReceiptStatus.UNDELIVERED,
}
_PER_REQUEST = 100


class Options(TokenOptions):
    """Keys of a gateway of kind ``infobip``."""

    url: Url = Field(description="https://NAME.api.infobip.com, the account's own address")
    key: SecretField
    sender: str = Field(min_length=1, max_length=15)
    callback: Url | None = Field(default=None, description="our address for reports")


class InfobipVendor(Vendor):
    """Infobip as pure functions."""

    per_request = _PER_REQUEST

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url.rstrip("/")
        key = options.key.reveal()
        self._headers = {"Authorization": f"App {key}", "Accept": "application/json"}
        self._token = revealed(options.callback_token)
        self.secrets = [each for each in (key, self._token) if each]
        self.capabilities = Capabilities(
            max_batch=_PER_REQUEST,
            concurrency=options.connections,
            has_balance=True,
            can_report=True,
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        body = {"messages": [self._one(message) for message in messages]}
        return Request(
            method="POST",
            url=f"{self.url}/sms/3/messages",
            headers={**self._headers, "Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    def _one(self, message: Outbound) -> dict[str, Any]:
        to = {"to": message.address.removeprefix("+"), "messageId": message.reference}
        one: dict[str, Any] = {
            "sender": self._options.sender,
            "destinations": [to],
            "content": {"text": message.text},
        }
        if self._options.callback:
            one["webhooks"] = {"delivery": {"url": self._options.callback}}
        return one

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        if said := default_outcome(reply, now):
            detail = text(document(reply.body), "requestError.serviceException.text") or ""
            return [said._replace(detail=detail)] * len(messages)
        found = document(reply.body)
        if not isinstance(at(found, "messages"), list):
            return [unreadable()] * len(messages)
        named = results_by_reference(found, "messages", "messageId")
        return [_outcome(each.reference, named) for each in messages]

    # -- asking ------------------------------------------------------------------------------------

    def build_report(self, asked: Sequence[Asked]) -> Request:
        pairs = urlencode({"messageId": asked[0].reference})
        url = f"{self.url}/sms/3/logs?{pairs}"
        return Request(method="GET", url=url, headers=self._headers)

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        named = results_by_reference(document(reply.body), "results", "messageId")
        found = named.get(asked[0].reference)
        return [receipt] if found and (receipt := _receipt(found)) else []

    def build_balance(self) -> Request:
        return Request(method="GET", url=f"{self.url}/account/1/balance", headers=self._headers)

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        found = document(reply.body)
        return amount(found, "balance"), text(found, "currency") or "EUR"

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        return has_token(callback, self._token)

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        results = at(document(callback.body), "results")
        listed = results if isinstance(results, list) else []
        found = [receipt for each in listed if (receipt := _receipt(each)) is not None]
        if not found:
            raise ValueError("There is no report in it.")
        return found, Acknowledgement()


def _outcome(reference: str, named: Mapping[str, Any]) -> Outcome:
    """What an answer says of one message; a group that nobody explained proves nothing."""
    if reference not in named:
        return unanswered()
    found = named[reference]
    group, said = text(found, "status.groupId"), text(found, "status.name")
    if group is None or group not in GROUPS:
        return unreadable()
    if GROUPS[group][0] is _REJECTED and said in NAMES:
        return coded(NAMES, said, text(found, "status.description"), reference)
    return coded(GROUPS, group, said, reference)


def _receipt(found: Any) -> Receipt | None:
    """A report; of a failure that may pass, Infobip says so, and whoever sends anew should know."""
    name, group = text(found, "messageId"), text(found, "status.groupId")
    if not name or group is None:
        return None
    code = text(found, "error.name") or text(found, "status.name") or group
    status = REPORTED.get(group, ReceiptStatus.IN_TRANSIT)
    may_pass = text(found, "error.permanent") == "false"
    if status is ReceiptStatus.UNDELIVERED and may_pass:
        code = f"{code} not permanent"
    return Receipt(gateway_id=name, status=status, code=code)


KIND = Kind(
    options=Options, open=lambda options, site: open_http(InfobipVendor(options), options, site)
)
