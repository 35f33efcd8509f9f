"""What every source promises, whatever it reads: the suite that a new source joins first."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
import xlsxwriter

from smsengine.errors import SourceError
from smsengine.sources.base import Source
from smsengine.sources.csv_file import CsvFile
from smsengine.sources.json_file import JsonFile
from smsengine.sources.json_lines import JsonLines
from smsengine.sources.sql_query import SqlQuery
from smsengine.sources.xlsx_file import XlsxFile

COLUMNS = ("Mã đơn vị", "Tên đơn vị", "Số điện thoại", "Số phải đóng")
ROWS = (
    ("01E51", "Bệnh viện đa khoa Hưng Yên", "0912345678", "9.249.473.860"),
    ("YN0001Z", 'Công ty cổ phần "Đường, sữa"', "0987654321", "-214.541.737"),
    ("01909", "Trạm y tế phường Trung Hoà; cơ sở hai", "0321234567", "0"),
)

Table = Iterable[tuple[str, ...]]
Writer = Callable[[Path, tuple[str, ...], Table], None]


def csv_text(columns: tuple[str, ...], rows: Table) -> str:
    """Return a table as CSV with every field quoted."""
    lines = [columns, *rows]
    return "".join(
        ",".join('"' + field.replace('"', '""') + '"' for field in line) + "\r\n" for line in lines
    )


def legacy_bytes(text: str, charset: str) -> bytes:
    """Return a text in a charset of the letters' table."""
    with files("smsengine.text").joinpath("vn_charsets.tsv").open(encoding="utf-8") as table:
        letters = {
            line["char"]: bytes.fromhex(line[f"{charset}_hex"])
            for line in csv.DictReader(table, delimiter="\t")
        }
    return b"".join(letters.get(char) or char.encode("ascii") for char in text)


def write_utf8(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    path.write_bytes(csv_text(columns, rows).encode("utf-8-sig"))


def write_tcvn3(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    path.write_bytes(legacy_bytes(csv_text(columns, rows), "tcvn3"))


def write_vni(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    path.write_bytes(legacy_bytes(csv_text(columns, rows), "vni"))


def write_utf16(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    path.write_bytes(csv_text(columns, rows).encode("utf-16"))


def write_gzip(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    path.write_bytes(gzip.compress(csv_text(columns, rows).encode("utf-8")))


def write_xlsx(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([columns, *rows]):
            for column, field in enumerate(row):
                sheet.write_string(number, column, field)


def write_xlsx_shared(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([columns, *rows]):
            for column, field in enumerate(row):
                sheet.write_string(number, column, field)


def write_sqlite(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    names = ", ".join(f'"{column}" TEXT' for column in columns)
    marks = ", ".join("?" * len(columns))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE extract ({names})")
        database.executemany(f"INSERT INTO extract VALUES ({marks})", rows)


def write_json(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    path.write_text(json.dumps(objects, ensure_ascii=False), encoding="utf-8")


def write_json_lines(path: Path, columns: tuple[str, ...], rows: Table) -> None:
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in objects]
    path.write_text("".join(lines), encoding="utf-8")


def sqlite_source(path: Path) -> Source:
    return SqlQuery(f"sqlite:///{path}", "SELECT * FROM extract", {})


CASES: dict[str, tuple[Writer, Callable[[Path], Source]]] = {
    "csv": (write_utf8, CsvFile),
    "csv-tcvn3": (write_tcvn3, CsvFile),
    "csv-vni": (write_vni, CsvFile),
    "csv-utf16": (write_utf16, CsvFile),
    "csv-gzip": (write_gzip, CsvFile),
    "xlsx": (write_xlsx, XlsxFile),
    "xlsx-shared-texts": (write_xlsx_shared, XlsxFile),
    "sqlite": (write_sqlite, sqlite_source),
    "json": (write_json, JsonFile),
    "json-lines": (write_json_lines, JsonLines),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Writer, Callable[[Path], Source]]:
    """Give each kind of source in turn: how its file is written and how it is read."""
    return CASES[request.param]


@pytest.fixture
def source(case: tuple[Writer, Callable[[Path], Source]], tmp_path: Path) -> Source:
    """Give a source that holds the same table as all the others."""
    write, read = case
    write(tmp_path / "extract", COLUMNS, ROWS)
    return read(tmp_path / "extract")


def test_columns_are_those_of_the_table(source: Source) -> None:
    """The names arrive in Unicode and in their order, whatever the file's charset."""
    assert source.columns() == COLUMNS
    list(source.rows())


def test_text_values_are_those_of_the_table(source: Source) -> None:
    """Text arrives as it was: codes keep their zeros, names their marks, quotes and commas."""
    source.columns()
    assert tuple(row.values for row in source.rows()) == ROWS


def test_no_good_row_is_a_fault(source: Source) -> None:
    """A sound table gives no fault."""
    source.columns()
    assert [""] * len(ROWS) == [row.fault for row in source.rows()]


def test_rows_are_numbered_upwards_one_by_one(source: Source) -> None:
    """Row numbers grow by one where nothing is passed over."""
    source.columns()
    numbers = [row.number for row in source.rows()]
    assert list(range(numbers[0], numbers[0] + len(ROWS))) == numbers


def test_rows_can_be_asked_for_without_columns(source: Source) -> None:
    """Nothing breaks when a caller knows the columns already."""
    assert len(ROWS) == sum(1 for _ in source.rows())


def test_reading_can_stop_after_one_row(source: Source) -> None:
    """A preview takes one row and leaves; a second reading begins at the first row again."""
    rows = source.rows()
    first = next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert first == next(iter(source.rows()))


def test_a_missing_file_is_one_sentence_that_names_it(
    case: tuple[Writer, Callable[[Path], Source]], tmp_path: Path
) -> None:
    """Whoever misspelt a path reads that path and no traceback."""
    with pytest.raises(SourceError, match=r"nowhere: there is no such .*file; check the path\.$"):
        case[1](tmp_path / "nowhere").columns()


def test_a_missing_file_is_not_made(
    case: tuple[Writer, Callable[[Path], Source]], tmp_path: Path
) -> None:
    """Reading never writes, not even an empty database."""
    with pytest.raises(SourceError):
        case[1](tmp_path / "nowhere").columns()
    assert list(tmp_path.iterdir()) == []


def many_rows(count: int) -> Table:
    return ((f"01E{number:06d}", f"Công ty số {number}", "Hà Nội") for number in range(count))


def peak_bytes(source: Source) -> int:
    """Return the most memory that one reading took."""
    tracemalloc.start()
    try:
        source.columns()
        for _ in source.rows():
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["csv", "csv-gzip", "xlsx", "sqlite", "json", "json-lines"])
def test_memory_does_not_grow_with_the_rows(kind: str, tmp_path: Path) -> None:
    """Twenty-five times the rows take little more memory; kept, they would take 13 MB more.

    The little more is the sample of 1 MiB at which a text file's encoding is told.
    """
    write, read = CASES[kind]
    write(tmp_path / "few", ("a", "b", "c"), many_rows(2_000))
    write(tmp_path / "many", ("a", "b", "c"), many_rows(50_000))
    few, many = (peak_bytes(read(tmp_path / name)) for name in ("few", "many"))
    assert many < few + 4_000_000
