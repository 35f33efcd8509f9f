"""The files of a notice: read once, byte for byte, and the same for whoever asks again."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsengine.config.files import Files, Role, read_text
from smsengine.errors import ConfigError


def test_a_file_in_another_charset_is_refused(tmp_path: Path) -> None:
    """A template saved in an old charset is told with its byte."""
    path = tmp_path / "t.j2"
    path.write_bytes(b"K\xddnh g\xf6i")
    with pytest.raises(ConfigError, match="is not UTF-8 at byte 1; save it as UTF-8"):
        read_text(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A template that is not there is named."""
    with pytest.raises(ConfigError, match=r"t\.j2: cannot be read \(No such file"):
        read_text(tmp_path / "t.j2")


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """What was looked at is what is used, even if the file has changed since."""
    path = tmp_path / "t.j2"
    path.write_text("one")
    files = Files()
    before = files.text(Role.TEMPLATE, path), files.content_hash
    path.write_text("two")
    assert before == (files.text(Role.TEMPLATE, path), files.content_hash)


@pytest.mark.parametrize("changed", [b"a\r\n", b"a", b"a \n", b"\xef\xbb\xbfa\n"])
def test_one_byte_makes_another_hash(tmp_path: Path, changed: bytes) -> None:
    """Line ends, blanks and marks count, though some of them leave no trace in a text."""
    path, hashes = tmp_path / "t.j2", set()
    for content in (b"a\n", changed):
        path.write_bytes(content)
        files = Files()
        files.text(Role.TEMPLATE, path)
        hashes.add((files.content_hash, files.hash_of(Role.TEMPLATE)))
    assert 2 == len(hashes)


def test_the_role_of_a_text_counts(tmp_path: Path) -> None:
    """The same text as a job and as a template are two notices."""
    assert Files({Role.JOB: "a"}).content_hash != Files({Role.TEMPLATE: "a"}).content_hash


def test_what_is_kept_is_not_read_from_the_disk(tmp_path: Path) -> None:
    """An approved text stands, whatever the file says; and nothing else is taken from the disk."""
    path = tmp_path / "t.j2"
    path.write_text("changed")
    files = Files({Role.TEMPLATE: "kept"}).anew()
    assert "kept" == files.text(Role.TEMPLATE, path)
    with pytest.raises(ConfigError, match="is not among the files that were kept"):
        files.text(Role.REGISTERED, path)


def test_anew_only_the_job_stays(tmp_path: Path) -> None:
    """A template that was mended is used; the job is the one that was loaded."""
    job, template = tmp_path / "x.yaml", tmp_path / "x.j2"
    for path in (job, template):
        path.write_text("one")
    files = Files()
    assert "oneone" == files.text(Role.JOB, job) + files.text(Role.TEMPLATE, template)
    for path in (job, template):
        path.write_text("two")
    again = files.anew()
    assert "onetwo" == again.text(Role.JOB, job) + again.text(Role.TEMPLATE, template)
