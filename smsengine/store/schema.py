"""Bringing a ledger to the schema of this version, with Alembic."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from smsengine.errors import StoreError
from smsengine.store.engine import Store
from smsengine.store.turns import take_turn


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("smsengine.store") / "migrations"))
    return config


def version(connection: Connection) -> str | None:
    """The schema version of an open ledger; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str | None:
    """The schema version that this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def upgrade(store: Store) -> str | None:
    """Bring the ledger to the newest version; nothing happens when it is there already.

    Returns:
        The version that it had before.

    Raises:
        StoreError: it is the database of another program, or of a newer version of this one.
    """
    config = _config()
    with store.write() as connection:
        take_turn(connection, "upgrade")
        before = version(connection)
        if before is None:
            _refuse_strangers(store, connection)
            _refuse_encodings(store, connection)
        elif before not in _known_versions():
            raise StoreError(f"{store.name} has schema {before}, which this program does not know.")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before


def _known_versions() -> set[str]:
    return {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def _refuse_strangers(store: Store, connection: Connection) -> None:
    """An unversioned database that holds tables belongs to another program."""
    if inspect(connection).get_table_names():
        raise StoreError(f"{store.name} is the database of another program; choose another one.")


def _refuse_encodings(store: Store, connection: Connection) -> None:
    """Names and reasons are Vietnamese; SQLite always keeps Unicode."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise StoreError(
            f"{store.name} keeps texts as {encoding}; create the database with ENCODING 'UTF8'."
        )


def require_current(store: Store) -> None:
    """Refuse a ledger of another version.

    Raises:
        StoreError: one sentence with the command that mends it.
    """
    with store.read() as connection:
        found = version(connection)
        if found is None:
            _refuse_strangers(store, connection)
    needed = newest_version()
    if found is None:
        raise StoreError(f"{store.name} is empty; run 'smsengine db upgrade'.")
    if found != needed:
        raise StoreError(
            f"{store.name} has schema {found}, this program needs {needed};"
            " make a backup and run 'smsengine db upgrade'."
        )
