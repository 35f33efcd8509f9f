"""The keys of daily tables: what is wrong is said with its line, and nothing is guessed."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from smsengine.config.payments import PaymentSettings
from smsengine.config.settings import load_settings
from smsengine.errors import ConfigError
from smsengine.lifecycle import DeliveryWay

CONFIG = """\
gateways:
  trial: {kind: file, path: t.jsonl, prices: [{from: 2019-01-01, per_segment: 850}]}
  mail: {kind: email, prices: [{from: 2019-01-01, per_segment: 0}]}
payments:
"""
ONE = '  organisations: {AR0013M: {name: n, office: "00101", deliver: [%s]}}\n'
COLUMNS = "  table: {columns: [%s]}\n"


def loaded(tmp_path: Path, more: str) -> PaymentSettings:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + more, encoding="utf-8")
    return load_settings(path)[0].payments


def refused(tmp_path: Path, more: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, more)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_without_a_word_it_is_the_working_layout(tmp_path: Path) -> None:
    """Columns from the letter and from the fund's interface, and the hours that fit eight."""
    table = loaded(tmp_path, ONE % "").table
    assert (time(0, 30), time(7), time(7, 45)) == (table.at, table.again, table.alarm)
    held = [column.holds for column in table.columns]
    assert ["number", "code", "name", "insurance-number", "type", "paid-on", "amount"] == held[:7]
    assert 13 == len(held)


def test_each_way_says_where_it_leads(tmp_path: Path) -> None:
    """By what stands in the ledger beside a table."""
    sftp = "{kind: sftp, host: h.vn, user: u, password: 'file:p', known_hosts: k, folder: in}"
    ways = f"{{kind: folder, path: there}}, {{kind: email, to: a@b.vn}}, {sftp}"
    settings = loaded(tmp_path, ONE % ways + "  table: {mail: mail}\n")
    found = settings.organisations["AR0013M"].deliver
    assert ["there", "a@b.vn", "u@h.vn:22/in"] == [way.target for way in found]
    assert [*DeliveryWay] == [DeliveryWay(way.kind) for way in found]


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("{kind: fax}", "kind: is 'fax'; it must be 'folder', 'email', 'sftp'."),
        ("{kind: email, to: a@b.vn}", "deliver.0: goes by mail; name a gateway"),
        ("{kind: email, to: nobody}", "deliver.0.to: is 'nobody'; write an address"),
        ("{kind: sftp, host: h, user: u, known_hosts: k}", "needs a key or a password"),
        ("{kind: sftp, host: h, user: u, key: 'file:k'}", "known_hosts: is missing."),
        (
            "{kind: sftp, host: h, user: u, password: secret, known_hosts: k}",
            "a secret must not stand here",
        ),
        (
            "{kind: sftp, host: h, user: u, key: 'file:k', known_hosts: k, folder: ../x}",
            "name a folder without '..'",
        ),
        ("{kind: sftp, host: 'h h', user: u, key: 'file:k', known_hosts: k}", "host: is 'h h'"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused(tmp_path: Path, way: str, said: str) -> None:
    """Also a server whose key nobody knows, and a secret that all can read."""
    sentence = refused(tmp_path, ONE % way)
    assert sentence.startswith("config.yaml:5: payments.organisations.AR0013M.deliver.0")
    assert said in sentence


@pytest.mark.parametrize(
    "columns",
    [
        "{title: a, holds: code}",
        "{title: a, holds: amount}",
        "{title: a, holds: amount}, {title: b, holds: code}",
        "{title: a, holds: code}, {title: b, holds: amount}, {title: c, holds: amount}",
        "{title: a, holds: phone}, {title: b, holds: amount}",
    ],
)
def test_a_table_without_codes_or_one_amount_is_refused(tmp_path: Path, columns: str) -> None:
    """Nobody could compare it with anything."""
    assert "payments.table.columns" in refused(tmp_path, COLUMNS % columns)


@pytest.mark.parametrize("mail", ["trial", "nowhere"])
def test_mails_need_a_gateway_for_mails(tmp_path: Path, mail: str) -> None:
    """Others cannot carry a file."""
    said = f"payments.table.mail: is '{mail}'; gateways of kind email are: mail."
    assert said in refused(tmp_path, f"  table: {{mail: {mail}}}\n")
