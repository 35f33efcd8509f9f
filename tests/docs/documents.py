"""Reads the project's documents: fenced blocks, sections, tables.

The word behind a fence's language tells a test what to do with a block:

* ``console``: lines that begin with ``$ `` are run, in order, in one copy of the project for the
  whole page. ``# exit 3`` behind a command names the exit codes it may end with (else 0). Any other
  line is output that the commands of the block have shown, in this order; ``...`` leaves some out.
* ``yaml title=path`` (also ``jinja``, ``csv``): the block is the whole file at that path; its last
  day (``expires``) becomes one that lies ahead, as its reader would write it.
* ``yaml`` without a title: some keys of ``config.yaml`` or of a job; they must load.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every document that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def read(name: str) -> str:
    """The text of one document, by its path from the project's folder."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[Block]:
    """The fenced blocks of one document, in order."""
    text = read(name)
    return [
        Block(
            page=name,
            line=text.count("\n", 0, match.start()) + 1,
            language=match[1],
            title=match[2] or "",
            text=match[3],
        )
        for match in _BLOCK.finditer(text)
    ]


def section(name: str, mark: str) -> str:
    """What stands behind ``<!-- mark -->``, up to the next such mark or heading."""
    behind = read(name).partition(f"<!-- {mark} -->\n")[2]
    return re.split(r"^(?:#|<!--)", behind, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> list[list[str]]:
    """The rows of a Markdown table, without its header."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def words(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]*)`", cell)
