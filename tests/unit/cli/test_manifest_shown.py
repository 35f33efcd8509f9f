"""The manifest as people read it, with prices by network, and as it was written before them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from smsengine.cli.show import show_manifest
from smsengine.planning.manifest import Prices
from smsengine.store.runs import Run
from tests.conftest import Office, row


@pytest.fixture
def run(sqlite_office: Office) -> Run:
    """A run to two networks, one of them dearer."""
    given = [row(2, cell="0961234567"), row(3, cell="0912345678")]
    return sqlite_office.planned(given, prices=Prices(others=850, networks={"Viettel": 1000}))


def test_a_network_with_its_own_price_has_a_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever approves sees what makes the run dear."""
    show_manifest(run)
    shown = capsys.readouterr().out
    assert "segments to Viettel, 1.000 dong each" in shown
    assert "VinaPhone" not in shown


def test_a_manifest_without_networks_is_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that were sealed by an earlier version stay readable."""
    new = {"segments_by_network", "prices_by_network", "registered_hash"}
    facts = {name: value for name, value in json.loads(run.manifest).items() if name not in new}
    show_manifest(replace(run, manifest=json.dumps(facts)))
    shown = capsys.readouterr().out
    assert "1.850" in shown
    assert "segments to" not in shown
