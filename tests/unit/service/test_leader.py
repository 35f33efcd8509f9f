"""One machine leads: it stops believing before another one may, and writes nothing afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from smsengine.clock import ManualClock
from smsengine.errors import DeposedError, StoreAwayError
from smsengine.service.leader import LEASE_SECONDS, RENEW_SECONDS, Leadership
from smsengine.store.engine import Store
from tests.conftest import START, execute
from tests.postgres import Server

MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class LocalClock(ManualClock):
    """A machine's clock, whose seconds may be longer or shorter than the database's."""

    def __init__(self, shared: ManualClock, rate: float = 1.0) -> None:
        super().__init__(shared.now())
        self._shared = shared
        self._rate = rate

    def now(self) -> datetime:
        return self._shared.now()

    def monotonic(self) -> float:
        return 1000 + self._rate * (self._shared.monotonic() - START.timestamp())


def machine(store: Store, clock: ManualClock, name: str = "here") -> Leadership:
    """A daemon's part in the lead."""
    return Leadership(store=store, clock=clock, holder=f"{name}:1:1:1")


def count(connection: Connection) -> int:
    return int(execute(connection, "SELECT count(*) FROM duties").scalar_one())


def act(leadership: Leadership) -> bool:
    """Write something as the leader; False when that was refused."""
    try:
        with leadership.acting() as connection:
            number = count(connection)
            execute(
                connection,
                "INSERT INTO duties (name, done_at) VALUES (?, '2019-06-01 01:00:00')",
                f"duty {number}",
            )
    except DeposedError:
        return False
    return True


def lapse(store: Store) -> None:
    """The database's clock goes past every lease."""
    with store.write() as connection:
        execute(connection, "UPDATE leases SET until = 0")


def test_the_first_machine_leads(store: Store, clock: ManualClock) -> None:
    """Nobody leads before it has asked."""
    first = machine(store, clock)
    before = (first.leads(), act(first))
    assert ((False, False), True, True) == (before, first.renew(clock.now()), act(first))


def test_the_second_machine_does_not(store: Store, clock: ManualClock) -> None:
    """It may ask as often as it likes."""
    first, second = machine(store, clock), machine(store, clock, "there")
    first.renew(clock.now())
    assert (False, False, False) == (second.renew(clock.now()), second.leads(), act(second))


def test_the_lead_is_kept_by_prolonging_it(sqlite_store: Store, clock: ManualClock) -> None:
    """Ten minutes of reports every few seconds is one lead."""
    first, second = machine(sqlite_store, clock), machine(sqlite_store, clock, "there")
    for _ in range(int(600 / RENEW_SECONDS)):
        assert (True, False) == (first.renew(clock.now()), second.renew(clock.now()))
        clock.sleep(RENEW_SECONDS)
    assert act(first)


def test_a_frozen_leader_does_not_believe_when_it_wakes(
    sqlite_store: Store, clock: ManualClock
) -> None:
    """Its own clock counted on; it does not even ask before it stops."""
    first = machine(sqlite_store, clock)
    first.renew(clock.now())
    clock.sleep(LEASE_SECONDS)
    assert (False, False) == (first.leads(), act(first))


def test_a_leader_stops_believing_before_others_may_begin(
    sqlite_store: Store, clock: ManualClock
) -> None:
    """There is a time in which nobody leads, and none in which two do."""
    first, second = machine(sqlite_store, clock), machine(sqlite_store, clock, "there")
    first.renew(clock.now())
    clock.sleep(LEASE_SECONDS - 2)
    assert (False, False) == (first.leads(), second.renew(clock.now()))
    clock.sleep(2)
    assert second.renew(clock.now())


def test_a_frozen_leader_that_believes_is_refused(store: Store, clock: ManualClock) -> None:
    """Its clock stood still, another one leads: it finds out before it writes anything."""
    first, second = machine(store, clock), machine(store, clock, "there")
    first.renew(clock.now())
    lapse(store)
    second.renew(clock.now())
    believed = first.leads()
    assert (True, False, True) == (believed, act(first), act(second))
    assert not first.leads()


