"""The help of every command, as docs/commands.md holds it.

``python -m tests.docs.commands`` writes the page anew from the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from smsengine.cli.main import cli
from tests.docs.documents import ROOT

PAGE = ROOT / "docs" / "commands.md"
_HELP = re.compile(r"(<!-- help: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_WIDTH = 100


def helps() -> dict[str, str]:
    """The ``--help`` of the program and of every command below it, by the words to type."""
    return dict(_helps(cli, "smsengine", None))


def _helps(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    context = command.make_context(name, [], parent, resilient_parsing=True, terminal_width=_WIDTH)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            below = command.get_command(context, inner)
            assert below is not None
            yield from _helps(below, inner, context)


def documented() -> list[str]:
    """The commands that the page has a place for."""
    return [match[2] for match in _HELP.finditer(PAGE.read_text(encoding="utf-8"))]


def page() -> str:
    """The page with the program's own help in every place for one."""
    known = helps()

    def filled(match: re.Match[str]) -> str:
        shown = known.get(match[2], "There is no such command.")
        return f"{match[1]}\n```text\n{shown}\n```\n\n{match[3]}"

    return _HELP.sub(filled, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
