"""``smsengine payments fund`` and ``smsengine payments cross-check``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import click

from smsengine.cli.options import Exit, PeriodType, as_json, finish, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import counted
from smsengine.errors import UsageError
from smsengine.payments import cross_sheet
from smsengine.payments.cross_report import Finding, Stray, Table
from smsengine.payments.remittance import Sums
from smsengine.period import Period, Unit
from smsengine.service.bootstrap import Engine
from smsengine.service.cross_checking import CrossCheck
from smsengine.service.people import own_account
from smsengine.text.numerals import money

_SHOWN = 50
_DAY = timedelta(days=1)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
@with_engine
def fund(engine: Engine, file: Path, *, as_json: bool) -> None:
    """Take what the fund got from FILE: a bank statement or a ledger, CSV, XLSX or MT940 (.sta).

    All of it is taken, or nothing, where a line is broken. What was taken before changes nothing.
    Each amount is matched with the payment that it is about.
    """
    check = CrossCheck(engine)
    taken = check.take(file, by=own_account())
    done = check.match()
    if as_json:
        say_json({**asdict(taken), **asdict(done)})
        return
    are = counted(taken.new, "amount is new", "amounts are new")
    say(f"{are}, {money(taken.amount)} đồng; {money(taken.known)} were known.")
    if taken.passed_over:
        out = counted(taken.passed_over, "amount that went out is", "amounts that went out are")
        say(f"{out} passed over.")
    say(f"Matched: {money(done.by_code)} by code, {money(done.by_amount)} by amount.")


@click.command("cross-check")
@click.option("--day", type=PeriodType(), help="Payments up to this day; default: yesterday.")
@click.option("--month", type=PeriodType(), help="The sums of a month instead.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="A workbook .xlsx for the rest."
)
@click.option("--memos", is_flag=True, help="With the texts of transfers: they name persons.")
@as_json
@with_engine
def cross_check(
    engine: Engine,
    day: Period | None,
    month: Period | None,
    out: Path | None,
    *,
    memos: bool,
    as_json: bool,
) -> None:
    """Compare what collectors took with what the fund got.

    Without --month: every payment up to a day that is not as it should be now, every amount of the
    fund that nobody knows, and the sums of that day. Ends with code 1 where there is any.
    """
    check = CrossCheck(engine)
    check.match()
    report = _report(engine, check, day, month, memos=memos)
    if out is not None:
        cross_sheet.write(
            out,
            report.table,
            title=f"Đối chiếu {report.name}",
            findings=report.findings(),
            strays=report.strays(),
        )
    is_clean = _show_json(report) if as_json else _show(report, out)
    if check.lateness.unknown_years:
        years = ", ".join(map(str, sorted(check.lateness.unknown_years)))
        say(
            f"The holidays of {years} are not known, so late was counted without them.",
            style="yellow",
            stderr=True,
        )
    finish(Exit.DONE if is_clean else Exit.LOOK)


@dataclass(frozen=True, kw_only=True)
class _Report:
    """What is shown; ``day`` is None for a month, which has sums only."""

    check: CrossCheck
    name: str
    day: date | None
    table: Table
    newest: date | None
    memos: bool

    def findings(self) -> Iterator[Finding]:
        return iter(()) if self.day is None else self.check.findings(self.day)

    def strays(self) -> Iterator[Stray]:
        if self.day is None:
            return iter(())
        return self.check.strays(self.day, with_memo=self.memos)


def _report(
    engine: Engine, check: CrossCheck, day: Period | None, month: Period | None, *, memos: bool
) -> _Report:
    if day is not None and month is not None:
        raise UsageError("Name a day or a month, not both.")
    yesterday = engine.today - _DAY
    if month is None:
        first = last = _of(day, Unit.DAY).first_day if day else yesterday
        name = f"{first:%d/%m/%Y}"
    else:
        first, last = _of(month, Unit.MONTH).first_day, min(month.last_day, yesterday)
        name = f"{first:%m/%Y}"
    return _Report(
        check=check,
        name=name,
        day=first if month is None else None,
        table=check.table(first, last),
        newest=check.newest_day(),
        memos=memos,
    )


def _of(period: Period, unit: Unit) -> Period:
    if period.unit is not unit:
        raise UsageError("Write a day as 2026-11-24 and a month as 2026-11.")
    return period


def _show_json(report: _Report) -> bool:
    found, strays = list(report.findings()), list(report.strays())
    say_json(
        {
            "about": str(report.day or report.name),
            "fund_until": report.newest,
            "exceptions": [asdict(each) for each in found],
            "unknown_lines": [asdict(each) for each in strays],
            "shares": [
                {**asdict(share), "sums": asdict(share.sums)} for share in report.table.shares
            ],
            "total": asdict(report.table.total),
        }
    )
    return _is_clean(report, bool(found or strays))


def _is_clean(report: _Report, has_any: bool) -> bool:
    return not has_any and (report.day is not None or not report.table.total.open)


def _show(report: _Report, out: Path | None) -> bool:
    newest = f"goes to {report.newest:%d/%m/%Y}" if report.newest else "was never taken"
    say(f"Cross-check {report.name}; what the fund got {newest}.", style="bold")
    found = _show_some(
        "payments that are not as they should be",
        ("what", "organisation", "staff", "receipt", "paid on", "paid", "got", "open", "days"),
        map(_finding_cells, report.findings()),
        out,
    )
    found |= _show_some(
        "amounts of the fund that nobody knows",
        ("day", "amount", "organisation", "reference", "text", "why", "days"),
        map(_stray_cells, report.strays()),
        out,
    )
    _show_sums(report.table)
    return _is_clean(report, found)


def _show_some(
    title: str, header: Sequence[str], rows: Iterator[Sequence[object]], out: Path | None
) -> bool:
    """The first rows as a table, and how many more there are; False where there are none."""
    some = list(islice(rows, _SHOWN))
    more = sum(1 for _ in rows)
    if some:
        table(header, some, title=title, right="paid,got,open,amount,days")
    if more:
        where = f"they stand in {out}" if out else "see all with --out FILE"
        say(f"{money(more)} more; {where}.", style="yellow")
    return bool(some)


def _finding_cells(found: Finding) -> Sequence[object]:
    return (
        found.kind,
        found.organisation,
        found.staff,
        found.receipt,
        f"{found.paid_on:%d/%m/%Y}",
        money(found.paid),
        money(found.got),
        money(found.open),
        found.age,
    )


def _stray_cells(stray: Stray) -> Sequence[object]:
    return (
        f"{stray.day:%d/%m/%Y}",
        money(stray.amount),
        stray.organisation,
        stray.reference,
        " ".join(stray.memo.split()),
        stray.why,
        stray.age,
    )


def _show_sums(given: Table) -> None:
    rows = [
        (share.organisation, share.staff, *_sum_cells(share.sums))
        for share in islice(given.shares, _SHOWN)
    ]
    rows.append(("all", "", *_sum_cells(given.total)))
    header = ("organisation", "staff", "payments", "paid", "remitted", "open", "late")
    ages = ("1 day", "2-3", "4-7", "over 7")
    table(
        (*header, *ages),
        rows,
        title="paid = remitted + open, đồng; open by days",
        right=",".join((*header[2:], *ages)),
    )
    if len(given.shares) > _SHOWN:
        say(f"{money(len(given.shares) - _SHOWN)} more members of staff; see --out FILE.")


def _sum_cells(sums: Sums) -> Iterable[str]:
    figures = (sums.payments, sums.paid, sums.remitted, sums.open, sums.late)
    return map(money, (*figures, *sums.open_by_age))
