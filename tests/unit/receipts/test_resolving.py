"""A person's word on messages in doubt, and what a new edition means for the old one."""

from __future__ import annotations

import pytest

from smsengine.gateways.base import Receipt, ReceiptStatus
from smsengine.lifecycle import MessageState, RunState
from smsengine.planning import release
from smsengine.planning.order import Resend
from smsengine.receipts.matching import store_receipts
from smsengine.receipts.resolving import resolve_by_hand, unknown_of
from smsengine.reports.accounts import account
from smsengine.store import messages, outbox
from tests.conftest import Office, rows

STATES = "SELECT state FROM messages ORDER BY id"


@pytest.fixture
def doubtful(office: Office) -> Office:
    """A finished run of four messages: two unknown, one accepted, one rejected."""
    office.released(rows(4))
    office.change("UPDATE runs SET state = 'finished'")
    office.change(
        "UPDATE messages SET state = 'unknown', gateway = 'trial',"
        " unknown_since = '2019-06-01 00:59:00' WHERE id <= 2"
    )
    for number, state in ((3, "accepted"), (4, "rejected")):
        office.change(
            "UPDATE messages SET state = ?, gateway = 'trial', settled_at = '2019-06-01 01:00:00'"
            " WHERE id = ?",
            state,
            number,
        )
    return office


def resolve(office: Office, *ids: int, sent: bool) -> int:
    return resolve_by_hand(
        office.store, ids, sent=sent, reason="the vendor's list", actor="lan", clock=office.clock
    )


def test_what_was_sent_is_accepted(doubtful: Office) -> None:
    """The ledger keeps who said so and why, and a receipt may still come."""
    assert 1 == resolve(doubtful, 1, sent=True)
    assert [("accepted", "resolved", "lan: the vendor's list", None)] == doubtful.all(
        "SELECT state, code, detail, unknown_since FROM messages WHERE id = 1"
    )


def test_what_was_not_sent_waits_again_and_its_run_is_open(doubtful: Office) -> None:
    """The run that had ended has something to send, for any gateway."""
    assert 2 == resolve(doubtful, 1, 2, sent=False)
    assert [("queued", None)] * 2 == doubtful.all(
        "SELECT state, gateway FROM messages WHERE id <= 2"
    )
    assert RunState.SENDING is doubtful.run(1).state


@pytest.mark.parametrize("sent", [True, False])
def test_nobody_talks_a_settled_message_round(doubtful: Office, *, sent: bool) -> None:
    """Only what is unknown is resolved; the others are counted out."""
    assert 0 == resolve(doubtful, 3, 4, sent=sent)
    assert [("unknown",), ("unknown",), ("accepted",), ("rejected",)] == doubtful.all(STATES)


def test_the_word_stands_in_the_run_s_history(doubtful: Office) -> None:
    """Who asks later finds the decision with its reason."""
    resolve(doubtful, 1, 2, sent=False)
    assert [("lan", "2 as not sent: the vendor's list")] == doubtful.all(
        "SELECT actor, detail FROM events WHERE what = 'resolved'"
    )


def test_all_unknown_messages_of_a_run(doubtful: Office) -> None:
    """A whole run can be settled at once, in the order of the extract."""
    assert [1, 2] == list(unknown_of(doubtful.store, 1))


def test_in_a_cancelled_run_nothing_waits_again(doubtful: Office) -> None:
    """What was not sent is withdrawn with its run."""
    doubtful.change("UPDATE runs SET state = 'cancelled'")
    resolve(doubtful, 1, sent=False)
    assert [("cancelled",)] == doubtful.all("SELECT state FROM messages WHERE id = 1")
    assert RunState.CANCELLED is doubtful.run(1).state


def test_only_unknown_messages_are_told_again_as_unknown(doubtful: Office) -> None:
    """``--resend unknown`` makes a new edition of these and of nobody else, with a link."""
    planned = doubtful.plan(rows(4), resend=Resend.UNKNOWN, reason="nobody can say")
    assert planned.run is not None
    assert [(1, 2), (2, 2)] == doubtful.all(
        f"SELECT replaces_id, revision FROM messages WHERE run_id = {planned.run.id} ORDER BY id"
    )


@pytest.mark.parametrize("how", [Resend.FAILED, Resend.ALL, Resend.CHANGED])
def test_other_re_sends_leave_the_unknown_alone(doubtful: Office, how: Resend) -> None:
    """A message in doubt may have arrived; only who says so wants it twice."""
    planned = doubtful.plan(rows(4), resend=how, reason="again")
    again = doubtful.all("SELECT replaces_id FROM messages WHERE revision = 2 ORDER BY id")
    assert not {(1,), (2,)} & set(again)
    assert (2 if how is Resend.ALL else 0) == planned.selection.still_open


def test_a_message_with_a_new_edition_never_waits_again(doubtful: Office) -> None:
    """Proved never sent, the old one is withdrawn: the new edition tells it."""
    doubtful.plan(rows(4), resend=Resend.UNKNOWN, reason="nobody can say")
    resolve(doubtful, 1, sent=False)
    assert [("cancelled",)] == doubtful.all("SELECT state FROM messages WHERE id = 1")


