"""VNPT smsmarketing by public clients."""

from __future__ import annotations

from smsengine.gateways import vnpt
from smsengine.gateways.base import OutcomeKind, Scope
from tests.contracts.gateway import REFERENCE, Answer, Request, VendorCase, with_template


def said(error: int | str, description: str = "No") -> dict[str, object]:
    return {"RPLY": {"name": "send_sms_list", "ERROR": error, "ERROR_DESC": description}}


def refused(error: int | str, scope: Scope) -> Answer:
    return Answer(said(error), OutcomeKind.REJECTED, scope, code=str(error))


CASE = VendorCase(
    kind="vnpt",
    options={
        "url": "{url}/smsmarketing/api",
        "label_id": "101",
        "contract_id": "202",
        "agent_id": "303",
        "api_user": "api-1",
        "api_password": "file:password",
        "user_name": "user-1",
        "codes": {"12": "rejected account", "13": "unknown"},
    },
    secrets={"password": "apipass4711"},
    outbound=with_template("404", unit="BHXH TP Ha Noi", amount="9.249.473.860"),
    request=Request(
        "POST",
        "/smsmarketing/api",
        {
            "RQST": {
                "name": "send_sms_list",
                "REQID": REFERENCE,
                "LABELID": "101",
                "CONTRACTTYPEID": "1",
                "CONTRACTID": "202",
                "TEMPLATEID": "404",
                "PARAMS": [
                    {"NUM": "1", "CONTENT": "BHXH TP Ha Noi"},
                    {"NUM": "2", "CONTENT": "9.249.473.860"},
                ],
                "SCHEDULETIME": "",
                "MOBILELIST": "84901234567",
                "ISTELCOSUB": "0",
                "AGENTID": "303",
                "APIUSER": "api-1",
                "APIPASS": "apipass4711",
                "USERNAME": "user-1",
                "DATACODING": "0",
            }
        },
    ),
    answers=[
        Answer(said("0", "success"), OutcomeKind.ACCEPTED, code="0"),
        Answer(said(0, "success"), OutcomeKind.ACCEPTED, code="0"),
        refused("7", Scope.CONTENT),
        # what the contract says of other codes stands in the configuration
        refused("12", Scope.ACCOUNT),
        Answer(said("13"), OutcomeKind.UNKNOWN, code="13"),
        Answer({"RPLY": {}}, OutcomeKind.UNKNOWN),
        Answer({"ERROR": "0"}, OutcomeKind.UNKNOWN),
        Answer([said("0")], OutcomeKind.UNKNOWN),
        Answer(said("0"), OutcomeKind.UNKNOWN, status=500),
        refused("99", Scope.CALLER),
    ],
    codes=list(vnpt.CODES),
)
