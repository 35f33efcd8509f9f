"""Infobip by its SMS API, version 3."""

from __future__ import annotations

import json

from smsengine.gateways import infobip
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

ASKED = (Asked(REFERENCE, REFERENCE, NUMBER),)


def result(group: object, name: str = REFERENCE) -> dict[str, object]:
    status = {"groupId": group, "groupName": "G", "id": 7, "name": f"NAME_{group}"}
    return {"messageId": name, "status": status, "destination": NUMBER[1:]}


def named(name: str) -> dict[str, object]:
    return result(5) | {"status": {"groupId": 5, "name": name}}


def of_group(group: str) -> Answer:
    kind, scope = infobip.GROUPS[group]
    taken = kind is OutcomeKind.ACCEPTED
    body = {"bulkId": "b", "messages": [result(int(group))]}
    return Answer(body, kind, scope, gateway_id=REFERENCE if taken else None, code=group)


def push(group: int, token: str = "token4711") -> Callback:
    return Callback(
        method="POST", token=token, body=json.dumps({"results": [result(group)]}).encode()
    )


def report(group: int, means: ReceiptStatus) -> Report:
    return Report({"results": [result(group)]}, {REFERENCE: means}, ASKED)


CASE = VendorCase(
    kind="infobip",
    options={
        "url": "{url}",
        "key": "file:key",
        "sender": "BHXHVN",
        "callback_token": "file:token",
    },
    secrets={"key": "KEY4711", "token": "token4711"},
    request=Request(
        "POST",
        "/sms/3/messages",
        {
            "messages": [
                {
                    "sender": "BHXHVN",
                    "destinations": [{"to": "84901234567", "messageId": REFERENCE}],
                    "content": {"text": TEXT},
                }
            ]
        },
        headers={"Authorization": "App KEY4711", "Content-Type": "application/json"},
    ),
    answers=[
        of_group("1"),
        *(of_group(group) for group in infobip.GROUPS if group != "1"),
        # a group that nobody explained, another message's result, and two that contradict
        Answer({"messages": [result(9)]}, OutcomeKind.UNKNOWN),
        Answer({"messages": [result(1, "other")]}, OutcomeKind.UNKNOWN),
        Answer({"messages": [result(1), result(5)]}, OutcomeKind.UNKNOWN),
        Answer({"requestError": {}}, OutcomeKind.UNKNOWN),
        Answer({"requestError": {}}, OutcomeKind.THROTTLED, status=429),
        Answer({"requestError": {}}, OutcomeKind.REJECTED, Scope.ACCOUNT, status=401),
        Answer({"requestError": {}}, OutcomeKind.REJECTED, Scope.CALLER, status=400),
        *(
            Answer(
                {"messages": [named(name)]},
                kind,
                scope,
                gateway_id=REFERENCE if kind is OutcomeKind.DUPLICATE else None,
                code=name,
            )
            for name, (kind, scope) in infobip.NAMES.items()
        ),
        of_group("5"),
    ],
    codes=[*infobip.GROUPS, *infobip.NAMES],
    balances=[({"balance": 47.79, "currency": "EUR"}, 47, "EUR")],
    reports=[
        report(3, ReceiptStatus.DELIVERED),
        report(1, ReceiptStatus.IN_TRANSIT),
        report(2, ReceiptStatus.UNDELIVERED),
        report(4, ReceiptStatus.UNDELIVERED),
        report(5, ReceiptStatus.UNDELIVERED),
        Report({"results": []}, {}, ASKED),
    ],
    pushed=[
        Pushed(push(3), {REFERENCE: ReceiptStatus.DELIVERED}),
        Pushed(push(2), {REFERENCE: ReceiptStatus.UNDELIVERED}),
    ],
    forged=[push(3, "guessed"), push(3, "")],
)
