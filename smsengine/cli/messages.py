"""``smsengine messages``."""

from __future__ import annotations

from typing import Any

import click

from smsengine.cli.options import as_json, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import local_time
from smsengine.errors import UsageError
from smsengine.phone import PhoneBook, mask
from smsengine.service.bootstrap import Engine
from smsengine.store import attempts, receipts, skips
from smsengine.store import messages as stored


@click.group()
def messages() -> None:
    """Find out what somebody was told."""


@messages.command()
@click.argument("wanted", metavar="SUBJECT|PHONE")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@as_json
@with_engine
def find(engine: Engine, wanted: str, limit: int, *, as_json: bool) -> None:
    """Everything about a facility, employer or phone number, newest first."""
    phones = [
        phone for phone in engine_book(engine).parse(wanted) if not isinstance(phone, Exception)
    ]
    address = phones[0].e164 if phones else ""
    with engine.store.read() as connection:
        found = list(stored.find(connection, subject=wanted, limit=limit))
        if address and not found:
            found = list(stored.find(connection, address=address, limit=limit))
        skipped = list(skips.find(connection, wanted, limit))
    if as_json:
        for row in found:
            say_json(_facts(row))
        for row in skipped:
            say_json(
                {
                    "run": row["run_id"],
                    "job": row["job"],
                    "period": row["period"],
                    "subject": row["subject"],
                    "state": "skipped",
                    "reason": row["reason"],
                    "detail": row["detail"],
                }
            )
        return
    if not found and not skipped:
        say(f"Nothing is known about {wanted!r}.")
        return
    rows = [
        (
            row["id"],
            row["job"],
            row["period"],
            row["subject"],
            mask(row["address"]),
            row["state"],
            local_time(row["settled_at"]),
        )
        for row in found
    ]
    rows += [
        (
            "",
            row["job"],
            row["period"],
            row["subject"],
            "",
            f"skipped: {row['reason']}",
            row["detail"],
        )
        for row in skipped
    ]
    table(("message", "job", "period", "subject", "phone", "state", "when or why"), rows)


def engine_book(engine: Engine) -> PhoneBook:
    """The phone rules of this installation."""
    return PhoneBook(engine.settings.phones.extra_prefixes)


def _facts(row: Any) -> dict[str, object]:
    return {
        "message": row["id"],
        "run": row["run_id"],
        "job": row["job"],
        "period": row["period"],
        "revision": row["revision"],
        "subject": row["subject"],
        "phone": mask(row["address"]),
        "state": row["state"],
        "text": row["text"],
        "segments": row["segments"],
        "settled_at": row["settled_at"],
    }


@messages.command()
@click.argument("message_id", type=int, metavar="MESSAGE")
@as_json
@with_engine
def show(engine: Engine, message_id: int, *, as_json: bool) -> None:
    """One message: its text, every hand-over, every receipt."""
    with engine.store.read() as connection:
        row = stored.get(connection, message_id)
        if row is None:
            raise UsageError(f"There is no message {message_id}.")
        tried = attempts.attempts_of(connection, message_id)
        heard = receipts.of_message(connection, message_id)
    if as_json:
        say_json(
            _facts(row)
            | {
                "attempts": [dict(attempt) for attempt in tried],
                "receipts": [dict(receipt) for receipt in heard],
            }
        )
        return
    say(f"Message {row['id']}: {row['job']} {row['period']}, {row['state']}", style="bold")
    say(
        f"{row['subject']} to {mask(row['address'])}, edition {row['revision']}, row"
        f" {row['row_number']} of run {row['run_id']}"
    )
    if row["replaces_id"]:
        say(f"Replaces message {row['replaces_id']}: {row['reason']}")
    say(f"  {row['text']}")
    history = [
        (
            local_time(a["started_at"]),
            f"attempt {a['number']} through {a['gateway']}",
            a["outcome"] or "open",
            f"{a['code'] or ''} {a['detail'] or ''}".strip(),
        )
        for a in tried
    ] + [(local_time(r["received_at"]), "receipt", r["status"], r["code"]) for r in heard]
    table(("when", "what", "outcome", "detail"), history)
