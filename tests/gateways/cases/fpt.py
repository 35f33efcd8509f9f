"""FPT Telecom by its SMS Brandname API manual of 2021 and public clients."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from smsengine.gateways import fpt
from smsengine.gateways.base import Callback, OutcomeKind, ReceiptStatus, Scope
from tests.contracts.gateway import REFERENCE, TEXT, Answer, Pushed, Request, VendorCase

ACCESS = "accesstoken4711"
SESSION = fpt.session_of("client-1", datetime(2019, 6, 1, 1, tzinfo=UTC))
NAME = "98765"
TAKEN = {
    "MessageId": 98765,
    "BrandName": "BHXHVN",
    "Phone": "84901234567",
    "Message": base64.b64encode(TEXT.encode()).decode(),
    "PartnerId": "1",
    "Telco": "mobi",
}


def refused(error: int | str, status: int = 200) -> Answer:
    kind, scope = fpt.ERRORS[str(error)]
    body = {"error": error, "error_description": "No"}
    return Answer(body, kind, scope, code=str(error), status=status)


def report(status: int | str, error: int | str = 0, token: str = "path4711") -> Callback:
    fields = {"smsid": NAME, "Status": status, "Telco": "mobi", "Error": error, "mt_count": 1}
    return Callback(method="POST", token=token, body=json.dumps(fields).encode())


def pushed(status: int | str, error: int | str, means: ReceiptStatus) -> Pushed:
    return Pushed(report(status, error), {NAME: means}, '{"status":1}')


CASE = VendorCase(
    kind="fpt",
    options={
        "url": "{url}",
        "client_id": "client-1",
        "client_secret": "file:secret",
        "brandname": "BHXHVN",
        "callback_token": "file:path",
        "codes": {"4711": "rejected recipient"},
    },
    # the token of the login is as secret as what it is got with
    secrets={"secret": "clientsecret4711", "path": "path4711", "unused": ACCESS},
    login={"access_token": ACCESS, "expires_in": 3600, "token_type": "Bearer", "scope": "x"},
    login_mark=b"POST /oauth2/token ",
    request=Request(
        "POST",
        "/api/push-brandname-otp",
        {
            "access_token": ACCESS,
            "session_id": SESSION,
            "BrandName": "BHXHVN",
            "Phone": "84901234567",
            "Message": base64.b64encode(TEXT.encode()).decode(),
            "RequestId": REFERENCE,
        },
        headers={"Content-Type": "application/json"},
    ),
    answers=[
        Answer(TAKEN, OutcomeKind.ACCEPTED, gateway_id=NAME),
        *(refused(int(error)) for error in fpt.ERRORS),
        refused("2501"),
        refused(2505, status=400),
        refused(1002, status=401),
        refused(1008, status=403),
        # a new token is refused as the old one was: not taken
        Answer({"error": 1013}, OutcomeKind.TRANSIENT, code="no-login", status=401),
        Answer({"error": 1011}, OutcomeKind.TRANSIENT, code="no-login"),
        # behind a proxy's error even a plain word is a doubt
        Answer({"error": 2505}, OutcomeKind.UNKNOWN, status=500),
        Answer({"error": 1013}, OutcomeKind.UNKNOWN, status=502),
        Answer({"error": 1007}, OutcomeKind.UNKNOWN, status=503),
        Answer(TAKEN | {"error": 2505}, OutcomeKind.UNKNOWN),
        Answer({"BrandName": "BHXHVN"}, OutcomeKind.UNKNOWN),
        Answer({"MessageId": ""}, OutcomeKind.UNKNOWN),
        Answer({}, OutcomeKind.REJECTED, Scope.ACCOUNT, status=401),
        Answer({"error": 4711}, OutcomeKind.REJECTED, Scope.RECIPIENT, code="4711"),
        Answer({"error": 777}, OutcomeKind.REJECTED, Scope.CALLER, code="777"),
        refused(2505),
    ],
    codes=list(fpt.ERRORS),
    pushed=[
        # the same numbers: 1 and 2 and -11 mean one thing as Status, another as Error
        pushed(1, 0, ReceiptStatus.DELIVERED),
        pushed("1", "1", ReceiptStatus.DELIVERED),
        pushed(0, 2, ReceiptStatus.UNDELIVERED),
        pushed("0", "-11", ReceiptStatus.UNDELIVERED),
        pushed(2, 0, ReceiptStatus.IN_TRANSIT),
        pushed(-11, 0, ReceiptStatus.IN_TRANSIT),
        pushed("-11", "1", ReceiptStatus.IN_TRANSIT),
        pushed("new", 0, ReceiptStatus.IN_TRANSIT),
    ],
    forged=[report(1, token="path4712"), report(1, token="")],
)
