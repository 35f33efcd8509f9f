"""Grouping sources read only what they need, as text, and explain what they cannot read."""

from __future__ import annotations

import gzip
import sys

import pytest
from sqlalchemy import Integer, cast, column, create_engine, event, func, select, table, text

from smsengine.errors import MissingExtraError, SourceError
from smsengine.sources.base import Row
from smsengine.sources.grouped import GroupedFiles, GroupedQuery

RECORDS = table("records", column("code"), column("amount"))
SUMS = (
    select(RECORDS.c.code, func.sum(cast(RECORDS.c.amount, Integer)).label("total"))
    .group_by(RECORDS.c.code)
    .order_by(RECORDS.c.code)
)


def write(path, content, *, packed=False):
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


def values(*paths, statement=SUMS, **options):
    return [row.values for row in GroupedFiles(paths, statement, **options).rows()]


def refusal(*paths, **options):
    with pytest.raises(SourceError) as caught:
        values(*paths, **options)
    return str(caught.value)


def parquet(path, select_sql):
    import duckdb

    duckdb.sql(select_sql).write_parquet(str(path))
    return path


def test_rows_are_numbered_from_1(tmp_path):
    """A row's number is its ordinal in the result."""
    path = write(tmp_path / "a.csv", "code,amount\nb,1\na,2\nb,3\n")
    rows = list(GroupedFiles([path], SUMS).rows())
    assert [Row(1, ("a", 2)), Row(2, ("b", 4))] == rows


def test_columns_are_those_of_the_statement(tmp_path):
    """The names come from the SELECT, not from the file."""
    path = write(tmp_path / "a.csv", "x,amount,code\n")
    assert ("code", "total") == GroupedFiles([path], SUMS).columns()


def test_codes_stay_text(tmp_path):
    """01E51 is not a number, 01909 keeps its zero."""
    path = write(tmp_path / "a.csv", "code,amount\n01E51,1\n01909,1\n1909,1\n")
    assert [("01909", 1), ("01E51", 1), ("1909", 1)] == values(path)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, mark):
    """It is the one of the four usual ones that the first line has most of."""
    path = write(tmp_path / "a.csv", "other,code,amount\n1,b,2\n".replace(",", mark))
    assert [("b", 2)] == values(path)


def test_the_delimiter_is_given(tmp_path):
    """A delimiter that is given is not looked for."""
    path = write(tmp_path / "a.csv", "code^amount^a,b,c,d\nb^2^\n")
    assert [("b", 2)] == values(path, delimiter="^")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_quotes_and_a_mark_of_order(tmp_path, end):
    """A BOM, either line end and quoted values with line ends inside are usual."""
    content = f'\ufeffcode,amount{end}"a, ""b""{end}c",2{end}'
    assert [(f'a, "b"{end}c', 2)] == values(write(tmp_path / "a.csv", content))


def test_files_of_different_shapes_are_one_table(tmp_path):
    """Order of columns, delimiter, packing and format may differ from file to file."""
    paths = [
        write(tmp_path / "a.csv", "code,amount\nb,1\n"),
        write(tmp_path / "b.csv", "amount;code;more\n2;b;x\n"),
        write(tmp_path / "c.csv.gz", "code,amount\nb,4\n", packed=True),
        parquet(tmp_path / "d.parquet", "select 'b' as code, 8 as amount"),
        parquet(tmp_path / "e.parquet", "select '16' as amount, 'b' as code"),
    ]
    assert [("b", 31)] == values(*paths)


def test_a_file_name_is_no_pattern(tmp_path):
    """A star or bracket in a name is itself."""
    write(tmp_path / "1x.csv", "code,amount\nno,1\n")
    path = write(tmp_path / "[1]*.csv", "code,amount\nyes,1\n")
    assert [("yes", 1)] == values(path)


def test_a_missing_column_is_named_with_those_there(tmp_path):
    """The sentence helps to find the name that was meant."""
    path = write(tmp_path / "a.csv", "code,AMOUNT\n")
    assert f"{path}: column amount is missing; there are code, AMOUNT." == refusal(path)


def test_columns_are_checked_in_every_file(tmp_path):
    """The second file is not assumed to be like the first."""
    paths = [write(tmp_path / "a.csv", "code,amount\n"), write(tmp_path / "b.csv", "code\n")]
    assert refusal(*paths).startswith(f"{paths[1]}: column amount is missing")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"c\n", "expected 2 values and found 1."),
        (b"c,1,2\n", "expected 2 values and found 3."),
        (b"\xff,1\n", "the line is not UTF-8 text."),
        (b'"c,1\n', "a quote is opened and never closed."),
    ],
)
def test_a_bad_line_is_told_with_file_and_line(tmp_path, line, sentence):
    """Nothing is padded, cut or skipped."""
    path = write(tmp_path / "a.csv", b"code,amount\nb,1\n" + line)
    assert f"{path}:3: {sentence}" == refusal(path)


