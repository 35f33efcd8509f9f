"""From outcomes to what is written, and what the lane and the run learn from them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smsengine.gateways.base import HELD_BACK, Capabilities, Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MessageState
from smsengine.sending.departure import Parcel
from smsengine.sending.judging import REFUSALS_IN_A_ROW, Judge, Verdict, repeat_window
from smsengine.sending.retrying import MAX_ATTEMPTS
from smsengine.store.attempts import Settlement
from smsengine.store.claims import Claimed
from smsengine.waves import StopRules
from tests.conftest import START
from tests.doubles.telco import (
    ACCEPTED,
    ACCOUNT,
    CONTENT,
    DUPLICATE,
    REJECTED,
    SENDER,
    SIMPLE,
    THROTTLED,
    TRANSIENT,
    UNKNOWN,
)
from tests.unit.sending.conftest import a_claim

M = MessageState
NOW = START + timedelta(seconds=3)
EARLIER = START - timedelta(hours=1)
CALLER = CONTENT._replace(scope=Scope.CALLER, code="7", detail="no such field")
DEFERRED = Outcome(kind=OutcomeKind.DEFERRED)
TAKEN = ACCEPTED._replace(gateway_id="T-1", code="0", detail="taken")


def a_judge(
    sheet: Capabilities = SIMPLE, stop: StopRules | None = None, route: str | None = None
) -> Judge:
    """The judge of the lane ``trial``; ``route`` is the next gateway of every message."""
    return Judge(
        gateway="trial",
        chance=random.Random(1),
        sheet=sheet,
        next_route=lambda _message: route,
        stop_rules=lambda _run: stop or StopRules(),
    )


def parcel(*pairs: tuple[Claimed, Outcome], left: bool = True) -> Parcel:
    """Messages that were handed over at 08:00, with their outcomes."""
    messages = [message for message, _ in pairs]
    return Parcel(
        messages=messages,
        claimed_at=0.0,
        started_at=START,
        departed={message.id for message in messages} if left else set(),
        outcomes=[outcome for _, outcome in pairs],
    )


def judged(judge: Judge, *parcels: Parcel) -> Verdict:
    verdict = Verdict()
    judge.judge(parcels, NOW, verdict)
    return verdict


def settled(message: Claimed, outcome: Outcome, judge: Judge | None = None) -> Settlement:
    """What is written of one message."""
    (found,) = judged(judge or a_judge(), parcel((message, outcome))).settlements
    return found


# -- what is written -------------------------------------------------------------------------------


def test_an_acceptance_is_written_as_it_was_said() -> None:
    """The gateway's name for the message, its code and words, and one attempt that counts."""
    assert Settlement(
        message_id=5,
        attempt=3,
        state=M.ACCEPTED,
        due_at=NOW,
        gateway="trial",
        gateway_id="T-1",
        outcome="accepted",
        code="0",
        detail="taken",
        burnt=2,
        unknown_since=None,
        started_at=START,
    ) == settled(a_claim(5, attempt=3, burnt=1), TAKEN)


@pytest.mark.parametrize(
    ("outcome", "since", "after"),
    [
        (UNKNOWN, None, START),
        (UNKNOWN, EARLIER, EARLIER),
        (TRANSIENT, EARLIER, EARLIER),
        (THROTTLED, EARLIER, EARLIER),
        (ACCOUNT, EARLIER, EARLIER),
        (REJECTED, EARLIER, EARLIER),
        (ACCEPTED, EARLIER, None),
        (DUPLICATE, EARLIER, None),
        (TRANSIENT, None, None),
        (REJECTED, None, None),
    ],
)
def test_a_doubt_keeps_its_beginning(outcome: Outcome, since: Any, after: Any) -> None:
    """The window of the gateway runs from the first hand-over that nobody knows about."""
    assert after == settled(a_claim(unknown_since=since), outcome).unknown_since


