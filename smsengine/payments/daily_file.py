"""The daily table (Mẫu 01-XN) as an XLSX laid out like an official form.

It is written from top to bottom and kept nowhere, so that memory stays flat. The same lines give
the same bytes: whether a table that was made before is still the same is seen by its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import xlsxwriter

from smsengine.clock import VIETNAM
from smsengine.config.daily_table import TableColumn
from smsengine.payments.daily import Line

#: A sheet has 1,048,576 rows; what is more goes on another one.
_MOST_LINES = 1_000_000
_FEW_LINES = 1_000
_Cell = str | int | datetime | None
_HEADING_ROWS = 8
_DATE, _MONEY = "dd/mm/yyyy", "#,##0"
_A4 = 9


@dataclass(frozen=True, kw_only=True)
class Form:
    """What stands on a table besides its lines. ``supplement`` is 0 for the day's own table."""

    title: str
    office: str
    organisation: str
    code: str
    day: str
    supplement: int
    made_at: datetime
    columns: Sequence[TableColumn]


@dataclass(kw_only=True)
class Sum:
    """How many payments, and how much; what is taken back counts as minus. ``amount`` is đồng."""

    name: str = ""
    payments: int = 0
    amount: int = 0

    def add(self, line: Line) -> None:
        self.payments += line.sign
        self.amount += line.amount


@dataclass(kw_only=True)
class Sums:
    """What a table comes to."""

    lines: int = 0
    total: Sum = field(default_factory=lambda: Sum(name="Tổng cộng"))
    by_staff: dict[bytes, Sum] = field(default_factory=dict)
    by_type: dict[str, Sum] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        self.lines += 1
        self.total.add(line)
        staff = self.by_staff.get(line.staff)
        if staff is None:
            staff = self.by_staff[line.staff] = Sum(name=line.staff_name)
        staff.add(line)
        self.by_type.setdefault(line.type, Sum(name=line.type)).add(line)


_CONTENTS: Mapping[str, Callable[[Line], _Cell]] = {
    "code": lambda line: line.code,
    "name": lambda line: line.payment.name,
    "insurance-number": lambda line: line.payment.insurance_number,
    "type": lambda line: line.type,
    "paid-on": lambda line: _midnight(line.payment.paid_on),
    "amount": lambda line: line.amount,
    "months": lambda line: line.payment.months,
    "from-day": lambda line: _midnight(line.payment.from_day),
    "to-day": lambda line: _midnight(line.payment.to_day),
    "organisation": lambda line: line.organisation,
    "organisation-code": lambda line: line.payment.organisation,
    "staff": lambda line: line.staff_name,
    "staff-code": lambda line: line.payment.staff,
    "receipt": lambda line: line.payment.receipt,
    "recorded-at": lambda line: f"{line.recorded_at.astimezone(VIETNAM):%H:%M %d/%m/%Y}",
    "note": lambda line: line.note,
}


def _midnight(day: Any) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day)  # noqa: DTZ001


