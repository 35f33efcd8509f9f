"""Each answer of a gateway, from the claim to what the ledger says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from smsengine.config.job import Guards
from smsengine.gateways.base import Clearance, Outbound, Outcome, OutcomeKind, Scope
from smsengine.lifecycle import RunState
from smsengine.sending.retrying import MAX_ATTEMPTS
from tests.conftest import START, rows
from tests.doubles.telco import (
    ACCEPTED,
    CONTENT,
    DUPLICATE,
    REJECTED,
    SENDER,
    SIMPLE,
    THROTTLED,
    TRANSIENT,
    UNKNOWN,
    Telco,
)
from tests.unit.sending.conftest import Dispatch, phone_of

IN_AN_HOUR = START + timedelta(hours=1)
DEFERRED = Outcome(kind=OutcomeKind.DEFERRED, not_before=IN_AN_HOUR, code="early")
CALLER = Outcome(kind=OutcomeKind.REJECTED, scope=Scope.CALLER, code="7")


def test_what_is_accepted_is_settled(dispatch: Dispatch, telco: Telco) -> None:
    """Every message is handed over once, with the gateway's name for it, and the run ends."""
    office = dispatch.office
    run = office.released(rows(5))
    dispatch.drain(run, trial=telco)
    assert (["accepted"] * 5, 5, RunState.FINISHED) == (
        office.states(),
        len(telco.taken),
        office.run(run.id).state,
    )
    assert [f"T-{name}" for name in telco.taken] == [
        line[0] for line in office.all("SELECT gateway_id FROM messages ORDER BY id")
    ]


def test_what_is_handed_over_is_what_was_planned(dispatch: Dispatch, telco: Telco) -> None:
    """Address, text, network and segments reach the gateway as they were sealed."""

    @dataclass(kw_only=True)
    class Seeing(Telco):
        seen: list[Outbound] = field(default_factory=list)

        def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
            self.seen += batch
            return super().send(batch, clear)

    seeing = Seeing(clock=telco.clock)
    dispatch.drain(dispatch.office.released(rows(3)), trial=seeing)
    found = dispatch.office.all(
        "SELECT address, network, text, segments FROM messages ORDER BY place"
    )
    assert found == [(each.address, each.network, each.text, each.segments) for each in seeing.seen]


def test_a_claim_is_in_the_ledger_before_the_first_byte(dispatch: Dispatch, telco: Telco) -> None:
    """While the gateway is at work, another reader of the ledger sees what it is given."""
    seen: list[list[str]] = []
    telco.at_work = lambda: seen.append(dispatch.office.states())
    dispatch.drain(dispatch.office.released(rows(3)), trial=telco)
    assert [["sending"] * 3] == seen


def test_a_claim_is_in_the_ledger_before_clearance(dispatch: Dispatch, telco: Telco) -> None:
    """Already when a message gets its clearance, its claim is committed."""
    seen: list[tuple[str, list[str]]] = []
    dispatch.at = lambda point: seen.append((point, dispatch.office.states()))
    dispatch.drain(dispatch.office.released(rows(2)), trial=telco)
    assert ("departing", ["sending"] * 2) in seen


def test_messages_go_out_from_the_top(dispatch: Dispatch, telco: Telco) -> None:
    """In the order of the extract, whatever the size of claims and batches."""
    dispatch.batch = 8
    telco.capabilities = replace(SIMPLE, max_batch=3)
    dispatch.drain(dispatch.office.released(rows(40)), trial=telco)
    assert [phone_of(place) for place in range(1, 41)] == telco.offered


@pytest.mark.parametrize(
    ("batch", "most", "batches"), [(100, 4, [4, 4, 2]), (3, 100, 3), (1, 1, 1), (100, 100, [10])]
)
def test_batches_have_the_gateway_s_size(
    dispatch: Dispatch, telco: Telco, batch: int, most: int, batches: int | list[int]
) -> None:
    """Neither the configuration's batch nor the gateway's limit is exceeded."""
    dispatch.batch = batch
    telco.capabilities = replace(SIMPLE, max_batch=most)
    dispatch.drain(dispatch.office.released(rows(10)), trial=telco)
    found = telco.batches if isinstance(batches, list) else max(telco.batches)
    assert (batches, 10) == (found, sum(telco.batches))


