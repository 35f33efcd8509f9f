"""The main job as its user does it: commands in, texts and accounts out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.flow.conftest import ROOT, Office
from tests.flow.zygote import Victims

FACILITY = (
    "Thang 4/2019, Ma CSKCB 01909: Tong so luot de nghi la 10.132 luot, tong so tien de nghi BHXH"
    " thanh toan la 11.967.526.000 dong, ty le ho so gui dung ngay la 72%. Tran trong!"
)
EMPLOYER = (
    "Kinh gui Cong ty TNHH Hoya Glass Disk VN: so tien da dong thang 05/2019 la 9.249.473.860 dong;"
    " So tien con phai dong chuyen sang thang 06/2019 la -214.541.737 dong; So tien du tinh phai"
    " dong thang 06/2019 la 8.931.964.403. Chi tiet lien he BHXH TP Ha Noi"
)
SEND = ("send", "c12-statement", "--period", "2019-06")


@pytest.mark.parametrize(
    ("job", "period", "subject", "text"),
    [
        ("hospital-summary", "2019-04", "01909", FACILITY),
        ("c12-statement", "2019-06", "TA0001A", EMPLOYER),
    ],
)
def test_the_letters_examples_come_out_byte_for_byte(
    office: Office, job: str, period: str, subject: str, text: str
) -> None:
    """The shipped jobs and samples give the two texts of the letter."""
    for sample in (ROOT / "samples").glob("*.*"):
        shutil.copy(sample, office.folder / "data")
    shown = office.json("preview", job, "--period", period, "--only", subject)
    assert [text] == [message["text"] for message in shown]
    assert [2] == [message["segments"] for message in shown]


PERIODS = {"hospital-summary": "2019-04", "payment-confirmation": "2019-06-01"}


@pytest.mark.parametrize("folder", [".", "samples"])
def test_every_sample_job_ties(tmp_path: Path, victims: Victims, folder: str) -> None:
    """Each shipped job, sent on its sample, has an account that ties and a seal that holds."""
    base = tmp_path / "project"
    for name in ("jobs", "templates", "samples"):
        shutil.copytree(ROOT / name, base / name)
    shutil.copy(ROOT / "config.yaml", base)
    project = Office(base / folder, victims)
    listed = [job["job"] for job in project.json("jobs", "list")]
    for job in listed:
        period = PERIODS.get(str(job), "2019-06")
        done = project.run("send", str(job), "--period", period)
        assert done.returncode in (0, 1), done.stderr
    accounts = project.json("runs", "list")
    assert [True] * len(listed) == [account["ties"] for account in accounts]
    assert 0 == project.run("db", "check").returncode


def test_planning_again_adds_nothing(office: Office) -> None:
    """The same command twice: one run, every message once at the gateway."""
    office.run(*SEND)
    before = office.ledger()
    again = office.run(*SEND)
    assert before == office.ledger()
    assert "Nothing new" in again.stdout
    assert len(set(office.delivered())) == len(office.delivered())


def test_new_subjects_form_a_supplement(office: Office) -> None:
    """Rows that came later get a run of their own with its own manifest."""
    office.run(*SEND)
    office.write_employers(63)
    office.run(*SEND)
    runs = office.rows("SELECT kind, messages, manifest_hash FROM runs ORDER BY id")
    assert [("regular", 59), ("supplement", 3)] == [row[:2] for row in runs]
    assert 2 == len({row[2] for row in runs})


def test_a_changed_figure_goes_out_only_as_a_correction(office: Office) -> None:
    """A figure that changed after it was sent is refused, named, and sent on demand only."""
    office.run(*SEND)
    lines = office.extract()
    lines[2] = lines[2].replace("268200772,-8445119", "268200779,-8445119")
    office.write_extract(lines)
    refused = office.run(*SEND)
    assert (1, True) == (refused.returncode, "TA0002A" in refused.stdout)
    assert 59 == len(office.rows("SELECT id FROM messages"))
    office.run(*SEND, "--resend", "changed", "--reason", "wrong figure", "--yes")
    newest = office.rows(
        "SELECT m.revision, m.replaces_id, r.kind, r.reason FROM messages m JOIN runs r"
        " ON r.id = m.run_id WHERE m.subject = 'TA0002A' ORDER BY m.id"
    )
    assert [(1, None, "regular", ""), (2, 2, "correction", "wrong figure")] == newest


def test_a_dry_run_leaves_no_trace(office: Office) -> None:
    """--dry-run shows the manifest and changes no ledger and no gateway."""
    shown = office.json(*SEND, "--dry-run")
    assert (True, 59, 6) == (shown[0]["dry_run"], shown[0]["messages"], shown[0]["skips"])
    assert [] == office.rows("SELECT id FROM runs")
    assert [] == office.delivered()


def test_a_dry_run_counts_what_a_run_then_does(office: Office) -> None:
    """The rehearsal and the run seal the same manifest figures."""
    rehearsed = office.json(*SEND, "--dry-run")[0]
    done = office.json(*SEND)[0]
    for key in ("messages", "skips", "segments", "cost", "rows_read"):
        assert rehearsed[key] == done[key]


def test_a_tripped_guard_holds_the_run(office: Office) -> None:
    """Outside its limits nothing leaves until a person approves, and who did is written down."""
    job = office.folder / "jobs" / "c12-statement.yaml"
    job.write_text(job.read_text().replace("max_cost: 2.000.000.000", "max_cost: 50.000"))
    held = office.run(*SEND)
    assert (3, True) == (
        held.returncode,
        "The limit is 50.000" in held.stdout.replace("the", "The"),
    )
    assert [] == office.delivered()
    again = office.run(*SEND)
    assert (3, []) == (again.returncode, office.delivered())
    approved = office.run("runs", "approve", "1", "--yes")
    assert approved.returncode in (0, 1)
    assert 59 == len(office.rows("SELECT id FROM messages WHERE state <> 'queued'"))
    assert ["sealed", "approved", "finished"] == [
        row[0] for row in office.rows("SELECT what FROM events ORDER BY id")
    ]


def test_a_cancelled_run_can_be_planned_again(office: Office) -> None:
    """What never left may be planned anew with better figures."""
    job = office.folder / "jobs" / "c12-statement.yaml"
    job.write_text(job.read_text() + "\napproval: required\n")
    assert 3 == office.run(*SEND).returncode
    assert 0 == office.run("runs", "cancel", "1", "--reason", "wrong extract", "--yes").returncode
    assert 3 == office.run(*SEND).returncode
    assert [("cancelled", 59), ("held", 59)] == office.rows(
        "SELECT state, messages FROM runs ORDER BY id"
    )


def test_only_the_wanted_subjects_are_told(office: Office) -> None:
    """--only tells some; the rest follows as a supplement."""
    office.run(*SEND, "--only", "TA0001A", "--only", "TA0002A")
    assert 2 == len(office.delivered())
    office.run(*SEND)
    assert 59 == len(office.rows("SELECT DISTINCT dedup_key FROM messages"))


def test_contradicting_rows_tell_nobody(office: Office) -> None:
    """Two rows with different figures for one employer: none is sent, whatever the phones."""
    lines = office.extract()
    lines.append(lines[2].replace("268200772,-8445119", "1,-8445119"))
    lines.append(
        lines[4].replace(",0900000004", ",0900990004").replace(lines[4].split(",")[4], "7")
    )
    lines.append(lines[6])
    office.write_extract(lines)
    office.run(*SEND)
    skipped = office.rows(
        "SELECT subject, reason, count(*) FROM skips WHERE reason LIKE '%rows' OR reason ="
        " 'duplicate-row' GROUP BY 1, 2 ORDER BY 1"
    )
    assert [
        ("TA0002A", "conflicting-rows", 2),
        ("TA0004A", "conflicting-rows", 2),
        ("TA0006A", "duplicate-row", 1),
    ] == skipped
    assert 0 == office.run("db", "check").returncode


def test_a_changed_text_breaks_the_seal(office: Office) -> None:
    """A text that was altered in the ledger is found, and is not sent."""
    job = office.folder / "jobs" / "c12-statement.yaml"
    job.write_text(job.read_text() + "\napproval: required\n")
    office.run(*SEND)
    office.run("runs", "list")
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(office.folder / "ledger.db")) as database, database:
        database.execute("UPDATE messages SET text = replace(text, '1', '2') WHERE id = 5")
    refused = office.run("runs", "approve", "1", "--yes")
    assert (2, []) == (refused.returncode, office.delivered())
    assert 1 == office.run("db", "check").returncode


def test_the_wrong_key_is_refused(office: Office) -> None:
    """With another key every hash would differ; the ledger is not touched."""
    office.run(*SEND)
    (office.folder / "smsengine.key").write_text("0" * 64)
    refused = office.run(*SEND)
    assert (2, True) == (refused.returncode, "dedup_key" in refused.stderr)


def test_a_backup_is_a_whole_ledger(office: Office) -> None:
    """A copy made while in use passes the ledger's own check."""
    office.run(*SEND)
    assert 0 == office.run("db", "backup", str(office.folder / "copy.db")).returncode
    office.config.write_text(office.config.read_text().replace("ledger.db", "copy.db"))
    assert 0 == office.run("db", "check").returncode
    assert 59 == json.loads(office.run("runs", "show", "1", "--json").stdout)["messages"]


