"""Kannel by its user guide for 1.4.5, and by what Debian's package really answers."""

from __future__ import annotations

from smsengine.gateways.base import Callback, OutcomeKind, ReceiptStatus, Scope
from tests.contracts.gateway import NUMBER, REFERENCE, TEXT, Answer, Pushed, Request, VendorCase

PASSWORD, TOKEN, LOOK = "sendsms-4711", "path-4711", "status-4711"
WHERE = "http://127.0.0.1:8080/callbacks/kannel"
RECEIPT = (
    "id:4711 sub:001 dlvrd:001 submit date:2606010800 done date:2606010800"
    " stat:{} err:{} text:BHXH TP Ha Noi: so t"
)


def callback(kind: str, reply: str, **changes: str) -> Callback:
    query = {"reference": REFERENCE, "parts": "1", "type": kind, "id": "4711", "reply": reply}
    token = changes.pop("token", TOKEN)
    return Callback(method="GET", query=query | changes, token=token)


def pushed(kind: str, reply: str, means: ReceiptStatus) -> Pushed:
    return Pushed(callback(kind, reply), {REFERENCE: means})


def reported(kind: str, stat: str, err: str, means: ReceiptStatus) -> Pushed:
    return pushed(kind, RECEIPT.format(stat, err), means)


CASE = VendorCase(
    kind="kannel",
    options={
        "url": "{url}/cgi-bin/sendsms",
        "username": "smsengine",
        "password": "file:password",
        "sender": "BHXHVN",
        "max_messages": 4,
        "callback_url": WHERE,
        "callback_token": "file:token",
    },
    secrets={"password": PASSWORD, "token": TOKEN},
    request=Request(
        "GET",
        "/cgi-bin/sendsms",
        query={
            "username": "smsengine",
            "password": PASSWORD,
            "from": "BHXHVN",
            "to": NUMBER,
            "coding": "0",
            "charset": "UTF-8",
            "text": TEXT,
            "dlr-mask": "31",
            "dlr-url": (f"{WHERE}/{TOKEN}?reference={REFERENCE}&parts=1&type=%d&id=%F&reply=%A"),
        },
    ),
    answers=[
        Answer("0: Accepted for delivery", OutcomeKind.ACCEPTED, code="0", status=202),
        Answer("3: Queued for later delivery", OutcomeKind.ACCEPTED, code="3", status=202),
        Answer("Temporal failure, try again later.", OutcomeKind.TRANSIENT, status=503),
        Answer("Authorization failed for sendsms", OutcomeKind.REJECTED, Scope.ACCOUNT, status=403),
        Answer("Missing receiver number, rejected", OutcomeKind.REJECTED, Scope.CALLER, status=400),
        Answer("Unknown request.", OutcomeKind.REJECTED, Scope.CALLER, status=404),
        # what stands before Kannel may answer in its place
        Answer("0: Accepted for delivery", OutcomeKind.UNKNOWN, status=200),
        Answer("Sent.", OutcomeKind.UNKNOWN, status=202),
        Answer("", OutcomeKind.UNKNOWN, status=202),
        Answer("0: Accepted for delivery", OutcomeKind.UNKNOWN, status=500),
    ],
    pushed=[
        pushed("8", "ACK/", ReceiptStatus.IN_TRANSIT),
        pushed("4", "", ReceiptStatus.IN_TRANSIT),
        pushed("16", "NACK/11/Invalid Destination Address", ReceiptStatus.UNDELIVERED),
        reported("1", "DELIVRD", "000", ReceiptStatus.DELIVERED),
        reported("2", "UNDELIV", "069", ReceiptStatus.UNDELIVERED),
        reported("2", "EXPIRED", "0A1", ReceiptStatus.UNDELIVERED),
        # nobody knows, says the telco; Kannel makes a failure of it
        reported("2", "UNKNOWN", "000", ReceiptStatus.IN_TRANSIT),
    ],
    forged=[callback("1", "", token="path-4712"), callback("1", "", token="")],
)
