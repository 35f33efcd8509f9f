"""A lease: one holder at a time, by the database's clock, and a term that tells holders apart."""

from __future__ import annotations

from typing import Any

import pytest

from smsengine.store import lanes, leases
from smsengine.store.engine import Store
from smsengine.store.leases import Lease
from tests.conftest import START, execute
from tests.flow.test_two_machines import Meanwhile

NOW = START.timestamp()
OURS, THEIRS = "here:1:1:1", "there:2:2:2"


def take(store: Store, holder: str, *, seconds: float = 15.0, now: float = NOW) -> Lease | None:
    with store.write() as connection:
        return leases.take(connection, "leader", holder, seconds=seconds, now=now)


def taken(store: Store, holder: str, **changes: Any) -> Lease:
    """A lease that must be given."""
    lease = take(store, holder, **changes)
    assert lease is not None
    return lease


def holds(store: Store, lease: Lease, now: float = NOW) -> bool:
    with store.write() as connection:
        return leases.holds(connection, lease, now=now)


def current(store: Store, now: float = NOW) -> Lease | None:
    with store.read() as connection:
        return leases.current(connection, "leader", now=now)


def present(store: Store) -> float:
    with store.read() as connection:
        return lanes.present(connection, NOW)


def lapse(store: Store, until: float = 0.0) -> None:
    """The database's clock goes past the lease, or the lease comes from another clock."""
    with store.write() as connection:
        execute(connection, "UPDATE leases SET until = ?", until)


def test_a_free_lease_is_taken(store: Store) -> None:
    """The first who asks gets it, for so many seconds by the database's clock."""
    before = present(store)
    lease = taken(store, OURS)
    assert ("leader", OURS, 1) == (lease.name, lease.holder, lease.term)
    assert 15 == pytest.approx(lease.until - before, abs=5)


def test_a_lease_that_is_held_is_not_taken(store: Store) -> None:
    """The second who asks gets nothing, and the holder keeps what it has."""
    lease = taken(store, OURS)
    assert (None, lease) == (take(store, THEIRS), current(store))


def test_a_lease_is_prolonged_within_its_term(store: Store) -> None:
    """The holder is the same one as before."""
    first = taken(store, OURS, seconds=10)
    second = taken(store, OURS, seconds=20)
    assert (first.term, True) == (second.term, second.until > first.until + 5)


def test_a_lapsed_lease_passes_on_with_a_new_term(store: Store) -> None:
    """The one that was away too long does not hold it any more, and can tell."""
    first = taken(store, OURS)
    lapse(store)
    second = taken(store, THEIRS)
    assert (2, False, True) == (second.term, holds(store, first), holds(store, second))


def test_taking_up_a_lapsed_lease_again_is_a_new_holding(store: Store) -> None:
    """What was begun under the earlier one is not gone on with."""
    first = taken(store, OURS)
    lapse(store)
    second = taken(store, OURS)
    assert (2, False, True) == (second.term, holds(store, first), holds(store, second))


def test_a_lapsed_lease_is_held_by_nobody(store: Store) -> None:
    """Also while nobody else has taken it."""
    lease = taken(store, OURS)
    lapse(store)
    assert (False, None) == (holds(store, lease), current(store))


def test_a_lease_that_is_given_up_is_free_at_once(store: Store) -> None:
    """Whoever ends as it should lets the next one begin; terms go on."""
    lease = taken(store, OURS)
    with store.write() as connection:
        leases.give_up(connection, lease)
    assert (None, 2) == (current(store), taken(store, THEIRS).term)


def test_only_the_holder_gives_up(store: Store) -> None:
    """One that was deposed long ago does not depose its successor."""
    first = taken(store, OURS)
    lapse(store)
    second = taken(store, THEIRS)
    with store.write() as connection:
        leases.give_up(connection, first)
    assert second == current(store)


def test_a_lease_of_a_wrong_clock_is_no_obstacle(store: Store) -> None:
    """A clock that was a year ahead does not leave everybody without a leader for a year."""
    first = taken(store, OURS)
    lapse(store, present(store) + 365 * 86_400)
    second = taken(store, THEIRS)
    assert (2, False) == (second.term, holds(store, first))


def test_leases_of_other_names_do_not_matter(store: Store) -> None:
    """Each name is held for itself."""
    taken(store, OURS)
    with store.write() as connection:
        other = leases.take(connection, "other", THEIRS, seconds=15, now=NOW)
    assert other is not None
    assert (THEIRS, OURS) == (other.holder, taken(store, OURS).holder)


def test_a_proof_keeps_others_out_until_the_act_is_done(postgres_store: Store) -> None:
    """Whoever wants the lease waits, so that it cannot pass on in the middle of the act."""
    lease = taken(postgres_store, OURS)
    found: list[Lease | None] = []
    with postgres_store.write() as connection:
        assert leases.holds(connection, lease, now=NOW)
        other = Meanwhile(postgres_store, lambda: found.append(take(postgres_store, THEIRS)))
        meanwhile = list(found)
    other.end()
    assert ([], [None]) == (meanwhile, found)


def test_two_who_ask_at_once_do_not_both_get_it(postgres_store: Store) -> None:
    """Neither of them sees a row of the other before it asks."""
    found: list[Lease | None] = []
    with postgres_store.write() as connection:
        found.append(leases.take(connection, "leader", OURS, seconds=15, now=NOW))
        other = Meanwhile(postgres_store, lambda: found.append(take(postgres_store, THEIRS)))
    other.end()
    assert [OURS, None] == [lease and lease.holder for lease in found]
