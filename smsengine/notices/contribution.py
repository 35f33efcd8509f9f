"""The figures of the employer notice, from the lines of form C12-TS.

The letter of the IT Centre (2019) wants three amounts for the month just ended and the one begun:
what was paid, what is carried over, and the estimate. On the form (QĐ 618/QĐ-BHXH and its kin) the
amount paid is part C and the carry-over is short minus over of the last part, both in column 5,
the only one that holds what is not allotted to a fund. Parts and lines are known by their text, not
by their letter: the layout up to 2015 has no allocation, so its last part is D and not Đ. The
estimate is not a line of the published form; a statement without one is held, never taken as 0.

Amounts are whole đồng. What is not sure becomes a fault of the employer's row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from smsengine.errors import NumberError, SourceError, TextError
from smsengine.sources.base import Row, Value
from smsengine.text.numerals import parse_money
from smsengine.text.plain import fold

#: What ``statements`` yields, one row per employer; amounts are whole đồng.
COLUMNS = ("employer", "name", "office", "paid", "carried", "due")

ESTIMATE = "dự tính phải đóng"
_NEEDED = ("maDonVi", "tenDonVi", "noiDung", "cong")
_OFFICE = "tenCqBhxh"
#: What may stand before a line's words: "c. ", "2.1 ", "a.2.1. ", "iii) ".
_LABEL = re.compile(r"(?:[a-z]|[ivx]{1,4}|(?:[a-z]\.?)?[0-9]+(?:\.[0-9]+)*)[\s.):-]+")
#: "lãi" (interest) and "lại" (again) fold to the same letters; "còn lại" is what remains.
_INTEREST = re.compile(r"(?<!\bcon )\blai\b")
_OVER_OR_SHORT = re.compile(r"\b(?:thua|thieu)\b")


class Part(StrEnum):
    """The parts of the form, by the folded words that open them."""

    OPENING = "ky truoc mang sang"
    ARISING = "phat sinh trong ky"
    PAID = "so tien da nop trong ky"
    ALLOCATION = "phan bo tien dong"
    CLOSING = "chuyen ky sau"


class Line(StrEnum):
    """The lines that are used."""

    PAID = "số tiền đã nộp trong kỳ"
    OVER = "thừa"
    SHORT = "thiếu"
    INTEREST = "lãi"
    TO_PAY = "phải đóng"
    ADJUSTMENT = "điều chỉnh"
    ESTIMATE = "dự tính"


#: Lines of these parts only serve the check that the parts add up.
_CHECK_ONLY = (Part.OPENING, Part.ARISING)


@dataclass(frozen=True, kw_only=True)
class Imbalance:
    """A statement whose parts do not add up: opening + arising - paid - closing, in đồng."""

    employer: str
    difference: Decimal


@dataclass(kw_only=True)
class _Statement:
    """What has been read of one employer's statement."""

    number: int
    employer: str
    name: Value
    office: Value
    part: Part | None = None
    amounts: dict[tuple[Part | None, Line], Decimal | None] = field(default_factory=dict)
    fault: str = ""

    def blame(self, sentence: str) -> None:
        """Keep the first fault."""
        self.fault = self.fault or sentence


def statements(
    rows: Iterable[Row],
    columns: Sequence[str],
    *,
    interest: bool,
    estimate: str = ESTIMATE,
    warn: Callable[[Imbalance], None] | None = None,
) -> Iterator[Row]:
    """Yield one row with ``COLUMNS`` per employer, in order, at the number of its first line.

    Lines of one employer stand together; of the lines no more than one employer's are kept, and of
    employers their codes. A line that cannot be read faults the statements on both sides of it.

    Args:
        rows: the lines of the form.
        columns: what they are called: maDonVi, tenDonVi, noiDung, cong, perhaps tenCqBhxh.
        interest: whether the carry-over includes interest; the letter is silent.
        estimate: words of the line with the estimate, in any case, with or without marks.
        warn: is told of a statement that does not add up; its row is yielded all the same.

    Raises:
        SourceError: a needed column is missing.
    """
    cells = _cells(columns)
    words = fold(estimate).lower()
    for statement in _grouped(rows, cells, words):
        row = _finished(statement, interest)
        difference = _difference(statement)
        if warn and difference and not row.fault:
            warn(Imbalance(employer=statement.employer, difference=difference))
        yield row


def _cells(columns: Sequence[str]) -> Callable[[Row, str], Value]:
    """A function that finds a row's value by its column's name."""
    for name in _NEEDED:
        if name not in columns:
            raise SourceError(f"column {name} is missing; there are {', '.join(columns)}.")
    places = {name: place for place, name in enumerate(columns)}

    def cell(row: Row, name: str) -> Value:
        return row.values[places[name]] if name in places else None

    return cell


def _grouped(
    rows: Iterable[Row], cell: Callable[[Row, str], Value], estimate: str
) -> Iterator[_Statement]:
    seen: set[str] = set()
    current: _Statement | None = None
    lost: Row | None = None
    for row in rows:
        if row.fault:
            lost = row
            if current:
                current.blame(_unread(row))
            continue
        employer = _text(cell(row, "maDonVi"))
        if current is None or employer != current.employer:
            if current:
                yield current
            current = _begun(row, employer, cell, seen)
            if lost:
                current.blame(_unread(lost))
        lost = None
        _take(current, row.number, _text(cell(row, "noiDung")), cell(row, "cong"), estimate)
    if current:
        yield current
    elif lost:
        yield _Statement(
            number=lost.number, employer="", name=None, office=None, fault=_unread(lost)
        )


