"""``smsengine db``."""

from __future__ import annotations

from pathlib import Path

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import say, say_json
from smsengine.service import upkeep
from smsengine.service.bootstrap import Engine
from smsengine.store import schema
from smsengine.store.engine import Store


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
    """Copy a SQLite ledger to PATH while it is in use. Keep the key file with it."""
    upkeep.backup(engine, path)
    if as_json:
        say_json({"path": path})
    else:
        say(f"{path} is a whole copy of {engine.store.name}; keep a copy of the key apart from it.")
