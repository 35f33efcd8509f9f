"""Workbooks as Excel, other programs and careless people leave them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import xlsxwriter

from smsengine.errors import SourceError
from smsengine.sources.base import Row, Value
from smsengine.sources.xlsx_book import shows_a_day
from smsengine.sources.xlsx_file import XlsxFile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def written(path: Path, *rows: list[Any], options: dict[str, Any] | None = None) -> XlsxFile:
    """Write rows with an independent writer and return their source."""
    with xlsxwriter.Workbook(path, options or {}) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        sheet = book.add_worksheet("Dữ liệu")
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                form = day if isinstance(value, datetime) else None
                sheet.write(number, column, value, form)
    return XlsxFile(path, name="c12")


def handmade(path: Path, sheet: str, texts: str = "") -> XlsxFile:
    """Write the least workbook there can be round the XML of a sheet."""
    relation = f'<Relationship Id="{{0}}" Type="{RELATIONS}/{{1}}" Target="{{2}}"/>'
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        + relation.format("r1", "worksheet", "worksheets/sheet1.xml")
        + relation.format("r2", "sharedStrings", "/xl/sharedStrings.xml")
        + "</Relationships>",
        "xl/worksheets/sheet1.xml": sheet,
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
    }
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return XlsxFile(path, name="c12")


def sheet_of(*rows: str) -> str:
    """Return the XML of a sheet; the rows leave their numbers and references out."""
    inside = "".join(f"<row>{row}</row>" for row in rows)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{inside}</sheetData></worksheet>'


def text_cell(text: str) -> str:
    """Return the XML of a cell of text."""
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def only_values(source: XlsxFile) -> tuple[Value, ...]:
    """Return the values of the only row."""
    (row,) = source.rows()
    return row.values


@pytest.fixture
def refusal() -> Callable[[XlsxFile], str]:
    """Give a function that reads a workbook and returns the sentence that refuses it."""

    def read(source: XlsxFile) -> str:
        with pytest.raises(SourceError) as caught:
            list(source.rows())
        return str(caught.value)

    return read


def test_text_cells_stay_text(tmp_path: Path) -> None:
    """A code typed as text keeps its zero and its E."""
    source = written(tmp_path / "c12", ["mã", "số"], ["01E51", "0912345678"])
    assert list(source.rows()) == [Row(2, ("01E51", "0912345678"))]


def test_number_cells_stay_numbers(tmp_path: Path) -> None:
    """Planning sees that a code was destroyed, and whole amounts are exact."""
    source = written(tmp_path / "c12", ["a", "b", "c"], [1e51, 9249473860, -0.5])
    values = only_values(source)
    assert [(type(value), value) for value in values] == [
        (float, 1e51),
        (int, 9249473860),
        (float, -0.5),
    ]


@pytest.mark.parametrize("since_1904", [False, True])
def test_days_are_moments(tmp_path: Path, since_1904: bool) -> None:
    """A number in a date format is the moment it shows, in both calendars of Excel."""
    moments = [datetime(2019, 5, 1), datetime(2019, 5, 6, 7, 45, 30)]
    options = {"date_1904": since_1904}
    source = written(tmp_path / "c12", ["a", "b"], moments, options=options)
    assert only_values(source) == tuple(moments)


@pytest.mark.parametrize(
    ("number_format", "day"),
    [
        ("dd/mm/yyyy", True),
        ("[$-42A]d mmmm yyyy", True),
        ("mm/yy;@", True),
        ('#,##0" dong"', False),
        (r"#,##0\ \d", False),
        ("[Red]#,##0_d", False),
        ("[h]:mm", False),
        ("General", False),
    ],
)
def test_only_formats_that_show_a_day_make_moments(number_format: str, day: bool) -> None:
    """An amount with a "dong" behind it is no date."""
    assert shows_a_day(number_format) is day


def test_truth_is_a_value(tmp_path: Path) -> None:
    """A logical cell is True or False."""
    assert only_values(written(tmp_path / "c12", ["a", "b"], [True, False])) == (True, False)


def test_a_formula_gives_its_value(tmp_path: Path) -> None:
    """What the spreadsheet program computed last is read."""
    with xlsxwriter.Workbook(tmp_path / "c12") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_formula(1, 0, "=1+1", None, 2)
        sheet.write_formula(1, 1, '="x"', None, "x")
    assert only_values(XlsxFile(tmp_path / "c12")) == (2, "x")


def test_an_error_cell_is_a_fault(tmp_path: Path) -> None:
    """A look-up that found nothing is not taken for an empty cell."""
    with xlsxwriter.Workbook(tmp_path / "c12") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_formula(1, 1, "=NA()", None, "#N/A")
        sheet.write_row(2, 0, [1, 2])
    assert list(XlsxFile(tmp_path / "c12").rows()) == [
        Row(2, (), "cell B2 holds the error #N/A"),
        Row(3, (1, 2)),
    ]


def test_a_formula_never_calculated_is_a_fault(tmp_path: Path) -> None:
    """A workbook made by a program and never opened has no values to read."""
    source = handmade(tmp_path / "c12", sheet_of(text_cell("a"), "<c><f>1+1</f><v></v></c>"))
    assert [row.fault.partition(";")[0] for row in source.rows()] == [
        "cell A2 holds a formula that was never calculated"
    ]


def test_a_day_that_no_calendar_has_is_a_fault(tmp_path: Path) -> None:
    """A number too large for its date format is said, not shown as hashes."""
    with xlsxwriter.Workbook(tmp_path / "c12") as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write_number(1, 0, 1e9, book.add_format({"num_format": "dd/mm/yyyy"}))
    faults = [row.fault for row in XlsxFile(tmp_path / "c12").rows()]
    assert faults == ["cell A2 holds 1000000000, which is no date"]


def test_empty_cells_are_none(tmp_path: Path) -> None:
    """A gap in a row moves nothing to the left."""
    assert only_values(written(tmp_path / "c12", ["a", "b", "c"], [1, None, 3])) == (1, None, 3)


def test_blank_rows_are_passed_over_and_counted(tmp_path: Path) -> None:
    """Row numbers are those of the sheet."""
    source = written(tmp_path / "c12", ["a"], [1], [None], ["  "], [2])
    assert [row.number for row in source.rows()] == [2, 5]


def test_old_fonts_are_decoded_with_the_declared_charset(tmp_path: Path) -> None:
    """TCVN3 text, header too, is read as it looked on the screen."""
    source = written(tmp_path / "c12", ["Tªn"], ["H­ng Yªn"])
    source.charset = "tcvn3"
    assert (source.columns(), only_values(source)) == (("Tên",), ("Hưng Yên",))


def test_text_that_is_not_in_the_declared_charset_is_a_fault(tmp_path: Path) -> None:
    """A Unicode cell between TCVN3 cells is not mangled."""
    source = written(tmp_path / "c12", ["a"], ["Hưng Yên"])
    source.charset = "tcvn3"
    assert [row.fault.partition(" (")[0] for row in source.rows()] == [
        "cell A2 cannot be read as tcvn3"
    ]


def test_an_unknown_charset_is_refused(tmp_path: Path, refusal: Callable[[XlsxFile], str]) -> None:
    """A misspelt charset is answered with the list."""
    source = written(tmp_path / "c12", ["a"])
    source.charset = "tcvn4"
    assert refusal(source).startswith("c12: 'tcvn4' is no charset; `charset:` is one of tcvn3, ")


def test_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    """A declared header row begins the table."""
    source = written(tmp_path / "c12", ["BÁO CÁO"], [], ["a", "b"], [1, 2])
    source.header_row = 3
    assert (source.columns(), list(source.rows())) == (("a", "b"), [Row(4, (1, 2))])


def test_a_header_row_without_names_is_refused(
    tmp_path: Path, refusal: Callable[[XlsxFile], str]
) -> None:
    """A wrong header row is said with the sheet and row that were looked at."""
    source = written(tmp_path / "c12", [None], ["a"])
    assert refusal(source).startswith("c12, sheet 'Dữ liệu', row 1: there are no column names")


def test_a_table_need_not_begin_in_column_a(tmp_path: Path) -> None:
    """Empty columns at the left are none of the table."""
    source = written(tmp_path / "c12", [None, "a", "b"], [None, 1, 2])
    assert (source.columns(), only_values(source)) == (("a", "b"), (1, 2))


def test_a_value_beside_the_table_is_a_fault(tmp_path: Path) -> None:
    """What has no name above it would be lost in silence."""
    source = written(tmp_path / "c12", ["a", "b"], [1, 2, 3])
    assert [row.fault for row in source.rows()] == [
        "cell C2 is not empty, but its column has no name in the header"
    ]


def test_doubled_names_are_refused(tmp_path: Path, refusal: Callable[[XlsxFile], str]) -> None:
    """Of two columns with one name neither can be meant."""
    source = written(tmp_path / "c12", ["a", "b", "a "])
    assert refusal(source) == (
        "c12, sheet 'Dữ liệu', row 1: columns 1 and 3 are both called 'a'; rename one of them."
    )


@pytest.fixture
def three_sheets(tmp_path: Path) -> Path:
    """Give a workbook whose first sheet is hidden."""
    with xlsxwriter.Workbook(tmp_path / "c12") as book:
        for name in ("Tra cứu", "Tháng 4", "Tháng 5"):
            sheet = book.add_worksheet(name)
            sheet.write_column(0, 0, ["cột", name])
            if name == "Tra cứu":
                sheet.hide()
            else:
                sheet.activate()
    return tmp_path / "c12"


def test_the_first_sheet_that_is_not_hidden_is_read(three_sheets: Path) -> None:
    """A hidden look-up sheet is not what people see as the first."""
    assert only_values(XlsxFile(three_sheets)) == ("Tháng 4",)


def test_a_sheet_is_chosen_by_its_name(three_sheets: Path) -> None:
    """Any sheet can be declared, a hidden one too."""
    assert only_values(XlsxFile(three_sheets, sheet="Tra cứu")) == ("Tra cứu",)


def test_a_missing_sheet_is_answered_with_those_there_are(
    three_sheets: Path, refusal: Callable[[XlsxFile], str]
) -> None:
    """Who mistyped a sheet's name reads the right ones."""
    assert refusal(XlsxFile(three_sheets, sheet="Thang 5", name="c12")) == (
        "c12: there is no sheet 'Thang 5'; its sheets are 'Tra cứu', 'Tháng 4', 'Tháng 5'."
    )


