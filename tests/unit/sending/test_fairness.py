"""Whose turn it is among runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.sending.fairness import Turns, weight
from smsengine.store.runs import Run
from tests.unit.sending.conftest import a_run


def taken(turns: Turns, runs: Sequence[Run], times: int, claim: int = 10) -> list[int]:
    """Which run took messages, one claim after the other."""
    found = []
    for _ in range(times):
        first = turns.order(runs)[0]
        turns.charge(first, claim)
        found.append(first.id)
    return found


@pytest.mark.parametrize(("priority", "parts"), [(0, 512), (1, 256), (5, 16), (8, 2), (9, 1)])
def test_each_step_of_priority_is_twice_as_much(priority: int, parts: int) -> None:
    """The most urgent run gets 512 times as much as the least, and none gets nothing."""
    assert parts == weight(priority)


@pytest.mark.parametrize(("urgent", "ratio"), [(5, 1), (4, 2), (3, 4), (1, 16)])
def test_runs_share_a_lane_by_weight(urgent: int, ratio: int) -> None:
    """Over a long time each run gets its share, whatever its size."""
    runs = [a_run(id=1, priority=5), a_run(id=2, priority=urgent)]
    counted = Counter(taken(Turns(), runs, (ratio + 1) * 40))
    assert {1: 40, 2: ratio * 40} == counted


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(1, 500))
def test_nobody_starves(priorities: list[int], claim: int) -> None:
    """However urgent the others are, each run has its turn."""
    runs = [a_run(id=number, priority=each) for number, each in enumerate(priorities, 1)]
    turns = sum(weight(each) for each in priorities) // min(map(weight, priorities)) + len(runs)
    assert {run.id for run in runs} == set(taken(Turns(), runs, turns, claim))


def test_at_first_the_urgent_and_the_older_go_first() -> None:
    """Where all have come equally far, priority decides, and then the number."""
    runs = [a_run(id=3, priority=5), a_run(id=1, priority=5), a_run(id=2, priority=1)]
    assert [2, 1, 3] == [run.id for run in Turns().order(runs)]


def test_a_new_run_starts_where_the_others_are() -> None:
    """It neither waits until it has caught up nor takes everything until the others have."""
    turns, old = Turns(), a_run(id=1, priority=5)
    taken(turns, [old], 1000)
    both = [old, a_run(id=2, priority=5)]
    assert {1: 50, 2: 50} == Counter(taken(turns, both, 100))


def test_nobody_saves_up_turns() -> None:
    """A run that was away does not get all that it missed."""
    turns, runs = Turns(), [a_run(id=1, priority=5), a_run(id=2, priority=5)]
    taken(turns, runs, 10)
    taken(turns, runs[:1], 1000)
    assert {1: 50, 2: 50} == Counter(taken(turns, runs, 100))


def test_a_run_that_found_nothing_is_not_charged() -> None:
    """Only messages that were taken count."""
    turns, runs = Turns(), [a_run(id=1, priority=5), a_run(id=2, priority=5)]
    for run in turns.order(runs):
        turns.charge(run, 0)
    assert [1, 2] == [run.id for run in turns.order(runs)]


def test_a_run_that_is_away_is_not_charged() -> None:
    """What came of an earlier claim of it makes no difference."""
    turns, away = Turns(), a_run(id=9)
    turns.order([a_run(id=1)])
    turns.charge(away, 1000)
    assert [1, 9] == [run.id for run in turns.order([a_run(id=1), away])]
