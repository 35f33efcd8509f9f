"""The receipts of the HTTP double: when they come, in which order, fetched and pushed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.doubles.conftest import PATIENCE, Office, Sender, read_answer, until

Start = Callable[..., Sender]


def fetched(sender: Sender, count: int) -> list[dict[str, Any]]:
    """The receipts, as soon as there are so many."""

    def enough() -> Any:
        found = sender.get("/receipts?after=0")["receipts"]
        return found if len(found) >= count else None

    return list(until(enough))


def states(receipts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Reference and state of each receipt."""
    return [(each["ref"], each["state"]) for each in receipts]


# -- fetched ---------------------------------------------------------------------------------------


def test_a_delivered_message_has_a_receipt(start: Start) -> None:
    """A receipt has a number, both names of the message, its state and the vendor's code."""
    sender = start()
    sender.send("a")
    assert {
        "receipts": [{"n": 1, "id": "D-1", "ref": "a", "state": "delivered", "code": "000"}],
        "last": 1,
    } == sender.get("/receipts?after=0")


def test_what_was_refused_has_none(start: Start) -> None:
    """Receipts speak of delivered messages only."""
    sender = start(faults={"refuse-number": {"refs": ["a"]}})
    sender.batch(["a", "b"])
    assert [("b", "delivered")] == states(fetched(sender, 1))


def test_receipts_are_fetched_bit_by_bit(start: Start) -> None:
    """Each answer goes on behind the last number, and an empty one stays where it is."""
    sender = start(receipts_at_once=2)
    sender.batch(["a", "b", "c"])
    first = sender.get("/receipts?after=0")
    second = sender.get(f"/receipts?after={first['last']}")
    third = sender.get(f"/receipts?after={second['last']}")
    assert [[1, 2], [3], []] == [
        [each["n"] for each in answer["receipts"]] for answer in (first, second, third)
    ]
    assert [2, 3, 3] == [answer["last"] for answer in (first, second, third)]


def test_a_place_that_is_no_number_is_refused(sender: Sender) -> None:
    """Whoever loses count is told so, and does not begin anew unnoticed."""
    assert "400" == sender.get("/receipts?after=x")["status"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["delivered"]),
        ({"in_transit": True}, ["in-transit", "delivered"]),
        ({"undelivered": 1}, ["undelivered"]),
        ({"receipts": "early"}, ["delivered"]),
        ({"receipts": "twice"}, ["delivered", "delivered"]),
        ({"receipts": "twice", "in_transit": True}, ["in-transit"] * 2 + ["delivered"] * 2),
        ({"receipts": "reordered"}, ["delivered", "in-transit"]),
        ({"receipts": "contradictory"}, ["delivered", "undelivered"]),
        ({"faults": {"duplicate-receipts": 1}}, ["delivered", "delivered"]),
    ],
    ids=str,
)
def test_each_mode_has_its_receipts(
    start: Start, settings: dict[str, Any], expected: list[str]
) -> None:
    """The receipts of one message, in the order in which they come."""
    sender = start(**settings)
    sender.send("a")
    sender.double.control(receipts="normal", in_transit=False, undelivered=0, faults={})
    sender.send("last")
    found = until(
        lambda: (
            {"a", "last"} == {each["ref"] for each in sender.double.receipts()}
            and sender.double.receipts()
        )
    )
    assert [("a", state) for state in expected] == [
        each for each in states(found) if each[0] == "a"
    ]


def test_reordered_messages_change_places(start: Start) -> None:
    """Of two messages the second one's receipts come first; a third does not wait for ever."""
    sender = start(receipts="reordered")
    for ref in ("a", "b", "c"):
        sender.send(ref)
    found = states(fetched(sender, 6))
    assert ["b", "b", "a", "a", "c", "c"] == [ref for ref, _ in found]


def test_a_final_state_stays(start: Start) -> None:
    """A status query does not go back when a receipt that is not final comes last."""
    sender = start(receipts="reordered")
    sender.batch(["a", "b"])
    assert "in-transit" == fetched(sender, 4)[-1]["state"]
    assert ["delivered", "delivered"] == [sender.state(ref) for ref in ("a", "b")]


def test_the_seed_says_what_is_undelivered(start: Start) -> None:
    """The same seed has the same fate for each message, another seed has another."""
    refs = [f"ref-{number}" for number in range(40)]
    fates = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sender = start(name, seed=seed, undelivered=0.5)
        sender.batch(refs)
        fates.append(states(fetched(sender, 40)))
    assert fates[0] == fates[1] != fates[2]


