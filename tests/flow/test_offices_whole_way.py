"""The samples of two offices go the whole way, as their people and the Centre's would do it."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from smsengine.clock import VIETNAM
from smsengine.service import samples
from tests.flow.conftest import ROOT, Office
from tests.flow.zygote import Victims

OFFICES = [
    ("01-hanoi/dossier-result", "an", "2026-11-24", 2, {"other-office": 1, "no-phone": 1}),
    ("79-ho-chi-minh/card-expiry", "hoa", "2026-11", 2, {"other-office": 1}),
]


@pytest.fixture
def province(tmp_path: Path, victims: Victims) -> Office:
    """The sample installation of two offices, beside the Centre's notices."""
    folder = tmp_path / "offices"
    shutil.copytree(ROOT / "samples" / "offices", folder)
    config = folder / "config.yaml"  # it may be night
    config.write_text(config.read_text().replace("window: 07:30-20:30\n", ""))
    for job in folder.glob("jobs/provinces/*/*.yaml"):
        today = datetime.now(VIETNAM).date()
        job.write_text(samples.with_last_day(job.read_text(), today))
    return Office(folder, victims)


def outbox(province: Office) -> list[str]:
    path = province.folder / "outbox" / "messages.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["text"] for line in lines]


@pytest.mark.parametrize(("job", "person", "period", "texts", "skips"), OFFICES)
def test_from_the_check_to_the_register(
    province: Office, job: str, person: str, period: str, texts: int, skips: dict[str, int]
) -> None:
    """Checked, handed in, approved by somebody else, sent, and in the register."""
    assert 0 == province.run("jobs", "check", job).returncode
    assert 3 == province.run("send", job, "--period", period).returncode
    assert 0 == province.run("jobs", "submit", job, "--as", person).returncode
    refused = province.run("jobs", "approve", job, "--yes", "--as", person)
    assert (3, True) == (refused.returncode, f"{person} may not approve" in refused.stderr)
    assert 0 == province.run("jobs", "approve", job, "--yes", "--as", "binh").returncode
    done = province.json("send", job, "--period", period)[0]
    assert (texts, sum(skips.values())) == (done["messages"], done["skips"])
    assert texts == len(outbox(province))
    assert all(text.startswith("BHXH TP") for text in outbox(province))
    (version,) = province.json("jobs", "history", job)
    assert ("approved", person, "binh") == (
        version["state"],
        version["submitted_by"],
        version["decided_by"],
    )
    assert f"v1, handed in by {person}, approved by binh" in province.run("jobs", "register").stdout
    assert 0 == province.run("audit", "verify").returncode
    assert 0 == province.run("db", "check").returncode


def test_an_edited_notice_waits_for_its_approval(province: Office) -> None:
    """What runs is what was approved; the edit is shown, approved, and then runs."""
    job, person, period, *_ = OFFICES[0]
    province.run("jobs", "submit", job, "--as", person)
    province.run("jobs", "approve", job, "--yes")
    assert 0 == province.run("jobs", "diff", job).returncode
    template = province.folder / "templates" / "provinces" / f"{job}.j2"
    template.write_text(template.read_text().replace("mời ông/bà", "kính mời ông/bà"))
    changed = province.run("jobs", "diff", job)
    assert (1, True) == (changed.returncode, "+BHXH TP Hà Nội kính mời" in changed.stdout)
    province.run("send", job, "--period", period, "--only", "HS-2026-0000101")
    assert ["BHXH TP Ha Noi moi"] == [text[:18] for text in outbox(province)]
    province.run("jobs", "submit", job, "--as", person)
    province.run("jobs", "approve", job, "--yes")
    province.run("send", job, "--period", period)
    assert ["BHXH TP Ha Noi moi", "BHXH TP Ha Noi kin"] == [text[:18] for text in outbox(province)]
    states = [version["state"] for version in province.json("jobs", "history", job)]
    assert ["replaced", "approved"] == states


def test_rejected_and_withdrawn(province: Office) -> None:
    """A rejection needs its reason; what is withdrawn is not sent."""
    job, person, period, *_ = OFFICES[1]
    province.run("jobs", "submit", job, "--as", person)
    assert 2 == province.run("jobs", "reject", job, "--reason", " ").returncode
    assert 0 == province.run("jobs", "reject", job, "--reason", "too long").returncode
    nothing = province.run("jobs", "approve", job, "--yes")
    assert (2, True) == (nothing.returncode, "does not wait for a decision" in nothing.stderr)
    province.run("jobs", "submit", job, "--as", person)
    province.run("jobs", "approve", job, "--yes")
    gone = province.run("jobs", "withdraw", job, "--reason", "no more", "--as", person)
    assert (0, True) == (gone.returncode, "is withdrawn" in gone.stdout), gone.stderr
    assert 3 == province.run("send", job, "--period", period).returncode
    assert [] == outbox(province)


def test_a_trial_goes_to_the_offices_own_phone(province: Office) -> None:
    """Before anybody has approved anything; and to nobody else."""
    job = OFFICES[0][0]
    tried = province.run("send", job, "--trial")
    assert (0, True) == (tried.returncode, "longest to 090***0009: accepted" in tried.stdout)
    assert ["TIN THU: BHXH TP Ha Noi moi"] == [text[:27] for text in outbox(province)]
    refused = province.run("send", job, "--trial", "--to", "0900000001")
    assert (2, True) == (refused.returncode, "none of the office's own phones" in refused.stderr)
