"""JSON documents and JSON lines as portals export them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsengine.errors import SourceError
from smsengine.sources.base import Row
from smsengine.sources.json_file import JsonFile

Made = Callable[..., JsonFile]

C12 = {
    "maCqBhxh": "00101",
    "tenCqBhxh": "BHXH TP Hà Nội",
    "c12s": [
        {"tenDonVi": "Công ty A", "maDonVi": "YN0001Z", "cong": "1,234,567"},
        {"tenDonVi": "Công ty B", "maDonVi": "YN0002Z", "cong": "0"},
    ],
    "tongSo": 2,
}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Give a function that writes a file and returns its source, called ``c12``."""

    def make(content: Any, **declared: Any) -> JsonFile:
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content, ensure_ascii=False)
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "c12.json").write_bytes(data)
        return JsonFile(tmp_path / "c12.json", name="c12", **declared)

    return make


@pytest.fixture
def refusal(made: Made) -> Callable[..., str]:
    """Give a function that reads a file to its end and returns the sentence that refuses it."""

    def read(content: Any, **declared: Any) -> str:
        with pytest.raises(SourceError) as caught:
            list(made(content, **declared).rows())
        return str(caught.value)

    return read


def test_columns_of_a_portal_export_are_the_items_and_what_stands_before_them(made: Made) -> None:
    """The office's code and name are columns; what follows the list is not."""
    assert made(C12, items="c12s.item").columns() == (
        "tenDonVi",
        "maDonVi",
        "cong",
        "maCqBhxh",
        "tenCqBhxh",
    )


def test_rows_of_a_portal_export_carry_the_office(made: Made) -> None:
    """Each line has the scalars of the object round the list."""
    source = made(C12, items="c12s.item", columns=["maDonVi", "tenCqBhxh"])
    assert list(source.rows()) == [
        Row(1, ("YN0001Z", "BHXH TP Hà Nội")),
        Row(2, ("YN0002Z", "BHXH TP Hà Nội")),
    ]


def test_each_document_of_a_list_has_its_own_surroundings(made: Made) -> None:
    """An office's name never spreads to the next document."""
    first, second = {"ten": "A", "c12s": [{"ma": 1}]}, {"c12s": [{"ma": 2}]}
    source = made([first, second], items="item.c12s.item")
    assert [row.values for row in source.rows()] == [(1, "A"), (2, None)]


def test_declared_columns_may_first_appear_later(made: Made) -> None:
    """A key that the first document lacks is found where it stands."""
    first, second = {"c12s": [{"ma": 1}]}, {"ten": "B", "c12s": [{"ma": 2, "so": 3}]}
    source = made([first, second], items="item.c12s.item", columns=["ma", "ten", "so"])
    assert [row.values for row in source.rows()] == [(1, None, None), (2, "B", 3)]


def test_a_key_of_the_items_never_means_one_round_them(made: Made) -> None:
    """An item without its total does not get the total of the whole document."""
    source = made({"cong": 99, "c12s": [{"ma": 1, "cong": 5}, {"ma": 2}]}, items="c12s.item")
    assert [row.values for row in source.rows()] == [(1, 5), (2, None)]


def test_a_key_that_could_mean_both_is_a_fault(made: Made) -> None:
    """Where the first item does not settle whose key it is, nobody guesses."""
    source = made({"cong": 99, "c12s": [{"ma": 1}, {"ma": 2, "cong": 5}]}, items="c12s.item")
    assert [row.fault for row in source.rows()] == [
        "",
        "the key 'cong' stands in it and also round the list",
    ]


def test_numbers_are_exact(made: Made) -> None:
    """No figure passes through a float."""
    source = made('[{"a": 9249473860, "b": 0.10, "c": 1E+3}]')
    values = next(source.rows()).values
    assert [(type(value), str(value)) for value in values] == [
        (int, "9249473860"),
        (Decimal, "0.10"),
        (Decimal, "1E+3"),
    ]


def test_truth_and_null_are_values(made: Made) -> None:
    """The three words of JSON arrive as Python's."""
    assert next(made('[{"a": true, "b": false, "c": null}]').rows()).values == (True, False, None)


def test_a_lacking_key_is_none_and_an_extra_one_is_left_out(made: Made) -> None:
    """Objects need not have the same keys."""
    source = made([{"a": 1, "b": 2}, {"b": 3, "c": 4}])
    assert [row.values for row in source.rows()] == [(1, 2), (None, 3)]


@pytest.mark.parametrize("lines", [False, True])
def test_a_doubled_key_is_a_fault(made: Made, lines: bool) -> None:
    """Of two values under one key neither is taken."""
    text = '{"a": 1}\n{"a": 2, "a": 3}\n' if lines else '[{"a": 1}, {"a": 2, "a": 3}]'
    faults = [row.fault for row in made(text, lines=lines).rows()]
    assert [bool(fault) and "stands twice in it" in fault for fault in faults] == [False, True]


def test_keys_are_compared_composed(made: Made) -> None:
    """A key in decomposed letters is the declared column."""
    assert next(made('[{"ma\u0303": 1}]', columns=["mã"]).rows()).values == (1,)


