"""What is still sent, what is missed and what is settled, after however long."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.clock import VIETNAM
from smsengine.cron import Cron
from smsengine.period import PeriodRule
from smsengine.service.catching_up import Decision, Offer, decide
from smsengine.timetable import Daily, Firing, Minutely, Monthly, Shift, Timetable
from smsengine.workdays import Workdays

EIGHT = time(8, 0)
DAY_1 = Monthly(day=1, at=EIGHT)
DAILY = Daily(at=EIGHT)
TEN_DAYS = timedelta(days=10)
TWELVE_HOURS = timedelta(hours=12)
SINCE = "2024-01-15T12:00"


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


def judged(
    now: str,
    known: Collection[str] = (),
    *,
    timetable: Timetable = DAY_1,
    rule: PeriodRule = PeriodRule.CURRENT_MONTH,
    since: str = SINCE,
    catch_up: timedelta = TEN_DAYS,
) -> Decision:
    return decide(
        timetable, rule, since=local(since), known=known, catch_up=catch_up, now=local(now)
    )


def names(decision: Decision) -> tuple[str | None, list[str]]:
    """The period that is offered, and those that are missed."""
    offer = decision.offer
    return (str(offer.period) if offer else None), [str(each.period) for each in decision.missed]


JANUARY_ON = ["2024-02", "2024-03"]


@pytest.mark.parametrize(
    ("now", "known", "offered", "missed"),
    [
        # In time, and a moment before.
        ("2024-02-01T07:59:59", [], None, []),
        ("2024-02-01T08:00", [], "2024-02", []),
        # Down on the 1st and up on the 3rd: once.
        ("2024-02-03T10:00", [], "2024-02", []),
        ("2024-02-03T10:01", ["2024-02"], None, []),
        # The last moment, the first one that is too late, and up on the 20th.
        ("2024-02-11T07:59:59", [], "2024-02", []),
        ("2024-02-11T08:00", [], None, ["2024-02"]),
        ("2024-02-20T10:00", [], None, ["2024-02"]),
        # Missed, skipped on purpose or sent by hand: settled.
        ("2024-02-20T10:00", ["2024-02"], None, []),
        ("2024-02-01T08:00", ["2024-02"], None, []),
        # Down for three months.
        ("2024-05-02T10:00", [], "2024-05", ["2024-02", "2024-03", "2024-04"]),
        ("2024-05-20T10:00", [], None, ["2024-02", "2024-03", "2024-04", "2024-05"]),
        ("2024-05-02T10:00", JANUARY_ON, "2024-05", ["2024-04"]),
        # The newest was sent by hand while nobody was up; the gap behind it is told.
        ("2024-05-02T10:00", ["2024-02", "2024-05"], None, ["2024-03", "2024-04"]),
        # An extract that never came is missed when the next month is due, never sent beside it.
        ("2024-03-01T08:00", [], "2024-03", ["2024-02"]),
        # The clock was set back: behind the beginning, and to where all is settled.
        ("2024-01-01T09:00", [], None, []),
        ("2024-02-20T10:00", ["2024-02", "2024-03", "2024-04"], None, []),
        # A period of the future was skipped.
        ("2024-02-20T10:00", ["2024-02", "2024-06"], None, []),
    ],
)
def test_a_monthly_notice(
    now: str, known: list[str], offered: str | None, missed: list[str]
) -> None:
    """It is watched since 15 January 2024, is due on day 1 at eight and may be ten days late."""
    assert (offered, missed) == names(judged(now, known))


def test_what_was_due_when_it_began_is_not_offered() -> None:
    """A new job does not send what was due before anybody looked after it, nor call it missed."""
    assert (None, []) == names(judged("2024-02-01T08:00", since="2024-02-01T08:00"))
    assert ("2024-02", []) == names(judged("2024-02-01T08:00", since="2024-02-01T07:59:59"))


def test_an_offer_says_when_it_was_due_and_until_when() -> None:
    """A person is told both; what comes next is told, too."""
    decision = judged("2024-02-03T10:00")
    assert decision.offer is not None
    assert (local("2024-02-01T08:00"), local("2024-02-11T08:00"), local("2024-03-01T08:00")) == (
        decision.offer.firing.at,
        decision.offer.deadline,
        decision.next.at if decision.next else None,
    )


def test_what_comes_next_is_not_due_before_it_began() -> None:
    """A clock behind the beginning does not announce a firing that will not be offered."""
    coming = judged("2023-11-20T08:00").next
    assert coming is not None
    assert local("2024-02-01T08:00") == coming.at


@pytest.mark.parametrize(
    ("shift", "since", "now", "offered"),
    [
        (Shift.PREVIOUS, "2025-12-15T00:00", "2025-12-31T07:59", None),
        (Shift.PREVIOUS, "2025-12-15T00:00", "2025-12-31T08:00", "2026-01"),
        (Shift.NEXT, "2025-05-15T00:00", "2025-06-01T08:00", None),
        (Shift.NEXT, "2025-05-15T00:00", "2025-06-02T08:00", "2025-06"),
    ],
)
def test_a_moved_firing_is_about_its_own_month(
    shift: Shift, since: str, now: str, offered: str | None
) -> None:
    """What goes out on 31 December because of New Year is January's notice."""
    timetable = Monthly(day=1, at=EIGHT, shift=shift, workdays=Workdays())
    assert (offered, []) == names(judged(now, timetable=timetable, since=since))