@pytest.mark.parametrize(
    ("outcome", "changes", "gateway"),
    [
        (ACCEPTED, {}, "trial"),
        (REJECTED, {}, "trial"),
        (UNKNOWN, {}, "trial"),
        (UNKNOWN, {"pinned": True}, "trial"),
        (TRANSIENT, {}, None),
        (THROTTLED, {}, None),
        (ACCOUNT, {}, None),
        (TRANSIENT, {"pinned": True}, "trial"),
        (THROTTLED, {"pinned": True}, "trial"),
        (ACCOUNT, {"pinned": True}, "trial"),
        (TRANSIENT, {"unknown_since": EARLIER}, "trial"),
        (SENDER, {}, "next"),
        (SENDER, {"pinned": True}, "next"),
        (SENDER, {"unknown_since": EARLIER}, "trial"),
    ],
)
def test_who_has_a_message_now(
    outcome: Outcome, changes: dict[str, Any], gateway: str | None
) -> None:
    """What waits again is anybody's, unless others have refused it; a doubt stays where it is."""
    assert gateway == settled(a_claim(**changes), outcome, a_judge(route="next")).gateway


def test_a_refused_name_without_another_route_is_final() -> None:
    """The last gateway's word is the last word."""
    after = settled(a_claim(pinned=True), SENDER)
    assert (M.REJECTED, "trial", "18") == (after.state, after.gateway, after.code)


def test_what_is_given_up_says_so() -> None:
    """After the last attempt the gateway's words stand behind ours."""
    busy = TRANSIENT._replace(detail="busy")
    after = settled(a_claim(burnt=MAX_ATTEMPTS - 1), busy)
    assert (M.REJECTED, "Given up after 8 attempts. busy") == (after.state, after.detail)


@pytest.mark.parametrize(
    ("changes", "state", "gateway"),
    [
        ({}, M.QUEUED, None),
        ({"pinned": True}, M.QUEUED, "trial"),
        ({"unknown_since": EARLIER}, M.UNKNOWN, "trial"),
    ],
)
def test_what_was_held_back_is_as_it_was(
    changes: dict[str, Any], state: MessageState, gateway: str | None
) -> None:
    """Its due time, its attempts, its pin and its doubt are those that it had."""
    message = a_claim(5, due_at=EARLIER, burnt=4, attempt=9, **changes)
    verdict = judged(a_judge(), parcel((message, HELD_BACK), left=False))
    assert [
        Settlement(5, 9, state, EARLIER, gateway, None, "", "", "", 4, message.unknown_since, START)
    ] == verdict.settlements


def test_what_was_held_back_teaches_nothing() -> None:
    """It is no answer of the gateway, and nothing was settled."""
    verdict = judged(a_judge(), parcel((a_claim(), HELD_BACK), left=False))
    assert ([], 0, "", None, {}) == (
        verdict.answered,
        verdict.settled,
        verdict.pause_because,
        verdict.rest_seconds,
        verdict.stop_runs,
    )


def test_each_message_has_its_own_outcome() -> None:
    """Over several parcels, in their order."""
    verdict = judged(
        a_judge(),
        parcel((a_claim(1), ACCEPTED), (a_claim(2), REJECTED)),
        parcel((a_claim(3), UNKNOWN), (a_claim(4), TRANSIENT)),
    )
    assert [(1, M.ACCEPTED), (2, M.REJECTED), (3, M.UNKNOWN), (4, M.QUEUED)] == [
        (each.message_id, each.state) for each in verdict.settlements
    ]
    assert ([True, True, False, False], 3) == (verdict.answered, verdict.settled)


# -- doubts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "window"),
    [
        (24, timedelta(hours=23, minutes=50)),
        (1, timedelta(minutes=50)),
        (0.25, timedelta(minutes=7.5)),
    ],
)
def test_a_repeat_keeps_away_from_the_end_of_the_window(hours: float, window: timedelta) -> None:
    """Ten minutes before a gateway forgets, and at the latest when half of its memory is over."""
    assert window == repeat_window(timedelta(hours=hours))


