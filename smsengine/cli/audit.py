"""``smsengine audit``."""

from __future__ import annotations

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.clock import VIETNAM
from smsengine.service.bootstrap import Engine
from smsengine.store import audit as stored


@click.group()
def audit() -> None:
    """Who handed in, decided, refused and changed what."""


@audit.command("list")
@click.option("--about", default="", metavar="NAME", help="Only this notice or phone.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@as_json
@with_engine
def list_entries(engine: Engine, about: str, limit: int, *, as_json: bool) -> None:
    """The latest entries, newest first."""
    with engine.store.read() as connection:
        found = stored.newest(connection, subject=about, limit=limit)
    if as_json:
        for row in found:
            say_json({**row, "at": row["at"].isoformat()})
        return
    rows = [
        (
            row["id"],
            f"{row['at'].astimezone(VIETNAM):%d/%m/%Y %H:%M}",
            f"{row['actor']} ({row['account']})",
            row["what"],
            row["subject"],
            row["detail"],
        )
        for row in found
    ]
    table(("entry", "when", "who (account)", "what", "about", "detail"), rows, right="entry")


@audit.command()
@as_json
@with_engine
def verify(engine: Engine, *, as_json: bool) -> None:
    """Follow the chain of entries: was one changed or taken out?

    Keep the last hash somewhere else: it tells whether the end was cut off, too.
    """
    with engine.store.read() as connection:
        count, last, broken = stored.verify(connection)
    if as_json:
        say_json({"entries": count, "last_hash": last, "broken_at": broken})
    elif broken is None:
        say(f"All {count} entries hold. Last hash: {last or 'none'}", style="green")
    else:
        say(
            f"Entry {broken} does not follow from the {count} before it: it was changed, or one"
            " before it was taken out.",
            style="red",
        )
    finish(Exit.DONE if broken is None else Exit.WRONG)
