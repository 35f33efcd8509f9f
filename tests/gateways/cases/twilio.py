"""Twilio by its Messaging documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from smsengine.gateways import twilio
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

SID = "SM00112233445566778899aabbccddeeff"
URL = "https://sms.example.vn/callbacks/twilio"
FULL = f"{URL}?reference={REFERENCE}"
ASKED = (Asked(SID, REFERENCE, NUMBER),)


def refused(code: str, status: int = 400) -> Answer:
    kind, scope = twilio.CODES[code]
    body = {"code": int(code), "message": "No", "status": status}
    return Answer(body, kind, scope, code=code, status=status)


def status(now: str, token: str = "TOKEN4711", url: str = FULL) -> Callback:
    fields = {"MessageSid": SID, "MessageStatus": now, "To": NUMBER, "From": "BHXHVN"}
    signed = FULL + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return Callback(
        method="POST",
        url=url,
        query={"reference": REFERENCE},
        headers={"X-Twilio-Signature": base64.b64encode(digest).decode()},
        body=urlencode(fields).encode(),
    )


CASE = VendorCase(
    kind="twilio",
    options={
        "url": "{url}",
        "account": "AC0011",
        "password": "file:token",
        "sender": "BHXHVN",
        "callback": URL,
    },
    secrets={"token": "TOKEN4711"},
    request=Request(
        "POST",
        "/2010-04-01/Accounts/AC0011/Messages.json",
        {"To": NUMBER, "From": "BHXHVN", "Body": TEXT, "StatusCallback": FULL},
        headers={"Authorization": "Basic QUMwMDExOlRPS0VONDcxMQ=="},
    ),
    answers=[
        Answer(
            {"sid": SID, "status": "queued", "error_code": None},
            OutcomeKind.ACCEPTED,
            gateway_id=SID,
            status=201,
        ),
        *(refused(code) for code in twilio.CODES if code != "20429"),
        refused("20429", 429),
        Answer({"message": "No"}, OutcomeKind.REJECTED, Scope.ACCOUNT, status=401),
        Answer({"code": 99999}, OutcomeKind.REJECTED, Scope.CALLER, code="99999", status=400),
        Answer({"code": 21211}, OutcomeKind.UNKNOWN, status=500),
        Answer({"status": "queued"}, OutcomeKind.UNKNOWN, status=201),
        Answer({"sid": SID}, OutcomeKind.UNKNOWN, status=200),
        refused("21211"),
    ],
    codes=list(twilio.CODES),
    balances=[({"balance": "17.50", "currency": "USD"}, 17, "USD")],
    reports=[
        Report({"sid": SID, "status": "delivered"}, {SID: ReceiptStatus.DELIVERED}, ASKED),
        Report({"sid": SID, "status": "sent"}, {SID: ReceiptStatus.IN_TRANSIT}, ASKED),
        Report(
            {"sid": SID, "status": "undelivered", "error_code": 30005},
            {SID: ReceiptStatus.UNDELIVERED},
            ASKED,
        ),
        Report({}, {}, ASKED),
    ],
    pushed=[
        Pushed(status("delivered"), {SID: ReceiptStatus.DELIVERED}),
        Pushed(status("failed"), {SID: ReceiptStatus.UNDELIVERED}),
        Pushed(status("sending"), {SID: ReceiptStatus.IN_TRANSIT}),
    ],
    forged=[
        status("delivered", "another token"),
        status("delivered", url="https://sms.example.vn/callbacks/twilio?reference=other"),
        Callback(method="POST", url=FULL, body=status("delivered").body),
    ],
)
