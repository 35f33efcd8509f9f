"""What holds now of a receipt: its last edition."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from smsengine.payments.lookup import Status, status_of
from smsengine.payments.safe import Safe
from smsengine.store import payments as stored
from smsengine.store.payments import Entry


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The last edition of a receipt. ``code`` is in its stored form, also of what is cancelled."""

    entry: Entry
    code: str
    status: Status


def standing(
    connection: Connection, safe: Safe, organisation: str, receipt: str
) -> Standing | None:
    """What holds of a receipt; None where it was never recorded."""
    key = organisation, receipt
    editions = stored.of_receipts(connection, [key]).get(key, ())
    if not editions:
        return None
    last = editions[-1]
    return Standing(
        entry=last, code=safe.open(last.sealed).code, status=status_of(connection, last)
    )
