"""A run as a table for a spreadsheet: whole, masked, and harmless."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from smsengine.errors import UsageError
from smsengine.reports.exports import HEADER, lines, write
from smsengine.sources.xlsx_file import XlsxFile
from tests.conftest import Office, row

DANGEROUS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|'/c calc'!A1", "\t=1+1", "\r=1+1"]
TEXT = "Kinh gui Cong ty Duong Hung Yen: da dong 1.000.000 dong thang 06/2019."


@pytest.fixture
def exported(office: Office) -> Office:
    """A run of one message that was delivered and one row that was skipped."""
    office.planned([row(2, "TA1", cell="0912345678"), row(3, "TA2", cell="024 3936 0000")])
    office.change(
        "UPDATE messages SET state = 'delivered', code = 'DELIVRD', detail = 'ok',"
        " settled_at = '2019-06-01 18:30:00'"
    )
    return office


def table(path: Path) -> list[tuple[str, ...]]:
    """The lines of a CSV file, as a spreadsheet reads them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [tuple(line) for line in csv.reader(file)]


def sheet(path: Path) -> list[tuple[object, ...]]:
    """The rows of an XLSX file, as our own reader reads them."""
    book = XlsxFile(path)
    return [book.columns(), *(each.values for each in book.rows())]


def line(*cells: str) -> tuple[str, ...]:
    """A line with these first cells."""
    return cells + ("",) * (len(HEADER) - len(cells))


def test_messages_come_first_and_then_skips(exported: Office) -> None:
    """Every row of the extract is in the table, with its state or its reason."""
    delivered, skipped = lines(exported.store, 1, full_phones=False)
    assert (
        ("2", "TA1", "091***5678", "delivered", "DELIVRD", "ok", "2019-06-02 01:30:00", "1", TEXT),
        ("3", "TA2", "", "skipped", "landline"),
    ) == (delivered, skipped[:5])


def test_times_are_vietnam_s(exported: Office) -> None:
    """Half past one in the morning is the next day here, though not in UTC."""
    assert "2019-06-02 01:30:00" == next(lines(exported.store, 1, full_phones=False))[6]


@pytest.mark.parametrize(("full", "phone"), [(False, "091***5678"), (True, "+84912345678")])
def test_numbers_are_masked_unless_asked_for(exported: Office, phone: str, *, full: bool) -> None:
    """Whoever needs the numbers says so."""
    assert phone == next(lines(exported.store, 1, full_phones=full))[2]


def test_no_number_is_anywhere_in_a_masked_table(exported: Office, tmp_path: Path) -> None:
    """Neither a message nor the reason of a skip gives a number away."""
    path = tmp_path / "run.csv"
    write(path, lines(exported.store, 1, full_phones=False))
    content = path.read_text(encoding="utf-8-sig")
    assert [] == [each for each in ("912345678", "2439360000", "3936 0000") if each in content]


def test_what_is_not_settled_has_no_time(office: Office) -> None:
    """A message that waits has neither time nor code."""
    office.planned([row(2, "TA1", cell="0912345678")])
    waiting = next(lines(office.store, 1, full_phones=False))
    assert ("queued", "", "", "") == waiting[3:7]


def test_a_csv_has_a_header_and_every_line(exported: Office, tmp_path: Path) -> None:
    """What is written is what a spreadsheet reads, and its lines are counted."""
    given = list(lines(exported.store, 1, full_phones=False))
    assert len(given) == write(tmp_path / "run.csv", given)
    assert [HEADER, *given] == table(tmp_path / "run.csv")


def test_a_csv_opens_with_its_accents(tmp_path: Path) -> None:
    """Excel takes a file for UTF-8 when it begins with the mark of it."""
    write(tmp_path / "run.csv", [line("Đống Đa")])
    assert (tmp_path / "run.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_an_xlsx_has_a_header_and_every_line(exported: Office, tmp_path: Path) -> None:
    """The workbook holds the same cells, as text."""
    given = list(lines(exported.store, 1, full_phones=True))
    assert 2 == write(tmp_path / "run.xlsx", given)
    filled = [tuple(cell or None for cell in each) for each in given]
    assert [HEADER, *filled] == sheet(tmp_path / "run.xlsx")


def test_a_code_stays_a_code_in_a_workbook(tmp_path: Path) -> None:
    """01909 and 01E51 are text, and no spreadsheet destroys them."""
    write(tmp_path / "run.xlsx", [line("2", "01909"), line("3", "01E51")])
    assert ["01909", "01E51"] == [each[1] for each in sheet(tmp_path / "run.xlsx")[1:]]


@pytest.mark.parametrize("cell", DANGEROUS)
def test_no_formula_is_in_a_workbook(tmp_path: Path, cell: str) -> None:
    """What looks like a formula is written as words."""
    write(tmp_path / "run.xlsx", [line("2", cell)])
    with zipfile.ZipFile(tmp_path / "run.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("cell", DANGEROUS)
def test_no_formula_is_in_a_csv(tmp_path: Path, cell: str) -> None:
    """A spreadsheet that opens the table runs nothing of what stood in an extract."""
    write(tmp_path / "run.csv", [line("2", cell)])
    assert f"'{cell}" == table(tmp_path / "run.csv")[1][1]


@pytest.mark.parametrize("cell", ["+84912345678", "-214541737", "-214.541.737", "a=b", "TA1", ""])
def test_what_is_no_formula_stays_as_it_is(tmp_path: Path, cell: str) -> None:
    """A phone number, a negative amount and a word are not changed for safety's sake."""
    write(tmp_path / "run.csv", [line("2", cell)])
    assert cell == table(tmp_path / "run.csv")[1][1]


@pytest.mark.parametrize("name", ["run.pdf", "run", "run.csv.gz"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    """The two kinds of tables are named."""
    with pytest.raises(UsageError, match=r"name a file that ends in \.csv or \.xlsx"):
        write(tmp_path / name, [])


@pytest.mark.parametrize("name", ["run.CSV", "run.Xlsx"])
def test_endings_may_be_capital(tmp_path: Path, name: str) -> None:
    """Windows writes endings as it likes."""
    assert 0 == write(tmp_path / name, [])


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, ending: str) -> None:
    """A folder that is not there is one sentence."""
    with pytest.raises(UsageError, match=r"cannot be written \(No such file or directory\)"):
        write(tmp_path / "none" / f"run{ending}", [])
