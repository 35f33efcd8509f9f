"""Room on the disks of this machine: for the ledger to grow, for journals, logs and backups."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from smsengine.service.bootstrap import Engine
from smsengine.store import care

_LEAST_BYTES = 2 * 2**30
#: What a copy, a vacuum and another month of a SQLite ledger take, seen from its size.
_TIMES = 3


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is free in a folder, and what should be. In bytes."""

    folder: Path
    free: int
    needed: int

    @property
    def is_enough(self) -> bool:
        return self.free >= self.needed

    def __str__(self) -> str:
        said = f"{self.free / 2**30:.1f} GiB free at {self.folder}"
        return said if self.is_enough else f"{said}, and {self.needed / 2**30:.1f} are needed"


def look(engine: Engine) -> list[Room]:
    """The folders that must not become full, one for each disk, the fullest first."""
    ledger = _ledger_folder(engine)
    needed = max(_LEAST_BYTES, _TIMES * _ledger_bytes(engine)) if ledger else _LEAST_BYTES
    backups = engine.settings.backup.folder
    folders = [ledger, engine.folder, engine.settings.flights, backups]
    by_disk: dict[int, Room] = {}
    for folder in folders:
        if folder is None:
            continue
        there = next(each for each in (folder, *folder.parents) if each.exists())
        least = needed if folder in (ledger, backups) else _LEAST_BYTES
        room = Room(folder=folder, free=shutil.disk_usage(there).free, needed=least)
        known = by_disk.setdefault(there.stat().st_dev, room)
        if room.needed > known.needed:
            by_disk[there.stat().st_dev] = room
    return sorted(by_disk.values(), key=lambda room: room.free - room.needed)


def _ledger_folder(engine: Engine) -> Path | None:
    """Where a SQLite ledger grows; PostgreSQL's own disk is not this program's to look at."""
    if not care.is_sqlite(engine.settings.database):
        return None
    return Path(str(make_url(engine.settings.database).database)).parent


def _ledger_bytes(engine: Engine) -> int:
    with engine.store.read() as connection:
        return care.size_bytes(connection)
