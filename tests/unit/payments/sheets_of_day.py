"""Lines of a daily table, a form for them, and what a reader of spreadsheets finds in a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from python_calamine import load_workbook

from smsengine.config.daily_table import TableColumn, working_layout
from smsengine.payments.carriers import Parcel, sha256_of
from smsengine.payments.daily import Line
from smsengine.payments.daily_file import Form
from tests.conftest import START
from tests.payers import PAID

DAY = date(2019, 5, 31)
PAYMENT = replace(
    PAID,
    receipt="R1",
    from_day=date(2019, 6, 1),
    to_day=date(2020, 5, 31),
    staff="NVT001234567890",
    staff_name="Lê Thị Bình",
)
FORM = Form(
    title="TỔNG HỢP SỐ TIỀN THU",
    office="BHXH cơ sở Ba Đình",
    organisation="UBND phường Điện Biên",
    code="AR0013M",
    day="31/05/2019",
    supplement=0,
    made_at=START,
    columns=working_layout(),
)


def line(number: int = 1, *, sign: int = 1, **changes: Any) -> Line:
    """A line; what is not said follows from its number. Changes are those of the payment."""
    payment = replace(PAYMENT, receipt=f"R{number}", **changes)
    return Line(
        sign=sign,
        amount=sign * payment.amount,
        code=f"POS{number:010d}",
        payment=payment,
        type="BHYT hộ gia đình" if payment.type == "bhyt-hgd" else "BHXH tự nguyện",
        organisation="UBND phường Điện Biên",
        recorded_at=START,
        note="",
        staff=payment.staff.encode(),
    )


def form(*columns: tuple[str, str], **changes: Any) -> Form:
    """The form, with these columns (title, what it holds) where some are given."""
    if columns:
        changes["columns"] = [TableColumn(title=title, holds=holds) for title, holds in columns]  # type: ignore[arg-type]
    return replace(FORM, **changes)


def read(path: Path, sheet: int = 0) -> list[list[Any]]:
    """The rows of a sheet, without empty cells and rows."""
    rows = load_workbook(path).get_sheet_by_index(sheet).to_python()
    return [filled for row in rows if (filled := [cell for cell in row if cell != ""])]


def total_of(path: Path) -> int:
    """What a table says that it comes to."""
    (row,) = [row for row in read(path) if row[0] == "Tổng cộng"]
    return int(row[-1])


def parcel(folder: Path, content: bytes = b"a table", **changes: Any) -> Parcel:
    """A file to deliver."""
    path = folder / "table.xlsx"
    path.write_bytes(content)
    values: dict[str, Any] = {
        "path": path,
        "file_name": "01-XN_AR0013M_00101_2019-05-31.xlsx",
        "sha256": sha256_of(path),
        "organisation": "UBND phường Điện Biên",
        "code": "AR0013M",
        "day": DAY,
        "supplement": 0,
        "lines": 2,
        "amount": 1_134_600,
    }
    return Parcel(**(values | changes))
