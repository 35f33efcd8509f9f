"""Where waves end, and the shares at which sending stops."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.lifecycle import MessageState
from smsengine.waves import LAST_PLACE, StopRules, Waves, ends, judge

M = MessageState
COUNTS = st.integers(0, 10**7)
SHARES = st.integers(1, 10_000).map(lambda hundredths: Decimal(hundredths) / 10_000)
WAVES = st.lists(st.one_of(st.integers(1, 10**7), SHARES), max_size=6)


def percent(figure: str) -> Decimal:
    """A share as the job file's reader makes it."""
    return Decimal(figure) / 100


def released(waves: Waves) -> list[int]:
    """The places up to which a run is released, one wave after the other."""
    found, upto = [], 0
    while (end := waves.next_end(upto)) is not None:
        found.append(end)
        upto = end
    return found


@pytest.mark.parametrize(
    ("waves", "count", "places"),
    [
        ([], 1000, (1000,)),
        ([50, percent("5"), percent("100")], 1000, (50, 1000)),
        ([50, percent("5"), percent("100")], 10_000, (50, 500, 10_000)),
        ([50, 500], 1000, (50, 500, 1000)),
        ([2000], 1000, (1000,)),
        ([1000], 1000, (1000,)),
        ([percent("0.5")], 100, (1, 100)),
        ([percent("33.4")], 3, (2, 3)),
        ([500, 50], 1000, (500, 1000)),
        ([percent("100"), 5], 7, (7,)),
        ([50, percent("5")], 0, (0,)),
        ([50, percent("5")], 1, (1,)),
    ],
)
def test_where_waves_end(
    waves: Sequence[int | Decimal], count: int, places: tuple[int, ...]
) -> None:
    """A wave is a number of messages or a share of the run; a part of a message is a whole one."""
    assert places == ends(waves, count)


@given(WAVES, COUNTS)
def test_each_wave_goes_further(waves: list[int | Decimal], count: int) -> None:
    """Ends only grow, so that no wave is empty."""
    assert all(before < after for before, after in pairwise(ends(waves, count)))


@given(WAVES, COUNTS)
def test_waves_cover_the_run(waves: list[int | Decimal], count: int) -> None:
    """The last wave ends with the run, and none goes beyond it."""
    found = ends(waves, count)
    assert (count, True) == (found[-1], all(end <= count for end in found))


@given(WAVES, COUNTS)
def test_releasing_wave_by_wave_releases_everything(waves: list[int | Decimal], count: int) -> None:
    """The last wave has no end, so that a place beyond the number of messages is not left out."""
    found = ends(waves, count)
    assert [*found[:-1], LAST_PLACE] == released(Waves(ends=found))


def test_a_run_without_waves_is_released_at_once() -> None:
    """What was planned before there were waves goes out in one."""
    assert [LAST_PLACE] == released(Waves())


@pytest.mark.parametrize(
    ("upto", "end"), [(0, 50), (49, 50), (50, 500), (51, 500), (500, 2**31 - 1)]
)
def test_the_next_wave_follows_from_what_is_released(upto: int, end: int) -> None:
    """A run that is released up to any place goes on to the next end."""
    assert end == Waves(ends=(50, 500, 1000)).next_end(upto)


@given(
    WAVES,
    COUNTS,
    st.builds(
        StopRules,
        refused=st.none() | st.floats(0, 1),
        unknown=st.none() | st.floats(0, 1),
        undelivered=st.none() | st.floats(0, 1),
        least=st.integers(1, 1000),
        wait_seconds=st.integers(0, 10**6),
    ),
)
def test_what_the_ledger_keeps_comes_back(
    waves: list[int | Decimal], count: int, stop: StopRules
) -> None:
    """Waves and limits survive being written down."""
    before = Waves(ends=ends(waves, count), stop=stop)
    assert before == Waves.from_json(before.to_json())


def test_nothing_written_is_one_wave_without_limits() -> None:
    """A run of an older ledger has no waves."""
    assert Waves() == Waves.from_json("")


# -- limits ----------------------------------------------------------------------------------------

TENTH = StopRules(refused=0.1, unknown=0.1, undelivered=0.1)


@pytest.mark.parametrize(
    ("states", "broken"),
    [
        ({M.ACCEPTED: 100}, []),
        ({M.ACCEPTED: 90, M.REJECTED: 10}, []),
        ({M.ACCEPTED: 89, M.REJECTED: 11}, ["refused"]),
        ({M.ACCEPTED: 89, M.UNKNOWN: 11}, ["unknown"]),
        ({M.DELIVERED: 89, M.UNDELIVERED: 11}, ["undelivered"]),
        (
            {M.ACCEPTED: 10, M.REJECTED: 5, M.UNKNOWN: 5, M.UNDELIVERED: 5},
            ["refused", "unknown", "undelivered"],
        ),
        ({M.ACCEPTED: 16, M.REJECTED: 3}, []),
        ({M.ACCEPTED: 17, M.REJECTED: 3}, ["refused"]),
        ({M.ACCEPTED: 16, M.REJECTED: 3, M.QUEUED: 99, M.SENDING: 99}, []),
        ({M.ACCEPTED: 17, M.REJECTED: 3, M.QUEUED: 99, M.SENDING: 99}, ["refused"]),
        ({M.ACCEPTED: 16, M.REJECTED: 3, M.EXPIRED: 99, M.CANCELLED: 99}, []),
        ({M.ACCEPTED: 17, M.REJECTED: 3, M.EXPIRED: 99, M.CANCELLED: 99}, ["refused"]),
        ({}, []),
    ],
)
def test_which_limits_are_broken(states: dict[M, int], broken: list[str]) -> None:
    """A share is of what was handed over, means nothing for a few, and may be reached exactly."""
    assert broken == [
        said.partition(" messages are ")[2].partition(" ")[0] for said in judge(TENTH, states)
    ]


@pytest.mark.parametrize("figure", range(1, 100))
def test_a_limit_that_is_reached_is_not_broken(figure: int) -> None:
    """So many of a hundred are just that share, whatever a float makes of it."""
    stop = StopRules(refused=float(percent(str(figure))))
    assert [] == judge(stop, {M.ACCEPTED: 100 - figure, M.REJECTED: figure})


def test_a_broken_limit_is_told_with_its_figures() -> None:
    """Who is asked to decide sees how many of how many, and the limit."""
    states = {M.ACCEPTED: 34, M.REJECTED: 6}
    assert ["6 of 40 messages are refused (15.0%); the limit is 10.0%."] == judge(TENTH, states)


def test_without_limits_nothing_is_broken() -> None:
    """A job that names no limits goes on, whatever comes of its messages."""
    assert [] == judge(StopRules(), {M.REJECTED: 1000})


def test_a_limit_of_nothing_is_broken_by_one() -> None:
    """Zero percent allows none."""
    stop = StopRules(unknown=0.0, least=1)
    assert 1 == len(judge(stop, {M.ACCEPTED: 999, M.UNKNOWN: 1}))


@given(
    st.dictionaries(st.sampled_from(M), st.integers(0, 10_000)),
    st.floats(0, 1),
    st.integers(1, 100),
)
def test_more_acceptances_never_break_a_limit(
    states: dict[M, int], limit: float, more: int
) -> None:
    """A limit that holds still holds when further messages are accepted."""
    stop = StopRules(refused=limit, unknown=limit, undelivered=limit, least=1)
    if judge(stop, states):
        return
    assert [] == judge(stop, states | {M.ACCEPTED: states.get(M.ACCEPTED, 0) + more})
