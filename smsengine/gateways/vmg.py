"""VMG and its family (brandsms.vn, iMedia, ePacific): customer care by brandname.

By ePacific's description of UM.API.V3 and public client code. A ``requestId`` is known again for an
hour, but ``304`` says both that it is and that the same text went to the same number within five
minutes: it settles a doubt of ours, and is a refusal otherwise. Of the report call only the
question is public, not the answer, and it wants the minute of sending: it is not used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from smsengine.config.secret import SecretField
from smsengine.gateways.base import Capabilities, Kind, Outbound, Outcome, OutcomeKind, Scope
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome
from smsengine.gateways.http_reading import document, text
from smsengine.gateways.http_transport import TransportOptions, open_http

_REJECTED = OutcomeKind.REJECTED
#: errorCode: what it means. What is missing here is a refusal whose code is kept.
CODES: Codes = {
    "000": (OutcomeKind.ACCEPTED, None),
    "304": (OutcomeKind.DUPLICATE, None),
    **dict.fromkeys(("001", "002", "003", "016"), (_REJECTED, Scope.CALLER)),
    # token, locked, user, role; money, quota
    **dict.fromkeys(("100", "101", "102", "103", "014", "015"), (_REJECTED, Scope.ACCOUNT)),
    # template, profile or price are not set up with the vendor: every message would meet it
    **dict.fromkeys(("801", "802", "803"), (_REJECTED, Scope.ACCOUNT)),
    # the brandname, or no route for it to this operator
    **dict.fromkeys(("904", "006", "012", "020", "804", "805"), (_REJECTED, Scope.SENDER)),
    **dict.fromkeys(("005", "019", "013"), (_REJECTED, Scope.RECIPIENT)),
    **dict.fromkeys(
        ("007", "008", "009", "010", "011", "022", "024", "025"), (_REJECTED, Scope.CONTENT)
    ),
    # outside the hours of advertising
    "021": (OutcomeKind.DEFERRED, None),
    "999": (OutcomeKind.UNKNOWN, None),
}
_IDEMPOTENCY_SECONDS = 3600
_CUSTOMER_CARE = 1


class Options(TransportOptions):
    """Keys of a gateway of kind ``vmg``."""

    token: SecretField
    brandname: str = Field(min_length=1, max_length=11, description="registered with the vendor")
    address: Literal["84", "0"] = Field(default="84", description="how numbers begin")
    url: Url = Field(default="https://api.brandsms.vn/api/SMSBrandname/SendSMS")


class VmgVendor(Vendor):
    """VMG as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url
        self._headers = {"token": options.token.reveal(), "Content-Type": "application/json"}
        self.secrets = [options.token.reveal()]
        self.capabilities = Capabilities(
            max_batch=1,
            concurrency=options.connections,
            idempotency_seconds=_IDEMPOTENCY_SECONDS,
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        fields = {
            "to": self._options.address + message.address.removeprefix("+84"),
            "telco": "",
            "type": _CUSTOMER_CARE,
            "from": self._options.brandname,
            "message": message.text,
            "scheduled": "",
            "requestId": message.reference,
            "useUnicode": 0 if message.text.isascii() else 1,
            "ext": {},
        }
        body = json.dumps(fields, ensure_ascii=False).encode()
        return Request(method="POST", url=self.url, headers=self._headers, body=body)

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        if (said := default_outcome(reply, now)) is not None:
            return [said]
        found = document(reply.body)
        code, detail = text(found, "errorCode"), text(found, "errorMessage")
        return [coded(CODES, code, detail, text(found, "referentId"))]


KIND = Kind(
    options=Options, open=lambda options, site: open_http(VmgVendor(options), options, site)
)
