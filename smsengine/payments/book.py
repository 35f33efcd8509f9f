"""The book of payments: each is recorded once and gets a code; nothing in it is ever changed.

Whoever hands the same in twice gets the same code. The same receipt with other facts is refused: a
figure that changed is a correction, which somebody makes on purpose, with a reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from smsengine.config.payments import Organisation
from smsengine.errors import RefusedError
from smsengine.lifecycle import EntryKind
from smsengine.payments import codes
from smsengine.payments.payment import Payment
from smsengine.payments.safe import Safe
from smsengine.store import payments as stored
from smsengine.store.payments import Entry
from smsengine.text.numerals import money

_Editions = dict[tuple[str, str], list[Entry]]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What came of one payment. ``refused`` says why it was not recorded, else it has a code.

    ``is_new`` is False where the same was handed in before.
    """

    code: str = ""
    is_new: bool = False
    refused: str = ""


class Book:
    """Records payments of one installation."""

    def __init__(
        self,
        safe: Safe,
        organisations: Mapping[str, Organisation],
        *,
        choose: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """Begin.

        Args:
            safe: seals what is private.
            organisations: whose office is written beside each payment.
            choose: where codes come from, see ``codes.make``.
        """
        self._safe, self._organisations, self._choose = safe, organisations, choose

    def record(
        self, connection: Connection, payments: Sequence[Payment], *, by: str, now: datetime
    ) -> list[Recorded]:
        """Record payments, each once.

        Args:
            connection: of a transaction that writes.
            payments: as they were handed in.
            by: who hands them in.
            now: when (UTC).

        Returns:
            What came of each, in the same order.
        """
        last, before = stored.take_the_book(connection)
        receipts = [(payment.organisation, payment.receipt) for payment in payments]
        known = {key: list(found) for key, found in self._known(connection, receipts).items()}
        hashes = [self._safe.code_hash(payment.code) for payment in payments if payment.code]
        taken = set(stored.known_codes(connection, hashes))
        results, entries = [], list[Entry]()
        for payment, key in zip(payments, receipts, strict=True):
            content = self._safe.content_hash(payment)
            result = self._known_already(known.get(key, ()), payment, content)
            if result is None and payment.code and self._safe.code_hash(payment.code) in taken:
                result = Recorded(refused=f"The code {payment.code} is another payment's.")
            if result is None:
                entry, code = self._entry(payment, last + len(entries) + 1, by=by, now=now)
                entries.append(entry)
                known[key] = [entry]
                taken.add(entry.code_hash or b"")
                result = Recorded(code=code, is_new=True)
            results.append(result)
        stored.add(connection, entries, before)
        return results

    def correct(
        self,
        connection: Connection,
        payment: Payment,
        *,
        reason: str,
        by: str,
        now: datetime,
        replaces: str = "",
    ) -> Recorded:
        """Put other facts in place of those that were recorded; the payer gets a new code.

        Args:
            connection: of a transaction that writes.
            payment: what is right.
            reason: why it is corrected.
            by: who says so.
            now: when (UTC).
            replaces: the code that holds now. Without it nothing that was corrected before is said
                again: whoever got no answer, and asks late, must not undo what came since.

        Raises:
            RefusedError: there is nothing to correct, nothing changed, or another code holds.
        """
        last, link = stored.take_the_book(connection)
        *earlier, before = self._editions(connection, payment.organisation, payment.receipt)
        content = self._safe.content_hash(payment)
        if content == before.content_hash:
            raise RefusedError(f"Receipt {payment.receipt} says the same already.")
        if replaces and self._safe.code_hash(codes.stored(replaces)) != before.code_hash:
            raise RefusedError(f"Receipt {payment.receipt} has another code by now.")
        if not replaces and any(each.content_hash == content for each in earlier):
            raise RefusedError(
                f"Receipt {payment.receipt} said this before and was corrected since; to say it"
                " again, name the code that it replaces."
            )
        if payment.code and stored.by_code(connection, self._safe.code_hash(payment.code)):
            raise RefusedError("The code is known already; a correction needs a new one, or none.")
        entry, code = self._entry(
            payment,
            last + 1,
            by=by,
            now=now,
            before=before,
            kind=EntryKind.CORRECTION,
            reason=_needed(reason),
        )
        stored.add(connection, [entry], link)
        return Recorded(code=code, is_new=True)

    def cancel(
        self,
        connection: Connection,
        organisation: str,
        receipt: str,
        *,
        reason: str,
        by: str,
        now: datetime,
    ) -> str:
        """Say that a payment is void; the payer is told with its code, which is returned.

        Raises:
            RefusedError: there is no such payment, or it is void already.
        """
        last, link = stored.take_the_book(connection)
        before = self._editions(connection, organisation, receipt)[-1]
        entry = before._replace(
            id=last + 1,
            edition=before.edition + 1,
            kind=EntryKind.CANCELLATION,
            before_id=before.id,
            reason=_needed(reason),
            recorded_at=now,
            recorded_by=by,
            code_hash=None,
        )
        stored.add(connection, [entry], link)
        return self._safe.open(before.sealed).code

    def _editions(self, connection: Connection, organisation: str, receipt: str) -> Sequence[Entry]:
        """The editions of a receipt, oldest first; the last one holds now."""
        known = organisation in self._organisations
        key = organisation, receipt
        editions = (
            self._known(connection, [key]) if known else stored.of_receipts(connection, [key])
        ).get(key, ())
        if not editions:
            raise RefusedError(f"{organisation} has no receipt {receipt!r} that was recorded.")
        if editions[-1].kind is EntryKind.CANCELLATION:
            raise RefusedError(f"Receipt {receipt} of {organisation} is cancelled already.")
        return editions

    def _known(
        self, connection: Connection, receipts: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Sequence[Entry]]:
        """All editions of receipts, also of those that an organisation's code of before has."""
        wanted = dict.fromkeys(receipts)
        before = {
            (also, receipt): (code, receipt)
            for code, receipt in wanted
            for also in self._organisations[code].also
        }
        found = stored.of_receipts(connection, [*wanted, *before])
        return {before.get(key, key): editions for key, editions in found.items()}

    def _known_already(
        self, editions: Sequence[Entry], payment: Payment, content: bytes
    ) -> Recorded | None:
        """What is said of a receipt that is known; None for one that is new."""
        if not editions:
            return None
        for entry in editions:
            if entry.organisation != payment.organisation:
                content = self._safe.content_hash(replace(payment, organisation=entry.organisation))
            if entry.content_hash == content:
                return Recorded(code=self._safe.open(entry.sealed).code)
        last = editions[-1]
        was = (
            f" with {money(last.amount)} đồng instead of {money(payment.amount)}"
            if last.amount != payment.amount
            else " with other facts"
        )
        return Recorded(
            refused=f"Receipt {payment.receipt} of {payment.organisation} was recorded{was}; what"
            " changed is a correction, with a reason."
        )

    def _entry(
        self,
        payment: Payment,
        number: int,
        *,
        by: str,
        now: datetime,
        before: Entry | None = None,
        kind: EntryKind = EntryKind.PAYMENT,
        reason: str = "",
    ) -> tuple[Entry, str]:
        """A row of the book, and its code."""
        code = payment.code or codes.make(self._choose)
        safe = self._safe
        entry = Entry(
            id=number,
            organisation=payment.organisation,
            receipt=payment.receipt,
            edition=before.edition + 1 if before else 1,
            kind=kind,
            before_id=before.id if before else None,
            reason=reason,
            type=payment.type,
            amount=payment.amount,
            months=payment.months,
            paid_on=payment.paid_on,
            office=self._organisations[payment.organisation].office,
            recorded_at=now,
            recorded_by=by,
            content_hash=safe.content_hash(payment),
            code_hash=safe.code_hash(code),
            insurance_tail=safe.tail(code, payment.insurance_number),
            phone_tail=safe.tail(code, payment.phone) if payment.phone else None,
            staff_hash=safe.staff_hash(payment.staff),
            sealed=safe.seal(payment, code),
        )
        return entry, code


def _needed(reason: str) -> str:
    if not reason.strip():
        raise RefusedError("Say why, with a reason.")
    return reason.strip()[:300]
