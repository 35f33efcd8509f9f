"""What an office may not use is refused, in both languages, with file and line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from smsengine.config.job import LoadedJob, load_job
from smsengine.config.offices import Office
from smsengine.config.sources import SqlSource
from smsengine.governance import grants
from smsengine.provinces import MERGED_ON

JOB = """\
title: Hồ sơ
topic: dossier
schedule: {day: 10, at: "08:00"}
period: previous-month
source:
  kind: csv
  path: "dossier-{period}.csv"
columns:
  office: {from: ma_co_quan, type: code}
  code: {from: ma, type: code}
recipient:
  subject: code
  office: office
  phones: [dien_thoai]
expires: 2027-12-31
gateway: file
guards: {max_cost: 1.000}
"""
HANOI = Office(name="BHXH Hà Nội", gateways=("file",), daily=100)
DOSSIERS = SqlSource(kind="sql", url="sqlite:///x.db", query="select 1")
TODAY = date(2026, 11, 25)
Faults = Callable[..., list[tuple[str, str, str]]]


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    """What is wrong with a notice: rule, key, and the sentence in English."""

    def found(
        content: str = JOB,
        owner: str = "01-hanoi",
        *,
        offices: dict[str, Office] | None = None,
        today: date = TODAY,
    ) -> list[tuple[str, str, str]]:
        path = tmp_path / "jobs" / "provinces" / owner / "dossier.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        loaded: LoadedJob
        loaded, _ = load_job(
            path,
            jobs=tmp_path / "jobs",
            templates=tmp_path,
            data=tmp_path,
            sources={"dossiers": DOSSIERS},
        )
        granted = {"01-hanoi": HANOI} if offices is None else offices
        return [
            (rule, ".".join(map(str, where)), f"{what.en} {mend.en}")
            for rule, where, what, mend in grants.faults(loaded, granted, today)
        ]

    return found


def changed(old: str, new: str) -> str:
    assert old in JOB
    return JOB.replace(old, new)


def test_what_is_granted_is_good(faults: Faults) -> None:
    assert [] == faults()


@pytest.mark.parametrize(
    ("content", "rule", "key", "words"),
    [
        (changed("gateway: file", "gateway: dear"), "gateway", "gateway", "Use one of: file."),
        (
            changed('path: "dossier-{period}.csv"', "path: ../02-x/a.csv"),
            "path",
            "source.path",
            "leaves the office's folder",
        ),
        (
            changed('path: "dossier-{period}.csv"', "path: /etc/passwd"),
            "path",
            "source.path",
            "leaves the office's folder",
        ),
        (
            changed('path: "dossier-{period}.csv"', "path: 'a\\..\\b.csv'"),
            "path",
            "source.path",
            "leaves the office's folder",
        ),
        (
            changed(
                'kind: csv\n  path: "dossier-{period}.csv"', "kind: sql\n  url: x://\n  query: q"
            ),
            "sql",
            "source.kind",
            "reads files, and no database",
        ),
        (
            changed(
                "phones: [dien_thoai]",
                "contacts: {source: {kind: sql, url: 'x://', query: q}, subject: a, phones: [b]}",
            ),
            "sql",
            "recipient.contacts.source.kind",
            "reads files, and no database",
        ),
        (changed("  office: office\n", ""), "office-column", "recipient", "Lacks office"),
        (changed("expires: 2027-12-31\n", ""), "expires", "", "Lacks expires"),
        (JOB + "claims: [c12-*]\n", "claims", "claims", "Only the Centre"),
    ],
)
def test_what_is_not_granted(faults: Faults, content: str, rule: str, key: str, words: str) -> None:
    """Each rule finds what breaks it, and nothing else is found."""
    ((found, where, said),) = faults(content)
    assert (rule, key, True) == (found, where, words in said), said


def test_a_folder_that_nobody_granted(faults: Faults) -> None:
    ((rule, _, said),) = faults(owner="01-hanoy")
    assert ("office", True) == (rule, "granted nothing to the folder '01-hanoy'" in said)


def test_a_province_that_went_into_another(faults: Faults) -> None:
    """An abolished code says where it went; the day before it was good."""
    offices = {"06-bac-kan": HANOI}
    ((rule, _, said),) = faults(owner="06-bac-kan", offices=offices)
    assert ("office-code", True) == (rule, "06 Bắc Kạn is part of 19 Thái Nguyên" in said)
    assert [] == faults(owner="06-bac-kan", offices=offices, today=date(2025, 6, 30))
    assert 1 == len(faults(owner="06-bac-kan", offices=offices, today=MERGED_ON))


def test_two_folders_of_one_province(faults: Faults) -> None:
    ((rule, _, said),) = faults(offices={"01-hanoi": HANOI, "01-ha-noi": HANOI})
    assert ("office-code", True) == (rule, "two folders: 01-hanoi and 01-ha-noi" in said)


def test_no_such_province(faults: Faults) -> None:
    ((rule, _, said),) = faults(owner="99-x", offices={"99-x": HANOI})
    assert ("office-code", True) == (rule, "There is no province 99." in said)


def test_a_source_of_the_centre_that_is_granted(faults: Faults) -> None:
    """Named with kind shared; one that is not granted is refused, whatever it reads."""
    content = changed('kind: csv\n  path: "dossier-{period}.csv"', "kind: shared\n  name: dossiers")
    ((rule, where, said),) = faults(content)
    assert ("source", "source.name", True) == (rule, where, "'dossiers' is not granted" in said)
    granted = HANOI.model_copy(update={"sources": ("dossiers",)})
    assert [] == faults(content, offices={"01-hanoi": granted})
