"""The vendors in docs/gateway-http.md, as the document describes them, against what they speak.

Each double knows the wire facts and nothing of our table: what is not written as the vendor wants
it is refused, and what was really delivered stands in ``delivered``.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest
import yaml

from smsengine.clock import ManualClock
from smsengine.config.settings import GatewaySettings
from smsengine.gateways import http
from smsengine.gateways.base import Callback, Gateway, Outbound, Outcome, OutcomeKind, Scope
from tests.doubles.site import site
from tests.unit.gateways.raw_server import RawServer, Visit

DOCUMENT = Path(__file__).parents[2] / "docs" / "gateway-http.md"
SECRET = "hush & <4711>"
PLAIN, ACCENTED = "BHXH: 5 < 6 & 'so' \"tien\"", "Số tiền < 6"
#: One number, one text, one reference or flag, as the vendor understood them.
Delivered = tuple[str, str, str]
Answer = tuple[int, str]


class Vendor:
    """Serves a dialect; ``answers`` replaces its next answers."""

    def __init__(self, take: Callable[[Vendor, str, dict[str, str], str], Answer]) -> None:
        self._take = take
        self.delivered: list[Delivered] = []
        self.logins = 0
        self.token = ""
        self.answers: list[Answer] = []

    def serve(self, visit: Visit) -> None:
        while (raw := visit.read()) is not None:
            head, _, body = raw.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            headers["authorization"] = re.sub("(?i).*authorization: ", "", head.decode(), flags=16)
            status, said = self._take(self, first.split()[1], headers, body.decode())
            visit.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(said)))
            visit.write(said.encode())


def mobifone(vendor: Vendor, path: str, headers: dict[str, str], body: str) -> Answer:
    given = dict(parse_qsl(body))
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    if path.endswith("/login.jsp"):
        if given != {"userName": "bhxh", "password": SECRET, "bindMode": "T"}:
            return 200, '{"status":"401","message":"wrong"}'
        vendor.logins += 1
        vendor.token = f"sid-{vendor.logins}"
        return 200, json.dumps({"status": "200", "sid": vendor.token, "message": "ok"})
    if given.get("sid") != vendor.token:
        return 401, "SessionExpired" if given.get("sid") else "SidNotPassed"
    if vendor.answers:
        return vendor.answers.pop()
    assert (path, given["sender"]) == ("/smsg/send.jsp", "BHXH")
    vendor.delivered.append((given["recipient"], given["content"], ""))
    return 200, '{"status":"200","message":"ok"}'


def vietguys(vendor: Vendor, path: str, _headers: dict[str, str], body: str) -> Answer:
    given = dict(parse_qsl(body))
    assert (path, given["json"], given["from"]) == ("/api/index.php", "1", "BHXH")
    if (given["u"], given["pwd"]) != ("bhxh", SECRET):
        return 200, '{"error":-1,"log":"wrong password"}'
    if vendor.answers:
        return vendor.answers.pop()
    vendor.delivered.append((given["phone"], given["sms"], given["type"]))
    return 200, json.dumps({"error": 0, "msgid": 77, "message": given["bid"]})


def worldsms(vendor: Vendor, path: str, headers: dict[str, str], body: str) -> Answer:
    given = json.loads(body)
    expected = "Basic " + b64encode(f"bhxh:{SECRET}".encode()).decode()
    if not headers["authorization"].startswith(expected):
        return 401, ""
    if vendor.answers:
        return vendor.answers.pop()
    assert (path, given["from"], given["contentid"]) == ("/webapi/sendSMS", "BHXH", "")
    assert given["unicode"] in (0, 1)
    assert isinstance(given["unicode"], int)
    vendor.delivered.append((given["to"], given["text"], str(given["unicode"])))
    return 200, json.dumps(json.dumps({"status": 1, "errorcode": "", "description": "ok"}))


def reseller(vendor: Vendor, path: str, headers: dict[str, str], body: str) -> Answer:
    send = ElementTree.fromstring(body)[0][0]
    given = {each.tag: each.text or "" for each in send}
    assert (path, headers["soapaction"], given["TYPE"]) == ("/apibrandname/send", '""', "1")
    assert headers["content-type"].startswith("text/xml")
    if vendor.answers:
        return vendor.answers.pop()
    if given["PASSWORD"] != SECRET:
        return 200, soap("100")
    vendor.delivered.append((given["PHONE"], given["MESSAGE"], given["IDREQ"]))
    return 200, soap("0")


def soap(code: str) -> str:
    return (
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>'
        f'<n:sendResponse xmlns:n="http://send"><return>{code}</return></n:sendResponse>'
        "</S:Body></S:Envelope>"
    )


DIALECTS = {
    "mobifone": mobifone,
    "vietguys": vietguys,
    "worldsms": worldsms,
    "reseller": reseller,
}
Open = Callable[..., tuple[Gateway, Vendor]]


@pytest.fixture(params=["requests", "curl"])
def start(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Open]:
    """Open an example of the document to its double."""
    made: list[tuple[Gateway, RawServer]] = []

    def open_one(name: str, secret: str = SECRET) -> tuple[Gateway, Vendor]:
        vendor = Vendor(DIALECTS[name])
        server = RawServer(vendor.serve)
        server.__enter__()
        keys = example(name, server.url)
        monkeypatch.setenv(keys["key"][2:-1], secret)
        monkeypatch.setenv("VIETGUYS_CALLBACK_TOKEN", "token-0815")
        keys |= {"transport": request.param, "exchange_log": "exchanges"}
        options = http.Options.model_validate(keys, context={"folder": tmp_path})
        made.append((http.KIND.open(options, site(tmp_path, clock)), server))
        return made[-1][0], vendor

    yield open_one
    for gateway, server in made:
        gateway.close()
        server.__exit__(None, None, None)


def example(name: str, url: str) -> dict[str, Any]:
    """The keys of the kind, at another host; the tests of the documents try the others too."""
    pattern = rf"<!-- example: {name} -->\n```yaml\n(.*?)```"
    found = re.search(pattern, DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, name
    said = re.sub(r"https?://[^/\s]+/(smsg|api|webapi|apibrandname)/", rf"{url}/\1/", found[1])
    keys: dict[str, Any] = yaml.load(said, Loader=yaml.BaseLoader)["gateways"][name]
    return {name: value for name, value in keys.items() if name not in GatewaySettings.model_fields}


def message(text: str = PLAIN, reference: str = "r1-1") -> Outbound:
    return Outbound(
        reference=reference, address="+84901234567", network="MobiFone", text=text, segments=1
    )


def send(gateway: Gateway, *texts: str) -> list[Outcome]:
    return [gateway.send([message(text)], lambda _: True)[0] for text in texts]


@pytest.mark.parametrize(
    ("name", "third"),
    [
        ("mobifone", ["", ""]),
        ("vietguys", ["0", "8"]),
        ("worldsms", ["0", "1"]),
        ("reseller", ["r1-1", "r1-1"]),
    ],
)
def test_an_example_delivers(start: Open, name: str, third: list[str]) -> None:
    """Number, text with every trap, and flag or reference arrive as the vendor wants them."""
    gateway, vendor = start(name)
    outcomes = send(gateway, PLAIN, ACCENTED)
    assert [OutcomeKind.ACCEPTED] * 2 == [each.kind for each in outcomes], outcomes
    expected = [("84901234567", PLAIN, third[0]), ("84901234567", ACCENTED, third[1])]
    assert expected == vendor.delivered


@pytest.mark.parametrize("name", DIALECTS)
def test_an_example_keeps_its_secrets(start: Open, tmp_path: Path, name: str) -> None:
    """Password, session and text stand in the exchange log in no spelling."""
    gateway, vendor = start(name)
    send(gateway, PLAIN)
    said = (tmp_path / "exchanges").read_text(encoding="ascii")
    assert f"<text, {len(PLAIN)} characters>" in said
    for hidden in ("4711", "tien", "901234567", vendor.token or "hush"):
        assert hidden not in said


@pytest.mark.parametrize("name", ["mobifone", "worldsms", "reseller"])
def test_a_wrong_secret_is_the_account_s(start: Open, name: str) -> None:
    """A refused password stops the lane, and no message is lost by it."""
    gateway, vendor = start(name, "another")
    (outcome,) = send(gateway, PLAIN)
    assert (OutcomeKind.REJECTED, Scope.ACCOUNT, []) == (
        outcome.kind,
        outcome.scope,
        vendor.delivered,
    )


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("body", ["", "{", "<html><p>busy</p></html>", '"', "[]"])
def test_an_odd_answer_is_in_doubt(start: Open, name: str, body: str) -> None:
    """What nobody can read proves nothing."""
    gateway, vendor = start(name)
    vendor.answers = [(200, body)]
    assert [OutcomeKind.UNKNOWN] == [each.kind for each in send(gateway, PLAIN)]


@pytest.mark.parametrize(
    ("name", "answer", "kind", "code"),
    [
        ("mobifone", '{"status":"410","message":"x"}', OutcomeKind.REJECTED, "410"),
        ("vietguys", '{"error":-9,"log":"x"}', OutcomeKind.REJECTED, "-9"),
        ("worldsms", r'"{\"status\":\"0\",\"errorcode\":\"7\"}"', OutcomeKind.REJECTED, "0"),
        ("reseller", soap("304"), OutcomeKind.DUPLICATE, "304"),
        ("reseller", soap("900"), OutcomeKind.UNKNOWN, "900"),
        ("reseller", soap("777"), OutcomeKind.REJECTED, "777"),
    ],
)
def test_a_code_means_what_the_document_says(
    start: Open, name: str, answer: str, kind: OutcomeKind, code: str
) -> None:
    """Documented codes by their table, all others as a refusal whose code is kept."""
    gateway, vendor = start(name)
    vendor.answers = [(200, answer)]
    assert [(kind, code)] == [(each.kind, each.code) for each in send(gateway, PLAIN)]


def test_a_stale_session_is_renewed_once(start: Open) -> None:
    """One login carries many messages; when it has ended, one more, and each is delivered once."""
    gateway, vendor = start("mobifone")
    send(gateway, "1", "2")
    vendor.token = "ended"
    outcomes = send(gateway, "3", "4")
    assert ([OutcomeKind.ACCEPTED] * 2, 2) == ([each.kind for each in outcomes], vendor.logins)
    assert ["1", "2", "3", "4"] == [text for _, text, _ in vendor.delivered]


@pytest.mark.parametrize(("token", "is_theirs"), [("token-0815", True), ("", False), ("x", False)])
def test_a_callback_is_known_by_the_end_of_its_address(
    start: Open, token: str, is_theirs: bool
) -> None:
    """A vendor that signs nothing is known by the address that only it was told."""
    gateway, _ = start("vietguys")
    body = b'{"data":{"message_id":77,"status":"delivered"}}'
    callback = Callback(method="POST", body=body, token=token)
    (receipt,), _ = gateway.parse_callback(callback)
    assert (is_theirs, "77", "delivered") == (
        gateway.verify_callback(callback),
        receipt.gateway_id,
        receipt.status,
    )
