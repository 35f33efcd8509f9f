"""The HTTP double as a vendor without faults: its protocol, its limits, its connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import requests

from tests.unit.doubles.conftest import (
    PHONE,
    Sender,
    message,
    new_refs,
    read_answer,
    until,
)

Start = Callable[..., Sender]


# -- the protocol ----------------------------------------------------------------------------------


def test_a_message_is_accepted(start: Start) -> None:
    """The answer to one message has its status, the vendor's id and the reference."""
    assert {"status": "0", "id": "D-1", "ref": "a"} == start().send("a")


def test_a_batch_is_answered_one_for_one(start: Start) -> None:
    """The answer to a batch has a result for each message, in its order."""
    results = start().batch(["a", "b"])
    assert [
        {"status": "0", "id": "D-1", "ref": "a"},
        {"status": "0", "id": "D-2", "ref": "b"},
    ] == results


def test_the_ledger_holds_what_was_delivered(start: Start) -> None:
    """An entry says which text went to whom, under which names, and when."""
    sender = start()
    before = time.time()
    sender.send("a", text='Kính gửi "A"')
    (entry,) = sender.double.ledger()
    assert before <= entry.pop("at") <= time.time()
    assert {"n": 1, "id": "D-1", "ref": "a", "to": PHONE, "text": 'Kính gửi "A"'} == entry


def test_without_memory_a_repeat_is_delivered_again(sender: Sender) -> None:
    """A vendor that knows no references sends twice, and the ledger says so."""
    refs = new_refs(1)
    assert ["0", "0"] == [sender.send(refs[0])["status"] for _ in range(2)]
    assert [2] == sender.delivered(refs)


def test_a_known_reference_is_not_delivered_again(sender: Sender) -> None:
    """Within the window a repeat is answered with 124, alone and in a batch."""
    sender.double.control(dedup_seconds=3600)
    first, second = new_refs(2)
    sender.send(first)
    assert "124" == sender.send(first)["status"]
    assert ["124", "0", "124"] == [each["status"] for each in sender.batch([first, second, second])]
    assert [1, 1] == sender.delivered([first, second])


def test_a_reference_is_forgotten_after_the_window(sender: Sender) -> None:
    """Behind the window, and not before, a repeat is delivered again."""
    sender.double.control(dedup_seconds=0.2)
    (ref,) = new_refs(1)
    sender.send(ref)
    until(lambda: sender.send(ref)["status"] == "0")
    first, second = [entry["at"] for entry in sender.double.ledger() if entry["ref"] == ref]
    assert second - first >= 0.2


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer another key"}])
def test_without_the_key_nothing_is_done(sender: Sender, header: dict[str, str]) -> None:
    """A wrong or missing key is answered with 401 by each call, and delivers nothing."""
    refs = new_refs(1)
    url = sender.double.url
    answers = [requests.post(f"{url}/send", json=message(refs[0]), headers=header, timeout=9)]
    answers += [
        requests.get(url + path, headers=header, timeout=9)
        for path in ("/status?ref=a", "/balance", "/receipts?after=0")
    ]
    assert [401] * 4 == [answer.status_code for answer in answers]
    assert {"status": "401", "message": "wrong key"} == answers[0].json()
    assert [0] == sender.delivered(refs)
    assert "wrong-key" == sender.double.arrivals()[-1]["done"]


@pytest.mark.parametrize(
    "body",
    [[], "text", 1, {}, {"messages": []}, {"messages": [{}]}, message("a") | {"to": 84912345678}],
)
def test_what_is_no_message_is_refused(sender: Sender, body: Any) -> None:
    """A send of a wrong shape is answered with 400 and delivers nothing."""
    before = sender.double.ledger()
    assert 400 == sender.post(body).status_code
    assert before == sender.double.ledger()
    assert "malformed" == sender.double.arrivals()[-1]["done"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"to": "+84912345678"}, "13"), ({"to": "12"}, "13"), ({"text": ""}, "146")],
)
def test_a_wrong_number_or_text_is_refused(
    sender: Sender, changes: dict[str, str], status: str
) -> None:
    """A number that is not 84 and digits, or a text without a letter, is never delivered."""
    refs = new_refs(1)
    assert status == sender.send(refs[0], **changes)["status"]
    assert [0] == sender.delivered(refs)


