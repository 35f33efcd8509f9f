"""Hand-overs in the ledger: claimed once, settled by proof, lost or given back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from smsengine.lifecycle import MessageState
from smsengine.store import attempts, claims, messages, outbox
from tests.conftest import START, Office
from tests.store.conftest import LATER, SETTLED, carrier_of, claim, lose, settle, settlement

# -- claiming --------------------------------------------------------------------------------------


def test_each_message_is_claimed_once(five: Office) -> None:
    """Claimed again and again, every message is handed out exactly once."""
    taken = [
        message.id for worker in "abc" for message in claim(five.store, limit=2, worker=worker)
    ]
    assert ([1, 2, 3, 4, 5], []) == (taken, claim(five.store))


def test_a_claim_says_what_is_sent(five: Office) -> None:
    """What a worker gets is the message's row, with the attempt counted."""
    (message,) = claim(five.store, limit=1)
    row = five.all("SELECT dedup_key, address, network, text, segments FROM messages WHERE id = 1")
    assert (1, 1, 1, *row[0]) == (
        message.id,
        message.attempt,
        message.revision,
        message.dedup_key,
        message.address,
        message.network,
        message.text,
        message.segments,
    )


def test_a_claim_is_written_down(five: Office) -> None:
    """Who holds a message, until when, and for which gateway, is in the ledger."""
    claim(five.store, limit=1, worker="w7")
    with five.store.read() as connection:
        (held,) = attempts.held(connection)
    assert (1, 1, 1, "trial", "w7", START + claims.LEASE) == held


def test_claims_go_from_the_top(five: Office) -> None:
    """Messages are taken in the order of their places, whatever their numbers."""
    five.change("UPDATE messages SET place = 100 - place")
    assert [[5], [4], [3]] == [
        [message.id for message in claim(five.store, limit=1)] for _ in range(3)
    ]


def test_a_claim_comes_in_the_order_of_places(five: Office) -> None:
    """Also within one batch the top of the extract goes first."""
    five.change("UPDATE messages SET place = 100 - place")
    assert {1, 2, 3, 4, 5} == {message.id for message in claim(five.store)}


@pytest.mark.parametrize(("upto", "ids"), [(0, []), (1, [1]), (3, [1, 2, 3]), (9, [1, 2, 3, 4, 5])])
def test_a_wave_is_respected(five: Office, upto: int, ids: list[int]) -> None:
    """What is not released yet is not claimed."""
    assert ids == [message.id for message in claim(five.store, upto=upto)]


@pytest.mark.parametrize(
    ("due", "claimed"),
    [(START, 5), (START + timedelta(microseconds=1), 4), (START + timedelta(days=1), 4)],
)
def test_what_is_due_later_waits(five: Office, due: datetime, claimed: int) -> None:
    """A message that is due at this very instant is claimed, and one due later is not."""
    with five.store.write() as connection:
        connection.execute(
            messages.messages.update().where(messages.messages.c.id == 2).values(due_at=due)
        )
    assert claimed == len(claim(five.store))


@pytest.mark.parametrize("limit", [0, 1, 4, 5, 9])
def test_a_batch_has_its_size(five: Office, limit: int) -> None:
    """No more is claimed than asked for."""
    assert min(limit, 5) == len(claim(five.store, limit=limit))


@pytest.mark.parametrize("state", [state for state in MessageState if state != "queued"])
def test_only_queued_messages_are_claimed(five: Office, state: MessageState) -> None:
    """What is on its way, unknown or settled is not taken again."""
    five.change(
        f"UPDATE messages SET state = ?, carrier_id = {carrier_of(state)}, settled_at = {SETTLED},"
        f" worker = 'w', lease_until = {SETTLED}",
        state.value,
    )
    assert [] == claim(five.store)


def test_another_run_is_not_claimed(five: Office) -> None:
    """A worker that drains one run takes nothing of another."""
    assert [] == claim(five.store, run_id=2)


# -- settling --------------------------------------------------------------------------------------


def test_an_outcome_is_written(five: Office) -> None:
    """Message and attempt both say what came of it, and nobody holds the message any more."""
    (message,) = claim(five.store, limit=1)
    assert 1 == settle(five.store, "w1", settlement(message, MessageState.ACCEPTED))
    assert [("accepted", None, None, "g1", "00", "taken", "accepted", "00")] == five.all(
        "SELECT m.state, m.worker, m.lease_until, m.gateway_id, m.code, m.detail, a.outcome, a.code"
        " FROM messages m JOIN attempts a ON a.message_id = m.id"
    )


@pytest.mark.parametrize(
    ("state", "settled"),
    [
        (MessageState.ACCEPTED, True),
        (MessageState.REJECTED, True),
        (MessageState.QUEUED, False),
        (MessageState.UNKNOWN, False),
    ],
)
def test_only_what_is_settled_has_a_time_of_it(
    five: Office, state: MessageState, *, settled: bool
) -> None:
    """A message that waits again, or that nobody knows about, is not settled."""
    (message,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(message, state))
    assert [(state.value, settled)] == five.all(
        "SELECT state, settled_at IS NOT NULL FROM messages WHERE id = 1"
    )


def test_a_message_that_waits_again_is_due_later(five: Office) -> None:
    """After a throttled answer it is not claimed before its time."""
    (message,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(message, MessageState.QUEUED, gateway_id=None))
    assert (4, [1]) == (
        len(claim(five.store, now=LATER - timedelta(seconds=1))),
        [each.id for each in claim(five.store, now=LATER)],
    )


def test_another_worker_settles_nothing(five: Office) -> None:
    """Only who holds a message may say what became of it."""
    (message,) = claim(five.store, limit=1)
    assert 0 == settle(five.store, "w2", settlement(message, MessageState.REJECTED))
    assert "sending" == five.states()[0]


