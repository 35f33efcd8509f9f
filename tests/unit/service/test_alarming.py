"""Alarms hold no numbers and no words of a gateway, and say what to do."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from smsengine.lifecycle import Grade
from smsengine.service import alarming
from smsengine.service.alarming import News, code_of, masked, why
from tests.conftest import START, Office, rows


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("0912345678", "091***5678"),
        ("(0912.345.678)", "(091***5678)"),
        ("0912-345-678,", "091***5678,"),
        ("+84912345678", "091***5678"),
        ("(+84) 912 345 678", "091***5678"),
        ("84912345678", "091***5678"),
        ("0243 1234 567", "024***4567"),
        ("01234567890", "012***7890"),
        ("Run 12 of 2019-06-01 08:00 has 10.132 rows", None),
        ("01/06/2019 08:00 and 2019-06-01T01:00:00Z", None),
        ("11.967.526.000 dong, -214.541.737 dong", None),
        ("84.912.345.678 dong", None),
        ("1234567890123", None),
        ("facility 01909, employer TA0001A", None),
    ],
)
def test_numbers_of_phones_are_masked_and_figures_are_not(said: str, plain: str | None) -> None:
    """Whoever reads an alarm sees whose number it might be, and every amount as it is."""
    assert (said if plain is None else plain) == masked(said)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("1002: so du khong du", "1002"),
        ("HTTP-401", "HTTP-401"),
        ("", ""),
        ("0912345678 khong hop le", "091***5678"),
        ("a" * 50, "a" * 20),
    ],
)
def test_of_what_a_gateway_says_its_code_remains(said: str, code: str) -> None:
    """The rest may quote a message."""
    assert code == code_of(said)


def test_why_a_run_stands_still_is_said_as_it_was_written_down() -> None:
    """Figures of guards and rules of stopping are ours and stay."""
    said = "The extract has 3 rows; at least 100 are due.\nIt would cost 2.550 dong."
    assert "The extract has 3 rows; at least 100 are due. It would cost 2.550 dong." == why(said)
    assert "No reason is written down." == why("")


def test_every_alarm_says_what_to_do(sqlite_office: Office) -> None:
    """Its first line says what happened; one of the next ones holds a command, or where to look."""
    run = sqlite_office.released(rows(2))
    for news in every(run.id, sqlite_office):
        first, *rest = news.text.splitlines()
        assert 20 < len(first) < 200
        assert re.search(r"smsengine \w+", "\n".join(rest)), news.key
        assert len(news.key) <= 100


def every(run_id: int, office: Office) -> list[News]:
    run, later = office.run(run_id), START + timedelta(hours=2)
    return [
        alarming.held(run),
        alarming.paused(run, times=1, by_person=False),
        alarming.paused(run, times=2, by_person=True),
        alarming.stuck(run, waiting=2, since=START),
        alarming.unknown(run, count=1, since=START),
        alarming.lane_paused("trial", "401"),
        alarming.breaker_open("trial", minutes=15),
        alarming.broken_job("c12-statement", "jobs/c12-statement.yaml:7: day: is missing.", later),
        alarming.not_reloaded("config.yaml:7: flihgts: is not a known key.", later),
        alarming.ledger_away(since=START, because="The ledger x cannot be used."),
        alarming.ledger_back(since=START, until=later),
        alarming.fenced("Nothing is sent: the ledger is older than this machine's work.", later),
    ]


def test_each_alarm_has_its_own_key(sqlite_office: Office) -> None:
    """One must not keep another one from being told."""
    found = [news.key for news in every(sqlite_office.released(rows(2)).id, sqlite_office)]
    assert len(found) == len(set(found))


def test_a_broken_job_is_told_once_a_day(sqlite_office: Office) -> None:
    """It is not sent until somebody mends it."""
    news = [alarming.broken_job("a", "broken", START + timedelta(hours=n)) for n in (0, 15, 16, 40)]
    with sqlite_office.store.write() as connection:
        assert [True, False, True, True] == [each.sound(connection, START) for each in news]
    assert Grade.WARNING is news[0].grade


def test_why_a_machine_sends_nothing_is_said_once() -> None:
    """The fence's own sentence begins like the alarm's."""
    for begins in ("Nothing is sent: ", "Nothing is sent from here: ", ""):
        said = alarming.fenced(f"{begins}the ledger was copied.", START).text
        assert "Nothing is sent from this machine: the ledger was copied." == said.splitlines()[0]
