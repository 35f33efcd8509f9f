"""Purge, backup and restore as people type them, on a ledger in which something happened."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.flow.conftest import Office

SEND = ("send", "c12-statement", "--period", "2019-06")
YEAR_AGO = "UPDATE runs SET finished_at = '2019-07-01 00:00:00'"
SETTLED = "UPDATE messages SET settled_at = '2019-07-01 00:00:00' WHERE settled_at IS NOT NULL"


def age(office: Office) -> None:
    """Let everything that happened have happened long ago."""
    with closing(sqlite3.connect(office.folder / "ledger.db")) as database, database:
        database.execute(YEAR_AGO)
        database.execute(SETTLED)


def test_a_purged_period_is_known_to_every_command(office: Office) -> None:
    """It can be listed, shown, exported and checked, and nobody is told twice."""
    office.run(*SEND)
    told = office.delivered()
    age(office)
    looked = office.json("db", "purge", "--dry-run")[0]
    assert (True, 1, 59) == (looked["dry_run"], looked["runs"], looked["messages"])
    assert 0 == office.run("db", "purge", "--yes").returncode
    assert 0 == office.run("db", "check").returncode
    for words in (("runs", "list"), ("runs", "show", "1")):
        shown = office.run(*words)
        assert (0, True) == (shown.returncode, "purged" in shown.stdout), shown.stderr
    assert 0 == office.run("runs", "export", "1", "rows.csv").returncode
    assert 59 == (office.folder / "rows.csv").read_text(encoding="utf-8-sig").count("(purged)") - 6
    again = office.run(*SEND)
    assert ("Nothing new" in again.stdout, told) == (True, office.delivered())


def test_a_purge_asks_first(office: Office) -> None:
    """Without an answer nothing goes."""
    office.run(*SEND)
    age(office)
    refused = office.run("db", "purge")
    assert (1, True) == (refused.returncode, "cannot be undone" in refused.stderr)
    assert [] == office.rows("SELECT id FROM messages WHERE text = ''")


def test_a_purge_that_is_killed_goes_on(office: Office) -> None:
    """Wherever the process ends, the ledger is whole and the next purge does the rest."""
    office.write_employers(20_000)
    office.run(*SEND)
    age(office)
    purge = office.start("db", "purge", "--yes")
    until = time.monotonic() + 60
    while not office.rows("SELECT id FROM messages WHERE text = '' LIMIT 1"):
        assert time.monotonic() < until
        assert purge.poll() is None
    purge.send_signal(signal.SIGKILL)
    purge.communicate()
    left = office.rows("SELECT count(*) FROM messages WHERE text <> ''")[0][0]
    assert 0 == office.run("db", "check").returncode
    done = office.json("db", "purge", "--yes")[0]
    assert (left, True) == (done["messages"], bool(left))
    assert 0 == office.run("db", "check").returncode


def test_a_ledger_comes_back_from_a_backup_made_while_it_was_sent(office: Office) -> None:
    """The copy of a moment is whole, and knows every message that was written by then."""
    office.write_employers(3_000)
    sending = office.start(*SEND)
    until = time.monotonic() + 60
    while not (office.delivered() or sending.poll() is not None):
        assert time.monotonic() < until
    assert 0 == office.run("db", "backup", "copy.db").returncode
    sending.communicate(timeout=120)
    for path in office.folder.glob("ledger.db*"):
        path.rename(Path(f"{path}.away"))
    refused = office.run("runs", "list")
    assert (2, True) == (refused.returncode, "is gone or empty" in refused.stderr)
    restored = office.run("db", "restore", "copy.db")
    assert 0 == restored.returncode, restored.stderr
    assert 0 == office.run("db", "check").returncode
    assert [("c12-statement", "2019-06")] == office.rows("SELECT job, period FROM runs")
