"""A login before the first message: one for all threads, kept, renewed once when it is stale."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError, SealedError
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Outbound,
    Outcome,
    OutcomeKind,
    Scope,
    Vault,
)
from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import HttpGateway, Vendor
from smsengine.gateways.http_log import ExchangeLog, Redactor
from smsengine.gateways.http_login import (
    Login,
    NotNowError,
    Token,
    with_form_field,
    with_header,
    with_json_field,
    with_query_field,
)
from tests.doubles.site import MemoryVault
from tests.unit.gateways.raw_server import PATIENCE, Manner, RawServer, Visit

SECRET = "the secret of the login"
Open = Callable[..., HttpGateway]
REQUEST = Request(method="POST", url="http://a.example/send", body=b'{"a": "b"}')


def messages(count: int) -> list[Outbound]:
    return [
        Outbound(
            reference=f"r{n}-1", address=f"+849123456{n:02d}", network="", text="T", segments=1
        )
        for n in range(count)
    ]


class Ticket(Login):
    """Logs in at /login and carries the token in a header."""

    def __init__(self, url: str, is_shared: bool) -> None:
        self._url = url
        self.is_shared = is_shared

    def build(self) -> Request:
        return Request(method="POST", url=f"{self._url}/login", body=SECRET.encode())

    def build_next(self, kept: str) -> Request:
        return Request(method="POST", url=f"{self._url}/login", body=f"{SECRET} {kept}".encode())

    def read(self, reply: Reply, now: datetime) -> Token:
        said = json.loads(reply.body)
        if "busy" in said:
            raise NotNowError(said["busy"])
        if "refused" in said:
            raise ValueError(said["refused"])
        return Token(said["token"], said.get("seconds", 3600), said.get("next", ""))

    def put(self, request: Request, token: str) -> Request:
        return with_header(request, "Ticket", token)

    def is_stale(self, reply: Reply) -> bool:
        return bool(json.loads(reply.body)["said"] == "stale")


class Plain(Vendor):
    """Writes references; takes what is answered with ``taken``."""

    def __init__(self, url: str, is_shared: bool) -> None:
        self.url = url
        self.secrets = [SECRET]
        self.login = Ticket(url, is_shared)
        self.capabilities = Capabilities(
            max_batch=100, concurrency=8, can_query=True, has_balance=True
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        return Request(method="POST", url=self.url, body=messages[0].reference.encode())

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        said = json.loads(reply.body)["said"]
        return [Outcome(kind=OutcomeKind.ACCEPTED if said == "taken" else OutcomeKind.UNKNOWN)]

    def build_query(self, references: Sequence[str]) -> Request:
        return Request(method="GET", url=f"{self.url}/query")

    def read_query(self, references: Sequence[str], reply: Reply) -> Sequence[Outcome | None]:
        return [Outcome(kind=OutcomeKind.ACCEPTED, code=json.loads(reply.body)["said"])]

    def build_balance(self) -> Request:
        return Request(method="GET", url=f"{self.url}/balance")

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        return int(json.loads(reply.body)["left"]), "VND"


class Desk:
    """A vendor behind a desk: gives tickets ``t1``, ``t2`` … and takes what has a valid one."""

    def __init__(self) -> None:
        self.logins: list[str] = []
        self.taken: list[tuple[str, str]] = []
        self.stale: set[str] = set()
        #: messages that are told so of the first ticket, too
        self.stale_for: set[str] = set()
        self.login_answer: Callable[[int], Any] = lambda number: {"token": f"t{number}"}
        self.login_status = 200
        self._lock = threading.Lock()

    def serve(self, visit: Visit) -> None:
        while (raw := visit.read()) is not None:
            with self._lock:
                answer = self._answered(raw)
            if answer is None:
                return
            visit.write(answer)

    def _answered(self, raw: bytes) -> bytes | None:
        head, _, body = raw.partition(b"\r\n\r\n")
        if head.startswith(b"POST /login"):
            self.logins.append(body.decode())
            said = self.login_answer(len(self.logins))
            return None if said is None else _answer(said, self.login_status)
        ticket = head.partition(b"Ticket: ")[2].partition(b"\r\n")[0].decode()
        if ticket in self.stale or (ticket == "t1" and body.decode() in self.stale_for):
            return _answer({"said": "stale"}, 401)
        self.taken.append((body.decode(), ticket))
        return _answer({"said": "taken", "left": 5})


def _answer(value: Any, status: int = 200) -> bytes:
    body = json.dumps(value).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def start(desk: Desk, clock: ManualClock, tmp_path: Path) -> Iterator[Open]:
    """Open a gateway to the desk, or to what behaves in another manner."""
    with ExitStack() as stack:

        def open_one(
            manner: Manner | None = None,
            vault: Vault | None = None,
            server: RawServer | None = None,
        ) -> HttpGateway:
            server = server or stack.enter_context(RawServer(manner or desk.serve))
            redactor = Redactor([SECRET])
            made = HttpGateway(
                Plain(server.url, vault is not None),
                client=HttpClient(connections=8, connect_seconds=PATIENCE, read_seconds=PATIENCE),
                clock=clock,
                redactor=redactor,
                log=ExchangeLog(tmp_path / "log.jsonl", "desk", redactor),
                vault=vault,
            )
            return stack.enter_context(closing(made))

        yield open_one


def cleared(_messages: Sequence[Outbound]) -> bool:
    return True


def kinds(outcomes: Sequence[Outcome]) -> set[OutcomeKind]:
    return {each.kind for each in outcomes}


# -- one token -------------------------------------------------------------------------------------


def test_one_login_serves_many_messages(desk: Desk, start: Open) -> None:
    """A token is got once and is with every message after it."""
    gateway = start()
    outcomes = [*gateway.send(messages(20), cleared), *gateway.send(messages(20), cleared)]
    assert {OutcomeKind.ACCEPTED} == kinds(outcomes)
    assert (1, 40, {"t1"}) == (len(desk.logins), len(desk.taken), {each for _, each in desk.taken})


def test_threads_wait_for_one_login(desk: Desk, start: Open) -> None:
    """Eight threads that begin at once log in once."""
    gateway = start()
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.extend(gateway.send(messages(3), cleared)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (1, 24) == (len(desk.logins), len(outcomes))
    assert {OutcomeKind.ACCEPTED} == kinds(outcomes)


@pytest.mark.parametrize(("seconds", "kept"), [(3600, 3539), (100, 49), (20, 9)])
def test_a_token_is_renewed_before_it_ends(
    desk: Desk, start: Open, clock: ManualClock, seconds: int, kept: int
) -> None:
    """A minute before its end, or in its second half where it is short: never after it."""
    desk.login_answer = lambda number: {"token": f"t{number}", "seconds": seconds}
    gateway = start()
    gateway.send(messages(1), cleared)
    clock.sleep(kept)
    gateway.send(messages(1), cleared)
    clock.sleep(1)
    gateway.send(messages(1), cleared)
    assert ["t1", "t1", "t2"] == [ticket for _, ticket in desk.taken]


# -- a stale token ---------------------------------------------------------------------------------


def test_a_stale_token_is_renewed_once_and_the_message_sent_once(desk: Desk, start: Open) -> None:
    """What was refused because of its token goes out once more, and no other message does."""
    gateway = start()
    gateway.send(messages(1), cleared)
    desk.stale, desk.taken = {"t1"}, []
    outcomes = gateway.send(messages(5), cleared)
    assert {OutcomeKind.ACCEPTED} == kinds(outcomes)
    assert [(f"r{n}-1", "t2") for n in range(5)] == sorted(desk.taken)
    assert 2 == len(desk.logins)


def test_the_second_hand_over_asks_for_clearance_again(desk: Desk, start: Open) -> None:
    """A message that may not leave any more does not leave with a new token either."""
    desk.stale = {"t1"}
    asked: list[str] = []

    def clear(leaving: Sequence[Outbound]) -> bool:
        asked.extend(each.reference for each in leaving)
        return len(asked) < 3

    outcomes = start().send(messages(2), clear)
    assert ["r0-1", "r0-1", "r1-1", "r1-1"] == sorted(asked)
    assert ([HELD_BACK] * 2, []) == (list(outcomes), desk.taken)


def test_only_what_was_refused_is_handed_over_again(
    desk: Desk, start: Open, tmp_path: Path
) -> None:
    """A token that ends in the midst of a batch: the others are taken, and keep their answers."""
    desk.stale_for = {"r1-1", "r3-1"}
    asked: list[str] = []

    def clear(leaving: Sequence[Outbound]) -> bool:
        asked.extend(each.reference for each in leaving)
        return asked.count("r3-1") < 2 or leaving[0].reference != "r3-1"

    outcomes = start().send(messages(5), clear)
    assert [True, True, True, False, True] == [
        each.kind is OutcomeKind.ACCEPTED for each in outcomes
    ]
    assert HELD_BACK == outcomes[3]
    twice = ["r0-1", "r1-1", "r1-1", "r2-1", "r3-1", "r3-1", "r4-1"]
    lines = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    noted = [line["request"] for line in lines if "/login" not in line["url"]]
    assert (twice, twice) == (sorted(asked), sorted(noted))
    assert ("r1-1", "t2") in desk.taken
    assert 4 == len(desk.taken)


def test_a_new_token_that_is_stale_too_is_no_endless_story(desk: Desk, start: Open) -> None:
    """Surely not taken: it may be tried again later, and nothing more is tried now."""
    desk.stale = {"t1", "t2", "t3"}
    (outcome,) = start().send(messages(1), cleared)
    assert (OutcomeKind.TRANSIENT, "no-login", "a new token is refused too") == (
        outcome.kind,
        outcome.code,
        outcome.detail,
    )
    assert (2, []) == (len(desk.logins), desk.taken)


def test_threads_with_the_same_stale_token_renew_it_once(desk: Desk, start: Open) -> None:
    """Whoever comes second finds the new token."""
    gateway = start()
    gateway.send(messages(1), cleared)
    desk.stale = {"t1"}
    threads = [
        threading.Thread(target=lambda: gateway.send(messages(2), cleared)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 == len(desk.logins)


# -- no token --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ({"refused": f"wrong {SECRET} of 84912345678"}, "wrong *** of 091***5678"),
        ({"token": ""}, "there is no token in its answer"),
        ({}, "its answer cannot be read"),
        ([], "its answer cannot be read"),
    ],
)
def test_a_refused_login_is_the_account_s_fault(
    desk: Desk, start: Open, said: Any, detail: str
) -> None:
    """Not a message is written, and a person is told why, without the secret."""
    desk.login_answer = lambda _: said
    outcomes = start().send(messages(3), cleared)
    assert {(OutcomeKind.REJECTED, Scope.ACCOUNT, "login-refused")} == {
        (each.kind, each.scope, each.code) for each in outcomes
    }
    assert (1, []) == (len(desk.logins), desk.taken)
    assert {detail} == {each.detail for each in outcomes}


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, {"refused": "x"}), (502, {}), (429, {}), (200, {"busy": "try later"}), (200, None)],
)
def test_a_login_that_is_not_possible_now_is_tried_again(
    desk: Desk, start: Open, status: int, said: Any
) -> None:
    """No answer, an error of the server: nobody's fault, and no message was written."""
    desk.login_status, desk.login_answer = status, lambda _: said
    gateway = start()
    outcomes = gateway.send(messages(2), cleared)
    assert {(OutcomeKind.TRANSIENT, "no-login")} == {(each.kind, each.code) for each in outcomes}
    desk.login_status, desk.login_answer = 200, lambda number: {"token": f"t{number}"}
    assert {OutcomeKind.ACCEPTED} == kinds(gateway.send(messages(2), cleared))
    assert [("r0-1", "t2"), ("r1-1", "t2")] == sorted(desk.taken)


