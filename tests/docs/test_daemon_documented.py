"""docs/daemon.md tells whoever is on call what each alarm means."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import ROOT, section, table, words

PAGE = "docs/daemon.md"
PACKAGE = ROOT / "smsengine"
ALARMS = "service/alarming.py"
#: What sounds alarms in words of its own.
SOUNDERS = (
    "service/offers.py",
    "service/duties.py",
    "service/upkeep_duties.py",
    "service/stumbling.py",
    "timetable.py",
)
ROWS = table(section(PAGE, "alarms"))
PHRASES = [words(row[0])[0] for row in ROWS]


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string below a node, with ``…`` where a value is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            ]
            yield "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def alarms() -> Iterator[ast.FunctionDef]:
    """The functions that make an alarm."""
    for node in parsed(PACKAGE / ALARMS).body:
        is_function = isinstance(node, ast.FunctionDef) and node.returns is not None
        if is_function and ast.unparse(node.returns) == "News":  # type: ignore[attr-defined]
            yield node  # type: ignore[misc]


@pytest.mark.parametrize("alarm", [pytest.param(each, id=each.name) for each in alarms()])
def test_every_alarm_has_a_row(alarm: ast.FunctionDef) -> None:
    """Whoever is woken by it finds what to do."""
    said = list(texts(alarm))
    assert any(phrase in text for phrase in PHRASES for text in said), said


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_row_is_an_alarm_that_there_is(phrase: str) -> None:
    """Words that were changed in the program are looked for in vain."""
    files = [PACKAGE / name for name in (ALARMS, *SOUNDERS)]
    assert any(phrase in text for path in files for text in texts(parsed(path)))


def test_every_row_says_what_to_do() -> None:
    """Almost all with a command; the others with the page that has it."""
    for _alarm, meaning, todo in ROWS:
        assert meaning.endswith(".")
        assert re.search(r"`smsengine [a-z]|\]\(|Make room", todo), todo


def test_the_commands_of_the_page_are_there() -> None:
    """No command is named that was renamed."""
    known = {path.stem for path in (PACKAGE / "cli").glob("*.py")}
    named = {name for row in ROWS for name in re.findall(r"`smsengine ([a-z]+)", row[2])}
    assert named
    assert set() == named - known - {"db"}