def test_a_status_query_answers_each_reference(sender: Sender) -> None:
    """What was delivered has its id and state, what was never taken is 404, in order."""
    sender.double.control(receipts="never")
    known, strange = new_refs(2)
    found = sender.send(known)["id"]
    assert [
        {"ref": strange, "status": "404"},
        {"ref": known, "status": "0", "id": found, "state": "accepted"},
    ] == sender.get(f"/status?ref={strange}&ref={known}")["results"]


@pytest.mark.parametrize(("share", "state"), [(0, "delivered"), (1, "undelivered")])
def test_a_status_follows_the_receipt(sender: Sender, share: int, state: str) -> None:
    """When the receipt has come, the status query says the same."""
    sender.double.control(undelivered=share)
    (ref,) = new_refs(1)
    sender.send(ref)
    assert state == until(lambda: {sender.state(ref)} - {"accepted"}).pop()


def test_a_balance_runs_out_in_the_middle_of_a_batch(sender: Sender) -> None:
    """What is left is delivered, the rest is refused with 103, and the balance says 0."""
    sender.double.control(balance=3)
    refs = new_refs(5)
    assert {"amount": 3, "currency": "VND"} == sender.get("/balance")
    assert ["0", "0", "0", "103", "103"] == [each["status"] for each in sender.batch(refs)]
    assert [1, 1, 1, 0, 0] == sender.delivered(refs)
    assert {"amount": 0, "currency": "VND"} == sender.get("/balance")


def test_what_is_not_delivered_is_not_paid(sender: Sender) -> None:
    """A refused message leaves the balance as it was."""
    sender.double.control(balance=3)
    sender.send(*new_refs(1), to="12")
    assert 3 == sender.get("/balance")["amount"]


@pytest.mark.parametrize("size", [1, 5])
def test_no_second_has_more_than_the_limit(sender: Sender, size: int) -> None:
    """Whoever goes on without a pause is held to the limit in every second, however it is laid."""
    limit = 10
    sender.double.control(per_second=limit)
    refs = new_refs(limit + 5)
    codes: list[int] = []

    def is_taken(some: list[str]) -> bool:
        answer = sender.post({"messages": [message(ref) for ref in some]})
        codes.append(answer.status_code)
        return codes[-1] == 200

    for start in range(0, len(refs), size):
        until(partial(is_taken, refs[start : start + size]))
    assert {200, 429} == set(codes)
    assert [1] * len(refs) == sender.delivered(refs)
    times = [entry["at"] for entry in sender.double.ledger() if entry["ref"] in refs]
    # The limiter looks at its clock a moment after the arrival was timed.
    assert min(times[limit + n] - times[n] for n in range(5)) >= 0.99


def test_a_batch_beyond_the_limit_is_throttled_as_a_whole(sender: Sender) -> None:
    """The limit counts messages, and 429 says when to come again."""
    sender.double.control(per_second=2)
    refs = new_refs(3)
    answer = sender.post({"messages": [message(ref) for ref in refs]})
    assert (429, "1") == (answer.status_code, answer.headers["Retry-After"])
    assert [0, 0, 0] == sender.delivered(refs)


def test_each_so_manieth_send_is_throttled(sender: Sender) -> None:
    """The setting hits exactly the third, the sixth and so on."""
    sender.double.control(throttle_every=3)
    refs = new_refs(7)
    codes = [sender.post(message(ref)).status_code for ref in refs]
    assert [200, 200, 429, 200, 200, 429, 200] == codes
    assert [1, 1, 0, 1, 1, 0, 1] == sender.delivered(refs)


# -- the wire --------------------------------------------------------------------------------------


