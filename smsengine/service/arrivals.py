"""Whether an extract has arrived whole: a file that still grows is not read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from smsengine.clock import Clock
from smsengine.config.job import FileSource, LoadedJob, SourceSettings, inside_folder
from smsengine.errors import AbsentExtractError
from smsengine.period import Period

#: Size and time of change of each file, by its path.
Signature = tuple[tuple[str, int, int], ...]

#: A file that has not changed for so long has arrived.
_QUIET_SECONDS = 60.0
#: So has one that was the same all the time between two looks that lie so far apart.
_APART_SECONDS = 20.0


class Arrivals:
    """Looks at extracts again and again, and remembers since when they are as they are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, Period], tuple[Signature, float]] = {}

    def look(self, loaded: LoadedJob, period: Period) -> Signature | None:
        """What has arrived; nothing of what is not there at all, and None while it still grows."""
        found, now = signature(loaded, period), self._clock.monotonic()
        before, since = self._seen.get((loaded.name, period), (None, now))
        if found != before:
            since = now
        self._seen[loaded.name, period] = (found, since)
        is_still = now - since >= _APART_SECONDS
        return found if is_still or is_quiet(found, self._clock.now()) else None

    def forget(self, job: str, period: Period) -> None:
        """Nobody waits for it any more."""
        self._seen.pop((job, period), None)


def is_quiet(found: Signature, now: datetime) -> bool:
    """Say whether no file has changed for a while."""
    return all(now.timestamp() - changed / 1e9 >= _QUIET_SECONDS for _, _, changed in found)


def require_unchanged(loaded: LoadedJob, period: Period, before: Signature) -> None:
    """Make sure that what was read is what had arrived.

    Raises:
        AbsentExtractError: it was written meanwhile.
    """
    if signature(loaded, period) != before:
        raise AbsentExtractError("The extract was changed while it was read; it is read anew.")


def signature(loaded: LoadedJob, period: Period) -> Signature:
    """What the files of an extract look like now.

    Raises:
        ConfigError: a path leaves its folder.
    """
    found = []
    for path in sorted(_files(loaded, period)):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _files(loaded: LoadedJob, period: Period) -> Iterator[Path]:
    job = loaded.job
    contacts = job.recipient.contacts
    sources: list[SourceSettings] = [job.source, *([contacts.source] if contacts else [])]
    for source in sources:
        if isinstance(source, FileSource):
            path = inside_folder(loaded.data_folder, source.path.replace("{period}", str(period)))
            yield from path.parent.glob(path.name) if "*" in path.name else [path]
