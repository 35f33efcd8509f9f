"""``smsengine suppressions``."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, time
from pathlib import Path
from typing import NamedTuple

import click
from sqlalchemy import Connection

from smsengine.cli.options import as_json, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.clock import VIETNAM
from smsengine.config.files import read_text
from smsengine.config.job import CENTRAL
from smsengine.errors import ConfigError, RowError, UsageError
from smsengine.lifecycle import Cause, SkipReason
from smsengine.phone import Phone, PhoneBook, mask
from smsengine.service import auditing
from smsengine.service.bootstrap import Engine
from smsengine.service.people import own_account, whoever
from smsengine.store import outbox
from smsengine.store import suppressions as stored

_COLUMNS = ("phone", "cause", "reason", "until")
_cause = click.option(
    "--cause",
    type=click.Choice([each.value for each in Cause]),
    default=Cause.ASKED.value,
    show_default=True,
    help="Why it is left alone.",
)
_office = click.option(
    "--office",
    default="central",
    show_default=True,
    help="Whose list: central is everybody's.",
)


class _Entry(NamedTuple):
    phone: Phone
    cause: Cause
    reason: str
    until: datetime | None


@click.group()
def suppressions() -> None:
    """Phones that are left alone, by all or by one office."""


@suppressions.command()
@click.argument("phone")
@click.option("--reason", required=True, help="In a few words; kept in the ledger.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Its last day; default: for ever.")
@_cause
@_office
@with_engine
def add(
    engine: Engine, phone: str, reason: str, until: datetime | None, cause: str, office: str
) -> None:
    """Leave PHONE alone from now on."""
    entry = _Entry(_one(engine, phone), Cause(cause), reason.strip(), _end_of(until))
    if not entry.reason:
        raise UsageError("--reason is empty: why?")
    _write(engine, [entry], office)
    say(f"{mask(entry.phone.address)} is left alone from now on.")


@suppressions.command()
@click.argument("phone")
@_office
@with_engine
def remove(engine: Engine, phone: str, office: str) -> None:
    """Take PHONE off the list again."""
    _require_office(engine, office)
    found = _one(engine, phone)
    with engine.store.write() as connection:
        gone = stored.remove(connection, key=engine.key, address=found.address, office=office)
        if gone:
            _note(engine, connection, "list-removed", found, office)
    if not gone:
        raise UsageError(f"{mask(found.address)} is not on the list of {office}.")
    say(f"{mask(found.address)} is told again.")


@suppressions.command("list")
@click.option("--office", multiple=True, help="Only these offices' lists.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@as_json
@with_engine
def list_entries(engine: Engine, office: tuple[str, ...], limit: int, *, as_json: bool) -> None:
    """The newest entries; numbers are masked, and not kept."""
    with engine.store.read() as connection:
        found = stored.newest(connection, offices=office, limit=limit)
    rows = [
        (
            row["masked"],
            row["office"],
            row["cause"],
            row["reason"],
            f"{row['since'].astimezone(VIETNAM):%d/%m/%Y}",
            f"{row['until'].astimezone(VIETNAM):%d/%m/%Y}" if row["until"] else "",
            row["by"],
        )
        for row in found
    ]
    header = ("phone", "list", "cause", "reason", "since", "until", "by")
    if as_json:
        for each in rows:
            say_json(dict(zip(header, each, strict=True)))
    else:
        table(header, rows)


@suppressions.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_office
@with_engine
def import_file(engine: Engine, file: Path, office: str) -> None:
    """Leave all phones of FILE alone: a CSV with the columns phone, cause, reason and until.

    All lines are taken, or none where one is at fault.
    """
    entries = _read(engine, file)
    _write(engine, entries, office)
    say(f"{len(entries)} phones are left alone from now on.")


def _read(engine: Engine, file: Path) -> list[_Entry]:
    lines = list(csv.DictReader(read_text(file).removeprefix("\ufeff").splitlines()))
    faults, entries = [], []
    for number, line in enumerate(lines, start=2):
        try:
            entries.append(_entry(engine, line))
        except (UsageError, ValueError) as error:
            faults.append(f"{file}:{number}: {error}")
    if not lines:
        faults.append(f"{file}: holds no line; the columns are {', '.join(_COLUMNS)}.")
    if faults:
        raise ConfigError("\n".join(faults))
    return entries


def _entry(engine: Engine, line: dict[str | None, str | None]) -> _Entry:
    missing = [name for name in ("phone", "reason") if not (line.get(name) or "").strip()]
    if missing:
        raise UsageError(f"{missing[0]} is empty; the columns are {', '.join(_COLUMNS)}.")
    cause = (line.get("cause") or Cause.ASKED).strip()
    if cause not in set(Cause):
        raise UsageError(f"cause is {cause!r}; there are: {', '.join(Cause)}.")
    until = (line.get("until") or "").strip()
    try:
        day = datetime.strptime(until, "%Y-%m-%d") if until else None  # noqa: DTZ007 - a day
    except ValueError:
        raise UsageError(f"until is {until!r}; write a day such as 2027-12-31.") from None
    phone = _one(engine, str(line["phone"]))
    return _Entry(phone, Cause(cause), str(line["reason"]).strip(), _end_of(day))


def _one(engine: Engine, text: str) -> Phone:
    """The one phone that a text holds."""
    found = PhoneBook(engine.settings.phones.extra_prefixes).parse(text)
    if len(found) != 1:
        raise UsageError("needs one phone number, and one only.")
    if isinstance(found[0], RowError):
        raise UsageError(str(found[0]))
    return found[0]


def _end_of(day: datetime | None) -> datetime | None:
    """The end of a day in Vietnam (UTC)."""
    if day is None:
        return None
    return datetime.combine(day.date(), time.max, tzinfo=VIETNAM).astimezone(UTC)


def _require_office(engine: Engine, office: str) -> None:
    known = ("central", *engine.settings.offices)
    if office not in known:
        raise UsageError(f"--office is {office!r}; there are: {', '.join(known)}.")


def _write(engine: Engine, entries: list[_Entry], office: str) -> None:
    _require_office(engine, office)
    now, account = engine.clock.now(), own_account()
    with engine.store.write() as connection:
        for entry in entries:
            stored.add(
                connection,
                key=engine.key,
                address=entry.phone.address,
                office=office,
                cause=entry.cause,
                reason=entry.reason,
                by=account,
                at=now,
                until=entry.until,
            )
            _note(engine, connection, "list-added", entry.phone, office, entry.reason)
        outbox.leave_alone(
            connection,
            [each.phone.address for each in entries if each.until is None or each.until > now],
            owner=None if office == CENTRAL else office,
            code=SkipReason.SUPPRESSED,
            now=now,
        )


def _note(
    engine: Engine, connection: Connection, what: str, phone: Phone, office: str, reason: str = ""
) -> None:
    said = f"list of {office} {reason}".strip()
    auditing.note(connection, engine, whoever(), what, mask(phone.address), said)