def test_an_earlier_attempt_settles_nothing(five: Office) -> None:
    """The same worker, late with its first attempt, does not settle its second."""
    (first,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(first, MessageState.QUEUED, due_at=START))
    claim(five.store, limit=1)
    assert 0 == settle(five.store, "w1", settlement(first, MessageState.REJECTED))
    assert "sending" == five.states()[0]


@pytest.mark.parametrize(
    "state", [state for state in MessageState if state not in ("sending", "unknown")]
)
def test_a_late_worker_settles_nothing(five: Office, state: MessageState) -> None:
    """A message that was taken from its worker keeps the state that it has got since."""
    (message,) = claim(five.store, limit=1)
    five.change(
        f"UPDATE messages SET state = ?, carrier_id = {carrier_of(state)}, settled_at = {SETTLED}"
        " WHERE id = 1",
        state.value,
    )
    assert 0 == settle(five.store, "w1", settlement(message, MessageState.ACCEPTED))
    assert state.value == five.states()[0]


def test_a_worker_that_was_taken_for_lost_still_has_its_word(five: Office) -> None:
    """Its outcome is the proof that was missing: the doubt ends, and its attempt with it."""
    (message,) = claim(five.store, limit=1)
    assert 1 == lose(five)
    assert 1 == settle(five.store, "w1", settlement(message, MessageState.ACCEPTED))
    assert [("accepted", True, "accepted", "00")] == five.all(
        "SELECT m.state, m.unknown_since IS NULL, a.outcome, a.code"
        " FROM messages m JOIN attempts a ON a.message_id = m.id"
    )


def test_a_word_that_comes_after_another_hand_over_changes_nothing(five: Office) -> None:
    """The first attempt's outcome is written down, and the message stays with the second."""
    (first,) = claim(five.store, limit=1)
    lose(five)
    with five.store.write() as connection:
        outbox.resolve(connection, [first.id], MessageState.QUEUED, now=START)
    claim(five.store, limit=1, worker="w2")
    assert 0 == settle(five.store, "w1", settlement(first, MessageState.ACCEPTED))
    assert "sending" == five.states()[0]


def test_what_is_lost_is_in_doubt_since_its_hand_over(five: Office) -> None:
    """Nobody holds it, its gateway and its age are known, and its attempt has ended."""
    claim(five.store, limit=1)
    lose(five)
    assert [("unknown", None, "trial", None, attempts.LOST, attempts.LOST)] == five.all(
        "SELECT m.state, m.lease_until, m.gateway, m.settled_at, m.code, a.code"
        " FROM messages m JOIN attempts a ON a.message_id = m.id"
    )
    with five.store.read() as connection:
        everything = messages.messages.select().order_by(messages.messages.c.id)
        ages = connection.execute(everything).mappings().all()
    assert [START, None, None, None, None] == [each["unknown_since"] for each in ages]


def test_what_never_left_waits_as_before(five: Office) -> None:
    """No attempt is burnt, nobody is named, and any gateway may take it."""
    claim(five.store)
    with five.store.write() as connection:
        assert 5 == attempts.free(connection, attempts.held(connection))
    assert [("queued", None, None, 0)] * 5 == five.all(
        "SELECT state, worker, gateway, burnt FROM messages"
    )
    assert [(0,)] == five.all("SELECT count(*) FROM attempts")


def test_giving_back_leaves_what_is_in_hand(five: Office) -> None:
    """Only what a worker has surely not handed over, of this gateway, is let go."""
    claim(five.store, limit=2)
    claim(five.store, limit=1, worker="w2")
    claim(five.store, limit=1, gateway="other")
    with five.store.write() as connection:
        given = attempts.give_back(connection, "w1", "trial", except_ids=[2])
    assert [1] == list(given)
    assert ["queued", "sending", "sending", "sending", "queued"] == five.states()


def test_a_message_that_is_given_back_is_no_attempt(five: Office) -> None:
    """Its number is used, and nothing is written down of a hand-over that never was."""
    (message,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(message, MessageState.QUEUED, outcome="", burnt=0))
    assert ([(0,)], [(1, 0)]) == (
        five.all("SELECT count(*) FROM attempts"),
        five.all("SELECT attempt, burnt FROM messages WHERE id = 1"),
    )


def test_settling_counts_what_was_settled(five: Office) -> None:
    """Of a batch, only the messages that are still held are counted."""
    batch = claim(five.store)
    five.change(
        f"UPDATE messages SET state = 'accepted', settled_at = {SETTLED} WHERE id = {batch[1].id}"
    )
    results = [settlement(message, MessageState.ACCEPTED) for message in batch]
    assert 4 == settle(five.store, "w1", *results)


def test_a_gateway_s_name_for_a_message_is_kept(five: Office) -> None:
    """An answer without a name does not wipe out the name that an earlier one gave."""
    (message,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(message, MessageState.QUEUED, due_at=START))
    (second,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(second, MessageState.UNKNOWN, gateway_id=None))
    assert [("g1",)] == five.all("SELECT gateway_id FROM messages WHERE id = 1")


def test_every_hand_over_is_an_attempt(five: Office) -> None:
    """Two hand-overs are two attempts, each with its own outcome."""
    (message,) = claim(five.store, limit=1)
    settle(
        five.store,
        "w1",
        settlement(message, MessageState.QUEUED, due_at=START, outcome="transient", code="51"),
    )
    (second,) = claim(five.store, limit=1)
    settle(five.store, "w1", settlement(second, MessageState.ACCEPTED))
    with five.store.read() as connection:
        found = attempts.attempts_of(connection, message.id)
    assert [(1, "transient", "51"), (2, "accepted", "00")] == [
        (row["number"], row["outcome"], row["code"]) for row in found
    ]
