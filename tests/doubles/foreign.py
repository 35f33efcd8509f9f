"""Zalo, a phone with the app, Twilio and Infobip as their documents describe them.

On the base of ``vietnamese.py``: what is really delivered stands in ``delivered``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from smsengine.clock import VIETNAM, Clock
from smsengine.gateways.base import Callback
from tests.doubles.vietnamese import Call, Dialect

_TOKEN_SECONDS = 90_000
_NIGHT = (22, 6)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Zalo(Dialect):
    """Refresh tokens that serve once, refusals with HTTP 200, a night, a quota, signed events.

    ``refused`` says an error by number, ``dropped`` are numbers whose message is taken and not
    answered, ``closed`` are templates that rest at night, ``arrived`` are names that a phone has.
    The refresh tokens are ``refresh-0``, ``refresh-1`` and so on; ``logins`` counts those spent.
    """

    def __init__(self, clock: Clock, *, app_id: str = "4711", oa_secret: str = "") -> None:
        super().__init__(clock)
        self._app_id, self._oa_secret = app_id, oa_secret
        self.logins = 0
        self.token, self._until = "", 0.0
        self.daily, self._used = 500, (0, 0)
        self.dropped: set[str] = set()
        self.closed: set[str] = set()
        self.arrived: set[str] = set()
        self.params: list[Mapping[str, str]] = []
        self.offered: list[str] = []

    def take(self, call: Call) -> tuple[int, str]:
        parts = urlsplit(call.path)
        if parts.path == "/v4/oa/access_token":
            return 200, json.dumps(self._login(dict(parse_qsl(call.body.decode()))))
        if call.headers.get("access_token") != self.token or self.now() >= self._until:
            return 200, json.dumps({"error": -124, "message": "Access token is invalid"})
        if parts.path == "/message/quota":
            return 200, json.dumps({"error": 0, "data": self._quota()})
        if parts.path == "/message/status":
            return 200, json.dumps(self._status(dict(parse_qsl(parts.query))["message_id"]))
        return 200, json.dumps(self._send(json.loads(call.body)))

    def _login(self, given: Mapping[str, str]) -> Mapping[str, Any]:
        if given["refresh_token"] != f"refresh-{self.logins}":
            return {"error": -14020, "error_name": "Refresh token was used already"}
        self.logins += 1
        self.token, self._until = f"access-{self.logins}", self.now() + _TOKEN_SECONDS
        fresh = f"refresh-{self.logins}"
        return {"access_token": self.token, "refresh_token": fresh, "expires_in": "90000"}

    def _local(self) -> Any:
        return self._clock.now().astimezone(VIETNAM)

    def _quota(self) -> Mapping[str, str]:
        day, used = self._used
        left = self.daily - (used if day == self._local().toordinal() else 0)
        return {"dailyQuota": str(self.daily), "remainingQuota": str(left)}

    def _send(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self.offered.append(given["phone"])
        error = self._error(given)
        if error:
            return {"error": error, "message": "No"}
        left = int(self._quota()["remainingQuota"])
        self._used = (self._local().toordinal(), self.daily - left + 1)
        self.params.append(given["template_data"])
        text = " ".join(given["template_data"].values())
        self.deliver(given["phone"], text, given["tracking_id"])
        if given["phone"] in self.dropped:
            self.faults[text] = "drop"
        quota = {"quota": self._quota()}
        name = f"Z{len(self.delivered)}"
        return {"error": 0, "message": "Success", "data": {"msg_id": name, **quota}}

    def _error(self, given: Mapping[str, Any]) -> int:
        evening, morning = _NIGHT
        if given["template_id"] in self.closed and not morning <= self._local().hour < evening:
            return -133
        if self._quota()["remainingQuota"] == "0":
            return -144
        return int(self.refused.get(given["phone"], "0"))

    def _status(self, name: str) -> Mapping[str, Any]:
        known = {f"Z{number}" for number in range(1, len(self.delivered) + 1)}
        status = int(name in self.arrived) if name in known else -1
        return {"error": 0, "message": "Success", "data": {"status": status, "message": "m"}}

    def events(self) -> list[Callback]:
        """The event of each message that a phone has, and one of a chat."""
        notices = [
            self._event(msg_id=f"Z{number}", tracking_id=each.reference, delivery_time="1559350800")
            for number, each in enumerate(self.delivered, 1)
        ]
        return [*notices, self._event(msg_id="chat", text="Xin chao")]

    def _event(self, **message: str) -> Callback:
        said = {"app_id": self._app_id, "event_name": "user_received_message", "message": message}
        body = json.dumps({**said, "timestamp": "1559350800000"}).encode()
        signed = self._app_id.encode() + body + b"1559350800000" + self._oa_secret.encode()
        mac = hashlib.sha256(signed).hexdigest()
        return Callback(method="POST", headers={"X-ZEvent-Signature": f"mac={mac}"}, body=body)


class Phone(Dialect):
    """A phone that knows each id again, has a short queue, and signs what it tells.

    ``room`` is how many messages it still takes; ``states`` are by id.
    """

    def __init__(self, clock: Clock, password: str, signing_key: str = "") -> None:
        super().__init__(clock)
        self._basic, self._key = _basic("sms", password), signing_key
        self.room = 1000
        self.states: dict[str, str] = {}

    def take(self, call: Call) -> tuple[int, str]:
        if call.headers.get("authorization") != self._basic:
            return 401, json.dumps({"message": "Unauthorized"})
        if not call.body:
            name = call.path.rpartition("/")[2]
            state = self.states.get(name)
            if state is None:
                return 404, json.dumps({"message": "Not found"})
            return 200, json.dumps({"id": name, "state": state, "recipients": [{"state": state}]})
        return self._send(json.loads(call.body))

    def _send(self, given: Mapping[str, Any]) -> tuple[int, str]:
        if given["id"] in self.states:
            return 409, json.dumps({"message": "Duplicate id"})
        if len(self.states) >= self.room:
            return 503, json.dumps({"message": "Queue is full"})
        self.states[given["id"]] = "Pending"
        (number,) = given["phoneNumbers"]
        self.deliver(number, given["textMessage"]["text"], given["id"])
        return 202, json.dumps({"id": given["id"], "state": "Pending"})

    def event(self, name: str, event: str, **payload: str) -> Callback:
        """What the app tells of a message."""
        whole = {"id": "e1", "event": event, "payload": {"messageId": name, **payload}}
        body, stamp = json.dumps(whole).encode(), "1559350800"
        mac = hmac.new(self._key.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
        headers = {"X-Signature": mac, "X-Timestamp": stamp}
        return Callback(method="POST", headers=headers, body=body)


class Twilio(Dialect):
    """Knows nothing again: each hand-over is a message. It tells whoever gave an address."""

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock)
        self._token, self._basic = token, _basic("AC0011", token)
        self._addresses: list[str] = []
        self.states: dict[str, str] = {}

    def take(self, call: Call) -> tuple[int, str]:
        if call.headers.get("authorization") != self._basic:
            return 401, json.dumps({"code": 20003, "message": "Authenticate", "status": 401})
        if call.path.endswith("/Balance.json"):
            return 200, json.dumps({"balance": "12.34", "currency": "USD"})
        if not call.body:
            sid = call.path.rpartition("/")[2].removesuffix(".json")
            state = self.states.get(sid)
            status = 200 if state else 404
            return status, json.dumps({"sid": sid, "status": state} if state else {"code": 20404})
        return self._send(dict(parse_qsl(call.body.decode())))

    def _send(self, given: Mapping[str, str]) -> tuple[int, str]:
        code = self.refused.get(given["To"])
        if code is not None:
            return 400, json.dumps({"code": int(code), "message": "No", "status": 400})
        self.deliver(given["To"], given["Body"])
        self._addresses.append(given.get("StatusCallback", ""))
        sid = f"SM{len(self.delivered)}"
        self.states[sid] = "queued"
        return 201, json.dumps({"sid": sid, "status": "queued", "error_code": None})

    def reports(self, status: str) -> list[Callback]:
        """What is posted to the address of each message."""
        return [
            self._report(f"SM{number}", status, address, self.delivered[number - 1].number)
            for number, address in enumerate(self._addresses, 1)
        ]

    def _report(self, sid: str, status: str, address: str, number: str) -> Callback:
        fields = {"MessageSid": sid, "MessageStatus": status, "To": number, "AccountSid": "AC0011"}
        signed = address + "".join(name + fields[name] for name in sorted(fields))
        mac = hmac.new(self._token.encode(), signed.encode(), hashlib.sha1).digest()
        return Callback(
            method="POST",
            url=address,
            query=dict(parse_qsl(urlsplit(address).query)),
            headers={"X-Twilio-Signature": base64.b64encode(mac).decode()},
            body=urlencode(fields).encode(),
        )


class Infobip(Dialect):
    """Many messages in a request; the same name twice is two messages, and the log has both.

    ``refused`` says the name of a status by number, ``unsaid`` are numbers that the answer omits.
    """

    def __init__(self, clock: Clock, key: str) -> None:
        super().__init__(clock)
        self._key = f"App {key}"
        self.unsaid: set[str] = set()
        self.groups: dict[str, int] = {}

    def take(self, call: Call) -> tuple[int, str]:
        if call.headers.get("authorization") != self._key:
            fault = {"serviceException": {"text": "Invalid login details"}}
            return 401, json.dumps({"requestError": fault})
        parts = urlsplit(call.path)
        if parts.path == "/account/1/balance":
            return 200, json.dumps({"balance": 47.8, "currency": "EUR"})
        if parts.path == "/sms/3/logs":
            return 200, json.dumps({"results": self._log(dict(parse_qsl(parts.query)))})
        each = [self._send(one) for one in json.loads(call.body)["messages"]]
        said = [one for one in each if one["to"] not in self.unsaid]
        return 200, json.dumps({"bulkId": "b1", "messages": said})

    def _send(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        (to,) = given["destinations"]
        name = self.refused.get(to["to"])
        if name is None:
            self.deliver(to["to"], given["content"]["text"], to["messageId"])
        status = (
            {"groupId": 5, "name": name} if name else {"groupId": 1, "name": "PENDING_ACCEPTED"}
        )
        return {"messageId": to["messageId"], "to": to["to"], "status": status}

    def _log(self, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        return [
            {"messageId": each.reference, "status": {"groupId": self.groups[each.reference]}}
            for each in self.delivered
            if each.reference == query["messageId"] and each.reference in self.groups
        ]

    def report(self, token: str) -> Callback:
        """All that is known, at once."""
        results = [
            {"messageId": name, "status": {"groupId": group}} for name, group in self.groups.items()
        ]
        body = json.dumps({"results": results}).encode()
        return Callback(method="POST", token=token, body=body)
