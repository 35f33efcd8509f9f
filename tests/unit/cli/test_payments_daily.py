"""``smsengine payments daily``: makes what is lacking, delivers it, and shows where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from smsengine.cli.main import cli
from smsengine.errors import RefusedError
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.store import daily_tables
from tests.unit.payments.sheets_of_day import PAYMENT, total_of

CONFIG = """\
database: sqlite:///ledger.db
gateways:
  trial: {kind: file, path: trial.jsonl, prices: [{from: 2019-01-01, per_segment: 850}]}
payments:
  organisations:
    AR0013M: {name: UBND phường Điện Biên, office: "00101"}
    BI0007M: {name: Bưu điện, office: "00101", deliver: [{kind: folder, path: there}]}
"""
Run = Callable[..., Result]


@pytest.fixture
def yesterday(tmp_path: Path) -> date:
    """A day on which 300 đồng were paid to one of two organisations."""
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "there").mkdir()
    engine = Engine(tmp_path / "config.yaml")
    day = engine.today - timedelta(days=1)
    Paying(engine).record([replace(PAYMENT, amount=300, paid_on=day)], "test")
    engine.store.close()
    return day


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def typed(*words: str) -> Result:
        config = ["--config", str(tmp_path / "config.yaml")]
        return CliRunner().invoke(cli, ["payments", "daily", *words, *config])

    return typed


def told(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


def test_it_makes_delivers_and_shows(yesterday: date, run: Run, tmp_path: Path) -> None:
    """Yesterday's tables, where nothing else is said."""
    done = run("--json")
    assert 0 == done.exit_code
    assert [("AR0013M", 1, 300), ("BI0007M", 0, 0)] == [
        (each["organisation"], each["lines"], each["amount"]) for each in told(done)
    ]
    assert 300 == total_of(tmp_path / "outbox" / "payments" / told(done)[0]["file"])
    assert (tmp_path / "there" / told(done)[1]["file"]).is_file()


def test_again_it_changes_nothing(yesterday: date, run: Run) -> None:
    """And says so."""
    run()
    again = run()
    assert "0 tables were made now; 2 tables in all." in again.output
    assert "acknowledged" in again.output


def test_one_organisation_without_delivering(yesterday: date, run: Run, tmp_path: Path) -> None:
    """A table that is there waits; the command says that something is open."""
    words = ("--day", str(yesterday), "--organisation", "AR0013M")
    made = run(*words, "--no-deliver", "--json")
    assert (1, 1) == (made.exit_code, len(told(made)))
    assert ["open"] == [each["state"] for each in told(made)[0]["deliveries"]]
    assert not (tmp_path / "outbox").exists()
    delivered = run(*words, "--json")
    assert 0 == delivered.exit_code
    assert [False] == [each["is_new"] for each in told(delivered)]


def test_what_has_not_arrived_is_shown_with_its_reason(
    yesterday: date, run: Run, tmp_path: Path
) -> None:
    """Whoever is on call sees what to mend."""
    (tmp_path / "there").rmdir()
    done = run("--json")
    assert 1 == done.exit_code
    assert "No such file or directory" in told(done)[1]["deliveries"][0]["said"]


@pytest.mark.parametrize(
    "words", [["--organisation", "AR0013M"], ["--day", "tomorrow"], ["--day", "2999-01-01"]]
)
def test_what_makes_no_sense_is_refused(
    yesterday: date, run: Run, tmp_path: Path, words: list[str]
) -> None:
    """An organisation without a day, no day, a day that has not come: nothing is made."""
    assert run(*words).exit_code
    engine = Engine(tmp_path / "config.yaml")
    with engine.store.read() as connection:
        found = daily_tables.of_day(connection, yesterday)
    engine.store.close()
    assert [] == found


def test_no_name_and_number_is_shown(yesterday: date, run: Run) -> None:
    """Who paid stands in the file only."""
    said = run("--json").output + run().output
    for private in (PAYMENT.name, PAYMENT.insurance_number, PAYMENT.staff, PAYMENT.staff_name):
        assert private not in said


def test_a_ledger_that_was_restored_delivers_nothing(
    yesterday: date, run: Run, tmp_path: Path
) -> None:
    """What it does not remember may have been delivered; making a table does no harm."""
    assert 0 == run().exit_code
    engine = Engine(tmp_path / "config.yaml")
    with engine.store.write() as connection:
        connection.exec_driver_sql("UPDATE members SET beats = beats - 2")
    engine.store.close()
    assert isinstance(run().exception, RefusedError)
    assert 0 == run("--no-deliver").exit_code
