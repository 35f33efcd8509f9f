"""The named statements: claimed once, settled by proof, moved within the law."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from smsengine.errors import LifecycleError
from smsengine.lifecycle import (
    MessageState,
    RunKind,
    RunState,
    SkipReason,
    may_move_message,
    may_move_run,
)
from smsengine.period import Period
from smsengine.store import attempts, claims, messages, outbox, receipts, runs, skips
from smsengine.store.attempts import Settlement
from smsengine.store.claims import Claimed
from smsengine.store.engine import Store
from smsengine.store.messages import Draft
from smsengine.store.skips import SkippedRow
from tests.conftest import START, Office, row, rows

LATER = START + timedelta(hours=1)
SETTLED = "'2019-06-01 01:00:00'"


def claim(store: Store, run_id: int = 1, **changes: Any) -> list[Claimed]:
    """Claim messages of a run."""
    values: dict[str, Any] = {
        "upto": 2**31 - 1,
        "gateway": "trial",
        "worker": "w1",
        "now": START,
        "limit": 100,
    }
    with store.write() as connection:
        return claims.claim(connection, run_id=run_id, **(values | changes))


def settlement(message: Claimed, state: MessageState, **changes: Any) -> Settlement:
    values: dict[str, Any] = {
        "message_id": message.id,
        "attempt": message.attempt,
        "state": state,
        "due_at": LATER,
        "gateway": None if state is MessageState.QUEUED else "trial",
        "gateway_id": "g1",
        "outcome": "accepted",
        "code": "00",
        "detail": "taken",
        "burnt": 1,
        "unknown_since": START if state is MessageState.UNKNOWN else None,
        "started_at": START,
    }
    return Settlement(**(values | changes))


def settle(store: Store, worker: str, *results: Settlement) -> int:
    with store.write() as connection:
        return attempts.settle(connection, worker, "trial", results, now=LATER)


@pytest.fixture
def five(office: Office) -> Office:
    """A released run of five messages."""
    office.released(rows(5))
    return office


# -- writing drafts --------------------------------------------------------------------------------


def test_a_draft_comes_back_column_by_column(office: Office) -> None:
    """Drafts are written by position: every field is in the column of its name."""
    run = office.planned([])
    first = Draft(7, b"d" * 20, 3, None, "TA1", "+84912345678", "Vina", "text", b"h" * 16, 2)
    second = Draft(8, b"e" * 20, 4, 1, "TA2", "+84987654321", "Viettel", "other", b"i" * 16, 3)
    with office.store.write() as connection:
        written = messages.insert_drafts(
            connection, [first, second], run_id=run.id, first_place=11, due_at=LATER
        )
        found = messages.sample(connection, run.id, 9)
    fixed = {"run_id": run.id, "state": "queued", "due_at": LATER, "attempt": 0, "burnt": 0}
    empty = dict.fromkeys(
        [
            "gateway",
            "unknown_since",
            "worker",
            "lease_until",
            "gateway_id",
            "code",
            "detail",
            "settled_at",
        ]
    )
    assert (
        2,
        [
            {"id": 1, "place": 11} | first._asdict() | fixed | empty,
            {"id": 2, "place": 12} | second._asdict() | fixed | empty,
        ],
    ) == (written, [dict(row) for row in found])


def test_a_known_key_is_left_out(office: Office) -> None:
    """A draft whose key and revision are there is not written, and the others are."""
    run = office.planned([])
    drafts = [
        Draft(7, key, revision, None, "TA1", "+84912345678", "", "text", b"h" * 16, 1)
        for key, revision in ((b"a" * 20, 1), (b"b" * 20, 1), (b"a" * 20, 2), (b"a" * 20, 1))
    ]
    with office.store.write() as connection:
        assert 3 == messages.insert_drafts(
            connection, drafts, run_id=run.id, first_place=1, due_at=START
        )


def test_no_drafts_are_no_statement(office: Office) -> None:
    """An empty chunk writes nothing."""
    with office.store.write() as connection:
        assert 0 == messages.insert_drafts(connection, [], run_id=1, first_place=1, due_at=START)


def test_what_is_known_is_the_newest_edition_that_was_not_withdrawn(office: Office) -> None:
    """Withdrawn editions keep their numbers, and are nothing that anybody was told."""
    run = office.planned([])
    drafts = [
        Draft(7, b"a" * 20, revision, None, "TA1", "+84912345678", "", "text", b"h" * 16, 1)
        for revision in (2, 3, 4, 1)
    ]
    with office.store.write() as connection:
        messages.insert_drafts(connection, drafts, run_id=run.id, first_place=1, due_at=START)
        connection.execute(
            messages.messages.update()
            .where(messages.messages.c.id.in_([1, 3]))
            .values(state=MessageState.CANCELLED, settled_at=START)
        )
        found = messages.newest_known(connection, [b"a" * 20, b"b" * 20])
    assert {b"a" * 20: (2, MessageState.QUEUED, 4, 2)} == {
        key: (known.id, known.state, known.last_revision, known.told)
        for key, known in found.items()
    }


def test_where_every_edition_was_withdrawn_nobody_was_told(office: Office) -> None:
    """A key of which all editions are cancelled may be told again as if new."""
    office.planned(rows(1))
    key = office.all("SELECT dedup_key FROM messages")[0][0]
    with office.store.write() as connection:
        outbox.cancel_queued(connection, 1, now=START)
        known = messages.newest_known(connection, [key])[key]
    assert (MessageState.CANCELLED, 1, 0) == (known.state, known.last_revision, known.told)


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
        f"UPDATE messages SET state = ?, settled_at = {SETTLED}, worker = 'w', lease_until ="
        f" {SETTLED}",
        state.value,
    )
    assert [] == claim(five.store)


def test_another_run_is_not_claimed(five: Office) -> None:
    """A worker that drains one run takes nothing of another."""
    assert [] == claim(five.store, run_id=2)


def test_the_reference_is_safe_at_every_gateway(five: Office) -> None:
    """Our name for a message is 34 or more letters and digits, and tells nothing of the person."""
    (message,) = claim(five.store, limit=1)
    name, _, revision = message.reference.partition("-")
    assert (32, "1", True) == (len(name), revision, name.isalnum() and name.islower())


def test_each_edition_has_its_own_reference() -> None:
    """A message told again on purpose is another one to the gateway."""
    assert messages.reference(b"k" * 20, 1) != messages.reference(b"k" * 20, 2)


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
    five.change(f"UPDATE messages SET state = ?, settled_at = {SETTLED} WHERE id = 1", state.value)
    assert 0 == settle(five.store, "w1", settlement(message, MessageState.ACCEPTED))
    assert state.value == five.states()[0]


def lose(office: Office, now: datetime = LATER) -> int:
    """All that is being sent is given up for lost."""
    with office.store.write() as connection:
        return attempts.lose(connection, attempts.held(connection), now=now)


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


# -- moves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", MessageState)
@pytest.mark.parametrize("after", MessageState)
def test_doubts_are_resolved_within_the_law(
    five: Office, before: MessageState, after: MessageState
) -> None:
    """Only what is unknown is resolved, and only to what an unknown message may become."""
    five.change(
        f"UPDATE messages SET state = ?, settled_at = {SETTLED}, worker = 'w', lease_until ="
        f" {SETTLED} WHERE id = 1",
        before.value,
    )

    def resolve() -> list[int]:
        with five.store.write() as connection:
            return outbox.resolve(connection, [1], after, now=START)

    by_proof = after is not MessageState.SENDING and may_move_message(MessageState.UNKNOWN, after)
    if not by_proof:
        with pytest.raises(LifecycleError, match=f"cannot become {after}"):
            resolve()
        return
    unknown = before is MessageState.UNKNOWN
    assert [1] * unknown == resolve()
    assert (after if unknown else before).value == five.states()[0]


def test_what_is_resolved_to_wait_may_go_anywhere(five: Office) -> None:
    """It is due at once, in doubt no more, and no gateway's."""
    claim(five.store, limit=1)
    lose(five)
    with five.store.write() as connection:
        outbox.resolve(connection, [1], MessageState.QUEUED, now=LATER, code="queried")
    assert [("queued", None, None, None)] == five.all(
        "SELECT state, worker, gateway, unknown_since FROM messages WHERE id = 1"
    )
    assert 1 in [message.id for message in claim(five.store, now=LATER)]


