"""The files that one notice is made of, each read once: what was looked at is what is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from smsengine.errors import ConfigError


class Role(StrEnum):
    """What a file is to its notice."""

    JOB = "job"
    TEMPLATE = "template"
    REGISTERED = "registered"
    #: of the texts that tell a phone of many subjects
    MERGED_TEMPLATE = "merged-template"
    MERGED_REGISTERED = "merged-registered"


class Files:
    """Reads files from the disk and remembers their texts, or has them from before.

    A line's end counts as it stands: texts that differ in one byte have different hashes.
    """

    def __init__(self, kept: Mapping[Role, str] | None = None) -> None:
        """Begin.

        Args:
            kept: texts that stand for the files, whatever is on the disk now; None to read them.
        """
        self._kept = kept
        self._read: dict[Role, str] = dict(kept or {})

    @property
    def texts(self) -> Mapping[Role, str]:
        """What was read, by its role."""
        return self._read

    def text(self, role: Role, path: Path) -> str:
        """The text of a file.

        Raises:
            ConfigError: it cannot be read, or is not UTF-8.
        """
        if role not in self._read:
            if self._kept is not None:
                raise ConfigError(f"{path}: is not among the files that were kept of this notice.")
            self._read[role] = read_text(path)
        return self._read[role]

    def anew(self) -> Files:
        """The same notice, with all but the job read anew from the disk; what is kept stays."""
        return self if self._kept is not None else Files.of_job(self._read[Role.JOB])

    @classmethod
    def of_job(cls, text: str) -> Files:
        """A notice of which only the job's text was read."""
        files = cls()
        files._read[Role.JOB] = text
        return files

    def hash_of(self, role: Role) -> str:
        """SHA-256 of a text that was read, in hexadecimal; empty where there is none."""
        text = self._read.get(role)
        return "" if text is None else hashlib.sha256(text.encode()).hexdigest()

    @property
    def content_hash(self) -> str:
        """SHA-256 of all texts that were read, with their roles, in hexadecimal."""
        written = json.dumps(self._read, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()


def read_text(path: Path) -> str:
    """The text of a file, with its line ends as they stand.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8."
        ) from error
