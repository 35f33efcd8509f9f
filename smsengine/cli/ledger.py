"""``smsengine db``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine, yes
from smsengine.cli.output import say, say_json
from smsengine.config.upkeep import Age
from smsengine.errors import UsageError
from smsengine.service import backups, upkeep
from smsengine.service.bootstrap import Engine
from smsengine.service.people import own_account
from smsengine.service.purging import Purger, kept_until
from smsengine.store import schema
from smsengine.store.engine import Store


class AgeType(click.ParamType[Age]):
    """``90d`` or ``90 days``."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Age:
        try:
            return value if isinstance(value, Age) else Age.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def db() -> None:
    """The ledger's database."""


@db.command()
@as_json
@with_engine
def upgrade(engine: Engine, *, as_json: bool) -> None:
    """Bring the ledger to this program's schema; a new one is made."""
    store = Store(engine.settings.database)
    before = engine.prepare(store)
    after = schema.newest_version()
    if as_json:
        say_json({"before": before, "after": after})
    elif before == after:
        say(f"{store.name} has schema {after} already.")
    else:
        say(f"{store.name}: schema {before or 'none'} -> {after}.")


@db.command()
@as_json
@with_engine
def check(engine: Engine, *, as_json: bool) -> None:
    """Prove that the ledger is whole: database, accounts of every run, seals."""
    findings = upkeep.check_ledger(engine)
    if as_json:
        say_json({"findings": findings})
    else:
        for finding in findings:
            say(finding, style="red")
        if not findings:
            say("The ledger is whole: every account ties and every seal holds.", style="green")
    finish(Exit.LOOK if findings else Exit.DONE)


@db.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@as_json
@with_engine
def backup(engine: Engine, path: Path, *, as_json: bool) -> None:
    """Copy the ledger to the new file PATH while it is in use, and prove the copy.

    A ledger on PostgreSQL is copied by its own pg_dump. The key is not in the copy.
    """
    backups.backup(engine, path)
    if as_json:
        say_json({"path": path})
    else:
        say(f"{path} is a whole copy of the ledger; keep a copy of the key apart from it.")


@db.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@as_json
@with_engine
def restore(engine: Engine, path: Path, *, as_json: bool) -> None:
    """Put the backup PATH into the place of the ledger, where nothing is any more.

    A SQLite file must have been moved away; a PostgreSQL database must have no tables yet.
    """
    backups.restore(engine, path)
    if as_json:
        say_json({"path": path})
    else:
        say(f"{path} is the ledger now; next: smsengine db upgrade, db check, doctor.")


@db.command()
@click.option("--older-than", type=AgeType(), help="Instead of the configured retention, e.g. 90d.")
@click.option("--dry-run", is_flag=True, help="Count only; nothing is changed.")
@yes
@as_json
@with_engine
def purge(
    engine: Engine, older_than: Age | None, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Take texts, phones and codes out of runs that ended long ago; counts and hashes stay."""
    cutoffs = kept_until(engine.settings.retention, engine.clock.now(), older_than=older_than)
    if cutoffs.texts is None and cutoffs.skips is None:
        raise UsageError("Everything is kept for ever; name an age with --older-than.")
    purger = Purger(store=engine.store, clock=engine.clock, actor=own_account())
    found = purger.look(cutoffs)
    if not dry_run and found.runs and not yes:
        click.confirm(f"Purge {found.counts()}? It cannot be undone.", abort=True, err=True)
    if not dry_run:
        found = purger.purge(cutoffs)
    if as_json:
        say_json({"dry_run": dry_run, **asdict(found)})
    else:
        say(f"Would be purged: {found.counts()}." if dry_run else f"{found}.")
