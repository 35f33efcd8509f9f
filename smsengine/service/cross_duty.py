"""Every morning: match, write yesterday's report, and tell the office what is open for long."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from smsengine.clock import VIETNAM
from smsengine.payments import cross_sheet
from smsengine.payments.remittance import Kind
from smsengine.service import alarming
from smsengine.service.alarming import Kept
from smsengine.service.bootstrap import Engine
from smsengine.service.cross_checking import CrossCheck
from smsengine.text.numerals import money

_DAY = timedelta(days=1)


def daily(engine: Engine, now: datetime) -> str:
    """Do it; says in a few words what came of it."""
    check = CrossCheck(engine)
    done = check.match()
    today = now.astimezone(VIETNAM).date()
    _write(engine, check, today - _DAY)
    kept = kept_too_long(check, today)
    over = check.settings.tell_over
    if kept.payments > over.payments or (over.amount is not None and kept.amount > over.amount):
        with engine.store.write() as connection:
            alarming.kept_back(kept, today).sound(connection, now)
    said = f"{done.by_code} lines matched by code, {done.by_amount} by amount"
    return f"{said}; {kept.payments} payments of {money(kept.amount)} đồng are open for long"


def _write(engine: Engine, check: CrossCheck, day: date) -> None:
    folder = engine.folder / check.settings.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    cross_sheet.write(
        folder / f"cross-check-{day}.xlsx",
        check.table(day, day),
        title=f"Đối chiếu ngày {day:%d/%m/%Y}",
        findings=check.findings(day),
        strays=check.strays(day),
    )


def kept_too_long(check: CrossCheck, today: date) -> Kept:
    """What has been open for longer than the configuration allows."""
    days = check.settings.tell_over.days
    payments = amount = 0
    organisations = set[str]()
    for found in check.findings(today - _DAY * (days + 1)):
        if found.open and found.kind in (Kind.OPEN, Kind.SHORT, Kind.CHANGED):
            payments += 1
            amount += found.open
            organisations.add(found.organisation)
    return Kept(
        payments=payments,
        amount=amount,
        days=days,
        organisations=tuple(sorted(organisations)),
        newest=check.newest_day(),
    )
