"""The daily tables by the clock: made at their hours, delivered, told of where they are late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.service import alarming
from smsengine.service.alarming import News
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_delivering import Came, Courier
from smsengine.service.daily_tables import DailyTables, Files
from smsengine.service.duties import Duty
from smsengine.store import daily_deliveries, daily_tables
from smsengine.store.daily_tables import Made

_EVERY = timedelta(minutes=1)
#: Other duties are not kept waiting for longer; the next minute goes on.
_WITHIN = timedelta(minutes=2)
_DAY = timedelta(days=1)
_MOST_NAMES = 5


def duties(engine: Engine) -> list[Duty]:
    """What is done for whoever collects; nothing where nobody does."""
    if not engine.settings.payments.organisations:
        return []
    return [
        Duty(name="daily tables", every=_EVERY, do=partial(_make, engine)),
        Duty(name="table deliveries", every=_EVERY, do=partial(_deliver, engine)),
    ]


def _make(engine: Engine, now: datetime) -> str:
    """Make what is due, and deliver it from the files that are there anyway."""
    tables = DailyTables(engine)
    if not tables.is_due(now):
        return "none due"
    courier, clock = Courier(engine, tables), engine.clock
    ends = clock.monotonic() + _WITHIN.total_seconds()

    def bring(made: Sequence[Made], files: Files) -> None:
        """Where servers are slow, tables are made first and delivered by the next minutes."""
        numbers = [each.id for each in made]
        left = timedelta(seconds=ends - clock.monotonic())
        courier.deliver_due(files=files, table_ids=numbers, within=left)

    return f"{len(tables.make_all(tables.closing_day(now), then=bring))} made"


def _deliver(engine: Engine, _now: datetime) -> str:
    came: Came = Courier(engine, DailyTables(engine)).deliver_due(within=_WITHIN)
    return f"{came.arrived} arrived, {came.failed} to be tried again"


def late(engine: Engine, connection: Connection, now: datetime) -> Iterator[News]:
    """Tables that are not there though it is time."""
    settings = engine.settings.payments
    local = now.astimezone(VIETNAM)
    alarm = datetime.combine(local.date(), settings.table.alarm, VIETNAM)
    if not settings.organisations or local < alarm:
        return
    day = local.date() - _DAY
    because = _lacking(connection, day, alarm)
    if because:
        yield alarming.tables_late(day, because)


def _lacking(connection: Connection, day: date, alarm: datetime) -> str:
    """What is not there; empty where all is."""
    cut = daily_tables.last_cut(connection)
    if cut is None or cut.day < day:
        begun = daily_tables.first_recorded_at(connection)
        is_owed = cut is not None or (begun is not None and begun.astimezone(VIETNAM).date() <= day)
        return "they are not made." if is_owed else ""
    # What is made after the alarm's hour has its own time.
    still = daily_deliveries.still_open(connection, made_before=alarm)
    if not still:
        return ""
    number = sum(each.number for each in still)
    names = list(dict.fromkeys(each.organisation for each in still))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    are = "1 delivery is" if number == 1 else f"{number} deliveries are"
    return f"{are} open, for {', '.join(names[:_MOST_NAMES])}{more}."