def test_without_a_token_clearance_still_counts(desk: Desk, start: Open) -> None:
    """A message that may not leave waits, whatever became of the login."""
    desk.login_answer = lambda _: {"refused": "x"}
    outcomes = start().send(messages(2), lambda leaving: leaving[0].reference == "r0-1")
    assert [False, True] == [each == HELD_BACK for each in outcomes]


# -- asking ----------------------------------------------------------------------------------------


def test_questions_carry_the_token_too(desk: Desk, start: Open) -> None:
    """Queries and balances are asked behind the same login, and renew it alike."""
    gateway = start()
    assert 5 == gateway.balance().amount
    desk.stale = {"t1"}
    assert ["taken"] == [each.code for each in gateway.query(["r0-1"]) if each is not None]
    assert (2, ["t1", "t2"]) == (len(desk.logins), [ticket for _, ticket in desk.taken])


def test_a_query_without_a_login_proves_nothing(desk: Desk, start: Open) -> None:
    """What could not be asked stays unknown."""
    desk.login_answer = lambda _: {"refused": "x"}
    answers = start().query(["r0-1", "r1-1"])
    assert [OutcomeKind.UNKNOWN] * 2 == [each.kind for each in answers if each is not None]


@pytest.mark.parametrize(
    ("said", "status", "sentence"),
    [
        ({"refused": f"no {SECRET}"}, 200, "refuses the login (no ***); look at its user and"),
        (
            {"busy": "maintenance"},
            200,
            "cannot be logged in to now (maintenance); try again later.",
        ),
        ({}, 503, "cannot be logged in to now (HTTP 503); try again later."),
        (None, 200, "breaks the connection off;"),
    ],
)
def test_whoever_checks_reads_why_there_is_no_login(
    desk: Desk, start: Open, said: Any, status: int, sentence: str
) -> None:
    """One sentence, without the secret."""
    desk.login_answer, desk.login_status = lambda _: said, status
    with pytest.raises(GatewayError) as caught:
        start().check()
    assert sentence in str(caught.value)


