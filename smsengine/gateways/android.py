"""SMS Gateway for Android (sms-gate.app): an office with a SIM card and no contract.

By the project's API description of June 2026. It knows a message by the id that we give it, as long
as it keeps it: a repeat is answered with 409. That it does not know one is no proof, since it may
be another phone or have forgotten.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

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
)
from smsengine.gateways.http_exchange import Reply, Request, base_64
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import default_outcome, pause_seconds, unreadable
from smsengine.gateways.http_reading import at, document, has_token, text
from smsengine.gateways.http_transport import TransportOptions, open_http

#: State of a message on the phone: what it means.
STATES: Mapping[str, ReceiptStatus] = {
    "Pending": ReceiptStatus.IN_TRANSIT,
    "Processed": ReceiptStatus.IN_TRANSIT,
    "Sent": ReceiptStatus.IN_TRANSIT,
    "Delivered": ReceiptStatus.DELIVERED,
    "Failed": ReceiptStatus.UNDELIVERED,
}
#: Event of a webhook: what it means.
EVENTS: Mapping[str, ReceiptStatus] = {
    "sms:sent": ReceiptStatus.IN_TRANSIT,
    "sms:delivered": ReceiptStatus.DELIVERED,
    "sms:failed": ReceiptStatus.UNDELIVERED,
}
#: The phone keeps a message for weeks; a day is surely within that.
_IDEMPOTENCY_SECONDS = 24 * 3600


class Options(TransportOptions):
    """Keys of a gateway of kind ``android``."""

    url: Url = Field(
        description="http://PHONE:8080 on the phone, or https://api.sms-gate.app/3rdparty/v1"
    )
    user: str = Field(min_length=1)
    password: SecretField
    sim: int | None = Field(default=None, ge=1, le=3, description="which SIM card")
    signing_key: SecretField | None = Field(
        default=None, description="the app's key for webhooks; they are signed with it"
    )
    callback_token: SecretField | None = Field(
        default=None, description="last part of the callback's path, where nothing is signed"
    )


class AndroidVendor(Vendor):
    """The app as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url.rstrip("/")
        password = options.password.reveal()
        basic = base_64(f"{options.user}:{password}")
        self._headers = {"Authorization": f"Basic {basic}"}
        self._key = revealed(options.signing_key)
        self._token = revealed(options.callback_token)
        self.secrets = [each for each in (password, basic, self._key, self._token) if each]
        self.capabilities = Capabilities(
            max_batch=1,
            concurrency=options.connections,
            can_report=True,
            idempotency_seconds=_IDEMPOTENCY_SECONDS,
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        body: dict[str, Any] = {
            "id": message.reference,
            "phoneNumbers": [message.address],
            "textMessage": {"text": message.text},
            "withDeliveryReport": True,
        }
        if self._options.sim is not None:
            body["simNumber"] = self._options.sim
        return Request(
            method="POST",
            url=f"{self.url}/messages",
            headers={**self._headers, "Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        code = f"http-{reply.status}"
        name = messages[0].reference
        match reply.status:
            case 202:
                if text(document(reply.body), "id") != name:
                    return [unreadable()]
                return [Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=name, code=code)]
            case 409:
                return [Outcome(kind=OutcomeKind.DUPLICATE, gateway_id=name, code=code)]
            case 503:
                # Its queue is full or the phone is away: it says so before it takes anything.
                pause = pause_seconds(reply.header("Retry-After"), now)
                return [Outcome(kind=OutcomeKind.THROTTLED, code=code, retry_after_seconds=pause)]
            case _:
                return [default_outcome(reply, now) or unreadable()]

    # -- asking ------------------------------------------------------------------------------------

    def build_report(self, asked: Sequence[Asked]) -> Request:
        url = f"{self.url}/messages/{asked[0].reference}"
        return Request(method="GET", url=url, headers=self._headers)

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        found = document(reply.body)
        state = text(found, "recipients.0.state") or ""
        if state not in STATES:
            return []
        code = text(found, "recipients.0.error") or state
        return [Receipt(gateway_id=asked[0].reference, status=STATES[state], code=code)]

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        """HMAC-SHA256 of body and timestamp by the app's key; else the token in the path."""
        if not self._key:
            return has_token(callback, self._token)
        stamp = callback.header("x-timestamp") or ""
        signed = callback.body + stamp.encode(errors="replace")
        expected = hmac.new(self._key.encode(), signed, hashlib.sha256).hexdigest()
        given = (callback.header("x-signature") or "").encode(errors="replace")
        return hmac.compare_digest(given, expected.encode())

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        found = document(callback.body)
        event, name = text(found, "event") or "", text(found, "payload.messageId") or ""
        if event not in EVENTS or not name:
            raise ValueError("It is no event of a message.")
        code = text(at(found, "payload"), "reason") or event
        return [Receipt(gateway_id=name, status=EVENTS[event], code=code)], Acknowledgement()


KIND = Kind(
    options=Options, open=lambda options, site: open_http(AndroidVendor(options), options, site)
)
