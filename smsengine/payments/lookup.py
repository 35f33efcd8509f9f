"""What somebody may see who has a code, and the last four digits of a number that belongs to it.

A wrong code and wrong digits are answered alike, after the same work: each answer has made the same
hashes and compared the same bytes.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection

from smsengine.lifecycle import EntryKind
from smsengine.payments import codes
from smsengine.payments.safe import Safe
from smsengine.store import matches
from smsengine.store import payments as stored
from smsengine.store.payments import Entry

_DIGITS = re.compile(r"\d{4}", re.ASCII)
#: Compared where there is nothing to compare with.
_NOBODY = b"\0" * 8


class Status(StrEnum):
    """What became of a payment."""

    RECORDED = "recorded"
    #: the fund has it
    REMITTED = "remitted"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What is told; the name is masked. ``amount`` is đồng, days are Vietnam's."""

    code: str
    name: str
    paid_on: date
    amount: int
    type: str
    months: int
    organisation: str
    status: Status


def look_up(connection: Connection, safe: Safe, typed: str, digits: str) -> Shown | None:
    """What there is under a code; None where it, or the digits, are wrong.

    Args:
        connection: to the ledger.
        safe: opens what is sealed.
        typed: the code, however it is written.
        digits: the last four of the insurance number or of the phone.
    """
    code = codes.stored(typed)[:20]
    entry = stored.by_code(connection, safe.code_hash(code))
    tail = safe.tail(code, digits if _DIGITS.fullmatch(digits) else "")
    by_number = hmac.compare_digest(tail, entry.insurance_tail if entry else _NOBODY)
    by_phone = hmac.compare_digest(tail, (entry.phone_tail if entry else None) or _NOBODY)
    if entry is None or not (by_number or by_phone):
        return None
    payment = safe.open(entry.sealed).payment
    return Shown(
        code=codes.shown(code),
        name=masked(payment.name),
        paid_on=entry.paid_on,
        amount=entry.amount,
        type=entry.type,
        months=entry.months,
        organisation=entry.organisation,
        status=status_of(connection, entry),
    )


def status_of(connection: Connection, entry: Entry) -> Status:
    """What became of the payment of an entry."""
    key = entry.organisation, entry.receipt
    editions = stored.of_receipts(connection, [key])[key]
    first, last = editions[0], editions[-1]
    if last.kind is EntryKind.CANCELLATION:
        return Status.CANCELLED
    if last.id != entry.id:
        return Status.CORRECTED
    is_there = matches.got(connection, first.id) >= last.amount
    return Status.REMITTED if is_there else Status.RECORDED


def masked(name: str) -> str:
    """A name of which its owner knows it: ``Trần Văn An`` becomes ``T** V** An``."""
    *before, last = name.split() or [""]
    return " ".join([*(f"{word[0]}**" for word in before), last])