@pytest.mark.parametrize(
    ("outcome", "code", "detail"),
    [
        (REJECTED, "13", "no such number"),
        (CONTENT, "304", "no such template"),
        (SENDER, "18", "name not registered"),
        (CALLER, "7", ""),
        (DUPLICATE, "dup", ""),
    ],
)
def test_what_is_rejected_is_final(
    dispatch: Dispatch, telco: Telco, outcome: Outcome, code: str, detail: str
) -> None:
    """A refused message is never tried again, and the gateway's word is kept."""
    telco.answers[phone_of(2)] = [outcome]
    dispatch.drain(dispatch.office.released(rows(3)), trial=telco)
    assert (3, [("rejected", code, detail)]) == (
        len(telco.offered),
        dispatch.office.all("SELECT state, code, detail FROM messages WHERE place = 2"),
    )


def test_what_is_throttled_is_due_later(dispatch: Dispatch, telco: Telco) -> None:
    """A message that came too fast is offered again when the gateway said, not before."""
    telco.answers[phone_of(1)] = [THROTTLED]
    dispatch.drain(dispatch.office.released(rows(2)), trial=telco)
    first, second = telco.times(phone_of(1))
    assert 30 <= second - first <= 32
    assert ["accepted", "accepted"] == dispatch.office.states()


def test_a_throttled_lane_is_slower(dispatch: Dispatch, telco: Telco) -> None:
    """Not only the message: the gateway is left alone, and all machines read why."""
    telco.answers[phone_of(1)] = [THROTTLED]
    dispatch.batch = 1
    dispatch.drain(dispatch.office.released(rows(9)), trial=telco)
    pauses = [after - before for before, after in pairwise(telco.seconds)]
    assert (0.5, True, 1) == (
        dispatch.lane().speed,
        max(pauses) >= 29,
        sum(pause > 1 for pause in pauses),
    )


def test_several_complaints_at_once_are_one(dispatch: Dispatch, telco: Telco) -> None:
    """A whole batch that was throttled halves the speed once."""
    telco.answers = {phone_of(place): [THROTTLED] for place in range(1, 21)}
    dispatch.drain(dispatch.office.released(rows(20)), trial=telco)
    assert (0.5, 20) == (dispatch.lane().speed, len(telco.taken))


def test_what_is_deferred_is_due_when_it_may_go(dispatch: Dispatch, telco: Telco) -> None:
    """A message that came too early goes out at its hour, and its lane goes on meanwhile."""
    telco.answers[phone_of(1)] = [DEFERRED]
    dispatch.clock.stride = 60
    dispatch.drain(dispatch.office.released(rows(3)), trial=telco)
    hour = IN_AN_HOUR.timestamp()
    assert hour <= telco.times(phone_of(1))[1] <= hour + 61
    assert telco.times(phone_of(3))[0] < START.timestamp() + 5


def test_deferrals_of_all_slow_the_lane(dispatch: Dispatch, telco: Telco) -> None:
    """Five in a row are meant for all that follow."""
    telco.answers = {phone_of(place): [DEFERRED] for place in range(1, 6)}
    dispatch.clock.stride = 30
    dispatch.drain(dispatch.office.released(rows(5)), trial=telco)
    assert (0.5, 5) == (dispatch.lane().speed, len(telco.taken))


def test_what_failed_for_the_moment_is_tried_again(dispatch: Dispatch, telco: Telco) -> None:
    """A message that was surely not accepted is handed over until it is."""
    telco.answers[phone_of(1)] = [TRANSIENT] * 3
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert (4, 1, ["accepted"]) == (len(telco.offered), len(telco.taken), dispatch.office.states())


