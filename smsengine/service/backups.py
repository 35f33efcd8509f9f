"""Copies of the ledger: made while it is in use, proved, and put back into an empty place.

A copy is written under another name, proved, and only then called a backup; so whatever has the
name of a backup is a whole one.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, make_url

from smsengine.clock import VIETNAM
from smsengine.errors import StoreError, UsageError
from smsengine.service import fence, pg_tools
from smsengine.service.bootstrap import Engine
from smsengine.store import care, installation, schema
from smsengine.store.engine import Store

_PART = ".part"
#: What a dump of a ledger of any version holds.
_LEAST_TABLES = ("alembic_version", "installation", "messages", "runs")
_TABLE_DATA = re.compile(r"^\d+; \d+ \d+ TABLE DATA \S+ (\S+) ", re.MULTILINE)
_OURS = re.compile(r"smsengine-\d{4}-\d\d-\d\d-\d{6}\.(db|dump)")


def backup(engine: Engine, path: Path) -> None:
    """Copy the ledger into a new file while others read and write it, and prove the copy.

    Raises:
        UsageError: the file exists or cannot be written, or a program is missing.
        StoreError: the copy failed or is not whole; no file is left behind.
    """
    if path.exists():
        raise UsageError(f"{path} exists already; name a new file.")
    with _new_file(path) as part:
        if care.is_sqlite(engine.settings.database):
            _copy_sqlite(_sqlite_path(engine), part)
            _prove_sqlite(part)
        else:
            _dump(engine, part)
    # From now on the ledger knows more than its copy: whoever restores it is noticed.
    fence.beat(engine)


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A file that gets its name when it is whole and on disk; nobody else may read it."""
    part = path.with_name(f".{path.name}{_PART}")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        for left in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """A name is as durable as its folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- SQLite ----------------------------------------------------------------------------------------


def _sqlite_path(engine: Engine) -> Path:
    return Path(str(make_url(engine.settings.database).database))


def _copy_sqlite(source: Path, copy: Path) -> None:
    """Copy all pages in one step: a copy in several begins anew whenever somebody writes."""
    if not source.exists():
        raise UsageError(f"{source} does not exist; there is nothing to copy.")
    try:
        with (
            closing(sqlite3.connect(source)) as from_,
            closing(sqlite3.connect(copy)) as into,
        ):
            from_.backup(into)
    except sqlite3.Error as error:
        raise StoreError(f"{source}: cannot be copied ({error}).") from error


def _prove_sqlite(path: Path, engine: Engine | None = None) -> None:
    """Prove that a file is a whole ledger, of the engine's key where one is given.

    It ends as one file without a log beside it.
    """
    try:
        with closing(sqlite3.connect(path)) as opened:
            said = [row[0] for row in opened.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        raise StoreError(f"{path}: is not a whole SQLite ledger ({error}).") from error
    if said != ["ok"]:
        raise StoreError(f"{path}: is damaged ({said[0]}).")
    with closing(Store(f"sqlite:///{path}")) as store:
        _prove_contents(store, engine)
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE")


def _prove_contents(store: Store, engine: Engine | None = None) -> None:
    """It is a ledger, of this key, and no message of a sealed run is missing."""
    with store.read() as connection:
        if schema.version(connection) is None:
            raise StoreError(f"{store.name} is no ledger.")
        remembered = installation.remembered(connection)
        sealed = care.sealed_messages(connection)
    if engine is not None and remembered not in (None, installation.fingerprint(engine.key)):
        raise StoreError(
            "The dedup_key is not the one that this backup was made with; put the right key file or"
            " variable into place first."
        )
    if sealed.said != sealed.stored:
        raise StoreError(
            f"{store.name} holds {sealed.stored} messages of sealed runs, which say that they have"
            f" {sealed.said}."
        )


# -- PostgreSQL ------------------------------------------------------------------------------------


def _dump(engine: Engine, path: Path) -> None:
    """Let ``pg_dump`` copy one snapshot, and ``pg_restore`` read all of the copy."""
    with closing(Store(engine.settings.database)) as store, store.read() as connection:
        version = care.server_version(connection)
        tables = inspect(connection).get_table_names()
    assert version is not None
    tool = pg_tools.find("pg_dump", version[0])
    words = ("--format=custom", "--no-owner", "--no-privileges", f"--file={path}")
    pg_tools.run(tool, *words, database=engine.settings.database)
    _prove_dump(path, version[0], tables)


def _prove_dump(path: Path, version: int, tables: Sequence[str]) -> None:
    tool = pg_tools.find("pg_restore", version)
    listed = pg_tools.run(tool, "--list", str(path))
    held = set(_TABLE_DATA.findall(listed))
    missing = sorted({*tables} - held)
    if missing:
        raise StoreError(f"{path}: lacks the tables {', '.join(missing)}.")
    # The list stands at the beginning; only who reads to the end knows that the end is there.
    pg_tools.run(tool, "--file=/dev/null", str(path))


# -- every day -------------------------------------------------------------------------------------


def newest(folder: Path) -> datetime | None:
    """When the newest backup in a folder was begun; None without one."""
    found = _backups(folder)
    if not found:
        return None
    stamp = found[-1].stem.removeprefix("smsengine-")
    return datetime.strptime(stamp, "%Y-%m-%d-%H%M%S").replace(tzinfo=VIETNAM)


def daily(engine: Engine, now: datetime) -> str:
    """Make today's backup, then delete the oldest; one that fails leaves the old ones alone.

    Raises:
        UsageError: no folder is configured, or it cannot be written.
        StoreError: the copy failed.
    """
    settings = engine.settings.backup
    if settings.folder is None:
        raise UsageError(f"{engine.config}: backup.folder: is missing.")
    try:
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{settings.folder}: cannot be made ({error.strerror}).") from error
    _remove_parts(settings.folder)
    _require_room(engine, settings.folder)
    ending = "db" if care.is_sqlite(engine.settings.database) else "dump"
    stamp = now.astimezone(VIETNAM).strftime("%Y-%m-%d-%H%M%S")
    path = settings.folder / f"smsengine-{stamp}.{ending}"
    backup(engine, path)
    # The new one stays, also when the clock was set back and its name is the oldest.
    others = [old for old in _backups(settings.folder) if old != path]
    for old in others[: max(0, len(others) - settings.keep + 1)]:
        old.unlink(missing_ok=True)
    size = path.stat().st_size / 2**20
    return f"{path.name}, {size:.1f} MiB; {len(_backups(settings.folder))} are kept"


def _backups(folder: Path) -> Sequence[Path]:
    """Our own backups in a folder, oldest first; the names sort by time."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))


