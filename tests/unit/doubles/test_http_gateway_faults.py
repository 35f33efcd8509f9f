"""The fault menu of the HTTP double: what each fault delivers, shows, and when it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.doubles.http_faults import OF_A_BATCH, STATUS_OF, Fault
from tests.unit.doubles.conftest import Sender, message, new_refs, read_answer, until

Start = Callable[..., Sender]
#: What a sender sees of each fault that a single message can have, and whether it was delivered.
SEEN: dict[Fault, tuple[str, int]] = {
    Fault.ACCEPT_THEN_DROP: ("closed", 1),
    Fault.ACCEPT_THEN_STALL: ("time-out", 1),
    Fault.DROP: ("closed", 0),
    Fault.STALL: ("time-out", 0),
    Fault.LATE: ("closed", 0),
    Fault.ERROR_AFTER_ACCEPT: ("HTTP 500", 1),
    Fault.ERROR: ("HTTP 500", 0),
    Fault.UNAVAILABLE: ("HTTP 503", 0),
    Fault.HTML: ("text/html", 1),
    Fault.HTML_NOT_DELIVERED: ("text/html", 0),
    Fault.HALF_ANSWER: ("cut", 1),
    Fault.SLOW_DRIP: ("0", 1),
    Fault.THROTTLE: ("HTTP 429", 0),
    Fault.REFUSE_NUMBER: ("13", 0),
    Fault.REFUSE_CONTENT: ("146", 0),
    Fault.REFUSE_SENDER: ("104", 0),
    Fault.TRY_LATER: ("21", 0),
    Fault.DEFER: ("99", 0),
    Fault.DUPLICATE_RECEIPTS: ("0", 1),
}


def quick(fault: Fault) -> dict[str, float]:
    """A fault that need not last; a late one would be taken before the test looks."""
    return {} if fault is Fault.LATE else {"seconds": 0.001}


def seen(sender: Sender, ref: str, *, timeout: float = 20) -> str:
    """What somebody sees who sends one message."""
    try:
        answer = sender.post(message(ref), timeout=timeout)
    except requests.exceptions.ChunkedEncodingError:
        return "cut"
    except requests.ConnectionError:
        return "closed"
    except requests.Timeout:
        return "time-out"
    if answer.status_code != 200:
        return f"HTTP {answer.status_code}"
    if answer.headers["Content-Type"] != "application/json":
        return answer.headers["Content-Type"]
    return str(answer.json()["status"])


def hit(sender: Sender, refs: list[str]) -> list[bool]:
    """Which of these messages, sent one by one, had the fault that closes the connection."""
    return [seen(sender, ref) == "closed" for ref in refs]


# -- each fault ------------------------------------------------------------------------------------


def test_each_fault_is_tested() -> None:
    """The table of this module and the faults of a batch are the whole menu."""
    assert set(Fault) == SEEN.keys() | OF_A_BATCH


@pytest.mark.parametrize("fault", SEEN)
def test_a_fault_delivers_and_shows_what_it_says(sender: Sender, fault: Fault) -> None:
    """What the sender sees and what was really delivered are two things."""
    patience = 0.3 if fault in (Fault.STALL, Fault.ACCEPT_THEN_STALL) else 20
    seconds = {"seconds": 0.001} if fault is Fault.SLOW_DRIP else {}
    sender.double.control(faults={fault: seconds})
    refs = new_refs(1)
    shown = seen(sender, refs[0], timeout=patience)
    assert SEEN[fault] == (shown, sender.delivered(refs)[0])
    arrival = sender.double.arrivals()[-1]
    assert ("answered" if fault in STATUS_OF else fault, refs) == (arrival["done"], arrival["refs"])


@pytest.mark.parametrize("fault", SEEN)
def test_a_status_query_tells_what_was_delivered(sender: Sender, fault: Fault) -> None:
    """After each fault a query says 404 exactly when the message was not taken."""
    sender.double.control(faults={fault: quick(fault)})
    (ref,) = new_refs(1)
    seen(sender, ref)
    assert (SEEN[fault][1] == 0) == (sender.state(ref) == "404")


@pytest.mark.parametrize("fault", [fault for fault, (_, count) in SEEN.items() if count])
def test_the_memory_covers_what_the_sender_did_not_see(sender: Sender, fault: Fault) -> None:
    """With a memory, a repeat after any fault that delivered is 124 and not a second message."""
    sender.double.control(dedup_seconds=3600, faults={fault: {"attempts": 1, **quick(fault)}})
    refs = new_refs(1)
    seen(sender, refs[0])
    assert ("124", [1]) == (seen(sender, refs[0]), sender.delivered(refs))


@pytest.mark.parametrize("fault", [fault for fault, (_, count) in SEEN.items() if not count])
def test_what_was_not_delivered_can_be_sent_again(sender: Sender, fault: Fault) -> None:
    """A fault that delivered nothing leaves nothing in the vendor's memory."""
    sender.double.control(dedup_seconds=3600, faults={fault: {"attempts": 1, **quick(fault)}})
    refs = new_refs(1)
    seen(sender, refs[0])
    assert ("0", [1]) == (seen(sender, refs[0]), sender.delivered(refs))


