"""The keys ``web`` and ``log`` of ``config.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from smsengine.config.settings import Settings, load_settings
from smsengine.errors import ConfigError

GATEWAY = "gateways: {t: {kind: file, path: o, prices: [{from: 2019-01-01, per_segment: 1}]}}\n"
Loaded = Callable[[str], Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    def load(keys: str) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_text(GATEWAY + keys, encoding="utf-8")
        return load_settings(path)[0]

    return load


def test_the_daemon_answers_on_this_machine_only(loaded: Loaded) -> None:
    """Unless somebody says otherwise."""
    settings = loaded("")
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8320)
    assert (settings.log.level, settings.log.form) == ("info", "auto")


def test_both_can_be_said(loaded: Loaded) -> None:
    """In the words of the page."""
    settings = loaded("web: {host: 10.1.2.3, port: 9000}\nlog: {level: warning, form: json}\n")
    assert (settings.web.host, settings.web.port) == ("10.1.2.3", 9000)
    assert (settings.log.level, settings.log.form) == ("warning", "json")


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ("web: {port: 70000}", "config.yaml:2: web.port: "),
        ("web: {port: http}", "config.yaml:2: web.port: "),
        ("web: {path: /x}", "config.yaml:2: web.path: "),
        ("log: {level: loud}", "config.yaml:2: log.level: "),
        ("log: {form: xml}", "config.yaml:2: log.form: "),
    ],
)
def test_what_cannot_be_is_refused_by_line(loaded: Loaded, keys: str, where: str) -> None:
    """With the file, the line and the key."""
    with pytest.raises(ConfigError) as caught:
        loaded(keys + "\n")
    assert where in str(caught.value)
