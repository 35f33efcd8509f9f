"""An office tells nobody of another one: each row's office is asked."""

from __future__ import annotations

import pytest

from tests.conftest import compose, row

COVERED = frozenset({"01", "28"})


def skipped(office: str) -> list[str]:
    """Reasons why a row of this office gets no message."""
    given = row(2, office, name="Ông", paid="1", cell="0912345678")
    return [skip.reason for skip in compose([given], office="code", provinces=COVERED).skips]


@pytest.mark.parametrize("office", ["01", "001", "00101", "028"])
def test_rows_of_its_own(office: str) -> None:
    assert [] == skipped(office)


@pytest.mark.parametrize("office", ["79", "079", "07901", "1", "0010", "x01"])
def test_rows_of_others(office: str) -> None:
    assert ["other-office"] == skipped(office)


def test_one_after_its_own_is_seen_too() -> None:
    """What was found for one row is not said of the next."""
    rows = [row(n, code, cell=f"091234567{n}") for n, code in enumerate(["001", "079", "001"], 2)]
    composed = compose(rows, office="code", provinces=COVERED)
    assert [3] == [skip.row_number for skip in composed.skips]
