"""SMS Gateway for Android by its API description of June 2026."""

from __future__ import annotations

import hashlib
import hmac
import json

from smsengine.gateways.base import Asked, Callback, OutcomeKind, ReceiptStatus, Scope
from tests.contracts.gateway import (
    NUMBER,
    REFERENCE,
    TEXT,
    Answer,
    Pushed,
    Report,
    Request,
    VendorCase,
)

KEY = "signingkey4711"
ASKED = (Asked(REFERENCE, REFERENCE, NUMBER),)


def state(now: str, **more: str) -> dict[str, object]:
    recipients = [{"phoneNumber": NUMBER, "state": now, **more}]
    return {"id": REFERENCE, "deviceId": "d", "state": now, "recipients": recipients}


def event(name: str, key: str = KEY) -> Callback:
    payload = {"messageId": REFERENCE, "phoneNumber": NUMBER, "simNumber": 1}
    body = json.dumps({"id": "1", "event": name, "payload": payload}).encode()
    signature = hmac.new(key.encode(), body + b"1700000000", hashlib.sha256).hexdigest()
    return Callback(
        method="POST",
        headers={"X-Timestamp": "1700000000", "X-Signature": signature},
        body=body,
    )


CASE = VendorCase(
    kind="android",
    options={
        "url": "{url}",
        "user": "sms",
        "password": "file:password",
        "sim": 1,
        "signing_key": "file:key",
    },
    secrets={"password": "PASS4711", "key": KEY},
    request=Request(
        "POST",
        "/messages",
        {
            "id": REFERENCE,
            "phoneNumbers": [NUMBER],
            "textMessage": {"text": TEXT},
            "withDeliveryReport": True,
            "simNumber": 1,
        },
        headers={"Authorization": "Basic c21zOlBBU1M0NzEx", "Content-Type": "application/json"},
    ),
    answers=[
        Answer(state("Pending"), OutcomeKind.ACCEPTED, gateway_id=REFERENCE, status=202),
        Answer({"message": "exists"}, OutcomeKind.DUPLICATE, gateway_id=REFERENCE, status=409),
        Answer({"message": "queue"}, OutcomeKind.THROTTLED, status=503),
        Answer({"message": "no"}, OutcomeKind.REJECTED, Scope.CALLER, status=400),
        Answer({"message": "no"}, OutcomeKind.REJECTED, Scope.ACCOUNT, status=401),
        Answer({"message": "no"}, OutcomeKind.REJECTED, Scope.ACCOUNT, status=403),
        Answer({"message": "no"}, OutcomeKind.UNKNOWN, status=500),
        # another message's answer, and one of a server that is none of this kind
        Answer(state("Pending") | {"id": "other"}, OutcomeKind.UNKNOWN, status=202),
        Answer({}, OutcomeKind.UNKNOWN, status=200),
        Answer({"message": "no"}, OutcomeKind.REJECTED, Scope.CALLER, status=404),
    ],
    reports=[
        Report(state("Pending"), {REFERENCE: ReceiptStatus.IN_TRANSIT}, ASKED),
        Report(state("Sent"), {REFERENCE: ReceiptStatus.IN_TRANSIT}, ASKED),
        Report(state("Delivered"), {REFERENCE: ReceiptStatus.DELIVERED}, ASKED),
        Report(state("Failed", error="RESULT"), {REFERENCE: ReceiptStatus.UNDELIVERED}, ASKED),
        Report({"message": "odd"}, {}, ASKED),
    ],
    pushed=[
        Pushed(event("sms:sent"), {REFERENCE: ReceiptStatus.IN_TRANSIT}),
        Pushed(event("sms:delivered"), {REFERENCE: ReceiptStatus.DELIVERED}),
        Pushed(event("sms:failed"), {REFERENCE: ReceiptStatus.UNDELIVERED}),
    ],
    forged=[
        event("sms:delivered", "another key"),
        Callback(method="POST", body=event("sms:delivered").body),
    ],
)
