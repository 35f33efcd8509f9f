"""The duties of upkeep: each does its own small piece of work, and says what it did."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from smsengine.clock import ManualClock
from smsengine.identity import own_identity
from smsengine.lifecycle import RunKind
from smsengine.sending.journal import FlightJournal
from smsengine.service import room
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import do_due
from smsengine.service.room import Room
from smsengine.service.upkeep_duties import (
    ledger_duties,
    machine_duties,
    tell_if_full,
    upkeep_duties,
)
from smsengine.store import alarms, care, claims, runs
from smsengine.store.engine import Store
from tests.conftest import Office, execute, rows
from tests.postgres import Databases
from tests.unit.sending.conftest import gone

HERE = socket.gethostname()
ELSEWHERE = "elsewhere:9:9:9"
EXCHANGES = """\
database: sqlite:///ledger.db
retention: {exchanges: 3 days}
gateways:
  vendor:
    kind: http
    exchange_log: vendor.log
    prices: [{from: 2019-01-01, per_segment: 850}]
"""


def done(engine: Engine, name: str, now: datetime | None = None) -> str:
    """Do one duty, whether it is due or not, and hear what it says."""
    duty = next(each for each in upkeep_duties(engine) if each.name in (name, f"{name} {HERE}"))
    return duty.do(now or engine.clock.now())


def test_each_duty_has_its_own_interval(engine: Engine) -> None:
    """What touches much is done at night, and what is quick more often."""
    day = timedelta(days=1)
    assert [
        ("purge", timedelta(hours=6), None),
        ("stray plans", timedelta(hours=1), None),
        ("receipts", timedelta(minutes=10), None),
        ("parked receipts", timedelta(hours=1), None),
        ("notices", timedelta(hours=1), None),
        ("dead phones", timedelta(hours=6), None),
        ("vacuum", day, time(3, 30)),
    ] == [(duty.name, duty.every, duty.at) for duty in ledger_duties(engine)]
    assert [
        (f"journals {HERE}", day, None),
        (f"disk {HERE}", timedelta(minutes=10), None),
    ] == [(duty.name, duty.every, duty.at) for duty in machine_duties(engine)]


def test_a_backup_is_a_duty_where_a_folder_is_named(engine: Engine, clock: ManualClock) -> None:
    """It is made at the hour of the configuration."""
    config = engine.config
    config.write_text(config.read_text() + 'backup: {folder: safe, at: "04:15"}\n')
    duties = {duty.name: duty for duty in ledger_duties(Engine(config, clock=clock))}
    assert time(4, 15) == duties["backup"].at


def test_all_of_them_can_be_done(engine: Engine, clock: ManualClock) -> None:
    """Whatever the database, none fails on a ledger that is in order."""
    said = do_due(engine.store, upkeep_duties(engine), clock.now())
    assert 9 == len(said)
    assert [] == [each for each in said if "failed" in each]
    assert [] == do_due(engine.store, ledger_duties(engine)[:1], clock.now())


def test_the_purge_keeps_to_the_configured_age(engine: Engine, clock: ManualClock) -> None:
    """What a run held is gone ninety days after its end."""
    office = Office(store=engine.store, clock=clock)
    office.planned(rows(3), recipe_key=engine.key)
    office.change("UPDATE messages SET state = 'delivered', settled_at = '2019-06-01 02:00:00'")
    office.change("UPDATE runs SET state = 'finished', finished_at = '2019-06-01 02:00:00'")
    said = [done(engine, "purge", clock.now() + timedelta(days=days)) for days in (90, 91)]
    assert ["0 messages", "3 messages"] == [each[:10] for each in said]


# -- strays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planner", "lapsed_minutes", "is_left"),
    [
        (gone(), -1, False),
        (own_identity(), 600, True),
        (ELSEWHERE, 50, True),
        (ELSEWHERE, 70, False),
    ],
    ids=["gone", "running", "elsewhere", "elsewhere-silent"],
)
def test_what_a_dead_planner_left_goes(
    engine: Engine, clock: ManualClock, planner: str, lapsed_minutes: int, is_left: bool
) -> None:
    """One that may be alive is believed for an hour more."""
    now = clock.now()
    values = {
        "job": "c12-statement",
        "topic": "c12-statement",
        "owner": "central",
        "period": "2019-06",
        "revision": 1,
        "kind": RunKind.REGULAR,
        "gateway": "trial",
        "priority": 5,
        "planner": planner,
        "planner_until": now - timedelta(minutes=lapsed_minutes),
        "created_at": now,
    }
    with engine.store.write() as connection:
        runs.insert_planning(connection, values)
    said = done(engine, "stray plans")
    with engine.store.read() as connection:
        assert (is_left, int(not is_left)) == (bool(runs.unsealed(connection)), int(said[0]))


# -- housekeeping ----------------------------------------------------------------------------------


def test_the_log_of_sqlite_is_emptied(sqlite_engine: Engine, clock: ManualClock) -> None:
    """A log that grew in a busy hour does not stay large for ever."""
    office = Office(store=sqlite_engine.store, clock=clock)
    office.planned(rows(200))
    log = sqlite_engine.folder / "ledger.db-wal"
    before = log.stat().st_size
    with sqlite_engine.store.engine.connect():
        assert done(sqlite_engine, "vacuum").endswith("the log emptied")
        assert before > 0 == log.stat().st_size


def test_a_reader_is_not_waited_for(sqlite_engine: Engine, clock: ManualClock) -> None:
    """Somebody's report goes on, and the log is emptied another night."""
    office = Office(store=sqlite_engine.store, clock=clock)
    with sqlite_engine.store.read() as connection:
        execute(connection, "SELECT count(*) FROM runs").all()
        office.planned(rows(200))
        assert done(sqlite_engine, "vacuum").endswith("the log is in use")