def test_writers_that_prefix_every_tag_are_read(tmp_path: Path) -> None:
    """Some programs write ``x:row`` where Excel writes ``row``."""
    sheet = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>'
        '<x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>a</x:t></x:is></x:c></x:row>'
        '<x:row r="4"><x:c r="A4"><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    assert list(handmade(tmp_path / "c12", sheet).rows()) == [Row(4, (7,))]


def test_shared_texts_join_their_runs_without_the_phonetic_guide(tmp_path: Path) -> None:
    """A text of several fonts is one text; how to say it is not part of it."""
    texts = "<si><r><t>Hưng </t></r><r><t>Yên</t></r><rPh><t>x</t></rPh></si><si><t>a</t></si>"
    cells = '<c t="s"><v>1</v></c>', '<c t="s"><v>0</v></c>'
    assert only_values(handmade(tmp_path / "c12", sheet_of(*cells), texts)) == ("Hưng Yên",)


def test_escaped_control_characters_are_restored(tmp_path: Path) -> None:
    """Excel writes characters that XML forbids in a notation of its own."""
    source = handmade(
        tmp_path / "c12", sheet_of(text_cell("a"), text_cell("x_x000D_y_x005F_x000D_"))
    )
    assert only_values(source) == ("x\ry_x000D_",)