def test_a_cancelled_resend_tells_nobody_again(office: Office) -> None:
    """Withdrawing a re-send by mistake leaves everybody with the edition that was sent."""
    office.run(*SEND)
    job = office.folder / "jobs" / "c12-statement.yaml"
    automatic = job.read_text()
    job.write_text(automatic + "\napproval: required\n")
    assert 3 == office.run(*SEND, "--resend", "all", "--reason", "oops", "--yes").returncode
    office.run("runs", "cancel", "2", "--reason", "by mistake", "--yes")
    job.write_text(automatic)
    before = len(office.delivered())
    assert "Nothing new" in office.run(*SEND).stdout
    assert before == len(office.delivered())


def test_telling_one_first_does_not_evade_the_guards(office: Office) -> None:
    """After --only the first whole plan is still judged against the month before."""
    office.run(*SEND)
    lines = office.extract()
    office.write_extract(lines[:41], "2019-07")
    july = ("send", "c12-statement", "--period", "2019-07")
    office.run(*july, "--only", "TA0001A")
    whole = office.run(*july)
    assert (3, True) == (whole.returncode, "rows went from 60" in whole.stdout)


def test_a_lost_ledger_is_not_replaced_in_silence(office: Office) -> None:
    """Without its ledger, but with its key, the engine refuses instead of telling all again."""
    office.run(*SEND)
    for path in office.folder.glob("ledger.db*"):
        path.unlink()
    refused = office.run(*SEND)
    assert (2, True) == (refused.returncode, "is gone or empty" in refused.stderr)
    assert not (office.folder / "ledger.db").exists()


def test_an_office_cannot_take_a_topic_of_the_centre(office: Office) -> None:
    """A province's job with the Centre's topic is refused, with file and line."""
    assert 0 == office.run("jobs", "new", "mine", "--province", "01-hanoi").returncode
    job = office.folder / "jobs" / "provinces" / "01-hanoi" / "mine.yaml"
    job.write_text(job.read_text().replace("topic: 01-hanoi-mine", "topic: c12-statement"))
    refused = office.run("jobs", "check", "01-hanoi/mine", "--lang", "en")
    assert (2, True) == (refused.returncode, "belongs to central" in refused.stdout)
    for words in (("jobs", "submit", "01-hanoi/mine"), ("send", "01-hanoi/mine")):
        assert office.run(*words).returncode in (2, 3)
    assert [] == office.rows("SELECT id FROM versions")


def test_the_ledger_is_private(office: Office) -> None:
    """Ledger, key and backup hold names and phones; only their owner reads them."""
    office.run("db", "backup", str(office.folder / "copy.db"))
    modes = {(office.folder / name).stat().st_mode & 0o077 for name in ("ledger.db", "copy.db")}
    assert {0} == modes