# -- one token for all machines --------------------------------------------------------------------


def test_a_shared_token_is_kept_for_all_machines(desk: Desk, start: Open) -> None:
    """The second machine uses what the first one got, and logs in nowhere."""
    vault = MemoryVault()
    with RawServer(desk.serve) as server:
        for _ in range(2):
            start(vault=vault, server=server).send(messages(1), cleared)
    assert (1, ["t1", "t1"]) == (len(desk.logins), [ticket for _, ticket in desk.taken])


def test_a_login_gets_what_the_last_one_gave(desk: Desk, start: Open) -> None:
    """Where each login gives what the next one takes, it comes from the vault."""
    desk.login_answer = lambda number: {"token": f"t{number}", "next": f"n{number}"}
    desk.stale = {"t1"}
    start(vault=MemoryVault()).send(messages(1), cleared)
    assert [f"{SECRET} ", f"{SECRET} n1"] == desk.logins


def test_another_machine_may_have_renewed_it(desk: Desk, start: Open) -> None:
    """A stale token is not renewed where the vault holds a newer one: that would end it."""
    vault = MemoryVault()
    with RawServer(desk.serve) as server:
        first, second = (start(vault=vault, server=server) for _ in range(2))
        first.send(messages(1), cleared)
        second.send(messages(1), cleared)
        desk.stale = {"t1"}
        first.send(messages(1), cleared)
        (outcome,) = second.send(messages(1), cleared)
    assert (OutcomeKind.ACCEPTED, 2) == (outcome.kind, len(desk.logins))


