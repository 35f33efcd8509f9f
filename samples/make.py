"""Writes the sample extracts anew: ``python samples/make.py``. Everything in them is invented."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import xlsxwriter

from smsengine.clock import VIETNAM
from smsengine.service import samples

FOLDER = Path(__file__).resolve().parent
EMPLOYERS = 60
LEGACY_ROWS = 20
TABLE = FOLDER.parent / "smsengine" / "text" / "vn_charsets.tsv"


def renew_last_days() -> None:
    """Put a day that lies ahead into the notices of the two offices."""
    today = datetime.now(VIETNAM).date()
    for path in FOLDER.glob("offices/jobs/provinces/*/*.yaml"):
        job = path.read_text(encoding="utf-8")
        path.write_text(samples.with_last_day(job, today), encoding="utf-8")


def main() -> None:
    """Write every file."""
    renew_last_days()
    codes = samples.facility_codes(FOLDER)
    samples.write_csv(
        FOLDER / f"visits-{samples.VISITS_PERIOD}.csv.gz",
        samples.VISITS_HEADER,
        samples.visits(codes),
    )
    samples.write_csv(FOLDER / "leaders.csv", samples.LEADERS_HEADER, samples.leaders(codes))
    name = f"c12-{samples.C12_PERIOD}"
    samples.write_csv(FOLDER / f"{name}.csv", samples.C12_HEADER, samples.employers(EMPLOYERS))
    write_workbook(FOLDER / f"{name}.xlsx", list(samples.employers(EMPLOYERS)))
    write_portal_export(FOLDER / f"{name}.json", list(samples.employers(EMPLOYERS)))
    samples.write_csv(
        FOLDER / "employer-contacts.csv",
        ("madvi", "dien_thoai"),
        ((row[0], row[-1]) for row in samples.employers(EMPLOYERS)),
    )
    for charset in ("tcvn3", "vni"):
        rows = [row for row in samples.employers(LEGACY_ROWS) if is_writable(row)]
        (FOLDER / f"{charset}-{name}.csv").write_bytes(legacy_table(rows, charset))


def write_workbook(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """A workbook as an office exports it: codes and phones are text, amounts are numbers."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False})
    book.set_properties({"created": samples_day()})
    sheet = book.add_worksheet("C12")
    sheet.write_row(0, 0, samples.C12_HEADER)
    amounts = {samples.C12_HEADER.index(name) for name in samples.C12_HEADER[2:7]}
    for line, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            if column in amounts:
                sheet.write_number(line, column, int(value))
            else:
                sheet.write_string(line, column, value)
    book.close()


def samples_day() -> object:
    """A fixed date, so that the file is the same each time."""
    from datetime import datetime

    return datetime(2019, 6, 1)  # noqa: DTZ001


def write_portal_export(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """The C12 portal's export: statement lines with comma thousands in strings."""
    lines = [line for row in rows for line in statement_lines(row)]
    document = {"maCqBhxh": "00101", "tenCqBhxh": "BHXH TP Hà Nội", "c12s": lines}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def statement_lines(row: Sequence[str]) -> list[dict[str, str]]:
    """One employer's C12-TS, the form of QĐ 505/2020, with the estimate as a last line."""
    code, name, *figures = row
    opening, arising, paid, closing, due = map(int, figures[:5])
    text = (
        ("A", "Kỳ trước mang sang", 0),
        ("1", "Số lao động", 120),
        ("2", "Phải đóng", opening),
        ("2.1", "Thừa", max(0, -opening)),
        ("2.2", "Thiếu", max(0, opening)),
        ("3", "Thiếu lãi", 0),
        ("B", "Phát sinh trong kỳ", 0),
        ("3", "Phải đóng", arising),
        ("C", "Số tiền đã nộp trong kỳ", paid),
        ("1", "+ UNC số 00001, Ngày 20/05/2019", paid),
        ("D", "Phân bổ tiền đóng", paid),
        ("1", "Phải đóng", paid),
        ("2", "Tiền lãi", 0),
        ("Đ", "Chuyển kỳ sau", 0),
        ("1", "Số lao động", 121),
        ("2", "Phải đóng", closing),
        ("2.1", "Thừa", max(0, -closing)),
        ("2.2", "Thiếu", max(0, closing)),
        ("3", "Thiếu lãi", 0),
        ("", "Số tiền dự tính phải đóng", due),
    )
    return [
        {
            "maDonVi": code,
            "tenDonVi": name,
            "diaChi": "Hà Nội",
            "stt": number,
            "noiDung": content,
            "bhxh": "",
            "bhyt": "",
            "bhtn": "",
            "bhtnld": "",
            "cong": f"{amount:,}",
        }
        for number, content, amount in text
    ]


def is_writable(row: Sequence[str]) -> bool:
    """Old charsets have no curly quotes, dashes or look-alikes."""
    letters = {line.split("\t")[0] for line in TABLE.read_text(encoding="utf-8").splitlines()}
    return all(char.isascii() or char in letters for value in row for char in value)


def legacy_table(rows: Sequence[Sequence[str]], charset: str) -> bytes:
    """A table as an old program wrote it."""
    lines = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    column = lines[0].index(f"{charset}_hex")
    letters = {line[0]: bytes.fromhex(line[column]) for line in lines[1:]}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([samples.C12_HEADER, *rows])
    return b"".join(letters.get(char) or char.encode("ascii") for char in text.getvalue())


if __name__ == "__main__":
    main()
