"""The fund's files: columns, what is broken, what is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter

from smsengine.config.cross_check import FundFiles
from smsengine.errors import SourceError
from smsengine.payments.fund_line import FundLine, FundReader
from smsengine.payments.fund_safe import FundSafe
from smsengine.payments.fund_taking import Prepared, digest_of, source_of
from smsengine.payments.safe import Safe
from tests.conftest import KEY

TODAY = date(2026, 11, 25)
DAY = date(2026, 11, 24)
ORGANISATIONS = {"AR0013M": "AR0013M", "AR0099M": "AR0013M", "BI0007M": "BI0007M"}
FILES = FundFiles()
SAFE = FundSafe(KEY, Safe(KEY))


def reader(path: Path, files: FundFiles = FILES) -> FundReader:
    return FundReader(source_of(path, files), files, ORGANISATIONS, today=TODAY)


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "fund.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def lines(path: Path, files: FundFiles = FILES) -> list[FundLine]:
    return list(reader(path, files).lines())


def test_a_statement_as_csv(tmp_path: Path) -> None:
    """Codes and organisation are found in the text."""
    path = csv(
        tmp_path,
        "ngayGiaoDich,soTien,noiDung,soThamChieu",
        '24/11/2026,804600,"AR0099M nop POS00000',
        '00002",FT1',
    )
    (found,) = lines(path)
    assert found == FundLine(
        place=2,
        day=DAY,
        amount=804_600,
        memo="AR0099M nop POS00000\n00002",
        reference="FT1",
        codes=("POS0000000002",),
        organisation="AR0013M",
    )


def test_a_ledger_as_xlsx(tmp_path: Path) -> None:
    """Dates and numbers are those of the spreadsheet; the code has a column of its own."""
    path = tmp_path / "ledger.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("Ngày", "Số tiền", "maXacNhan", "maToChucDvt"))
        sheet.write_datetime(1, 0, datetime(2026, 11, 24), book.add_format({"num_format": 14}))
        sheet.write_number(1, 1, 804_600)
        sheet.write_row(1, 2, ("abcd-1234-x", "BI0007M"))
    columns = {"day": "Ngày", "amount": "Số tiền"}
    (found,) = lines(path, FundFiles(columns=columns))
    assert found == FundLine(
        place=2, day=DAY, amount=804_600, codes=("ABCD1234X",), organisation="BI0007M"
    )


def test_banks_write_a_head_of_their_own(tmp_path: Path) -> None:
    """The sheet and the row of the columns' names are settings, as are marks of CSV."""
    path = tmp_path / "bank.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Bia").write(0, 0, "NGAN HANG")
        sheet = book.add_worksheet("SaoKe")
        sheet.write_row(4, 0, ("ngayGiaoDich", "soTien", "noiDung"))
        sheet.write_row(5, 0, ("24/11/2026", "804.600", "nop"))
    files = FundFiles(sheet="SaoKe", header_row=5, numbers="vi")
    assert [804_600] == [line.amount for line in lines(path, files)]
    path = csv(tmp_path, "ngayGiaoDich#soTien#noiDung", "24/11/2026#5#nop")
    assert [5] == [line.amount for line in lines(path, FundFiles(delimiter="#", encoding="utf-8"))]


