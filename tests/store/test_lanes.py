"""What all machines share about one gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from smsengine.errors import StoreError
from smsengine.lifecycle import BreakerState
from smsengine.store import lanes
from smsengine.store.engine import Store
from smsengine.store.lanes import LaneRow
from tests.conftest import START

NOW = START.timestamp()
B = BreakerState


@pytest.fixture
def known(store: Store) -> Store:
    """A ledger that knows the gateway ``trial``."""
    write(store, lanes.ensure, "trial")
    return store


def write(store: Store, statement: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """What a statement gives in a transaction of its own."""
    with store.write() as connection:
        return statement(connection, *values, **named)


def row(store: Store, name: str = "trial") -> LaneRow:
    with store.read() as connection:
        return lanes.get(connection, name)


def present(store: Store) -> float:
    """The database's clock, by this machine's when it is SQLite's."""
    with store.read() as connection:
        return lanes.present(connection, NOW)


def open_until(store: Store, seconds: float, state: BreakerState = B.OPEN) -> None:
    """The breaker is open until so many seconds from now."""
    values = {"failures": 5, "trips": 1, "open_until": present(store) + seconds}
    write(store, lanes.set_breaker, "trial", state=state, **values)


def reserve(store: Store, seconds: float, **changes: Any) -> lanes.Reserved:
    found: lanes.Reserved = write(
        store, lanes.reserve, "trial", seconds=seconds, **({"now": NOW} | changes)
    )
    return found


def test_a_gateway_that_was_never_used_is_in_order(store: Store) -> None:
    """Before its first message nothing speaks against it."""
    assert LaneRow(gateway="trial") == row(store)


def test_a_new_row_is_in_order(known: Store) -> None:
    """The defaults of the table are those of the program."""
    assert LaneRow(gateway="trial") == row(known)


def test_a_row_is_made_once(known: Store) -> None:
    """What is known survives the start of another process."""
    write(known, lanes.pause, "trial", "401")
    write(known, lanes.ensure, "trial")
    assert "401" == row(known).paused_because


def test_all_gateways_are_listed_by_name(known: Store) -> None:
    """Also those that only another machine has used."""
    write(known, lanes.ensure, "alpha")
    with known.read() as connection:
        assert ["alpha", "trial"] == [each.gateway for each in lanes.all_known(connection)]


def test_a_breaker_comes_back_as_it_was_written(known: Store) -> None:
    """State, counts and the instant, to the last bit."""
    write(
        known, lanes.set_breaker, "trial", state=B.OPEN, failures=7, trips=3, open_until=NOW + 1 / 3
    )
    expected = LaneRow(gateway="trial", breaker=B.OPEN, failures=7, trips=3, open_until=NOW + 1 / 3)
    assert expected == row(known)


@pytest.mark.parametrize("speed", [0, -0.1, 1.1])
def test_a_speed_beyond_the_contract_is_refused(known: Store, speed: float) -> None:
    """Neither a standstill nor more than was agreed on."""
    with pytest.raises(StoreError, match=r"(?i)ck_lanes_speed"):
        write(known, lanes.slow, "trial", speed=speed, now=NOW, rest_seconds=0.0)


# -- people ----------------------------------------------------------------------------------------


def test_a_person_opens_a_gateway_again(known: Store) -> None:
    """It is trusted anew, whatever was before."""
    write(known, lanes.pause, "trial", "401")
    open_until(known, 600)
    assert write(known, lanes.resume, "trial")
    assert LaneRow(gateway="trial") == row(known)


def test_a_gateway_that_is_open_is_not_opened(known: Store) -> None:
    """Whoever asks for it is told that it was not stopped."""
    assert [False, False] == [write(known, lanes.resume, name) for name in ("trial", "none")]


def test_opening_a_gateway_keeps_its_speed(known: Store) -> None:
    """That it was too fast before is not forgotten."""
    write(known, lanes.slow, "trial", speed=0.5, now=NOW, rest_seconds=0.0)
    write(known, lanes.pause, "trial", "401")
    write(known, lanes.resume, "trial")
    assert 0.5 == row(known).speed


# -- probes ----------------------------------------------------------------------------------------