def test_waits_between_attempts_grow(dispatch: Dispatch, telco: Telco) -> None:
    """Five seconds, ten, twenty, give or take a quarter and the pace of looking."""
    telco.answers[phone_of(1)] = [TRANSIENT] * 3
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    times = telco.times(phone_of(1))
    waits = [after - before for before, after in pairwise(times)]
    assert all(
        0.75 * wait <= found <= 1.25 * wait + 1.1
        for wait, found in zip((5, 10, 20), waits, strict=True)
    )


def test_what_fails_again_and_again_is_given_up(dispatch: Dispatch, telco: Telco) -> None:
    """After the last attempt the message is rejected, and the run ends."""
    telco.answers[phone_of(1)] = [TRANSIENT] * 99
    dispatch.clock.stride = 20
    run = dispatch.office.released(rows(2))
    dispatch.drain(run, trial=telco)
    assert (MAX_ATTEMPTS, ["rejected", "accepted"], RunState.FINISHED) == (
        len(telco.times(phone_of(1))),
        dispatch.office.states(),
        dispatch.office.run(run.id).state,
    )


def test_others_do_not_wait_for_one_that_waits(dispatch: Dispatch, telco: Telco) -> None:
    """The messages behind one that failed for the moment go out at once."""
    telco.answers[phone_of(1)] = [TRANSIENT]
    dispatch.batch = 1
    dispatch.drain(dispatch.office.released(rows(5)), trial=telco)
    assert phone_of(1) == telco.offered[-1]


def test_complaints_burn_no_attempt(dispatch: Dispatch, telco: Telco) -> None:
    """A message that was throttled a dozen times is as good as new."""
    busy = THROTTLED._replace(retry_after_seconds=2)
    telco.answers[phone_of(1)] = [busy] * 12 + [TRANSIENT] * (MAX_ATTEMPTS - 1)
    dispatch.clock.stride = 20
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert [("accepted", MAX_ATTEMPTS)] == dispatch.office.all("SELECT state, burnt FROM messages")


def test_every_hand_over_is_in_the_ledger(dispatch: Dispatch, telco: Telco) -> None:
    """An operator can read what the gateway said each time."""
    telco.answers[phone_of(1)] = [TRANSIENT, THROTTLED]
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert [(1, "transient", "51"), (2, "throttled", ""), (3, "accepted", "")] == (
        dispatch.office.all("SELECT number, outcome, code FROM attempts ORDER BY number")
    )


def test_a_batch_is_settled_message_by_message(dispatch: Dispatch, telco: Telco) -> None:
    """Each message of one hand-over has its own fate."""
    answers = [ACCEPTED, REJECTED, UNKNOWN, CONTENT, ACCEPTED]
    telco.answers = {phone_of(place): [each] for place, each in enumerate(answers, 1)}
    dispatch.drain(dispatch.office.released(rows(5)), trial=telco)
    assert ["accepted", "rejected", "unknown", "rejected", "accepted"] == dispatch.office.states()


def test_progress_is_told(dispatch: Dispatch, telco: Telco) -> None:
    """Who waits sees each message leave the queue once."""
    telco.answers = {phone_of(1): [TRANSIENT], phone_of(2): [REJECTED], phone_of(3): [UNKNOWN]}
    dispatch.drain(dispatch.office.released(rows(5)), trial=telco)
    assert 5 == sum(dispatch.progress)


def test_an_empty_run_ends_at_once(dispatch: Dispatch, telco: Telco) -> None:
    """A run of skips only has nothing to send, and is finished."""
    run = dispatch.office.released([], guards=Guards(min_rows=0, max_cost=0))
    dispatch.drain(run, trial=telco)
    assert RunState.FINISHED is dispatch.office.run(run.id).state


def test_a_finished_run_is_not_sent_again(dispatch: Dispatch, telco: Telco) -> None:
    """Whoever starts it once more finds nothing to do."""
    run = dispatch.office.released(rows(3))
    dispatch.drain(run, trial=telco)
    dispatch.drain(run, trial=telco)
    assert 3 == len(telco.offered)
