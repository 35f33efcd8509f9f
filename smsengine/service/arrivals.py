"""Whether an extract has arrived whole: a file that still grows is not read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from smsengine.config.job import FileSource, LoadedJob, SourceSettings, inside_folder
from smsengine.period import Period

#: Size and time of change of each file, by its path.
Signature = tuple[tuple[str, int, int], ...]


#: A file that has not changed for so long has arrived.
_QUIET_SECONDS = 60.0


def is_quiet(found: Signature, now: datetime) -> bool:
    """Say whether no file has changed for a while."""
    return all(now.timestamp() - changed / 1e9 >= _QUIET_SECONDS for _, _, changed in found)


def signature(loaded: LoadedJob, period: Period) -> Signature:
    """What the files of an extract look like now; two equal looks in a row: they have arrived."""
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
