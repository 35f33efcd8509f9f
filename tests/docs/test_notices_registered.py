"""docs/notices.md is what the program makes of the shipped notices and the samples of offices."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs import notices


def test_the_register_is_the_programs_own(tmp_path: Path) -> None:
    """After a change: ``python -m tests.docs.notices``."""
    assert notices.page(tmp_path) == notices.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "now", [datetime(2028, 1, 1, tzinfo=UTC), datetime(2047, 12, 31, tzinfo=UTC)]
)
def test_the_samples_are_good_in_any_year(tmp_path: Path, now: datetime) -> None:
    """Once the last day that they name is one within two years."""
    assert 2 == notices.page(tmp_path, now).count(f"| until | 31/12/{now.year + 1} |")