def test_a_shared_text_that_is_not_there_is_refused(
    tmp_path: Path, refusal: Callable[[XlsxFile], str]
) -> None:
    """A cell that points nowhere means that the file is damaged."""
    source = handmade(tmp_path / "c12", sheet_of(text_cell("a"), '<c t="s"><v>5</v></c>'))
    assert refusal(source).startswith("c12: the workbook is cut short or damaged (a cell refers")


def test_a_document_type_declaration_is_refused(
    tmp_path: Path, refusal: Callable[[XlsxFile], str]
) -> None:
    """A file made to explode in memory is not opened."""
    source = handmade(tmp_path / "c12", "<!DOCTYPE x><worksheet/>")
    assert "(a document type declaration)" in refusal(source)


def test_xml_that_breaks_off_is_refused(tmp_path: Path, refusal: Callable[[XlsxFile], str]) -> None:
    """Rows before the break do not pass for the whole sheet."""
    source = handmade(tmp_path / "c12", sheet_of(text_cell("a"), text_cell("b"))[:-30])
    assert refusal(source).startswith("c12: the workbook is cut short or damaged (")


def test_a_zip_that_breaks_off_is_refused(
    tmp_path: Path, refusal: Callable[[XlsxFile], str]
) -> None:
    """A download that was interrupted is one sentence."""
    source = written(tmp_path / "c12", ["a"], [1])
    source.path.write_bytes(source.path.read_bytes()[:-200])
    assert refusal(source).startswith("c12: the workbook is cut short or damaged (")


def test_another_zip_is_refused(tmp_path: Path, refusal: Callable[[XlsxFile], str]) -> None:
    """An .ods or a zip of files is no workbook of ours."""
    with ZipFile(tmp_path / "c12", "w") as archive:
        archive.writestr("content.xml", "<x/>")
    assert refusal(XlsxFile(tmp_path / "c12", name="c12")).startswith(
        "c12: this zip is not an .xlsx workbook ("
    )


def test_an_old_or_locked_workbook_is_refused(
    tmp_path: Path, refusal: Callable[[XlsxFile], str]
) -> None:
    """An .xls and a workbook with a password look alike from outside."""
    (tmp_path / "c12").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    assert refusal(XlsxFile(tmp_path / "c12", name="c12")) == (
        "c12: this is an old .xls or a workbook with a password; save it as .xlsx without a "
        "password."
    )


def test_text_called_xlsx_is_refused(tmp_path: Path, refusal: Callable[[XlsxFile], str]) -> None:
    """A CSV or HTML file is not made a workbook by its name."""
    (tmp_path / "c12.xlsx").write_text("a,b\n1,2\n")
    assert refusal(XlsxFile(tmp_path / "c12.xlsx", name="c12")).startswith(
        "c12: this is not an .xlsx workbook, whatever its name says;"
    )