def test_dead_rows_that_autovacuum_left_go(postgres: Databases) -> None:
    """A table that is worn is looked after once, one that is not is left alone."""
    store = Store(postgres.create_database())
    flush = "SELECT pg_stat_force_next_flush()"
    with store.write() as connection:
        execute(connection, "ALTER TABLE skips SET (autovacuum_enabled = false)")
        execute(connection, "ALTER TABLE skips DROP CONSTRAINT fk_skips_run_id_runs")
        execute(
            connection,
            "INSERT INTO skips (run_id, row_number, subject, reason, detail)"
            " SELECT 1, n, '', 'no-phone', '' FROM generate_series(1, 12000) n",
        )
        execute(connection, flush)
    with store.write() as connection:
        execute(connection, "DELETE FROM skips")
        execute(connection, flush)
    with store.read() as connection:
        assert [("skips", 12_000, True)] == [tuple(each) for each in care.wear(connection)]
    assert "looked after skips (12000 dead rows)" == care.tidy(store)
    assert "nothing needed it" == care.tidy(store)
    store.close()


# -- files of this machine -------------------------------------------------------------------------


def test_only_old_journals_that_nobody_needs_go(engine: Engine, clock: ManualClock) -> None:
    """A fresh one, one of a worker that still holds messages, and our own stay."""
    flights = engine.settings.flights
    names = {
        "stale": "away:1:1:1",
        "fresh": "away:2:2:2",
        "holder": "away:3:3:3",
        "own": engine.identity,
    }
    for name in names.values():
        FlightJournal(flights, name).close()
    old = (clock.now() - timedelta(days=32)).timestamp()
    for name in ("stale", "holder", "own"):
        os.utime(flights / f"{names[name]}.flights", (old, old))
    recent = (clock.now() - timedelta(days=30)).timestamp()
    os.utime(flights / f"{names['fresh']}.flights", (recent, recent))
    run = Office(store=engine.store, clock=clock).released(rows(2))
    with engine.store.write() as connection:
        claims.claim(
            connection,
            run_id=run.id,
            upto=9,
            gateway="trial",
            worker=names["holder"],
            now=clock.now(),
            limit=1,
        )
    assert "1 flight journals removed" == done(engine, "journals")
    left = {path.name.removesuffix(".flights") for path in flights.glob("*.flights")}
    assert set(names.values()) - {names["stale"]} == left


def test_exchange_logs_begin_anew_each_day(
    installation: Callable[..., Engine], clock: ManualClock
) -> None:
    """A part for each day, and those that are too old go; other files stay."""
    engine = installation(config=EXCHANGES)
    log = engine.folder / "vendor.log"
    (engine.folder / "vendor.log.bak").touch()
    for day in range(6):
        log.write_text(f"{day}\n")
        said = done(engine, "exchanges", clock.now() + timedelta(days=day))
    assert "1 exchange logs begun anew, 1 old parts removed" == said
    parts = sorted(path.name for path in engine.folder.glob("vendor.log*"))
    assert [f"vendor.log.2019-06-0{day}" for day in (3, 4, 5, 6)] + ["vendor.log.bak"] == parts
    assert "5\n" == (engine.folder / "vendor.log.2019-06-06").read_text()
    assert "0 exchange logs" == done(engine, "exchanges", clock.now() + timedelta(days=5))[:15]


# -- room ------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_once_a_day(engine: Engine, clock: ManualClock) -> None:
    """The sentence names the folder, what is free and what is needed."""
    full = Room(folder=Path("/srv"), free=2**30, needed=6 * 2**30)
    for hours in (0, 1, 24):
        said = tell_if_full(engine, full, clock.now() + timedelta(hours=hours))
    with engine.store.read() as connection:
        told = [alarm.text.partition("\n")[0] for alarm in alarms.untold(connection, now=_late())]
    sentence = "1.0 GiB free at /srv, and 6.0 are needed"
    assert (sentence, [f"The disk of {HERE} gets full: {sentence}."] * 2) == (said, told)


def _late() -> datetime:
    return datetime.fromisoformat("2030-01-01T00:00:00+00:00")


def test_room_that_is_enough_is_no_news(engine: Engine, clock: ManualClock) -> None:
    """Nobody is told that all is well."""
    enough = Room(folder=Path("/srv"), free=2**31, needed=2**31)
    assert "2.0 GiB free at /srv" == tell_if_full(engine, enough, clock.now())
    with engine.store.read() as connection:
        assert 0 == alarms.count_untold(connection)


def test_a_large_ledger_needs_more_room(engine: Engine) -> None:
    """Each disk is looked at once, by what is the most demanding on it."""
    found = room.look(engine)
    assert [2 * 2**30] == [each.needed for each in found]
    assert found[0].free > 0