@pytest.mark.parametrize("before", RunState)
@pytest.mark.parametrize("after", [state for state in RunState if state != "planning"])
def test_runs_move_within_the_law(office: Office, before: RunState, after: RunState) -> None:
    """A move that the law forbids is an error that names both states."""
    run = office.planned([])
    office.change("UPDATE runs SET state = ?", before.value)

    def move() -> RunState:
        with office.store.write() as connection:
            runs.move(connection, run.id, after)
        return office.run(run.id).state

    if may_move_run(before, after):
        assert after == move()
    else:
        with pytest.raises(LifecycleError, match=f"is {before}; it cannot become {after}"):
            move()


def test_cancelling_leaves_what_was_handed_over(five: Office) -> None:
    """Only messages that still wait are withdrawn."""
    claim(five.store, limit=2)
    with five.store.write() as connection:
        assert 3 == outbox.cancel_queued(connection, 1, now=START)
    assert ["sending", "sending", "cancelled", "cancelled", "cancelled"] == five.states()


# -- reading ---------------------------------------------------------------------------------------


def test_what_waits_or_is_being_sent_counts(five: Office) -> None:
    """Free, pinned to a gateway, or under way: none of them is at its end."""
    claim(five.store, limit=1)
    five.change("UPDATE messages SET gateway = 'other' WHERE id = 2")
    with five.store.read() as connection:
        assert (True, 5) == (outbox.waits(connection, 1), outbox.count_waiting(connection, 1))


