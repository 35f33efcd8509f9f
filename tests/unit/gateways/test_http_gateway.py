"""The seam of HTTP vendors: whatever a vendor's functions say or stumble over, nothing is lost."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways import http
from smsengine.gateways.base import (
    HELD_BACK,
    MOST_RAW,
    Balance,
    Callback,
    Capabilities,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    ReceiptStatus,
    Scope,
)
from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import HttpGateway, Vendor
from smsengine.gateways.http_log import Redactor
from tests.doubles.site import site
from tests.unit.gateways.raw_server import (
    PATIENCE,
    Manner,
    RawServer,
    answering,
    deaf,
    no_tls,
    silent,
)
from tests.unit.gateways.table_options import KEY, TOKEN, options, questions, secrets

TEXT = "Kinh gui Cong ty Vi Du: con no 1.000 dong"
Serve = Callable[..., RawServer]
Start = Callable[..., Gateway]


def messages(count: int) -> list[Outbound]:
    return [
        Outbound(
            reference=f"r{n}-1", address=f"+849123456{n:02d}", network="", text=TEXT, segments=1
        )
        for n in range(count)
    ]


def says(body: Any, status: str = "200 OK") -> Manner:
    """Answer each request with JSON, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    return answering(head + content)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *manners: stack.enter_context(RawServer(*manners))


@pytest.fixture
def start(tmp_path: Path, clock: ManualClock) -> Iterator[Start]:
    """Open a gateway of kind http to a base URL."""
    secrets(tmp_path)
    with ExitStack() as stack:

        def open_one(base: str, **changes: Any) -> Gateway:
            table = options(tmp_path, base, **changes)
            made = http.KIND.open(table, site(tmp_path, clock, "example"))
            return stack.enter_context(closing(made))

        yield open_one


# -- a vendor of a few lines -----------------------------------------------------------------------


class Plain(Vendor):
    """Writes references, and lets a test say how answers are read."""

    def __init__(self, url: str, read: Callable[..., Any]) -> None:
        self.url = url
        self.per_request = 3
        self.per_query = 2
        self.capabilities = Capabilities(max_batch=3, concurrency=2, can_query=True)
        self._read = read

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        body = ",".join(each.reference for each in messages).encode()
        return Request(method="POST", url=self.url, body=body)

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        found: Sequence[Outcome] = self._read(messages, reply)
        return found

    def build_query(self, references: Sequence[str]) -> Request:
        return Request(method="GET", url=f"{self.url}/?q={','.join(references)}")

    def read_query(self, references: Sequence[str], reply: Reply) -> Sequence[Outcome | None]:
        found: Sequence[Outcome | None] = self._read(references, reply)
        return found


@pytest.fixture
def plain(clock: ManualClock) -> Iterator[Callable[..., HttpGateway]]:
    """Open a gateway to the vendor of a few lines."""
    with ExitStack() as stack:

        def open_one(url: str, read: Callable[..., Any]) -> HttpGateway:
            client = HttpClient(connections=2, connect_seconds=PATIENCE, read_seconds=PATIENCE)
            made = HttpGateway(
                Plain(url, read), client=client, clock=clock, redactor=Redactor([KEY])
            )
            return stack.enter_context(closing(made))

        yield open_one


def accepted(asked: Sequence[object], _reply: Reply) -> list[Outcome]:
    return [Outcome(kind=OutcomeKind.ACCEPTED) for _ in asked]


def test_a_batch_is_sent_in_requests_of_the_vendor_s_size(
    serve: Serve, plain: Callable[..., HttpGateway]
) -> None:
    """Seven messages of a vendor that takes three are three requests and seven outcomes."""
    server = serve()
    outcomes = plain(server.url, accepted).send(messages(7), lambda _: True)
    assert [OutcomeKind.ACCEPTED] * 7 == [each.kind for each in outcomes]
    assert [b"r0-1,r1-1,r2-1", b"r3-1,r4-1,r5-1", b"r6-1"] == sorted(server.bodies)


def test_clearance_is_asked_for_a_request_as_a_whole(
    serve: Serve, plain: Callable[..., HttpGateway]
) -> None:
    """Messages that leave together are asked for together; a no holds all of them."""
    server = serve()
    asked: list[list[str]] = []

    def clear(leaving: Sequence[Outbound]) -> bool:
        asked.append([each.reference for each in leaving])
        return leaving[0].reference != "r3-1"

    outcomes = plain(server.url, accepted).send(messages(7), clear)
    assert [["r0-1", "r1-1", "r2-1"], ["r3-1", "r4-1", "r5-1"], ["r6-1"]] == sorted(asked)
    assert [each == HELD_BACK for each in outcomes] == [False] * 3 + [True] * 3 + [False]
    assert [b"r0-1,r1-1,r2-1", b"r6-1"] == sorted(server.bodies)


