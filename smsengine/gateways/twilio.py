"""Twilio Programmable Messaging: one message a request, form-encoded, no repeat is known again.

By Twilio's Messaging documentation (Messages resource, webhooks security, error dictionary). What
was not answered stays unknown until a report, whose address holds our reference, or a person
settles it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import Field

from smsengine.config.secret import SecretField
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
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome, unreadable
from smsengine.gateways.http_reading import amount, document, text
from smsengine.gateways.http_transport import TransportOptions, open_http

_REJECTED = OutcomeKind.REJECTED
#: Error code: what it means. What is missing here is judged by the status, and its code is kept.
CODES: Codes = {
    # explicitly not processed, says the vendor
    "20429": (OutcomeKind.THROTTLED, None),
    "20003": (_REJECTED, Scope.ACCOUNT),
    "10001": (_REJECTED, Scope.ACCOUNT),
    "21408": (_REJECTED, Scope.ACCOUNT),
    "21211": (_REJECTED, Scope.RECIPIENT),
    "21612": (_REJECTED, Scope.RECIPIENT),
    "21614": (_REJECTED, Scope.RECIPIENT),
    "21610": (_REJECTED, Scope.RECIPIENT),
    "21606": (_REJECTED, Scope.SENDER),
    "21608": (_REJECTED, Scope.SENDER),
}
#: Status of a message: what it means. All others are on their way.
STATUSES: Mapping[str, ReceiptStatus] = {
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.DELIVERED,
    "undelivered": ReceiptStatus.UNDELIVERED,
    "failed": ReceiptStatus.UNDELIVERED,
    "canceled": ReceiptStatus.UNDELIVERED,
}


class Options(TransportOptions):
    """Keys of a gateway of kind ``twilio``."""

    account: str = Field(pattern=r"^AC\w+$", description="the account's SID")
    user: str | None = Field(default=None, description="an API key's SID; else the account's")
    password: SecretField = Field(description="the API key's secret, or the account's token")
    signing_token: SecretField | None = Field(
        default=None, description="the account's token, which signs callbacks; else password"
    )
    sender: str = Field(min_length=1, description="number, name, or SID of a messaging service")
    callback: Url | None = Field(default=None, description="our address for reports")
    url: Url = Field(default="https://api.twilio.com")


class TwilioVendor(Vendor):
    """Twilio as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = f"{options.url.rstrip('/')}/2010-04-01/Accounts/{options.account}"
        password = options.password.reveal()
        basic = base_64(f"{options.user or options.account}:{password}")
        self._headers = {"Authorization": f"Basic {basic}"}
        self._signing = options.signing_token.reveal() if options.signing_token else password
        self.secrets = [password, basic, self._signing]
        self.capabilities = Capabilities(
            max_batch=1, concurrency=options.connections, has_balance=True, can_report=True
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        sender = self._options.sender
        fields = {
            "To": message.address,
            "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
            "Body": message.text,
        }
        if self._options.callback:
            fields["StatusCallback"] = self._callback(message.reference)
        return Request(
            method="POST",
            url=f"{self.url}/Messages.json",
            headers={**self._headers, "Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(fields).encode(),
        )

    def _callback(self, reference: str) -> str:
        """Our address with our reference: it names a message whose ``sid`` never reached us."""
        address = self._options.callback or ""
        return f"{address}{'&' if '?' in address else '?'}{urlencode({'reference': reference})}"

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        found = document(reply.body)
        code, said = text(found, "code"), default_outcome(reply, now)
        if reply.status == 201:
            name = text(found, "sid")
            done = Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=name, code="201")
            return [done if name else unreadable()]
        if 400 <= reply.status < 500 and code in CODES:
            pause = said.retry_after_seconds if said else None
            return [coded(CODES, code, text(found, "message"))._replace(retry_after_seconds=pause)]
        if said is None:
            return [unreadable()]
        return [said._replace(code=code or said.code, detail=text(found, "message") or "")]

    # -- asking ------------------------------------------------------------------------------------

    def build_report(self, asked: Sequence[Asked]) -> Request:
        url = f"{self.url}/Messages/{quote(asked[0].gateway_id, safe='')}.json"
        return Request(method="GET", url=url, headers=self._headers)

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        found = document(reply.body)
        status, code = text(found, "status") or "", text(found, "error_code") or ""
        return [_receipt(asked[0].gateway_id, status, code)] if status else []

    def build_balance(self) -> Request:
        return Request(method="GET", url=f"{self.url}/Balance.json", headers=self._headers)

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        found = document(reply.body)
        return amount(found, "balance"), text(found, "currency") or "USD"

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        """HMAC-SHA1 over the whole address and the sorted fields of the form, in base64."""
        fields = parse_qsl(callback.body.decode(errors="replace"), keep_blank_values=True)
        signed = callback.url + "".join(name + value for name, value in sorted(fields))
        digest = hmac.new(self._signing.encode(), signed.encode(), hashlib.sha1).digest()
        given = (callback.header("x-twilio-signature") or "").encode(errors="replace")
        return hmac.compare_digest(given, base64.b64encode(digest))

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        fields = dict(parse_qsl(callback.body.decode(errors="replace")))
        name, status = fields.get("MessageSid", ""), fields.get("MessageStatus", "")
        if not name or not status:
            raise ValueError("It is no status of a message.")
        receipt = _receipt(name, status, fields.get("ErrorCode", ""))
        reference = callback.query.get("reference", "")
        return [replace(receipt, reference=reference)], Acknowledgement(status=204)


def _receipt(name: str, status: str, code: str) -> Receipt:
    means = STATUSES.get(status, ReceiptStatus.IN_TRANSIT)
    return Receipt(gateway_id=name, status=means, code=code or status)


KIND = Kind(
    options=Options, open=lambda options, site: open_http(TwilioVendor(options), options, site)
)
