"""docs/notices.md is what the program makes of the shipped notices and the samples of offices."""

from __future__ import annotations

from pathlib import Path

from tests.docs import notices


def test_the_register_is_the_programs_own(tmp_path: Path) -> None:
    """After a change: ``python -m tests.docs.notices``."""
    assert notices.page(tmp_path) == notices.PAGE.read_text(encoding="utf-8")