def test_a_receipt_for_an_id_that_never_was(start: Start) -> None:
    """Beside the true one there is one for an id and a reference that nobody knows."""
    sender = start(receipts="unknown-id")
    sender.send("a")
    true, strange = fetched(sender, 2)
    assert "D-1" == true["id"]
    assert strange["id"] not in {entry["id"] for entry in sender.double.ledger()}
    assert "404" == sender.state(strange["ref"])


def test_receipts_may_never_come(start: Start) -> None:
    """A silent vendor has none, also for what it delivered before a later one had some."""
    sender = start(receipts="never")
    sender.send("a")
    sender.double.control(receipts="normal")
    sender.send("b")
    assert [("b", "delivered")] == states(fetched(sender, 1))


def test_an_early_receipt_is_there_before_the_answer(start: Start) -> None:
    """While the sender still waits for the answer, the receipt is there; else it is not."""
    sender = start(latency_ms=3_600_000, receipts="normal")
    with sender.connect() as first, sender.connect() as second:
        first.sendall(sender.raw("a"))
        until(lambda: sender.delivered(["a"]) == [1])
        sender.double.control(receipts="early")
        second.sendall(sender.raw("b"))
        assert [("b", "delivered")] == states(until(sender.double.receipts))


def test_a_receipt_is_due_after_its_delay(start: Start) -> None:
    """A delayed receipt comes later than one without delay that was asked for after it."""
    sender = start(receipt_delay_ms=3_600_000)
    sender.send("a")
    sender.double.control(receipt_delay_ms=0)
    sender.send("b")
    assert [("b", "delivered")] == states(fetched(sender, 1))


def test_receipts_outlive_an_outage(start: Start) -> None:
    """Old receipts keep their numbers, and those that were not due yet come afterwards."""
    sender = start()
    sender.send("a")
    fetched(sender, 1)
    sender.double.control(receipt_delay_ms=3_600_000)
    sender.send("b")
    sender.double.restart(receipt_delay_ms=0)
    assert [(1, "a"), (2, "b")] == [(each["n"], each["ref"]) for each in fetched(sender, 2)]
    assert "delivered" == sender.state("a")


# -- pushed ----------------------------------------------------------------------------------------


def test_receipts_are_pushed(start: Start, office: Office) -> None:
    """Each receipt is posted alone, as it can be fetched, in order and with the token."""
    sender = start(callback_url=office.url, callback_token="secret")
    sender.batch(["a", "b"])
    until(lambda: len(office.receipts) == 2)
    assert sender.double.receipts() == office.receipts
    assert ["secret", "secret"] == office.tokens
    until(lambda: sender.double.counts()["pushed"] == 2)


def test_an_early_receipt_is_pushed_before_the_answer(start: Start, office: Office) -> None:
    """The answer to the send waits until the push has been answered."""
    sender = start(callback_url=office.url, receipts="early")
    office.may_answer.clear()
    with sender.connect() as connection, connection.makefile("rb") as lines:
        connection.sendall(sender.raw("a"))
        until(lambda: office.receipts)
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        office.may_answer.set()
        connection.settimeout(PATIENCE)
        assert b"HTTP/1.1 200 OK\r\n" == read_answer(lines)[0]


def test_a_push_is_tried_again(start: Start, office: Office) -> None:
    """What was not answered with 2xx comes once more, and the next one waits behind it."""
    office.statuses += [503, 302, 204, 200]
    sender = start(callback_url=office.url, callback_pause_ms=1)
    sender.batch(["a", "b"])
    until(lambda: sender.double.counts()["pushed"] == 2)
    assert ["a", "a", "a", "b"] == [each["ref"] for each in office.receipts]


def test_a_push_is_given_up(start: Start, office: Office) -> None:
    """After so many tries a receipt is not pushed any more; it can still be fetched."""
    office.statuses += [500, 500]
    sender = start(callback_url=office.url, callback_pause_ms=1, callback_tries=2)
    sender.batch(["a", "b"])
    until(lambda: sender.double.counts()["pushed"] == 1)
    assert ["a", "a", "b"] == [each["ref"] for each in office.receipts]
    assert ["a", "b"] == [each["ref"] for each in fetched(sender, 2)]


def test_nobody_listens(start: Start, office: Office) -> None:
    """A push that nobody takes keeps neither sends nor later pushes back."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        sender = start(callback_url=url, callback_tries=2, callback_pause_ms=1)
        sender.send("a")
        sender.double.control(callback_url=office.url)
        assert "0" == sender.send("b")["status"]
        until(lambda: "b" in [each["ref"] for each in office.receipts])
