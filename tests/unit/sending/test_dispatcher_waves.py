"""A run that is let go bit by bit, only while it is worth sending, and only by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from smsengine.clock import VIETNAM
from smsengine.gateways.base import ReceiptStatus
from smsengine.hours import SendingHours
from smsengine.lifecycle import RunState
from smsengine.planning import release
from smsengine.store.runs import Run
from smsengine.waves import LAST_PLACE, StopRules
from tests.conftest import KEY, START, rows
from tests.doubles.telco import CONTENT, REJECTED, SIMPLE, THROTTLED, TRANSIENT, Telco
from tests.unit.sending.conftest import Dispatch, phone_of

WAVES: Sequence[int | Decimal] = (5, Decimal("0.5"))


def released(dispatch: Dispatch, count: int = 20, **changes: object) -> Run:
    """A run of waves that end at 5, at the half, and at the end."""
    return dispatch.office.released(rows(count), **({"waves": WAVES} | changes))


def resume(dispatch: Dispatch, run: Run) -> None:
    """A person has looked, and lets it go on."""
    release.resume(dispatch.office.store, run, clock=dispatch.clock, actor="anna")


def notes(dispatch: Dispatch, what: str) -> list[str]:
    """What the ledger says of a run's life."""
    found = dispatch.office.all("SELECT detail FROM events WHERE what = ? ORDER BY id", what)
    return [line[0] for line in found]


# -- waves -----------------------------------------------------------------------------------------


def test_at_first_only_the_first_wave_is_released(dispatch: Dispatch) -> None:
    """The release itself lets five go."""
    assert 5 == released(dispatch).released_upto


def test_waves_follow_each_other(dispatch: Dispatch, telco: Telco) -> None:
    """Without a fault the whole run goes out, in its order, and the ledger has each wave."""
    run = released(dispatch)
    dispatch.drain(run, trial=telco)
    assert ([phone_of(place) for place in range(1, 21)], RunState.FINISHED, LAST_PLACE) == (
        telco.offered,
        dispatch.office.run(run.id).state,
        dispatch.office.run(run.id).released_upto,
    )
    assert ["up to message 10 of 20", "up to message 20 of 20"] == notes(dispatch, "wave")


def test_a_wave_ends_before_the_next_begins(dispatch: Dispatch, telco: Telco) -> None:
    """While one message of a wave is tried again, none of the next leaves."""
    telco.answers[phone_of(2)] = [TRANSIENT] * 3
    dispatch.drain(released(dispatch), trial=telco)
    settled = max(telco.times(phone_of(2)))
    assert settled <= min(at for place in range(6, 21) for at in telco.times(phone_of(place)))


def test_a_wave_that_went_badly_is_the_last(dispatch: Dispatch, telco: Telco) -> None:
    """At its end the job's limits are looked at, and nothing of the next wave leaves."""
    telco.answers = {phone_of(place): [REJECTED] for place in (1, 3)}
    run = released(dispatch, stop=StopRules(refused=0.3, least=5))
    dispatch.drain(run, trial=telco)
    after = dispatch.office.run(run.id)
    assert (RunState.PAUSED, "2 of 5 messages are refused (40.0%); the limit is 30.0%.", 5) == (
        after.state,
        after.held_because,
        len(telco.offered),
    )


def test_a_person_lets_the_next_wave_go(dispatch: Dispatch, telco: Telco) -> None:
    """Whoever resumes a run that stopped after a wave has looked."""
    telco.answers = {phone_of(place): [REJECTED] for place in (1, 3)}
    run = released(dispatch, stop=StopRules(refused=0.3, least=5))
    dispatch.drain(run, trial=telco)
    resume(dispatch, run)
    assert 10 == dispatch.office.run(run.id).released_upto
    dispatch.drain(run, trial=telco)
    assert (RunState.FINISHED, 20) == (dispatch.office.run(run.id).state, len(telco.offered))


def test_a_person_who_resumes_within_a_wave_lets_no_other_go(
    dispatch: Dispatch, telco: Telco
) -> None:
    """What was stopped in the middle goes on to the end of its wave."""
    telco.usual, dispatch.batch = CONTENT, 1
    run = released(dispatch, count=60, waves=(30,))
    dispatch.drain(run, trial=telco)
    resume(dispatch, run)
    assert 30 == dispatch.office.run(run.id).released_upto


def test_too_few_messages_say_nothing(dispatch: Dispatch, telco: Telco) -> None:
    """One refused of five is no share of anything when twenty are asked for."""
    telco.answers[phone_of(1)] = [REJECTED]
    run = released(dispatch, stop=StopRules(refused=0.1, least=20))
    dispatch.drain(run, trial=telco)
    assert RunState.FINISHED is dispatch.office.run(run.id).state


UNDELIVERED = StopRules(undelivered=0.5, least=5, wait_seconds=120)


@pytest.mark.parametrize(
    ("status", "after", "state"),
    [
        (ReceiptStatus.UNDELIVERED, 60, RunState.PAUSED),
        (ReceiptStatus.UNDELIVERED, 400, RunState.FINISHED),
        (ReceiptStatus.DELIVERED, 60, RunState.FINISHED),
    ],
)
def test_receipts_are_waited_for_and_judged(
    dispatch: Dispatch, telco: Telco, status: ReceiptStatus, after: float, state: RunState
) -> None:
    """A wave of which the telco says that nothing arrived is the last, if it says so in time."""
    telco.capabilities = replace(SIMPLE, has_receipts=True)
    telco.status, telco.reports_after = status, after
    dispatch.clock.stride = 5
    run = released(dispatch, stop=UNDELIVERED)
    dispatch.drain(run, trial=telco)
    assert state is dispatch.office.run(run.id).state


