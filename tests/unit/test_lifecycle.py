"""The table of lawful moves, read against the picture of a message's life."""

from __future__ import annotations

from itertools import product

import pytest

from smsengine.lifecycle import (
    FAILED_STATES,
    MESSAGE_MOVES,
    RUN_MOVES,
    MessageState,
    RunState,
    may_move_message,
    may_move_run,
    sources_of_message,
    sources_of_run,
)

M, R = MessageState, RunState
MESSAGE_PICTURE = {
    (M.QUEUED, M.SENDING),
    (M.QUEUED, M.EXPIRED),
    (M.QUEUED, M.CANCELLED),
    (M.QUEUED, M.MERGED),
    (M.SENDING, M.ACCEPTED),
    (M.SENDING, M.REJECTED),
    (M.SENDING, M.QUEUED),
    (M.SENDING, M.UNKNOWN),
    (M.UNKNOWN, M.SENDING),
    (M.UNKNOWN, M.ACCEPTED),
    (M.UNKNOWN, M.REJECTED),
    (M.UNKNOWN, M.QUEUED),
    (M.UNKNOWN, M.DELIVERED),
    (M.UNKNOWN, M.UNDELIVERED),
    (M.ACCEPTED, M.DELIVERED),
    (M.ACCEPTED, M.UNDELIVERED),
    (M.UNDELIVERED, M.DELIVERED),
    (M.ACCEPTED, M.UNCONFIRMED),
    (M.UNCONFIRMED, M.DELIVERED),
    (M.UNCONFIRMED, M.UNDELIVERED),
}
RUN_PICTURE = {
    (R.PLANNING, R.PLANNED),
    (R.PLANNING, R.HELD),
    (R.PLANNING, R.MISSED),
    (R.PLANNED, R.RELEASED),
    (R.PLANNED, R.HELD),
    (R.PLANNED, R.CANCELLED),
    (R.PLANNED, R.MISSED),
    (R.HELD, R.RELEASED),
    (R.HELD, R.CANCELLED),
    (R.HELD, R.MISSED),
    (R.RELEASED, R.SENDING),
    (R.RELEASED, R.PAUSED),
    (R.RELEASED, R.CANCELLED),
    (R.RELEASED, R.FINISHED),
    (R.SENDING, R.FINISHED),
    (R.SENDING, R.PAUSED),
    (R.SENDING, R.CANCELLED),
    (R.PAUSED, R.RELEASED),
    (R.PAUSED, R.SENDING),
    (R.PAUSED, R.CANCELLED),
    (R.FINISHED, R.SENDING),
}


@pytest.mark.parametrize(("before", "after"), list(product(M, M)))
def test_messages_move_as_the_picture_says(before: M, after: M) -> None:
    """A message may make the moves of the design's picture and no other."""
    assert ((before, after) in MESSAGE_PICTURE) == may_move_message(before, after)


@pytest.mark.parametrize(("before", "after"), list(product(R, R)))
def test_runs_move_as_the_picture_says(before: R, after: R) -> None:
    """A run may make the moves of the design's picture and no other."""
    assert ((before, after) in RUN_PICTURE) == may_move_run(before, after)


def test_every_message_state_has_its_moves() -> None:
    """A new state cannot be forgotten in the table."""
    assert set(M) == set(MESSAGE_MOVES)


def test_every_run_state_has_its_moves() -> None:
    """A new state of runs cannot be forgotten in the table."""
    assert set(R) == set(RUN_MOVES)


@pytest.mark.parametrize("after", M)
def test_sources_of_a_message_state_are_the_moves_turned_round(after: M) -> None:
    """The WHERE clauses of the store say the same as the table."""
    assert {before for before in M if may_move_message(before, after)} == set(
        sources_of_message(after)
    )


@pytest.mark.parametrize("after", R)
def test_sources_of_a_run_state_are_the_moves_turned_round(after: R) -> None:
    """The WHERE clauses for runs say the same as the table."""
    assert {before for before in R if may_move_run(before, after)} == set(sources_of_run(after))


@pytest.mark.parametrize("state", [M.ACCEPTED, M.DELIVERED, M.UNKNOWN, M.SENDING])
def test_what_may_have_been_sent_has_not_failed(state: M) -> None:
    """``--resend failed`` never picks a message that the gateway may have taken."""
    assert state not in FAILED_STATES


@pytest.mark.parametrize("state", [M.ACCEPTED, M.DELIVERED, M.UNDELIVERED, M.REJECTED])
def test_nothing_settled_is_queued_again(state: M) -> None:
    """A message that a gateway has answered finally is never sent a second time."""
    assert not may_move_message(state, M.QUEUED)
