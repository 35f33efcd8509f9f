"""A backup is whole, private and proved; what it holds can be put back; nothing is overwritten."""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from smsengine.clock import ManualClock
from smsengine.errors import SmsEngineError, StoreError, UsageError
from smsengine.service import backups, fence, pg_tools
from smsengine.service.bootstrap import Engine
from smsengine.service.pg_tools import Tool
from smsengine.service.upkeep import check_ledger
from smsengine.store.all_tables import metadata
from smsengine.store.engine import Store
from tests.conftest import Office, rows
from tests.postgres import Databases

NIGHT = datetime(2019, 6, 2, 19, 30, tzinfo=UTC)


def fill(engine: Engine, clock: ManualClock, count: int = 20) -> Office:
    """Plan a run into the ledger, with the installation's own key."""
    office = Office(store=engine.store, clock=clock)
    office.planned(rows(count), recipe_key=engine.key)
    return office


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with store.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))  # type: ignore[misc]
            for table in metadata.sorted_tables
        }


@pytest.fixture
def elsewhere(
    engine: Engine, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., Engine]:
    """Makes a second installation with the same key, whose database is empty."""

    def make() -> Engine:
        folder = tmp_path / "elsewhere"
        shutil.copytree(
            engine.folder, folder, ignore=lambda _path, names: [n for n in names if "ledger" in n]
        )
        config = folder / "config.yaml"
        if engine.store.engine.dialect.name != "sqlite":
            databases: Databases = request.getfixturevalue("postgres")
            old = engine.settings.database
            new = databases.create_empty_database()
            config.write_text(config.read_text().replace(old, new))
        return Engine(config, clock=engine.clock)

    return make


def test_a_restored_ledger_is_the_same(
    engine: Engine, elsewhere: Callable[..., Engine], clock: ManualClock, tmp_path: Path
) -> None:
    """Every row of every table comes back, and the ledger is whole."""
    fill(engine, clock)
    before = contents(engine.store)
    backups.backup(engine, tmp_path / "copy")
    other = elsewhere()
    backups.restore(other, tmp_path / "copy")
    try:
        assert before == contents(other.store)
        assert [] == check_ledger(other)
        assert 20 == len(before["messages"])
    finally:
        other.store.close()


