"""eSMS.vn (ViHAT): customer care by brandname, one message a request.

By the vendor's developer documentation v2: SendMultipleMessage_V4_post_json, GetSendStatus,
GetBalance_json, GetTemplate, and the delivery callback by GET. Nothing in its answers counts but
``CodeResult``: a refusal may carry an ``SMSID``, too.
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
    RegisteredTemplate,
    Scope,
)
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome, unreadable
from smsengine.gateways.http_reading import amount, document, has_token, no_answer, text
from smsengine.gateways.http_transport import TokenOptions, open_http

_REJECTED = OutcomeKind.REJECTED
#: CodeResult: what it means. What is missing here is a refusal whose code is kept.
CODES: Codes = {
    "100": (OutcomeKind.ACCEPTED, None),
    # the RequestId was taken within the last 24 hours
    "124": (OutcomeKind.DUPLICATE, None),
    # … or is being looked at just now: what becomes of it is not known yet
    "199": (OutcomeKind.UNKNOWN, None),
    "99": (_REJECTED, Scope.RECIPIENT),
    "108": (_REJECTED, Scope.RECIPIENT),
    "115": (_REJECTED, Scope.RECIPIENT),
    "110": (_REJECTED, Scope.CONTENT),
    "146": (_REJECTED, Scope.CONTENT),
    "201": (_REJECTED, Scope.CONTENT),
    "210": (_REJECTED, Scope.CONTENT),
    "790": (_REJECTED, Scope.CONTENT),
    "104": (_REJECTED, Scope.SENDER),
    "177": (_REJECTED, Scope.SENDER),
    "204": (_REJECTED, Scope.SENDER),
    "789": (_REJECTED, Scope.SENDER),
    "791": (_REJECTED, Scope.SENDER),
    "799": (_REJECTED, Scope.SENDER),
    "801": (_REJECTED, Scope.SENDER),
    "802": (_REJECTED, Scope.SENDER),
    "101": (_REJECTED, Scope.ACCOUNT),
    "102": (_REJECTED, Scope.ACCOUNT),
    "103": (_REJECTED, Scope.ACCOUNT),
    "140": (_REJECTED, Scope.ACCOUNT),
    "143": (_REJECTED, Scope.ACCOUNT),
    "107": (_REJECTED, Scope.CALLER),
    "118": (_REJECTED, Scope.CALLER),
    "120": (_REJECTED, Scope.CALLER),
    "163": (_REJECTED, Scope.CALLER),
    "300": (_REJECTED, Scope.CALLER),
    "301": (_REJECTED, Scope.CALLER),
    "687": (_REJECTED, Scope.CALLER),
    "160": (OutcomeKind.THROTTLED, None),
}
#: NetworkID of GetTemplate: the network.
NETWORKS: Mapping[str, str] = {
    "1": "Viettel",
    "2": "MobiFone",
    "3": "VinaPhone",
    "4": "Vietnamobile",
    "5": "Gmobile",
    "6": "Itel",
    "7": "Wintel",
}
_FINISHED = "5"
_REFUSED = "4"
_IDEMPOTENCY_SECONDS = 24 * 3600


class Options(TokenOptions):
    """Keys of a gateway of kind ``esms``."""

    api_key: SecretField
    secret_key: SecretField
    brandname: str = Field(min_length=1, max_length=11, description="registered with eSMS")
    sandbox: bool = Field(default=False, description="eSMS checks, and sends nothing")
    url: Url = Field(
        default="https://rest.esms.vn/MainService.svc/json", description="of the vendor's service"
    )


class EsmsVendor(Vendor):
    """eSMS as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url.rstrip("/")
        token = revealed(options.callback_token)
        self._key, self._secret = options.api_key.reveal(), options.secret_key.reveal()
        self._token = token
        self.secrets = [each for each in (self._secret, self._key, token) if each]
        self.capabilities = Capabilities(
            max_batch=1,
            concurrency=options.connections,
            has_balance=True,
            can_report=True,
            lists_templates=True,
            idempotency_seconds=_IDEMPOTENCY_SECONDS,
        )

    # -- sending -----------------------------------------------------------------------------------

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        return self._post(
            "SendMultipleMessage_V4_post_json/",
            {
                "Phone": "0" + message.address.removeprefix("+84"),
                "Content": message.text,
                "Brandname": self._options.brandname,
                "SmsType": "2",
                "IsUnicode": "0" if message.text.isascii() else "1",
                "Sandbox": "1" if self._options.sandbox else "0",
                "RequestId": message.reference,
                "campaignid": message.reference,
            },
        )

    def _post(self, path: str, fields: Mapping[str, str]) -> Request:
        body = {"ApiKey": self._key, "SecretKey": self._secret, **fields}
        return Request(
            method="POST",
            url=f"{self.url}/{path}",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        # The vendor documents no meaning of a status: a repeat with the same RequestId will tell.
        said = default_outcome(reply, now)
        if said is not None:
            return [said if said.kind is OutcomeKind.THROTTLED else unreadable()]
        found = document(reply.body)
        code, detail = text(found, "CodeResult"), text(found, "ErrorMessage")
        return [coded(CODES, code, detail, text(found, "SMSID"))]

    # -- asking ------------------------------------------------------------------------------------

    def build_report(self, asked: Sequence[Asked]) -> Request:
        pairs = {
            "RefId": asked[0].gateway_id,
            "ApiKey": self._key,
            "SecretKey": self._secret,
        }
        return Request(method="GET", url=f"{self.url}/GetSendStatus?{urlencode(pairs)}")

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        found = document(reply.body)
        if text(found, "CodeResponse") != "100":
            return []
        return [_receipt(found, asked[0].gateway_id)]

    def build_balance(self) -> Request:
        return self._post("GetBalance_json", {})

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        found = document(reply.body)
        if text(found, "CodeResponse") != "100":
            said = text(found, "ErrorMessage")
            raise no_answer("CodeResponse", text(found, "CodeResponse"), said)
        return amount(found, "Balance"), "VND"

    def build_templates(self, sender: str) -> Request:
        brandname = sender or self._options.brandname
        return self._post("GetTemplate/", {"SmsType": "2", "Brandname": brandname})

    def read_templates(self, reply: Reply) -> Sequence[RegisteredTemplate]:
        found = document(reply.body)
        rows = found.get("BrandnameTemplates") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            said = text(found, "ErrorMessage")
            raise no_answer("CodeResult", text(found, "CodeResult"), said)
        return [
            RegisteredTemplate(
                text(row, "TempId") or "",
                NETWORKS.get(text(row, "NetworkID") or "", ""),
                text(row, "TempContent") or "",
            )
            for row in rows
        ]

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        return has_token(callback, self._token)

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        name = callback.query.get("SMSID", "")
        if not name:
            raise ValueError("There is no SMSID in it.")
        return [_receipt(callback.query, name)], Acknowledgement(body="OK")


def _receipt(found: Any, name: str) -> Receipt:
    """A report: of one phone, so that its totals are 0 or 1. A later one may still say more."""
    state = text(found, "SendStatus") or ""
    status = ReceiptStatus.IN_TRANSIT
    if state == _FINISHED and (text(found, "SendSuccess") or "0") != "0":
        status = ReceiptStatus.DELIVERED
    elif state == _REFUSED or (state == _FINISHED and (text(found, "SendFailed") or "0") != "0"):
        status = ReceiptStatus.UNDELIVERED
    return Receipt(
        gateway_id=name, reference=text(found, "RequestId") or "", status=status, code=state
    )


KIND = Kind(
    options=Options, open=lambda options, site: open_http(EsmsVendor(options), options, site)
)
