"""What a machine remembers of the ledger that it works on, in a small file beside the journals.

The file ``member`` in the folder of the flight journals holds which ledger it is, this machine's
own name in it, and how often it has reported there. The ledger's count is written first, so that
it is never lower than the file's, unless the ledger is an older copy.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from smsengine.clock import Clock
from smsengine.errors import StoreAwayError

_FILE = "member"
_LOCK = "member.lock"
#: How long another process of this machine may take to report.
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What stands in the file.

    ``folder`` is the folder's own number on its disk: a copy of the folder has another one.
    """

    uid: str
    token: str
    beats: int
    folder: int


class Standing(StrEnum):
    """How a machine stands to a ledger."""

    #: it has worked on it, and all that it did is in it
    OWN = "own"
    #: nobody has worked on it yet
    NEW = "new"
    #: others have worked on it, this machine has not; or it was copied here
    STRANGER = "stranger"
    #: this machine has worked on it since it was copied
    OLDER = "older"
    #: this machine works on another ledger
    FOREIGN = "foreign"


def judge(mine: Membership | None, *, uid: str, folder: int, beats: Mapping[str, int]) -> Standing:
    """Compare what a machine remembers with a ledger, which counts ``beats`` of each machine."""
    if mine is None or (mine.token not in beats and not mine.beats):
        return Standing.STRANGER if beats else Standing.NEW
    if mine.uid != uid:
        return Standing.FOREIGN
    if mine.folder != folder:
        return Standing.STRANGER
    return Standing.OLDER if beats.get(mine.token, 0) < mine.beats else Standing.OWN


def read(folder: Path) -> Membership | None:
    """What this machine remembers; None when there is nothing, or nothing that makes sense."""
    try:
        return Membership(**json.loads((folder / _FILE).read_text(encoding="ascii")))
    except (FileNotFoundError, NotADirectoryError, TypeError, ValueError):
        return None


def write(folder: Path, mine: Membership) -> None:
    """Remember something for good: after a power cut the file holds either the old or the new.

    Raises:
        OSError: the folder cannot be written; what was remembered before stays.
    """
    new = folder / f"{_FILE}.new"
    with new.open("w", encoding="ascii") as file:
        json.dump(asdict(mine), file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / _FILE)
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def number_of(folder: Path) -> int:
    """The folder's own number on its disk; 0 while there is no folder."""
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return 0


@contextmanager
def alone(folder: Path, clock: Clock) -> Iterator[None]:
    """Be the only process of this machine that reads and writes the file; makes the folder.

    Raises:
        StoreAwayError: another process does not come to an end with it.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = clock.monotonic() + _PATIENCE_SECONDS
        while not _locked(lock):
            if clock.monotonic() >= until:
                raise StoreAwayError(f"Another process holds {folder / _LOCK}; try again.")
            clock.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