def _stumble(_asked: object, _reply: Reply) -> Any:
    raise KeyError("status")


@pytest.mark.parametrize(
    "read", [_stumble, lambda *_: [], lambda *_: [Outcome(kind=OutcomeKind.ACCEPTED)] * 9]
)
def test_a_vendor_that_stumbles_loses_nothing(
    serve: Serve, plain: Callable[..., HttpGateway], read: Callable[..., Any]
) -> None:
    """An answer that a vendor's functions cannot cope with leaves its messages in doubt."""
    gateway = plain(serve().url, read)
    outcomes = [*gateway.send(messages(4), lambda _: True), *gateway.query(["a", "b", "c"])]
    assert [OutcomeKind.UNKNOWN] * 7 == [each and each.kind for each in outcomes]


def test_what_was_not_answered_is_not_read(serve: Serve, plain: Callable[..., HttpGateway]) -> None:
    """A vendor is only asked about what it said."""
    read: list[Reply] = []
    gateway = plain(serve(silent).url, lambda _, reply: read.append(reply))
    outcomes = [*gateway.send(messages(2), lambda _: True), *gateway.query(["a"])]
    assert ([OutcomeKind.UNKNOWN] * 3, []) == ([each and each.kind for each in outcomes], read)


def test_references_are_asked_in_the_vendor_s_size(
    serve: Serve, plain: Callable[..., HttpGateway]
) -> None:
    """Five references of a vendor that answers two are three questions and five answers."""
    server = serve()
    gateway = plain(
        server.url,
        lambda asked, _: [Outcome(kind=OutcomeKind.ACCEPTED, code=each) for each in asked],
    )
    answers = gateway.query(["a", "b", "c", "d", "e"])
    assert (["a", "b", "c", "d", "e"], 3) == (
        [each and each.code for each in answers],
        len(server.requests),
    )


@pytest.mark.parametrize("status", ["404 Not Found", "401 No", "500 Error", "302 Found"])
def test_a_question_that_is_refused_proves_nothing(
    serve: Serve, plain: Callable[..., HttpGateway], status: str
) -> None:
    """A wrong URL answers 404 to everything; no message goes again because of it."""
    gateway = plain(serve(says(b"", status)).url, lambda asked, _: [None for _ in asked])
    assert [OutcomeKind.UNKNOWN] == [each and each.kind for each in gateway.query(["a"])]


def test_words_of_the_vendor_are_short_and_clean(
    serve: Serve, plain: Callable[..., HttpGateway]
) -> None:
    """What goes into the ledger holds no text, number or key, and fits."""
    said = Outcome(
        kind=OutcomeKind.REJECTED,
        scope=Scope.CONTENT,
        code=f"{KEY} 84912345600 {TEXT}" + "c" * 99,
        gateway_id="i" * 999,
        detail=f"bad: {TEXT} to 84912345600 by {KEY}. " + "x" * 999,
    )
    gateway = plain(serve().url, lambda asked, _: [said for _ in asked])
    (outcome,) = gateway.send(messages(1), lambda _: True)
    assert outcome.code.startswith("*** 091***5600 <text, 41 characters>ccc")
    beginning = "bad: <text, 41 characters> to 091***5600 by ***. x"
    assert (60, 100, 200, beginning) == (
        len(outcome.code),
        len(outcome.gateway_id or ""),
        len(outcome.detail),
        outcome.detail[: len(beginning)],
    )


# -- looking whether it can be used ----------------------------------------------------------------


def test_a_gateway_that_works_says_what_is_left(serve: Serve, start: Start) -> None:
    """A balance proves address, key and network at once."""
    server = serve(says({"amount": 1200, "currency": "VND"}))
    found = start(server.url, **questions(server.url)).check()
    assert f"127.0.0.1:{server.port} answers; 1200 VND are left" == found


def test_without_a_balance_the_host_is_asked(serve: Serve, start: Start) -> None:
    """A host that answers anything is there; no message, no key goes out."""
    server = serve(says(b"", "404 Not Found"))
    found = start(server.url).check()
    assert f"127.0.0.1:{server.port} answers; whether the key is right was not asked" == found
    (asked,) = server.requests
    assert (True, False) == (asked.startswith(b"GET / HTTP/1.1"), KEY.encode() in asked)