@pytest.mark.parametrize(
    ("sheet", "seconds"),
    [
        (SIMPLE, (0, 0)),
        (replace(SIMPLE, can_query=True, query_after_seconds=90), (90, 90)),
        (replace(SIMPLE, idempotency_seconds=3600), (3.75, 6.25)),
        (replace(SIMPLE, idempotency_seconds=3600, query_after_seconds=90), (90, 90)),
    ],
)
def test_when_a_doubt_is_due(sheet: Capabilities, seconds: tuple[float, float]) -> None:
    """A gateway that knows references gets it again soon, but none while it may be on its way."""
    due = (settled(a_claim(), UNKNOWN, a_judge(sheet)).due_at - NOW).total_seconds()
    assert seconds[0] <= due <= seconds[1]


# -- what the lane learns --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "because"),
    [
        (ACCOUNT, "401 wrong password"),
        (ACCOUNT._replace(code="", detail=""), "refused"),
        (REJECTED, ""),
        (CONTENT, ""),
        (SENDER, ""),
    ],
)
def test_a_refused_account_is_told_with_its_reason(outcome: Outcome, because: str) -> None:
    """Whoever mends the account reads what the gateway said."""
    assert because == judged(a_judge(), parcel((a_claim(), outcome))).pause_because


def test_the_longest_rest_counts() -> None:
    """Of several complaints at once, the one that asks for most."""
    asked = [THROTTLED._replace(retry_after_seconds=seconds) for seconds in (5, 90, 30)]
    pairs = [(a_claim(number), outcome) for number, outcome in enumerate(asked, 1)]
    assert 90 == judged(a_judge(), parcel(*pairs)).rest_seconds


@pytest.mark.parametrize(
    ("outcomes", "rest"),
    [
        ([DEFERRED] * 4, None),
        ([DEFERRED] * 5, 60.0),
        ([DEFERRED] * 4 + [ACCEPTED] + [DEFERRED] * 4, None),
        ([DEFERRED] * 4 + [REJECTED] + [DEFERRED] * 4, None),
        ([DEFERRED] * 4 + [ACCEPTED] + [DEFERRED] * 5, 60.0),
    ],
)
def test_deferrals_in_a_row_are_meant_for_all(outcomes: list[Outcome], rest: float | None) -> None:
    """One message that is too early says nothing about the others, five in a row do."""
    judge, verdict = a_judge(), Verdict()
    for number, outcome in enumerate(outcomes, 1):
        judge.judge([parcel((a_claim(number), outcome))], NOW, verdict)
    assert rest == verdict.rest_seconds


# -- what the run learns ---------------------------------------------------------------------------


def in_a_row(judge: Judge, *outcomes: Outcome, run_id: int = 1) -> dict[int, str]:
    """Which runs are stopped by these outcomes, one after the other."""
    stopped: dict[int, str] = {}
    for number, outcome in enumerate(outcomes, 1):
        stopped |= judged(judge, parcel((a_claim(number, run_id=run_id), outcome))).stop_runs
    return stopped


TEN = [REFUSALS_IN_A_ROW, REFUSALS_IN_A_ROW - 1]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (CONTENT, "content 304 no such template"),
        (SENDER, "sender 18 name not registered"),
        (CALLER, "caller 7 no such field"),
        (CALLER._replace(scope=None, code="", detail=""), "caller"),
    ],
)
def test_refusals_that_are_not_the_recipient_s_stop_the_run(outcome: Outcome, said: str) -> None:
    """Ten in a row: the text, our name or our call is wrong for all that follow."""
    assert [{1: f"The gateway refused 10 messages in a row ({said})."}, {}] == [
        in_a_row(a_judge(), *[outcome] * count) for count in TEN
    ]


@pytest.mark.parametrize("outcome", [REJECTED, UNKNOWN, TRANSIENT, ACCOUNT, THROTTLED, DUPLICATE])
def test_other_outcomes_do_not_stop_the_run(outcome: Outcome) -> None:
    """A list of dead numbers, or a gateway that is away, is no fault of the text."""
    assert {} == in_a_row(a_judge(), *[outcome] * 50)


def test_a_name_that_the_next_route_may_know_does_not_stop_the_run() -> None:
    """Messages that go on to another gateway were not refused for good."""
    assert {} == in_a_row(a_judge(route="next"), *[SENDER] * 50)


