"""The duties of upkeep: purge, backup, housekeeping, strays, journals, logs, room on the disk.

Some are about the ledger, and whichever machine leads does them. Others are about this machine's
own files; their names end with its name, since each machine must do them.
"""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path

from smsengine.clock import VIETNAM
from smsengine.errors import ConfigError, GatewayError
from smsengine.gateways import http_log
from smsengine.identity import is_surely_running
from smsengine.lifecycle import Grade
from smsengine.planning.planner import discard_abandoned
from smsengine.receipts import overdue
from smsengine.receipts.matching import STRANGE_AFTER, match_parked
from smsengine.sending import journal
from smsengine.service import (
    alarming,
    approvals,
    backups,
    cross_duty,
    daily_duties,
    dead_phones,
    room,
)
from smsengine.service.alarming import News
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import Duty
from smsengine.service.purging import Purger, kept_until
from smsengine.service.room import Room
from smsengine.store import attempts, care, receipts, told

#: One purge takes no longer; the next one goes on.
_PURGE_WITHIN = timedelta(seconds=20)
_ASK_EVERY = timedelta(minutes=10)
_PARKED_FOR = timedelta(days=3)
#: So many receipts of strangers in a day are no accident; they are not counted further.
_MOST_STRANGERS = 1000
_PLANNERS_PATIENCE = timedelta(hours=1)
_JOURNALS_KEPT = timedelta(days=31)
_LONGEST_NAME = 60


def upkeep_duties(engine: Engine) -> list[Duty]:
    """What the machine that leads does."""
    return [*ledger_duties(engine), *machine_duties(engine)]


def ledger_duties(engine: Engine) -> list[Duty]:
    """What is done once, for all machines."""
    hour, six = timedelta(hours=1), timedelta(hours=6)
    duties = [
        Duty(name="purge", every=six, do=partial(_purge, engine)),
        Duty(name="stray plans", every=hour, do=partial(_discard_strays, engine)),
        Duty(name="receipts", every=_ASK_EVERY, do=partial(_look_after_receipts, engine)),
        Duty(name="parked receipts", every=hour, do=partial(_look_at_parked, engine)),
        Duty(name="notices", every=hour, do=partial(_expire_notices, engine)),
        Duty(name="dead phones", every=six, do=partial(dead_phones.look, engine)),
        Duty(name="vacuum", at=time(3, 30), do=partial(_tidy, engine)),
    ]
    backup = engine.settings.backup
    if backup.folder is not None:
        duties.append(Duty(name="backup", at=backup.hour, do=partial(backups.daily, engine)))
    payments = engine.settings.payments
    if payments.organisations:
        at = payments.cross_check.hour
        duties.append(Duty(name="cross-check", at=at, do=partial(cross_duty.daily, engine)))
    return [*duties, *daily_duties.duties(engine)]


def machine_duties(engine: Engine) -> list[Duty]:
    """What each machine does for itself."""
    duties = [
        Duty(name=_here("journals"), do=partial(_forget_journals, engine)),
        Duty(name=_here("disk"), every=timedelta(minutes=10), do=partial(_look_for_room, engine)),
    ]
    if exchange_logs(engine):
        duties.append(Duty(name=_here("exchanges"), at=time(0, 5), do=partial(_turn_logs, engine)))
    return duties


def _here(what: str) -> str:
    return f"{what} {socket.gethostname()}"[:_LONGEST_NAME]


def _purge(engine: Engine, now: datetime) -> str:
    """Take out what has been kept long enough, for a while; the rest at the next time."""
    purger = Purger(store=engine.store, clock=engine.clock, actor=engine.identity)
    return str(purger.purge(kept_until(engine.settings.retention, now), within=_PURGE_WITHIN))


def _discard_strays(engine: Engine, now: datetime) -> str:
    """A run that was never sealed is of no use; without it its period can be planned anew."""
    count = discard_abandoned(engine.store, now, patience=_PLANNERS_PATIENCE)
    return f"{count} unsealed runs of dead planners thrown away"


