"""Keys of upkeep: how long personal data stays, and where backups go."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from smsengine.config.settings import Settings, load_settings
from smsengine.config.upkeep import Age
from smsengine.errors import ConfigError

GATEWAY = """\
gateways:
  one: {kind: file, path: one.jsonl, prices: [{from: 2019-01-01, per_segment: 850}]}
"""


def settings(folder: Path, rest: str = "") -> Settings:
    path = folder / "config.yaml"
    path.write_text(GATEWAY + rest, encoding="utf-8")
    return load_settings(path)[0]


def test_without_a_word_data_goes_and_no_backup_is_made(tmp_path: Path) -> None:
    """Ninety days are enough to answer questions; where backups go must be said."""
    read = settings(tmp_path)
    assert (Age(days=90), Age(days=90), Age(days=30)) == (
        read.retention.texts,
        read.retention.skips,
        read.retention.exchanges,
    )
    assert (None, time(2, 30), 14) == (read.backup.folder, read.backup.hour, read.backup.keep)


def test_all_keys_are_read(tmp_path: Path) -> None:
    """A relative folder starts at the folder of the file."""
    read = settings(
        tmp_path,
        "retention: {texts: forever, skips: 10 days, exchanges: 1 day}\n"
        'backup: {folder: safe, at: "23:05", keep: 3}\n',
    )
    assert ("forever", "10 days", "1 days") == (
        str(read.retention.texts),
        str(read.retention.skips),
        str(read.retention.exchanges),
    )
    assert (tmp_path / "safe", time(23, 5), 3) == (
        read.backup.folder,
        read.backup.hour,
        read.backup.keep,
    )


def test_what_is_kept_for_ever_is_never_old() -> None:
    """An age is counted back from the present."""
    now = datetime(2019, 6, 11, tzinfo=UTC)
    assert (None, datetime(2019, 6, 1, tzinfo=UTC)) == (
        Age(days=None).before(now),
        Age(days=10).before(now),
    )


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("retention: {texts: 90}\n", "3: retention.texts: is '90'; write the days, such as 90 d"),
        ("retention: {texts: never}\n", "3: retention.texts: is 'never'; write the days"),
        ("retention: {text: 9 days}\n", "3: retention.text: is not a known key"),
        ('backup: {at: "25:00"}\n', "3: backup.at: is '25:00'; write the hour as 02:30."),
        ("backup: {keep: 0}\n", "3: backup.keep: is '0'"),
    ],
)
def test_a_slip_of_the_pen_is_refused(tmp_path: Path, rest: str, said: str) -> None:
    """Nothing is purged, and no backup lost, by a key that was misread."""
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, rest)
    assert str(error.value).partition("config.yaml:")[2].startswith(said)
