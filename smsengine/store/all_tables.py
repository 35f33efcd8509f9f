"""The metadata of all tables: the ledger's, the daemon's, and those of who may say what."""

from __future__ import annotations

from smsengine.store import governance_tables, service_tables
from smsengine.store.tables import metadata

__all__ = ["governance_tables", "metadata", "service_tables"]
