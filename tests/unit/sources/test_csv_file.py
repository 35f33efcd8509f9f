"""CSV files as people and programs really write them."""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from smsengine.errors import SourceError
from smsengine.sources.base import Row
from smsengine.sources.csv_file import CsvFile

Made = Callable[..., CsvFile]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Give a function that writes a file ``c12.csv`` and returns its source, called ``c12``."""

    def make(content: str | bytes, **declared: str) -> CsvFile:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "c12.csv").write_bytes(data)
        return CsvFile(tmp_path / "c12.csv", name="c12", **declared)

    return make


@pytest.fixture
def refusal(made: Made) -> Callable[..., str]:
    """Give a function that reads a file to its end and returns the sentence that refuses it."""

    def read(content: str | bytes, **declared: str) -> str:
        with pytest.raises(SourceError) as caught:
            list(made(content, **declared).rows())
        return str(caught.value)

    return read


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(made: Made, mark: str) -> None:
    """The four usual delimiters need no declaration."""
    assert made(f"mã{mark}tên\n1{mark}2\n").columns() == ("mã", "tên")


def test_a_delimiter_inside_quotes_does_not_count(made: Made) -> None:
    """Commas in a quoted name do not outvote the real delimiter."""
    assert made('"a,b,c";d\n1;2\n').columns() == ("a,b,c", "d")


def test_a_tie_of_delimiters_asks_for_a_declaration(refusal: Callable[..., str]) -> None:
    """Two marks that stand equally often are not chosen between."""
    assert refusal("a;b,c\n").startswith("c12:1: ';' and ',' could both part the columns;")


def test_a_declared_delimiter_settles_a_tie(made: Made) -> None:
    """What is declared is not told again."""
    assert made("a;b,c\n1;2\n", delimiter=";").columns() == ("a", "b,c")


def test_a_delimiter_of_two_characters_is_refused(tmp_path: Path) -> None:
    """A mistake in a job's file is said before the extract is opened."""
    with pytest.raises(SourceError, match="must be one character, not '::'"):
        CsvFile(tmp_path / "c12.csv", delimiter="::")


def test_one_column_needs_no_delimiter(made: Made) -> None:
    """A list of codes is a table too."""
    assert list(made("mã\n01E51\n").rows()) == [Row(2, ("01E51",))]


def test_header_names_are_composed_and_tidy(made: Made) -> None:
    """A BOM, decomposed letters, line breaks and blanks in the header do not hide a column."""
    name = unicodedata.normalize("NFD", "Tên đơn vị")
    source = made(f'\ufeff Mã ;"{name}\n(đầy đủ)"\n1;2\n')
    assert source.columns() == ("Mã", "Tên đơn vị (đầy đủ)")


def test_rows_below_a_header_of_two_lines_have_their_physical_number(made: Made) -> None:
    """A line break in the header moves the rows down."""
    assert [row.number for row in made('"a\nb";c\n1;2\n').rows()] == [3]


def test_doubled_names_are_refused(refusal: Callable[..., str]) -> None:
    """Of two columns with one name neither can be meant."""
    assert refusal("a;b; a\n") == (
        "c12:1: columns 1 and 3 are both called 'a'; rename one of them."
    )


def test_a_missing_name_is_refused(refusal: Callable[..., str]) -> None:
    """A column between others must have a name."""
    assert refusal("a;;c\n") == "c12:1: column 2 has no name; name it or remove it."


def test_empty_columns_at_the_end_are_cut(made: Made) -> None:
    """Spreadsheet programs leave delimiters behind; they hold nothing."""
    assert list(made("a;b;;\n1;2;;\n3;4\n").rows()) == [Row(2, ("1", "2")), Row(3, ("3", "4"))]


def test_a_value_below_no_name_is_a_fault(made: Made) -> None:
    """What stands under an unnamed column would be lost in silence."""
    assert [row.fault for row in made("a;b;\n1;2;3\n").rows()] == ["has 3 fields, the header has 2"]


def test_an_uneven_row_is_a_fault_and_the_next_is_read(made: Made) -> None:
    """One broken row takes no other with it."""
    assert list(made("a,b\n1\n2,3\n").rows()) == [
        Row(2, (), "has 1 fields, the header has 2"),
        Row(3, ("2", "3")),
    ]


def test_line_breaks_inside_quotes_belong_to_the_value(made: Made) -> None:
    """A record over three lines is numbered by its first, and the next by its own."""
    assert list(made('a,b\n"x\r\ny\nz",1\n2,3\n').rows()) == [
        Row(2, ("x\r\ny\nz", "1")),
        Row(5, ("2", "3")),
    ]


def test_blank_lines_are_passed_over(made: Made) -> None:
    """Blank lines are no rows but are counted as lines."""
    assert [row.number for row in made("\n a,b\n\n1,2\n  \n3,4\n\n").rows()] == [4, 6]


def test_a_row_of_empty_fields_is_a_row(made: Made) -> None:
    """Only planning may say that a row without a phone gets no message."""
    assert list(made("a,b\n,\n").rows()) == [Row(2, ("", ""))]


