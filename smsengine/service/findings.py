"""What ``doctor`` says of the care of the ledger: disk, backups, duties, ages, what comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from smsengine.clock import VIETNAM
from smsengine.errors import ConfigError, GatewayError, RefusedError, SmsEngineError
from smsengine.gateways.base import Gateway
from smsengine.service import backups, pg_tools, room
from smsengine.service.bootstrap import Engine
from smsengine.service.purging import kept_until
from smsengine.service.roster import read_roster
from smsengine.service.upkeep_duties import ledger_duties
from smsengine.store import care, concerns, duties, purging
from smsengine.text.numerals import money

_DECEMBER = 12
_NEWEST_BACKUP = timedelta(days=2)
_SHOWN_RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. ``warns``: it works tonight, and a person should know."""

    what: str
    good: bool
    said: str
    warns: bool = False


class CautionError(SmsEngineError):
    """Works tonight, and yet a person should know."""


def asked(what: str, look: Callable[[], str]) -> Finding:
    """Look at one thing; what it raises is what is wrong with it."""
    try:
        return Finding(what=what, good=True, said=look())
    except CautionError as caution:
        return Finding(what=what, good=True, said=str(caution), warns=True)
    except SmsEngineError as error:
        return Finding(what=what, good=False, said=str(error))


def ledger(engine: Engine) -> str:
    """Which ledger it is, how large, and on which server."""
    with engine.store.read() as connection:
        size = care.size_bytes(connection) / 2**20
        version = care.server_version(connection)
    server = f", PostgreSQL {version[1]}" if version is not None else ""
    return f"{engine.store.name}, {size:.0f} MiB{server}"


def disk(engine: Engine) -> str:
    """What is free on the fullest disk, against the ledger's size.

    Raises:
        ConfigError: too little.
    """
    fullest = room.look(engine)[0]
    if not fullest.is_enough:
        raise ConfigError(f"{fullest}; make room, or give it another disk.")
    return str(fullest)


def newest_backup(engine: Engine) -> str:
    """How old the newest backup is, and whether another one could be made.

    Raises:
        CautionError: none are made by themselves.
        ConfigError: there is none, or it is old.
        UsageError: a program of PostgreSQL's is missing.
    """
    folder = engine.settings.backup.folder
    if folder is None:
        raise CautionError(
            f"{engine.config}: backup.folder: is not set, so none are made by themselves"
        )
    with engine.store.read() as connection:
        version = care.server_version(connection)
    if version is not None:
        pg_tools.find("pg_dump", version[0])
    newest = backups.newest(folder)
    if newest is None:
        raise ConfigError(f"There is no backup in {folder} yet; 'smsengine run' makes one a day.")
    age = engine.clock.now() - newest
    if age > _NEWEST_BACKUP:
        raise ConfigError(
            f"The newest backup in {folder} is {age.days} days old; look at the log of"
            " 'smsengine run'."
        )
    return f"the newest in {folder} is of {newest:%d/%m/%Y %H:%M}"


def upkeep(engine: Engine) -> str:
    """Whether the daemon does its duties.

    Raises:
        CautionError: no daemon has worked on this ledger yet.
        ConfigError: one failed, or was not done for long.
    """
    now = engine.clock.now()
    with engine.store.read() as connection:
        known = duties.last(connection)
    expected = {duty.name: duty for duty in ledger_duties(engine)}
    done = {name: each for name, each in known.items() if name in expected}
    if not done:
        raise CautionError(
            "nothing is done by itself yet: no 'smsengine run' has worked on this ledger"
        )
    failed = [f"{name} {each.said}" for name, each in done.items() if each.said[:6] == "failed"]
    late = [
        f"{name} was last done {each.at.astimezone(VIETNAM):%d/%m/%Y %H:%M}"
        for name, each in done.items()
        if now - each.at > 2 * expected[name].every
    ]
    if late:
        raise ConfigError(f"Is 'smsengine run' at work? {'; '.join(late)}.")
    if failed:
        raise ConfigError(f"{'; '.join(failed)}")
    return f"all {len(done)} duties are done in time"


def retention(engine: Engine) -> str:
    """How long personal data is kept, and how many runs are due to lose theirs."""
    kept = engine.settings.retention
    with engine.store.read() as connection:
        due = len(purging.due(connection, kept_until(kept, engine.clock.now())))
    said = f"texts {kept.texts}, skips {kept.skips}"
    return said + (f"; {due} runs are older and hold some yet" if due else "")


def holidays(engine: Engine) -> str:
    """The next working day, and in December whether next year's are known.

    Raises:
        RefusedError: this year's are not known.
        CautionError: next year's are not.
    """
    today = engine.clock.now().astimezone(VIETNAM).date()
    said = f"next working day is {engine.workdays.next_working_day(today)}"
    if today.month == _DECEMBER:
        try:
            engine.workdays.is_working_day(date(today.year + 1, 1, 2))
        except RefusedError as error:
            raise CautionError(f"{said}; {error}") from error
    return said


def next_runs(engine: Engine) -> str:
    """Which jobs are due next.

    Raises:
        CautionError: none is.
    """
    fires = read_roster(engine).next_fires(engine.clock.now())
    if not fires:
        raise CautionError("no job is due at any time")
    first = sorted(fires.items(), key=lambda each: each[1])
    said = ", ".join(f"{name} {_local(at)}" for name, at in first[:_SHOWN_RUNS])
    more = len(first) - _SHOWN_RUNS
    return said + (f", and {more} more" if more > 0 else "")


def last_cost(engine: Engine, name: str, gateway: Gateway) -> str:
    """What the dearest job of a gateway cost the last time, where the gateway says what is left.

    Raises:
        GatewayError: less is left, or it cannot be told.
    """
    cost = _dearest(engine, name) if gateway.capabilities.has_balance else None
    if cost is None:
        return ""
    left = gateway.balance()
    if left.currency == "VND" and left.amount < cost:
        raise GatewayError(
            f"{money(left.amount)} dong are left, and the last run cost {money(cost)}; pay in more."
        )
    return f"; the last run cost {money(cost)} dong"


def _dearest(engine: Engine, gateway: str) -> int | None:
    """The highest of what the last whole runs of the jobs of a gateway cost."""
    jobs = read_roster(engine).jobs
    users = [
        name
        for name, job in jobs.items()
        if gateway in engine.route(job.loaded.job.gateway).gateways
    ]
    with engine.store.read() as connection:
        costs = [concerns.last_cost(connection, name) for name in users]
    return max((cost for cost in costs if cost is not None), default=None)


def _local(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%d/%m/%Y %H:%M}"
