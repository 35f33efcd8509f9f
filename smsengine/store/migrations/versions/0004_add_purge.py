"""When a run's personal data began to be taken out of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from smsengine.store.tables import Instant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("purged_at", Instant(), nullable=True))
