"""The clock tells what is due in real threads, whatever the wall clock does."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from time import monotonic

import pytest

from smsengine.clock import VIETNAM, SystemClock
from smsengine.service.ticking import Ticker
from smsengine.timetable import Daily, Firing, Timetable

#: Longer than anything here takes on a busy machine; a test that waits so long has failed.
PATIENCE = 20.0
NEVER = 3_600.0
SOON = timedelta(milliseconds=30)


class Often:
    """Due again and again, every few milliseconds."""

    def next_after(self, after: datetime) -> Firing:
        return Firing(after + SOON, after.astimezone(VIETNAM))


class Once:
    """Due at one instant and never again."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def next_after(self, after: datetime) -> Firing | None:
        return Firing(self.at, self.at.astimezone(VIETNAM)) if self.at > after else None


class Heard:
    """A ticker, and all that it told."""

    def __init__(self, make: Callable[..., Ticker], beat_seconds: float) -> None:
        self.told: queue.Queue[str] = queue.Queue()
        self.faults: queue.Queue[BaseException] = queue.Queue()
        self.ticker = make(
            offer=self.told.put,
            look=lambda: self.told.put("look"),
            failed=self.faults.put,
            beat_seconds=beat_seconds,
        )

    def next(self) -> str:
        """What it tells next."""
        return self.told.get(timeout=PATIENCE)

    def until(self, expected: str) -> None:
        """Wait until it tells this."""
        end = monotonic() + PATIENCE
        while self.next() != expected:
            assert monotonic() < end


Hear = Callable[..., Heard]


@pytest.fixture
def hear() -> Iterator[Hear]:
    """A ticker that is running and stopped in the end."""
    running: list[Ticker] = []

    def make(
        jobs: dict[str, Timetable],
        *,
        beat_seconds: float = NEVER,
        make: Callable[..., Ticker] = Ticker,
    ) -> Heard:
        heard = Heard(make, beat_seconds)
        running.append(heard.ticker)
        heard.ticker.set_jobs(jobs)
        heard.ticker.start()
        return heard

    yield make
    for ticker in running:
        ticker.stop()


class Wall:
    """A wall clock that can be set; the seconds that really pass are the machine's."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def set_to(self, shown: datetime) -> None:
        self.ahead = shown - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Machine(SystemClock):
    """The clock of a machine on whose wall another time stands."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall

    def now(self) -> datetime:
        return self._wall.now()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """What APScheduler takes for the time of day."""
    wall = Wall()

    class Shown(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return wall.now().astimezone(tz)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Shown)
    return wall


def test_a_job_is_told_whenever_it_is_due(hear: Hear) -> None:
    """By its name, again and again."""
    heard = hear({"c12-statement": Often()})
    assert ["c12-statement"] * 3 == [heard.next() for _ in range(3)]


def test_a_job_is_not_told_before_it_is_due(hear: Hear) -> None:
    """What is due later does not come with what is due now."""
    heard = hear({"soon": Once(datetime.now(UTC) + SOON), "later": Daily(at=time(0, 0))})
    assert "soon" == heard.next()
    heard.ticker.stop()
    assert heard.told.empty()


def test_a_job_without_a_next_firing_is_no_fault(hear: Hear) -> None:
    """A timetable that has come to its end is silent; the others go on."""
    heard = hear({"over": Once(datetime(2019, 1, 1, tzinfo=UTC)), "often": Often()})
    assert ["often", "often"] == [heard.next(), heard.next()]


def test_jobs_are_replaced_while_it_runs(hear: Hear) -> None:
    """After a reload the old jobs are silent and the new ones are told."""
    heard = hear({"old": Often()})
    heard.until("old")
    heard.ticker.set_jobs({"new": Often()})
    heard.until("new")
    assert ["new"] * 5 == [heard.next() for _ in range(5)]


@pytest.mark.parametrize("count", [0, 1])
def test_a_beat_looks_whether_or_not_there_are_jobs(hear: Hear, count: int) -> None:
    """The ledger is looked at although no job was noticed to be due."""
    heard = hear(
        dict([("yearly", Once(datetime(9000, 1, 1, tzinfo=UTC)))][:count]), beat_seconds=0.01
    )
    assert ["look", "look"] == [heard.next(), heard.next()]


def test_a_fault_is_told_and_the_clock_goes_on(hear: Hear) -> None:
    """Whatever a handler raises, the next firing and the next beat come."""

    def failing(name: str) -> None:
        raise RuntimeError(name)

    def broken(**given: object) -> Ticker:
        given["offer"], given["look"] = failing, lambda: failing("look")
        return Ticker(**given)  # type: ignore[arg-type]

    heard = hear({"often": Often()}, beat_seconds=0.02, make=broken)
    wanted = {"often": 2, "look": 2}
    while any(wanted.values()):
        said = str(heard.faults.get(timeout=PATIENCE))
        wanted[said] = max(wanted[said] - 1, 0)
    assert heard.told.empty()


def test_nothing_is_told_after_the_stop(hear: Hear) -> None:
    """Who stops it may close what the handlers use."""
    heard = hear({"often": Often()}, beat_seconds=0.01)
    heard.until("often")
    heard.ticker.stop()
    count = heard.told.qsize()
    heard.ticker.stop()
    assert count == heard.told.qsize()


def test_it_may_be_stopped_before_it_was_started() -> None:
    """A daemon that fails while it starts can clean up all the same."""
    heard = Heard(Ticker, NEVER)
    heard.ticker.set_jobs({"often": Often()})
    heard.ticker.stop()
    assert heard.told.empty()


def test_the_log_stays_quiet(hear: Hear, caplog: pytest.LogCaptureFixture) -> None:
    """A firing each minute does not write two lines each minute."""
    with caplog.at_level(logging.INFO):
        heard = hear({"often": Often()})
        assert ["often"] * 3 == [heard.next() for _ in range(3)]
        heard.ticker.stop()
    assert [] == caplog.records


NOON = datetime(2024, 6, 1, 12, 0, tzinfo=VIETNAM)


@pytest.mark.parametrize(
    "set_to",
    [
        NOON.replace(hour=19, minute=59) + timedelta(minutes=1),
        NOON + timedelta(days=400),
        NOON - timedelta(hours=16, seconds=1),
        NOON - timedelta(days=400, hours=16, seconds=1),
    ],
    ids=["to the hour", "over a year forward", "back to the morning", "over a year back"],
)
def test_a_clock_that_is_set_costs_one_beat(hear: Hear, wall: Wall, set_to: datetime) -> None:
    """Due at eight in the evening: a clock set forward or back is noticed with the next beat."""
    wall.set_to(NOON)

    def on_that_wall(**given: object) -> Ticker:
        return Ticker(**given, clock=Machine(wall))  # type: ignore[arg-type]

    heard = hear({"evening": Daily(at=time(20, 0))}, beat_seconds=0.02, make=on_that_wall)
    assert "look" == heard.next()
    wall.set_to(set_to)
    heard.until("evening")
    assert heard.faults.empty()