@pytest.mark.parametrize(
    ("now", "known", "offered", "missed"),
    [
        ("2024-02-10T08:00", ["2024-02-08"], "2024-02-09", []),
        ("2024-02-10T19:59", ["2024-02-08"], "2024-02-09", []),
        ("2024-02-10T20:00", ["2024-02-08"], None, ["2024-02-09"]),
        ("2024-02-12T08:30", ["2024-02-08"], "2024-02-11", ["2024-02-09", "2024-02-10"]),
    ],
)
def test_a_daily_notice(now: str, known: list[str], offered: str | None, missed: list[str]) -> None:
    """It is about the day before and may be twelve hours late."""
    decision = judged(
        now,
        known,
        timetable=DAILY,
        rule=PeriodRule.PREVIOUS_DAY,
        since="2024-02-09T12:00",
        catch_up=TWELVE_HOURS,
    )
    assert (offered, missed) == names(decision)


def quarterly(now: str, known: Collection[str] = ()) -> Decision:
    """Every quarter of an hour about the same day, watched since eight on 10 February 2024."""
    return judged(
        now,
        known,
        timetable=Minutely(every=timedelta(minutes=15)),
        rule=PeriodRule.CURRENT_DAY,
        since="2024-02-10T08:00",
        catch_up=timedelta(minutes=15),
    )


@pytest.mark.parametrize(
    ("now", "known", "offered", "missed", "again"),
    [
        ("2024-02-10T08:14", [], None, [], None),
        ("2024-02-10T08:15", [], "08:15", [], None),
        # The first firing was served; the second comes again.
        ("2024-02-10T08:29", ["2024-02-10"], None, [], None),
        ("2024-02-10T08:30", ["2024-02-10"], None, [], "08:30"),
        # The first was not served; the second is offered in its place, and nothing is missed.
        ("2024-02-10T12:07", [], "12:00", [], None),
        ("2024-02-11T00:00", ["2024-02-10"], "00:00", [], None),
        # A day without a run is missed once the next has begun, as one.
        ("2024-02-11T00:20", [], "00:15", ["2024-02-10"], None),
        ("2024-02-13T00:20", ["2024-02-13"], None, ["2024-02-10", "2024-02-11", "2024-02-12"],
         "00:15"),
    ],
)  # fmt: skip
def test_a_notice_that_is_due_several_times_a_day(
    now: str, known: list[str], offered: str | None, missed: list[str], again: str | None
) -> None:
    """A day is one period: offered once, missed once, and asked for again when it is settled."""

    def hour(offer: Offer | None) -> str | None:
        return f"{offer.firing.at.astimezone(VIETNAM):%H:%M}" if offer else None

    decision = quarterly(now, known)
    assert (offered, missed, again) == (
        hour(decision.offer),
        names(decision)[1],
        hour(decision.again),
    )


@pytest.mark.parametrize("day", range(1, 31))
def test_a_month_that_is_settled_is_not_asked_for_again(day: int) -> None:
    """A daemon that is started anew while a run may still begin plans nothing twice."""
    assert judged(f"2024-04-{day:02d}T09:00", [*JANUARY_ON, "2024-04"]).again is None


def test_years_of_being_down_end_in_a_hundred() -> None:
    """The newest hundred periods are told; the work does not grow with the years."""
    offered, missed = names(
        judged(
            "2034-02-10T09:00",
            timetable=DAILY,
            rule=PeriodRule.CURRENT_DAY,
            catch_up=TWELVE_HOURS,
        )
    )
    assert ("2034-02-10", 99) == (offered, len(missed))
    assert ("2033-11-03", "2034-02-09") == (missed[0], missed[-1])


class Counting:
    """A timetable that counts how often it is asked."""

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self.asked = 0

    def next_after(self, after: datetime) -> Firing | None:
        self.asked += 1
        return self.timetable.next_after(after)


@pytest.mark.parametrize("timetable", [DAY_1, DAILY, Minutely(every=timedelta(minutes=1))])
def test_a_look_at_what_is_settled_is_cheap(timetable: Timetable) -> None:
    """After ten years of service a look asks the timetable a few dozen times."""
    counting = Counting(timetable)
    start = local("2023-12-01T00:00")
    known = {f"{start + timedelta(days=n):%Y-%m-%d}" for n in range(4000)}
    rule = PeriodRule.CURRENT_DAY
    decision = judged("2034-02-10T09:00", known, timetable=counting, rule=rule)
    assert (None, []) == names(decision)
    assert counting.asked < 150


TIMETABLES: list[Timetable] = [
    DAILY,
    Minutely(every=timedelta(minutes=90)),
    Cron.parse("30 7,16 * * mon-fri"),
    Cron.parse("0 8 last * *"),
]


@given(
    timetable=st.sampled_from(TIMETABLES),
    steps=st.lists(
        st.timedeltas(timedelta(minutes=-300), timedelta(hours=60)), min_size=1, max_size=60
    ),
    catch_up=st.timedeltas(timedelta(minutes=1), timedelta(hours=30)),
)
def test_every_period_is_settled_once(
    timetable: Timetable, steps: list[timedelta], catch_up: timedelta
) -> None:
    """However it is looked at, and though the clock goes back, no day is lost or twice."""
    since = now = latest = local(SINCE)
    settled: list[str] = []
    for step in steps:
        now += step
        latest = max(latest, now)
        decision = decide(
            timetable,
            PeriodRule.CURRENT_DAY,
            since=since,
            known=frozenset(settled),
            catch_up=catch_up,
            now=now,
        )
        settled += [str(each.period) for each in decision.missed]
        if decision.offer is not None:
            assert decision.offer.firing.at <= now < decision.offer.deadline
            settled.append(str(decision.offer.period))
    expected = []
    firing = timetable.next_after(since)
    while firing is not None and firing.at <= latest:
        expected.append(f"{firing.nominal:%Y-%m-%d}")
        firing = timetable.next_after(firing.at)
    assert sorted(settled) == [*dict.fromkeys(expected)]
