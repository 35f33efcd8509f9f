"""Several runs at once: nobody waits behind a bigger one."""

from __future__ import annotations

from collections import Counter

import pytest

from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.store.runs import Run
from tests.conftest import rows
from tests.doubles.telco import TRANSIENT, Telco
from tests.unit.sending.conftest import Dispatch


def released(dispatch: Dispatch, count: int, month: str, priority: int) -> Run:
    """A run of its own period."""
    period = Period.parse(month)
    return dispatch.office.released(rows(count), recipe_period=period, priority=priority)


def runs_of(dispatch: Dispatch, telco: Telco) -> list[int]:
    """The run of each message, in the order in which they were taken."""
    known = dict(dispatch.office.all("SELECT gateway_id, run_id FROM messages"))
    return [int(known[f"T-{name}"]) for name in telco.taken]


def finished(dispatch: Dispatch, *runs: Run) -> bool:
    return all(dispatch.office.run(run.id).state is RunState.FINISHED for run in runs)


@pytest.fixture
def busy(dispatch: Dispatch, telco: Telco) -> Telco:
    """A gateway that takes two hundred messages a second."""
    dispatch.batch, telco.latency = 20, 0.1
    return telco


def test_an_urgent_run_does_not_wait_behind_a_large_one(dispatch: Dispatch, busy: Telco) -> None:
    """Thirteen messages that come while seven hundred are being sent go out within a second."""
    large = released(dispatch, 700, "2019-05", 5)
    urgent: list[Run] = []

    def at_work() -> None:
        if len(busy.taken) >= 100 and not urgent:
            urgent.append(released(dispatch, 13, "2019-06", 1))

    busy.at_work = at_work
    dispatch.serve(lambda: bool(urgent) and finished(dispatch, large, *urgent), trial=busy)
    order = runs_of(dispatch, busy)
    last = max(number for number, run in enumerate(order) if run == urgent[0].id)
    assert (713, True) == (len(order), last < 100 + 13 + 200)


@pytest.mark.parametrize(("priority", "ratio"), [(5, 1), (4, 2), (3, 4)])
def test_runs_share_a_gateway_by_their_priority(
    dispatch: Dispatch, busy: Telco, priority: int, ratio: int
) -> None:
    """Twice as much for each step, as long as both have something to send."""
    first = released(dispatch, 400, "2019-05", 5)
    second = released(dispatch, 400, "2019-06", priority)
    dispatch.serve(lambda: len(busy.taken) >= 400, trial=busy)
    counted = Counter(runs_of(dispatch, busy)[:300])
    assert pytest.approx(ratio, rel=0.35) == counted[second.id] / counted[first.id]


def test_a_run_of_which_all_is_due_later_takes_no_turn(dispatch: Dispatch, busy: Telco) -> None:
    """The others have the whole gateway meanwhile."""
    waiting = released(dispatch, 10, "2019-05", 1)
    busy.answers = {
        line[0]: [TRANSIENT] for line in dispatch.office.all("SELECT address FROM messages")
    }
    other = released(dispatch, 200, "2019-06", 5)
    dispatch.serve(lambda: finished(dispatch, waiting, other), trial=busy)
    assert 210 == len(set(busy.taken))


def test_a_run_that_is_released_while_others_are_sent_is_found(
    dispatch: Dispatch, busy: Telco
) -> None:
    """Within a second, without a new start."""
    first = released(dispatch, 300, "2019-05", 5)
    later: list[Run] = []

    def at_work() -> None:
        if not later:
            later.append(released(dispatch, 5, "2019-06", 5))

    busy.at_work = at_work
    dispatch.serve(lambda: bool(later) and finished(dispatch, first, *later), trial=busy)
    assert later[0].id in runs_of(dispatch, busy)[:220]
