"""A gateway that does not answer: it gets few, is tried with one, and gets the rest."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from smsengine.gateways.base import Outcome
from smsengine.lifecycle import BreakerState
from smsengine.sending.breaker import FAILURES_IN_A_ROW
from tests.conftest import rows
from tests.doubles.telco import ACCEPTED, LOST_ANSWER, REJECTED, TRANSIENT, UNKNOWN, Telco
from tests.unit.sending.conftest import Dispatch


@pytest.mark.parametrize("silence", [UNKNOWN, TRANSIENT, LOST_ANSWER])
def test_a_gateway_that_does_not_answer_gets_few(
    dispatch: Dispatch, telco: Telco, silence: Outcome
) -> None:
    """After five in a row the breaker opens: what is under way then is all that is in doubt."""
    telco.usual, dispatch.batch = silence, 4
    dispatch.office.released(rows(100))
    dispatch.serve_for(10, trial=telco)
    assert (BreakerState.OPEN, True) == (
        dispatch.lane().breaker,
        FAILURES_IN_A_ROW <= len(telco.offered) <= FAILURES_IN_A_ROW + 2 * dispatch.batch,
    )


def test_a_gateway_that_is_away_is_tried_with_one_message(dispatch: Dispatch, telco: Telco) -> None:
    """After fifteen seconds, and then ever later."""
    telco.usual, dispatch.batch = UNKNOWN, 4
    dispatch.office.released(rows(100))
    dispatch.serve_for(150, trial=telco)
    moments = Counter(telco.seconds)
    waits = [after - before for before, after in pairwise(sorted(moments))][:3]
    assert ([1] * 3, pytest.approx([15, 30, 60], abs=5)) == (
        [moments[moment] for moment in sorted(moments)][1:4],
        waits,
    )


@pytest.mark.parametrize("answer", [ACCEPTED, REJECTED])
def test_a_gateway_that_answers_again_gets_the_rest(
    dispatch: Dispatch, telco: Telco, answer: Outcome
) -> None:
    """Whatever it answers, the breaker closes, and the run goes on to its end."""
    telco.usual, dispatch.batch = TRANSIENT, 4
    run = dispatch.office.released(rows(40))
    dispatch.serve_for(10, trial=telco)
    telco.usual = answer
    dispatch.clock.stride = 1
    dispatch.drain(run, trial=telco)
    assert ({answer.kind.value: 40}, BreakerState.CLOSED, 0) == (
        Counter(dispatch.office.states()),
        dispatch.lane().breaker,
        dispatch.lane().failures,
    )


def test_refusals_do_not_open_the_breaker(dispatch: Dispatch, telco: Telco) -> None:
    """A gateway that refuses every number is there."""
    telco.usual = REJECTED
    dispatch.drain(dispatch.office.released(rows(50)), trial=telco)
    assert (50, BreakerState.CLOSED) == (len(telco.offered), dispatch.lane().breaker)


def test_people_are_told_that_a_gateway_does_not_answer(dispatch: Dispatch, telco: Telco) -> None:
    """Who waits for the run reads why nothing happens."""
    telco.usual = UNKNOWN
    dispatch.office.released(rows(50))
    dispatch.serve_for(10, trial=telco)
    (said,) = dispatch.said
    assert said.startswith("Waiting: trial gives no usable answer")


def test_a_probe_is_made_by_one_process(dispatch: Dispatch, telco: Telco) -> None:
    """While one tries, another one that looks at the same moment does not."""
    telco.usual, dispatch.batch = UNKNOWN, 4
    dispatch.office.released(rows(100))
    dispatch.serve_for(10, trial=telco)
    before, other = len(telco.offered), Telco(clock=dispatch.clock)

    def at_work() -> None:
        if len(telco.offered) == before + 1:
            dispatch.serve_for(5, trial=other)

    telco.at_work = at_work
    dispatch.serve_for(10, trial=telco)
    assert (before + 1, []) == (len(telco.offered), other.offered)
