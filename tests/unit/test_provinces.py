"""Provinces before and after the merger of 2025: who may speak for whom."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine import provinces
from smsengine.provinces import MERGED_ON, covered, is_in_force, province_of

BEFORE, AFTER = MERGED_ON - timedelta(days=1), MERGED_ON
CODES = st.sampled_from(sorted(provinces.provinces()))


@pytest.mark.parametrize(("day", "count"), [(BEFORE, 63), (AFTER, 34)])
def test_how_many_there_are(day: date, count: int) -> None:
    """63 provinces before, 34 since."""
    assert count == sum(is_in_force(f"{code:02}", day) for code in range(100))


@pytest.mark.parametrize("day", [BEFORE, AFTER])
def test_every_code_belongs_to_one_province(day: date) -> None:
    """Whatever code a row bears, one office may tell its people, and no other."""
    codes = [each for code in range(100) for each in covered(f"{code:02}", day)]
    assert sorted(provinces.provinces()) == sorted(codes)


@given(code=CODES)
def test_a_new_province_covers_itself(code: str) -> None:
    """A code that is still in force belongs to its own province, although names moved about."""
    assert is_in_force(code, AFTER) == (code in covered(code, AFTER))


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        ("01", {"01"}),
        ("19", {"06", "19"}),
        # Lào Cai kept its name and took the code of Yên Bái.
        ("15", {"10", "15"}),
        ("24", {"24", "27"}),
        ("10", set()),
        ("99", set()),
    ],
)
def test_what_an_office_covers_since_the_merger(code: str, codes: set[str]) -> None:
    assert codes == covered(code, AFTER)


@pytest.mark.parametrize(
    ("office", "province"),
    [
        ("01", "01"),
        ("001", "01"),
        ("00101", "01"),
        ("07906", "79"),
        ("0010123", "01"),
        ("1", None),
        ("0001", None),
        ("10101", None),
        ("0 01", None),
        ("٠٠١", None),
        ("", None),
    ],
)
def test_the_province_in_an_offices_code(office: str, province: str | None) -> None:
    """As in the extracts of offices: 0, the province, and what it numbers by itself."""
    assert province == province_of(office)
