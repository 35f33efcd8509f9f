"""Limits of a run: which figure breaks which limit."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest

from smsengine.config.job import Guards
from smsengine.planning.guards import Before, Totals, trip

TOTALS = Totals(
    rows=1000, money=50_000_000, without_phone=100, skipped=200, messages=800, cost=1000
)
MAY = Before(period="2019-05", rows=1000, money=50_000_000)
TENTH = Decimal("0.1")


def tripped(
    limits: dict[str, Any], before: Before | None = None, *, whole: bool = True, **totals: int
) -> list[str]:
    guards = Guards.model_validate({"max_cost": 10**9, "money": "paid"} | limits)
    return trip(guards, Totals(**(asdict(TOTALS) | totals)), before, whole=whole)


def test_a_run_within_its_limits_goes_out() -> None:
    """Limits that are just reached hold nothing."""
    limits = {
        "min_rows": 1000,
        "max_rows": 1000,
        "max_money": 50_000_000,
        "max_cost": 1000,
        "missing_phones": TENTH,
        "skipped": Decimal("0.2"),
        "rows_change": Decimal(0),
        "money_change": Decimal(0),
    }
    assert [] == tripped(limits, MAY)


@pytest.mark.parametrize(
    ("limits", "totals", "said"),
    [
        (
            {"max_cost": 999},
            {},
            "It would cost 1.000 dong; the limit is 999.",
        ),
        (
            {},
            {"rows": 0},
            "The extract has 0 rows; at least 1 are due.",
        ),
        (
            {"min_rows": 1001},
            {},
            "The extract has 1.000 rows; at least 1001 are due.",
        ),
        (
            {"max_rows": 999},
            {},
            "The extract has 1.000 rows; the limit is 999.",
        ),
        (
            {"max_money": 49_999_999},
            {},
            "The sum of paid is 50.000.000 dong; the limit is 49.999.999.",
        ),
        (
            {"max_money": 49_999_999},
            {"money": -50_000_000},
            "The sum of paid is -50.000.000 dong; the limit is 49.999.999.",
        ),
        (
            {"missing_phones": TENTH},
            {"without_phone": 101},
            "101 rows (10.1%) have no usable phone; the limit is 10.0%.",
        ),
        (
            {"skipped": TENTH},
            {},
            "200 rows (20.0%) were skipped; the limit is 10.0%.",
        ),
        (
            {"skipped": TENTH, "min_rows": 0},
            {"rows": 0, "skipped": 1},
            "1 rows (100.0%) were skipped; the limit is 10.0%.",
        ),
    ],
)
def test_a_broken_limit_is_said_with_its_figures(
    limits: dict[str, Any], totals: dict[str, int], said: str
) -> None:
    """One sentence holds the figure and the limit."""
    assert [said] == tripped(limits, **totals)


@pytest.mark.parametrize(
    ("limits", "totals", "said"),
    [
        (
            {"rows_change": TENTH},
            {"rows": 1101},
            "The rows went from 1.000 in 2019-05 to 1.101; a change of 10% is allowed.",
        ),
        (
            {"rows_change": TENTH},
            {"rows": 899},
            "The rows went from 1.000 in 2019-05 to 899; a change of 10% is allowed.",
        ),
        (
            {"money_change": TENTH},
            {"money": 55_000_001},
            "The sum of paid went from 50.000.000 in 2019-05 to 55.000.001; a change of 10% is"
            " allowed.",
        ),
        (
            {"money_change": TENTH},
            {"money": -50_000_000},
            "The sum of paid went from 50.000.000 in 2019-05 to -50.000.000; a change of 10% is"
            " allowed.",
        ),
    ],
)
def test_a_change_is_said_with_both_figures(
    limits: dict[str, Any], totals: dict[str, int], said: str
) -> None:
    """Too much and too little both hold a run, with the period it is compared with."""
    assert [said] == tripped(limits, MAY, **totals)


@pytest.mark.parametrize("rows", [900, 1100])
def test_a_change_just_allowed_is_allowed(rows: int) -> None:
    """The limit itself is no breach, in either direction."""
    assert [] == tripped({"rows_change": TENTH}, MAY, rows=rows)


def test_from_a_negative_sum_a_change_is_measured_by_its_size() -> None:
    """A month in which employers had paid too much is compared by the size of its sum."""
    before = Before(period="2019-05", rows=1000, money=-50_000_000)
    assert [] == tripped({"money_change": TENTH}, before, money=-45_000_000)


def test_from_nothing_every_change_is_too_much() -> None:
    """After an empty month any figure is looked at."""
    before = Before(period="2019-05", rows=0, money=0)
    assert 2 == len(tripped({"money_change": TENTH, "rows_change": TENTH}, before))


def test_without_an_earlier_run_there_is_no_change() -> None:
    """The first run of a job is not compared."""
    assert [] == tripped({"rows_change": Decimal(0), "money_change": Decimal(0)})


def test_every_broken_limit_is_said() -> None:
    """A person who decides sees all of them."""
    limits = {"max_cost": 1, "max_rows": 1, "skipped": Decimal(0), "rows_change": Decimal(0)}
    assert 4 == len(tripped(limits, MAY, rows=1200))


def test_a_part_of_an_extract_is_judged_by_cost_alone() -> None:
    """A supplement or a re-send is small by nature, but its cost counts."""
    limits = {"max_cost": 1, "min_rows": 9999, "skipped": Decimal(0), "rows_change": Decimal(0)}
    assert ["It would cost 1.000 dong; the limit is 1."] == tripped(limits, MAY, whole=False)