def _unread(row: Row) -> str:
    return f"line {row.number} cannot be read: {row.fault}"


def _begun(
    row: Row, employer: str, cell: Callable[[Row, str], Value], seen: set[str]
) -> _Statement:
    statement = _Statement(
        number=row.number,
        employer=employer,
        name=cell(row, "tenDonVi"),
        office=cell(row, _OFFICE),
    )
    if not employer:
        statement.blame("the line has no employer code in maDonVi.")
    if employer in seen:
        statement.blame(f"employer {employer} has lines in two places; put them together.")
    seen.add(employer)
    return statement


def _take(statement: _Statement, number: int, text: str, amount: Value, estimate: str) -> None:
    """Read one line into the statement."""
    try:
        words = fold(" ".join(text.split())).lower()
    except TextError as error:
        statement.blame(f"line {number}: {error}")
        return
    words = words[label.end() :] if (label := _LABEL.match(words)) else words
    line = _known_line(statement, words, estimate)
    if line is None:
        return
    part = None if line is Line.ESTIMATE else statement.part
    try:
        figure = _amount(amount)
    except NumberError as error:
        figure = None
        if part not in _CHECK_ONLY:
            statement.blame(f"line {number}: {error}")
    _put(statement, part, line, figure)


def _known_line(statement: _Statement, words: str, estimate: str) -> Line | None:
    """Say which line this is, and move to the part that it opens."""
    if estimate in words:
        return Line.ESTIMATE
    for part in Part:
        if words.startswith(part):
            statement.part = part
            return Line.PAID if part is Part.PAID else None
    if statement.part in (Part.OPENING, Part.CLOSING):
        return _balance_line(words)
    return _arising_line(words) if statement.part is Part.ARISING else None


def _balance_line(words: str) -> Line | None:
    if _INTEREST.search(words):
        return Line.INTEREST
    found = set(_OVER_OR_SHORT.findall(words))
    if len(found) != 1:
        return None
    return Line.OVER if found == {"thua"} else Line.SHORT


def _arising_line(words: str) -> Line | None:
    if words.startswith("phai dong"):
        return Line.TO_PAY
    if words.startswith("dieu chinh"):
        return Line.ADJUSTMENT
    return Line.INTEREST if words.startswith("tong") and _INTEREST.search(words) else None


def _put(statement: _Statement, part: Part | None, line: Line, figure: Decimal | None) -> None:
    key = (part, line)
    if key in statement.amounts:
        figure = None
        if part not in _CHECK_ONLY:
            statement.blame(f"employer {statement.employer}: the line '{line}' stands twice.")
    statement.amounts[key] = figure


def _finished(statement: _Statement, interest: bool) -> Row:
    paid = statement.amounts.get((Part.PAID, Line.PAID))
    carried = _balance(statement, Part.CLOSING, interest=interest)
    due = statement.amounts.get((None, Line.ESTIMATE))
    for figure, title in ((paid, "amount paid"), (carried, "carry-over"), (due, "estimate")):
        if figure is None:
            statement.blame(f"the statement of employer {statement.employer} has no {title}.")
    amounts = (None if statement.fault else _whole(figure) for figure in (paid, carried, due))
    values = (statement.employer, statement.name, statement.office, *amounts)
    return Row(statement.number, values, statement.fault)


def _balance(statement: _Statement, part: Part, *, interest: bool) -> Decimal | None:
    """Short minus over, with interest or without; None if a line or every figure is missing.

    The form leaves the cell empty that does not apply, so one empty cell of the two is 0.
    """
    wanted = [Line.SHORT, Line.OVER] + [Line.INTEREST] * interest
    if any((part, line) not in statement.amounts for line in wanted):
        return None
    short, over, *more = (statement.amounts[part, line] for line in wanted)
    if short is None and over is None:
        return None
    return (short or Decimal(0)) - (over or Decimal(0)) + sum(figure or 0 for figure in more)


def _difference(statement: _Statement) -> Decimal | None:
    """Opening + arising - paid - closing, all with interest; None where it cannot be known."""
    amounts = statement.amounts
    opening = _balance(statement, Part.OPENING, interest=(Part.OPENING, Line.INTEREST) in amounts)
    closing = _balance(statement, Part.CLOSING, interest=(Part.CLOSING, Line.INTEREST) in amounts)
    paid = amounts.get((Part.PAID, Line.PAID))
    arising = [figure for (part, _), figure in amounts.items() if part is Part.ARISING]
    if opening is None or closing is None or paid is None or not arising or None in arising:
        return None
    return opening + sum(figure for figure in arising if figure) - paid - closing


def _amount(value: Value) -> Decimal | None:
    """Read a cell of column 5; the portal writes 1,234,567. Empty is None.

    Raises:
        NumberError: it is no number.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return Decimal(parse_money(value, "en"))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise NumberError(f"{value!r} in column cong is not an amount.")
    number = Decimal(str(value))
    if not number.is_finite():
        raise NumberError(f"{value!r} in column cong is not an amount.")
    return number


def _whole(figure: Decimal | None) -> int | None:
    return None if figure is None else int(figure.quantize(Decimal(1), ROUND_HALF_UP))


def _text(value: Value) -> str:
    return value.strip() if isinstance(value, str) else ""
