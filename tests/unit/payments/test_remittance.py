"""What is said of a payment beside what the fund got of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from smsengine.lifecycle import EntryKind
from smsengine.payments.cross_report import masked_code
from smsengine.payments.remittance import Kind, Lateness, Sums, Window, age_group, kind_of
from smsengine.store.matches import Standing
from smsengine.workdays import Workdays

#: A Friday.
PAID_ON = date(2026, 11, 20)
NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
WINDOW = Window(begin=NOW - timedelta(days=1), end=NOW + timedelta(days=1))
LATENESS = Lateness(Workdays(), 1)
CAME = {"parts": 1, "matched_edition": 1, "last_day": PAID_ON, "last_at": NOW}
LATE = CAME | {"last_day": date(2026, 11, 24)}
OLD = NOW - timedelta(days=2)


def standing(**changes: Any) -> Standing:
    values: dict[str, Any] = {
        "first_id": 1,
        "id": 1,
        "edition": 1,
        "kind": EntryKind.PAYMENT,
        "organisation": "AR0013M",
        "office": "00101",
        "receipt": "BL1",
        "staff_hash": b"s",
        "paid_on": PAID_ON,
        "amount": 100,
        "recorded_at": NOW,
        "sealed": b"",
        "got": 0,
        "parts": 0,
        "last_day": None,
        "matched_edition": None,
        "last_at": None,
    }
    return Standing(**(values | changes))


VOID = {"kind": EntryKind.CANCELLATION, "edition": 2}
CORRECTED = {"kind": EntryKind.CORRECTION, "edition": 2}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.OPEN),
        ({"got": 100, **CAME}, None),
        ({"got": 99, **CAME}, Kind.SHORT),
        ({"got": 101, **CAME}, Kind.OVER),
        ({"got": -100, **CAME}, Kind.SHORT),
        ({"got": 100, **LATE}, Kind.LATE),
        ({"got": 100, **LATE, "last_at": OLD}, None),
        ({"got": 99, **LATE}, Kind.SHORT),
        (VOID, None),
        ({**VOID, "got": 100, **CAME}, Kind.CHANGED),
        ({**VOID, "got": 0, **CAME, "parts": 2, "recorded_at": OLD}, None),
        ({**VOID, "got": 100, **CAME, "matched_edition": 2}, Kind.OVER),
        (CORRECTED, Kind.OPEN),
        ({**CORRECTED, "got": 100, **CAME}, Kind.CHANGED),
        ({**CORRECTED, "got": 100, **CAME, "recorded_at": OLD}, None),
        ({**CORRECTED, "got": 90, **CAME, "recorded_at": OLD}, Kind.CHANGED),
        ({**CORRECTED, "got": 100, **CAME, "matched_edition": 2}, None),
    ],
)
def test_what_is_said(changes: dict[str, Any], kind: Kind | None) -> None:
    """What does not tie is said until it does; what is settled once, when it was found out."""
    assert kind is kind_of(standing(**changes), LATENESS, WINDOW)


@pytest.mark.parametrize(
    ("after", "paid_on", "last"),
    [
        (0, PAID_ON, PAID_ON),
        (1, PAID_ON, date(2026, 11, 23)),
        (2, PAID_ON, date(2026, 11, 24)),
        (1, date(2026, 11, 22), date(2026, 11, 23)),
        (1, date(2026, 4, 24), date(2026, 4, 28)),
    ],
)
def test_late_is_counted_in_working_days(after: int, paid_on: date, last: date) -> None:
    """Weekends and holidays are no days on which somebody could go to the bank."""
    assert last == Lateness(Workdays(), after).last_day(paid_on)


def test_a_year_whose_holidays_are_not_known_keeps_nothing_waiting() -> None:
    """Its weekends count, and it is said."""
    lateness = Lateness(Workdays(), 1)
    assert date(2040, 1, 9) == lateness.last_day(date(2040, 1, 6))
    assert {2040} == lateness.unknown_years


@pytest.mark.parametrize(
    ("days", "group"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (7, 2), (8, 3), (400, 3)]
)
def test_ages_are_grouped(days: int, group: int) -> None:
    """1 day, 2 to 3, 4 to 7, more than 7."""
    assert group == age_group(days)


def test_sums_tie_whatever_came() -> None:
    """Paid is remitted and open; what came beyond it stands apart."""
    sums = Sums()
    for changes in ({}, {"got": 30, **CAME}, {"got": 130, **CAME}, {"got": -5, **CAME}, VOID):
        sums.add(standing(**changes), LATENESS, PAID_ON + timedelta(days=5))
    assert (400, 130, 270, 4, 3) == (
        sums.paid,
        sums.remitted,
        sums.open,
        sums.payments,
        sums.open_payments,
    )
    assert 25 == sums.excess
    assert [0, 0, 270, 0] == sums.open_by_age
    twice = Sums()
    twice += sums
    twice += sums
    assert (800, 540, [0, 0, 540, 0]) == (twice.paid, twice.open, twice.open_by_age)


def test_a_code_is_masked() -> None:
    """Who knows it knows which it is; nobody else can look it up."""
    assert ("POS***02", "") == (masked_code("POS0000000002"), masked_code(""))
