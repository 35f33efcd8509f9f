"""The commands of the documents are run, in a copy of the project, and end as the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from smsengine.clock import VIETNAM
from smsengine.service import samples
from smsengine.service.bootstrap import Engine
from smsengine.store.engine import Store
from tests.docs.documents import ROOT, Block, blocks
from tests.flow.zygote import Victims

PAGES = (
    "README.vi.md",
    "docs/first-notice.md",
    "docs/daemon.md",
    "docs/sending.md",
    "docs/trouble.md",
    "docs/resend-and-correct.md",
    "docs/retention.md",
    "docs/text.md",
    "docs/extracts.md",
)
#: Its commands are started from nothing; those of the other pages where all is imported already.
FROM_NOTHING = "docs/daemon.md"
COPIED = ("config.yaml", "jobs", "templates", "samples", "Makefile")
FILES = ("setup.cfg", "pyproject.toml", "constraints.txt")
_PROMPT = re.compile(r"\$ (?P<command>.*?)(?:\s+# exit (?P<codes>[\d or]+))?$")
_ENOUGH_SECONDS = 60


@dataclass(kw_only=True)
class Step:
    """A command, the codes it may end with, and lines of output that the page shows."""

    command: str
    codes: list[int]
    shown: list[str]


def steps(block: Block) -> Iterator[Step]:
    """The commands of one console block."""
    step: Step | None = None
    for line in block.text.splitlines():
        prompt = _PROMPT.match(line)
        if prompt:
            if step:
                yield step
            codes = [int(code) for code in re.findall(r"\d", prompt["codes"] or "0")]
            step = Step(command=prompt["command"], codes=codes, shown=[])
        elif step and line.strip() != "...":
            step.shown.append(line.strip().removesuffix("...").strip())
    if step:
        yield step


@pytest.fixture
def project(page: str, tmp_path: Path, victims: Victims) -> Path:
    """What a user has after ``make``; a known key gives the pretended gateway known answers."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name in FILES:
        (tmp_path / name).touch()
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    command = folder / "smsengine"
    begun = victims.command() if page != FROM_NOTHING else f'"{sys.executable}" -m smsengine'
    command.write_text(f'#!/bin/sh\nexec {begun} "$@"\n', encoding="ascii")
    command.chmod(0o755)
    (folder / "activate").write_text(f'export PATH="{folder}:$PATH"\n', encoding="utf-8")
    (tmp_path / ".venv" / ".installed").touch()
    (tmp_path / "smsengine.key").write_text("no secret, only for the test of the documents\n")
    engine = Engine(tmp_path / "config.yaml")
    engine.prepare(Store(engine.settings.database))
    return tmp_path


def environment(project: Path) -> dict[str, str]:
    """Without settings of the machine; ``activate`` of an earlier block still counts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SMSENGINE")}
    return kept | {"PATH": f"{project / '.venv' / 'bin'}:{kept['PATH']}", "LC_ALL": "C.UTF-8"}


def run(step: Step, project: Path, block: Block) -> None:
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=project,
        env=environment(project),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=_ENOUGH_SECONDS,
        check=False,
    )
    assert done.returncode in step.codes, f"{block}: {step.command}\n{done.stdout}"
    rest = done.stdout
    for line in step.shown:
        assert line in rest, f"{block}: {step.command} does not show {line!r}:\n{done.stdout}"
        rest = rest.partition(line)[2]


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_the_page_says(page: str, project: Path) -> None:
    """A reader who types the page from top to bottom sees what it shows."""
    ran = 0
    for block in blocks(page):
        if block.title:
            (project / block.title).parent.mkdir(parents=True, exist_ok=True)
            written = samples.with_last_day(block.text, datetime.now(VIETNAM).date())
            (project / block.title).write_text(written, encoding="utf-8")
        elif block.language == "console":
            for step in steps(block):
                run(step, project, block)
                ran += 1
    assert ran >= 1
