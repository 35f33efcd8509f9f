"""Zalo ZNS by its guidelines and error codes."""

from __future__ import annotations

import hashlib
import json

from smsengine.gateways import zalo_zns
from smsengine.gateways.base import Asked, Callback, OutcomeKind, ReceiptStatus, Scope
from tests.contracts.gateway import (
    NUMBER,
    REFERENCE,
    Answer,
    Pushed,
    Report,
    Request,
    VendorCase,
    with_template,
)

NAME = "9e7c2a1bd36f"
ASKED = (Asked(NAME, REFERENCE, NUMBER),)


def refused(code: str) -> Answer:
    kind, scope = zalo_zns.CODES[code]
    return Answer({"error": int(code), "message": "No"}, kind, scope, code=code)


def other(name: str) -> Callback:
    return event(name=name, delivery_time="1")


def event(
    secret: str = "OASECRET4711", name: str = "user_received_message", **message: str
) -> Callback:
    whole = {
        "app_id": "4711",
        "event_name": name,
        "message": {"msg_id": NAME, **message},
        "timestamp": "1700000000000",
    }
    body = json.dumps(whole).encode()
    mac = hashlib.sha256(b"4711" + body + b"1700000000000" + secret.encode()).hexdigest()
    return Callback(method="POST", headers={"X-ZEvent-Signature": f"mac={mac}"}, body=body)


def status(now: int) -> dict[str, object]:
    return {"error": 0, "message": "Success", "data": {"status": now, "message": "m"}}


CASE = VendorCase(
    kind="zalo-zns",
    options={
        "url": "{url}",
        "login_url": "{url}/v4/oa/access_token",
        "app_id": "4711",
        "app_secret": "file:app",
        "refresh_token": "file:refresh",
        "oa_secret": "file:oa",
    },
    secrets={"app": "APPSECRET4711", "refresh": "REFRESH4711", "oa": "OASECRET4711"},
    outbound=with_template("230001", ten="Cong ty A", so_tien="9.249.473.860"),
    login={"access_token": "ACCESS4711", "refresh_token": "REFRESH4712", "expires_in": "90000"},
    login_mark=b"/v4/oa/access_token",
    request=Request(
        "POST",
        "/message/template",
        {
            "phone": "84901234567",
            "template_id": "230001",
            "template_data": {"ten": "Cong ty A", "so_tien": "9.249.473.860"},
            "tracking_id": REFERENCE,
        },
        headers={"access_token": "ACCESS4711", "Content-Type": "application/json"},
    ),
    answers=[
        Answer(
            {"error": 0, "message": "Success", "data": {"msg_id": NAME, "sent_time": "1"}},
            OutcomeKind.ACCEPTED,
            gateway_id=NAME,
            code="0",
        ),
        *(refused(code) for code in zalo_zns.CODES if code != "0"),
        # codes that nobody explained may hide a message that was sent
        Answer({"error": -9999, "message": "?"}, OutcomeKind.UNKNOWN, code="-9999"),
        Answer({"error": 0, "data": {}}, OutcomeKind.UNKNOWN),
        Answer({"message": "No"}, OutcomeKind.UNKNOWN),
        Answer({"error": -118}, OutcomeKind.UNKNOWN, status=503),
        Answer({}, OutcomeKind.THROTTLED, status=429),
        refused("-118"),
        Answer({"error": -124}, OutcomeKind.TRANSIENT),
        Answer({"error": -101}, OutcomeKind.REJECTED, Scope.ACCOUNT, code="-101"),
    ],
    codes=list(zalo_zns.CODES),
    balances=[
        (
            {"error": 0, "data": {"dailyQuota": "5000", "remainingQuota": "4999"}},
            4999,
            "messages today",
        )
    ],
    reports=[
        Report(status(1), {NAME: ReceiptStatus.DELIVERED}, ASKED),
        Report(status(0), {NAME: ReceiptStatus.IN_TRANSIT}, ASKED),
        Report(status(-1), {}, ASKED),
        Report({"error": -100}, {}, ASKED),
    ],
    pushed=[
        Pushed(event(delivery_time="1700000000001"), {NAME: ReceiptStatus.DELIVERED}),
        # an ordinary message of the account's
        Pushed(event(), {}),
        # whatever else the account is told of
        Pushed(other("user_send_text"), {}),
    ],
    forged=[
        event("another secret", delivery_time="1"),
        Callback(method="POST", body=event(delivery_time="1").body),
    ],
)