def _look_after_receipts(engine: Engine, now: datetime) -> str:
    """Ask about messages of which nothing was heard, and count on some of them no more."""
    told = given_up = 0
    faults = []
    for name, settings in engine.settings.gateways.items():
        after = settings.awaited.ask_after
        try:
            with closing(engine.gateway(name)) as gateway:
                told += overdue.ask(engine.store, name, gateway, now=now, after=after)
        except (ConfigError, GatewayError) as error:
            faults.append(f"{name}: {error}")
        if settings.awaited.give_up_after is not None:
            after = settings.awaited.give_up_after
            given_up += overdue.give_up(engine.store, name, now=now, after=after)
    said = f"{told} told when asked, {given_up} unconfirmed"
    return f"{said}; {' '.join(faults)}" if faults else said


def _look_at_parked(engine: Engine, now: datetime) -> str:
    """Look again at receipts whose doubtful message may have been found out, and count the rest."""
    matched = strangers = 0
    for name in engine.settings.gateways:
        matched += match_parked(engine.store, name, now, since=now - _PARKED_FOR)
        with engine.store.write() as connection:
            after, before = now - timedelta(days=1), now - STRANGE_AFTER
            found = receipts.strangers(
                connection, name, after=after, before=before, most=_MOST_STRANGERS
            )
            if found:
                alarming.strangers(name, found, most=_MOST_STRANGERS, now=now).sound(
                    connection, now
                )
        strangers += found
    return f"{matched} matched, {strangers} of the last day speak of no message of ours"


def _expire_notices(engine: Engine, _now: datetime) -> str:
    """Notices whose last day is over are not in force; last month's counts for caps go."""
    over = approvals.expire(engine, engine.today)
    with engine.store.write() as connection:
        told.forget(connection, before=engine.today)
    return f"{len(over)} notices expired" + "".join(f", {each.label}" for each in over)


def _tidy(engine: Engine, _now: datetime) -> str:
    return care.tidy(engine.store)


def _forget_journals(engine: Engine, now: datetime) -> str:
    """A journal proves what a worker still holds; one of a worker that holds nothing is no proof.

    Those of processes that can be looked at go sooner, when lost messages are looked for. What is
    left here is from hosts and containers of other names.
    """
    flights = engine.settings.flights
    with engine.store.read() as connection:
        holders = {each.worker for each in attempts.held(connection)}
    stale = [
        worker
        for worker in journal.untouched_since(flights, now - _JOURNALS_KEPT)
        if worker not in holders and worker != engine.identity and not is_surely_running(worker)
    ]
    journal.forget(flights, stale)
    return f"{len(stale)} flight journals removed"


def exchange_logs(engine: Engine) -> list[Path]:
    """The files that get what is said to gateways."""
    named = [each.options.get("exchange_log") for each in engine.settings.gateways.values()]
    return sorted({engine.folder / str(name) for name in named if name})


def _turn_logs(engine: Engine, now: datetime) -> str:
    """Begin each exchange log anew, and delete what is older than it may be kept."""
    before = engine.settings.retention.exchanges.before(now)
    today = now.astimezone(VIETNAM).date()
    begun = removed = 0
    for path in exchange_logs(engine):
        begun += http_log.begin_anew(path, today)
        if before is not None:
            removed += http_log.remove_parts(path, before.astimezone(VIETNAM).date())
    return f"{begun} exchange logs begun anew, {removed} old parts removed"


def _look_for_room(engine: Engine, now: datetime) -> str:
    return tell_if_full(engine, room.look(engine)[0], now)


def tell_if_full(engine: Engine, fullest: Room, now: datetime) -> str:
    """Have a person told once a day when a disk gets full."""
    if not fullest.is_enough:
        day = now.astimezone(VIETNAM).date()
        news = News(
            key=f"disk {socket.gethostname()} {day}",
            grade=Grade.WARNING,
            text=f"The disk of {socket.gethostname()} gets full: {fullest}.\n"
            "When it is full nothing is sent any more: make room, or give it another disk.",
        )
        with engine.store.write() as connection:
            news.sound(connection, now)
    return str(fullest)