def test_a_connection_serves_several_sends(sender: Sender) -> None:
    """Keep-alive works, also when requests come in one piece and in many."""
    refs = new_refs(3)
    with ExitStack() as stack:
        connection = stack.enter_context(sender.connect())
        lines = stack.enter_context(connection.makefile("rb"))
        connection.sendall(sender.raw(refs[0]))
        answers = [read_answer(lines)]
        whole = sender.raw(refs[1])
        for place in range(len(whole)):
            connection.sendall(whole[place : place + 1])
        answers.append(read_answer(lines))
        connection.sendall(sender.raw(refs[2]))
        answers.append(read_answer(lines))
    assert [b"HTTP/1.1 200 OK\r\n"] * 3 == [first for first, _ in answers]
    assert refs == [json.loads(body)["ref"] for _, body in answers]


def test_a_second_request_waits_for_the_first(sender: Sender) -> None:
    """What is sent before an answer has come is answered after it, in its order."""
    sender.double.control(faults={"accept-then-stall": {"first": 1, "seconds": 0.3}})
    refs = new_refs(3)
    with sender.connect() as connection, connection.makefile("rb") as lines:
        connection.sendall(sender.raw(refs[0]))
        until(lambda: sender.delivered(refs[:1]) == [1])
        connection.sendall(sender.raw(refs[1]) + sender.raw(refs[2]))
        answers = [read_answer(lines) for _ in refs]
    assert refs == [json.loads(body)["ref"] for _, body in answers]


def test_a_send_that_is_cut_is_not_delivered(sender: Sender) -> None:
    """A request without its last byte never counts."""
    cut, whole = new_refs(2)
    with sender.connect() as connection:
        connection.sendall(sender.raw(cut)[:-1])
    sender.send(whole)
    assert [0, 1] == sender.delivered([cut, whole])
    assert [[whole]] == [each["refs"] for each in sender.double.arrivals()[-1:]]


@pytest.mark.parametrize(
    "line", [b"nonsense", b"POST /send HTTP/1.1\r\nTransfer-Encoding: chunked"]
)
def test_what_is_no_request_is_refused(sender: Sender, line: bytes) -> None:
    """A request that the server cannot read is answered with 400 and the connection closed."""
    with sender.connect() as connection, connection.makefile("rb") as lines:
        connection.sendall(line + b"\r\n\r\n")
        assert b"HTTP/1.1 400" == lines.read()[:12]


def test_an_unknown_call_is_404(sender: Sender) -> None:
    """Neither a strange path nor a wrong method is taken for a call."""
    url = sender.double.url
    assert [404, 404] == [
        requests.get(url + path, timeout=9).status_code for path in ("/send", "/other")
    ]


def test_it_delivers_before_it_answers(start: Start) -> None:
    """Latency is before the answer, not before the delivery: a killed sender finds it done."""
    sender = start(latency_ms=3_600_000)
    with sender.connect() as connection:
        connection.sendall(sender.raw("a"))
        until(lambda: sender.delivered(["a"]) == [1])
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_an_answer_takes_the_latency(sender: Sender) -> None:
    """No answer of the vendor comes earlier than the latency."""
    sender.double.control(latency_ms=50)
    before = time.monotonic()
    sender.send(*new_refs(1))
    sender.get("/balance")
    assert time.monotonic() - before >= 0.1


def test_hundreds_wait_side_by_side(sender: Sender) -> None:
    """Slow answers do not queue behind each other: 300 half seconds are not 150 seconds."""
    sender.double.control(latency_ms=500)
    refs = new_refs(300)
    before = time.monotonic()
    with ExitStack() as stack:
        connections = [stack.enter_context(sender.connect()) for _ in refs]
        for ref, connection in zip(refs, connections, strict=True):
            connection.sendall(sender.raw(ref))
        lines = [stack.enter_context(each.makefile("rb")) for each in connections]
        answers = [json.loads(read_answer(each)[1])["ref"] for each in lines]
    assert refs == answers
    assert time.monotonic() - before < 20