def test_what_went_out_is_passed_over(tmp_path: Path) -> None:
    """It is counted, and nothing of it is a receipt; what was taken back is less than nothing."""
    path = csv(
        tmp_path,
        "ngayGiaoDich,soTien,noiDung,ghiNo",
        "24/11/2026,,phi,5500",
        "24/11/2026,0,phi,5500",
        "24/11/2026,100,thu,",
        "24/11/2026,-100,tra lai,0",
    )
    given = reader(path)
    assert [100, -100] == [line.amount for line in given.lines()]
    assert 2 == given.passed_over


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("25.11.2026,1,x", "fund.csv:2: day: is no day"),
        ("31/11/2026,1,x", "fund.csv:2: day: 31/11/2026 is no day of the calendar"),
        ("26/11/2026,1,x", "fund.csv:2: day: 26/11/2026 has not come yet"),
        (",1,x", "fund.csv:2: day: is no day"),
        ("24/11/2026,,x", "fund.csv:2: amount: is none as plain writes it"),
        ("24/11/2026,TRAN VAN AN,x", "fund.csv:2: amount: is none"),
        ("24/11/2026,1.5,x", "fund.csv:2: amount: is none"),
        ("24/11/2026,0,x", "fund.csv:2: amount: 0 is nothing that came"),
        ("24/11/2026,1000000000000,x", "fund.csv:2: amount: .* is nothing that came"),
        ("24/11/2026,1", "fund.csv:2: has 2 fields, the header has 3"),
        (f"24/11/2026,1,{'x' * 2001}", "fund.csv:2: memo: has 2001 characters"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(tmp_path: Path, cells: str, said: str) -> None:
    """And nothing of it is repeated that may name a person."""
    path = csv(tmp_path, "ngayGiaoDich,soTien,noiDung", cells)
    with pytest.raises(SourceError, match=said) as caught:
        lines(path)
    assert "TRAN" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "lacks"),
    [
        ("soTien,noiDung", "ngayGiaoDich"),
        ("ngayGiaoDich,noiDung", "soTien"),
        ("ngayGiaoDich,soTien", "noiDung or maXacNhan"),
    ],
)
def test_a_column_that_lacks_is_named(tmp_path: Path, header: str, lacks: str) -> None:
    """Without a day, an amount, and a text or a code there is nothing to compare."""
    with pytest.raises(SourceError, match=f"lacks {lacks}; it has: "):
        reader(csv(tmp_path, header, "1,2,3"))


def test_a_code_that_is_none_is_refused(tmp_path: Path) -> None:
    """In a column of codes everything is one."""
    path = csv(tmp_path, "ngayGiaoDich,soTien,maXacNhan", "24/11/2026,1,x y")
    with pytest.raises(SourceError, match=r"fund\.csv:2: code: is no confirmation code"):
        lines(path)


def test_a_line_of_two_organisations_names_none(tmp_path: Path) -> None:
    """Nor does one of an organisation that is not known."""
    path = csv(
        tmp_path,
        "ngayGiaoDich,soTien,noiDung,maToChucDvt",
        "24/11/2026,1,AR0013M BI0007M,",
        "24/11/2026,1,AR0013M,XX9999X",
    )
    assert ["", ""] == [line.organisation for line in lines(path)]


def test_a_text_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """A last amount without a line end may have lost its zeros."""
    path = tmp_path / "fund.csv"
    path.write_text("ngayGiaoDich,soTien,noiDung\n24/11/2026,80460", encoding="utf-8")
    with pytest.raises(SourceError, match="may have been cut off"):
        digest_of(path)


@pytest.mark.parametrize("name", ["fund.txt", "fund", "fund.xls"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    """By its ending."""
    with pytest.raises(SourceError, match=r"ends in \.csv, \.xlsx, \.940, \.mt940, \.sta"):
        source_of(tmp_path / name, FILES)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """One sentence."""
    with pytest.raises(SourceError, match="cannot be read"):
        digest_of(tmp_path / "none.csv")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A copy that is not whole yet would be half a day."""
    path = csv(tmp_path, "ngayGiaoDich,soTien,noiDung", "24/11/2026,1,x")

    def growing() -> Iterator[FundLine]:
        yield from lines(path)
        with path.open("a", encoding="utf-8") as file:
            file.write("24/11/2026,2,x\n")

    with pytest.raises(SourceError, match="has changed while it was read"):
        Prepared(path, growing(), SAFE)
    with Prepared(path, reader(path).lines(), SAFE) as prepared:
        assert [1, 2] == [row.amount for row in prepared.rows()]