@pytest.mark.parametrize("pinned", ["NULL", "'other'"])
def test_a_wave_that_is_through_waits_for_nothing(five: Office, pinned: str) -> None:
    """What is not released yet does not hold up the end of a wave."""
    five.change(f"UPDATE messages SET state = 'accepted', settled_at = {SETTLED} WHERE place <= 3")
    five.change(f"UPDATE messages SET gateway = {pinned} WHERE place > 3")
    with five.store.read() as connection:
        assert [False, True] == [outbox.waits(connection, 1, upto=upto) for upto in (3, 4)]


def test_nothing_waits_when_all_is_settled(five: Office) -> None:
    """A run without open messages has nothing to wait for; one in doubt does not hold it up."""
    five.change(f"UPDATE messages SET state = 'accepted', settled_at = {SETTLED}")
    five.change("UPDATE messages SET state = 'unknown' WHERE id = 2")
    with five.store.read() as connection:
        assert (False, 0) == (outbox.waits(connection, 1), outbox.count_waiting(connection, 1))


@pytest.mark.parametrize(
    ("state", "open_"),
    [
        ("queued", True),
        ("unknown", True),
        ("sending", True),
        ("accepted", True),
        ("delivered", False),
    ],
)
def test_a_run_with_open_messages(five: Office, state: str, *, open_: bool) -> None:
    """A message that nobody knows about keeps its run open."""
    five.change(f"UPDATE messages SET state = 'rejected', settled_at = {SETTLED}")
    five.change(
        f"UPDATE messages SET state = ?, worker = 'w', lease_until = {SETTLED} WHERE id = 3", state
    )
    with five.store.read() as connection:
        assert open_ == outbox.may_hear_more(connection, 1)