def write(
    path: Path,
    form: Form,
    lines: Iterable[Line],
    *,
    most: int = _MOST_LINES,
    few: int = _FEW_LINES,
) -> Sums:
    """Write a table into a new file; returns what it comes to.

    Args:
        path: the file.
        form: what stands round the lines.
        lines: in their order.
        most: how many lines a sheet has.
        few: so many lines are put together in memory, which is quicker than in many small files.

    Raises:
        OSError: the file cannot be written.
        SealedError: a line cannot be read.
    """
    sums, rest = Sums(), iter(lines)
    first = list(islice(rest, few + 1))
    how = "in_memory" if len(first) <= few else "constant_memory"
    with path.open("wb") as file:
        options = {how: True, "strings_to_formulas": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(file, options) as book:
            made = form.made_at.astimezone(VIETNAM).replace(tzinfo=None)
            book.set_properties({"title": form.title, "created": made})
            paper = _Paper(book, form, most)
            for line in chain(first, rest):
                sums.add(line)
                paper.line(sums.lines, line)
            paper.end(sums)
    return sums


class _Paper:
    """Writes row after row."""

    def __init__(self, book: Any, form: Form, most: int) -> None:
        self._book, self._form, self._most = book, form, most
        self._sheets = self._row = 0
        self._formats = _formats(book)
        self._amount = [column.holds for column in form.columns].index("amount")
        self._beside = self._amount - 1 if self._amount > 1 else self._amount + 1
        self._begin()

    def _begin(self) -> None:
        """A sheet with the form's heading."""
        self._sheets += 1
        name = "01-XN" if self._sheets == 1 else f"01-XN ({self._sheets})"
        self._sheet = sheet = self._book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(_HEADING_ROWS, _HEADING_ROWS)
        sheet.freeze_panes(_HEADING_ROWS + 1, 0)
        sheet.set_footer("&C&P/&N")
        for number, column in enumerate(self._form.columns):
            sheet.set_column(number, number, column.width)
        self._head()
        for number, column in enumerate(self._form.columns):
            sheet.write_string(_HEADING_ROWS, number, column.title, self._formats["head"])
        self._row = _HEADING_ROWS + 1

    def _head(self) -> None:
        form, formats, sheet = self._form, self._formats, self._sheet
        last = max(self._amount, len(form.columns) - 1)
        made = f"{form.made_at.astimezone(VIETNAM):%H:%M ngày %d/%m/%Y}"
        sheet.write_string(0, 0, "BẢO HIỂM XÃ HỘI VIỆT NAM", formats["bold"])
        sheet.write_string(0, last, "Mẫu 01-XN", formats["right"])
        sheet.write_string(1, 0, form.office, formats["bold"])
        sheet.write_string(2, 0, form.title, formats["title"])
        extra = f" (Bổ sung lần {form.supplement})" if form.supplement else ""
        sheet.write_string(3, 0, f"Ngày {form.day}{extra}", formats["bold"])
        sheet.write_string(4, 0, f"Tổ chức dịch vụ thu: {form.organisation}")
        sheet.write_string(5, 0, f"Mã tổ chức: {form.code}")
        sheet.write_string(6, 0, f"Lập lúc {made}")
        sheet.write_string(6, last, "Đơn vị tính: đồng", formats["right"])

    def line(self, number: int, line: Line) -> None:
        if self._row > _HEADING_ROWS + self._most:
            self._begin()
        for place, column in enumerate(self._form.columns):
            cell = number if column.holds == "number" else _CONTENTS[column.holds](line)
            self._cell(place, cell, is_money=column.holds == "amount")
        self._row += 1

    def _cell(self, place: int, cell: _Cell, *, is_money: bool) -> None:
        formats = self._formats
        if isinstance(cell, int):
            self._sheet.write_number(self._row, place, cell, formats["money" if is_money else ""])
        elif isinstance(cell, datetime):
            self._sheet.write_datetime(self._row, place, cell, formats["date"])
        else:
            self._sheet.write_string(self._row, place, cell or "", formats[""])

    def end(self, sums: Sums) -> None:
        """Totals and signatures."""
        if not sums.lines:
            self._sheet.write_string(self._row, 0, "Không phát sinh", self._formats["plain"])
            self._row += 1
        self._total(sums.total)
        self._group("Theo nhân viên thu", sums.by_staff.values())
        self._group("Theo loại hình tham gia", sums.by_type.values())
        self._sign()

    def _total(self, each: Sum, style: str = "bold") -> None:
        self._sheet.write_string(self._row, 0, each.name, self._formats[style])
        values = {self._beside: each.payments, self._amount: each.amount}
        for place, value in sorted(values.items()):
            self._sheet.write_number(self._row, place, value, self._formats[f"{style} money"])
        self._row += 1

    def _group(self, title: str, sums: Iterable[Sum]) -> None:
        self._row += 1
        words = {0: title, self._beside: "Số lượt", self._amount: "Số tiền"}
        for place, word in sorted(words.items()):
            self._sheet.write_string(self._row, place, word, self._formats["bold"])
        self._row += 1
        for each in sorted(sums, key=lambda one: one.name):
            self._total(each, "plain")

    def _sign(self) -> None:
        self._row += 1
        right = max(self._amount, 2)
        blocks = (
            ("", "Ngày …… tháng …… năm ……"),
            ("NGƯỜI LẬP BIỂU", "GIÁM ĐỐC"),
            ("(Ký, họ tên)", "(Ký, họ tên, đóng dấu)"),
        )
        for left, other in blocks:
            self._sheet.write_string(self._row, 1, left, self._formats["plain"])
            self._sheet.write_string(self._row, right, other, self._formats["plain"])
            self._row += 1


def _formats(book: Any) -> Mapping[str, Any]:
    cell = {"font_name": "Times New Roman", "font_size": 11}
    ruled = {**cell, "border": 1}
    made: dict[str, dict[str, Any]] = {
        "": ruled,
        "money": {**ruled, "num_format": _MONEY},
        "date": {**ruled, "num_format": _DATE},
        "head": {**ruled, "bold": True, "text_wrap": True, "align": "center", "valign": "vcenter"},
        "title": {**cell, "bold": True, "font_size": 14},
        "bold": {**cell, "bold": True},
        "bold money": {**cell, "bold": True, "num_format": _MONEY},
        "plain": cell,
        "plain money": {**cell, "num_format": _MONEY},
        "right": {**cell, "bold": True, "align": "right"},
    }
    return {name: book.add_format(values) for name, values in made.items()}
