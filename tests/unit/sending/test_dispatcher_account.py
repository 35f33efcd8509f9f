"""A gateway that refuses our account: nothing leaves, nothing is lost, somebody is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsengine.errors import GatewayError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.sending.routing import Route, ordered
from smsengine.store import lanes
from tests.conftest import rows
from tests.doubles.telco import ACCOUNT, LOST_ANSWER, REJECTED, SIMPLE, UNKNOWN, Telco
from tests.unit.sending.conftest import Dispatch, phone_of

PLACES = "SELECT place, state, due_at, burnt, gateway, unknown_since FROM messages ORDER BY place"


def resume(dispatch: Dispatch, gateway: str = "trial") -> None:
    """A person has mended the account."""
    with dispatch.office.store.write() as connection:
        assert lanes.resume(connection, gateway)


def test_an_account_error_stops_the_lane(dispatch: Dispatch, telco: Telco) -> None:
    """The sentence names the gateway, its answer, and what to do."""
    telco.usual = ACCOUNT
    run = dispatch.office.released(rows(9))
    with pytest.raises(
        GatewayError,
        match=r"Our account is refused \(trial: 401 wrong password\)\. Every message keeps its"
        r" place; when it is mended, run 'smsengine gateways resume trial' and start again\.",
    ):
        dispatch.drain(run, trial=telco)


def test_an_account_error_is_in_the_ledger(dispatch: Dispatch, telco: Telco) -> None:
    """Every machine stops handing over, and reads why."""
    telco.usual = ACCOUNT
    run = dispatch.office.released(rows(9))
    with pytest.raises(GatewayError):
        dispatch.drain(run, trial=telco)
    assert ("401 wrong password", RunState.SENDING) == (
        dispatch.lane().paused_because,
        dispatch.office.run(run.id).state,
    )


def test_an_account_error_is_offered_to_few(dispatch: Dispatch, telco: Telco) -> None:
    """What was claimed with the refused message is all that is tried."""
    telco.usual = ACCOUNT
    dispatch.batch = 2
    with pytest.raises(GatewayError):
        dispatch.drain(dispatch.office.released(rows(30)), trial=telco)
    assert len(telco.offered) <= 4


def test_an_account_error_changes_no_message(dispatch: Dispatch, telco: Telco) -> None:
    """All keep their places, their due times and their attempts."""
    telco.usual = ACCOUNT
    run = dispatch.office.released(rows(9))
    before = dispatch.office.all(PLACES)
    with pytest.raises(GatewayError):
        dispatch.drain(run, trial=telco)
    assert before == dispatch.office.all(PLACES)


def test_a_rejection_beside_an_account_error_is_kept(dispatch: Dispatch, telco: Telco) -> None:
    """What the gateway answered for the other messages of the batch is not lost."""
    telco.answers = {phone_of(1): [REJECTED], phone_of(3): [ACCOUNT]}
    with pytest.raises(GatewayError):
        dispatch.drain(dispatch.office.released(rows(3)), trial=telco)
    assert ["rejected", "accepted", "queued"] == dispatch.office.states()


def test_a_lane_that_was_stopped_stays_stopped(dispatch: Dispatch, telco: Telco) -> None:
    """Started again before anybody has looked, the run says the same and offers nothing."""
    telco.usual = ACCOUNT
    run = dispatch.office.released(rows(3))
    for _ in range(2):
        with pytest.raises(GatewayError, match="401 wrong password"):
            dispatch.drain(run, trial=telco)
    assert 3 == len(telco.offered)


def test_after_an_account_error_the_rest_is_sent(dispatch: Dispatch, telco: Telco) -> None:
    """Mended and started again, the run goes on where it stopped, and loses nothing."""
    telco.answers = {phone_of(3): [ACCOUNT]}
    run = dispatch.office.released(rows(9))
    with pytest.raises(GatewayError):
        dispatch.drain(run, trial=telco)
    resume(dispatch)
    dispatch.drain(run, trial=telco)
    assert (["accepted"] * 9, 9) == (dispatch.office.states(), len(set(telco.taken)))


def test_a_lane_that_is_opened_again_goes_on_at_once(dispatch: Dispatch, telco: Telco) -> None:
    """The daemon need not be started again."""
    telco.answers = {phone_of(1): [ACCOUNT]}
    dispatch.office.released(rows(4))
    mended_at = dispatch.clock.now().timestamp() + 60

    def is_over() -> bool:
        if dispatch.lane().paused_because and dispatch.clock.monotonic() >= mended_at:
            resume(dispatch)
        return set(dispatch.office.states()) == {"accepted"}

    dispatch.serve(is_over, trial=telco)
    assert (True, 4) == (telco.times(phone_of(1))[1] >= mended_at, len(telco.taken))
    assert "Sending goes on." == dispatch.said[-1]


def test_people_are_told_why_nothing_leaves(dispatch: Dispatch, telco: Telco) -> None:
    """Once, in a sentence with the gateway's reason."""
    telco.usual = ACCOUNT
    dispatch.office.released(rows(2))
    dispatch.serve_for(30, trial=telco)
    assert ["Waiting: trial refuses our account (401 wrong password)."] == dispatch.said


