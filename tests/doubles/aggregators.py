"""eSMS and SpeedSMS as their documents describe them, on the base of ``vietnamese.py``."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from smsengine.clock import Clock
from smsengine.gateways.base import Callback
from tests.doubles.vietnamese import Call, Dialect

_KNOWN_SECONDS = 24 * 3600
_A_MINUTE = 60


class Esms(Dialect):
    """Codes as text, references that are known for a day, and states that are not there at once.

    ``soon`` are names whose state is asked for too early; ``unrouted`` numbers get ``146``, which
    comes with a name and is a refusal.
    """

    def __init__(self, clock: Clock, secret: str) -> None:
        super().__init__(clock)
        self._secret = secret
        self._known: dict[str, float] = {}
        self.soon: set[str] = set()
        self.templates: list[Mapping[str, str]] = []
        self.left = 1_000_000

    def take(self, call: Call) -> tuple[int, str]:
        parts = urlsplit(call.path)
        given = json.loads(call.body) if call.body else dict(parse_qsl(parts.query))
        name = parts.path.rstrip("/").rpartition("/")[2]
        says = "CodeResult" if name in ("SendMultipleMessage_V4_post_json", "GetTemplate") else ""
        if given["SecretKey"] != self._secret:
            return 200, json.dumps(
                {says or "CodeResponse": "101", "ErrorMessage": "Authorize Failed"}
            )
        calls = {
            "SendMultipleMessage_V4_post_json": self._send,
            "GetSendStatus": self._status,
            "GetBalance_json": lambda _: {"Balance": self.left, "CodeResponse": "100"},
            "GetTemplate": lambda _: {"BrandnameTemplates": self.templates, "CodeResult": "100"},
        }
        return 200, json.dumps(calls[name](given))

    def _send(self, given: Mapping[str, str]) -> Mapping[str, Any]:
        said = {"CountRegenerate": 0}
        code = self.refused.get(given["Phone"])
        if code is not None:
            named = {"SMSID": "refused"} if code == "146" else {}
            return said | named | {"CodeResult": code, "ErrorMessage": "No"}
        at = self._known.get(given["RequestId"])
        if at is not None and self.now() - at < _KNOWN_SECONDS:
            return said | {"CodeResult": "124", "ErrorMessage": "Request exist 1"}
        if given["Sandbox"] == "0":
            self._known[given["RequestId"]] = self.now()
            self.deliver(given["Phone"], given["Content"], given["RequestId"])
        return said | {"CodeResult": "100", "SMSID": f"E{len(self.delivered)}"}

    def _status(self, given: Mapping[str, str]) -> Mapping[str, Any]:
        name = given["RefId"]
        known = {f"E{number}" for number in range(1, len(self.delivered) + 1)}
        if name not in known - self.soon:
            return {"CodeResponse": "105", "ErrorMessage": "Not found"}
        totals = {"SendFailed": 0, "SendSuccess": 1, "TotalReceiver": 1, "TotalSent": 1}
        return totals | {"CodeResponse": "100", "SMSID": name, "SendStatus": 5}

    def reports(self, token: str) -> list[Callback]:
        """The report of each delivered message: its name, and an empty ``RequestId``."""
        totals = {"SendFailed": "0", "SendSuccess": "1", "TotalReceiver": "1", "TotalSent": "1"}
        named = {"RequestId": "", "TypeId": "2", "telcoid": "1", "SendStatus": "5"}
        return [
            Callback(
                method="GET",
                token=token,
                query=totals | named | {"SMSID": f"E{number}", "phonenumber": each.number},
            )
            for number, each in enumerate(self.delivered, 1)
        ]


class SpeedSms(Dialect):
    """A name for the request and none of ours, 404 for a wrong token, 60 requests a minute."""

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock)
        self._basic = "Basic " + base64.b64encode(f"{token}:x".encode()).decode()
        self._asked: deque[float] = deque()
        self.states: dict[str, int] = {}

    def take(self, call: Call) -> tuple[int, str]:
        if call.headers.get("authorization") != self._basic:
            return 404, json.dumps({"name": "Not Found", "status": 404})
        while self._asked and self.now() - self._asked[0] >= _A_MINUTE:
            self._asked.popleft()
        if len(self._asked) >= _A_MINUTE:
            said = {"name": "Too Many Requests", "message": "Rate limit exceeded.", "code": 0}
            return 429, json.dumps(said | {"status": 429})
        self._asked.append(self.now())
        _, _, tran = call.path.rpartition("/sms/status/")
        return 200, json.dumps(self._send(json.loads(call.body)) if call.body else self._of(tran))

    def _send(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        (number,) = given["to"]
        code = self.refused.get(number)
        if code not in (None, "invalidPhone"):
            return {"status": "error", "code": code, "message": "No", "invalidPhone": []}
        data = {"tranId": 9000 + len(self.delivered) + 1, "totalSMS": 1, "totalPrice": 250}
        if code is None:
            self.deliver(number, given["content"])
        wrong = [number] if code else []
        return {"status": "success", "code": "00", "data": data | {"invalidPhone": wrong}}

    def _of(self, tran: str) -> Mapping[str, Any]:
        phone = self.delivered[int(tran) - 9001].number
        rows = [{"phone": phone, "status": self.states.get(phone, 0)}]
        return {"status": "success", "code": "00", "data": rows}
