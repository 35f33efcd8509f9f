"""VMG by ePacific's description of UM.API.V3 and public clients."""

from __future__ import annotations

from smsengine.gateways import vmg
from smsengine.gateways.base import OutcomeKind, Scope
from tests.contracts.gateway import REFERENCE, TEXT, Answer, Request, VendorCase

NAME = "ref-1-2"


def said(code: str, **more: object) -> dict[str, object]:
    echo = {"to": "84901234567", "message": TEXT, "requestId": REFERENCE}
    return {"sendMessage": echo, "errorCode": code, "errorMessage": "No", **more}


def refused(code: str) -> Answer:
    kind, scope = vmg.CODES[code]
    return Answer(said(code), kind, scope, code=code)


TAKEN = said("000", msgLength=66, mtCount=1, account="a", referentId=NAME)

CASE = VendorCase(
    kind="vmg",
    options={"url": "{url}/api/SMSBrandname/SendSMS", "token": "file:token", "brandname": "BHXHVN"},
    secrets={"token": "eyJ4711.payload.signature"},
    request=Request(
        "POST",
        "/api/SMSBrandname/SendSMS",
        {
            "to": "84901234567",
            "telco": "",
            "type": 1,
            "from": "BHXHVN",
            "message": TEXT,
            "scheduled": "",
            "requestId": REFERENCE,
            "useUnicode": 0,
            "ext": {},
        },
        headers={"token": "eyJ4711.payload.signature"},
    ),
    answers=[
        Answer(TAKEN, OutcomeKind.ACCEPTED, gateway_id=NAME, code="000"),
        *(refused(code) for code in vmg.CODES if code != "000"),
        # known again, with the name that it got then
        Answer(said("304", referentId=NAME), OutcomeKind.DUPLICATE, gateway_id=NAME),
        # a name beside a refusal is no acceptance
        Answer(said("013", referentId=NAME), OutcomeKind.REJECTED, Scope.RECIPIENT),
        Answer({"referentId": NAME}, OutcomeKind.UNKNOWN),
        Answer(said("000"), OutcomeKind.UNKNOWN, status=500),
        Answer(said("000"), OutcomeKind.UNKNOWN, status=503),
        Answer("", OutcomeKind.REJECTED, Scope.ACCOUNT, status=401),
        Answer("", OutcomeKind.THROTTLED, status=429),
        Answer(said("777"), OutcomeKind.REJECTED, Scope.CALLER, code="777"),
        refused("013"),
    ],
    codes=list(vmg.CODES),
)
