"""The flight journal: which messages a process was about to hand over.

An append-only local file records each message just before its bytes are written. When the process
is gone, a message that it held and that is not in its journal surely never left. A journal proves
this only while the machine has not been started anew: what a power cut took from the file is not
known.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_ENTRY = struct.Struct("<qi")
_SUFFIX = ".flights"
#: Beyond this size a journal is emptied as soon as nothing is under way.
_LARGE_BYTES = 1_000_000

#: A message's id and the number of its hand-over.
Flight = tuple[int, int]


def _boot() -> bytes:
    """What tells this start of the machine from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()


class FlightJournal:
    """The journal of this process; several threads may write."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{worker}{_SUFFIX}"
        # A file of this name can only be our own: the name holds our start time.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)
        self._header = _boot() + b"\n"
        self._lock = threading.Lock()
        if os.fstat(self._file).st_size < len(self._header):
            os.ftruncate(self._file, 0)
            os.write(self._file, self._header)

    def record(self, flights: Iterable[Flight]) -> None:
        """Write down messages whose first byte leaves next.

        Raises:
            OSError: the disk is full; nothing may leave.
        """
        entries = b"".join(_ENTRY.pack(*flight) for flight in flights)
        # One call to the kernel: with many threads each costs a turn of milliseconds.
        with self._lock:
            written = os.write(self._file, entries)
            if written != len(entries):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def all_landed(self) -> None:
        """Nothing is under way: a long journal may begin anew."""
        with self._lock:
            if os.fstat(self._file).st_size > _LARGE_BYTES:
                os.ftruncate(self._file, len(self._header))

    def close(self) -> None:
        """Let go of the file, which stays until nobody needs its proof."""
        os.close(self._file)


def departed(folder: Path, worker: str) -> frozenset[Flight] | None:
    """What a worker that is gone was about to hand over.

    Returns:
        Its flights; None where its journal proves nothing: it is not here, or is from before the
        machine's last start.
    """
    try:
        content = (folder / f"{worker}{_SUFFIX}").read_bytes()
    except OSError:
        return None
    boot, line_end, entries = content.partition(b"\n")
    if boot != _boot() or not line_end:
        return None
    # A torn last entry: the process died while writing it, so its bytes never left.
    whole = len(entries) - len(entries) % _ENTRY.size
    return frozenset(_ENTRY.iter_unpack(entries[:whole]))


def forget(folder: Path, workers: Iterable[str]) -> None:
    """Remove journals whose proof nobody needs any more."""
    for worker in workers:
        (folder / f"{worker}{_SUFFIX}").unlink(missing_ok=True)


def untouched_since(folder: Path, before: datetime) -> list[str]:
    """Whose journals nothing was written to since an instant."""
    found = []
    for worker in workers(folder):
        with suppress(FileNotFoundError):
            if (folder / f"{worker}{_SUFFIX}").stat().st_mtime < before.timestamp():
                found.append(worker)
    return found


def workers(folder: Path) -> list[str]:
    """Whose journals are there."""
    return [path.name.removesuffix(_SUFFIX) for path in sorted(folder.glob(f"*{_SUFFIX}"))]