def test_a_stray_quote_is_a_fault_of_its_line(made: Made) -> None:
    """The rows round a misquoted line are read."""
    rows = list(made('a,b\n1,2\n"x"y,3\n4,5\n').rows())
    assert [(row.number, row.fault) for row in rows] == [
        (2, ""),
        (3, "its quotes do not match (',' expected after '\"')"),
        (4, ""),
    ]


def test_a_quote_left_open_does_not_swallow_the_file(refusal: Callable[..., str]) -> None:
    """The line where it opened is named, though ten thousand lines follow without a quote."""
    lines = "".join(f"{number},Công ty số {number}\n" for number in range(10_000))
    assert refusal('mã,tên\n1,2\n3,"Công ty\n' + lines).startswith(
        "c12:3: a quote is opened in this record and not closed rightly up to line "
    )


def test_a_quote_left_open_and_closed_by_a_later_one_is_refused(
    refusal: Callable[..., str],
) -> None:
    """The rows between two stray quotes are not taken for one value."""
    assert refusal('a,b\n1,"x\n2,y\n3,"z"\n').startswith("c12:2: a quote is opened")


def test_an_uneven_record_over_several_lines_says_where_it_ends(made: Made) -> None:
    """Two stray quotes that happen to close are still seen, by the number of fields."""
    rows = list(made('a,b,c\n"1,2,3\n4,5,6"\n7,8,9\n').rows())
    assert rows[0].fault == (
        "has 1 fields, the header has 3 (it runs on to line 3: is a quote left open?)"
    )


def test_a_quote_open_at_the_end_of_the_file_is_a_fault(made: Made) -> None:
    """A file cut in its last line does not give half a value."""
    assert [row.fault for row in made('a,b\n1,"Công').rows()] == [
        "its quotes do not match (unexpected end of data)"
    ]


def test_a_header_with_an_open_quote_is_refused(refusal: Callable[..., str]) -> None:
    """A header that does not end names no columns."""
    assert refusal('"a,b\n1,2\n').startswith("c12:1: the header's quotes do not match")


def test_a_nul_byte_is_refused_with_its_line(refusal: Callable[..., str]) -> None:
    """A damaged file is not read past its damage."""
    assert refusal("a,b\n1,2\n3,\0\n", encoding="utf-8").startswith(
        "c12:3: there is a NUL byte here;"
    )


def test_a_byte_of_another_encoding_is_refused_with_its_line(refusal: Callable[..., str]) -> None:
    """Nothing is replaced by a question mark."""
    sentence = refusal(b"a,b\n1,2\n3,\xb8\xff\n", encoding="utf-8")
    assert sentence.startswith("c12: line 3: byte 0xB8 is not utf-8;")


def test_an_unknown_encoding_is_refused_with_the_known_ones(refusal: Callable[..., str]) -> None:
    """A misspelt encoding is answered with the list."""
    assert refusal("a,b\n", encoding="tcvn4").startswith(
        "c12: 'tcvn4' is no encoding; `encoding:` is one of utf-8, "
    )


def test_an_encoding_that_cannot_be_told_is_asked_for(refusal: Callable[..., str]) -> None:
    """Bytes that are no Vietnamese in any charset are not guessed at."""
    assert refusal(b"a,b\n\xff\xfe\xfa\x90,1\n").startswith("c12: cannot tell the encoding")


def test_utf16_is_told_past_the_sample(made: Made) -> None:
    """A character cut by the end of the sample does not matter."""
    text = "mã,tên\n" + "01E51,Hưng Yên\n" * 60_000
    assert sum(1 for _ in made(text.encode("utf-16")).rows()) == 60_000


def test_codes_stay_text(made: Made) -> None:
    """Nothing here knows what a number is."""
    assert next(made("a,b\n01E51,0012\n").rows()).values == ("01E51", "0012")


def test_a_header_of_empty_quotes_is_refused(refusal: Callable[..., str]) -> None:
    """The first row is never taken for the header."""
    assert refusal('""\n1\n').startswith("c12:1: there are no column names here;")


@pytest.mark.parametrize("content", ["", "\n \r\n\n"])
def test_a_file_without_a_header_is_refused(refusal: Callable[..., str], content: str) -> None:
    """An empty file is told from an empty table."""
    assert refusal(content).endswith("export it again.")


def test_a_header_alone_is_an_empty_table(made: Made) -> None:
    """A month without rows is no error here."""
    assert list(made("a,b\n").rows()) == []


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A path to a folder is one sentence."""
    with pytest.raises(SourceError, match="this is a folder; name a file in it"):
        CsvFile(tmp_path).columns()


def test_a_gzip_stream_that_is_cut_is_refused(refusal: Callable[..., str]) -> None:
    """Rows before the cut do not pass for the whole file."""
    whole = gzip.compress(("a,b\n" + "1,2\n" * 50_000).encode())
    assert refusal(whole[:-20]).startswith("c12: reading broke off")


def test_a_source_is_called_by_its_path_if_it_has_no_name(tmp_path: Path) -> None:
    """Sentences name something that a person can open."""
    assert CsvFile(tmp_path / "c12.csv").name == str(tmp_path / "c12.csv")
