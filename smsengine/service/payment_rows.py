"""The book of payments as an extract: what the notices to payers are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time

from smsengine.clock import VIETNAM
from smsengine.config.payments import PaymentSettings
from smsengine.errors import SealedError
from smsengine.payments.codes import shown
from smsengine.payments.safe import Safe
from smsengine.period import Period
from smsengine.service.bootstrap import Engine
from smsengine.sources.base import Row, Value
from smsengine.store import payments as stored
from smsengine.store.engine import Store
from smsengine.store.payments import Entry

#: ``reference`` is the subject: it names one entry, so that each is told once.
COLUMNS = (
    "reference",
    "kind",
    "code",
    "earlier_code",
    "name",
    "insurance_number",
    "type",
    "amount",
    "months",
    "paid_on",
    "from_day",
    "to_day",
    "organisation",
    "receipt",
    "phone",
    "email",
)
_CHUNK = 1_000


class PaymentRows:
    """Entries of the book, by their numbers; a source."""

    name = "the book of payments"

    def __init__(
        self, store: Store, safe: Safe, settings: PaymentSettings, ids: Sequence[int]
    ) -> None:
        self._store, self._safe, self._settings, self._ids = store, safe, settings, ids

    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    def rows(self) -> Iterator[Row]:
        """Each entry; its number is that in the book."""
        for start in range(0, len(self._ids), _CHUNK):
            ids = self._ids[start : start + _CHUNK]
            with self._store.read() as connection:
                found = stored.of_ids(connection, ids)
                earlier = [each.before_id for each in found.values() if each.before_id]
                before = stored.of_ids(connection, earlier)
            for number in ids:
                if number in found:
                    yield from self._rows_of(found[number], before)

    def _rows_of(self, entry: Entry, before: Mapping[int, Entry]) -> Iterator[Row]:
        """One row, and one for who was told before where the phone or address is another now."""
        try:
            row = self._row(entry, before)
            earlier = before.get(entry.before_id or 0)
            old = self._safe.open(earlier.sealed).payment if earlier else None
        except SealedError as error:
            yield Row(entry.id, (), str(error))
            return
        yield row
        given = dict(zip(COLUMNS, row.values, strict=True))
        now = (given["phone"], given["email"])
        if old and (old.phone or old.email) and now != (old.phone or None, old.email or None):
            given["reference"] = f"{given['reference']}/earlier"
            given["phone"], given["email"] = old.phone or None, old.email or None
            yield Row(entry.id, tuple(given[name] for name in COLUMNS))

    def _row(self, entry: Entry, before: Mapping[int, Entry]) -> Row:
        opened = self._safe.open(entry.sealed)
        payment = opened.payment
        earlier = before.get(entry.before_id or 0)
        given: dict[str, Value] = {
            "reference": f"{entry.organisation}/{entry.receipt}/{entry.edition}",
            "kind": entry.kind.value,
            "code": shown(opened.code),
            "earlier_code": shown(self._safe.open(earlier.sealed).code) if earlier else None,
            "name": payment.name,
            "insurance_number": payment.insurance_number,
            "type": self._settings.type_name(entry.type),
            "amount": str(entry.amount),
            "months": str(entry.months),
            "paid_on": f"{entry.paid_on:%d/%m/%Y}",
            "from_day": f"{payment.from_day:%d/%m/%Y}" if payment.from_day else None,
            "to_day": f"{payment.to_day:%d/%m/%Y}" if payment.to_day else None,
            "organisation": self._settings.organisation_name(entry.organisation),
            "receipt": entry.receipt,
            "phone": payment.phone or None,
            "email": payment.email or None,
        }
        return Row(entry.id, tuple(given[name] for name in COLUMNS))


def payment_rows(engine: Engine, period: Period) -> PaymentRows:
    """All entries that were recorded on a day, in Vietnam."""
    begin = datetime.combine(period.first_day, time(), VIETNAM).astimezone(UTC)
    end = datetime.combine(period.next.first_day, time(), VIETNAM).astimezone(UTC)
    with engine.store.read() as connection:
        ids = stored.recorded_between(connection, begin, end)
    return of_entries(engine, ids)


def of_entries(engine: Engine, ids: Sequence[int]) -> PaymentRows:
    """Entries by their numbers."""
    return PaymentRows(engine.store, Safe(engine.key), engine.settings.payments, ids)
