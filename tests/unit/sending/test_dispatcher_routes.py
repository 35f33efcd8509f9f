"""Several gateways: who takes what, who takes over, and who gets it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from smsengine.errors import ConfigError, GatewayError
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.sending.routing import Route, ordered, weighted
from smsengine.store import lanes
from tests.conftest import row, rows
from tests.doubles.telco import (
    ACCEPTED,
    ACCOUNT,
    LOST_ANSWER,
    SENDER,
    TRANSIENT,
    Telco,
)
from tests.unit.sending.conftest import Dispatch, phone_of

BOTH = Route(name="trial", steps=(ordered(["first", "second"]),))
PINS = "SELECT state, gateway FROM messages ORDER BY place"


def place_of(phone: str) -> int:
    """The place of the message to a phone in a run of ``rows``."""
    return int(phone[4:]) - 10_000_001


@pytest.fixture
def first(telco: Telco) -> Telco:
    """The gateway that takes all while it answers."""
    return telco


@pytest.fixture
def second(dispatch: Dispatch) -> Telco:
    """The gateway that helps out."""
    dispatch.routes["trial"] = BOTH
    return Telco(clock=dispatch.clock)


# -- failing over ----------------------------------------------------------------------------------


def test_the_next_gateway_takes_over(dispatch: Dispatch, first: Telco, second: Telco) -> None:
    """What a gateway that is away surely did not take goes out through the next, each once."""
    first.usual, dispatch.batch = TRANSIENT, 4
    dispatch.drain(dispatch.office.released(rows(60)), first=first, second=second)
    assert (["accepted"] * 60, [], 60) == (
        dispatch.office.states(),
        first.taken,
        len(set(second.taken)),
    )


def test_only_what_was_surely_not_accepted_goes_to_the_next(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """What may have been taken stays, and nobody is told twice."""
    first.usual, dispatch.batch = LOST_ANSWER, 4
    dispatch.drain(dispatch.office.released(rows(60)), first=first, second=second)
    assert (60, Counter({"unknown": len(first.taken), "accepted": len(second.taken)})) == (
        len({*first.taken, *second.taken}),
        Counter(dispatch.office.states()),
    )


def test_the_first_gateway_takes_all_while_it_answers(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """The next one is for the emergency."""
    dispatch.drain(dispatch.office.released(rows(60)), first=first, second=second)
    assert (60, []) == (len(first.taken), second.offered)


def test_a_gateway_that_comes_back_gets_its_share_bit_by_bit(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """A quarter of all places at first, half of them after half a minute, and at last all."""
    dispatch.batch, first.latency, second.latency = 10, 1, 2
    first.usual = TRANSIENT
    run = dispatch.office.released(rows(1500))
    dispatch.serve_for(14, first=first, second=second)
    before, first.usual = len(first.offered), ACCEPTED
    dispatch.drain(run, first=first, second=second)
    probe, *taken = zip(first.offered[before:], first.seconds[before:], strict=True)
    highest = dict.fromkeys(range(5), 0)
    for phone, at in taken:
        quarter = min(int((at - probe[1]) // 30), 4)
        highest[quarter] = max(highest[quarter], place_of(phone) % 100)
    assert (True, True, True, True) == (
        highest[0] < 25,
        highest[1] < 50,
        highest[2] < 75,
        highest[4] > 90,
    )


# -- our name --------------------------------------------------------------------------------------


def test_a_refused_name_goes_to_the_next_gateway(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """And stays with it, although the first one is there."""
    first.answers[phone_of(2)] = [SENDER]
    second.answers[phone_of(2)] = [TRANSIENT]
    dispatch.drain(dispatch.office.released(rows(3)), first=first, second=second)
    assert ([phone_of(1), phone_of(2), phone_of(3)], [phone_of(2)] * 2, 3) == (
        first.offered,
        second.offered,
        len({*first.taken, *second.taken}),
    )


def test_a_name_that_all_refuse_is_refused(dispatch: Dispatch, first: Telco, second: Telco) -> None:
    """After the last gateway of the route the message is rejected, with its word."""
    first.usual = second.usual = SENDER
    dispatch.drain(dispatch.office.released(rows(3)), first=first, second=second)
    assert ([("rejected", "second")] * 3, 3, 3) == (
        dispatch.office.all(PINS),
        len(first.offered),
        len(second.offered),
    )


def test_a_pinned_message_waits_for_its_gateway(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """The one that knows our name is away; the one that does not is not asked again."""
    first.answers[phone_of(2)] = [SENDER]
    second.usual = TRANSIENT
    dispatch.office.released(rows(3))
    dispatch.serve_for(60, first=first, second=second)
    assert ([("accepted", "first"), ("queued", "second"), ("accepted", "first")], 1) == (
        dispatch.office.all(PINS),
        len(first.times(phone_of(2))),
    )


def test_a_name_is_refused_while_its_run_is_stopped(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """What was under way when a person paused the run goes to the next gateway all the same."""
    office = dispatch.office
    run = office.released(rows(2))
    first.usual, first.latency = SENDER, 2

    def at_work() -> None:
        if office.run(run.id).state is RunState.SENDING:
            release.pause(office.store, run, clock=office.clock, actor="anna", reason="wait")

    first.at_work = at_work
    dispatch.drain(run, first=first, second=second)
    assert [("queued", "second")] * 2 == office.all(PINS)


def test_a_run_of_which_all_waits_for_a_refused_account_ends(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """Nobody is kept waiting for what a person must mend; the gateway is named."""
    first.answers[phone_of(2)] = [SENDER]
    second.usual = ACCOUNT
    run = dispatch.office.released(rows(3))
    with pytest.raises(GatewayError, match=r"second: 401 wrong password.*gateways resume second"):
        dispatch.drain(run, first=first, second=second)
    with dispatch.office.store.write() as connection:
        lanes.resume(connection, "second")
    second.usual = ACCEPTED
    dispatch.drain(run, first=first, second=second)
    assert ["accepted"] * 3 == dispatch.office.states()


# -- shares ----------------------------------------------------------------------------------------


def test_weights_share_a_run(dispatch: Dispatch, first: Telco, second: Telco) -> None:
    """Of every hundred messages each takes its part."""
    dispatch.routes["trial"] = Route(name="trial", steps=(weighted({"first": 70, "second": 30}),))
    dispatch.drain(dispatch.office.released(rows(200)), first=first, second=second)
    assert (140, 60) == (len(first.taken), len(second.taken))


def test_networks_have_their_own_gateways(dispatch: Dispatch, first: Telco, second: Telco) -> None:
    """A rule for one telco takes its numbers, the last rule takes all others."""
    dispatch.routes["trial"] = Route(
        name="trial", steps=(ordered(["first"], ("Viettel",)), ordered(["second"]))
    )
    cells = ["0961234567", "0912345678", "0981234567", "0901234567"]
    given = [row(number, cell=cell) for number, cell in enumerate(cells, 2)]
    dispatch.drain(dispatch.office.released(given), first=first, second=second)
    assert (["+84961234567", "+84981234567"], ["+84912345678", "+84901234567"]) == (
        first.offered,
        second.offered,
    )


def test_several_runs_go_through_several_lanes(
    dispatch: Dispatch, first: Telco, second: Telco
) -> None:
    """Runs of one gateway and runs of a route are sent at the same time, each message once."""
    office = dispatch.office
    office.released(rows(40))
    for month, gateway in enumerate(("first", "second"), 1):
        office.released(rows(30), recipe_period=Period.parse(f"2019-0{month}"), gateway=gateway)

    def is_over() -> bool:
        return set(office.states()) == {"accepted"}

    dispatch.serve(is_over, first=first, second=second)
    assert (70, 30, 100) == (
        len(first.taken),
        len(second.taken),
        len({*first.taken, *second.taken}),
    )


def test_a_run_without_a_route_stops_no_other(dispatch: Dispatch, first: Telco) -> None:
    """A gateway that was taken out of the configuration is told, and its run waits."""
    office = dispatch.office
    known: Callable[..., Route] = dispatch.route
    lost = office.released(rows(2), recipe_period=Period.parse("2019-05"), gateway="lost")
    run = office.released(rows(3))

    def route(name: str) -> Route:
        if name == "lost":
            raise ConfigError("lacks 'lost'.")
        return known(name)

    dispatch.route = route  # type: ignore[method-assign]
    dispatch.serve(lambda: office.run(run.id).state is RunState.FINISHED, trial=first)
    assert (["queued"] * 2 + ["accepted"] * 3, True) == (
        office.states(),
        any(said.startswith(f"Run {lost.id} ") for said in dispatch.said),
    )