def probe(connection: Connection) -> bool:
    now = lanes.present(connection, NOW)
    return lanes.begin_probe(connection, "trial", now=now, until=now + 120)


def test_one_of_all_machines_probes(known: Store) -> None:
    """The second one that comes is too late."""
    open_until(known, -1)
    assert [True, False] == [write(known, probe) for _ in range(2)]
    assert B.HALF_OPEN is row(known).breaker


@pytest.mark.parametrize(
    ("seconds", "state", "probes"),
    [
        (600, B.OPEN, False),
        (-1, B.OPEN, True),
        (600, B.HALF_OPEN, False),
        (-1, B.HALF_OPEN, True),
        (-1, B.CLOSED, False),
    ],
)
def test_when_a_gateway_may_be_probed(
    known: Store, seconds: float, state: BreakerState, *, probes: bool
) -> None:
    """When its time is over; also when a probe was never heard of again."""
    open_until(known, seconds, state)
    assert probes == write(known, probe)


# -- reservations ----------------------------------------------------------------------------------


def test_stretches_follow_each_other(known: Store) -> None:
    """Each begins where the last one ends, exactly."""
    first, second, third = (reserve(known, seconds) for seconds in (2.0, 0.25, 1.0))
    assert (first.end + 0.25, second.end + 1.0) == (second.end, third.end)


def test_a_gateway_that_was_idle_is_free_now(known: Store) -> None:
    """Time that nobody used is not saved up."""
    assert pytest.approx(0, abs=0.5) == reserve(known, 2.0).wait_seconds


def test_a_stretch_begins_when_the_others_are_through(known: Store) -> None:
    """Whoever comes second waits so long."""
    reserve(known, 20.0)
    assert pytest.approx(20, abs=2) == reserve(known, 1.0).wait_seconds


def test_an_unused_rest_is_given_back(known: Store) -> None:
    """When nobody has reserved since."""
    first = reserve(known, 20.0)
    second = reserve(known, 1.0, unused=(first.end - 15.0, first.end))
    assert first.end - 15.0 + 1.0 == second.end


def test_a_rest_that_is_not_the_last_is_not_given_back(known: Store) -> None:
    """Somebody else's stretch lies behind it."""
    first, other = reserve(known, 20.0), reserve(known, 2.0)
    third = reserve(known, 1.0, unused=(first.end - 15.0, first.end))
    assert other.end + 1.0 == third.end


def test_a_reservation_tells_the_speed(known: Store) -> None:
    """With the complaint's instant and the database's clock, to recover by."""
    write(known, lanes.slow, "trial", speed=0.25, now=NOW, rest_seconds=0.0)
    found = reserve(known, 1.0)
    assert (0.25, row(known).slowed_at, True) == (
        found.speed,
        found.slowed_at,
        0 <= found.now - found.slowed_at < 30,
    )


@pytest.mark.parametrize("rest", [5, 90, 3600])
def test_a_rest_is_kept(known: Store, rest: float) -> None:
    """Nobody's stretch begins before, however long it is."""
    write(known, lanes.slow, "trial", speed=0.5, now=NOW, rest_seconds=rest)
    assert pytest.approx(rest, abs=3) == reserve(known, 1.0).wait_seconds


def test_a_rest_shortens_no_reservation(known: Store) -> None:
    """What was reserved already stays reserved."""
    reserve(known, 30.0)
    write(known, lanes.slow, "trial", speed=0.5, now=NOW, rest_seconds=5.0)
    assert pytest.approx(30, abs=3) == reserve(known, 1.0).wait_seconds


def test_a_clock_that_was_wrong_is_not_believed(known: Store) -> None:
    """A reservation hours ahead that is no rest does not keep the gateway waiting."""
    with known.write() as connection:
        connection.execute(lanes.lanes.update().values(next_at=present(known) + 7200))
    assert pytest.approx(0, abs=2) == reserve(known, 1.0).wait_seconds


def test_a_rest_is_written_down(known: Store) -> None:
    """Every machine reads until when the gateway wants to be left alone."""
    write(known, lanes.slow, "trial", speed=0.5, now=NOW, rest_seconds=90.0)
    found = row(known)
    assert (pytest.approx(90, abs=0.01), True) == (
        found.rest_until - found.slowed_at,
        found.rests(present(known)),
    )
