"""A ledger that was restored or copied, as a person meets it: commands in, sentences out."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.flow.conftest import Office

SEND = ("send", "c12-statement", "--period", "2019-06")
ADOPT = "smsengine doctor --adopt"


def restore(office: Office, backup: str) -> None:
    """Put a backup in the ledger's place, as docs/backup-and-restore.md says."""
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (office.folder / name).unlink(missing_ok=True)
    shutil.copy(office.folder / backup, office.folder / "ledger.db")


def backup(office: Office, name: str = "backup.db") -> str:
    assert 0 == office.run("db", "backup", str(office.folder / name)).returncode
    return name


@pytest.fixture
def restored(office: Office) -> Office:
    """A run was held when the backup was made; it was sent, and then the backup was restored."""
    job = office.folder / "jobs" / "c12-statement.yaml"
    job.write_text(job.read_text(encoding="utf-8") + "\napproval: required\n", encoding="utf-8")
    assert 3 == office.run(*SEND).returncode
    made = backup(office)
    assert office.run("runs", "approve", "1", "--yes").returncode in (0, 1)
    restore(office, made)
    return office


@pytest.mark.parametrize(
    "words",
    [SEND, ("runs", "approve", "1", "--yes"), ("runs", "resume", "1", "--yes")],
    ids=["send", "approve", "resume"],
)
def test_a_restored_ledger_sends_nothing(restored: Office, words: tuple[str, ...]) -> None:
    """Whatever is typed: one sentence that says what to do, and exit code 3."""
    before = restored.delivered()
    done = restored.run(*words)
    assert (3, True, 1) == (done.returncode, ADOPT in done.stderr, done.stderr.count("\n"))
    assert (before, [("held",)]) == (
        restored.delivered(),
        restored.rows("SELECT state FROM runs"),
    )


def test_a_restored_ledger_may_be_looked_at(restored: Office) -> None:
    """A person who must decide sees everything."""
    for words in (("runs", "list"), ("runs", "show", "1"), ("db", "check"), (*SEND, "--dry-run")):
        assert ADOPT not in restored.run(*words).stderr
    done = restored.run("doctor")
    assert (1, True) == (done.returncode, "FAIL machine: Nothing is sent" in done.stdout)


def test_adopting_asks_first(restored: Office) -> None:
    """Who says no has changed nothing."""
    done = restored.run("doctor", "--adopt")
    assert 1 == done.returncode
    assert "does not know what was sent since the copy was made" in done.stderr
    assert 3 == restored.run(*SEND).returncode


def test_an_adopted_ledger_still_waits_for_a_person(restored: Office) -> None:
    """Nothing leaves by itself; what was held can be withdrawn, and the next month is sent."""
    before = restored.delivered()
    done = restored.run("doctor", "--adopt", "--yes")
    assert (0, True) == (done.returncode, "does not know what was sent" in done.stdout)
    assert 3 == restored.run(*SEND).returncode
    assert before == restored.delivered()
    withdrawn = restored.run("runs", "cancel", "1", "--yes", "--reason", "was sent")
    assert (0, [("cancelled",)]) == (withdrawn.returncode, restored.rows("SELECT state FROM runs"))
    assert "ok   machine: the ledger belongs to this machine" in restored.run("doctor").stdout


def test_a_run_that_was_being_sent_is_paused(office: Office) -> None:
    """Adopting stops a run that the next command would go on with."""
    office.run(*SEND)
    made = backup(office)
    with closing(sqlite3.connect(office.folder / made)) as database, database:
        database.execute("UPDATE runs SET state = 'sending', finished_at = NULL")
    office.run(*SEND)
    restore(office, made)
    said = office.json("doctor", "--adopt", "--yes")
    assert ["older"] == [line["standing"] for line in said]
    assert "Run 1 (c12-statement 2019-06) is paused." in str(said)
    done = office.run(*SEND)
    assert (3, True) == (done.returncode, "smsengine runs resume 1" in done.stdout)


def test_a_copied_ledger_sends_nothing(
    office: Office, make_office: Callable[..., Office], tmp_path: Path
) -> None:
    """Another folder on the same machine, with the file alone or with all that belongs to it."""
    office.run(*SEND)
    copy = make_office("copy")
    copy.write_extract(office.extract())
    shutil.copy(office.folder / backup(office), copy.folder / "backup.db")
    restore(copy, "backup.db")
    whole = tmp_path / "whole"
    shutil.copytree(office.folder, whole)
    for each in (copy, Office(whole, office.victims)):
        done = each.run(*SEND)
        assert (3, True) == (done.returncode, "was copied or moved here" in done.stderr)
    assert office.run(*SEND).returncode in (0, 1)


def test_whoever_restores_a_backup_has_to_look(office: Office) -> None:
    """Also when nothing was sent since: the backup itself was reported after it was made."""
    office.run(*SEND)
    before = office.delivered()
    restore(office, backup(office))
    assert office.run(*SEND).returncode == 3
    assert office.run("doctor", "--adopt", "--yes").returncode == 0
    assert office.run(*SEND).returncode in (0, 1)
    assert before == office.delivered()