def test_an_account_ties_whatever_is_resolved(doubtful: Office) -> None:
    """Rows are still messages and skips, and messages the sum of their states."""
    resolve(doubtful, 1, sent=True)
    resolve(doubtful, 2, sent=False)
    found = account(doubtful.store, 1)
    assert found is not None
    assert [] == found.breaks


def reference(office: Office, message_id: int) -> str:
    key, revision = office.all("SELECT dedup_key, revision FROM messages WHERE id = ?", message_id)[
        0
    ]
    return messages.reference(bytes(key), revision)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (ReceiptStatus.DELIVERED, "delivered"),
        (ReceiptStatus.UNDELIVERED, "undelivered"),
        (ReceiptStatus.IN_TRANSIT, "accepted"),
    ],
)
@pytest.mark.parametrize("name", ["", "V-77"])
def test_a_receipt_ends_a_doubt(
    doubtful: Office, status: ReceiptStatus, state: str, name: str
) -> None:
    """Whatever a receipt says of a message by our reference, the gateway had it."""
    receipt = Receipt(gateway_id=name, status=status, reference=reference(doubtful, 1))
    store_receipts(doubtful.store, "trial", [receipt], doubtful.clock.now())
    assert [(state, None)] == doubtful.all("SELECT state, unknown_since FROM messages WHERE id = 1")


def test_another_gateway_s_receipt_ends_no_doubt(doubtful: Office) -> None:
    """A name is only a name at its own gateway."""
    receipt = Receipt(
        gateway_id="", status=ReceiptStatus.DELIVERED, reference=reference(doubtful, 1)
    )
    store_receipts(doubtful.store, "other", [receipt], doubtful.clock.now())
    assert [("unknown",)] == doubtful.all("SELECT state FROM messages WHERE id = 1")


# -- pausing and going on --------------------------------------------------------------------------


def test_a_pause_keeps_every_place(office: Office) -> None:
    """Nothing moves but the run, with the reason."""
    run = office.released(rows(3))
    release.pause(office.store, run, clock=office.clock, actor="lan", reason="wrong sum")
    assert (RunState.PAUSED, "wrong sum", ["queued"] * 3) == (
        office.run(run.id).state,
        office.run(run.id).held_because,
        office.states(),
    )


def test_a_resumed_run_has_no_reason_left(office: Office) -> None:
    """The reason goes into the history."""
    run = office.released(rows(3))
    release.pause(office.store, run, clock=office.clock, actor="lan", reason="wrong sum")
    release.resume(office.store, run, clock=office.clock, actor="minh")
    assert (RunState.SENDING, "") == (office.run(run.id).state, office.run(run.id).held_because)
    assert [("lan", "paused", "wrong sum"), ("minh", "resumed", "wrong sum")] == office.all(
        "SELECT actor, what, detail FROM events WHERE what IN ('paused', 'resumed') ORDER BY id"
    )


def test_a_run_that_stopped_after_a_wave_goes_on_with_the_next(office: Office) -> None:
    """Whoever resumes it has looked at the first wave."""
    run = office.released(rows(10), waves=(2, 5))
    office.change(
        "UPDATE messages SET state = 'accepted', settled_at = '2019-06-01 01:00:00'"
        " WHERE place <= 2"
    )
    release.pause(office.store, run, clock=office.clock, actor="lan", reason="look")
    release.resume(office.store, run, clock=office.clock, actor="lan")
    assert (2, 5) == (run.released_upto, office.run(run.id).released_upto)


def test_a_run_that_stopped_within_a_wave_goes_on_with_the_same(office: Office) -> None:
    """What was not handed over of a wave comes before the next."""
    run = office.released(rows(10), waves=(2, 5))
    release.pause(office.store, run, clock=office.clock, actor="lan", reason="look")
    release.resume(office.store, run, clock=office.clock, actor="lan")
    assert 2 == office.run(run.id).released_upto


def test_a_cancelled_run_leaves_its_doubts(doubtful: Office) -> None:
    """Withdrawing says nothing about what was handed over."""
    doubtful.change("UPDATE runs SET state = 'sending'")
    doubtful.change("UPDATE messages SET state = 'queued', settled_at = NULL WHERE id = 4")
    withdrawn = release.cancel(
        doubtful.store, doubtful.run(1), clock=doubtful.clock, actor="lan", reason="stop"
    )
    assert (1, [("unknown",), ("unknown",), ("accepted",), ("cancelled",)]) == (
        withdrawn,
        doubtful.all(STATES),
    )


def test_a_released_run_knows_until_when_it_is_valid(office: Office) -> None:
    """The time counts from the release, not from the plan."""
    run = office.released(rows(1), valid_seconds=3600)
    assert run.valid_until is not None
    assert 3600 == (run.valid_until - office.clock.now()).total_seconds()


@pytest.mark.parametrize("state", [MessageState.EXPIRED, MessageState.CANCELLED])
def test_what_ends_in_the_queue_is_what_waits(doubtful: Office, state: MessageState) -> None:
    """Neither an expiry nor a cancellation touches a doubt or what is settled."""
    doubtful.change("UPDATE messages SET state = 'queued', settled_at = NULL WHERE id >= 3")
    end = outbox.expire_queued if state is MessageState.EXPIRED else outbox.cancel_queued
    with doubtful.store.write() as connection:
        assert 2 == end(connection, 1, now=doubtful.clock.now())
    assert [("unknown",), ("unknown",), (state.value,), (state.value,)] == doubtful.all(STATES)
