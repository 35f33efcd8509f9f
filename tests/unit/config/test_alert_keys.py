"""``alerts:`` is checked where it is written: each fault names its line, no secret stands there."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from smsengine.config.alerts import AlertSettings
from smsengine.config.settings import load_settings
from smsengine.errors import ConfigError
from smsengine.lifecycle import Grade

CONFIG = """\
gateways:
  one: {kind: file, path: one.jsonl, prices: [{from: 2019-01-01, per_segment: 850}]}
"""
MAIL = "sender: smsengine@example.vn, to: [truc@example.vn]"


def alerts(folder: Path, written: str = "") -> AlertSettings:
    """A configuration with these lines below ``alerts:``, which stands in line 3."""
    path = folder / "config.yaml"
    lines = "".join(f"  {line}\n" for line in written.splitlines())
    path.write_text(CONFIG + (f"alerts:\n{lines}" if written else ""), encoding="utf-8")
    return load_settings(path)[0].alerts


def test_without_a_word_nobody_is_told_but_the_hours_are_known(tmp_path: Path) -> None:
    """A small installation needs no block at all."""
    found = alerts(tmp_path)
    assert (None, None, None) == (found.smtp, found.webhook, found.ping)
    assert (time(7), timedelta(hours=6)) == (found.morning, found.unknown_after)
    assert (Grade.WARNING, "smsengine") == (found.least, found.name)


def test_a_whole_block_is_read(tmp_path: Path) -> None:
    """Names may be Vietnamese, and secrets stay names of secrets."""
    found = alerts(
        tmp_path,
        "name: Thông báo BHXH\n"
        f"smtp: {{host: mail.example.vn, user: u, password: '${{MAIL}}', {MAIL}}}\n"
        "webhook: {url: 'https://chat.example.vn/hook', headers: {Authorization: 'file:token'}}\n"
        "ping: {url: 'credential:ping', every: 10 minutes}\n"
        "morning: 06:30\n"
        "least: urgent\n"
        "unknown_after: 1 days",
    )
    assert found.smtp is not None
    assert found.webhook is not None
    assert found.ping is not None
    assert ("${MAIL}", 587) == (found.smtp.password, found.smtp.known_port)
    assert {"Authorization": "file:token"} == found.webhook.headers
    assert timedelta(minutes=10) == found.ping.every
    assert (time(6, 30), Grade.URGENT) == (found.morning, found.least)


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_follows_from_the_security(tmp_path: Path, security: str, port: int) -> None:
    """Nobody looks up what every mail server listens on."""
    found = alerts(tmp_path, f"smtp: {{host: mail.example.vn, security: {security}, {MAIL}}}").smtp
    assert found is not None
    assert port == found.known_port


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mail: x", "4: alerts.mail: is not a known key"),
        ("least: low", "4: alerts.least: is 'low'; it must be"),
        ("morning: 7 o'clock", '4: alerts.morning: is "7 o\'clock"; write the hour as 07:00.'),
        ("morning: 24:00", "4: alerts.morning: is '24:00'"),
        ("unknown_after: soon", "4: alerts.unknown_after: is 'soon'; write a time"),
        ('name: "a\\nb"', "4: alerts.name: must be one line"),
        ("smtp: {host: m, to: [a@b.vn]}", "4: alerts.smtp.sender: is missing."),
        ("smtp:\n  host: m\n  to: []\n  sender: a@b.vn", "6: alerts.smtp.to: "),
        ("smtp:\n  host: m\n  sender: a@b.vn\n  to:\n    - nobody", "8: alerts.smtp.to.0: is 'no"),
        ("smtp: {host: 'm x', " + MAIL + "}", "4: alerts.smtp.host: is 'm x'; write the server"),
        ("smtp: {host: m, port: 70000, " + MAIL + "}", "4: alerts.smtp.port: is '70000'"),
        ("smtp: {host: m, security: ssl, " + MAIL + "}", "4: alerts.smtp.security: is 'ssl'"),
        ("smtp: {host: m, user: u, " + MAIL + "}", "4: alerts.smtp: needs user and password"),
        (
            "smtp: {host: m, user: u, password: hunter2, " + MAIL + "}",
            "4: alerts.smtp.password: a secret must not stand here",
        ),
        (
            "smtp: {host: m, security: none, user: u, password: '${P}', " + MAIL + "}",
            "4: alerts.smtp: must not send a password that all can read",
        ),
        ("webhook: {url: 'ftp://example.vn'}", "4: alerts.webhook.url: must be a URL"),
        ("webhook: {url: 'https://u:p@example.vn'}", "4: alerts.webhook.url: must be a URL"),
        ("ping: {url: 'https://example.vn:99999/x'}", "4: alerts.ping.url: must be a URL"),
        (
            "webhook:\n  url: https://example.vn\n  headers: {Authorization: Bearer x}",
            "6: alerts.webhook.headers: has Authorization, which is a secret",
        ),
        (
            "webhook: {url: 'https://example.vn', headers: {'X Y': a}}",
            "4: alerts.webhook.headers: has 'X Y', which cannot be sent",
        ),
    ],
)
def test_a_fault_names_its_line_and_what_was_expected(
    tmp_path: Path, written: str, said: str
) -> None:
    """Whoever wrote it finds it; and never is a way to be told silently left out."""
    with pytest.raises(ConfigError) as error:
        alerts(tmp_path, written)
    assert f"config.yaml:{said}" in str(error.value)


def test_a_fault_does_not_repeat_a_password(tmp_path: Path) -> None:
    """The sentence goes to screens and logs."""
    with pytest.raises(ConfigError) as error:
        alerts(tmp_path, "smtp: {host: m, user: u, password: hunter2, " + MAIL + "}")
    assert "hunter2" not in str(error.value)
