"""Phones that nothing reaches are left alone after a while, without anybody's doing."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.lifecycle import Cause, MessageState, SkipReason
from smsengine.service import auditing
from smsengine.service.bootstrap import Engine
from smsengine.service.people import program
from smsengine.store import outbox, runs, strikes, suppressions

#: Receipts have come by then.
_AFTER = timedelta(days=3)
_ALONE_FOR = timedelta(days=180)
_CHUNK = 5_000


def look(engine: Engine, now: datetime) -> str:
    """Look once at each run that ended: who was reached, and who was not, again and again."""
    with engine.store.read() as connection:
        due = strikes.due(connection, now, after=_AFTER)
    alone = sum(_count(engine, run_id, now) for run_id in due)
    return f"{len(due)} runs looked at, {alone} phones are left alone"


def _count(engine: Engine, run_id: int, now: datetime) -> int:
    """Count a run's receipts: read at leisure, written at once, so that none counts twice."""
    missed, reached = _read(engine, run_id)
    with engine.store.write() as connection:
        if run_id not in strikes.due(connection, now, after=_AFTER):
            return 0
        strikes.clear(connection, sorted(reached))
        alone = _strike(engine, connection, sorted(missed), now)
        runs.note(connection, run_id, at=now, actor=program().name, what=strikes.COUNTED)
    return alone


def _read(engine: Engine, run_id: int) -> tuple[set[str], set[bytes]]:
    """Phones that a run did not reach, and of those that it did the ones that have strikes."""
    missed, reached, last = set[str](), set[bytes](), 0
    with engine.store.read() as connection:
        are_struck = strikes.are_there(connection)
        while found := strikes.fates(connection, run_id, last, limit=_CHUNK):
            last = found[-1].id
            good = {each.address for each in found if each.state == MessageState.DELIVERED}
            missed |= {each.address for each in found} - good
            if are_struck:
                hashes = [_hash(engine, each) for each in good]
                reached |= strikes.among(connection, hashes)
    return missed, reached


def _hash(engine: Engine, address: str) -> bytes:
    return suppressions.address_hash(engine.key, address)


def _strike(engine: Engine, connection: Connection, missed: list[str], now: datetime) -> int:
    """One strike more for each phone; those that have enough are left alone."""
    by_hash = {_hash(engine, address): address for address in missed}
    times = strikes.add(connection, sorted(by_hash), at=now)
    us = program()
    dead = [digest for digest, count in times.items() if count >= engine.settings.caps.dead_after]
    for digest in dead:
        reason = f"{times[digest]} texts in a row did not reach it"
        suppressions.add(
            connection,
            key=engine.key,
            address=by_hash[digest],
            office="central",
            cause=Cause.DEAD,
            reason=reason,
            by=us.name,
            at=now,
            until=now + _ALONE_FOR,
        )
        subject = suppressions.masked(by_hash[digest])
        auditing.note(connection, engine, us, "list-added", subject, reason)
    outbox.leave_alone(
        connection,
        [by_hash[digest] for digest in dead],
        owner=None,
        code=SkipReason.SUPPRESSED,
        now=now,
    )
    strikes.clear(connection, dead)
    return len(dead)
