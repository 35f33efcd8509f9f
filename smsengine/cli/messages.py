"""``smsengine messages``."""

from __future__ import annotations

from collections.abc import Sequence

import click
from sqlalchemy import RowMapping

from smsengine import mailbox
from smsengine.cli.options import Exit, a_reason, as_json, finish, with_engine, yes
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import counted, local_time
from smsengine.errors import UsageError
from smsengine.lifecycle import MessageState
from smsengine.mailbox import Mailbox
from smsengine.phone import Phone, PhoneBook, mask
from smsengine.receipts import resolving
from smsengine.reports.exports import PURGED
from smsengine.service.bootstrap import Engine
from smsengine.service.people import own_account
from smsengine.store import attempts, receipts, runs, skips
from smsengine.store import messages as stored


@click.group()
def messages() -> None:
    """Find out what somebody was told, and settle what is in doubt."""


@messages.command()
@click.argument("wanted", metavar="SUBJECT|PHONE|EMAIL")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@as_json
@with_engine
def find(engine: Engine, wanted: str, limit: int, *, as_json: bool) -> None:
    """Everything about a facility, employer, phone number or e-mail address, newest first."""
    with engine.store.read() as connection:
        found = list(stored.find(connection, subject=wanted, limit=limit))
        address = _address(engine, wanted)
        if address and not found:
            found = list(stored.find(connection, address=address, limit=limit))
        skipped = list(skips.find(connection, wanted, limit))
    if as_json:
        for row in found:
            say_json(_facts(row))
        for row in skipped:
            say_json(_skip_facts(row))
    elif not found and not skipped:
        say(f"Nothing is known about {wanted!r}.")
    else:
        _show_found(found, skipped)


def _address(engine: Engine, wanted: str) -> str:
    """The phone number that is meant, as E.164, or the e-mail address; empty for none."""
    if "@" in wanted:
        found = mailbox.parse(wanted)
        return next((each.address for each in found if isinstance(each, Mailbox)), "")
    book = PhoneBook(engine.settings.phones.extra_prefixes)
    phones = [phone for phone in book.parse(wanted) if isinstance(phone, Phone)]
    return phones[0].e164 if phones else ""


def _show_found(found: Sequence[RowMapping], skipped: Sequence[RowMapping]) -> None:
    rows: list[tuple[object, ...]] = [
        (
            row["id"],
            row["job"],
            row["period"],
            row["subject"],
            mask(row["address"]),
            _standing(row),
            local_time(row["settled_at"]),
        )
        for row in found
    ]
    for row in skipped:
        reason = f"skipped: {row['reason']}"
        rows.append(("", row["job"], row["period"], row["subject"], "", reason, row["detail"]))
    table(("message", "job", "period", "subject", "phone", "state", "when or why"), rows)


def _standing(row: RowMapping) -> str:
    """The state of a message; of a merged one also which tells it, and that one's state."""
    if row["carrier_id"] is None:
        return str(row["state"])
    return f"told by {row['carrier_id']}: {row['carrier_state']}"


def _facts(row: RowMapping) -> dict[str, object]:
    return {
        "message": row["id"],
        "run": row["run_id"],
        "job": row["job"],
        "period": row["period"],
        "revision": row["revision"],
        "subject": row["subject"],
        "phone": mask(row["address"]) if row["address"] else "",
        "state": row["state"],
        "told_by": row["carrier_id"],
        "text": row["text"],
        "segments": row["segments"],
        "settled_at": row["settled_at"],
        "gateway": row["gateway"],
        "reference": stored.reference(bytes(row["dedup_key"]), row["revision"]),
        "gateway_id": row["gateway_id"],
        "code": row["code"],
        "detail": row["detail"],
    }


def _skip_facts(row: RowMapping) -> dict[str, object]:
    return {
        "run": row["run_id"],
        "job": row["job"],
        "period": row["period"],
        "subject": row["subject"],
        "state": "skipped",
        "reason": row["reason"],
        "detail": row["detail"],
    }


