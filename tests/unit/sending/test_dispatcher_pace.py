"""A gateway's contract and its complaints, from the claim to the wire."""

from __future__ import annotations

from itertools import pairwise

import pytest

from smsengine.sending.pace import Rate
from smsengine.store import lanes
from tests.conftest import rows
from tests.doubles.telco import THROTTLED, Telco
from tests.unit.sending.conftest import Dispatch, phone_of


@pytest.mark.parametrize("per_second", [2, 20, 90])
def test_no_second_holds_more_than_the_contract(
    dispatch: Dispatch, telco: Telco, per_second: int
) -> None:
    """However large claims and batches are."""
    dispatch.rate = Rate(per_second)
    dispatch.drain(dispatch.office.released(rows(100)), trial=telco)
    busiest = max(sum(begin <= at < begin + 1 for at in telco.seconds) for begin in telco.seconds)
    assert (100, True) == (len(telco.taken), busiest <= per_second)


@pytest.mark.parametrize("rate", [None, Rate(50)])
@pytest.mark.parametrize("rest", [30, 300])
def test_a_gateway_that_asks_for_a_rest_gets_it(
    dispatch: Dispatch, telco: Telco, rate: Rate | None, rest: float
) -> None:
    """Nothing at all leaves meanwhile, and then all the others do."""
    dispatch.rate, dispatch.batch, dispatch.clock.stride = rate, 1, 4
    telco.answers[phone_of(10)] = [THROTTLED._replace(retry_after_seconds=rest)]
    dispatch.drain(dispatch.office.released(rows(30)), trial=telco)
    pauses = [after - before for before, after in pairwise(telco.seconds)]
    assert (["accepted"] * 30, True, True) == (
        dispatch.office.states(),
        max(pauses) >= rest - 1,
        len(telco.offered) <= 33,
    )


def test_a_reservation_of_a_wrong_clock_stops_no_lane(dispatch: Dispatch, telco: Telco) -> None:
    """A machine whose clock was a day ahead keeps nobody waiting for a day."""
    dispatch.rate = Rate(50)
    run = dispatch.office.released(rows(20))
    dispatch.serve_for(0, trial=telco)
    with dispatch.office.store.write() as connection:
        now = lanes.present(connection, dispatch.clock.now().timestamp())
        connection.execute(lanes.lanes.update().values(next_at=now + 86_400))
    before = dispatch.clock.monotonic()
    dispatch.drain(run, trial=telco)
    assert (20, True) == (len(telco.taken), max(telco.seconds) - before < 60)
