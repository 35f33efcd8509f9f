"""The metadata of all tables: the ledger's, the daemon's, of who may say what, of payments."""

from __future__ import annotations

from smsengine.store import governance_tables, payment_tables, service_tables
from smsengine.store.tables import metadata

__all__ = ["governance_tables", "metadata", "payment_tables", "service_tables"]
