"""docs/commands.md holds the help of every command, word for word."""

from __future__ import annotations

from tests.docs import commands


def test_every_command_has_its_place() -> None:
    """A new command does not stay without a description."""
    assert list(commands.helps()) == commands.documented()


def test_the_help_is_the_programs_own() -> None:
    """Mended by: .venv/bin/python -m tests.docs.commands."""
    assert commands.page() == commands.PAGE.read_text(encoding="utf-8")
