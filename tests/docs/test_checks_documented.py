"""Every rule that a notice is checked by is explained."""

from __future__ import annotations

from typing import get_args

from smsengine.config.job import GoldenCase
from smsengine.governance.findings import Rule
from tests.docs.documents import read, table

PAGE = "docs/checks.md"


def first_cells(heading: str) -> list[str]:
    """The first column of the table below a heading."""
    text = read(PAGE).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [row[0].strip("`") for row in table(text)]


def test_each_rule_has_a_line() -> None:
    """In the order of the code."""
    assert list(get_args(Rule)) == first_cells("Rules")


def test_each_golden_row_has_a_line() -> None:
    """So that an author knows which to write."""
    assert [str(case) for case in GoldenCase] == first_cells("Golden rows")
