"""The register of the shipped notices and of the samples of two offices, as docs/notices.md has it.

``python -m tests.docs.notices`` writes the page anew.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from smsengine.clock import ManualClock
from smsengine.service import approvals
from smsengine.service.bootstrap import Engine
from smsengine.service.people import acting
from smsengine.service.register import register_page
from smsengine.service.samples import with_last_day
from tests.docs.documents import ROOT

PAGE = ROOT / "docs" / "notices.md"
OFFICES = {"01-hanoi/dossier-result": "an", "79-ho-chi-minh/card-expiry": "hoa"}
NOW = datetime(2026, 11, 25, 1, tzinfo=UTC)


def installed(folder: Path, now: datetime) -> Engine:
    """The Centre's notices and those of two offices, in one installation of its own."""
    samples = ROOT / "samples" / "offices"
    for name in ("jobs", "templates"):
        shutil.copytree(ROOT / name, folder / name)
        shutil.copytree(samples / name, folder / name, dirs_exist_ok=True)
    for job in (folder / "jobs" / "provinces").glob("*/*.yaml"):
        job.write_text(with_last_day(job.read_text(encoding="utf-8"), now.date()), encoding="utf-8")
    text = (samples / "config.yaml").read_text(encoding="utf-8")
    simulated = "  simulated: {kind: simulated, prices: [{from: 2019-01-01, per_segment: 850}]}"
    config = folder / "config.yaml"
    config.write_text(text.replace("gateways:\n  file:", f"gateways:\n{simulated}\n  file:"))
    return Engine(config, clock=ManualClock(now))


def page(folder: Path, now: datetime = NOW) -> str:
    """The register after each office has handed in its notice, and the Centre has approved it."""
    engine = installed(folder, now)
    for name, person in OFFICES.items():
        submitter = acting(engine.settings, "submit", named=person, account="test")
        approver = acting(engine.settings, "approve", named="binh", account="test")
        approvals.submit(engine, name, submitter)
        approvals.approve(engine, approvals.waiting(engine, name), approver)
    written = register_page(engine).rstrip() + "\n"
    engine.store.close()
    return written


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(page(Path(name)), encoding="utf-8")
