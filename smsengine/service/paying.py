"""Payments of one installation: recorded, cancelled, looked up, proved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from smsengine.errors import ConfigError, SealedError, SourceError, UsageError
from smsengine.lifecycle import EntryKind
from smsengine.payments import codes
from smsengine.payments.book import Book, Recorded
from smsengine.payments.lookup import Shown, Status, look_up, status_of
from smsengine.payments.paper import Paper, pdf
from smsengine.payments.payment import Payment, Reader
from smsengine.payments.safe import Safe
from smsengine.payments.standing import Standing, standing
from smsengine.payments.taking import Bad, Taken, Taker, sums
from smsengine.phone import PhoneBook
from smsengine.service.bootstrap import Engine
from smsengine.sources.base import Source
from smsengine.sources.csv_file import CsvFile
from smsengine.sources.xlsx_file import XlsxFile
from smsengine.store import payments as stored
from smsengine.store.payments import Entry
from smsengine.text.numerals import Locale

_HEADINGS = {
    Status.RECORDED: "XÁC NHẬN NỘP TIỀN",
    Status.REMITTED: "XÁC NHẬN NỘP TIỀN",
    Status.CORRECTED: "XÁC NHẬN NỘP TIỀN\n(đã được thay)",
    Status.CANCELLED: "XÁC NHẬN NỘP TIỀN\n(đã hủy)",
}


class Paying:
    """What an installation does with payments."""

    def __init__(self, engine: Engine) -> None:
        """Begin.

        Raises:
            ConfigError: nobody collects.
        """
        self._engine, self.settings = engine, engine.settings.payments
        if not self.settings.organisations:
            raise ConfigError(
                f"{engine.config}: payments: organisations: is empty; name who collects."
            )

    @cached_property
    def safe(self) -> Safe:
        return Safe(self._engine.key)

    @cached_property
    def book(self) -> Book:
        return Book(self.safe, self.settings.organisations)

    def reader(self, numbers: Locale | None = None) -> Reader:
        """Reads payments as of today; amounts as files write them, where nothing else is said."""
        phones = PhoneBook(self._engine.settings.phones.extra_prefixes)
        settings = self.settings.model_copy(update={"numbers": numbers or self.settings.numbers})
        return Reader(settings, today=self._engine.today, phones=phones)

    def record(self, payments: Sequence[Payment], by: str) -> Sequence[Recorded]:
        """Record payments in one transaction; what came of each, in order."""
        return self.record_together([(payment, by) for payment in payments])

    def record_together(self, payments: Sequence[tuple[Payment, str]]) -> Sequence[Recorded]:
        """Record payments that several hand in, each with its name, in one transaction."""
        parts: dict[str, list[int]] = {}
        for place, (_, by) in enumerate(payments):
            parts.setdefault(by, []).append(place)
        results: dict[int, Recorded] = {}
        now = self._engine.clock.now()
        with self._engine.store.write() as connection:
            for by, places in parts.items():
                some = [payments[place][0] for place in places]
                found = self.book.record(connection, some, by=by, now=now)
                results.update(zip(places, found, strict=True))
        return [results[place] for place in range(len(payments))]

    def correct(self, payment: Payment, *, reason: str, by: str, replaces: str = "") -> Recorded:
        """Put other facts in place of those of a receipt; see ``Book.correct``.

        Raises:
            RefusedError: there is nothing to correct.
        """
        now = self._engine.clock.now()
        with self._engine.store.write() as connection:
            return self.book.correct(
                connection, payment, reason=reason, by=by, now=now, replaces=replaces
            )

    def cancel(self, organisation: str, receipt: str, *, reason: str, by: str) -> str:
        """Say that a payment is void; returns its code.

        Raises:
            RefusedError: there is none, or it is void already.
        """
        now = self._engine.clock.now()
        with self._engine.store.write() as connection:
            return self.book.cancel(
                connection, organisation, receipt, reason=reason, by=by, now=now
            )

    def take_file(
        self,
        path: Path,
        *,
        by: str,
        tell: Callable[[Sequence[str], Bad], None],
        rows: int | None = None,
        amount: int | None = None,
    ) -> Taken:
        """Record the payments of a file.

        Args:
            path: a CSV or XLSX file.
            by: who hands it in.
            tell: is told the header and each bad row.
            rows: how many rows it must have; None where nobody counted.
            amount: đồng that its good rows must sum up to.

        Raises:
            SourceError: it cannot be read, or is not the file that was counted: nothing is
                recorded then.
        """
        self._require_whole(path, rows, amount)
        source = _source(path)
        header = source.columns()
        return Taker(
            source,
            self.reader(),
            self.settings.columns,
            lambda some: self.record(some, by),
            lambda bad: tell(header, bad),
        ).take()

    def _require_whole(self, path: Path, rows: int | None, amount: int | None) -> None:
        _require_line_end(path)
        if rows is None and amount is None:
            return
        found = sums(_source(path), self.reader(), self.settings.columns)
        for what, wanted, there in zip(("rows", "đồng"), (rows, amount), found, strict=True):
            if wanted is not None and wanted != there:
                raise SourceError(
                    f"{path}: has {there} {what}, and {wanted} were announced; is it whole?"
                    " Nothing was recorded."
                )

    def look_up(self, code: str, digits: str) -> Shown | None:
        """What there is under a code, for who knows the last four digits of a number as well."""
        with self._engine.store.read() as connection:
            return look_up(connection, self.safe, code, digits)

    def standing(self, organisation: str, receipt: str) -> Standing | None:
        """What holds now of a receipt; None where it was never recorded."""
        with self._engine.store.read() as connection:
            return standing(connection, self.safe, organisation, receipt)

    def paper(self, code: str) -> bytes:
        """The payer's paper for a code, as a PDF file.

        Raises:
            UsageError: there is no such code.
        """
        typed = codes.stored(code)
        with self._engine.store.read() as connection:
            entry = stored.by_code(connection, self.safe.code_hash(typed))
            if entry is None:
                raise UsageError("There is no payment with this code.")
            before = stored.of_ids(connection, [entry.before_id] if entry.before_id else [])
            status = status_of(connection, entry)
        return pdf(self._paper(entry, next(iter(before.values()), None), status))

    def _paper(self, entry: Entry, before: Entry | None, status: Status) -> Paper:
        opened = self.safe.open(entry.sealed)
        payment = opened.payment
        days = payment.from_day, payment.to_day
        return Paper(
            kind=_HEADINGS[status],
            code=codes.shown(opened.code),
            earlier_code=codes.shown(self.safe.open(before.sealed).code) if before else "",
            name=payment.name,
            insurance_number=payment.insurance_number,
            type=self.settings.type_name(entry.type),
            amount=entry.amount,
            months=entry.months,
            paid_on=f"{entry.paid_on:%d/%m/%Y}",
            span=f"từ {days[0]:%d/%m/%Y} đến {days[1]:%d/%m/%Y}" if days[0] and days[1] else "",
            organisation=self.settings.organisation_name(entry.organisation),
            receipt=entry.receipt,
            staff_name=payment.staff_name,
            made_at=self._engine.clock.now(),
            page=self.settings.page,
        )

    def verify(self) -> tuple[int, int | None]:
        """Follow the chain of the book, and prove each row by what is sealed in it.

        Returns:
            How many rows hold, and the number of the first that does not; None when all do.
        """
        count, before = 0, b""
        with self._engine.store.read() as connection, stored.stream(connection) as rows:
            for entry, link in rows:
                is_next = entry.id == count + 1 and stored.link(before, entry) == link
                if not is_next or not self._is_sealed(entry):
                    return count, entry.id
                count, before = count + 1, link
        return count, None

    def _is_sealed(self, entry: stored.Entry) -> bool:
        try:
            opened = self.safe.open(entry.sealed)
        except SealedError:
            return False
        payment = opened.payment
        facts = (
            *(payment.organisation, payment.receipt, payment.type, payment.amount),
            *(payment.months, payment.paid_on, self.safe.staff_hash(payment.staff)),
            self.safe.tail(opened.code, payment.insurance_number),
            self.safe.tail(opened.code, payment.phone) if payment.phone else None,
        )
        given = (
            *(entry.organisation, entry.receipt, entry.type, entry.amount, entry.months),
            *(entry.paid_on, entry.staff_hash, entry.insurance_tail, entry.phone_tail),
        )
        is_coded = entry.kind is EntryKind.CANCELLATION or (
            self.safe.code_hash(opened.code) == entry.code_hash
        )
        is_same = self.safe.content_hash(payment) == entry.content_hash
        return facts == given and is_same and is_coded


def _source(path: Path) -> Source:
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        return XlsxFile(path)
    if suffix == ".csv":
        return CsvFile(path)
    raise SourceError(f"{path}: a file of payments ends in .csv or .xlsx.")


def _require_line_end(path: Path) -> None:
    """Refuse a text that ends within a line: an amount that was cut off is an amount, too.

    Raises:
        SourceError: it does, or is not there.
    """
    if path.suffix.lower() != ".csv":
        return
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 1))
            last = file.read(1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error
    if last not in (b"\n", b"\r", b""):
        raise SourceError(
            f"{path}: its last line has no end, so it may have been cut off; export it anew, or end"
            " the line. Nothing was recorded."
        )
