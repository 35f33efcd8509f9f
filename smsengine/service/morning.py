"""The morning report: told every day, also when nothing happened, so that silence means something.

It is an alarm like any other: it is written once a day by whoever leads, and told until somebody
was told.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.config.job import LoadedJob
from smsengine.errors import SmsEngineError
from smsengine.lifecycle import Grade
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import Duty
from smsengine.service.in_force import all_in_force
from smsengine.service.morning_report import Account, Late, Report, RunLine, render
from smsengine.service.telling import MORNING_REPORT
from smsengine.store import alarms, concerns, duties, lanes, messages, runs, watched
from smsengine.store.alarms import Alarm
from smsengine.store.concerns import Waiting

_DAY = timedelta(days=1)
#: A receipt that did not come within a day of runs that are no older than this is overdue.
_RECEIPTS_OF = timedelta(days=10)
_RECEIPT_DUE = _DAY


def compose(
    engine: Engine,
    now: datetime,
    *,
    next_fires: Mapping[str, datetime],
    broken: Mapping[str, str],
) -> Report:
    """Look at everything; asks gateways what is left, which takes a while when they are away.

    Args:
        engine: the installation.
        now: the present (UTC).
        next_fires: when each job is due next (UTC), by its name.
        broken: why a job cannot be read, by its name.
    """
    jobs = _jobs(engine)
    accounts, with_receipts = _ask_gateways(engine, jobs, next_fires)
    with engine.store.read() as connection:
        since = alarms.newest_at(connection, MORNING_REPORT) or now - _DAY
        before = now - engine.settings.alerts.unknown_after
        receipts = concerns.without_receipt(
            connection, with_receipts, after=now - _RECEIPTS_OF, before=now - _RECEIPT_DUE
        )
        return Report(
            at=now,
            since=since,
            runs=[
                RunLine(run=run, states=messages.states(connection, run.id))
                for run in concerns.touched_since(connection, since)
            ],
            waits=[each for each in watched.all_jobs(connection).values() if each.waits_for],
            broken=broken,
            unknown_after=engine.settings.alerts.unknown_after,
            unknowns=_late(connection, concerns.unknowns(connection, before=before)),
            receipts=_late(connection, receipts),
            lanes=[lanes.get(connection, name) for name in engine.settings.gateways],
            accounts=accounts,
            next_fires=next_fires,
            titles={name: loaded.job.title for name, loaded in jobs.items()},
            alarms=[each for each in alarms.since(connection, since) if not _is_report(each)],
            untold=alarms.count_untold(connection, tries=1),
            duties=duties.last(connection),
            free_bytes=shutil.disk_usage(engine.folder).free,
        )


def _is_report(alarm: Alarm) -> bool:
    return alarm.key.startswith(MORNING_REPORT)


def _late(connection: Connection, found: Sequence[Waiting]) -> list[Late]:
    return [
        Late(run=run, found=each)
        for each in found
        if (run := runs.get(connection, each.run_id)) is not None
    ]


def _jobs(engine: Engine) -> dict[str, LoadedJob]:
    """Every job that may be sent and can be read."""
    found = all_in_force(engine)
    return {name: loaded for name, loaded in found if isinstance(loaded, LoadedJob)}


# -- gateways --------------------------------------------------------------------------------------


def _ask_gateways(
    engine: Engine, jobs: Mapping[str, LoadedJob], next_fires: Mapping[str, datetime]
) -> tuple[list[Account], list[str]]:
    """What is left at each gateway that says so, and the gateways that have receipts."""
    accounts, with_receipts = [], []
    for name in engine.settings.gateways:
        try:
            with closing(engine.gateway(name)) as gateway:
                if gateway.capabilities.has_receipts:
                    with_receipts.append(name)
                balance = gateway.balance() if gateway.capabilities.has_balance else None
        except (SmsEngineError, OSError) as error:
            accounts.append(Account(gateway=name, balance=None, fault=str(error)))
            continue
        if balance is not None:
            job, estimate = _estimate(engine, name, jobs, next_fires)
            accounts.append(
                Account(gateway=name, balance=balance, fault="", job=job, estimate=estimate)
            )
    return accounts, with_receipts


def _estimate(
    engine: Engine, gateway: str, jobs: Mapping[str, LoadedJob], next_fires: Mapping[str, datetime]
) -> tuple[str, int | None]:
    """The next job that uses a gateway, and what its last whole run cost."""
    users = {name: at for name, at in next_fires.items() if _uses(engine, jobs.get(name), gateway)}
    if not users:
        return "", None
    job = min(users, key=users.__getitem__)
    with engine.store.read() as connection:
        return job, concerns.last_cost(connection, job)


def _uses(engine: Engine, loaded: LoadedJob | None, gateway: str) -> bool:
    return loaded is not None and gateway in engine.route(loaded.job.gateway).gateways


# -- the duty --------------------------------------------------------------------------------------


def morning_duty(
    engine: Engine,
    *,
    next_fires: Callable[[datetime], Mapping[str, datetime]],
    broken: Callable[[], Mapping[str, str]],
) -> Duty:
    """Write the report down once a day, to be told.

    Args:
        engine: the installation.
        next_fires: when each job is due next after an instant.
        broken: why a job cannot be read, by its name.
    """
    begins = engine.settings.alerts.morning

    def do(now: datetime) -> str:
        report = compose(engine, now, next_fires=next_fires(now), broken=broken())
        local = now.astimezone(VIETNAM)
        day = local.date() - (_DAY if local.time() < begins else timedelta(0))
        return "written" if write(engine, report, day) else "was written before"

    return Duty(name="morning report", do=do, at=begins)


def write(engine: Engine, report: Report, day: date) -> bool:
    """Write a report down, to be told; False when that day has one."""
    with engine.store.write() as connection:
        return alarms.sound(
            connection,
            key=f"{MORNING_REPORT}{day}",
            at=report.at,
            grade=Grade.WARNING,
            text=render(report),
        )
