"""The shape of the house: who may import whom, how long a file may be, what a package ships."""

from __future__ import annotations

import ast
import configparser
import graphlib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

import smsengine

PACKAGE = Path(smsengine.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {
    **dict.fromkeys(("text", "errors", "clock", "period", "phone", "provinces", "lifecycle"), 0),
    **dict.fromkeys(("identity", "workdays", "waves", "hours", "timetable", "cron"), 0),
    "metrics": 0,
    "mail_server": 0,
    "mailbox": 0,
    "config": 1,
    "store": 2,
    **dict.fromkeys(("sources", "notices", "gateways"), 3),
    **dict.fromkeys(("planning", "sending", "receipts", "reports", "governance", "payments"), 4),
    "service": 5,
    **dict.fromkeys(("cli", "web"), 6),
    "__main__": 7,
}
#: Figures are rows again, so notices/ shares the contract of a row with sources/, nothing else.
SHARED = {("notices", "smsengine.sources.base")}
LONGEST_FILE = 400
LONGEST_FUNCTION = 40


@cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax, read once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The first name below ``smsengine``; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def imported(path: Path) -> Iterator[str]:
    """Every module of ours that a module imports, wherever in it the import stands."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("smsengine"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports by a relative name"
            module = node.module or ""
            if module.partition(".")[0] == "smsengine":
                yield from (_resolved(module, alias.name) for alias in node.names)


def _resolved(module: str, name: str) -> str:
    """``from smsengine.store import runs`` names a module, ``… import Store`` does not."""
    path = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else module


def is_lawful(importer: str, target: str) -> bool:
    """Downward, within one room, or between the modules of the ground floor."""
    here, there = room_of(importer), room_of(target)
    if here == there or (here, target) in SHARED:
        return True
    return FLOORS[there] < FLOORS[here] or FLOORS[here] == FLOORS[there] == 0


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downward(path: Path) -> None:
    """No module imports one of a higher floor, or of another room on its own floor."""
    importer = name_of(path)
    assert [] == [target for target in imported(path) if not is_lawful(importer, target)]


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("smsengine.planning.planner", "smsengine.sending.dispatcher"),
        ("smsengine.sources.csv_file", "smsengine.gateways.base"),
        ("smsengine.notices.facility", "smsengine.sources.csv_file"),
        ("smsengine.store.runs", "smsengine.planning.manifest"),
        ("smsengine.text.gsm", "smsengine.config.yaml"),
        ("smsengine.service.sender", "smsengine.cli.send"),
    ],
)
def test_the_law_refuses_sideways_and_upward(importer: str, target: str) -> None:
    """The rule that the walk applies does refuse what the design forbids."""
    assert not is_lawful(importer, target)


def test_every_room_has_a_floor() -> None:
    """A new room is given its floor before anything is put into it."""
    rooms = {room_of(name_of(path)) for path in MODULES} - {""}
    assert set() == rooms - FLOORS.keys()


def test_imports_make_no_circle() -> None:
    """Modules can be put in an order in which each imports earlier ones only."""
    graph = {name_of(path): set(imported(path)) - {name_of(path)} for path in MODULES}
    assert len(MODULES) == len(list(graphlib.TopologicalSorter(graph).static_order()))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_can_be_read_in_a_sitting(path: Path) -> None:
    """A file that reaches the limit is split before the next feature."""
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_FILE


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, from ``def`` on."""
    first = function.body[0]
    docstring = ast.get_docstring(function) is not None
    skipped = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - skipped


@pytest.mark.parametrize(
    "path", [path for path in MODULES if "migrations" not in path.parts], ids=name_of
)
def test_functions_fit_a_screen(path: Path) -> None:
    """A function is never longer than forty lines."""
    functions = [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [
        f"{each.name}: {_length(each)}" for each in functions if _length(each) > LONGEST_FUNCTION
    ]
    assert [] == long


@pytest.mark.parametrize("path", [path for path in MODULES if path.stat().st_size], ids=name_of)
def test_annotations_are_postponed(path: Path) -> None:
    """Every module that holds anything starts with ``from __future__ import annotations``."""
    tree = parsed(path)
    found = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert ["__future__"] == found[:1]


def test_data_files_are_shipped() -> None:
    """Every file of the package that is no Python is named by a pattern in setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    patterns = config["options.package_data"]["smsengine"].split()
    data = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert data
    assert [] == [
        name
        for name in data
        if not any(
            fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns
        )
    ]


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without ``__init__.py`` would be left out of the wheel."""
    folders = {path.parent for path in MODULES}
    assert [] == [str(each) for each in folders if not (each / "__init__.py").exists()]
