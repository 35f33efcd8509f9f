"""Zalo ZNS (now ZBS Template Message): a registered template with named parameters, by Zalo.

By Zalo's guidelines for ZNS and its error codes. Refusals come with HTTP 200, too. ``tracking_id``
does not keep a repeat from being sent, so that what is not in the table of sure refusals is
unknown. A refused recipient may be told by the next gateway of the route.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Literal
from urllib.parse import urlencode

from pydantic import Field

from smsengine.clock import VIETNAM
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
    TemplateUse,
)
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_login import Login, Token, with_header
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome, unreadable
from smsengine.gateways.http_reading import amount, document, login_document, no_answer, text
from smsengine.gateways.http_transport import TransportOptions, open_http

_RECIPIENT = (OutcomeKind.REJECTED, Scope.RECIPIENT)
_CONTENT = (OutcomeKind.REJECTED, Scope.CONTENT)
_ACCOUNT = (OutcomeKind.REJECTED, Scope.ACCOUNT)
_DEFERRED = (OutcomeKind.DEFERRED, None)
_UNKNOWN = (OutcomeKind.UNKNOWN, None)


def _all(meaning: tuple[OutcomeKind, Scope | None], codes: str) -> Codes:
    return dict.fromkeys(codes.split(), meaning)


#: ``error``: what it means. What is missing here is unknown: the vendor's list is not complete.
CODES: Codes = {
    "0": (OutcomeKind.ACCEPTED, None),
    # number, app, account or consent of the recipient; -114 also holds internal errors of Zalo's
    **_all(_RECIPIENT, "-108 -110 -114 -118 -119 -134 -139 -140 -141 -1471"),
    **_all(_CONTENT, "-109 -111 -112 -1121 -1122 -1123 -1124 -113 -1131 -116 -121 -122 -130 -131"),
    **_all(_CONTENT, "-132 -146 -153 -151 -152 -148 -149 -1491 -150 -161 -162"),
    **_all(_ACCOUNT, "-101 -102 -103 -104 -105 -106 -117 -120 -1202 -125 -126 -115 -137 -127"),
    **_all(_ACCOUNT, "-135 -1351 -136 -138 -1381 -145 -142 -143 -1241"),
    # night; the account's or the template's quota of the day; a person's of the month
    **_all(_DEFERRED, "-133 -234 -144 -147 -1441"),
    **_all(_UNKNOWN, "-100 -123 -128 -129"),
}
#: The access token is not valid (any more): nothing was sent.
STALE = frozenset({"-124", "-216", "-220"})
#: ``data.status`` of the status call.
STATUSES = {
    "1": ReceiptStatus.DELIVERED,
    "0": ReceiptStatus.IN_TRANSIT,
}
_DELIVERED = "user_received_message"
_NIGHT_BEGINS, _NIGHT_ENDS = time(22), time(6)
#: Where Zalo says that it is night and our clock says that it is day.
_DOZE = timedelta(minutes=15)
_TOKEN_SECONDS = 3600.0


class Options(TransportOptions):
    """Keys of a gateway of kind ``zalo-zns``."""

    app_id: str = Field(min_length=1)
    app_secret: SecretField
    refresh_token: SecretField = Field(
        description="the first one; those after it are kept in the ledger, sealed"
    )
    oa_secret: SecretField | None = Field(
        default=None, description="secret of the official account, which signs webhooks"
    )
    proof: bool = Field(default=False, description="the app wants appsecret_proof")
    mode: Literal["production", "development"] = Field(
        default="production", description="development tells only the app's administrators"
    )
    url: Url = Field(default="https://business.openapi.zalo.me")
    login_url: Url = Field(default="https://oauth.zaloapp.com/v4/oa/access_token")
    # A renewal must be over before its lease in the vault is.
    read_timeout_seconds: float = Field(default=30, gt=0, le=100)


class ZnsLogin(Login):
    """A refresh token serves once and gives the next one: all machines share them by the vault."""

    is_shared = True

    def __init__(self, options: Options) -> None:
        self._options = options
        self._first = options.refresh_token.reveal()
        #: tells whether what is kept came of the token that the configuration names today
        self._origin = hashlib.sha256(self._first.encode()).hexdigest()[:16]

    def build(self) -> Request:
        return self._request(self._first)

    def build_next(self, kept: str) -> Request:
        origin, _, refresh = kept.partition(":")
        return self._request(refresh if origin == self._origin else self._first)

    def _request(self, refresh: str) -> Request:
        fields = {
            "grant_type": "refresh_token",
            "app_id": self._options.app_id,
            "refresh_token": refresh,
        }
        return Request(
            method="POST",
            url=self._options.login_url,
            headers={
                "secret_key": self._options.app_secret.reveal(),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode(fields).encode(),
        )

    def read(self, reply: Reply, now: datetime) -> Token:  # noqa: ARG002 - its time is relative
        found = login_document(reply)
        access, refresh = text(found, "access_token"), text(found, "refresh_token")
        if not access or not refresh:
            said = text(found, "error_name") or text(found, "error_description") or ""
            raise ValueError(
                f"error {text(found, 'error')}: {said}; a person has to consent anew, and"
                " refresh_token gets what comes of it"
            )
        seconds = text(found, "expires_in") or ""
        known = float(seconds) if seconds.isdecimal() else _TOKEN_SECONDS
        return Token(access, known, kept=f"{self._origin}:{refresh}")

    def put(self, request: Request, token: str) -> Request:
        whole = with_header(request, "access_token", token)
        if not self._options.proof:
            return whole
        secret = self._options.app_secret.reveal().encode()
        proof = hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()
        return with_header(whole, "appsecret_proof", proof)

    def is_stale(self, reply: Reply) -> bool:
        return reply.is_success and text(document(reply.body), "error") in STALE


class ZnsVendor(Vendor):
    """ZNS as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.url = options.url.rstrip("/")
        self.login = ZnsLogin(options)
        self._oa_secret = revealed(options.oa_secret)
        secrets = (options.app_secret.reveal(), options.refresh_token.reveal(), self._oa_secret)
        self.secrets = [each for each in secrets if each]
        self.capabilities = Capabilities(
            max_batch=1,
            concurrency=options.connections,
            has_balance=True,
            can_report=True,
            needs_template=True,
            falls_back=True,
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        name, params = message.template or TemplateUse("")
        body = {
            "phone": message.address.removeprefix("+"),
            "template_id": name,
            "template_data": dict(params),
            "tracking_id": message.reference,
        }
        if self._options.mode == "development":
            body["mode"] = "development"
        return Request(
            method="POST",
            url=f"{self.url}/message/template",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        if said := default_outcome(reply, now):
            return [said]
        found = document(reply.body)
        code, detail = text(found, "error"), text(found, "message")
        if code is None or code not in CODES:
            return [unreadable()._replace(code=code or "unreadable", detail=detail or "")]
        outcome = coded(CODES, code, detail, text(found, "data.msg_id"))
        if outcome.kind is OutcomeKind.ACCEPTED and not outcome.gateway_id:
            return [unreadable()]
        if outcome.kind is OutcomeKind.DEFERRED:
            return [outcome._replace(not_before=_until(code, now))]
        return [outcome]

    # -- asking ------------------------------------------------------------------------------------

    def build_report(self, asked: Sequence[Asked]) -> Request:
        pairs = {
            "message_id": asked[0].gateway_id,
            "phone": asked[0].address.removeprefix("+"),
        }
        return Request(method="GET", url=f"{self.url}/message/status?{urlencode(pairs)}")

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        found = document(reply.body)
        status = text(found, "data.status") or ""
        if text(found, "error") != "0" or status not in STATUSES:
            return []
        return [Receipt(gateway_id=asked[0].gateway_id, status=STATUSES[status], code=status)]

    def build_balance(self) -> Request:
        return Request(method="GET", url=f"{self.url}/message/quota")

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        """What is left of the day's quota, in messages; money is nowhere to be asked for."""
        found = document(reply.body)
        if text(found, "error") != "0":
            raise no_answer("error", text(found, "error"), text(found, "message"))
        return amount(found, "data.remainingQuota"), "messages today"

    # -- receipts ----------------------------------------------------------------------------------

    def verify_callback(self, callback: Callback) -> bool:
        """SHA-256 of the app's id, the body, its timestamp and the account's secret."""
        stamp = text(document(callback.body), "timestamp") or ""
        signed = self._options.app_id.encode() + callback.body + (stamp + self._oa_secret).encode()
        given = (callback.header("x-zevent-signature") or "").removeprefix("mac=")
        expected = hashlib.sha256(signed).hexdigest()
        return bool(self._oa_secret) and hmac.compare_digest(
            given.encode(errors="replace"), expected.encode()
        )

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        """Only with a time of delivery an event is about a notice; all others are of a chat."""
        found = document(callback.body)
        event, name = text(found, "event_name"), text(found, "message.msg_id")
        if event is None:
            raise ValueError("It is no event.")
        delivered = text(found, "message.delivery_time") is not None
        if event != _DELIVERED or not name or not delivered:
            return [], Acknowledgement()
        receipt = Receipt(
            gateway_id=name,
            reference=text(found, "message.tracking_id") or "",
            status=ReceiptStatus.DELIVERED,
            code=_DELIVERED,
        )
        return [receipt], Acknowledgement()


def _until(code: str, now: datetime) -> datetime:
    """When it may be tried again: in the morning, the next day, or the next month, in Vietnam."""
    local = now.astimezone(VIETNAM)
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), VIETNAM)
    if code in ("-133", "-234"):
        if _NIGHT_ENDS <= local.time() < _NIGHT_BEGINS:
            return now + _DOZE
        morning = datetime.combine(local.date(), _NIGHT_ENDS, VIETNAM)
        return morning if morning > local else morning + timedelta(days=1)
    if code == "-1441":
        return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return midnight


KIND = Kind(
    options=Options,
    needs_template=True,
    open=lambda options, site: open_http(ZnsVendor(options), options, site),
)
