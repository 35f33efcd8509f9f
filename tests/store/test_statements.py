"""The named statements: drafts are written, states move within the law, all can be read."""

from __future__ import annotations

from itertools import count

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
from smsengine.store import messages, outbox, receipts, runs, skips
from smsengine.store.known import newest_known
from smsengine.store.messages import Draft
from smsengine.store.skips import SkippedRow
from tests.conftest import START, Office, row, rows
from tests.store.conftest import LATER, SETTLED, carrier_of, claim, lose

# -- writing drafts --------------------------------------------------------------------------------


def test_a_draft_comes_back_column_by_column(office: Office) -> None:
    """Drafts are written by position: every field is in the column of its name."""
    run = office.planned([])
    first = Draft(7, b"d" * 20, 3, None, "TA1", "+84912345678", "Vina", "text", b"h" * 16, 2)
    second = Draft(8, b"e" * 20, 4, 1, "TA2", "+84987654321", "Viettel", "other", b"i" * 16, 3)
    with office.store.write() as connection:
        written = messages.insert_drafts(
            connection, [first, second], run_id=run.id, places=count(11), due_at=LATER
        )
        found = messages.sample(connection, run.id, 9)
    fixed = {"run_id": run.id, "state": "queued", "due_at": LATER, "attempt": 0, "burnt": 0}
    empty = dict.fromkeys(
        [
            "gateway",
            "unknown_since",
            "carrier_id",
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
            connection, drafts, run_id=run.id, places=count(1), due_at=START
        )


def test_no_drafts_are_no_statement(office: Office) -> None:
    """An empty chunk writes nothing."""
    with office.store.write() as connection:
        assert 0 == messages.insert_drafts(connection, [], run_id=1, places=count(1), due_at=START)


def test_what_is_known_is_the_newest_edition_that_was_not_withdrawn(office: Office) -> None:
    """Withdrawn editions keep their numbers, and are nothing that anybody was told."""
    run = office.planned([])
    drafts = [
        Draft(7, b"a" * 20, revision, None, "TA1", "+84912345678", "", "text", b"h" * 16, 1)
        for revision in (2, 3, 4, 1)
    ]
    with office.store.write() as connection:
        messages.insert_drafts(connection, drafts, run_id=run.id, places=count(1), due_at=START)
        connection.execute(
            messages.messages.update()
            .where(messages.messages.c.id.in_([1, 3]))
            .values(state=MessageState.CANCELLED, settled_at=START)
        )
        found = newest_known(connection, [b"a" * 20, b"b" * 20])
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
        known = newest_known(connection, [key])[key]
    assert (MessageState.CANCELLED, 1, 0) == (known.state, known.last_revision, known.told)


# -- moves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", MessageState)
@pytest.mark.parametrize("after", MessageState)
def test_doubts_are_resolved_within_the_law(
    five: Office, before: MessageState, after: MessageState
) -> None:
    """Only what is unknown is resolved, and only to what an unknown message may become."""
    five.change(
        f"UPDATE messages SET state = ?, carrier_id = {carrier_of(before)}, settled_at = {SETTLED},"
        f" worker = 'w', lease_until = {SETTLED} WHERE id = 1",
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