def test_an_act_of_a_deposed_leader_leaves_nothing(store: Store, clock: ManualClock) -> None:
    """The error comes before the block is entered."""
    first = machine(store, clock)
    first.renew(clock.now())
    lapse(store)
    act(first)
    with store.read() as connection:
        assert 0 == count(connection)


def test_a_lead_that_was_lost_and_won_again_is_another_one(
    store: Store, clock: ManualClock
) -> None:
    """Two processes of one name do not act for each other."""
    first, twin = machine(store, clock), machine(store, clock)
    first.renew(clock.now())
    lapse(store)
    twin.renew(clock.now())
    assert (False, True) == (act(first), act(twin))


def test_stepping_down_lets_the_next_one_lead_at_once(store: Store, clock: ManualClock) -> None:
    """A daemon that ends as it should leaves no gap."""
    first, second = machine(store, clock), machine(store, clock, "there")
    first.renew(clock.now())
    first.step_down()
    assert (False, True) == (first.leads(), second.renew(clock.now()))


def test_stepping_down_twice_deposes_nobody(store: Store, clock: ManualClock) -> None:
    """Nor does it when one never led."""
    first, second = machine(store, clock), machine(store, clock, "there")
    first.renew(clock.now())
    first.step_down()
    second.renew(clock.now())
    first.step_down()
    assert act(second)


def test_while_the_database_is_away_the_lead_runs_out(
    postgres_server: Server, clock: ManualClock
) -> None:
    """A short absence changes nothing, a long one ends the lead, and back again it is taken up."""
    store = Store(postgres_server.create_database())
    first = machine(store, clock)
    first.renew(clock.now())
    postgres_server.stop()
    with pytest.raises(StoreAwayError):
        first.renew(clock.now())
    short = first.leads()
    clock.sleep(LEASE_SECONDS)
    long = first.leads()
    first.step_down()
    postgres_server.start()
    assert (True, False, True) == (short, long, first.renew(clock.now()))
    store.close()


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["renew", "renew", "act", "step down"]),
        st.floats(0, 20),
    ),
    min_size=10,
    max_size=40,
)


@MANY
@given(steps=STEPS, rates=st.tuples(*[st.floats(0.9, 1.1)] * 3))
def test_two_never_lead_at_once(
    sqlite_store: Store, steps: list[tuple[int, str, float]], rates: tuple[float, ...]
) -> None:
    """Whoever asks, freezes, acts and steps down in whatever order, with clocks of their own."""
    with sqlite_store.write() as connection:
        execute(connection, "DELETE FROM leases")
        execute(connection, "DELETE FROM duties")
    shared = ManualClock(START)
    machines = [
        machine(sqlite_store, LocalClock(shared, rate), str(number))
        for number, rate in enumerate(rates)
    ]
    acted = 0
    terms = []
    for number, what, pause in steps:
        shared.sleep(pause)
        chosen = machines[number]
        if what == "renew":
            chosen.renew(shared.now())
        elif what == "step down":
            chosen.step_down()
        else:
            led = chosen.leads()
            done = act(chosen)
            acted += done
            assert led == done
        assert sum(each.leads() for each in machines) <= 1
        with sqlite_store.read() as connection:
            terms += execute(connection, "SELECT term FROM leases").scalars().all()
    with sqlite_store.read() as connection:
        assert (acted, sorted(terms)) == (count(connection), terms)


def test_a_machine_whose_clock_was_set_forward_leads_no_longer_than_it_may(
    sqlite_store: Store,
) -> None:
    """The wall clock of SQLite's machine jumps: the lease has lapsed, so nothing is written."""
    shared = ManualClock(START)
    local = ManualClock(START)
    first = machine(sqlite_store, local)
    first.renew(shared.now())
    local.sleep(1)
    second = machine(sqlite_store, shared, "there")
    shared.sleep(timedelta(hours=1).total_seconds())
    assert (True, False) == (second.renew(shared.now()), act(first))
