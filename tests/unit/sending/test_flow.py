"""How much a lane holds at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.sending.flow import Flow

IDLE = {"under_way": 0, "goes_on": False}


@pytest.mark.parametrize(
    ("batch", "crew", "room"), [(200, 1, 50), (200, 8, 50), (200, 80, 80), (2, 1, 1), (1, 1, 1)]
)
def test_a_lane_begins_with_a_quarter_of_a_batch(batch: int, crew: int, room: int) -> None:
    """And with enough for each of its crew."""
    assert room == Flow(batch=batch, crew=crew).room(0, goes_on=False)


def test_a_crew_that_has_nothing_left_gets_more() -> None:
    """Twice as much each time, up to two batches, of which one is claimed at once."""
    flow = Flow(batch=200, crew=1)
    assert [100, 200, 200] == [flow.room(0, goes_on=True) for _ in range(3)]
    assert [200, 0] == [flow.room(under_way, goes_on=False) for under_way in (200, 201)]


def test_a_crew_of_which_a_part_idles_gets_more() -> None:
    """Sixty-four at work, and only forty messages left for them; then three for each of them."""
    flow = Flow(batch=50, crew=64)
    assert 50 == flow.room(0, goes_on=False)
    assert [0, 50, 50, 0] == [flow.room(left, goes_on=True) for left in (40, 20, 63, 120)]


@pytest.mark.parametrize(("under_way", "room"), [(0, 50), (25, 25), (26, 0), (50, 0), (99, 0)])
def test_small_claims_are_not_worth_a_commit(under_way: int, room: int) -> None:
    """Only when half of what may be under way has come back, more is claimed."""
    assert room == Flow(batch=200, crew=1).room(under_way, goes_on=False)


@pytest.mark.parametrize(("seconds", "room"), [(0.5, 50), (1.0, 50), (1.5, 35), (600, 35)])
def test_what_is_held_for_too_long_is_too_much(seconds: float, room: int) -> None:
    """A slow gateway's messages wait in the ledger, where others can take them."""
    flow = Flow(batch=200, crew=1)
    flow.came_back(1000.0)
    flow.settled(1000.0 + seconds)
    assert room == flow.room(**IDLE)


def test_the_oldest_of_what_came_back_counts() -> None:
    """One that was held for long among many that were not."""
    flow = Flow(batch=200, crew=1)
    for claimed_at in (1000.0, 990.0, 1000.5):
        flow.came_back(claimed_at)
    flow.settled(1001.0)
    assert 35 == flow.room(**IDLE)


def test_what_was_settled_is_forgotten() -> None:
    """A slow answer counts once."""
    flow = Flow(batch=200, crew=1)
    flow.came_back(990.0)
    flow.settled(1001.0)
    flow.settled(1002.0)
    assert 35 == flow.room(**IDLE)


@given(
    st.integers(1, 5000),
    st.integers(1, 64),
    st.lists(st.tuples(st.integers(0, 10_000), st.booleans(), st.floats(0, 10)), max_size=50),
)
def test_a_lane_keeps_its_bounds(
    batch: int, crew: int, happened: list[tuple[int, bool, float]]
) -> None:
    """Never more than a batch at once, nor than two under way, nor so little that it idles."""
    flow = Flow(batch=batch, crew=crew)
    for under_way, goes_on, held in happened:
        room = flow.room(under_way, goes_on=goes_on)
        assert 0 <= room <= batch
        assert room == 0 or under_way + room <= max(2 * batch, 3 * crew)
        flow.came_back(1000.0)
        flow.settled(1000.0 + held)
    assert flow.room(**IDLE) >= min(crew, batch)
