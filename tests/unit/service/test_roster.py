"""Jobs that can be used, and in a sentence what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from smsengine.errors import ConfigError
from smsengine.service.bootstrap import Engine
from smsengine.service.roster import Roster, read_roster
from tests.conftest import START

GOOD = "c12-statement"


def _folder(path: Path) -> None:
    path.mkdir()


def _nowhere(path: Path) -> None:
    path.symlink_to("nowhere.yaml")


def _in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


BAD: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_text(""),
    "half": lambda path: path.write_text("title: x\ntopic: y\n"),
    "no yaml": lambda path: path.write_text("{[}"),
    "a list": lambda path: path.write_text("- title\n- topic\n"),
    "latin": lambda path: path.write_bytes("title: Kết quả".encode("utf-16")),
    "zeros": lambda path: path.write_bytes(bytes(1000)),
    "deep": lambda path: path.write_text("[" * 5_000),
    "a folder": _folder,
    "a link to nowhere": _nowhere,
    "a link in a circle": _in_a_circle,
    "no such day": lambda path: path.write_text("schedule: {cron: '0 8 30 feb *'}\n"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_and_the_good_job_is_used(
    installation: Callable[..., Engine], kind: str
) -> None:
    """Whatever lies in the folder of the jobs."""
    engine = installation()
    BAD[kind](engine.settings.jobs / "bad.yaml")
    roster = read_roster(engine)
    assert ([GOOD], ["bad"]) == (list(roster.jobs), list(roster.broken))
    assert "bad.yaml" in roster.broken["bad"]


def test_it_says_when_each_job_is_due_next(installation: Callable[..., Engine]) -> None:
    roster = read_roster(installation())
    assert {GOOD: START} == roster.next_fires(START - timedelta(seconds=1))
    assert {GOOD: START + timedelta(days=30)} == roster.next_fires(START)


def test_a_broken_job_is_due_at_no_time(installation: Callable[..., Engine]) -> None:
    roster = read_roster(installation(job="title: x\n"))
    assert ({}, None) == (roster.next_fires(START), roster.next_fire(GOOD, START))
    assert {} == Roster().next_fires(START)


def test_without_a_folder_of_jobs_nothing_begins(installation: Callable[..., Engine]) -> None:
    engine = installation()
    (engine.settings.jobs / f"{GOOD}.yaml").unlink()
    engine.settings.jobs.rmdir()
    with pytest.raises(ConfigError, match="does not exist"):
        read_roster(engine)


def test_a_folder_without_any_job_is_told(installation: Callable[..., Engine]) -> None:
    """Rather its disk is not mounted than all jobs given up."""
    engine = installation()
    (engine.settings.jobs / f"{GOOD}.yaml").unlink()
    roster = read_roster(engine)
    assert not roster.jobs
    assert ["disk mounted" in said for said in roster.broken.values()] == [True]
