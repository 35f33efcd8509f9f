"""``smsengine payments``."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any, TextIO

import click

from smsengine.cli.cross_check import cross_check, fund
from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import say, say_json
from smsengine.cli.show import counted
from smsengine.config.payment_api import ApiKey
from smsengine.errors import RefusedError, UsageError
from smsengine.payments.codes import shown
from smsengine.payments.payment import Payment
from smsengine.payments.taking import Bad, Taken
from smsengine.reports.exports import harmless
from smsengine.service.api.keys import make_key
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.service.people import own_account
from smsengine.text.numerals import money

a_needed_reason = click.option("--reason", required=True, help="Why; kept in the ledger.")


@click.group()
def payments() -> None:
    """Payments that people hand to collectors: each is confirmed by a code."""


@payments.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--bad",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file for rows that were not recorded; default: NAME.bad.csv beside FILE.",
)
@click.option("--rows", type=click.IntRange(min=0), help="How many rows FILE must have.")
@click.option("--amount", type=click.IntRange(min=0), help="Their sum in đồng.")
@as_json
@with_engine
def import_(
    engine: Engine,
    file: Path,
    bad: Path | None,
    rows: int | None,
    amount: int | None,
    *,
    as_json: bool,
) -> None:
    """Record the payments of FILE, CSV or XLSX.

    The good rows are recorded, the bad ones come back in a file with their reasons. A file that is
    taken again records nothing twice. With --rows and --amount a file that is not whole is refused.
    """
    bad = bad or _free(file)
    if bad.exists():
        raise UsageError(f"{bad} is there already; name another file with --bad.")
    with _bad_rows(bad) as tell:
        taken = Paying(engine).take_file(
            file, by=own_account(), tell=tell, rows=rows, amount=amount
        )
    _show_taken(taken, bad, as_json=as_json)
    finish(Exit.LOOK if taken.bad else Exit.DONE)


class _BadRows:
    """Writes bad rows into a new file, which only its owner reads; none where there are none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __call__(self, header: Sequence[str], bad: Bad) -> None:
        if self._file is None:
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = open(number, "w", encoding="utf-8-sig", newline="")  # noqa: SIM115
            csv.writer(self._file).writerow([*header[: self._width(header)], "row", "why"])
        cells = [harmless(cell) for cell in bad.cells[: self._width(header)]]
        csv.writer(self._file).writerow([*cells, bad.number, bad.why])

    @staticmethod
    def _width(header: Sequence[str]) -> int:
        """How many columns are the file's own: one of bad rows that was mended has two more."""
        return len(header) - 2 * (tuple(header[-2:]) == ("row", "why"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _free(file: Path) -> Path:
    """A name that is not taken: in a file of before somebody may have mended rows."""
    names = (f"{file.stem}.bad{f'-{number}' if number else ''}.csv" for number in count())
    return next(path for name in names if not (path := file.with_name(name)).exists())


@contextmanager
def _bad_rows(path: Path) -> Iterator[_BadRows]:
    rows = _BadRows(path)
    try:
        yield rows
    finally:
        rows.close()


def _show_taken(taken: Taken, bad: Path, *, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "new": taken.new,
                "known": taken.known,
                "bad": taken.bad,
                "amount": taken.amount,
                "warnings": taken.warnings,
                "first_warnings": taken.first_warnings,
                "bad_rows": str(bad) if taken.bad else None,
            }
        )
        return
    are = counted(taken.new, "payment is recorded", "payments are recorded")
    say(f"{are}, {money(taken.amount)} đồng; {money(taken.known)} were known.")
    if taken.warnings:
        say(
            f"{counted(taken.warnings, 'warning', 'warnings')}, e.g. {taken.first_warnings[0]}",
            style="yellow",
        )
    if taken.bad:
        say(
            f"{counted(taken.bad, 'row was', 'rows were')} not recorded; they stand in {bad} with"
            " their reasons. Mend them there and import that file.",
            style="yellow",
        )


@payments.command()
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
@click.option("--correct", is_flag=True, help="In place of what its receipt said before.")
@click.option("--reason", default="", help="Why it is corrected; kept in the ledger.")
@click.option("--replaces", default="", help="The code that it takes the place of.")
@as_json
@with_engine
def record(
    engine: Engine, file: TextIO, *, correct: bool, reason: str, replaces: str, as_json: bool
) -> None:
    """Record one payment: a JSON object in FILE or on the standard input.

    Its keys are organisation, receipt, name, insurance_number, type, amount, months, paid_on, and
    where they are known from_day, to_day, phone, email, staff, staff_name and code.
    """
    paying = Paying(engine)
    payment, warnings = _payment(paying, file)
    if correct:
        result = paying.correct(payment, reason=reason, by=own_account(), replaces=replaces)
    else:
        (result,) = paying.record([payment], own_account())
    if result.refused:
        raise RefusedError(result.refused)
    if as_json:
        say_json({"code": shown(result.code), "is_new": result.is_new, "warnings": warnings})
        return
    for said in warnings:
        say(said, style="yellow")
    say(f"{shown(result.code)}" + ("" if result.is_new else " (known before)"), style="bold")


def _payment(paying: Paying, file: TextIO) -> tuple[Payment, list[str]]:
    try:
        given: Any = json.load(file)
    except ValueError as error:
        raise UsageError(f"{file.name}: is no JSON: {error}.") from error
    if not isinstance(given, Mapping):
        raise UsageError(f"{file.name}: must be one JSON object.")
    read = paying.reader().read(given)
    if read.payment is None:
        raise UsageError(" ".join(read.faults))
    return read.payment, read.warnings


@payments.command()
@click.argument("organisation")
@click.argument("receipt")
@a_needed_reason
@as_json
@with_engine
def cancel(engine: Engine, organisation: str, receipt: str, reason: str, *, as_json: bool) -> None:
    """Say that the payment with this RECEIPT of ORGANISATION is void; its payer is told."""
    code = Paying(engine).cancel(organisation, receipt, reason=reason, by=own_account())
    if as_json:
        say_json({"code": shown(code), "cancelled": True})
    else:
        say(f"{shown(code)} is cancelled.")


@payments.command()
@click.argument("code")
@click.argument("digits")
@as_json
@with_engine
def lookup(engine: Engine, code: str, digits: str, *, as_json: bool) -> None:
    """What there is under CODE; DIGITS are the last four of the insurance number or the phone."""
    paying = Paying(engine)
    found = paying.look_up(code, digits)
    if found is None:
        raise UsageError("There is no such code with these digits.")
    settings = paying.settings
    facts: dict[str, object] = {
        "code": found.code,
        "name": found.name,
        "paid_on": found.paid_on,
        "amount": found.amount,
        "type": settings.type_name(found.type),
        "months": found.months,
        "organisation": settings.organisation_name(found.organisation),
        "status": found.status,
    }
    if as_json:
        say_json(facts)
        return
    for name, value in facts.items():
        said = f"{value:%d/%m/%Y}" if isinstance(value, date) else str(value)
        say(f"{name}: {money(found.amount) + ' đồng' if name == 'amount' else said}")


@payments.command()
@click.argument("code")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The PDF file; a new one.",
)
@with_engine
def receipt(engine: Engine, code: str, out: Path) -> None:
    """Write the paper for CODE: an A5 page with full accents and a QR code."""
    if out.exists():
        raise UsageError(f"{out} is there already; name another file with --out.")
    page = Paying(engine).paper(code)
    number = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(number, "wb") as file:
        file.write(page)
    say(f"{out} is written.")


@payments.command()
@as_json
def key(*, as_json: bool) -> None:
    """Make a key for the program of an organisation; it is shown once, and stands nowhere.

    The line with its hash belongs below the keys of the organisation in config.yaml; the key goes
    to whoever runs the program.
    """
    made, hash_ = make_key()
    if as_json:
        say_json({"key": made, "hash": hash_})
        return
    entry = ApiKey(hash=hash_)
    say(f"The key: {made}", style="bold")
    say("For config.yaml, below payments: organisations: CODE: keys:")
    say(f"  - {{hash: {hash_}, scopes: [{', '.join(entry.scopes)}], rate: {entry.rate}}}")


@payments.command()
@as_json
@with_engine
def verify(engine: Engine, *, as_json: bool) -> None:
    """Prove that nothing in the book of payments was changed or taken out."""
    held, broken = Paying(engine).verify()
    if as_json:
        say_json({"rows": held, "broken_at": broken})
    elif broken is None:
        say(f"{counted(held, 'entry holds', 'entries hold')}.", style="green")
    else:
        say(f"Entry {broken} is not as it was written; {money(held)} before it hold.", style="red")
    finish(Exit.DONE if broken is None else Exit.LOOK)


for command in (fund, cross_check):
    payments.add_command(command)
