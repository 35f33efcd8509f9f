"""Rows from a bank statement in SWIFT's MT940: one row for each ``:61:`` with its ``:86:``.

Strict, as a statement is money: fields in the order of the standard, days of the calendar, whole
đồng, and each statement's opening balance with all its lines must give its closing balance. Nothing
of a line is repeated in what is said about it: texts and references may name persons and codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from smsengine.errors import SourceError, TextError
from smsengine.sources.base import Row
from smsengine.sources.plain_file import open_extract
from smsengine.text.legacy import detect, text_lines
from smsengine.text.numerals import money

COLUMNS = ("day", "amount", "mark", "reference", "memo", "account")

_SAMPLE_BYTES = 1 << 20
_CURRENCY = "VND"
_FIELD = re.compile(r":([0-9]{2}[A-Z]?):(.*)", re.ASCII)
#: What stands round the statement where it comes as SWIFT carries it.
_ENVELOPE = re.compile(r"\{1:.*\{4:|\{4:|-\}?(?:\{5:.*)?", re.ASCII)
_LINE = re.compile(
    r"([0-9]{6})([0-9]{4})?(RC|RD|C|D)[A-Z]?([0-9]{1,14},[0-9]{0,2})[NFS][A-Z0-9]{3}(.*)",
    re.ASCII,
)
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]{1,14},[0-9]{0,2})", re.ASCII)
#: In structured texts: a code of three digits, then parts that begin with ?20.
_STRUCTURED = re.compile(r"[0-9]{3}\?", re.ASCII)
_PART = re.compile(r"\?[0-9]{2}", re.ASCII)
_NO_REFERENCE = "NONREF"
_LONGEST_REFERENCE, _LONGEST_LINE, _MOST_TEXT = 70, 1_000, 40

#: What may follow what, by the fields' numbers; "" is before the first and behind a statement.
_AFTER = {
    "": ("20",),
    "20": ("21", "25"),
    "21": ("25",),
    "25": ("28",),
    "28": ("60",),
    "60": ("61", "62"),
    "61": ("86", "61", "62"),
    "86": ("61", "62"),
    "62": ("64", "65", "86 of all", "20"),
    "64": ("65", "86 of all", "20"),
    "65": ("65", "86 of all", "20"),
    "86 of all": ("20",),
}
_LETTERS = {"25": ("", "P"), "28": ("", "C"), "60": ("F", "M"), "62": ("F", "M")}
_CLOSED = frozenset({"62", "64", "65", "86 of all"})


@dataclass(kw_only=True)
class _Line:
    """One ``:61:`` with what follows it."""

    number: int
    day: date
    amount: int
    mark: str
    reference: str
    text: list[str] = field(default_factory=list)

    @property
    def signed(self) -> int:
        """What it adds to the balance."""
        return self.amount if self.mark in ("C", "RD") else -self.amount

    def row(self, account: str) -> Row:
        memo = "\n".join(self.text)
        if _STRUCTURED.match(memo):
            memo = _PART.sub("\n", memo[3:])
        values = (self.day, self.amount, self.mark, self.reference, memo.strip(), account)
        return Row(self.number, values)


class Mt940File:
    """A file of statements; ``Row.number`` is the line on which ``:61:`` stands.

    ``mark`` is C for money that came, D for money that went, RC and RD for one that was taken back.
    """

    def __init__(self, path: str | Path, *, name: str | None = None) -> None:
        """Remember the file."""
        self.path = Path(path)
        self._name = name or str(path)

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self._name

    def columns(self) -> tuple[str, ...]:
        """Return the columns, which are those of every statement."""
        return COLUMNS

    def rows(self) -> Iterator[Row]:
        """Yield every line of every statement.

        Raises:
            SourceError: it is no statement, is cut off or does not add up; the sentence names the
                line.
        """
        with open_extract(self.path, self.name) as stream:
            reader = _Reader(self.name)
            try:
                encoding = detect(stream.read(_SAMPLE_BYTES))
                stream.seek(0)
                with closing(text_lines(stream, encoding)) as lines:  # type: ignore[type-var]
                    for number, line in enumerate(lines, start=1):
                        yield from reader.take(number, line.rstrip("\r\n"))
            except TextError as error:
                raise SourceError(
                    f"{self.name}: its letters cannot be read; save it as UTF-8."
                ) from error
            reader.end()


class _Reader:
    """Goes through the lines of a file and checks what it sees."""

    def __init__(self, name: str) -> None:
        self._name, self._number = name, 0
        self._before, self._began = "", 0
        self._account, self._balance = "", 0
        self._open: _Line | None = None

    def take(self, number: int, line: str) -> Iterator[Row]:
        """Read one line; the rows that are whole by it."""
        self._number = number
        line = line.lstrip("\ufeff") if number == 1 else line
        if len(line) > _LONGEST_LINE:
            raise self._error(f"has {len(line)} characters, which no statement has")
        if found := _FIELD.fullmatch(line):
            yield from self._field(found[1], found[2])
        elif _ENVELOPE.fullmatch(line.strip()):
            self._require_closed()
        elif line.strip():
            self._more(line)

    def end(self) -> None:
        """The file is at its end.

        Raises:
            SourceError: it holds no statement, or its last one is not closed.
        """
        if not self._before:
            raise SourceError(f"{self._name}: there is no statement in it; is it MT940?")
        self._require_closed()

    def _require_closed(self) -> None:
        if self._before and self._before not in _CLOSED:
            raise self._error(
                f"the statement that begins on line {self._began} has no closing balance; was the"
                " file cut off?"
            )

    def _field(self, tag: str, text: str) -> Iterator[Row]:
        what = self._step(tag)
        if what not in ("86", "86 of all") and self._open is not None:
            yield self._open.row(self._account)
            self._open = None
        if what == "20":
            self._began = self._number
        elif what == "25":
            self._account = text.strip()
        elif what == "60":
            self._balance = self._balance_of(text)
        elif what == "61":
            self._open = self._line(text)
            self._balance += self._open.signed
        elif what == "62":
            self._require_tie(self._balance_of(text))
        elif what == "86":
            self._more(text)

    def _step(self, tag: str) -> str:
        """Move on to a field that may come now."""
        number, letter = tag[:2], tag[2:]
        what = "86 of all" if number == "86" and self._before in _CLOSED else number
        if what not in _AFTER[self._before] or letter not in _LETTERS.get(number, ("",)):
            after = f"after :{self._before[:2]}:" if self._before else "at the beginning"
            raise self._error(f":{tag}: cannot stand {after}")
        self._before = what
        return what

    def _more(self, text: str) -> None:
        """A line that goes on with the field before it."""
        if self._before == "86 of all":
            return
        if self._open is None or self._before not in ("61", "86"):
            raise self._error("belongs to no field")
        if len(self._open.text) >= _MOST_TEXT:
            raise self._error(f"is more text than a line of a statement has ({_MOST_TEXT} lines)")
        self._open.text.append(text)

    def _line(self, text: str) -> _Line:
        found = _LINE.fullmatch(text)
        if found is None or len(found[5]) > _LONGEST_REFERENCE:
            raise self._error("is no line of a statement like :61:2611240924C804600,NTRFREF//BANK")
        own, _, banks = found[5].partition("//")
        reference = next(
            (each for each in (banks.strip(), own.strip()) if each not in ("", _NO_REFERENCE)), ""
        )
        return _Line(
            number=self._number,
            day=self._day_of(found[1], found[2]),
            amount=self._amount(found[4]),
            mark=found[3],
            reference=reference,
        )

    def _balance_of(self, text: str) -> int:
        found = _BALANCE.fullmatch(text.strip())
        if found is None:
            raise self._error("is no balance like C261124VND1000000,")
        self._day(found[2])
        if found[3] != _CURRENCY:
            raise self._error(f"is a balance in {found[3]}; only {_CURRENCY} is read")
        amount = self._amount(found[4])
        return amount if found[1] == "C" else -amount

    def _require_tie(self, closing_balance: int) -> None:
        if closing_balance != self._balance:
            raise self._error(
                f"the statement that begins on line {self._began} does not add up: its lines give"
                f" {money(self._balance)} and its closing balance is {money(closing_balance)}"
            )

    def _day_of(self, value: str, entry: str | None) -> date:
        """The day of value, or that of entry where it is earlier; it has no year of its own."""
        day = self._day(value)
        if entry is None:
            return day
        near = [found for on in (-1, 0, 1) if (found := _in_year(day.year + on, entry))]
        if not near:
            raise self._error(f"{entry} is no day of the calendar (month, day)")
        return min(day, min(near, key=lambda each: abs(each - day)))

    def _day(self, text: str) -> date:
        try:
            return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
        except ValueError:
            raise self._error(f"{text} is no day of the calendar (year, month, day)") from None

    def _amount(self, text: str) -> int:
        whole, _, decimals = text.partition(",")
        if decimals.strip("0"):
            raise self._error(f"{text} is not a whole number of đồng")
        return int(whole)

    def _error(self, said: str) -> SourceError:
        return SourceError(f"{self._name}:{self._number}: {said}.")


def _in_year(year: int, month_and_day: str) -> date | None:
    try:
        return date(year, int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        return None
