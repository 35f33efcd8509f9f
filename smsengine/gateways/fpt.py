"""FPT Telecom: customer care by brandname, one message a request, behind an OAuth token.

By the SMS Brandname API manual of 2021 and public client code: /oauth2/token,
/api/push-brandname-otp, and the delivery push. A repeated ``RequestId`` is not promised to be known
again, so a doubt stays a doubt until a report settles it. The same number means one thing as
``Status`` and another as ``Error``: there is one table for each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field

from smsengine.config.secret import SecretField, revealed
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
    Site,
)
from smsengine.gateways.http_exchange import Reply, Request, base_64
from smsengine.gateways.http_gateway import HttpGateway, Vendor
from smsengine.gateways.http_login import Login, NotNowError, Token, with_header, with_json_field
from smsengine.gateways.http_options import Meaning, Url
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome, unreadable
from smsengine.gateways.http_reading import document, has_token, login_document, meant, text
from smsengine.gateways.http_transport import TokenOptions, open_http

_REJECTED = OutcomeKind.REJECTED
#: ``error`` of an answer and ``Error`` of a report. What is missing here is a refusal.
ERRORS: Codes = {
    **dict.fromkeys(("1001", "1014"), (_REJECTED, Scope.CALLER)),
    **dict.fromkeys(("1002", "1005", "1008", "1010", "1015"), (_REJECTED, Scope.ACCOUNT)),
    # exceeded, used up, not configured: quotas
    **dict.fromkeys(("1016", "2502", "2503"), (_REJECTED, Scope.ACCOUNT)),
    # the same text to the same number within five minutes
    **dict.fromkeys(("2501", "1"), (OutcomeKind.DUPLICATE, None)),
    **dict.fromkeys(("2504", "54"), (_REJECTED, Scope.SENDER)),
    **dict.fromkeys(("2513", "2", "-8"), (_REJECTED, Scope.SENDER)),
    **dict.fromkeys(("2505", "-11"), (_REJECTED, Scope.RECIPIENT)),
    **dict.fromkeys(("53", "-10", "902"), (_REJECTED, Scope.RECIPIENT)),
    **dict.fromkeys(("4", "-14", "901"), (_REJECTED, Scope.CONTENT)),
    **dict.fromkeys(("2518", "5", "-20", "55"), (_REJECTED, Scope.CONTENT)),
    **dict.fromkeys(("2519", "6", "-18", "7", "8"), (_REJECTED, Scope.CONTENT)),
    "1007": (OutcomeKind.TRANSIENT, None),
    # 3 and 2506, an error of the operator or of the service, may come after it was taken
    **dict.fromkeys(("1006", "2507", "3", "2506"), (OutcomeKind.UNKNOWN, None)),
}
#: ``Status`` of a report; anything else is not final.
STATUSES: Mapping[str, ReceiptStatus] = {
    "1": ReceiptStatus.DELIVERED,
    "0": ReceiptStatus.UNDELIVERED,
    "2": ReceiptStatus.IN_TRANSIT,
    "-11": ReceiptStatus.IN_TRANSIT,
}
#: ``error``: the token is not valid, or not any more.
_STALE = frozenset({"1011", "1013"})
_NOT_NOW = frozenset({"1006", "1007"})
_TOKEN_SECONDS = 3600.0


class Options(TokenOptions):
    """Keys of a gateway of kind ``fpt``."""

    client_id: str = Field(min_length=1)
    client_secret: SecretField
    brandname: str = Field(min_length=1, max_length=11, description="registered with FPT")
    scope: str = Field(default="send_brandname_otp send_brandname", min_length=1)
    bearer: bool = Field(
        default=False, description="the token goes into a header, not where the manual puts it"
    )
    codes: Mapping[str, Meaning] = Field(
        default_factory=dict, description="error: what it means, before the built-in table"
    )
    url: Url = Field(default="https://api01.sms.fpt.net", description="of the vendor's service")


class FptLogin(Login):
    """The OAuth token of a client."""

    def __init__(self, options: Options, session_id: str) -> None:
        """Take who we are.

        Args:
            options: client, secret and scope.
            session_id: up to 32 hexadecimal digits, the same for a token and its messages.
        """
        self._options = options
        self._session_id = session_id

    def build(self) -> Request:
        fields = {
            "grant_type": "client_credentials",
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret.reveal(),
            "scope": self._options.scope,
            "session_id": self._session_id,
        }
        return _post(f"{self._options.url.rstrip('/')}/oauth2/token", fields)

    def read(self, reply: Reply, now: datetime) -> Token:  # noqa: ARG002 - its time is relative
        found = login_document(reply)
        error = text(found, "error")
        said = f"error {error}: {text(found, 'error_description') or ''}"
        if error in _NOT_NOW:
            raise NotNowError(said)
        if error is not None or not reply.is_success:
            raise ValueError(said if error else f"HTTP {reply.status}")
        seconds = text(found, "expires_in") or ""
        known = float(seconds) if seconds.isdecimal() else _TOKEN_SECONDS
        return Token(text(found, "access_token") or "", known)

    def put(self, request: Request, token: str) -> Request:
        if self._options.bearer:
            return with_header(request, "Authorization", f"Bearer {token}")
        return with_json_field(request, "access_token", token)

    def is_stale(self, reply: Reply) -> bool:
        return _is_plain(reply) and text(document(reply.body), "error") in _STALE


class FptVendor(Vendor):
    """FPT as pure functions."""

    def __init__(self, options: Options, session_id: str) -> None:
        self._options = options
        self._session_id = session_id
        self._codes = {**ERRORS, **meant(options.codes)}
        self._token = revealed(options.callback_token)
        self.url = options.url.rstrip("/")
        self.login = FptLogin(options, session_id)
        self.secrets = [each for each in (options.client_secret.reveal(), self._token) if each]
        self.capabilities = Capabilities(max_batch=1, concurrency=options.connections)

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        fields = {
            "session_id": self._session_id,
            "BrandName": self._options.brandname,
            "Phone": message.address.removeprefix("+"),
            "Message": base_64(message.text),
            "RequestId": message.reference,
        }
        return _post(f"{self.url}/api/push-brandname-otp", fields)

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        found = document(reply.body)
        error, name = text(found, "error"), text(found, "MessageId")
        if name and error and _is_plain(reply):
            return [unreadable()]  # taken or refused: it says both
        if error in self._codes and _is_plain(reply):
            return [coded(self._codes, error, text(found, "error_description"))]
        if (said := default_outcome(reply, now)) is not None:
            return [said]
        if name:
            return [Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=name)]
        return [coded(self._codes, error, text(found, "error_description"))]

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        return has_token(callback, self._token)

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        found = document(callback.body)
        name, status = text(found, "smsid"), text(found, "Status")
        if not name or status is None:
            raise ValueError("There is no smsid with a Status in it.")
        receipt = Receipt(
            gateway_id=name,
            status=STATUSES.get(status, ReceiptStatus.IN_TRANSIT),
            code=text(found, "Error") or status,
        )
        said = Acknowledgement(body='{"status":1}', content_type="application/json")
        return [receipt], said


def _post(url: str, fields: Mapping[str, str]) -> Request:
    return Request(
        method="POST",
        url=url,
        headers={"Content-Type": "application/json"},
        body=json.dumps(fields).encode(),
    )


def _is_plain(reply: Reply) -> bool:
    """A status beside which the vendor's own words count; behind any other one is a doubt."""
    return reply.is_success or reply.status in (400, 401, 403)


def session_of(client_id: str, started: datetime) -> str:
    """A name for what this process says to the vendor: 32 hexadecimal digits."""
    return hashlib.blake2b(f"{client_id} {started}".encode(), digest_size=16).hexdigest()


def _opened(options: Options, site: Site) -> HttpGateway:
    session_id = session_of(options.client_id, site.clock.now())
    return open_http(FptVendor(options, session_id), options, site)


KIND = Kind(options=Options, open=_opened)
