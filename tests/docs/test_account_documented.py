"""Every state, kind, reason and exit code is explained where people look for it."""

from __future__ import annotations

from enum import Enum

import pytest

from smsengine.cli.options import Exit
from smsengine.lifecycle import MessageState, RunKind, RunState, SkipReason
from tests.docs.documents import read, table

PAGE = "docs/reading-the-account.md"


def first_cells(page: str, heading: str) -> list[str]:
    """The first column of the table below a heading."""
    text = read(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [row[0].strip("`") for row in table(text)]


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("States of a message", MessageState),
        ("States of a run", RunState),
        ("Kinds of a run", RunKind),
        ("Skip reasons", SkipReason),
        ("Exit codes", Exit),
    ],
)
def test_a_table_has_a_line_for_every_word(heading: str, words: type[Enum]) -> None:
    """Nobody meets a word in an account that the page does not explain."""
    assert [str(word.value) for word in words] == first_cells(PAGE, heading)


def test_the_vietnamese_page_explains_every_reason() -> None:
    """An office can look up each reason in its own language."""
    reasons = first_cells("README.vi.md", "Lý do một dòng không được gửi")
    assert [reason.value for reason in SkipReason] == reasons
