"""The plug-in of docs/write-a-gateway.md is found by its entry point and passes the suite."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.documents import ROOT, blocks

PAGE = "docs/write-a-gateway.md"


@pytest.fixture
def plug_in(tmp_path: Path) -> Path:
    """The files of the page, installed as pip does it: beside a folder with the entry points."""
    for block in blocks(PAGE):
        if block.title:
            path = tmp_path / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    folder = tmp_path / "vidu"
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"smsengine_vidu-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        line
        for group, names in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def proved(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the suite on the page's case."""
    tests = ("tests/contracts/test_gateway_kit.py", "tests/unit/sending/test_dispatcher_vendors.py")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder), "SMSENGINE_CASES": str(folder / "cases")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_s_plug_in_passes_the_suite(plug_in: Path) -> None:
    """Whoever copies the page has a gateway that is proved."""
    done = proved(plug_in)
    assert 0 == done.returncode, done.stdout
    assert done.stdout.count(".") > 30


def test_a_plug_in_that_calls_a_doubt_a_refusal_does_not_pass(plug_in: Path) -> None:
    """The suite finds the mistake that texts a person twice."""
    module = plug_in / "smsengine_vidu.py"
    text = module.read_text(encoding="utf-8")
    doubtful = text.replace(
        "        said = default_outcome(reply, now)\n",
        "        said = default_outcome(reply, now)\n"
        "        if said is not None and said.kind is OutcomeKind.UNKNOWN:\n"
        "            said = said._replace(kind=OutcomeKind.TRANSIENT)\n",
    )
    assert text != doubtful
    module.write_text(doubtful, encoding="utf-8")
    done = proved(plug_in, "-k", "500 or told_twice")
    assert 1 == done.returncode, done.stdout
    assert "test_nobody_is_told_twice_and_nobody_is_lost" in done.stdout
