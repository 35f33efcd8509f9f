"""Which payment a line is about: decided without a guess, and each only once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.lifecycle import MatchedBy
from smsengine.payments.matching import Alike, Match, Named, Receipt, by_amount, by_code

DAY = date(2026, 11, 24)
A, B, C = b"a", b"b", b"c"
KNOWN = {A: Receipt(1, 1, 0), B: Receipt(2, 3, 2), C: Receipt(1, 1, 0)}


class Thing(NamedTuple):
    """A payment, or a line without a code."""

    amount: int
    organisation: str
    day: date


def alike(things: Sequence[Thing]) -> list[Alike]:
    """As the store counts them: sorted by amount."""
    ids: dict[Thing, list[int]] = defaultdict(list)
    for number, thing in enumerate(things, start=1):
        ids[thing].append(number)
    return [Alike(*thing, len(ids[thing]), min(ids[thing])) for thing in sorted(ids)]


@pytest.mark.parametrize(
    ("codes", "matched"),
    [
        ([A], (1, 1, 1)),
        ([B], (2, 3, 3)),
        ([A, C], (1, 1, 1)),
        ([A, b"?"], (1, 1, 1)),
        ([A, B], None),
        ([b"?"], None),
        ([], None),
    ],
)
def test_a_line_is_about_the_one_payment_that_it_names(
    codes: list[bytes], matched: tuple[int, int, int] | None
) -> None:
    """In whichever edition; one that names two payments is about neither."""
    found = by_code([Named(9, codes)], KNOWN)
    expected = (
        [] if matched is None else [Match(9, matched[0], matched[2], matched[1], MatchedBy.CODE)]
    )
    assert expected == found


def test_lines_that_name_the_same_are_instalments() -> None:
    """Each is a part of its own, behind those that came before."""
    found = by_code([Named(7, [A]), Named(8, [B]), Named(9, [C])], KNOWN)
    assert [(7, 1, 1), (8, 2, 3), (9, 1, 2)] == [match[:3] for match in found]


def matched(lines: list[Thing], payments: list[Thing], window: int = 3) -> list[tuple[int, int]]:
    found = by_amount(alike(lines), alike(payments), window)
    return sorted((match.line_id, match.payment_id) for match in found)


@pytest.mark.parametrize(
    ("organisation", "days", "is_matched"),
    [
        ("", 0, True),
        ("", 3, True),
        ("AR", 1, True),
        ("BI", 1, False),
        ("", 4, False),
        ("", -1, False),
    ],
)
def test_one_line_that_fits_one_payment_is_about_it(
    organisation: str, days: int, is_matched: bool
) -> None:
    """Amount, days and, where the line names one, organisation."""
    line = Thing(100, organisation, DAY + timedelta(days=days))
    assert ([(1, 1)] if is_matched else []) == matched([line], [Thing(100, "AR", DAY)])


def test_nobody_guesses_between_payments_that_cost_the_same() -> None:
    """Else a payment that was kept would hide behind one that was not."""
    assert [] == matched([Thing(100, "", DAY)], [Thing(100, "AR", DAY), Thing(100, "BI", DAY)])
    assert [] == matched([Thing(100, "", DAY)], [Thing(100, "AR", DAY)] * 2)


def test_nobody_guesses_between_lines() -> None:
    """Two amounts came, one payment is open: which of them it was nobody knows."""
    assert [] == matched([Thing(100, "", DAY), Thing(100, "AR", DAY)], [Thing(100, "AR", DAY)])
    assert [] == matched([Thing(100, "", DAY)] * 2, [Thing(100, "AR", DAY)])


def test_the_edition_that_holds_is_written_down() -> None:
    """So that a later correction shows."""
    payment = Alike(100, "AR", DAY, 1, 5, 4)
    line = Alike(100, "", DAY, 1, 9)
    assert [Match(9, 5, 1, 4, MatchedBy.AMOUNT)] == list(by_amount([line], [payment], 0))


THINGS = st.builds(
    Thing,
    st.integers(1, 3),
    st.sampled_from(["", "AR", "BI"]),
    st.integers(0, 5).map(lambda days: DAY + timedelta(days=days)),
)


def fits(line: Thing, payment: Thing, window: int) -> bool:
    return (
        line.amount == payment.amount
        and line.organisation in ("", payment.organisation)
        and 0 <= (line.day - payment.day).days <= window
    )


@given(
    st.lists(THINGS, max_size=8),
    st.lists(THINGS.filter(lambda thing: thing.organisation), max_size=8),
    st.integers(0, 4),
)
def test_exactly_the_pairs_that_leave_no_choice(
    lines: list[Thing], payments: list[Thing], window: int
) -> None:
    """The quick way gives what trying every pair gives; nothing is matched twice."""
    pairs = [
        (one, two)
        for one, line in enumerate(lines, start=1)
        for two, payment in enumerate(payments, start=1)
        if fits(line, payment, window)
    ]
    of_line, of_payment = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    expected = [(one, two) for one, two in pairs if of_line[one] == of_payment[two] == 1]
    assert expected == matched(lines, payments, window)