def test_the_next_wave_waits_for_receipts(dispatch: Dispatch, telco: Telco) -> None:
    """The job says how long."""
    dispatch.clock.stride = 2
    dispatch.drain(released(dispatch, stop=UNDELIVERED), trial=telco)
    first, second, third = (telco.times(phone_of(place))[0] for place in (5, 6, 11))
    assert (True, True) == (120 <= second - first <= 125, 120 <= third - second <= 125)


# -- validity --------------------------------------------------------------------------------------


def test_a_message_that_is_worth_nothing_any_more_expires(dispatch: Dispatch, telco: Telco) -> None:
    """What was not handed over in time never is, and the run ends."""
    telco.answers = {phone_of(2): [THROTTLED._replace(retry_after_seconds=7200)]}
    dispatch.clock.stride = 60
    run = dispatch.office.released(rows(3), valid_seconds=3600)
    dispatch.drain(run, trial=telco)
    assert (["accepted", "expired", "accepted"], RunState.FINISHED) == (
        dispatch.office.states(),
        dispatch.office.run(run.id).state,
    )
    assert ["1 messages were not handed over while they were valid."] == notes(dispatch, "expired")


def test_nothing_leaves_after_its_validity(dispatch: Dispatch, telco: Telco) -> None:
    """A run that is started too late sends nothing, also none of its later waves."""
    run = released(dispatch, valid_seconds=3600)
    dispatch.clock.sleep(3600)
    dispatch.drain(run, trial=telco)
    assert ([], ["expired"] * 20) == (telco.offered, dispatch.office.states())


def test_validity_begins_with_the_release(dispatch: Dispatch, telco: Telco) -> None:
    """A run that waited for approval is not older for it."""
    run = dispatch.office.planned(rows(2), valid_seconds=3600, needs_approval=True)
    dispatch.clock.sleep(7200)
    freed = release.release(
        dispatch.office.store,
        run,
        key=KEY,
        clock=dispatch.clock,
        actor="anna",
    )
    dispatch.drain(freed, trial=telco)
    assert ["accepted", "accepted"] == dispatch.office.states()


def test_what_is_in_doubt_does_not_expire(dispatch: Dispatch, telco: Telco) -> None:
    """A message that may have been taken is not called expired."""
    telco.usual = TRANSIENT._replace(kind="unknown")  # type: ignore[arg-type]
    run = dispatch.office.released(rows(2), valid_seconds=3600)
    dispatch.drain(run, trial=telco)
    dispatch.clock.sleep(9999)
    dispatch.office.change("UPDATE runs SET state = 'sending'")
    dispatch.drain(run, trial=telco)
    assert ["unknown", "unknown"] == dispatch.office.states()


# -- hours -----------------------------------------------------------------------------------------


def local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, VIETNAM)


@pytest.fixture
def by_day(dispatch: Dispatch, telco: Telco) -> Run:
    """A run of a gateway that needs until after nine, which is when the hours end."""
    dispatch.hours = SendingHours(start=time(7, 30), end=time(9, 0))
    dispatch.batch, telco.latency = 20, 600
    dispatch.clock.stride = 1200
    return dispatch.office.released(rows(200))


def test_outside_the_hours_nothing_leaves(dispatch: Dispatch, telco: Telco, by_day: Run) -> None:
    """Neither on the first evening nor before the next morning."""
    dispatch.drain(by_day, trial=telco)
    at = [local(seconds).time() for seconds in telco.seconds]
    assert (True, ["accepted"] * 200) == (
        all(time(7, 30) <= each < time(9, 0) for each in at),
        dispatch.office.states(),
    )


def test_in_the_morning_a_run_goes_on_in_its_order(
    dispatch: Dispatch, telco: Telco, by_day: Run
) -> None:
    """What was let go in the evening is not behind the others, and nothing goes twice."""
    dispatch.drain(by_day, trial=telco)
    days = [local(seconds).day for seconds in telco.seconds]
    assert ([phone_of(place) for place in range(1, 201)], [1, 2]) == (
        telco.offered,
        sorted(set(days)),
    )


def test_a_night_costs_no_attempts(dispatch: Dispatch, telco: Telco, by_day: Run) -> None:
    """What waits for the morning is not claimed again and again."""
    dispatch.drain(by_day, trial=telco)
    assert dispatch.office.all("SELECT max(attempt), max(burnt) FROM messages") <= [(2, 1)]


def test_people_are_told_when_it_goes_on(dispatch: Dispatch, telco: Telco, by_day: Run) -> None:
    """Once for the night, and once in the morning."""
    dispatch.drain(by_day, trial=telco)
    said = "Waiting: trial is outside its sending hours 07:30-09:00; goes on at 02/06 07:30."
    assert [said, "Sending goes on."] == [
        each for each in dispatch.said if "not in hand any more" not in each
    ]


def test_a_run_that_is_started_at_night_waits(dispatch: Dispatch, telco: Telco) -> None:
    """It begins when the hours do."""
    dispatch.hours = SendingHours(start=time(9, 0), end=time(20, 0))
    dispatch.clock.stride = 60
    dispatch.drain(dispatch.office.released(rows(3)), trial=telco)
    nine = (START + timedelta(hours=1)).timestamp()
    assert (True, 3) == (nine <= min(telco.seconds) <= nine + 61, len(telco.taken))