def test_other_lanes_go_on(dispatch: Dispatch, telco: Telco) -> None:
    """A run of another gateway is sent to its end."""
    refused = Telco(clock=dispatch.clock, usual=ACCOUNT)
    dispatch.office.released(rows(5))
    other = dispatch.office.released(
        rows(7), recipe_period=Period.parse("2019-05"), gateway="other"
    )
    dispatch.serve(
        lambda: dispatch.office.run(other.id).state is RunState.FINISHED,
        trial=refused,
        other=telco,
    )
    assert (["queued"] * 5 + ["accepted"] * 7, 7) == (dispatch.office.states(), len(telco.taken))


def test_another_gateway_of_the_route_takes_over(dispatch: Dispatch, telco: Telco) -> None:
    """What the refused one surely did not take goes out through the next."""
    refused = Telco(clock=dispatch.clock, usual=ACCOUNT)
    dispatch.routes["trial"] = Route(name="trial", steps=(ordered(["first", "second"]),))
    run = dispatch.office.released(rows(20))
    dispatch.drain(run, first=refused, second=telco)
    assert (["accepted"] * 20, 20, "401 wrong password") == (
        dispatch.office.states(),
        len(set(telco.taken)),
        dispatch.lane("first").paused_because,
    )


def test_when_all_gateways_refuse_all_are_named(dispatch: Dispatch, telco: Telco) -> None:
    """A run whose whole route is closed ends with an error, and every place is kept."""
    telco.usual = ACCOUNT
    no_money = ACCOUNT._replace(code="402", detail="no money")
    other = Telco(clock=dispatch.clock, usual=no_money)
    dispatch.routes["trial"] = Route(name="trial", steps=(ordered(["first", "second"]),))
    run = dispatch.office.released(rows(3))
    with pytest.raises(
        GatewayError,
        match=r"first: 401 wrong password; second: 402 no money.*gateways resume first",
    ):
        dispatch.drain(run, first=telco, second=other)
    assert ["queued"] * 3 == dispatch.office.states()


@pytest.mark.parametrize("can_query", [False, True])
def test_a_repeat_that_meets_an_account_error_stays_in_doubt(
    dispatch: Dispatch, telco: Telco, *, can_query: bool
) -> None:
    """Who waits for the run is not kept waiting for a lane that a person must open."""
    telco.capabilities = replace(SIMPLE, idempotency_seconds=3600, can_query=can_query)
    telco.tells = lambda _name: UNKNOWN
    telco.answers[phone_of(1)] = [LOST_ANSWER, ACCOUNT]
    run = dispatch.office.released(rows(2))
    dispatch.drain(run, trial=telco)
    assert (["unknown", "accepted"], "401 wrong password", 2) == (
        dispatch.office.states(),
        dispatch.lane().paused_because,
        len(telco.taken),
    )


def test_a_doubt_of_a_stopped_lane_is_asked_about(dispatch: Dispatch, telco: Telco) -> None:
    """Where nothing can be repeated, a question may still settle it."""
    telco.capabilities = replace(SIMPLE, idempotency_seconds=3600, can_query=True)
    telco.answers[phone_of(1)] = [LOST_ANSWER, ACCOUNT]
    dispatch.drain(dispatch.office.released(rows(2)), trial=telco)
    assert (["accepted", "accepted"], 2) == (dispatch.office.states(), len(telco.taken))
