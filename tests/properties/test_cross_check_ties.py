"""Whatever is paid and whatever comes: nothing is matched twice, and the sums tie to the đồng."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.store.engine import Store
from tests.funds import DAY, Town

LAST = DAY + timedelta(days=9)
AMOUNTS = st.sampled_from([100, 200, 300])
DAYS = st.integers(0, 4).map(lambda days: DAY + timedelta(days=days))


class Fate(NamedTuple):
    """A payment: what was paid, and what became of it."""

    amount: int
    day: date
    ends: str


class Came(NamedTuple):
    """A line: which payments it names (by place), the amount, the day, whether it stands twice."""

    names: tuple[int, ...]
    amount: int
    day: date
    times: int
    reference: str
    is_early: bool


FATES = st.builds(Fate, AMOUNTS, DAYS, st.sampled_from(["stands", "cancelled", "corrected"]))
LINES = st.builds(
    Came,
    st.lists(st.integers(0, 5), max_size=2).map(tuple),
    st.sampled_from([50, 100, 100, 200, 300, -100]),
    DAYS,
    st.integers(1, 2),
    st.sampled_from(["", "FT1", "FT2"]),
    st.booleans(),
)


@pytest.fixture
def town(store: Store, tmp_path: Path) -> Iterator[Town]:
    made = Town(store, tmp_path / "town")
    made.at(LAST, "09:00")
    yield made
    made.close()


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(FATES, max_size=5), st.lists(LINES, max_size=8))
def test_nothing_twice_and_sums_tie(town: Town, fates: list[Fate], came: list[Came]) -> None:
    """Split, merged, doubled, short, late, cancelled, corrected, before and after they came."""
    town.empty()
    codes = [
        town.pay(f"BL{place}", amount=fate.amount, paid_on=fate.day)
        for place, fate in enumerate(fates)
    ]
    town.fund(*(row for one in came if one.is_early for row in rows(one, codes)))
    made = town.all("SELECT * FROM payment_matches")
    for place, fate in enumerate(fates):
        if fate.ends == "cancelled":
            town.cancel(f"BL{place}")
        elif fate.ends == "corrected":
            town.correct(f"BL{place}", amount=fate.amount + 50, paid_on=fate.day)
    town.fund(*(row for one in came if not one.is_early for row in rows(one, codes)))
    matches = town.all("SELECT line_id, payment_id, part, how FROM payment_matches")

    assert set(made) <= set(town.all("SELECT * FROM payment_matches"))
    assert 1 >= max(Counter(line for line, *_ in matches).values(), default=0)
    for payment in {payment for _, payment, *_ in matches}:
        parts = sorted((part, how) for _, about, part, how in matches if about == payment)
        assert [part for part, _ in parts] == list(range(1, len(parts) + 1))
        assert {"code"} >= {how for _, how in parts[1:]}
    check_sums(town, fates)
    assert 0 == town.check.match().by_code
    assert len(matches) == town.all("SELECT count(*) FROM payment_matches")[0][0]


def rows(one: Came, codes: list[str]) -> list[tuple[object, ...]]:
    """A line as it stands in a file."""
    named = " ".join(codes[place] for place in one.names if place < len(codes))
    return [(one.day, one.amount, f"nop {named}", one.reference)] * one.times


def check_sums(town: Town, fates: list[Fate]) -> None:
    """Of all payments together, and of what the fund got."""
    owes = {"stands": 0, "corrected": 50}
    paid = sum(fate.amount + owes[fate.ends] for fate in fates if fate.ends in owes)
    total = town.table(DAY, LAST).total
    assert paid == total.paid == total.remitted + total.open
    assert total.open == sum(total.open_by_age)
    got = sum(row[0] for row in town.all("SELECT amount FROM fund_lines"))
    unknown = sum(stray.amount for stray in town.check.strays(LAST))
    assert got == total.remitted + total.excess + unknown
    assert total.open == sum(found.open for found in town.findings(LAST))