def test_a_missing_file_is_told(tmp_path):
    """A path that leads nowhere is one sentence."""
    path = tmp_path / "none.csv"
    assert f"{path}: there is no such file; check the path." == refusal(path)


def test_a_truncated_packed_file_is_refused(tmp_path):
    """A download that broke off is not read to where it broke off."""
    path = write(tmp_path / "a.csv.gz", "code,amount\n" + "b,1\n" * 9999, packed=True)
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(path).startswith(f"{path}: ")


def test_a_flipped_bit_in_a_packed_file_is_refused(tmp_path):
    """The check sum is looked at, although DuckDB does not."""
    raw = bytearray(gzip.compress(b"code,amount\nb,1\n", compresslevel=0))
    raw[raw.index(b"b,1") + 2] = ord("9")
    path = tmp_path / "a.csv.gz"
    path.write_bytes(raw)
    assert "CRC" in refusal(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    """A text that is called parquet or gz is explained."""
    assert refusal(write(tmp_path / name, b"\x1f\x8bnot what it says")).startswith(f"{tmp_path}/")


def test_nothing_is_left_behind(tmp_path):
    """The temporary folder is gone when the rows are read."""
    folder = tmp_path / "work"
    folder.mkdir()
    values(write(tmp_path / "a.csv", "code,amount\nb,1\n"), temp_folder=folder)
    assert [] == list(folder.iterdir())


def test_no_files_is_refused():
    """An empty list is a mistake, not an empty result."""
    with pytest.raises(SourceError, match="name at least one"):
        GroupedFiles([], SUMS)


def test_a_missing_library_is_told(tmp_path, monkeypatch):
    """DuckDB is an extra."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    path = write(tmp_path / "a.csv", "code,amount\n")
    with pytest.raises(MissingExtraError, match=r"pip install 'smsengine\[figures\]'"):
        GroupedFiles([path], SUMS).columns()


@pytest.fixture
def database(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'records.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE records (code TEXT, amount INTEGER)"))
        connection.execute(text("INSERT INTO records VALUES ('01909', 3), ('01909', 4)"))
    yield engine
    engine.dispose()


def test_a_query_gives_rows(database):
    """The database groups, we get the sums."""
    source = GroupedQuery(database, SUMS)
    assert (("code", "total"), [Row(1, ("01909", 7))]) == (source.columns(), list(source.rows()))


def test_a_query_by_url(database):
    """A URL serves as well as an engine."""
    url = database.url.render_as_string()
    assert [Row(1, ("01909", 7))] == list(GroupedQuery(url, SUMS).rows())


def test_a_querys_missing_column_is_named(database):
    """SQLite would read a missing column's name as a text."""
    wrong = table("records", column("code"), column("sum"))
    source = GroupedQuery(database, select(wrong.c.code, wrong.c.sum), name="portal")
    with pytest.raises(SourceError) as caught:
        list(source.rows())
    sentence = "portal, table records: column sum is missing; there are code, amount."
    assert sentence == str(caught.value)


def test_a_missing_table_is_one_sentence(database):
    """The table's name may be wrong."""
    source = GroupedQuery(database, select(table("nowhere", column("code"))), name="portal")
    with pytest.raises(SourceError, match=r"^portal cannot be read: nowhere\.$"):
        source.columns()


def test_a_missing_database_file_is_not_made(tmp_path):
    """Reading must not leave an empty database behind."""
    path = tmp_path / "none.db"
    with pytest.raises(SourceError, match="there is no file"):
        GroupedQuery(f"sqlite:///{path}", SUMS).columns()
    assert not path.exists()


def test_the_connection_only_reads(database):
    """While rows are read the connection refuses to write, and afterwards it is as before."""
    modes = []

    @event.listens_for(database, "before_cursor_execute")
    def watch(connection, cursor, statement, *rest):
        if statement.lstrip().startswith("SELECT"):
            raw = connection.connection.dbapi_connection
            modes.append(raw.execute("PRAGMA query_only").fetchone()[0])

    list(GroupedQuery(database, SUMS).rows())
    with database.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert [1, 0] == modes
