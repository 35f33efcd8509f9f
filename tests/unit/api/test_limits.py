"""How often each may come."""

from __future__ import annotations

import threading

import pytest

from smsengine.service.api.limits import Limits


class Moment:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moment() -> Moment:
    return Moment()


def test_turns_are_free_again_one_by_one(moment: Moment) -> None:
    """Three at once, then one each ten seconds; the wait that is told is enough, and needed."""
    limits = Limits(monotonic=moment)

    def take() -> float:
        return limits.take("a", turns=3, seconds=30)

    assert [0.0, 0.0, 0.0] == [take() for _ in range(3)]
    assert 10.0 == pytest.approx(take())
    moment.now = 9.9
    assert take() > 0
    moment.now = 10.0
    assert [0.0, True] == [take(), take() > 0]
    moment.now = 1000.0
    assert [0.0, 0.0, 0.0] == [take() for _ in range(3)]
    assert take() > 0


def test_each_has_turns_of_its_own(moment: Moment) -> None:
    """One who comes too often keeps nobody else out."""
    limits = Limits(monotonic=moment)
    assert 0.0 == limits.take("a", turns=1, seconds=60)
    assert limits.take("a", turns=1, seconds=60) > 0
    assert 0.0 == limits.take("b", turns=1, seconds=60)


def test_a_turn_that_is_given_back_is_free_again(moment: Moment) -> None:
    """It does not count."""
    limits = Limits(monotonic=moment)
    limits.take("a", turns=1, seconds=60)
    limits.give_back("a", turns=1, seconds=60)
    assert 0.0 == limits.take("a", turns=1, seconds=60)
    limits.give_back("nobody", turns=1, seconds=60)


def test_whoever_comes_under_many_names_does_not_fill_the_memory(moment: Moment) -> None:
    """Those that came longest ago are forgotten."""
    limits = Limits(most=10, monotonic=moment)
    for name in range(1000):
        assert 0.0 == limits.take(name, turns=1, seconds=60)
    assert [0.0, True] == [limits.take(who, turns=1, seconds=60) > 0 or 0.0 for who in (0, 999)]


def test_no_turn_is_taken_twice_by_several_threads(moment: Moment) -> None:
    """Eight threads take a hundred turns between them."""
    limits, taken = Limits(monotonic=moment), list[float]()

    def work() -> None:
        taken.extend(limits.take("a", turns=100, seconds=60) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (400, 100) == (len(taken), taken.count(0.0))
