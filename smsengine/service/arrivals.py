"""Whether an extract has arrived whole: a file that still grows is not read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from smsengine.clock import Clock
from smsengine.config.job import LoadedJob
from smsengine.config.job_places import inside_folder
from smsengine.config.sources import FileSource, SourceSettings
from smsengine.errors import AbsentExtractError
from smsengine.period import Period
from smsengine.store.runs import Run

#: Size and time of change of each file, by its path.
Signature = tuple[tuple[str, int, int], ...]

#: A file that has not changed for so long has arrived.
_QUIET_SECONDS = 60.0
#: So has one that was the same all the time between two looks that lie so far apart.
_APART_SECONDS = 20.0
#: One that changes for longer than this is waited for like one that is not there.
_LONG_SECONDS = 600.0


class Arrivals:
    """Looks at extracts again and again, and remembers since when they are as they are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, Period], tuple[Signature, float]] = {}
        # Since when each is waited for.
        self._began: dict[tuple[str, Period], float] = {}

    def look(self, loaded: LoadedJob, period: Period) -> Signature | None:
        """What has arrived; nothing of what is not there at all, and None while it still grows.

        Raises:
            AbsentExtractError: it has been growing for long.
        """
        key = (loaded.name, period)
        found, now = signature(loaded, period), self._clock.monotonic()
        before, since = self._seen.get(key, (None, now))
        if found != before:
            since = now
        self._seen[key] = (found, since)
        if now - since >= _APART_SECONDS or is_quiet(found, self._clock.now()):
            self._began.pop(key, None)
            return found
        if now - self._began.setdefault(key, now) < _LONG_SECONDS:
            return None
        raise AbsentExtractError(
            "The extract changes all the time; it is read when it has been the same for a minute."
        )

    def forget(self, job: str, period: Period) -> None:
        """Nobody waits for it any more."""
        self._seen.pop((job, period), None)
        self._began.pop((job, period), None)


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


def require_new(loaded: LoadedJob, period: Period, last: Run | None) -> None:
    """Make sure that an extract whose name tells no period is not the one of the last run.

    Raises:
        AbsentExtractError: it has not been written since.
    """
    source = loaded.job.source
    if last is None or last.sealed_at is None or not isinstance(source, FileSource):
        return
    if "{period}" in source.path:
        return
    changed = [found for _, _, found in _signature(_paths(loaded, source, period))]
    if changed and max(changed) / 1e9 <= last.sealed_at.timestamp():
        raise AbsentExtractError(
            f"{source.path} has not changed since it was read for {last.label}; the extract of"
            f" {period} is waited for."
        )


def signature(loaded: LoadedJob, period: Period) -> Signature:
    """What the files of an extract look like now.

    Raises:
        ConfigError: a path leaves its folder.
    """
    contacts = loaded.job.recipient.contacts
    sources: list[SourceSettings] = [loaded.job.source, *([contacts.source] if contacts else [])]
    files = [each for each in sources if isinstance(each, FileSource)]
    return _signature(path for source in files for path in _paths(loaded, source, period))


def _signature(paths: Iterable[Path]) -> Signature:
    found = []
    for path in sorted(paths):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _paths(loaded: LoadedJob, source: FileSource, period: Period) -> Iterable[Path]:
    path = inside_folder(loaded.folder_of(source), source.path.replace("{period}", str(period)))
    return path.parent.glob(path.name) if "*" in path.name else [path]