@pytest.mark.parametrize(
    ("between", "stops"), [(ACCEPTED, False), (REJECTED, True), (UNKNOWN, True)]
)
def test_only_an_acceptance_interrupts_the_row(between: Outcome, *, stops: bool) -> None:
    """A dead number in between says nothing for the text."""
    outcomes = [*[CONTENT] * 9, between, CONTENT]
    assert stops == bool(in_a_row(a_judge(), *outcomes))


def test_each_run_has_its_own_row() -> None:
    """A bad text of one job does not stop another."""
    judge = a_judge()
    first = in_a_row(judge, *[CONTENT] * 9, run_id=1)
    second = in_a_row(judge, *[CONTENT] * 9, run_id=2)
    assert ({}, {}, [1]) == (first, second, list(in_a_row(judge, CONTENT, run_id=1)))


def test_after_a_stop_the_row_begins_anew() -> None:
    """Whoever resumes the run has looked, and gets ten further tries."""
    judge = a_judge()
    stopped = in_a_row(judge, *[CONTENT] * 10)
    assert ([1], {}) == (list(stopped), in_a_row(judge, *[CONTENT] * 9))


STOP = StopRules(refused=0.1, unknown=0.1, least=10)


@pytest.mark.parametrize(
    ("outcomes", "because"),
    [
        ([ACCEPTED] * 9 + [REJECTED], ""),
        (
            [ACCEPTED] * 9 + [REJECTED] * 2,
            "2 of 11 messages are refused (18.2%); the limit is 10.0%.",
        ),
        (
            [ACCEPTED] * 9 + [UNKNOWN] * 2,
            "2 of 11 messages are unknown (18.2%); the limit is 10.0%.",
        ),
        ([REJECTED] * 9, ""),
        ([REJECTED] * 10, "10 of 10 messages are refused (100.0%); the limit is 10.0%."),
        ([TRANSIENT] * 30 + [REJECTED], ""),
    ],
)
def test_shares_stop_a_run_in_the_middle_of_a_wave(outcomes: list[Outcome], because: str) -> None:
    """The limits of the job are looked at with each failure."""
    stopped = in_a_row(a_judge(stop=STOP), *outcomes)
    assert ({1: because} if because else {}) == stopped


@pytest.mark.parametrize("then", [0, 9])
def test_after_a_stop_shares_are_counted_anew(then: int) -> None:
    """Whoever resumes the run is not stopped by what it has seen."""
    judge = a_judge(stop=STOP)
    stopped = in_a_row(judge, *[REJECTED] * 10)
    assert ([1], {}) == (list(stopped), in_a_row(judge, *[REJECTED] * then))


def test_what_was_held_back_is_in_no_share() -> None:
    """A lane that is grounded makes no message fail."""
    judge = a_judge(stop=STOP)
    pairs = [(a_claim(number), HELD_BACK) for number in range(1, 31)]
    judged(judge, parcel(*pairs, left=False))
    assert {} == in_a_row(judge, *[REJECTED] * 9)


def test_a_run_without_limits_is_not_stopped() -> None:
    """However many are refused, as long as it is the recipients."""
    assert {} == in_a_row(a_judge(), *[REJECTED] * 99)


# -- one incident, many messages -------------------------------------------------------------------


def test_one_incident_is_one_failure_however_many_messages_come_back() -> None:
    """A link that breaks with a window under way says as little as one that breaks with one."""
    judge = a_judge()
    cut, later = (UNKNOWN._replace(incident=name) for name in ("link-1", "link-2"))
    pairs = [(a_claim(id=n), cut) for n in range(10)]
    assert [False] == judged(judge, parcel(*pairs)).answered
    assert [] == judged(judge, parcel((a_claim(), cut))).answered
    mixed = parcel((a_claim(), later), (a_claim(), UNKNOWN), (a_claim(), cut), (a_claim(), UNKNOWN))
    assert [False] * 3 == judged(judge, mixed).answered


def test_what_a_probe_comes_back_with_always_counts() -> None:
    """The breaker waits for it."""
    judge = a_judge()
    cut = parcel((a_claim(), UNKNOWN._replace(incident="link-1")))
    assert [False] == judged(judge, cut).answered
    assert [False] == judged(judge, replace(cut, is_probe=True)).answered
