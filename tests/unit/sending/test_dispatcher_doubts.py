"""Messages of which nobody knows whether their gateway has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from smsengine.gateways.base import Capabilities, Outcome
from smsengine.lifecycle import RunState
from smsengine.planning.order import Resend
from smsengine.sending.retrying import MAX_ATTEMPTS
from smsengine.sending.routing import Route, ordered
from tests.conftest import START, rows
from tests.doubles.telco import (
    ACCEPTED,
    ACCOUNT,
    CONTENT,
    DUPLICATE,
    LOST_ANSWER,
    REJECTED,
    SENDER,
    SIMPLE,
    THROTTLED,
    TRANSIENT,
    UNKNOWN,
    Telco,
)
from tests.unit.sending.conftest import Dispatch, phone_of

HOUR, DAY = 3600, 86_400
ONE = phone_of(1)
#: It knows a reference again for an hour.
KNOWING = replace(SIMPLE, idempotency_seconds=HOUR)
ASKABLE = replace(SIMPLE, can_query=True)
SINCE = START.timestamp()


def once_more(dispatch: Dispatch, telco: Telco, seconds: float) -> None:
    """The run is looked at again after a while."""
    dispatch.clock.sleep(seconds)
    dispatch.drain(dispatch.office.run(1), trial=telco)


# -- without proof ---------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [UNKNOWN, LOST_ANSWER])
def test_what_is_unknown_is_never_sent_again_by_itself(
    dispatch: Dispatch, telco: Telco, answer: Outcome
) -> None:
    """Where the gateway cannot be asked, a message that may have gone out stays unknown."""
    telco.answers[ONE] = [answer]
    run = dispatch.office.released(rows(2))
    dispatch.drain(run, trial=telco)
    once_more(dispatch, telco, DAY)
    assert (1, ["unknown", "accepted"]) == (len(telco.times(ONE)), dispatch.office.states())


@pytest.mark.parametrize("sheet", [SIMPLE, KNOWING])
@pytest.mark.parametrize("lost", [UNKNOWN, LOST_ANSWER])
def test_what_is_unknown_never_goes_to_another_gateway(
    dispatch: Dispatch, telco: Telco, sheet: Capabilities, lost: Outcome
) -> None:
    """Although the next of the route is idle, and takes over all the others."""
    first = Telco(clock=dispatch.clock, usual=TRANSIENT, capabilities=sheet)
    first.answers[ONE] = [lost] * 99
    dispatch.routes["trial"] = Route(name="trial", steps=(ordered(["first", "second"]),))
    dispatch.clock.stride = 20
    dispatch.office.released(rows(20))
    dispatch.serve_for(HOUR / 2, first=first, second=telco)
    assert (["unknown", *["accepted"] * 19], [phone_of(place) for place in range(2, 21)]) == (
        dispatch.office.states(),
        sorted(telco.offered),
    )


def test_an_unknown_message_does_not_keep_its_run_open(dispatch: Dispatch, telco: Telco) -> None:
    """The run has ended; the doubt is told in its account."""
    telco.answers[ONE] = [UNKNOWN]
    run = dispatch.office.released(rows(2))
    dispatch.drain(run, trial=telco)
    assert RunState.FINISHED is dispatch.office.run(run.id).state


# -- gateways that know a reference again ----------------------------------------------------------


@pytest.mark.parametrize("lost", [UNKNOWN, LOST_ANSWER])
def test_a_repeat_settles_a_doubt(dispatch: Dispatch, telco: Telco, lost: Outcome) -> None:
    """Whether it had been taken or not: accepted, and taken once."""
    telco.capabilities = KNOWING
    telco.answers[ONE] = [lost, lost]
    dispatch.office.released(rows(2))
    dispatch.serve_for(60, trial=telco)
    assert (["accepted", "accepted"], 2, 3) == (
        dispatch.office.states(),
        len(telco.taken),
        len(telco.times(ONE)),
    )


def test_a_repeat_has_the_same_reference(dispatch: Dispatch, telco: Telco) -> None:
    """Only by its name does the gateway know it again."""
    telco.capabilities = KNOWING
    telco.answers[ONE] = [UNKNOWN, TRANSIENT, LOST_ANSWER]
    dispatch.office.released(rows(1))
    dispatch.serve_for(60, trial=telco)
    assert (4, 1) == (len(telco.names), len(set(telco.names)))


def test_a_duplicate_is_the_proof(dispatch: Dispatch, telco: Telco) -> None:
    """A gateway that has the message already had taken it the first time."""
    telco.capabilities = KNOWING
    telco.answers[ONE] = [LOST_ANSWER, DUPLICATE]
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert [("accepted", "dup", None)] == dispatch.office.all(
        "SELECT state, code, unknown_since FROM messages"
    )


@pytest.mark.parametrize("said", [REJECTED, CONTENT, SENDER, TRANSIENT])
def test_a_refused_repeat_proves_nothing(dispatch: Dispatch, telco: Telco, said: Outcome) -> None:
    """A gateway may look at the number before it looks whether it knows the reference."""
    telco.capabilities = KNOWING
    telco.answers[ONE] = [LOST_ANSWER, said, DUPLICATE]
    dispatch.office.released(rows(1))
    dispatch.serve_for(60, trial=telco)
    assert (["accepted"], 1) == (dispatch.office.states(), len(telco.taken))


def test_a_throttled_repeat_is_due_later(dispatch: Dispatch, telco: Telco) -> None:
    """It stays in doubt meanwhile, and no attempt is burnt."""
    telco.capabilities = KNOWING
    telco.answers[ONE] = [LOST_ANSWER, THROTTLED._replace(retry_after_seconds=9)]
    dispatch.office.released(rows(1))
    dispatch.serve_for(60, trial=telco)
    _first, second, third = telco.times(ONE)
    assert (True, [("accepted", 2)]) == (
        third - second >= 9,
        dispatch.office.all("SELECT state, burnt FROM messages"),
    )


def test_repeats_end_well_before_the_gateway_forgets(dispatch: Dispatch, telco: Telco) -> None:
    """Ten minutes before the end of the window the last one is gone."""
    telco.capabilities, telco.usual = KNOWING, LOST_ANSWER
    dispatch.clock.stride = 60
    dispatch.office.released(rows(1))
    dispatch.serve_for(2 * HOUR, trial=telco)
    assert (["unknown"], 1, True) == (
        dispatch.office.states(),
        len(telco.taken),
        all(at - SINCE <= HOUR - 600 for at in telco.seconds),
    )


def test_repeats_are_capped(dispatch: Dispatch, telco: Telco) -> None:
    """A gateway that never answers is offered the message eight times, ever later."""
    telco.capabilities = replace(SIMPLE, idempotency_seconds=10 * DAY)
    telco.usual = UNKNOWN
    dispatch.clock.stride = 20
    dispatch.office.released(rows(1))
    dispatch.serve_for(HOUR, trial=telco)
    waits = [after - before for before, after in pairwise(telco.seconds)]
    assert (MAX_ATTEMPTS, True) == (len(telco.seconds), waits[-1] > 10 * waits[0])


# -- gateways that can be asked --------------------------------------------------------------------


def test_what_the_gateway_has_is_accepted(dispatch: Dispatch, telco: Telco) -> None:
    """It is asked, and nobody is texted twice; the ledger keeps how it is known."""
    telco.capabilities = ASKABLE
    telco.answers[ONE] = [LOST_ANSWER]
    dispatch.drain(dispatch.office.released(rows(2)), trial=telco)
    name = telco.taken[0]
    assert ([("accepted", "queried", f"T-{name}", None)], 2) == (
        dispatch.office.all("SELECT state, code, gateway_id, worker FROM messages WHERE place = 1"),
        len(telco.offered),
    )


def test_what_the_gateway_never_took_is_sent(dispatch: Dispatch, telco: Telco) -> None:
    """Nobody is forgotten, and the run is open again for it."""
    telco.capabilities = ASKABLE
    telco.answers[ONE] = [UNKNOWN]
    run = dispatch.office.released(rows(2))
    dispatch.drain(run, trial=telco)
    assert (["accepted", "accepted"], 2, RunState.FINISHED) == (
        dispatch.office.states(),
        len(telco.taken),
        dispatch.office.run(run.id).state,
    )


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (ACCEPTED, "accepted"),
        (DUPLICATE, "accepted"),
        (REJECTED, "rejected"),
        (UNKNOWN, "unknown"),
        (TRANSIENT, "unknown"),
        (THROTTLED, "unknown"),
    ],
)
def test_what_the_gateway_tells_of_a_doubt(
    dispatch: Dispatch, telco: Telco, told: Outcome, state: str
) -> None:
    """Only a word about the message itself settles it, and it is handed over no second time."""
    telco.capabilities = ASKABLE
    telco.tells = lambda _name: told
    telco.answers[ONE] = [UNKNOWN]
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert ([state], 1) == (dispatch.office.states(), len(telco.offered))


def test_who_waits_for_a_run_waits_for_one_answer(dispatch: Dispatch, telco: Telco) -> None:
    """A gateway that does not know keeps nobody waiting for the next question."""
    telco.capabilities, telco.usual = ASKABLE, UNKNOWN
    telco.tells = lambda _name: UNKNOWN
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert (1, True) == (len(telco.asked), dispatch.clock.monotonic() - SINCE < 10)


def test_questions_become_rarer(dispatch: Dispatch, telco: Telco) -> None:
    """From every twenty seconds to every quarter of an hour."""
    telco.capabilities, telco.usual = ASKABLE, UNKNOWN
    asked_at: list[float] = []
    telco.tells = lambda _name: asked_at.append(dispatch.clock.monotonic()) or UNKNOWN
    dispatch.clock.stride = 20
    dispatch.office.released(rows(1))
    dispatch.serve_for(2 * HOUR, trial=telco)
    waits = [after - before for before, after in pairwise(asked_at)]
    assert (True, True, True) == (
        20 <= waits[0] <= 31,
        900 <= waits[-1] <= 911,
        len(asked_at) < 40,
    )


@pytest.mark.parametrize("seconds", [0, 90])
def test_a_gateway_is_asked_when_it_may_be(dispatch: Dispatch, telco: Telco, seconds: int) -> None:
    """Until then the message may still arrive, and its absence proves nothing."""
    telco.capabilities = replace(ASKABLE, query_after_seconds=seconds)
    telco.answers[ONE] = [UNKNOWN]
    asked_at: list[float] = []
    telco.tells = lambda _name: asked_at.append(dispatch.clock.monotonic())
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert (True, ["accepted"]) == (
        seconds <= asked_at[0] - SINCE <= seconds + 2,
        dispatch.office.states(),
    )


def test_it_is_not_asked_sooner_when_a_repeat_is_called_off(
    dispatch: Dispatch, telco: Telco
) -> None:
    """Our account is refused meanwhile: the repeat has to wait, and the question with it."""
    telco.capabilities = replace(KNOWING, can_query=True, query_after_seconds=90)
    telco.answers = {ONE: [UNKNOWN], phone_of(2): [ACCOUNT]}
    asked_at: list[float] = []
    telco.tells = lambda _name: asked_at.append(dispatch.clock.monotonic())
    dispatch.office.released(rows(2))
    dispatch.serve_for(100, trial=telco)
    assert (1, True) == (len(asked_at), asked_at[0] - SINCE >= 90)


def broken(_names: Sequence[str]) -> Sequence[Outcome | None]:
    """A question that ends with an error."""
    raise RuntimeError("a text that must not be repeated")


@pytest.mark.parametrize(
    "query",
    [broken, lambda _names: [], lambda names: [None] * (len(names) + 1)],
    ids=["raises", "too few", "too many"],
)
def test_a_question_that_fails_proves_nothing(
    dispatch: Dispatch, telco: Telco, query: Callable[..., Sequence[Outcome | None]]
) -> None:
    """The message stays in doubt and is asked about later; nothing else is disturbed."""
    telco.capabilities, telco.answers[ONE] = ASKABLE, [LOST_ANSWER]
    telco.query = query  # type: ignore[method-assign]
    dispatch.drain(dispatch.office.released(rows(2)), trial=telco)
    before = dispatch.office.states()
    del telco.query  # type: ignore[method-assign]
    once_more(dispatch, telco, 60)
    assert (["unknown", "accepted"], ["accepted", "accepted"], 2) == (
        before,
        dispatch.office.states(),
        len(telco.taken),
    )


def test_what_can_be_repeated_is_not_asked_about(dispatch: Dispatch, telco: Telco) -> None:
    """The repeat answers the question."""
    telco.capabilities = replace(KNOWING, can_query=True)
    telco.answers[ONE] = [LOST_ANSWER]
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    assert ([], ["accepted"], 2) == (telco.asked, dispatch.office.states(), len(telco.offered))


def test_what_cannot_be_repeated_any_more_is_asked_about(dispatch: Dispatch, telco: Telco) -> None:
    """Behind the window a question is what is left."""
    telco.capabilities = replace(KNOWING, can_query=True)
    telco.usual = LOST_ANSWER
    dispatch.clock.stride = 60
    dispatch.office.released(rows(1))
    dispatch.serve_for(2 * HOUR, trial=telco)
    assert (["accepted"], 1, 1) == (
        dispatch.office.states(),
        len(telco.taken),
        len(set(telco.asked)),
    )


def test_a_doubt_that_was_told_again_is_withdrawn(dispatch: Dispatch, telco: Telco) -> None:
    """When it proves that it was never taken, its new edition goes out and the old one does not."""
    telco.answers[ONE] = [UNKNOWN]
    dispatch.drain(dispatch.office.released(rows(1)), trial=telco)
    again = dispatch.office.released(rows(1), resend=Resend.UNKNOWN, reason="nobody knows")
    dispatch.drain(again, trial=telco)
    telco.capabilities = ASKABLE
    once_more(dispatch, telco, 60)
    assert (["cancelled", "accepted"], 1) == (dispatch.office.states(), len(telco.taken))