@pytest.mark.parametrize(
    ("fault", "end"), [(Fault.ACCEPT_THEN_STALL, "0"), (Fault.STALL, "closed")]
)
def test_a_stall_ends(sender: Sender, fault: Fault, end: str) -> None:
    """Who waits long enough gets the answer, or sees the connection closed; not before."""
    sender.double.control(faults={fault: {"seconds": 0.1}})
    before = time.monotonic()
    assert end == seen(sender, *new_refs(1))
    assert time.monotonic() - before >= 0.1


def test_a_late_message_comes_all_the_same(sender: Sender) -> None:
    """A vendor that takes its time says that it does not know the message, and then delivers it."""
    sender.double.control(faults={"late": {"seconds": 0.2}})
    refs = new_refs(1)
    seen(sender, refs[0])
    assert "404" == sender.state(refs[0])
    assert until(lambda: sender.delivered(refs) == [1])


def test_a_half_answer_promises_more_than_it_has(sender: Sender) -> None:
    """Content-Length is that of the whole answer, and half of it comes."""
    sender.double.control(faults={"half-answer": 1})
    with sender.connect() as connection, connection.makefile("rb") as lines:
        connection.sendall(sender.raw(*new_refs(1)))
        head, _, body = lines.read().partition(b"\r\n\r\n")
    promised = int(head.partition(b"Content-Length: ")[2])
    assert (promised + 1) // 2 == len(body)


def test_a_dripping_answer_takes_its_time(sender: Sender) -> None:
    """Between two bytes there is a pause; the answer gets whole, and the next one comes."""
    sender.double.control(faults={"slow-drip": {"first": 1, "seconds": 0.002}})
    refs = new_refs(2)
    before = time.monotonic()
    answers = []
    with sender.connect() as connection, connection.makefile("rb") as lines:
        for ref in refs:
            connection.sendall(sender.raw(ref))
            answers.append(json.loads(read_answer(lines)[1])["ref"])
    assert refs == answers
    assert time.monotonic() - before >= 0.2  # a hundred bytes at least


@pytest.mark.parametrize(("seconds", "header"), [(7, "7"), (0.5, "1")])
def test_throttling_says_when_to_come_again(sender: Sender, seconds: float, header: str) -> None:
    """Retry-After is the rule's seconds, in whole ones."""
    sender.double.control(faults={"throttle": {"seconds": seconds}})
    assert header == sender.post(message(*new_refs(1))).headers["Retry-After"]


def test_a_deferral_says_until_when(sender: Sender) -> None:
    """The time of a deferral is the rule's, or so many seconds from now."""
    night = "2019-06-02T07:00:00+07:00"
    sender.double.control(faults={"defer": [{"first": 1, "not_before": night}, {"seconds": 60}]})
    assert night == sender.send(*new_refs(1))["not_before"]
    before = datetime.now(UTC).replace(microsecond=0)
    found = datetime.fromisoformat(sender.send(*new_refs(1))["not_before"])
    assert before + timedelta(seconds=60) <= found <= datetime.now(UTC) + timedelta(seconds=60)


def test_faults_come_on_top_of_refusals(sender: Sender) -> None:
    """A dropped answer does not mean delivered: the message behind it may be a refused one."""
    sender.double.control(faults={"accept-then-drop": 1, "refuse-content": 1})
    refs = new_refs(1)
    assert "closed" == seen(sender, refs[0])
    assert [0] == sender.delivered(refs)
    assert ["146"] == sender.double.arrivals()[-1]["statuses"]


# -- batches ---------------------------------------------------------------------------------------


def test_a_batch_breaks_off(sender: Sender) -> None:
    """The first of the batch are delivered, then the connection is closed without an answer."""
    sender.double.control(faults={"partial-drop": {"keep": 3}})
    refs = new_refs(5)
    with pytest.raises(requests.ConnectionError):
        sender.batch(refs)
    assert [1, 1, 1, 0, 0] == sender.delivered(refs)
    assert ["404", "404"] == [sender.state(ref) for ref in refs[3:]]


@pytest.mark.parametrize(
    ("fault", "delivered"),
    [
        ("missing-results", [1, 1, 1, 1]),
        ("missing-results-not-delivered", [1, 1, 0, 0]),
    ],
)
def test_an_answer_lacks_results(sender: Sender, fault: str, delivered: list[int]) -> None:
    """An answer without an item says nothing of it: it may or may not be delivered."""
    sender.double.control(faults={fault: 1})
    refs = new_refs(4)
    assert refs[:2] == [each["ref"] for each in sender.batch(refs)]
    assert delivered == sender.delivered(refs)


