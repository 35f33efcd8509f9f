"""Limits of a run, judged before anything is sent. Pure: numbers in, sentences out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from smsengine.config.job import Guards
from smsengine.text.numerals import money


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What a run amounts to; money and cost in đồng."""

    rows: int
    money: int
    without_phone: int
    skipped: int
    messages: int
    cost: int


@dataclass(frozen=True, kw_only=True)
class Before:
    """The previous period's run."""

    period: str
    rows: int
    money: int


def trip(guards: Guards, totals: Totals, before: Before | None, *, whole: bool) -> list[str]:
    """Say which limits a run breaks.

    Args:
        guards: the job's limits.
        totals: the run's sums.
        before: the previous period's run, if there was one.
        whole: the run covers the whole extract; only then do limits on its size mean anything.

    Returns:
        One sentence for each broken limit, with the figures that broke it.
    """
    found = _cost(guards, totals)
    if whole:
        found += _rows(guards, totals) + _shares(guards, totals)
        if before is not None:
            found += _changes(guards, totals, before)
    return found


def _cost(guards: Guards, totals: Totals) -> list[str]:
    if totals.cost <= guards.max_cost:
        return []
    return [f"It would cost {money(totals.cost)} dong; the limit is {money(guards.max_cost)}."]


def _rows(guards: Guards, totals: Totals) -> list[str]:
    found = []
    if totals.rows < guards.min_rows:
        found.append(
            f"The extract has {money(totals.rows)} rows; at least {guards.min_rows} are due."
        )
    if guards.max_rows is not None and totals.rows > guards.max_rows:
        found.append(f"The extract has {money(totals.rows)} rows; the limit is {guards.max_rows}.")
    if guards.max_money is not None and abs(totals.money) > guards.max_money:
        found.append(
            f"The sum of {guards.money} is {money(totals.money)} dong; the limit is"
            f" {money(guards.max_money)}."
        )
    return found


def _shares(guards: Guards, totals: Totals) -> list[str]:
    found = []
    for limit, count, what in (
        (guards.missing_phones, totals.without_phone, "have no usable phone"),
        (guards.skipped, totals.skipped, "were skipped"),
    ):
        if limit is not None and count > limit * max(totals.rows, 1):
            share = Decimal(count) / max(totals.rows, 1)
            found.append(f"{money(count)} rows ({share:.1%}) {what}; the limit is {limit:.1%}.")
    return found


def _changes(guards: Guards, totals: Totals, before: Before) -> list[str]:
    found = []
    for limit, now, then, what in (
        (guards.rows_change, totals.rows, before.rows, "rows"),
        (guards.money_change, totals.money, before.money, f"sum of {guards.money}"),
    ):
        if limit is not None and abs(now - then) > limit * abs(then):
            found.append(
                f"The {what} went from {money(then)} in {before.period} to {money(now)}; a change"
                f" of {limit:.0%} is allowed."
            )
    return found
