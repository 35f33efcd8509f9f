"""The cross-check as a workbook for the office, in Vietnamese; written row by row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from smsengine.errors import UsageError
from smsengine.payments.cross_report import Finding, Stray, Table, Why
from smsengine.payments.remittance import Kind, Sums

_KINDS = {
    Kind.OPEN: "Chưa nộp về quỹ",
    Kind.SHORT: "Nộp thiếu",
    Kind.OVER: "Nộp thừa",
    Kind.CHANGED: "Sửa hoặc huỷ sau khi đã nộp",
    Kind.LATE: "Nộp chậm",
}
_WHY = {
    Why.NO_CODE: "Không có mã xác nhận, không khớp với đúng một lượt thu",
    Why.UNKNOWN: "Mã xác nhận chưa có trong sổ",
    Why.SEVERAL: "Có mã xác nhận của nhiều lượt thu",
}
_FINDINGS = (
    *("Loại", "Tổ chức dịch vụ thu", "Cơ quan BHXH", "Nhân viên thu", "Số biên lai"),
    *("Mã xác nhận", "Ngày nộp tiền", "Số tiền đã thu", "Quỹ đã nhận", "Còn thiếu", "Số ngày"),
)
_STRAYS = (
    *("Ngày", "Số tiền", "Tổ chức dịch vụ thu", "Số tham chiếu", "Nội dung", "Lý do", "Số ngày"),
)
_SUMS = (
    *("Số lượt", "Đã thu", "Quỹ đã nhận", "Còn thiếu", "Số lượt còn thiếu", "Nhận thừa"),
    *("Nộp chậm", "Sửa sau khi nộp", "Thiếu 1 ngày", "Thiếu 2-3 ngày", "Thiếu 4-7 ngày"),
    "Thiếu trên 7 ngày",
)
_SHARES = ("Tổ chức dịch vụ thu", "Cơ quan BHXH", "Nhân viên thu", *_SUMS)
_MOST_ROWS = 1_048_576
_WIDTH = 18


def write(
    path: Path,
    table: Table,
    *,
    title: str,
    findings: Iterable[Finding] = (),
    strays: Iterable[Stray] = (),
) -> None:
    """Write a workbook that only its owner reads; a file of that name is replaced as a whole.

    Args:
        path: ends in .xlsx.
        table: sums by member of the staff.
        title: what it is about.
        findings: payments that are not as they should be.
        strays: lines of the fund that nobody knows.

    Raises:
        UsageError: another ending, or it cannot be written.
    """
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"{path}: name a file that ends in .xlsx.")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(number, "wb") as file:
                _write(file, table, title, findings, strays)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}).") from error


def _write(
    file: Any, table: Table, title: str, findings: Iterable[Finding], strays: Iterable[Stray]
) -> None:
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        _sheet(book, "Tong hop", title, _SHARES, _share_rows(table))
        _sheet(book, "Sai lech", title, _FINDINGS, map(_finding_row, findings))
        _sheet(book, "Chua ro", title, _STRAYS, map(_stray_row, strays))


def _sheet(
    book: Any, name: str, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    bold = book.add_format({"bold": True, "text_wrap": True})
    money = book.add_format({"num_format": "#,##0"})
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    sheet = book.add_worksheet(name)
    sheet.set_column(0, len(header) - 1, _WIDTH)
    sheet.write_string(0, 0, title, bold)
    for column, said in enumerate(header):
        sheet.write_string(2, column, said, bold)
    for number, row in enumerate(rows, start=3):
        if number == _MOST_ROWS - 1:
            sheet.write_string(number, 0, "Còn nữa, không đủ dòng")
            break
        for column, value in enumerate(row):
            if isinstance(value, int):
                sheet.write_number(number, column, value, money)
            elif isinstance(value, date):
                sheet.write_datetime(number, column, value, day)
            else:
                sheet.write_string(number, column, str(value))


def _share_rows(table: Table) -> Iterator[Sequence[object]]:
    for share in table.shares:
        yield (share.organisation, share.office, share.staff, *_sums_row(share.sums))
    yield ("Tổng cộng", "", "", *_sums_row(table.total))


def _sums_row(sums: Sums) -> Sequence[int]:
    return (
        sums.payments,
        sums.paid,
        sums.remitted,
        sums.open,
        sums.open_payments,
        sums.excess,
        sums.late,
        sums.changed,
        *sums.open_by_age,
    )


def _finding_row(found: Finding) -> Sequence[object]:
    return (
        _KINDS[found.kind],
        found.organisation,
        found.office,
        found.staff,
        found.receipt,
        found.code,
        found.paid_on,
        found.paid,
        found.got,
        found.open,
        found.age,
    )


def _stray_row(stray: Stray) -> Sequence[object]:
    return (
        stray.day,
        stray.amount,
        stray.organisation,
        stray.reference,
        stray.memo,
        _WHY[stray.why],
        stray.age,
    )