def test_results_come_in_another_order(sender: Sender) -> None:
    """Who matches results by place and not by reference is caught."""
    sender.double.control(faults={"reversed-results": 1})
    refs = new_refs(3)
    results = sender.batch(refs)
    assert refs[::-1] == [each["ref"] for each in results]
    ids = {entry["ref"]: entry["id"] for entry in sender.double.ledger()}
    assert [ids[ref] for ref in refs[::-1]] == [each["id"] for each in results]


def test_a_batch_may_be_refused_in_part(sender: Sender) -> None:
    """Faults of messages hit some of a batch and leave the others."""
    first, second, third = new_refs(3)
    sender.double.control(
        faults={"refuse-number": {"refs": [first]}, "try-later": {"refs": [third]}}
    )
    assert ["13", "0", "21"] == [each["status"] for each in sender.batch([first, second, third])]
    assert [0, 1, 0] == sender.delivered([first, second, third])


def test_faults_of_a_batch_leave_single_messages(sender: Sender) -> None:
    """A rule for batches neither hits nor counts a message that comes alone."""
    sender.double.control(faults={"partial-drop": {"first": 1}})
    assert "0" == seen(sender, *new_refs(1))
    with pytest.raises(requests.ConnectionError):
        sender.batch(new_refs(2))


# -- when they happen ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"first": 2}, [True, True, False, False, False, False]),
        ({"every": 3}, [False, False, True, False, False, True]),
        ({"every": 2, "first": 1}, [False, True, False, False, False, False]),
        ({"attempts": 0}, [False] * 6),
        (0, [False] * 6),
        (1, [True] * 6),
        ([{"first": 1}, {"every": 4}], [True, False, False, False, True, False]),
    ],
    ids=str,
)
def test_a_rule_hits_what_it_says(sender: Sender, rule: Any, expected: list[bool]) -> None:
    """The first, each so manieth, none or all; of two rules each counts what the other left."""
    sender.double.control(faults={"drop": rule})
    assert expected == hit(sender, new_refs(6))


def test_a_rule_may_name_references(sender: Sender) -> None:
    """A named message has the fault each time, also within a batch, and no other has it."""
    named, other = new_refs(2)
    sender.double.control(faults={"drop": {"refs": [named]}})
    assert [True, False, True] == hit(sender, [named, other, named])
    with pytest.raises(requests.ConnectionError):
        sender.batch([other, named])


def test_a_rule_may_hit_the_first_attempts(sender: Sender) -> None:
    """Each message fails so many times, and gets through after them."""
    sender.double.control(faults={"drop": {"attempts": 2}})
    one, other = new_refs(2)
    assert [True, True, True, False, True, False] == hit(
        sender, [one, other, one, one, other, other]
    )


def test_the_first_rule_of_the_menu_wins(sender: Sender) -> None:
    """Of two faults that would both happen it is the first of the menu, alone."""
    sender.double.control(faults={"error": {"every": 2}, "unavailable": 1})
    assert ["HTTP 503", "HTTP 500"] == [seen(sender, ref) for ref in new_refs(2)]


def test_a_share_does_not_depend_on_the_order(start: Start) -> None:
    """The same seed spoils the same messages, whichever comes first; another seed others."""
    refs = [f"ref-{number}" for number in range(40)]
    faults = {"drop": 0.5}
    forward = hit(start("a", seed=1, faults=faults), refs)
    backward = hit(start("b", seed=1, faults=faults), refs[::-1])
    assert forward == backward[::-1]
    assert forward != hit(start("c", seed=2, faults=faults), refs)


def test_a_share_is_about_kept(sender: Sender) -> None:
    """Of 400 messages about as many are spoiled as asked for."""
    sender.double.control(faults={"refuse-number": 0.25})
    refs = [f"share-{number}" for number in range(400)]
    statuses = [each["status"] for each in sender.batch(refs)]
    assert 60 <= statuses.count("13") <= 140


def test_a_share_is_drawn_for_each_attempt(sender: Sender) -> None:
    """A message that was spoiled once is not spoiled for ever."""
    sender.double.control(faults={"refuse-number": 0.5})
    (ref,) = new_refs(1)
    assert {"0", "13"} == {sender.send(ref)["status"] for _ in range(60)}


@pytest.mark.parametrize("path", ["/status", "/balance", "/receipts"])
def test_other_calls_fail_too(sender: Sender, path: str) -> None:
    """A rule with a path hits that call, counted from when it was set, and leaves the sends."""
    refs = new_refs(1)
    asked = f"{path}?ref={refs[0]}"
    sender.get(asked)
    sender.double.control(faults={"unavailable": {"path": path, "attempts": 1}})
    assert "0" == seen(sender, refs[0])
    assert "503" == sender.get(asked)["status"]
    assert "status" not in sender.get(asked)


def test_faults_are_gone_when_they_are_taken_back(sender: Sender) -> None:
    """A new menu replaces the old one at once."""
    sender.double.control(faults={"drop": 1})
    assert "closed" == seen(sender, *new_refs(1))
    sender.double.control(faults={})
    assert "0" == seen(sender, *new_refs(1))
