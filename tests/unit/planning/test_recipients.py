"""From phone cells and tables of contacts to the people who are told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from smsengine.errors import PhoneError, SourceError
from smsengine.lifecycle import SkipReason
from smsengine.phone import Phone, PhoneBook
from smsengine.planning.recipients import (
    cell_finder,
    find_columns,
    load_contacts,
    phone_cell,
    phones_in,
)
from smsengine.sources.base import Row, Value

BOOK = PhoneBook()


class Table:
    """A source in memory."""

    name = "leaders.csv"

    def __init__(self, *found: Row, columns: tuple[str, ...] = ("ma", "ten", "so")) -> None:
        self._found, self._columns = found, columns

    def columns(self) -> tuple[str, ...]:
        return self._columns

    def rows(self) -> Iterator[Row]:
        yield from self._found


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("0912345678", "0912345678"),
        (912345678.0, "912345678"),
        (912345678, "912345678"),
        (84912345678.0, "84912345678"),
        (Decimal("912345678"), "912345678"),
        ("", ""),
    ],
    ids=repr,
)
def test_a_number_cell_is_read_as_digits(value: Value, cell: str) -> None:
    """A spreadsheet's number comes out without decimals; its lost zero can be told."""
    assert cell == phone_cell(value)


@pytest.mark.parametrize("value", [912345678.0, "0912345678", "912345678.0", Decimal("912345678")])
def test_a_number_in_any_cell_is_the_same_phone(value: Value) -> None:
    """Text, a float and a decimal reach the same person."""
    assert [Phone("+84912345678", "VinaPhone")] == phones_in([phone_cell(value)], BOOK)


def test_numbers_keep_the_order_of_their_cells() -> None:
    """The first cell's number is first."""
    found = phones_in(["0987654321 / 0912345678", "0321234567"], BOOK)
    assert ["+84987654321", "+84912345678", "+84321234567"] == [
        each.e164 for each in found if isinstance(each, Phone)
    ]


def test_a_number_in_two_cells_counts_once() -> None:
    """Nobody is told twice since the number stands in two columns."""
    assert 1 == len(phones_in(["0912345678", "+84 912 345 678"], BOOK))


@pytest.mark.parametrize("cells", [[], [""], ["", "  "]])
def test_no_number_is_a_reason(cells: list[str]) -> None:
    """A row without any number is skipped as such."""
    (only,) = phones_in(cells, BOOK)
    assert isinstance(only, PhoneError)
    assert SkipReason.NO_PHONE is only.reason


def test_a_bad_number_does_not_hide_a_good_one() -> None:
    """Each number of a row stands for itself."""
    bad, good = phones_in(["02439360000", "0912345678"], BOOK)
    assert isinstance(bad, PhoneError)
    assert isinstance(good, Phone)


def test_contacts_of_several_rows_add_up() -> None:
    """One to three leaders of a facility may stand in one row each."""
    table = Table(
        Row(2, ("01909", "A", "0912345678")),
        Row(3, ("01910", "B", "0912345679")),
        Row(4, ("01909", "C", 987654321.0)),
    )
    assert {"01909": ("0912345678", "987654321"), "01910": ("0912345679",)} == load_contacts(
        table, "ma", ["so"]
    )


def test_contacts_without_a_number_are_on_file() -> None:
    """A facility whose leaders have no number is known all the same, and skipped later."""
    assert {"01909": ()} == load_contacts(Table(Row(2, ("01909", "A", None))), "ma", ["so"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row(7, ("", "A", "0912345678")), "leaders.csv:7: the code is empty."),
        (Row(7, (1909.0, "A", "0")), "leaders.csv:7: The code came as the number 1909.0; "),
        (Row(7, ("1.00E+51", "A", "0")), "leaders.csv:7: The code '1.00E+51' was destroyed "),
        (Row(7, (), "has too few columns."), "leaders.csv:7: has too few columns."),
    ],
)
def test_contacts_with_a_destroyed_code_are_refused(row: Row, said: str) -> None:
    """A table of contacts that cannot be trusted stops the run, with the line."""
    with pytest.raises(SourceError) as caught:
        load_contacts(Table(row), "ma", ["so"])
    assert str(caught.value).startswith(said)


def test_columns_are_found_by_name() -> None:
    """The order of an extract's columns does not matter."""
    assert [2, 0] == find_columns(Table(), ["so", "ma"])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (["ma", "sdt"], "leaders.csv: lacks the column 'sdt'; it has 'ma', 'ten', 'so'."),
        (["mã", "sdt"], "leaders.csv: lacks the columns 'mã', 'sdt'; it has 'ma', 'ten', 'so'."),
    ],
)
def test_missing_columns_are_told_with_those_there_are(wanted: list[str], said: str) -> None:
    """Everything that is missing is said at once."""
    with pytest.raises(SourceError) as caught:
        find_columns(Table(), wanted)
    assert said == str(caught.value)


def test_cells_of_one_column() -> None:
    """The usual row has one phone column."""
    assert ("912345678",) == tuple(cell_finder((1,), None)(("01909", 912345678.0), "01909"))


def test_cells_of_several_columns() -> None:
    """Several phone columns are read in the job's order."""
    find = cell_finder((2, 1), None)
    assert ["b", "a"] == list(find(("01909", "a", "b"), "01909"))


def test_cells_of_contacts() -> None:
    """With a table of contacts the row's own cells do not count."""
    find = cell_finder((), {"01909": ("0912345678",)})
    assert ("0912345678",) == tuple(find(("01909", "x"), "01909"))


def test_a_subject_that_is_not_among_the_contacts_has_no_cells() -> None:
    """A facility that nobody has a number of is told apart by its reason later."""
    assert () == tuple(cell_finder((), {"01909": ("1",)})(("01910",), "01910"))
