"""Every adapter over HTTP against its vendor's document and an unkind network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways.base import HELD_BACK, Callback, Gateway, Outbound, Outcome, OutcomeKind
from tests.contracts.gateway import (
    NUMBER,
    TEXT,
    Answer,
    Listed,
    Pushed,
    Report,
    VendorCase,
    as_request,
    every_case,
    on_the_wire,
    written,
)
from tests.unit.gateways.raw_server import Manner, RawServer, Visit, deaf

ALL = every_case()
QUICK = {"read_timeout_seconds": 0.4, "connect_timeout_seconds": 2, "exchange_log": "log.jsonl"}
HTML = Answer(
    "<html>Bad gateway</html>", OutcomeKind.UNKNOWN, headers={"Content-Type": "text/html"}
)
#: Whatever an outcome says may have been taken.
MAY_BE_THERE = {OutcomeKind.UNKNOWN, OutcomeKind.ACCEPTED}

Send = Callable[..., Outcome]
each_case = pytest.mark.parametrize("case", ALL, ids=str)


def after_login(case: VendorCase, manner: Callable[[Visit, bytes], bool]) -> Manner:
    """A manner of answering what is no login; it says whether the connection goes on."""

    def serve(visit: Visit) -> None:
        while (raw := visit.read()) is not None:
            if case.login_mark in raw:
                visit.write(on_the_wire(Answer(case.login, OutcomeKind.ACCEPTED)))
            elif not manner(visit, raw):
                return

    return serve


def saying(answer: bytes) -> Callable[[Visit, bytes], bool]:
    def manner(visit: Visit, _raw: bytes) -> bool:
        visit.write(answer)
        return True

    return manner


def cleared(_messages: object) -> bool:
    return True


def hand_over(
    case: VendorCase, folder: Path, clock: ManualClock, server: RawServer, **changes: Any
) -> Outcome:
    with closing(case.open(folder, server.url, clock, **QUICK | changes)) as gateway:
        (outcome,) = gateway.send([case.outbound], cleared)
    return outcome


def hand_overs(case: VendorCase, server: RawServer) -> list[bytes]:
    """The requests that carried the message."""
    return [raw for raw in server.requests if case.login_mark not in raw]


# -- what is written -------------------------------------------------------------------------------


@each_case
def test_a_message_is_written_as_the_document_says(
    case: VendorCase, tmp_path: Path, clock: ManualClock
) -> None:
    manner = after_login(case, saying(on_the_wire(case.answers[0])))
    with RawServer(manner) as server:
        outcome = hand_over(case, tmp_path, clock, server)
    (raw,) = hand_overs(case, server)
    assert case.request == as_request(raw, case.request)
    assert OutcomeKind.ACCEPTED is outcome.kind


@each_case
def test_whoever_takes_templates_alone_is_given_no_text(
    case: VendorCase, tmp_path: Path, clock: ManualClock
) -> None:
    """Without its template a message is refused before a byte of it leaves; others take a text."""
    without = case.outbound._replace(template=None)
    manner = after_login(case, saying(on_the_wire(case.answers[0])))
    with RawServer(manner) as server, closing(case.open(tmp_path, server.url, clock)) as gateway:
        needs = gateway.capabilities.needs_template
        (outcome,) = gateway.send([without], cleared)
    said = (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "no-template")
    assert (needs, 0 if needs else 1) == (said, len(hand_overs(case, server)))


# -- what an answer means --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        pytest.param(case, answer, id=f"{case}-{answer.code or ''}-{number}")
        for case in ALL
        for number, answer in enumerate(case.answers)
    ],
)
def test_an_answer_means_what_the_document_says(
    case: VendorCase, answer: Answer, tmp_path: Path, clock: ManualClock
) -> None:
    with RawServer(after_login(case, saying(on_the_wire(answer)))) as server:
        outcome = hand_over(case, tmp_path, clock, server)
    assert (answer.kind, answer.scope) == (outcome.kind, outcome.scope)
    assert answer.gateway_id == outcome.gateway_id
    assert answer.code in (None, outcome.code)


@each_case
def test_the_answers_show_every_code_of_the_table(case: VendorCase) -> None:
    shown = {answer.code for answer in case.answers} | case.not_shown.keys()
    assert not [code for code in case.codes if code not in shown]


# -- faults at every phase of an exchange ----------------------------------------------------------


def _close(_visit: Visit, _raw: bytes) -> bool:
    return False


def _reset(visit: Visit, _raw: bytes) -> bool:
    visit.reset()
    return False


def _stall(visit: Visit, _raw: bytes) -> bool:
    visit.server.over.wait(20)
    return False


def _half(case: VendorCase) -> Callable[[Visit, bytes], bool]:
    def manner(visit: Visit, _raw: bytes) -> bool:
        visit.write(on_the_wire(case.answers[0])[:-3])
        return False

    return manner


def _truncated(case: VendorCase) -> bytes:
    body = written(case.answers[0].body)
    return on_the_wire(case.answers[0]._replace(body=body[: len(body) // 2]))


AFTER_WRITING: dict[str, Callable[[VendorCase], Callable[[Visit, bytes], bool]]] = {
    "closed": lambda _case: _close,
    "reset": lambda _case: _reset,
    "no answer in time": lambda _case: _stall,
    "half an answer": _half,
    "truncated": lambda case: saying(_truncated(case)),
    "html": lambda _case: saying(on_the_wire(HTML)),
    "empty": lambda _case: saying(on_the_wire(Answer(b"", OutcomeKind.UNKNOWN))),
    "a long head": lambda _case: saying(
        on_the_wire(Answer(b"{}", OutcomeKind.UNKNOWN, headers={"X": "x" * 200_000}))
    ),
    "500": lambda _case: saying(on_the_wire(HTML._replace(status=500))),
    "502": lambda _case: saying(on_the_wire(HTML._replace(status=502))),
    "504": lambda _case: saying(on_the_wire(HTML._replace(status=504))),
    "408": lambda _case: saying(on_the_wire(HTML._replace(status=408))),
}


@pytest.mark.parametrize("fault", AFTER_WRITING)
@each_case
def test_what_may_have_been_taken_is_unknown_and_written_once(
    case: VendorCase, fault: str, tmp_path: Path, clock: ManualClock
) -> None:
    with RawServer(after_login(case, AFTER_WRITING[fault](case))) as server:
        outcome = hand_over(case, tmp_path, clock, server)
    assert 1 == len(hand_overs(case, server))
    assert OutcomeKind.UNKNOWN is outcome.kind


@each_case
def test_what_was_not_written_may_be_tried_again(
    case: VendorCase, tmp_path: Path, clock: ManualClock
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with closing(case.open(tmp_path, url, clock, **QUICK)) as gateway:
            (outcome,) = gateway.send([case.outbound], cleared)
    assert OutcomeKind.TRANSIENT is outcome.kind
    assert HELD_BACK != outcome


@each_case
def test_clearance_comes_before_the_first_byte(
    case: VendorCase, tmp_path: Path, clock: ManualClock
) -> None:
    seen: list[int] = []
    manner = after_login(case, saying(on_the_wire(case.answers[0])))
    with RawServer(manner) as server, closing(case.open(tmp_path, server.url, clock)) as gateway:

        def clear(messages: list[Outbound]) -> bool:
            assert [case.outbound] == list(messages)
            seen.append(len(hand_overs(case, server)))
            return len(seen) > 1

        assert [HELD_BACK] == list(gateway.send([case.outbound], clear))
        assert [] == hand_overs(case, server)
        (outcome,) = gateway.send([case.outbound], clear)
    assert ([0, 0], OutcomeKind.ACCEPTED) == (seen, outcome.kind)
    assert 1 == len(hand_overs(case, server))


# -- what must not be seen -------------------------------------------------------------------------


@pytest.mark.parametrize("answered", ["accepted", "refused", "echoed"])
@each_case
def test_no_secret_text_or_number_is_written_down(
    case: VendorCase, answered: str, tmp_path: Path, clock: ManualClock
) -> None:
    secrets = [value for value in case.secrets.values() if value]

    def manner(visit: Visit, raw: bytes) -> bool:
        answer = case.answers[0 if answered == "accepted" else -1]
        if answered == "echoed":
            answer = HTML._replace(body=raw + b" " + " ".join([*secrets, TEXT, NUMBER]).encode())
        visit.write(on_the_wire(answer))
        return True

    with RawServer(after_login(case, manner)) as server:
        outcome = hand_over(case, tmp_path, clock, server)
    log = (tmp_path / "log.jsonl").read_text()
    assert [] == [each for each in [*secrets, TEXT, NUMBER[1:]] if each in log + str(outcome)]
    assert log


@each_case
def test_a_gateway_that_is_not_there_is_a_sentence_without_secrets(
    case: VendorCase, tmp_path: Path, clock: ManualClock
) -> None:
    with (
        RawServer(deaf) as server,
        closing(case.open(tmp_path, server.url, clock, **QUICK)) as gateway,
        pytest.raises(GatewayError) as caught,
    ):
        gateway.check()
    said = str(caught.value)
    assert said.endswith(".")
    assert [] == [each for each in case.secrets.values() if each in said]


# -- what can be asked -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "body", "amount", "currency"),
    [(case, *balance) for case in ALL for balance in case.balances],
    ids=str,
)
def test_what_is_left(
    case: VendorCase, body: Any, amount: int, currency: str, tmp_path: Path, clock: ManualClock
) -> None:
    manner = after_login(case, saying(on_the_wire(Answer(body, OutcomeKind.ACCEPTED))))
    with RawServer(manner) as server, closing(case.open(tmp_path, server.url, clock)) as gateway:
        found = gateway.balance()
        assert gateway.capabilities.has_balance
    assert (amount, currency) == (found.amount, found.currency)


@each_case
def test_a_sheet_promises_no_more_than_is_shown(
    case: VendorCase, tmp_path: Path, clock: ManualClock
) -> None:
    with closing(case.open(tmp_path, "http://127.0.0.1:9", clock)) as gateway:
        sheet = gateway.capabilities
    assert (bool(case.balances), bool(case.reports), bool(case.listed)) == (
        sheet.has_balance,
        sheet.can_report,
        sheet.lists_templates,
    )


@pytest.mark.parametrize(
    ("case", "report"),
    [
        pytest.param(case, report, id=f"{case}-{number}")
        for case in ALL
        for number, report in enumerate(case.reports)
    ],
)
def test_what_became_of_accepted_messages(
    case: VendorCase, report: Report, tmp_path: Path, clock: ManualClock
) -> None:
    manner = after_login(case, saying(on_the_wire(Answer(report.body, OutcomeKind.ACCEPTED))))
    with RawServer(manner) as server, closing(case.open(tmp_path, server.url, clock)) as gateway:
        found = gateway.reports(report.asked)
    assert report.statuses == {each.gateway_id or each.reference: each.status for each in found}


@pytest.mark.parametrize(
    ("case", "listed"),
    [
        pytest.param(case, listed, id=f"{case}-{number}")
        for case in ALL
        for number, listed in enumerate(case.listed)
    ],
)
def test_which_templates_are_registered(
    case: VendorCase, listed: Listed, tmp_path: Path, clock: ManualClock
) -> None:
    manner = after_login(case, saying(on_the_wire(Answer(listed.body, OutcomeKind.ACCEPTED))))
    with RawServer(manner) as server, closing(case.open(tmp_path, server.url, clock)) as gateway:
        assert list(listed.templates) == list(gateway.registered_templates(""))


#: Answers to a question from which nothing can be learnt.
NO_WORD = {
    "html": on_the_wire(HTML),
    "empty": on_the_wire(HTML._replace(body=b"")),
    "a list": on_the_wire(HTML._replace(body=b"[]")),
    "a word": on_the_wire(HTML._replace(body=b'"no"')),
    "500": on_the_wire(HTML._replace(status=500)),
}
each_no_word = pytest.mark.parametrize("said", NO_WORD)


def asking(case: VendorCase, question: str, said: str, folder: Path, clock: ManualClock) -> Any:
    """What a gateway makes of an answer to its question."""
    manner = after_login(case, saying(NO_WORD[said]))
    with RawServer(manner) as server, closing(case.open(folder, server.url, clock)) as gateway:
        if question == "balance":
            return gateway.balance()
        if question == "templates":
            return gateway.registered_templates("")
        return gateway.reports(case.reports[0].asked)


@pytest.mark.parametrize(
    ("case", "question"),
    [
        pytest.param(case, question, id=f"{case}-{question}")
        for case in ALL
        for question in (["balance"] if case.balances else [])
        + (["templates"] if case.listed else [])
    ],
)
@each_no_word
def test_a_question_without_a_readable_answer_is_a_sentence(
    case: VendorCase, question: str, said: str, tmp_path: Path, clock: ManualClock
) -> None:
    """No balance and no template is made up."""
    with pytest.raises(GatewayError) as caught:
        asking(case, question, said, tmp_path, clock)
    assert str(caught.value).endswith(".")
    assert [] == [each for each in case.secrets.values() if each in str(caught.value)]


@pytest.mark.parametrize("case", [case for case in ALL if case.reports], ids=str)
@each_no_word
def test_an_answer_that_tells_nothing_is_no_report(
    case: VendorCase, said: str, tmp_path: Path, clock: ManualClock
) -> None:
    """No message gets an end out of an answer that nobody can read."""
    if said == "500":
        with pytest.raises(GatewayError, match=r"HTTP 500; .*\.$"):
            asking(case, "reports", said, tmp_path, clock)
    else:
        assert [] == list(asking(case, "reports", said, tmp_path, clock))


# -- callbacks -------------------------------------------------------------------------------------


@pytest.fixture
def opened(case: VendorCase, tmp_path: Path, clock: ManualClock) -> Iterator[Gateway]:
    with closing(case.open(tmp_path, "http://127.0.0.1:9", clock)) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("case", "pushed"),
    [
        pytest.param(case, pushed, id=f"{case}-{number}")
        for case in ALL
        for number, pushed in enumerate(case.pushed)
    ],
)
def test_a_callback_is_believed_read_and_acknowledged(
    case: VendorCase, pushed: Pushed, opened: Gateway
) -> None:
    assert opened.verify_callback(pushed.callback)
    receipts, said = opened.parse_callback(pushed.callback)
    assert pushed.statuses == {each.gateway_id or each.reference: each.status for each in receipts}
    assert pushed.acknowledged in ("", said.body)
    raw = " ".join(each.raw for each in receipts)
    assert [] == [each for each in case.secrets.values() if each in raw]
    assert NUMBER[1:] not in raw


@pytest.mark.parametrize(
    ("case", "callback"),
    [
        pytest.param(case, callback, id=f"{case}-{number}")
        for case in ALL
        for number, callback in enumerate(case.forged)
    ],
)
def test_a_forged_callback_is_not_believed(callback: Callback, opened: Gateway) -> None:
    assert not opened.verify_callback(callback)


@each_case
def test_whoever_sends_callbacks_shows_a_forged_one(case: VendorCase) -> None:
    assert bool(case.pushed) == bool(case.forged)


@each_case
def test_rubbish_is_no_receipt(case: VendorCase, opened: Gateway) -> None:
    """Also where somebody has the token: rubbish is a ValueError, and nothing else."""
    if not case.pushed:
        with pytest.raises(ValueError, match="no callbacks"):
            opened.parse_callback(Callback(method="POST"))
        return
    real = case.pushed[0].callback
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 3000,
        json.dumps([1, "x"]).encode(),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            opened.parse_callback(Callback(method=real.method, token=real.token, body=body))
