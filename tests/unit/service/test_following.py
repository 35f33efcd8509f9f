"""Following a run: what each look says, at what rate, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError, UsageError
from smsengine.lifecycle import BreakerState, RunState
from smsengine.service.bootstrap import Engine
from smsengine.service.following import Follower
from smsengine.store import lanes
from smsengine.store.engine import Store
from tests.conftest import START, Office, rows


class Sending(ManualClock):
    """While somebody sleeps, messages are accepted; ``at_sleep`` says what happens next."""

    def __init__(self) -> None:
        super().__init__(START)
        self.slept: list[float] = []
        self.at_sleep: Iterator[Callable[[], None]] = iter(())

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.slept.append(seconds)
        next(self.at_sleep, lambda: None)()


@pytest.fixture
def clock() -> Sending:
    return Sending()


@pytest.fixture
def engine(installation: Callable[..., Engine], store: Store) -> Engine:
    """An installation whose ledger is one of each of the two databases."""
    made = installation()
    made.__dict__["store"] = store
    return made


@pytest.fixture
def office(office: Office) -> Office:
    """A released run of ten messages."""
    office.released(rows(10))
    return office


def accept(office: Office, upto: int) -> Callable[[], None]:
    return lambda: office.change(
        "UPDATE messages SET state = 'accepted', gateway = 'trial', gateway_id = 'g',"
        f" settled_at = '2019-06-01 01:00:00' WHERE place <= {upto}"
    )


def end(office: Office) -> Callable[[], None]:
    return lambda: office.change(
        "UPDATE runs SET state = 'finished', finished_at = '2019-06-01 01:00:00'"
    )


def silent(sentence: str) -> None:
    raise AssertionError(sentence)


def test_a_run_is_followed_to_its_end(engine: Engine, office: Office, clock: Sending) -> None:
    """Each look says how much is done, how fast, and for how long it still goes."""

    def rest() -> None:
        accept(office, 10)()
        end(office)()

    clock.at_sleep = iter([accept(office, 2), accept(office, 6), rest])
    looks = list(Follower(engine, 1).looks(2.0, silent))
    assert [(look.done, look.left, look.rate, look.seconds_left) for look in looks] == [
        (0, 10, None, None),
        (2, 8, 1.0, 8.0),
        (6, 4, 1.5, pytest.approx(4 / 1.5)),
        (10, 0, pytest.approx(10 / 6), 0.0),
    ]
    assert [look.has_ended for look in looks] == [False, False, False, True]
    assert looks[-1].run.state is RunState.FINISHED
    assert clock.slept == [2.0, 2.0, 2.0]


def test_the_rate_is_that_of_the_last_minute(
    engine: Engine, office: Office, clock: Sending
) -> None:
    """What happened before does not count."""
    clock.at_sleep = iter([accept(office, 8)] + [lambda: None] * 9 + [end(office)])
    looks = list(Follower(engine, 1).looks(10.0, silent))
    assert looks[1].rate == 0.8
    assert looks[-1].rate == 0.0
    assert looks[-1].seconds_left is None


def test_a_look_as_facts(engine: Engine, office: Office) -> None:
    """For programs: plain values."""
    accept(office, 3)()
    assert Follower(engine, 1).look().facts() == {
        "at": START.isoformat(),
        "run": 1,
        "job": "c12-statement",
        "period": "2019-06",
        "revision": 1,
        "state": "released",
        "messages": 10,
        "done": 3,
        "left": 7,
        "rate": None,
        "seconds_left": None,
        "states": {"accepted": 3, "queued": 7},
        "waits": [],
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "UPDATE runs SET state = 'held', held_because = 'Too dear.'",
            "Held: Too dear. Release it: smsengine runs approve 1",
        ),
        (
            "UPDATE runs SET state = 'paused', held_because = 'By me.'",
            "Paused: By me. Go on: smsengine runs resume 1",
        ),
        ("UPDATE runs SET state = 'planned'", "It is planned and not released yet."),
        ("UPDATE runs SET released_upto = 4", "6 messages belong to later waves."),
        (
            "UPDATE runs SET gateway = 'gone'",
            "config.yaml: gateways: lacks 'gone'; it has: trial.",
        ),
    ],
)
def test_a_run_says_what_it_waits_for(
    engine: Engine, office: Office, change: str, said: str
) -> None:
    """And what to type."""
    office.change(change)
    (found,) = Follower(engine, 1).look().waits
    assert found.endswith(said)


def test_a_lane_says_why_nothing_leaves(engine: Engine, office: Office, clock: Sending) -> None:
    """A refused account, a breaker, a rest."""
    follower = Follower(engine, 1)
    with office.store.write() as connection:
        lanes.ensure(connection, "trial")
        now = lanes.present(connection, clock.now().timestamp())
        lanes.slow(connection, "trial", speed=0.5, now=now, rest_seconds=30)
    assert follower.look().waits == ("trial asked for a rest.",)
    with office.store.write() as connection:
        lanes.set_breaker(
            connection,
            "trial",
            state=BreakerState.OPEN,
            failures=5,
            trips=1,
            open_until=now + 3600,
        )
    (said,) = follower.look().waits
    assert said.startswith("trial gives no usable answer; it is tried again in 3")
    with office.store.write() as connection:
        lanes.pause(connection, "trial", "no money")
    assert follower.look().waits == (
        "trial refuses our account (no money); when it is mended: smsengine gateways resume trial",
    )


CLOSED = """\
database: sqlite:///ledger.db
window: 09:30-11:00
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{from: 2019-01-01, per_segment: 850}]
"""


def test_outside_the_sending_hours_it_says_when(
    installation: Callable[..., Engine], office: Office
) -> None:
    """At eight in the morning nobody is texted yet."""
    engine = installation(config=CLOSED)
    engine.__dict__["store"] = office.store
    assert Follower(engine, 1).look().waits == ("trial sends from 09:30 on.",)


def test_a_run_that_there_is_not_is_one_sentence(engine: Engine) -> None:
    """And says where the others are."""
    with pytest.raises(UsageError, match="There is no run 7; see 'smsengine runs list'"):
        Follower(engine, 7).look()


class AwayNow(Follower):
    """The ledger is away at the second look."""

    count = 0

    def look(self):  # type: ignore[no-untyped-def]
        self.count += 1
        if self.count == 2:
            raise StoreAwayError
        return super().look()


def test_a_ledger_that_is_away_is_told_and_looked_at_again(
    engine: Engine, office: Office, clock: Sending
) -> None:
    """Who watches need not start again."""
    told: list[str] = []
    clock.at_sleep = iter([end(office)])
    looks = list(AwayNow(engine, 1).looks(1.0, told.append))
    assert [look.has_ended for look in looks] == [False, True]
    assert told == ["The ledger cannot be used just now. Looking again."]
    assert clock.slept == [1.0, 5.0, 1.0]
