"""A person, or the text itself, stops a run: nothing more leaves, and every place is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from smsengine.gateways.base import Capabilities, Outcome
from smsengine.lifecycle import RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.sending.pace import Rate
from smsengine.store.runs import Run
from smsengine.waves import StopRules
from tests.conftest import rows
from tests.doubles.telco import ACCEPTED, CONTENT, REJECTED, SENDER, UNKNOWN, Telco
from tests.unit.sending.conftest import Dispatch, phone_of

#: How many messages nobody holds, of which no attempt counts, and that are due as planned.
UNTOUCHED = (
    "SELECT count(*) FROM messages WHERE worker IS NULL AND lease_until IS NULL AND burnt = 0"
    " AND gateway IS NULL AND due_at = (SELECT min(due_at) FROM messages)"
)


def pause(dispatch: Dispatch, run: Run) -> None:
    office = dispatch.office
    release.pause(office.store, run, clock=office.clock, actor="anna", reason="wrong month")


def cancel(dispatch: Dispatch, run: Run) -> None:
    office = dispatch.office
    release.cancel(office.store, run, clock=office.clock, actor="anna", reason="wrong month")


def resume(dispatch: Dispatch, run: Run) -> None:
    office = dispatch.office
    release.resume(office.store, run, clock=office.clock, actor="anna")


@pytest.mark.parametrize(("stop", "rest"), [(pause, "queued"), (cancel, "cancelled")])
def test_a_person_stops_a_run_in_the_middle(
    dispatch: Dispatch, telco: Telco, stop: Callable[[Dispatch, Run], None], rest: str
) -> None:
    """Within a second nothing more leaves, and what was not handed over stays or is withdrawn."""
    run = dispatch.office.released(rows(60))
    dispatch.batch, telco.latency = 2, 0.2
    stopped_at: list[float] = []

    def at_work() -> None:
        if len(telco.offered) >= 10 and not stopped_at:
            stopped_at.append(dispatch.clock.monotonic())
            stop(dispatch, run)

    telco.at_work = at_work
    dispatch.drain(run, trial=telco)
    left = len(telco.offered)
    assert (True, {"accepted": left, rest: 60 - left}) == (
        max(telco.seconds) - stopped_at[0] <= 1.0 + telco.latency,
        Counter(dispatch.office.states()),
    )


@pytest.mark.parametrize(("stop", "rest"), [(pause, "queued"), (cancel, "cancelled")])
def test_what_is_claimed_when_a_run_is_stopped_does_not_leave(
    dispatch: Dispatch, telco: Telco, stop: Callable[[Dispatch, Run], None], rest: str
) -> None:
    """Messages that wait for their slot are let go, in their old places."""
    run = dispatch.office.released(rows(40))
    telco.clock = dispatch.on_real_time(threads=2)
    telco.capabilities = Capabilities(max_batch=1, concurrency=2)
    dispatch.rate = Rate(20)
    once: list[object] = []

    def at_work() -> None:
        if not once:
            once.append(stop)
            stop(dispatch, run)

    telco.at_work = at_work
    dispatch.drain(run, trial=telco)
    left = len(telco.taken)
    assert ({"accepted": left, rest: 40 - left}, True, [(40 - left,)]) == (
        Counter(dispatch.office.states()),
        left < 40,
        dispatch.office.all(UNTOUCHED),
    )


def test_a_paused_run_goes_on_where_it_stopped(dispatch: Dispatch, telco: Telco) -> None:
    """In the same order, and each message once."""
    run = dispatch.office.released(rows(40))
    dispatch.batch, telco.latency = 4, 0.3
    telco.at_work = lambda: pause(dispatch, run) if len(telco.batches) == 1 else None
    dispatch.drain(run, trial=telco)
    before = len(telco.offered)
    resume(dispatch, run)
    dispatch.drain(run, trial=telco)
    assert (True, [phone_of(place) for place in range(1, 41)]) == (before < 40, telco.offered)


@pytest.mark.parametrize("state", ["planned", "held", "paused", "cancelled", "missed"])
def test_only_released_runs_are_drained(dispatch: Dispatch, telco: Telco, state: str) -> None:
    """A run that nobody released hands over nothing, and nobody waits for it."""
    run = dispatch.office.planned(rows(2))
    dispatch.office.change("UPDATE runs SET state = ?", state)
    dispatch.drain(run, trial=telco)
    assert ([], ["queued", "queued"]) == (telco.offered, dispatch.office.states())


def test_other_runs_are_not_touched_by_a_drain(dispatch: Dispatch, telco: Telco) -> None:
    """Who sends one run sends no other."""
    office = dispatch.office
    run = office.released(rows(2))
    office.released(rows(2), recipe_period=Period.parse("2019-05"))
    dispatch.drain(run, trial=telco)
    assert ["accepted", "accepted", "queued", "queued"] == office.states()


# -- refusals in a row -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "said"),
    [(CONTENT, "content 304 no such template"), (SENDER, "sender 18 name not registered")],
)
def test_a_text_that_is_refused_again_and_again_stops_its_run(
    dispatch: Dispatch, telco: Telco, refusal: Outcome, said: str
) -> None:
    """After ten in a row the run is paused, and says what the gateway said."""
    telco.usual, dispatch.batch = refusal, 1
    run = dispatch.office.released(rows(40))
    dispatch.drain(run, trial=telco)
    after = dispatch.office.run(run.id)
    assert (RunState.PAUSED, f"The gateway refused 10 messages in a row ({said}).", True) == (
        after.state,
        after.held_because,
        len(telco.offered) <= 12,
    )


def test_numbers_that_are_refused_again_and_again_do_not(dispatch: Dispatch, telco: Telco) -> None:
    """A list of dead numbers is sent to its end."""
    telco.usual = REJECTED
    dispatch.drain(dispatch.office.released(rows(40)), trial=telco)
    assert ["rejected"] * 40 == dispatch.office.states()


def test_after_a_stop_the_next_ten_are_tried(dispatch: Dispatch, telco: Telco) -> None:
    """Resumed without a better text, the run stops again, and wastes no more than ten."""
    telco.usual, dispatch.batch = CONTENT, 1
    run = dispatch.office.released(rows(60))
    dispatch.drain(run, trial=telco)
    first = len(telco.offered)
    resume(dispatch, run)
    dispatch.drain(run, trial=telco)
    assert (RunState.PAUSED, True) == (
        dispatch.office.run(run.id).state,
        10 <= len(telco.offered) - first <= 12,
    )


# -- stop rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failure", "name"), [(REJECTED, "refused"), (UNKNOWN, "unknown")])
def test_a_share_of_failures_stops_a_run_at_once(
    dispatch: Dispatch, telco: Telco, failure: Outcome, name: str
) -> None:
    """The job's limit is looked at while a wave is being sent, not only at its end."""
    fates = [ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED, failure]
    telco.answers = {phone_of(place): [fates[place % 5]] for place in range(1, 101)}
    dispatch.batch = 2
    stop = StopRules(refused=0.15, unknown=0.15, least=20)
    run = dispatch.office.released(rows(100), stop=stop)
    dispatch.drain(run, trial=telco)
    after = dispatch.office.run(run.id)
    assert (RunState.PAUSED, True, True) == (
        after.state,
        f"5 of 24 messages are {name} (20.8%); the limit is 15.0%." == after.held_because,
        len(telco.offered) <= 28,
    )


def test_a_stop_is_written_down(dispatch: Dispatch, telco: Telco) -> None:
    """Who looks at the run sees when it stopped by itself, and why."""
    telco.usual = REJECTED
    run = dispatch.office.released(rows(30), stop=StopRules(refused=0.5, least=5))
    dispatch.drain(run, trial=telco)
    (note,) = dispatch.office.all("SELECT detail FROM events WHERE what = 'paused'")
    assert "messages are refused (100.0%); the limit is 50.0%." in note[0]