LOOK_AT_KEY = "look at its secrets, and whether the vendor takes this machine's address."
LOOK_AT_KEYS = "look at its keys in config.yaml, or ask the vendor."


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        (says(b"", "401 No"), f"refuses the key (HTTP 401); {LOOK_AT_KEY}"),
        (says(b"", "403 No"), f"refuses the key (HTTP 403); {LOOK_AT_KEY}"),
        (says(b"", "404 No"), "answers HTTP 404; look at the url, and at the key."),
        (says(b"", "302 Go"), "answers HTTP 302; look at the url, and at the key."),
        (
            says(b"", "429 No"),
            "answers HTTP 429; it is asked too often, try again in a minute.",
        ),
        (
            says(b"", "500 No"),
            "answers HTTP 500; the trouble is its own, try again later or ask the vendor.",
        ),
        (says(b"<html>"), f"gave no balance (its answer cannot be read); {LOOK_AT_KEYS}"),
        (says({}), f"gave no balance (amount is no amount); {LOOK_AT_KEYS}"),
        (silent, "breaks the connection off; look at the firewall, or ask the vendor."),
        (deaf, "does not answer in time; look at the network and the time-outs."),
    ],
)
def test_what_is_wrong_is_one_sentence(
    serve: Serve, start: Start, manner: Manner, said: str
) -> None:
    """Whoever checks a gateway reads which host, what it did, and where to look."""
    server = serve(manner)
    gateway = start(server.url, read_timeout_seconds="0.3", **questions(server.url))
    with pytest.raises(GatewayError) as caught:
        gateway.check()
    assert f"127.0.0.1:{server.port} {said}" == str(caught.value)


@pytest.mark.parametrize("sections", [{}, {"balance": True}], ids=["host", "balance"])
def test_a_host_that_is_not_there_is_said(start: Start, sections: dict[str, Any]) -> None:
    """A wrong port, a wrong name and a host without TLS have sentences of their own."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{bound.getsockname()[1]}"
        bases = {
            f"http://{host}": f"{host} refuses the connection; look at the port of the url.",
            "http://nowhere.invalid": (
                "nowhere.invalid cannot be found; look at the url and at this machine's DNS."
            ),
        }
        for base, said in bases.items():
            asked = {"balance": questions(base)["balance"]} if sections else {}
            with pytest.raises(GatewayError) as caught:
                start(base, **asked).check()
            assert said == str(caught.value)


def test_a_host_without_tls_is_said(serve: Serve, start: Start) -> None:
    """Plain HTTP behind https is found out before anything is sent."""
    server = serve(no_tls)
    base = server.url.replace("http:", "https:")
    with pytest.raises(GatewayError, match="has no TLS, or no certificate that this machine"):
        start(base, **questions(base)).check()


def test_no_sentence_shows_the_key(serve: Serve, start: Start) -> None:
    """A key in the URL stays out of errors."""
    server = serve(says(b"", "500 No"))
    section = {"url": f"{server.url}/{{key}}/balance?key={{key}}", "amount": "amount"}
    with pytest.raises(GatewayError) as caught:
        start(server.url, balance=section).check()
    assert KEY not in str(caught.value)


def test_a_balance_has_its_time(serve: Serve, start: Start, clock: ManualClock) -> None:
    """What was left is told with the moment of asking."""
    server = serve(says({"amount": "1200", "currency": "USD"}))
    balance = start(server.url, **questions(server.url)).balance()
    assert Balance(amount=1200, currency="USD", at=clock.now()) == balance


# -- receipts --------------------------------------------------------------------------------------


def test_the_cursor_moves_with_what_was_read(serve: Serve, start: Start) -> None:
    """From the same place, until what was read there is in the ledger, and could be read."""
    receipt = {"id": "D-1", "ref": "r1-1", "state": "delivered", "code": "000"}
    pages: list[bytes] = [
        json.dumps({"receipts": [receipt], "last": 1}).encode(),
        b"<html>",
        json.dumps({"receipts": [], "last": 1}).encode(),
    ]
    server = serve(
        answering(
            *(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(p), p) for p in pages)
        )
    )
    gateway = start(server.url, **questions(server.url))
    first = gateway.receipts()
    gateway.stored(first)
    assert [1, 0, 0] == [len(first), *(len(gateway.receipts()) for _ in range(2))]
    asked = [request.split(b" ")[1] for request in server.requests]
    assert [b"/receipts?after=0", b"/receipts?after=1", b"/receipts?after=1"] == asked


def test_what_is_not_in_the_ledger_is_fetched_again(serve: Serve, start: Start) -> None:
    """A process that dies in between has lost nothing."""
    page = {"receipts": [{"id": "D-1", "state": "delivered", "code": "000"}], "last": 1}
    server = serve(says(page))
    gateway = start(server.url, **questions(server.url))
    assert [1, 1] == [len(gateway.receipts()) for _ in range(2)]
    assert [b"/receipts?after=0"] * 2 == [each.split(b" ")[1] for each in server.requests]


def test_without_a_receipts_section_nothing_is_asked(start: Start) -> None:
    """A vendor that is not described as telling receipts is not asked for any."""
    assert () == start("http://nowhere.invalid").receipts()


def test_receipts_fit_into_the_ledger(serve: Serve, start: Start) -> None:
    """However long a vendor's words are."""
    long = {"id": "i" * 999, "state": "delivered", "code": "c" * 999}
    gateway = start(serve(says({"receipts": [long]})).url, **questions())
    body = json.dumps(long).encode()
    pushed = Callback(method="POST", headers={"X-Token": TOKEN}, body=body)
    assert gateway.verify_callback(pushed)
    ((found,), _said) = gateway.parse_callback(pushed)
    assert ("i" * 100, "c" * 60) == (found.gateway_id, found.code)
    assert (ReceiptStatus.DELIVERED, MOST_RAW) == (found.status, len(found.raw))


