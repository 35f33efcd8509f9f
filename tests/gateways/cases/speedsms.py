"""SpeedSMS by its pages sms-api and sms-api-service, and its public clients."""

from __future__ import annotations

from smsengine.gateways import speedsms
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

TOKEN = "speedtoken4711"
NAME = "123456"


def refused(code: str) -> Answer:
    kind, scope = speedsms.CODES[code]
    return Answer({"status": "error", "code": code, "message": "No"}, kind, scope, code=code)


def success(**data: object) -> dict[str, object]:
    whole = {"tranId": 123456, "totalSMS": 1, "totalPrice": 250, "invalidPhone": []} | data
    return {"status": "success", "code": "00", "data": whole}


def report(status: int) -> Callback:
    body = f'{{"type":"report","tranId":123456,"phone":"84901234567","status":{status}}}'
    return Callback(method="POST", token="path4711", body=body.encode())


def became(status: int, means: ReceiptStatus) -> Report:
    body = {"status": "success", "data": [{"phone": "84901234567", "status": status}]}
    return Report(body, {NAME: means}, (Asked(NAME, REFERENCE, NUMBER),))


CASE = VendorCase(
    kind="speedsms",
    options={
        "url": "{url}/index.php",
        "access_token": "file:token",
        "sender": "BHXHVN",
        "callback_token": "file:path",
    },
    secrets={"token": TOKEN, "path": "path4711"},
    request=Request(
        "POST",
        "/index.php/sms/send",
        {"to": ["84901234567"], "content": TEXT, "sms_type": 3, "sender": "BHXHVN"},
        headers={"Authorization": "Basic c3BlZWR0b2tlbjQ3MTE6eA=="},
    ),
    answers=[
        Answer(success(), OutcomeKind.ACCEPTED, gateway_id=NAME, code="00"),
        *(refused(code) for code in speedsms.CODES if code != "00"),
        Answer(success(invalidPhone=["84901234567"]), OutcomeKind.REJECTED, Scope.RECIPIENT),
        Answer(success(invalidPhone=["0901234567"]), OutcomeKind.REJECTED, Scope.RECIPIENT),
        Answer(success(invalidPhone=["84901234568"]), OutcomeKind.ACCEPTED, gateway_id=NAME),
        Answer(
            {"name": "Too Many Requests", "code": 0, "status": 429},
            OutcomeKind.THROTTLED,
            headers={"X-Rate-Limit-Reset": "17"},
        ),
        Answer({"name": "Not Found"}, OutcomeKind.REJECTED, Scope.ACCOUNT, status=404),
        Answer({"status": "success", "code": "500"}, OutcomeKind.UNKNOWN),
        Answer({"status": "error", "code": "00"}, OutcomeKind.UNKNOWN),
        Answer({"status": "error", "code": "777"}, OutcomeKind.REJECTED, Scope.CALLER, code="777"),
        refused("105"),
    ],
    codes=list(speedsms.CODES),
    balances=[({"status": "success", "data": {"balance": 12000, "currency": "VND"}}, 12000, "VND")],
    reports=[
        became(0, ReceiptStatus.DELIVERED),
        became(1, ReceiptStatus.IN_TRANSIT),
        became(63, ReceiptStatus.IN_TRANSIT),
        became(64, ReceiptStatus.UNDELIVERED),
        Report({"status": "error"}, {}),
    ],
    pushed=[
        Pushed(report(0), {NAME: ReceiptStatus.DELIVERED}),
        Pushed(report(70), {NAME: ReceiptStatus.UNDELIVERED}),
    ],
    forged=[Callback(method="POST", body=report(0).body, token="path4712")],
)
