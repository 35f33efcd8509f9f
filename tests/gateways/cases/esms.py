"""eSMS by its developer documentation v2."""

from __future__ import annotations

from smsengine.gateways import esms
from smsengine.gateways.base import (
    Asked,
    Callback,
    OutcomeKind,
    ReceiptStatus,
    RegisteredTemplate,
)
from tests.contracts.gateway import (
    NUMBER,
    REFERENCE,
    TEXT,
    Answer,
    Listed,
    Pushed,
    Report,
    Request,
    VendorCase,
)

NAME = "5d4e0ffb0cbb4f6b8f1c9ae21c6e2f21211"
STATUS = {"CodeResponse": "100", "SMSID": NAME, "TotalReceiver": 1, "TotalSent": 1}
PUSH = {"SMSID": NAME, "RequestId": "", "TypeId": "2", "telcoid": "1", "phonenumber": "0901234567"}
ASKED = (Asked(NAME, REFERENCE, NUMBER),)


def refused(code: str) -> Answer:
    kind, scope = esms.CODES[code]
    body = {"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": "No", "SMSID": "never"}
    if kind is OutcomeKind.DUPLICATE:
        del body["SMSID"]
    return Answer(body, kind, scope, code=code)


def reported(**changes: object) -> dict[str, object]:
    return STATUS | changes


CASE = VendorCase(
    kind="esms",
    options={
        "url": "{url}/MainService.svc/json/",
        "api_key": "file:key",
        "secret_key": "file:secret",
        "brandname": "BHXHVN",
        "callback_token": "file:token",
    },
    secrets={"key": "KEY4711", "secret": "SECRET0815", "token": "tokenthatnobodyguesses"},
    request=Request(
        "POST",
        "/MainService.svc/json/SendMultipleMessage_V4_post_json/",
        {
            "ApiKey": "KEY4711",
            "SecretKey": "SECRET0815",
            "Phone": "0901234567",
            "Content": TEXT,
            "Brandname": "BHXHVN",
            "SmsType": "2",
            "IsUnicode": "0",
            "Sandbox": "0",
            "RequestId": REFERENCE,
            "campaignid": REFERENCE,
        },
        headers={"Content-Type": "application/json"},
    ),
    answers=[
        Answer(
            {"CodeResult": "100", "CountRegenerate": 0, "SMSID": NAME},
            OutcomeKind.ACCEPTED,
            gateway_id=NAME,
            code="100",
        ),
        *(refused(code) for code in esms.CODES if code != "100"),
        # what the table lacks is a refusal, and its code is kept
        Answer({"CodeResult": "9999"}, OutcomeKind.REJECTED, esms.Scope.CALLER, code="9999"),
        # seen in one tab of the documentation
        Answer({"error": "Invalid request"}, OutcomeKind.UNKNOWN),
        Answer({"CodeResult": "101"}, OutcomeKind.UNKNOWN, status=401),
        refused("146"),
    ],
    codes=list(esms.CODES),
    balances=[({"Balance": 36693, "CodeResponse": "100", "UserID": 9999}, 36693, "VND")],
    listed=[
        Listed(
            {
                "BrandnameTemplates": [
                    {"NetworkID": 1, "TempContent": "{P1,20} la ma {P2,10}", "TempId": 231},
                    {"NetworkID": "3", "TempContent": "Kinh gui {P1,50}", "TempId": "232"},
                    {"NetworkID": 99, "TempContent": "Khac", "TempId": 233},
                ],
                "CodeResult": "100",
            },
            [
                RegisteredTemplate("231", "Viettel", "{P1,20} la ma {P2,10}"),
                RegisteredTemplate("232", "VinaPhone", "Kinh gui {P1,50}"),
                RegisteredTemplate("233", "", "Khac"),
            ],
        ),
        Listed({"BrandnameTemplates": [], "CodeResult": "100"}, []),
    ],
    reports=[
        Report(reported(SendStatus=5, SendSuccess=1), {NAME: ReceiptStatus.DELIVERED}, ASKED),
        Report(reported(SendStatus=5, SendFailed=1), {NAME: ReceiptStatus.UNDELIVERED}, ASKED),
        Report(reported(SendStatus=4), {NAME: ReceiptStatus.UNDELIVERED}, ASKED),
        Report(reported(SendStatus=7), {NAME: ReceiptStatus.IN_TRANSIT}, ASKED),
        # just sent, or not known
        Report({"CodeResponse": "105"}, {}, ASKED),
    ],
    pushed=[
        Pushed(
            Callback(
                method="GET",
                token="tokenthatnobodyguesses",
                query=PUSH | {"SendStatus": "5", "SendSuccess": "1", "SendFailed": "0"},
            ),
            {NAME: ReceiptStatus.DELIVERED},
        ),
        Pushed(
            Callback(
                method="GET",
                token="tokenthatnobodyguesses",
                query=PUSH | {"SendStatus": "5", "SendSuccess": "0", "SendFailed": "1"},
            ),
            {NAME: ReceiptStatus.UNDELIVERED},
        ),
    ],
    forged=[
        Callback(method="GET", query=PUSH | {"SendStatus": "5", "SendSuccess": "1"}),
        Callback(method="GET", token="guessed", query=PUSH),
    ],
)