def test_states_are_counted(five: Office) -> None:
    """A run's account counts its messages by state."""
    claim(five.store, limit=2)
    with five.store.read() as connection:
        assert {MessageState.SENDING: 2, MessageState.QUEUED: 3} == messages.states(connection, 1)


def test_contradictions_are_those_of_one_run(office: Office) -> None:
    """Last month's figures are no contradiction to this month's."""
    two = [row(2, "TA1", cell="0912345678"), row(3, "TA1", cell="0987654321")]
    office.planned(two, recipe_period=Period.parse("2019-05"))
    office.planned(two)
    office.change("UPDATE messages SET text = 'other' WHERE id = 1")
    with office.store.read() as connection:
        assert [{"TA1"}, set()] == [
            messages.contradicting_subjects(connection, run_id) for run_id in (1, 2)
        ]


def test_a_message_is_found_by_subject_and_by_phone(five: Office) -> None:
    """Who asks for an employer or a number finds what was said."""
    with five.store.read() as connection:
        by_subject = messages.find(connection, subject="TA0003Z")
        by_phone = messages.find(connection, address="+84910000003")
    assert [2] == [row["id"] for row in by_subject] == [row["id"] for row in by_phone]


def test_skips_come_back_as_they_were_written(office: Office) -> None:
    """A skipped row keeps its number, subject, reason and sentence."""
    office.planned([])
    given = SkippedRow(9, "TA1", SkipReason.LANDLINE, "024***0000 is a landline.")
    with office.store.write() as connection:
        skips.write(connection, 1, [given])
        (found,) = skips.find(connection, "TA1")
    assert (9, "TA1", "landline", "024***0000 is a landline.", "c12-statement", "2019-06") == (
        found["row_number"],
        found["subject"],
        found["reason"],
        found["detail"],
        found["job"],
        found["period"],
    )


def test_one_planner_wins_a_revision(office: Office) -> None:
    """Every machine's clock may fire; the ledger lets one of them plan."""
    office.planned([])
    values = {
        "job": "c12-statement",
        "topic": "c12-statement",
        "owner": "central",
        "period": "2019-06",
        "revision": 1,
        "kind": RunKind.REGULAR,
        "gateway": "trial",
        "priority": 5,
        "planner": "p",
        "planner_until": LATER,
        "created_at": START,
    }
    with office.store.write() as connection:
        assert runs.insert_planning(connection, values) is None


def test_a_sealed_run_is_not_thrown_away(office: Office) -> None:
    """Cleaning up takes unsealed runs only."""
    run = office.planned(rows(2))
    with office.store.write() as connection:
        runs.discard(connection, run.id, planner=None)
    assert RunState.PLANNED is office.run(run.id).state


def test_notes_keep_their_order(office: Office) -> None:
    """What happened to a run is told from the beginning."""
    run = office.planned([])
    with office.store.write() as connection:
        runs.note(connection, run.id, at=LATER, actor="a", what="second")
        found = runs.notes(connection, run.id)
    assert ["sealed", "second"] == [row["what"] for row in found]


def test_a_run_comes_back_as_it_was_written(office: Office) -> None:
    """Times are aware UTC instants and states are of lifecycle.py."""
    run = office.planned(rows(1))
    assert (START, RunState.PLANNED, RunKind.REGULAR, "c12-statement 2019-06") == (
        run.created_at,
        run.state,
        run.kind,
        run.label,
    )


def test_a_receipt_is_kept_once(five: Office) -> None:
    """A gateway that repeats itself adds nothing."""
    row = {
        "gateway": "trial",
        "gateway_id": "g1",
        "status": "delivered",
        "code": "",
        "received_at": START,
    }
    with five.store.write() as connection:
        receipts.keep(connection, [row])
        receipts.keep(connection, [row, row])
    assert [(1,)] == five.all("SELECT count(*) FROM receipts")
