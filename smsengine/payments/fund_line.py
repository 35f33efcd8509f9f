"""One amount that came to the fund, read from a row of a statement or a ledger."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from smsengine.config.cross_check import FundFiles
from smsengine.errors import NumberError, SourceError
from smsengine.payments import codes
from smsengine.payments.cells import WrongCellError, day_of, words_of
from smsengine.payments.finding import codes_in
from smsengine.sources import mt940_file
from smsengine.sources.base import Row, Source, Value
from smsengine.text.numerals import parse_money

#: Our fields and their columns, where the configuration does not say otherwise.
COLUMNS: Mapping[str, str] = {
    "day": "ngayGiaoDich",
    "amount": "soTien",
    "memo": "noiDung",
    "reference": "soThamChieu",
    "code": "maXacNhan",
    "organisation": "maToChucDvt",
    "debit": "ghiNo",
}
_NEEDED = ("day", "amount")
_MOST = 10**12
_LONGEST = 2_000
_WORD = re.compile(r"[0-9A-Z]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class FundLine:
    """What came. ``amount`` is đồng, negative where it was taken back; the day is Vietnam's.

    ``organisation`` is empty where the line names none that is known, or several.
    """

    place: int
    day: date
    amount: int
    memo: str = ""
    reference: str = ""
    codes: tuple[str, ...] = ()
    organisation: str = ""


class FundReader:
    """Reads the rows of one file, of which each must be in order."""

    def __init__(
        self, source: Source, settings: FundFiles, organisations: Mapping[str, str], *, today: date
    ) -> None:
        """Find the columns.

        Args:
            source: the file.
            settings: how it is written.
            organisations: their codes, also those of before, and the code of now.
            today: in Vietnam; nothing came later.

        Raises:
            SourceError: a column that is needed is not there.
        """
        self._source, self._numbers, self._today = source, settings.numbers, today
        self._organisations = organisations
        self.passed_over = 0
        is_statement = isinstance(source, mt940_file.Mt940File)
        header = source.columns()
        named = dict(zip(header, header, strict=True)) if is_statement else COLUMNS
        named = named if is_statement else {**named, **settings.columns}
        self._places = {
            field: header.index(column) for field, column in named.items() if column in header
        }
        self._require(named, header)

    def _require(self, named: Mapping[str, str], header: Collection[str]) -> None:
        missing = [named[field] for field in _NEEDED if field not in self._places]
        if not self._places.keys() & {"memo", "code"}:
            missing.append(f"{named['memo']} or {named['code']}")
        if missing:
            there = ", ".join(header)
            raise SourceError(f"{self._source.name}: lacks {', '.join(missing)}; it has: {there}.")

    def lines(self) -> Iterator[FundLine]:
        """Every amount that came; what went is passed over and counted.

        Raises:
            SourceError: a row is broken; the sentence names it, and repeats nothing of it.
        """
        for row in self._source.rows():
            try:
                if row.fault:
                    raise WrongCellError(row.fault.rstrip("."))
                line = self._line(row)
            except WrongCellError as fault:
                raise SourceError(f"{self._source.name}:{row.number}: {fault}.") from None
            if line is None:
                self.passed_over += 1
            else:
                yield line

    def _line(self, row: Row) -> FundLine | None:
        cells = {field: row.values[place] for field, place in self._places.items()}
        mark = words_of(cells.get("mark"))
        is_debit = mark in ("D", "RD") or (
            _is_nothing(cells["amount"]) and not _is_nothing(cells.get("debit"))
        )
        if is_debit:
            return None
        amount = self._amount(cells["amount"])
        memo = str(cells.get("memo") or "")
        if len(memo) > _LONGEST:
            raise WrongCellError(f"memo: has {len(memo)} characters; at most {_LONGEST} are read")
        return FundLine(
            place=row.number,
            day=self._day(cells["day"]),
            amount=-amount if mark == "RC" else amount,
            memo=memo,
            reference=words_of(cells.get("reference"))[:_LONGEST],
            codes=_codes(cells.get("code"), memo),
            organisation=self._organisation(cells.get("organisation"), memo),
        )

    def _day(self, value: Value) -> date:
        day = day_of(value, "day")
        if day > self._today:
            raise WrongCellError(f"day: {day:%d/%m/%Y} has not come yet")
        return day

    def _amount(self, value: Value) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            amount = value
        else:
            try:
                amount = parse_money(words_of(value), self._numbers)
            except NumberError:
                raise WrongCellError(f"amount: is none as {self._numbers} writes it") from None
        if not amount or abs(amount) >= _MOST:
            raise WrongCellError(f"amount: {amount} is nothing that came")
        return amount

    def _organisation(self, value: Value, memo: str) -> str:
        given = words_of(value).upper()
        if given:
            return self._organisations.get(given, "")
        words = set(_WORD.findall(memo.upper()))
        named = {self._organisations[word] for word in words if word in self._organisations}
        return named.pop() if len(named) == 1 else ""


def _is_nothing(value: Value) -> bool:
    """Nothing at all, or a zero, however it is written."""
    return not words_of(value).strip("0.,-")


def _codes(value: Value, memo: str) -> tuple[str, ...]:
    """The code of a column of its own, else those in the text."""
    given = codes.stored(words_of(value))
    if not given:
        return codes_in(memo)
    if not codes.is_possible(given):
        raise WrongCellError("code: is no confirmation code: 8 to 20 letters and digits")
    return (given,)