@messages.command()
@click.argument("message_id", type=click.IntRange(1, 2**62), metavar="MESSAGE")
@as_json
@with_engine
def show(engine: Engine, message_id: int, *, as_json: bool) -> None:
    """One message: its text, every hand-over, every receipt."""
    with engine.store.read() as connection:
        row = stored.get(connection, message_id)
        if row is None:
            raise UsageError(f"There is no message {message_id}.")
        carried = stored.carried(connection, message_id)
        tried = attempts.attempts_of(connection, message_id)
        heard = receipts.of_message(connection, message_id)
    if as_json:
        history = {
            "tells": [*carried],
            "attempts": [*map(dict, tried)],
            "receipts": [*map(dict, heard)],
        }
        say_json(_facts(row) | history)
    else:
        _show_message(row)
        if carried:
            say(f"Tells {len(carried)} subjects: {', '.join(carried)}")
        _show_history(tried, heard)


@messages.command()
@click.argument("message_ids", nargs=-1, type=click.IntRange(1, 2**62), metavar="[MESSAGE]...")
@click.option("--run", "run_id", type=click.IntRange(1, 2**31), help="All unknown ones of a run.")
@click.option("--as", "as_", type=click.Choice(["sent", "not-sent"]), required=True)
@a_reason
@yes
@as_json
@with_engine
def resolve(
    engine: Engine,
    message_ids: tuple[int, ...],
    run_id: int | None,
    as_: str,
    reason: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Say what became of unknown messages, when the gateway's own books show it.

    Those that were not sent wait again, and go out when their run is sent the next time.
    """
    if not reason:
        raise UsageError("resolve needs --reason: where was it looked up?")
    if bool(message_ids) == (run_id is not None):
        raise UsageError("Name either messages or --run.")
    wanted = _of_run(engine, run_id) if run_id else tuple(dict.fromkeys(message_ids))
    if not yes and len(wanted) > 1:
        click.confirm(f"Count {len(wanted)} messages as {as_}?", abort=True, err=True)
    resolved = resolving.resolve_by_hand(
        engine.store,
        wanted,
        sent=as_ == "sent",
        reason=reason,
        actor=own_account(),
        clock=engine.clock,
    )
    left = len(wanted) - resolved
    if as_json:
        say_json({"resolved": resolved, "not_unknown": left})
    else:
        say(f"{counted(resolved, 'message is', 'messages are')} resolved as {as_}.")
    if left:
        say(f"{counted(left, 'was', 'were')} not unknown and stayed as it is.", style="yellow")
    finish(Exit.LOOK if left else Exit.DONE)


def _of_run(engine: Engine, run_id: int) -> Sequence[int]:
    with engine.store.read() as connection:
        if runs.get(connection, run_id) is None:
            raise UsageError(f"There is no run {run_id}; see 'smsengine runs list'.")
    return resolving.unknown_of(engine.store, run_id)


def _show_message(row: RowMapping) -> None:
    say(f"Message {row['id']}: {row['job']} {row['period']}, {row['state']}", style="bold")
    say(
        f"{row['subject']} to {mask(row['address'])}, edition {row['revision']}, row"
        f" {row['row_number']} of run {row['run_id']}"
    )
    if row["carrier_id"] is not None:
        say(f"Not sent itself: message {row['carrier_id']}, {row['carrier_state']}, tells it.")
    if row["state"] == MessageState.SENDING:
        say(f"Hand-over {row['attempt']} through {row['gateway']} is at work.")
    reference = stored.reference(bytes(row["dedup_key"]), row["revision"])
    named = f", the gateway calls it {row['gateway_id']}" if row["gateway_id"] else ""
    say(f"Our reference at the gateway is {reference}{named}.")
    if row["code"] or row["detail"]:
        say(f"Last word: {row['code'] or ''} {row['detail'] or ''}".rstrip())
    if row["replaces_id"]:
        say(f"Replaces message {row['replaces_id']}: {row['reason']}")
    say(f"  {row['text'] or PURGED}")


def _show_history(tried: Sequence[RowMapping], heard: Sequence[RowMapping]) -> None:
    rows = [
        (
            local_time(row["started_at"]),
            f"attempt {row['number']} through {row['gateway']}",
            row["outcome"] or "open",
            f"{row['code'] or ''} {row['detail'] or ''}".strip(),
        )
        for row in tried
    ]
    rows += [
        (local_time(row["received_at"]), "receipt", row["status"], row["code"]) for row in heard
    ]
    table(("when", "what", "outcome", "detail"), rows)