def test_a_vault_that_is_away_is_no_refusal(start: Open) -> None:
    """The messages wait."""

    class Away(MemoryVault):
        def replace(self, renew: Callable[[str | None], str]) -> str:
            raise GatewayError("another machine does not let go of its token.")

    (outcome,) = start(vault=Away()).send(messages(1), cleared)
    assert (OutcomeKind.TRANSIENT, "another machine does not let go of its token.") == (
        outcome.kind,
        outcome.detail,
    )


def test_a_vault_that_cannot_be_opened_stops_the_lane(desk: Desk, start: Open) -> None:
    """No time mends a wrong key: an operator is told what to do, and no attempt is burnt."""
    sentence = "zns: its kept token was sealed with another dedup_key; put that key back."

    class Sealed(MemoryVault):
        def replace(self, renew: Callable[[str | None], str]) -> str:
            raise SealedError(sentence)

    gateway = start(vault=Sealed())
    (outcome,) = gateway.send(messages(1), cleared)
    assert (OutcomeKind.REJECTED, Scope.ACCOUNT) == (outcome.kind, outcome.scope)
    assert ("locked-out", sentence) == (outcome.code, outcome.detail)
    with pytest.raises(GatewayError) as caught:
        gateway.check()
    assert (sentence, []) == (str(caught.value), desk.logins)


# -- what is written -------------------------------------------------------------------------------


def test_no_token_is_written_down(desk: Desk, start: Open, tmp_path: Path) -> None:
    """The log shows that there was a login, and neither its secret nor what it gave."""
    desk.login_answer = lambda number: {"token": f"ticket-{number}", "next": f"renew-{number}"}
    desk.stale = {"ticket-1"}
    start(vault=MemoryVault()).send(messages(1), cleared)
    log = (tmp_path / "log.jsonl").read_text()
    assert 2 == log.count("/login")
    assert [] == [each for each in (SECRET, "ticket-", "renew-") if each in log]


def test_where_a_token_goes() -> None:
    """Into a header, a field of JSON, a field of a form, or the address."""
    form = Request(method="POST", url="http://a.example/", body=b"a=b+c&d=")
    assert {"X": "t"} == with_header(REQUEST, "X", "t").headers
    assert {"sid": "t", "a": "b"} == json.loads(with_json_field(REQUEST, "sid", "t").body)
    assert b"sid=t%26&a=b+c&d=" == with_form_field(form, "sid", "t&").body
    assert "http://a.example/send?sid=t%26" == with_query_field(REQUEST, "sid", "t&").url
    asked = Request(method="GET", url="http://a.example/?a=b")
    assert "http://a.example/?a=b&sid=t" == with_query_field(asked, "sid", "t").url


def test_the_last_tokens_are_hidden_and_the_secrets_always() -> None:
    """A daemon that logs in each hour for a year does not grow, and what is old is worthless."""
    redactor = Redactor([SECRET])
    for number in range(100, 200):
        redactor.learn(f"ticket-{number}")
    redactor.learn("")
    assert "ticket-100 *** ***" == redactor.clean(f"ticket-100 ticket-199 {SECRET}")
