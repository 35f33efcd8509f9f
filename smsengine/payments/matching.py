"""Which payment a line of the fund is about. Pure: the store asks and writes.

By code: a line that names one payment is about it, whatever it amounts to; several lines that name
the same payment are its instalments. By amount: a line that names no code is about a payment only
where nothing is left to choose, neither another payment for this line nor another line for this
payment. Household cards all cost the same, and who guesses between them would hide a payment that
was kept behind one that was not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from smsengine.lifecycle import MatchedBy

_DAY = timedelta(days=1)


class Receipt(NamedTuple):
    """A receipt that lines may be about.

    ``id`` is that of its first edition, ``edition`` the number of the one that holds now, ``parts``
    how many lines are about it already.
    """

    id: int
    edition: int
    parts: int


class Named(NamedTuple):
    """A line that names codes, by their hashes."""

    line_id: int
    codes: Sequence[bytes]


class Match(NamedTuple):
    """A line is about a payment, as its ``part``-th instalment."""

    line_id: int
    payment_id: int
    part: int
    edition: int
    how: MatchedBy


class Alike(NamedTuple):
    """Payments, or lines, of one amount, organisation and day: how many, and the first of them.

    ``organisation`` is empty for lines that name none; ``edition`` is that of a payment.
    """

    amount: int
    organisation: str
    day: date
    times: int
    id: int
    edition: int = 1


def by_code(lines: Iterable[Named], known: Mapping[bytes, Receipt]) -> list[Match]:
    """Match lines with the payments that they name; one that names several is left open.

    Args:
        lines: in the order in which they are to be instalments.
        known: those of their codes that the book knows.
    """
    matches = []
    parts: dict[int, int] = {}
    for line in lines:
        named = {known[code].id: known[code] for code in line.codes if code in known}
        if len(named) != 1:
            continue
        (receipt,) = named.values()
        part = parts.get(receipt.id, receipt.parts) + 1
        parts[receipt.id] = part
        matches.append(Match(line.line_id, receipt.id, part, receipt.edition, MatchedBy.CODE))
    return matches


def by_amount(lines: Iterable[Alike], payments: Iterable[Alike], window: int) -> Iterator[Match]:
    """Match lines without a code with payments of which nothing came, where only one pair fits.

    Args:
        lines: sorted by amount.
        payments: sorted by amount.
        window: days after a payment in which it may come to the fund; 0 is the same day.
    """
    waiting = groupby(payments, key=lambda each: each.amount)
    amount, of_amount = next(waiting, (None, None))
    for wanted, some in groupby(lines, key=lambda each: each.amount):
        while amount is not None and amount < wanted:
            amount, of_amount = next(waiting, (None, None))
        if amount == wanted and of_amount is not None:
            yield from _of_one_amount(list(some), list(of_amount), window)


def _of_one_amount(
    lines: Sequence[Alike], payments: Sequence[Alike], window: int
) -> Iterator[Match]:
    paid, came = _by_day(payments), _by_day(lines)
    for line in lines:
        if line.times != 1:
            continue
        days = [line.day - _DAY * back for back in range(window + 1)]
        payment = _only(paid, days, line.organisation or None)
        if payment is None:
            continue
        days = [payment.day + _DAY * on for on in range(window + 1)]
        if _only_line(came, days, payment.organisation) == line:
            yield Match(line.id, payment.id, 1, payment.edition, MatchedBy.AMOUNT)


_ByDay = Mapping[date, Mapping[str, Alike]]


def _by_day(given: Sequence[Alike]) -> _ByDay:
    found: dict[date, dict[str, Alike]] = defaultdict(dict)
    for each in given:
        found[each.day][each.organisation] = each
    return found


def _only(paid: _ByDay, days: Iterable[date], organisation: str | None) -> Alike | None:
    """The only payment of these days, of an organisation or of any; None for none and for many."""
    return _only_of(
        each
        for of_day in (paid.get(day, {}) for day in days)
        for each in (of_day.values() if organisation is None else [of_day.get(organisation)])
    )


def _only_line(came: _ByDay, days: Iterable[date], organisation: str) -> Alike | None:
    """The only line of these days that may be about a payment of this organisation."""
    return _only_of(
        of_day.get(named)
        for of_day in (came.get(day, {}) for day in days)
        for named in (organisation, "")
    )


def _only_of(given: Iterable[Alike | None]) -> Alike | None:
    """The only one that there is, once; None for none and for many."""
    found: Alike | None = None
    for each in given:
        if each is None:
            continue
        if found is not None or each.times != 1:
            return None
        found = each
    return found
