"""FPT, Viettel, VNPT and VMG as their documents describe them, unkind, with a ledger.

Each serves the connections of a ``RawServer``. What it really delivers stands in ``delivered``,
whatever it answers: the oracle of "never twice, never lost". Time is the test's clock.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from smsengine.clock import Clock
from smsengine.gateways.base import Callback
from tests.unit.gateways.raw_server import Visit

_SAME_TEXT_SECONDS = 300
_SAME_ID_SECONDS = 3600
_TOKEN_SECONDS = 3600


class Delivered(NamedTuple):
    """A message that a phone got."""

    number: str
    text: str
    reference: str = ""


class Call(NamedTuple):
    """A request off the wire; names of headers are in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Dialect(ABC):
    """What the vendors have in common: a ledger, a memory, and faults by the message's text.

    ``faults`` names what is done to a text, once: ``drop`` takes it and breaks the connection off,
    ``500`` takes it and answers so, ``html`` takes it and answers a page, ``away`` takes nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self.delivered: list[Delivered] = []
        self.calls: list[Call] = []
        self.faults: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self._clock = clock
        self._texts: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def serve(self, visit: Visit) -> None:
        """Answer one connection's requests."""
        while (raw := visit.read()) is not None:
            with self._lock:
                answer = self._answer(_call(raw))
            if answer is None:
                return
            visit.write(answer)

    def _answer(self, call: Call) -> bytes | None:
        self.calls.append(call)
        before = len(self.delivered)
        status, body = self.take(call)
        text = self.delivered[-1].text if len(self.delivered) > before else ""
        match self.faults.pop(text, ""):
            case "drop":
                return None
            case "500":
                return _written(500, "<html>Internal error</html>")
            case "html":
                return _written(200, "<html>Welcome</html>")
            case _:
                return _written(status, body)

    @abstractmethod
    def take(self, call: Call) -> tuple[int, str]:
        """Status and body of an answer."""

    def now(self) -> float:
        return self._clock.now().timestamp()

    def deliver(self, number: str, text: str, reference: str = "") -> None:
        self.delivered.append(Delivered(number, text, reference))
        self._texts[number, text] = self.now()

    def is_repeated(self, number: str, text: str) -> bool:
        """The same text to the same number within five minutes."""
        said = self._texts.get((number, text))
        return said is not None and self.now() - said < _SAME_TEXT_SECONDS


def _call(raw: bytes) -> Call:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Call(first.split(" ")[1], {name.lower(): value for name, _, value in pairs}, body)


