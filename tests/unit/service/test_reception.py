"""Callbacks over real sockets: what is taken, what is refused, and when it is answered."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from smsengine.config.callers import is_within
from smsengine.config.eyes import WebSettings
from smsengine.config.settings import GatewaySettings, Settings
from smsengine.errors import StoreAwayError
from smsengine.gateways.base import (
    Acknowledgement,
    Callback,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    Receipt,
    ReceiptStatus,
)
from smsengine.service.doors import Doors
from smsengine.service.http_server import MOST_BODY, Question
from smsengine.service.intake import Intake
from smsengine.service.logs import Event
from smsengine.service.reception import Reception, caller
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk, Web

TOKEN = "quiet-river-61"


class Posting(Gateway):
    """A vendor whose callbacks are the names of delivered messages, one a line."""

    def __init__(self) -> None:
        self.heard: list[Callback] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(max_batch=1)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        raise NotImplementedError

    def verify_callback(self, callback: Callback) -> bool:
        self.heard.append(callback)
        return callback.token == TOKEN

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        names = (callback.body.decode() or callback.query.get("id", "")).split()
        if "?" in names:
            raise ValueError("a name is missing")
        found = [Receipt(gateway_id=name, status=ReceiptStatus.DELIVERED) for name in names]
        return found, Acknowledgement(status=202, body="<ok/>", content_type="text/xml")

    def close(self) -> None:
        """Nothing is open."""


@dataclass(kw_only=True)
class House:
    """A daemon's web with one gateway, ``telco``, and what it kept, counted and told."""

    gateway: Posting = field(default_factory=Posting)
    kept: list[tuple[str, str]] = field(default_factory=list)
    commits: int = 0
    fault: Exception | None = None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: list[dict[str, Any]] = field(default_factory=list)
    may_commit: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def keep(self, gateway: str, received: Sequence[Receipt]) -> None:
        self.may_commit.wait(10)
        self.commits += 1
        if self.fault is not None:
            raise self.fault
        if any(each.gateway_id == "poison" for each in received):
            raise ValueError("the ledger cannot keep that")
        self.kept += [(gateway, each.gateway_id) for each in received]

    def count(self, gateway: str, answer: str) -> None:
        self.counts[gateway, answer] += 1

    def tell(self, event: Event, **facts: Any) -> None:
        self.told.append({"event": event, **facts})

    def call(
        self, path: str, body: bytes | None = None, method: str = "", **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            how = method or ("GET" if body is None else "POST")
            connection.request(how, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def settings(**changes: Any) -> Settings:
    prices = [{"from": "2019-01-01", "per_segment": "850"}]
    return Settings(
        gateways={
            "telco": GatewaySettings.model_validate({"kind": "http", "prices": prices, **changes})
        },
        web=WebSettings(public_url="https://sms.example.vn/in/"),
    )


@pytest.fixture
def open_house() -> Iterator[Callable[..., House]]:
    """Open a daemon's web with these keys of its gateway."""
    stack = ExitStack()

    def open_(*, is_open: bool = True, most_waiting: int = 100, **changes: Any) -> House:
        house, doors = House(), Doors()
        house.may_commit.set()
        intake = Intake(house.keep, most_waiting=most_waiting)
        intake.start()
        stack.enter_context(doors.opened({"telco": house.gateway} if is_open else {}))
        given = settings(**changes)
        reception = Reception(
            settings=lambda: given, doors=doors, intake=intake, count=house.count, tell=house.tell
        )
        web = Web("127.0.0.1", 0, Desk(Vitals(), CollectorRegistry(), reception))
        web.start()
        for end in (intake.close, web.close, house.may_commit.set):
            stack.callback(end)
        house.port = web.port
        return house

    with stack:
        yield open_


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()


def test_a_receipt_is_stored_and_answered_as_its_vendor_expects(house: House) -> None:
    """POST and GET; the answer is the vendor's own."""
    assert (202, b"<ok/>") == house.call(f"/callbacks/telco/{TOKEN}", b"G-1 G-2")
    assert (202, b"<ok/>") == house.call(f"/callbacks/telco/{TOKEN}?id=G-3")
    assert [("telco", name) for name in ("G-1", "G-2", "G-3")] == house.kept
    assert {("telco", "stored"): 2} == house.counts


def test_the_adapter_sees_the_callback_as_the_vendor_made_it(house: House) -> None:
    """The address that the vendor called, which some sign, with its query as it was written."""
    house.call(f"/callbacks/telco/{TOKEN}?id=G%2D1&empty=", b"G-1", **{"X-Signature": "s"})
    (seen,) = house.gateway.heard
    assert (
        "POST",
        f"https://sms.example.vn/in/callbacks/telco/{TOKEN}?id=G%2D1&empty=",
        {"id": "G-1", "empty": ""},
        b"G-1",
        "s",
        "127.0.0.1",
    ) == (seen.method, seen.url, seen.query, seen.body, seen.headers["x-signature"], seen.remote)


def test_it_is_answered_when_it_is_in_the_ledger(house: House) -> None:
    """Not before: a vendor that has its answer never comes again."""
    house.may_commit.clear()
    answers: list[int] = []
    calls = [
        threading.Thread(
            target=lambda: answers.append(house.call(f"/callbacks/telco/{TOKEN}", b"G-1")[0])
        )
        for _ in range(8)
    ]
    for each in calls:
        each.start()
    while len(house.gateway.heard) < 8 and any(each.is_alive() for each in calls):
        assert 404 == house.call("/nothing")[0]  # the server goes on meanwhile
    assert ([], []) == (answers, house.kept)
    house.may_commit.set()
    for each in calls:
        each.join(10)
    assert ([202] * 8, 8) == (answers, len(house.kept))
    assert house.commits < 8


@pytest.mark.parametrize(
    ("path", "body", "status", "counted"),
    [
        ("/callbacks/telco/guessed", b"G-1", 403, ("telco", "forged")),
        ("/callbacks/telco", b"G-1", 403, ("telco", "forged")),
        (f"/callbacks/nobody/{TOKEN}", b"G-1", 404, ("", "unknown")),
        (f"/callbacks/telco/{TOKEN}", b"G-1 ?", 400, ("telco", "unreadable")),
        (f"/callbacks/telco/{TOKEN}", b"\xff\xfe", 400, ("telco", "unreadable")),
        (f"/callbacks/telco/{TOKEN}?{'a=1&' * 201}", b"G-1", 400, ("telco", "unreadable")),
        (f"/callbacks/telco/{TOKEN}", b"x" * (MOST_BODY + 1), 413, ("", "rubbish")),
    ],
)
def test_what_is_not_taken_is_one_event_and_one_sentence(
    house: House, path: str, body: bytes, status: int, counted: tuple[str, str]
) -> None:
    """Nothing of it is stored."""
    found, said = house.call(path, body)
    assert (status, {counted: 1}, []) == (found, house.counts, house.kept)
    assert said.decode().endswith(".\n")
    ((told),) = house.told
    assert (Event.CALLBACK_REFUSED, *counted) == (told["event"], told["gateway"], told["what"])


def test_a_flood_of_forgeries_is_one_line_in_the_log(house: House) -> None:
    """Each is counted, and none keeps others from being answered."""
    for _ in range(20):
        assert 403 == house.call("/callbacks/telco/guessed", b"G-1")[0]
    assert 200 == house.call("/healthz")[0]
    assert ({("telco", "forged"): 20}, 1) == (house.counts, len(house.told))


def test_a_method_that_no_vendor_uses(house: House) -> None:
    """PUT is none of theirs."""
    assert 405 == house.call(f"/callbacks/telco/{TOKEN}", b"G-1", method="PUT")[0]


def test_a_ledger_that_is_away_has_the_vendor_come_again(house: House) -> None:
    """503, and nothing is said to be stored."""
    house.fault = StoreAwayError("The ledger is away.")
    assert 503 == house.call(f"/callbacks/telco/{TOKEN}", b"G-1")[0]
    assert {("telco", "not-now"): 1} == house.counts


def test_one_that_cannot_be_stored_keeps_out_no_other(house: House) -> None:
    """Of those that are stored together."""
    house.may_commit.clear()
    answers: list[tuple[str, int]] = []

    def call(name: str) -> None:
        answers.append((name, house.call(f"/callbacks/telco/{TOKEN}", name.encode())[0]))

    calls = [threading.Thread(target=call, args=(name,)) for name in ("first", "poison", "a", "b")]
    for each in calls:
        each.start()
    while len(house.gateway.heard) < 4 and any(each.is_alive() for each in calls):
        house.call("/nothing")
    house.may_commit.set()
    for each in calls:
        each.join(10)
    assert {"first": 202, "poison": 503, "a": 202, "b": 202} == dict(answers)


def test_without_an_open_gateway_the_vendor_comes_again(open_house: Callable[..., House]) -> None:
    """A daemon that may not send takes nothing in."""
    assert 503 == open_house(is_open=False).call(f"/callbacks/telco/{TOKEN}", b"G-1")[0]


def test_more_than_may_wait_has_the_vendor_come_again(open_house: Callable[..., House]) -> None:
    """Memory has an end."""
    house = open_house(most_waiting=1)
    assert 503 == house.call(f"/callbacks/telco/{TOKEN}", b"G-1 G-2")[0]


@pytest.mark.parametrize(("network", "status"), [("127.0.0.0/8", 202), ("203.0.113.0/24", 403)])
def test_callbacks_may_be_taken_from_some_networks_only(
    open_house: Callable[..., House], network: str, status: int
) -> None:
    """Also with the right token."""
    house = open_house(callback_from=[network])
    assert status == house.call(f"/callbacks/telco/{TOKEN}", b"G-1")[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_only_our_own_proxies_are_believed(peer: str, forwarded: str, expected: str) -> None:
    """What stands before the first address that is none of ours may be invented."""
    proxies = WebSettings.model_validate({"proxies": ["10.0.0.0/8"]}).proxies
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert expected == caller(Question("GET", "/", headers, b"", peer), proxies)


def test_an_address_of_the_old_kind_in_one_of_the_new() -> None:
    """A socket for both shows it so."""
    networks = WebSettings.model_validate({"proxies": ["10.0.0.0/8"]}).proxies
    assert is_within("::ffff:10.1.2.3", networks)
    assert not is_within("::1", networks)
