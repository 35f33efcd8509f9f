"""What waits, what is in doubt, what comes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from smsengine.lifecycle import MessageState, RunState
from smsengine.planning.order import Resend
from smsengine.store import claims, outbox
from smsengine.store.claims import Part
from smsengine.store.outbox import OpenDoubts, Repeats
from tests.conftest import START, Office, row, rows
from tests.store.conftest import LATER, SETTLED, claim

LAST = 2**31 - 1
HOUR = timedelta(hours=1)


def ask(office: Office, statement: Any, *values: Any, **named: Any) -> Any:
    """What a statement gives that only reads."""
    with office.store.read() as connection:
        return statement(connection, *values, **named)


def write(office: Office, statement: Any, *values: Any, **named: Any) -> Any:
    """What a statement gives in a transaction of its own."""
    with office.store.write() as connection:
        return statement(connection, *values, **named)


def doubt(office: Office, places: str, *, since: datetime = START, due: datetime = START) -> None:
    """Messages of ``trial`` of which nobody knows anything."""
    office.change(
        f"UPDATE messages SET state = 'unknown', gateway = 'trial', attempt = 1, burnt = 1,"
        f" unknown_since = '{stored(since)}', due_at = '{stored(due)}' WHERE place IN ({places})"
    )


def stored(instant: datetime) -> str:
    """An instant as both databases read it."""
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f")


# -- parts of a run --------------------------------------------------------------------------------


@pytest.fixture
def mixed(office: Office) -> Office:
    """A run of six messages to the networks of three telcos."""
    cells = ["0961234567", "0912345678", "0901234567"] * 2
    given = [row(number, cell=f"{cell[:-1]}{number}") for number, cell in enumerate(cells, 2)]
    office.released(given)
    return office


@pytest.mark.parametrize(
    ("parts", "places"),
    [
        ((Part(),), [1, 2, 3, 4, 5, 6]),
        ((Part(networks=("Viettel",)),), [1, 4]),
        ((Part(networks=("Viettel", "VinaPhone")),), [1, 2, 4, 5]),
        ((Part(except_networks=("Viettel",)),), [2, 3, 5, 6]),
        ((Part(whole=3, low=0, high=1),), [3, 6]),
        ((Part(whole=3, low=1, high=3),), [1, 2, 4, 5]),
        ((Part(networks=("Viettel",), whole=2, low=0, high=1),), [4]),
        ((Part(networks=("Viettel",)), Part(networks=("MobiFone",))), [1, 3, 4, 6]),
    ],
)
def test_a_gateway_claims_its_parts(
    mixed: Office, parts: tuple[Part, ...], places: list[int]
) -> None:
    """By network, by share, or both."""
    assert places == [message.place for message in claim(mixed.store, parts=parts)]


def test_what_is_pinned_is_nobody_else_s(mixed: Office) -> None:
    """Without parts a gateway claims what is pinned to it, and with parts only what is free."""
    mixed.change("UPDATE messages SET gateway = 'trial' WHERE place = 2")
    mixed.change("UPDATE messages SET gateway = 'other' WHERE place = 3")
    assert ([2], [1, 4, 5, 6]) == (
        [message.place for message in claim(mixed.store, parts=None)],
        [message.place for message in claim(mixed.store)],
    )


def test_a_search_goes_on_behind_a_place(mixed: Office) -> None:
    """What lies before it is not looked at."""
    assert [4, 5] == [message.place for message in claim(mixed.store, after=3, upto=5)]


# -- what waits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "elsewhere"),
    [
        ("", True),
        ("state = 'accepted', settled_at = due_at", False),
        ("gateway = 'first'", False),
        ("gateway = 'second'", True),
        ("gateway = 'third'", False),
        ("state = 'sending', worker = 'w', lease_until = due_at, gateway = 'first'", True),
        ("state = 'unknown', gateway = 'second'", False),
    ],
)
def test_whether_others_may_take_what_waits(five: Office, change: str, *, elsewhere: bool) -> None:
    """What is pinned to refused gateways waits for nobody else; what is sent may come back."""
    five.change("UPDATE messages SET state = 'accepted', settled_at = due_at WHERE place > 1")
    if change:
        five.change(f"UPDATE messages SET {change} WHERE place = 1")
    refused = ["first", "third"]
    assert elsewhere == ask(five, outbox.waits_elsewhere, 1, upto=LAST, gateways=refused)


def test_only_what_is_released_counts(five: Office) -> None:
    """A later wave does not wait for anybody yet."""
    five.change("UPDATE messages SET gateway = 'first' WHERE place <= 2")
    found = [ask(five, outbox.waits_elsewhere, 1, upto=upto, gateways=["first"]) for upto in (2, 3)]
    assert [False, True] == found


# -- doubts ----------------------------------------------------------------------------------------


def test_the_oldest_question_comes_first(five: Office) -> None:
    """And no more at once than a gateway is asked about."""
    for place in (1, 2, 3):
        doubt(five, str(place), due=START - timedelta(minutes=place))
    found = ask(five, outbox.doubts_due, "trial", now=START, repeats=None, limit=2)
    assert [3, 2] == [each.id for each in found]


@pytest.mark.parametrize(
    ("due", "gateway", "asked"),
    [
        (START, "trial", True),
        (START + timedelta(seconds=1), "trial", False),
        (START, "other", False),
    ],
)
def test_when_a_gateway_is_asked(five: Office, due: datetime, gateway: str, *, asked: bool) -> None:
    """When it is time, and only about its own messages."""
    doubt(five, "1", due=due)
    found = ask(five, outbox.doubts_due, gateway, now=START, repeats=None, limit=9)
    assert asked == bool(found)


def test_what_can_be_repeated_is_not_asked_about(five: Office) -> None:
    """Only what is too old, or was tried too often, is."""
    five.change("UPDATE runs SET state = 'sending'")
    doubt(five, "1, 2, 3", since=START - timedelta(minutes=1))
    doubt(five, "2", since=START - HOUR)
    five.change("UPDATE messages SET burnt = 8 WHERE place = 3")
    repeats = Repeats(since=START - timedelta(minutes=30), burnt_below=8)
    found = ask(five, outbox.doubts_due, "trial", now=START, repeats=repeats, limit=9)
    again = write(
        five, claims.claim_repeats, gateway="trial", worker="w", now=START, repeats=repeats, limit=9
    )
    assert ({2, 3}, [1]) == ({each.id for each in found}, [message.id for message in again])


def test_what_was_told_anew_is_not_repeated(five: Office) -> None:
    """Its new edition is sent in its place."""
    five.change("UPDATE runs SET state = 'finished'")
    doubt(five, "1, 2, 3, 4, 5")
    five.plan(rows(1), resend=Resend.UNKNOWN, reason="nobody knows")
    repeats = Repeats(since=START - HOUR, burnt_below=8)
    again = write(
        five, claims.claim_repeats, gateway="trial", worker="w", now=START, repeats=repeats, limit=9
    )
    assert [2, 3, 4, 5] == sorted(message.id for message in again)


@pytest.mark.parametrize(
    ("can_query", "repeats", "found"),
    [
        (True, None, {1, 2}),
        (True, Repeats(since=START - timedelta(minutes=30), burnt_below=8), {1, 2}),
        (False, Repeats(since=START - timedelta(minutes=30), burnt_below=8), {1}),
    ],
)
def test_which_doubts_will_be_settled_soon(
    five: Office, repeats: Repeats | None, found: set[int], *, can_query: bool
) -> None:
    """Whoever waits for a run waits for these, and not for what is due much later."""
    doubt(five, "1", since=START - timedelta(minutes=1))
    doubt(five, "2", since=START - HOUR)
    doubt(five, "3", due=START + HOUR)
    soon = OpenDoubts(
        gateway="trial", due_by=START + timedelta(seconds=10), can_query=can_query, repeats=repeats
    )
    assert found == ask(five, outbox.open_doubts, 1, soon)


def test_the_next_question_is_put_off(five: Office) -> None:
    """Of what is still unknown, and of nothing that has been settled meanwhile."""
    doubt(five, "1, 2")
    five.change("UPDATE messages SET state = 'accepted', settled_at = due_at WHERE place = 2")
    write(five, outbox.ask_again, [1, 2], LATER)
    later = "SELECT place FROM messages WHERE due_at > (SELECT min(due_at) FROM messages)"
    assert [(1,)] == five.all(later)


@pytest.mark.parametrize(
    ("age", "wait"),
    [(0, 20), (30, 20), (60, 20), (90, 30), (600, 200), (2700, 900), (86_400, 900)],
)
def test_the_older_a_doubt_the_rarer_the_questions(age: int, wait: int) -> None:
    """A third of its age, between twenty seconds and a quarter of an hour."""
    since = START - timedelta(seconds=age)
    assert START + timedelta(seconds=wait) == outbox.next_question(since, START)


@pytest.mark.parametrize(("attempt", "moved"), [(None, [1]), (1, [1]), (2, [])])
def test_a_proof_is_about_one_hand_over(
    five: Office, attempt: int | None, moved: list[int]
) -> None:
    """What was heard before the message was handed over again says nothing about that."""
    doubt(five, "1")
    found = write(five, outbox.resolve, [1], MessageState.QUEUED, now=START, attempt=attempt)
    assert moved == found


# -- what comes back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "after", "message"),
    [
        ("sending", "sending", "queued"),
        ("paused", "paused", "queued"),
        ("finished", "sending", "queued"),
        ("cancelled", "cancelled", "cancelled"),
    ],
)
def test_what_comes_back_into_a_run(five: Office, state: str, after: str, message: str) -> None:
    """One that had ended goes on; one that was withdrawn withdraws it."""
    five.change("UPDATE runs SET state = ?", state)
    write(five, outbox.take_back, [1], now=LATER)
    assert (RunState(after), message) == (five.run(1).state, five.states()[0])


@pytest.mark.parametrize(("newer", "state"), [("queued", "cancelled"), ("cancelled", "queued")])
def test_what_comes_back_although_it_was_told_anew(five: Office, newer: str, state: str) -> None:
    """The new edition counts, unless it was withdrawn itself."""
    five.change("UPDATE runs SET state = 'finished'")
    doubt(five, "1")
    five.plan(rows(1), resend=Resend.UNKNOWN, reason="nobody knows")
    five.change(f"UPDATE messages SET state = ?, settled_at = {SETTLED} WHERE revision = 2", newer)
    five.change("UPDATE messages SET state = 'queued' WHERE id = 1")
    write(five, outbox.take_back, [1], now=LATER)
    assert state == five.states()[0]


def test_nothing_comes_back_from_nowhere(five: Office) -> None:
    """Without messages nothing is looked at, and settled ones are left alone."""
    five.change("UPDATE runs SET state = 'cancelled'")
    five.change(f"UPDATE messages SET state = 'accepted', settled_at = {SETTLED}")
    for ids in ([], [1, 2]):
        write(five, outbox.take_back, ids, now=LATER)
    assert ["accepted"] * 5 == five.states()
