"""Alembic's entry: migrations run on the connection that schema.py hands over."""

from __future__ import annotations

from alembic import context

from smsengine.store.all_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
