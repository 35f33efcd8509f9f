"""Phones that are left alone, as a person at the command line looks after them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.flow.conftest import Office

ROW = "01,TA{n:04},Ông Ví Dụ,1,090000000{n}"


def test_added_listed_removed(office: Office) -> None:
    """The number is shown masked only, and each step stands in the audit."""
    said = office.run("suppressions", "add", "0900000001", "--reason", "asked by letter")
    assert (0, True) == (said.returncode, "090***0001 is left alone" in said.stdout), said.stderr
    (entry,) = office.json("suppressions", "list")
    assert ("090***0001", "central", "asked") == (entry["phone"], entry["list"], entry["cause"])
    assert 0 == office.run("suppressions", "remove", "0900000001").returncode
    assert [] == office.json("suppressions", "list")
    assert 2 == office.run("suppressions", "remove", "0900000001").returncode
    told = [(entry["what"], entry["subject"]) for entry in office.json("audit", "list")]
    assert [("list-removed", "090***0001"), ("list-added", "090***0001")] == told
    assert 0 == office.run("audit", "verify").returncode


def test_who_is_left_alone_is_not_told(office: Office) -> None:
    """A whole file is taken, and a run passes its phones over."""
    lines = office.extract()
    phone = lines[1].rsplit(",", 1)[1]
    path = office.folder / "leave.csv"
    path.write_text(f"phone,reason,cause,until\n{phone},gone,dead,2099-12-31\n", encoding="utf-8")
    assert 0 == office.run("suppressions", "import", str(path)).returncode
    office.run("send", "c12-statement", "--period", "2019-06")
    assert [("TA0001A", "suppressed")] == office.rows(
        "SELECT subject, reason FROM skips WHERE reason = 'suppressed'"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("phone,reason\n0900000001,ok\n123,why\n", "leave.csv:3: "),
        ("phone,reason\n0900000001,\n", "leave.csv:2: reason is empty"),
        ("phone,reason,cause\n0900000001,x,bored\n", "leave.csv:2: cause is 'bored'"),
        ("phone,reason,until\n0900000001,x,1/2/2027\n", "leave.csv:2: until is '1/2/2027'"),
        ("so,ly_do\n0900000001,x\n", "leave.csv:2: phone is empty"),
        ("", "leave.csv: holds no line"),
    ],
)
def test_a_file_with_a_fault_changes_nothing(office: Office, content: str, words: str) -> None:
    """The line is named, and not one of the others is taken."""
    path = office.folder / "leave.csv"
    path.write_text(content, encoding="utf-8")
    refused = office.run("suppressions", "import", str(path))
    assert (2, True) == (refused.returncode, words in refused.stderr), refused.stderr
    assert [] == office.rows("SELECT id FROM suppressions")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "024 3936 0000", "--reason", "x"), "landline"),
        (("add", "0900000001", "--reason", " "), "--reason is empty"),
        (("add", "0900000001 / 0900000002", "--reason", "x"), "one phone number, and one only"),
        (("add", "0900000001", "--reason", "x", "--office", "99-x"), "--office is '99-x'"),
    ],
)
def test_a_wrong_command(office: Office, words: tuple[str, ...], said: str) -> None:
    refused = office.run("suppressions", *words)
    assert (2, True) == (refused.returncode, said in refused.stderr), refused.stderr


def test_what_waits_in_a_run_under_way_is_withdrawn(office: Office) -> None:
    """From now on means now: a run that goes on later passes the phone over, too."""
    phone = office.extract()[1].rsplit(",", 1)[1]
    office.run("send", "c12-statement", "--period", "2019-06")
    with closing(sqlite3.connect(office.folder / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE runs SET state = 'paused', held_because = 'x', finished_at = NULL")
        ledger.execute("UPDATE messages SET state = 'queued', gateway = NULL, settled_at = NULL")
    assert 0 == office.run("suppressions", "add", phone, "--reason", "asked").returncode
    assert [("TA0001A", "suppressed")] == office.rows(
        "SELECT subject, code FROM messages WHERE state = 'cancelled'"
    )