def test_a_backup_is_reported_after_it_is_made(
    engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """So the ledger knows more than its copy, also when nothing else is done."""
    fill(engine, clock)
    fence.beat(engine)
    before = contents(engine.store)["members"]
    backups.backup(engine, tmp_path / "copy")
    assert before != contents(engine.store)["members"]
    assert "" == fence.check(engine)


def test_whoever_restores_a_backup_is_noticed(
    sqlite_engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """Also when nothing was done between the backup and the restore."""
    fill(sqlite_engine, clock)
    fence.beat(sqlite_engine)
    backups.backup(sqlite_engine, tmp_path / "copy")
    sqlite_engine.store.close()
    ledger = make_url(sqlite_engine.settings.database).database
    for end in ("", "-wal", "-shm"):
        Path(f"{ledger}{end}").unlink(missing_ok=True)
    backups.restore(sqlite_engine, tmp_path / "copy")
    assert "backup" in fence.check(sqlite_engine)


def test_a_backup_is_one_private_file(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """Nobody else may read it, and nothing else is left in its folder."""
    fill(engine, clock)
    folder = tmp_path / "backups"
    folder.mkdir()
    backups.backup(engine, folder / "copy")
    assert [folder / "copy"] == list(folder.iterdir())
    assert 0o600 == stat.S_IMODE((folder / "copy").stat().st_mode)


def test_a_file_that_exists_is_not_overwritten(engine: Engine, tmp_path: Path) -> None:
    """An older backup is worth more than a slip of the pen."""
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(UsageError, match="exists already; name a new file"):
        backups.backup(engine, tmp_path / "copy")
    assert "precious" == (tmp_path / "copy").read_text()


def test_a_backup_is_made_while_others_write(
    engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """A run that is being sent does not keep the copy from coming to an end, nor the other way."""
    office = fill(engine, clock, 3_000)
    over, begun = threading.Event(), threading.Event()
    written = [0]

    def write() -> None:
        while not over.is_set():
            office.change("UPDATE messages SET attempt = attempt + 1 WHERE place <= 100")
            written[0] += 1
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(30)
    before = written[0]
    backups.backup(engine, tmp_path / "copy")
    over.set()
    writer.join()
    assert written[0] > before
    assert (tmp_path / "copy").stat().st_size > 10_000


def test_a_ledger_that_lacks_a_message_is_no_backup(
    sqlite_engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """What is not whole never gets the name of a backup."""
    fill(sqlite_engine, clock).change("DELETE FROM messages WHERE place = 3")
    with pytest.raises(StoreError, match=r"holds 19 messages of sealed runs, which say .* have 20"):
        backups.backup(sqlite_engine, tmp_path / "copy")
    assert [] == list(tmp_path.glob("*copy*"))


def test_a_damaged_backup_is_not_restored(
    engine: Engine, elsewhere: Callable[..., Engine], clock: ManualClock, tmp_path: Path
) -> None:
    """A file that was cut off is found out before anything is put anywhere."""
    fill(engine, clock, 500)
    copy = tmp_path / "copy"
    backups.backup(engine, copy)
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) * 2 // 3])
    other = elsewhere()
    with pytest.raises(StoreError, match=r"malformed|damaged|pg_restore failed"):
        backups.restore(other, copy)
    copy.write_bytes(whole)
    backups.restore(other, copy)
    assert [] == check_ledger(other)
    other.store.close()


def test_a_ledger_is_never_overwritten(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """Whoever restores must first put away what is there."""
    fill(engine, clock)
    backups.backup(engine, tmp_path / "copy")
    before = contents(engine.store)
    with pytest.raises(UsageError, match=r"is there already; stop|holds tables already"):
        backups.restore(engine, tmp_path / "copy")
    assert before == contents(engine.store)


def test_a_left_over_log_would_spoil_the_ledger(
    sqlite_engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """SQLite would play an old log into the restored file."""
    fill(sqlite_engine, clock)
    backups.backup(sqlite_engine, tmp_path / "copy")
    sqlite_engine.store.close()
    ledger = Path(str(make_url(sqlite_engine.settings.database).database))
    ledger.unlink()
    ledger.with_name("ledger.db-wal").write_bytes(b"old")
    with pytest.raises(UsageError, match=r"ledger\.db-wal is there already"):
        backups.restore(sqlite_engine, tmp_path / "copy")


def test_another_key_is_refused(sqlite_engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """With another key the restored ledger would be of no use."""
    fill(sqlite_engine, clock)
    backups.backup(sqlite_engine, tmp_path / "copy")
    sqlite_engine.store.close()
    for path in sqlite_engine.folder.glob("ledger.db*"):
        path.unlink()
    (sqlite_engine.folder / "smsengine.key").write_text("b" * 64)
    other = Engine(sqlite_engine.config, clock=clock)
    with pytest.raises(StoreError, match="not the one that this backup was made with"):
        backups.restore(other, tmp_path / "copy")
    assert [] == list(sqlite_engine.folder.glob("*ledger.db*"))


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\x00" * 99])
def test_what_is_no_backup_is_refused(
    engine: Engine, elsewhere: Callable[..., Engine], tmp_path: Path, content: bytes
) -> None:
    """A wrong file is one sentence, and leaves nothing behind."""
    (tmp_path / "copy").write_bytes(content)
    other = elsewhere()
    with pytest.raises(SmsEngineError, match=r"is no|not a|not whole|pg_restore failed|malformed"):
        backups.restore(other, tmp_path / "copy")
    assert [] == list(other.folder.glob("*ledger.db*"))


# -- every day -------------------------------------------------------------------------------------


@pytest.fixture
def nightly(engine: Engine, clock: ManualClock) -> Engine:
    """An installation that keeps three backups."""
    fill(engine, clock)
    config = engine.config
    config.write_text(config.read_text() + "backup: {folder: safe, keep: 3}\n")
    made = Engine(config, clock=clock)
    made.__dict__["store"] = engine.store
    return made


def kept(engine: Engine) -> list[str]:
    return sorted(path.name for path in (engine.folder / "safe").iterdir())


def test_the_newest_backups_are_kept(nightly: Engine) -> None:
    """Older ones of our own naming go, whatever else is there stays."""
    (nightly.folder / "safe").mkdir()
    others = ["notes.txt", "smsengine-2018-old.db", "smsengine.key"]
    for name in others:
        (nightly.folder / "safe" / name).touch()
    for day in range(5):
        backups.daily(nightly, NIGHT + timedelta(days=day))
    found = [name for name in kept(nightly) if name not in others]
    assert ["2019-06-05-0230", "2019-06-06-0230", "2019-06-07-0230"] == [n[10:25] for n in found]
    assert set(others) < set(kept(nightly))
    newest = backups.newest(nightly.folder / "safe")
    assert NIGHT + timedelta(days=4) == newest


def test_a_failed_backup_leaves_the_old_ones(nightly: Engine) -> None:
    """Better an old backup than none."""
    for day in range(3):
        backups.daily(nightly, NIGHT + timedelta(days=day))
    before = kept(nightly)
    with pytest.raises(UsageError, match="exists already"):
        backups.daily(nightly, NIGHT + timedelta(days=2))
    assert before == kept(nightly)


def test_a_clock_that_was_set_back_costs_no_new_backup(nightly: Engine) -> None:
    """The copy that was just made stays, whatever its name says."""
    for day in range(3):
        backups.daily(nightly, NIGHT + timedelta(days=day))
    said = backups.daily(nightly, NIGHT - timedelta(days=9))
    assert (3, True) == (len(kept(nightly)), said.partition(",")[0] in kept(nightly))


def test_what_a_killed_backup_left_goes(nightly: Engine) -> None:
    """A part without a name is not kept for ever."""
    (nightly.folder / "safe").mkdir()
    (nightly.folder / "safe" / ".smsengine-2019-06-01-023000.db.part").touch()
    backups.daily(nightly, NIGHT)
    assert 1 == len(kept(nightly))


def test_without_a_folder_there_is_no_backup(engine: Engine) -> None:
    """Nothing is written where nobody asked for it."""
    with pytest.raises(UsageError, match=r"backup\.folder: is missing"):
        backups.daily(engine, NIGHT)
    assert backups.newest(engine.folder) is None


# -- PostgreSQL's programs -------------------------------------------------------------------------


def test_a_program_that_is_missing_or_too_old_is_said() -> None:
    """The sentence names the version that is needed."""
    with pytest.raises(UsageError, match="pg_dumb is not installed on this machine; install"):
        pg_tools.find("pg_dumb", 15)
    with pytest.raises(UsageError, match=r"is of version \d+, the server of version 99; install"):
        pg_tools.find("pg_dump", 99)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:geheim@h:5/db?sslmode=require",
        "postgresql+psycopg://u@h:5/db?sslmode=require&password=geheim",
    ],
)
def test_a_password_never_stands_on_the_command_line(tmp_path: Path, url: str) -> None:
    """Every account of the machine can read the command lines of all others."""
    script = tmp_path / "tool"
    script.write_text('#!/bin/sh\necho "$@"\necho "$PGPASSWORD"\n')
    script.chmod(0o755)
    said = pg_tools.run(Tool(name="tool", path=str(script), version=15), "-x", database=url)
    assert "--no-password --dbname=postgresql://u@h:5/db?sslmode=require -x\ngeheim\n" == said


def test_what_a_program_complains_of_is_one_sentence(tmp_path: Path) -> None:
    """Nobody sees a page of it, nor a traceback."""
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho 'tool: error: no room.\nDETAIL: more' >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(StoreError, match=r"^tool failed: tool: error: no room\.$"):
        pg_tools.run(Tool(name="tool", path=str(script), version=15))