def _written(status: int, body: str) -> bytes:
    content = body.encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class Fpt(Dialect):
    """Tokens that end, base64, the same text within five minutes, and pushed reports."""

    def __init__(self, clock: Clock, secret: str) -> None:
        super().__init__(clock)
        self._secret = secret
        self._tokens: dict[str, tuple[float, str]] = {}

    def take(self, call: Call) -> tuple[int, str]:
        given = json.loads(call.body)
        if call.path == "/oauth2/token":
            return 200, json.dumps(self._login(given))
        error = self._wrong(given)
        if error is None:
            error = self.refused.get(given["Phone"])
        text = base64.b64decode(given["Message"]).decode() if error is None else ""
        if error is None and self.is_repeated(given["Phone"], text):
            error = "2501"
        if error is not None:
            return 400, json.dumps({"error": int(error), "error_description": "Refused"})
        self.deliver(given["Phone"], text, given["RequestId"])
        echo = {name: given[name] for name in ("BrandName", "Phone", "Message")}
        name = str(len(self.delivered))
        return 200, json.dumps({"MessageId": name, "PartnerId": "1", "Telco": "mobi", **echo})

    def _login(self, given: Mapping[str, str]) -> Mapping[str, Any]:
        if given["client_secret"] != self._secret or given["grant_type"] != "client_credentials":
            return {"error": 1008, "error_description": "Wrong secret"}
        token = f"token-{len(self._tokens) + 1}"
        self._tokens[token] = (self.now() + _TOKEN_SECONDS, given["session_id"])
        return {"access_token": token, "expires_in": _TOKEN_SECONDS, "token_type": "Bearer"}

    def _wrong(self, given: Mapping[str, str]) -> str | None:
        until, session = self._tokens.get(given.get("access_token", ""), (0.0, ""))
        if not session:
            return "1011"
        if self.now() >= until:
            return "1013"
        try:
            base64.b64decode(given["Message"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "1014"
        return None if session == given["session_id"] else "1001"

    def end_tokens(self) -> None:
        """Every token has ended, whatever was said of its time."""
        self._tokens = {name: (0.0, session) for name, (_, session) in self._tokens.items()}

    def reports(self, token: str) -> list[Callback]:
        """The push of a report for each delivered message."""
        return [
            Callback(
                method="POST",
                token=token,
                body=json.dumps(
                    {"smsid": name, "Status": 1, "Telco": "mobi", "Error": 0, "mt_count": 1}
                ).encode(),
            )
            for name in map(str, range(1, len(self.delivered) + 1))
        ]


class Viettel(Dialect):
    """Refusals as sentences with changing ends, no names, and the same text."""

    def __init__(self, clock: Clock, password: str) -> None:
        super().__init__(clock)
        self._password = password

    def take(self, call: Call) -> tuple[int, str]:
        given = {
            each.tag.rpartition("}")[2]: each.text or ""
            for each in ElementTree.fromstring(call.body).iter()
        }
        said = self._wrong(given)
        if said is None:
            self.deliver(given["ReceiverID"], given["Content"])
        result, message = ("1", "Insert MT_QUEUE: OK") if said is None else ("0", said)
        return 200, (
            '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>'
            '<ns2:wsCpMtResponse xmlns:ns2="http://impl.bulkSms.ws/"><return>'
            f"<message>{escape(message)}</message><result>{result}</result>"
            "</return></ns2:wsCpMtResponse></S:Body></S:Envelope>"
        )

    def _wrong(self, given: Mapping[str, str]) -> str | None:
        number, text = given["ReceiverID"], given["Content"]
        size = len(text.encode())
        checks = {
            "Authenticate: WRONG_INFORMATION_AUTHENTICATE": given["Password"] != self._password,
            "Check RequestID: REQUEST_ID_NOT_NUMBER": not given["RequestID"].isdecimal(),
            "Check UserID: UserID_NOT_EQUAL_ReceiverID": given["UserID"] != number,
            "Check ReceiverID: FORMAT_ERROR": not number.startswith("84"),
            f"Check Content: MAXLENGTH_LIMIT_480_BYTE (YOUR_CONTENT: {size} BYTE)": size > 480,
            self.refused.get(number, ""): number in self.refused,
            "Check ServiceID: DUPLICATE MESSAGE": self.is_repeated(number, text),
        }
        return next((said for said, is_wrong in checks.items() if is_wrong), None)


class Vnpt(Dialect):
    """Templates by number; the text is put together here."""

    def __init__(self, clock: Clock, templates: Mapping[str, str]) -> None:
        """Register templates: a number, and a text with ``{}`` for each parameter."""
        super().__init__(clock)
        self._templates = templates

    def take(self, call: Call) -> tuple[int, str]:
        given = json.loads(call.body)["RQST"]
        error = self._error(given)
        if error == "0":
            values = [each["CONTENT"] for each in given["PARAMS"]]
            text = self._templates[given["TEMPLATEID"]].format(*values)
            self.deliver(given["MOBILELIST"], text, given["REQID"])
        reply = {"name": given["name"], "ERROR": error, "ERROR_DESC": "as it is"}
        return 200, json.dumps({"RPLY": reply})

    def _error(self, given: Mapping[str, Any]) -> str:
        numbers = [each["NUM"] for each in given["PARAMS"]]
        template = self._templates.get(given["TEMPLATEID"])
        if template is None or numbers != [
            str(number) for number in range(1, template.count("{}") + 1)
        ]:
            return "7"
        return self.refused.get(given["MOBILELIST"], "0")


class Vmg(Dialect):
    """One code for a known id (an hour) and for a known text (five minutes), and hours."""

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock)
        self._token = token
        self._ids: dict[str, tuple[float, str]] = {}
        self.is_open = True

    def take(self, call: Call) -> tuple[int, str]:
        given = json.loads(call.body)
        code, name = self._code(call, given)
        if code == "000":
            self.deliver(given["to"], given["message"], given["requestId"])
            name = f"ref-{len(self.delivered)}"
            self._ids[given["requestId"]] = (self.now(), name)
        answer = {"sendMessage": given, "errorCode": code, "referentId": name}
        return 200, json.dumps(answer)

    def _code(self, call: Call, given: Mapping[str, Any]) -> tuple[str, str]:
        if call.headers.get("token") != self._token:
            return "100", ""
        if not self.is_open:
            return "021", ""
        at, name = self._ids.get(given["requestId"], (0.0, ""))
        if self.now() - at < _SAME_ID_SECONDS:
            return "304", name
        if self.is_repeated(given["to"], given["message"]):
            return "304", ""
        return self.refused.get(given["to"], "000"), ""