@pytest.mark.parametrize("lines", [False, True])
def test_objects_and_lists_are_no_columns(made: Made, lines: bool) -> None:
    """Only what can be a cell is a column."""
    text = '{"a": 1, "b": {"x": [2]}, "c": [3], "d": 4}'
    assert made(text if lines else f"[{text}]", lines=lines).columns() == ("a", "d")


@pytest.mark.parametrize("lines", [False, True])
def test_a_declared_column_that_holds_a_list_is_a_fault(made: Made, lines: bool) -> None:
    """A value that cannot be a cell is not taken for a missing one."""
    text = '{"a": 1, "c": [3]}'
    source = made(text if lines else f"[{text}]", lines=lines, columns=["a", "c"])
    assert [row.fault for row in source.rows()] == [
        "the key 'c' holds an object or a list, not a value"
    ]


def test_what_is_no_object_in_the_list_is_a_fault(made: Made) -> None:
    """Each member of the list is accounted for."""
    faults = [row.fault for row in made('[{"a": 1}, 2, [{"a": 3}], {"a": 4}]').rows()]
    assert faults == ["", "is not an object", "is not an object", ""]


def test_a_list_that_is_not_there_is_answered_with_those_that_are(
    refusal: Callable[..., str],
) -> None:
    """Who mistyped the place of the list reads where lists are."""
    assert refusal(C12, items="c12.item") == (
        "c12: there are no objects at 'c12.item'; `items:` can be one of these: 'c12s.item'."
    )


def test_the_list_itself_is_not_its_items(refusal: Callable[..., str]) -> None:
    """Leaving ``.item`` out is said, with the right spelling."""
    assert "'c12s.item'" in refusal(C12, items="c12s")


def test_an_empty_list_needs_declared_columns(refusal: Callable[..., str]) -> None:
    """Without an item nobody knows the columns."""
    assert refusal({"c12s": []}, items="c12s.item").startswith("c12: the list at 'c12s.item' is")


def test_an_empty_list_with_declared_columns_is_an_empty_table(made: Made) -> None:
    """A month without lines is no error here."""
    assert list(made({"c12s": []}, items="c12s.item", columns=["ma"]).rows()) == []


@pytest.mark.parametrize("rest", ["", "x", "]]"])
def test_broken_json_is_refused_with_the_last_item_read(
    refusal: Callable[..., str], rest: str
) -> None:
    """A file cut or damaged behind its first items does not pass for a whole one."""
    assert refusal('[{"a": 1}, {"a": 2}' + rest).startswith(
        "c12: the JSON is broken or cut short after item "
    )


def test_bytes_that_are_not_utf8_are_refused(refusal: Callable[..., str]) -> None:
    """A legacy charset inside JSON is not let through."""
    assert "broken or cut short" in refusal(b'[{"a": "\xb8\xff"}]')


def test_a_byte_order_mark_is_passed_over(made: Made) -> None:
    """Files saved by Windows programs are read."""
    assert list(made(b'\xef\xbb\xbf[{"a": 1}]').rows()) == [Row(1, (1,))]


def test_a_gzipped_document_is_read(made: Made) -> None:
    """The compression is seen by itself."""
    assert list(made(gzip.compress(b'[{"a": 1}]')).rows()) == [Row(1, (1,))]


def test_doubled_declared_columns_are_refused(made: Made) -> None:
    """A job cannot ask for one column twice."""
    with pytest.raises(SourceError, match="columns 1 and 2 are both called 'a'"):
        made("[]", columns=["a", "a"])


def test_lines_are_numbered_as_lines(made: Made) -> None:
    """Blank lines are no rows but are counted."""
    assert list(made('{"a": 1}\n\n{"a": 2}\n', lines=True).rows()) == [Row(1, (1,)), Row(3, (2,))]


def test_numbers_of_lines_are_exact(made: Made) -> None:
    """A fraction on a line is a decimal."""
    assert str(next(made('{"a": 0.10}\n', lines=True).rows()).values[0]) == "0.10"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"a": 1', "is no JSON (Expecting ',' delimiter at character 8)"),
        ("[1]", "is JSON but no object"),
        ('{"a": NaN}', "is no JSON object (NaN is no JSON number)"),
    ],
)
def test_a_broken_line_is_a_fault_and_the_next_is_read(made: Made, line: str, fault: str) -> None:
    """One broken line takes no other with it."""
    source = made('{"a": 1}\n' + line + '\n{"a": 3}\n', lines=True)
    assert [row.fault for row in source.rows()] == ["", fault, ""]


def test_a_broken_first_line_is_refused(refusal: Callable[..., str]) -> None:
    """The columns cannot be told from a line that is no object."""
    assert refusal("[1]\n", lines=True).startswith("c12:1: is JSON but no object; correct it")


def test_a_line_of_another_encoding_is_refused_with_its_number(
    refusal: Callable[..., str],
) -> None:
    """Nothing is replaced by a question mark."""
    assert refusal(b'{"a": 1}\n{"a": "\xb8\xff"}\n', lines=True).startswith("c12: line 2: byte ")