def test_a_receipt_is_kept_as_it_came(serve: Serve, start: Start) -> None:
    """Without secrets and whole numbers, also where it was fetched."""
    receipt = {"id": "D-1", "state": "delivered", "to": "84912345678", "key": KEY}
    gateway = start(serve(says({"receipts": [receipt], "last": 1})).url, **questions())
    body = json.dumps(receipt).encode()
    pushed = Callback(method="POST", headers={"X-Token": TOKEN}, body=body)
    ((came,), _said) = gateway.parse_callback(pushed)
    assert "delivered" in came.raw
    assert not [each for each in (KEY, "84912345678") if each in came.raw]


# -- the exchange log ------------------------------------------------------------------------------


def logged(folder: Path) -> list[dict[str, Any]]:
    content = (folder / "exchanges.jsonl").read_text(encoding="ascii")
    return [json.loads(line) for line in content.splitlines()]


def test_every_exchange_is_logged(serve: Serve, start: Start, tmp_path: Path) -> None:
    """Sending and each question leave a line, also what was held back."""
    server = serve(says({"status": "0", "amount": 1}))
    gateway = start(server.url, exchange_log="exchanges.jsonl", **questions(server.url))
    gateway.send(messages(1), lambda _: True)
    gateway.send(messages(1), lambda _: False)
    gateway.query(["r0-1"])
    gateway.balance()
    gateway.receipts()
    paths = ["/send", "/send", "/status?ref=r0-1", "/balance", "/receipts?after=0"]
    assert [(f"{server.url}{path}", "example") for path in paths] == [
        (line["url"], line["gateway"]) for line in logged(tmp_path)
    ]
    assert ["answered", "held-back", "answered", "answered", "answered"] == [
        line["phase"] for line in logged(tmp_path)
    ]


def test_the_log_holds_nothing_private(serve: Serve, start: Start, tmp_path: Path) -> None:
    """Neither what we wrote nor what the vendor repeated can be read in it."""
    echo = {"status": "13", "text": TEXT, "to": "0912345600", "key": f"Bearer {KEY}"}
    gateway = start(serve(says(echo)).url, exchange_log="exchanges.jsonl")
    gateway.send(messages(1), lambda _: True)
    content = (tmp_path / "exchanges.jsonl").read_text(encoding="ascii")
    assert [] == [each for each in (TEXT, TEXT[:16], "12345600", KEY) if each in content]
    assert "<text, 41 characters>" in content


def test_a_log_that_cannot_be_written_does_not_stop_a_message(serve: Serve, start: Start) -> None:
    """The message is more important than its line."""
    gateway = start(serve(says({"status": "0"})).url, exchange_log="none/exchanges.jsonl")
    (outcome,) = gateway.send(messages(1), lambda _: True)
    assert OutcomeKind.ACCEPTED is outcome.kind


def test_without_a_name_there_is_no_log(serve: Serve, start: Start, tmp_path: Path) -> None:
    """Nothing is written down that nobody asked for."""
    start(serve(says({"status": "0"})).url).send(messages(1), lambda _: True)
    assert {"key", "token"} == {path.name for path in tmp_path.iterdir()}