def _require_room(engine: Engine, folder: Path) -> None:
    """A copy that fills the disk would stop whatever else writes to it."""
    with engine.store.read() as connection:
        needed = care.size_bytes(connection)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"{folder} has {free / 2**30:.1f} GiB free, and the ledger takes"
            f" {needed / 2**30:.1f} GiB; make room, or choose another backup.folder."
        )


def _remove_parts(folder: Path) -> None:
    """What a backup left that was killed."""
    for path in folder.glob(f".smsengine-*{_PART}*"):
        path.unlink(missing_ok=True)


# -- restore ---------------------------------------------------------------------------------------


def restore(engine: Engine, path: Path) -> None:
    """Put a backup into the place of the ledger, where nothing is yet.

    Raises:
        UsageError: there is a ledger already, the file is missing, or a program is.
        StoreError: the file is no whole backup, or of another key.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist.")
    if care.is_sqlite(engine.settings.database):
        _restore_sqlite(engine, path)
    else:
        _restore_dump(engine, path)


def _restore_sqlite(engine: Engine, path: Path) -> None:
    place = _sqlite_path(engine)
    for there in (place, *(place.with_name(place.name + end) for end in ("-wal", "-shm"))):
        if there.exists() and (there.stat().st_size or there != place):
            raise UsageError(
                f"{there} is there already; stop everything that uses it, and move it away"
                " together with its -wal and -shm files."
            )
    with _new_file(place) as part:
        _copy_sqlite(path, part)
        _prove_sqlite(part, engine)


def _restore_dump(engine: Engine, path: Path) -> None:
    with closing(Store(engine.settings.database)) as store:
        with store.read() as connection:
            version = care.server_version(connection)
            if inspect(connection).get_table_names():
                raise UsageError(
                    f"{store.name} holds tables already; restore into a new, empty database."
                )
        assert version is not None
        _prove_dump(path, version[0], _LEAST_TABLES)
        tool = pg_tools.find("pg_restore", version[0])
        words = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
        pg_tools.run(tool, *words, str(path), database=engine.settings.database)
        _prove_contents(store, engine)
