"""Viettel's bulkapi by the specification that a reseller publishes."""

from __future__ import annotations

from smsengine.gateways import viettel
from smsengine.gateways.base import OutcomeKind, Scope
from tests.contracts.gateway import TEXT, Answer, Request, VendorCase

PASSWORD = "pass<4711>&word"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:impl="http://impl.bulkSms.ws/"><soapenv:Header/><soapenv:Body>'
)
END = "</soapenv:Body></soapenv:Envelope>"
WRITTEN = (
    f"{HEAD}<impl:wsCpMt><User>user-1</User><Password>pass&lt;4711&gt;&amp;word</Password>"
    "<CPCode>CP1</CPCode><RequestID>561504849</RequestID><UserID>84901234567</UserID>"
    "<ReceiverID>84901234567</ReceiverID><ServiceID>BHXHVN</ServiceID>"
    f"<CommandCode>bulksms</CommandCode><Content>{TEXT}</Content><ContentType>0</ContentType>"
    f"</impl:wsCpMt>{END}"
)


def said(result: str, message: str) -> str:
    """An answer as the service writes it."""
    return (
        '<?xml version="1.0"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">'
        '<S:Body><ns2:wsCpMtResponse xmlns:ns2="http://impl.bulkSms.ws/"><return>'
        f"<message>{message}</message><result>{result}</result>"
        "</return></ns2:wsCpMtResponse></S:Body></S:Envelope>"
    )


def refused(
    message: str, kind: OutcomeKind, scope: Scope | None, code: str | None = None
) -> Answer:
    return Answer(said("0", message), kind, scope, code=code)


def because(scope: Scope, *messages: str) -> list[Answer]:
    return [refused(each, OutcomeKind.REJECTED, scope) for each in messages]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "1"><!ENTITY c "&b;&b;">]>'
    "<a><message>&c;</message><result>1</result></a>"
)

CASE = VendorCase(
    kind="viettel",
    options={
        "url": "{url}/bulkapi",
        "user": "user-1",
        "password": "file:password",
        "cp_code": "CP1",
        "brandname": "BHXHVN",
    },
    secrets={"password": PASSWORD, "unused": "pass&lt;4711&gt;&amp;word"},
    request=Request(
        "POST",
        "/bulkapi",
        WRITTEN,
        headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'},
    ),
    answers=[
        Answer(said("1", "Insert MT_QUEUE: OK"), OutcomeKind.ACCEPTED, code="1"),
        # every phrase of the table, in the midst of a sentence
        *(
            refused(f"Check {phrase}: 17", kind, scope, phrase.strip(": "))
            for phrase, kind, scope in viettel.MESSAGES
        ),
        # the sentences of the specification, with their changing ends
        *because(
            Scope.ACCOUNT,
            "Authenticate: Cp_code: NULL_OR_BLANK",
            "Authenticate: UserName: NULL_OR_BLANK",
            "Authenticate: Password: NULL_OR_BLANK",
            "Authenticate: CP_CODE_NOT_FOUND",
            "Authenticate: WRONG_INFORMATION_AUTHENTICATE",
            "Authenticate: IP_INVALID (YOUR IP: 203.0.113.7)",
        ),
        *because(
            Scope.CALLER,
            "Check RequestID: NULL_OR_BLANK",
            "Check RequestID: REQUEST_ID_NOT_NUMBER",
            "Check UserID: NULL_OR_BLANK",
            "Check UserID: UserID_NOT_EQUAL_ReceiverID",
            "Check CommandCode: COMMAND_CODE_ERROR",
        ),
        *because(
            Scope.RECIPIENT,
            "Check ReceiverID: NULL_OR_BLANK",
            "Check ReceiverID: FORMAT_ERROR",
            "Length of ReceiverID is invalid.",
            "Unable to check telco from input receiver",
        ),
        *because(
            Scope.SENDER,
            *(f"Check ServiceID: ALIAS_INVALID:TELCO={each}" for each in ("VT", "VN", "MB", "VM")),
        ),
        *because(
            Scope.CONTENT,
            "Check Content: NULL_OR_BLANK",
            "Check Content: MAXLENGTH_LIMIT_480_BYTE (YOUR_CONTENT: 481 BYTE)",
            "Check Content: MSG_ERROR_CONTAIN_BLACKLIST",
            "Check template: CONTENT_NOT_MATCH_TEMPLATE",
        ),
        refused("Check ServiceID: DUPLICATE MESSAGE", OutcomeKind.DUPLICATE, None),
        refused("Check information error", OutcomeKind.UNKNOWN, None),
        # 1 is queued and 0 is not; whatever else it says, nobody can tell
        refused("", OutcomeKind.UNKNOWN, None),
        Answer(said("2", "Insert MT_QUEUE: OK"), OutcomeKind.UNKNOWN),
        Answer(said("", "OK"), OutcomeKind.UNKNOWN),
        Answer("<a><result>1</result><b><result>0</result></b></a>", OutcomeKind.UNKNOWN),
        Answer(BOMB, OutcomeKind.UNKNOWN),
        Answer('{"result": 1}', OutcomeKind.UNKNOWN),
        Answer(said("0", "Check ReceiverID: FORMAT_ERROR"), OutcomeKind.UNKNOWN, status=500),
        *because(Scope.CALLER, "Something new"),
    ],
    codes=[phrase.strip(": ") for phrase, _, _ in viettel.MESSAGES],
    balances=[
        (
            "<r><return><balance>1250000</balance><errCode>0</errCode><errDesc/></return></r>",
            1_250_000,
            "VND",
        )
    ],
)
