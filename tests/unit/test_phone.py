"""What people write into phone cells."""

from __future__ import annotations

import pytest

from smsengine.errors import PhoneError
from smsengine.lifecycle import SkipReason
from smsengine.phone import Phone, PhoneBook, mask

BOOK = PhoneBook()
ONE = Phone("+84912345678", "VinaPhone")
TWO = Phone("+84987654321", "Viettel")


def only_error(cell: str) -> PhoneError:
    (error,) = BOOK.parse(cell)
    assert isinstance(error, PhoneError)
    return error


@pytest.mark.parametrize(
    "cell",
    [
        "0912345678",
        "0912.345.678",
        "0912 345 678",
        "0912-345-678",
        "0912–345–678",
        "(0912) 345 678",
        "+84912345678",
        "+84 (0)912 345 678",
        "(+84) 912 345 678",
        "84912345678",
        "84 0912345678",
        "0084912345678",
        "912345678",
        "912,345,678",
        "912345678.0",
        "84912345678.0",
        "０９１２３４５６７８",
        "0912\u00a0345\u00a0678",
        "\u200b0912345678\ufeff",
        "'0912345678",
        "  0912345678\n",
        "0912345678 Nguyễn Văn A",
        "Anh Nam: 0912345678",
        "SĐT0912345678",
        "Nam (0912345678)",
        "0912345678 / 0912.345.678",
        "0912345678 phòng 2",
    ],
)
def test_one_number_in_many_shapes(cell: str) -> None:
    """Every usual way of writing one number gives that number once."""
    assert BOOK.parse(cell) == [ONE]


@pytest.mark.parametrize(
    "cell",
    [
        "0912345678/0987654321",
        "0912345678; 0987654321",
        "0912345678,0987654321",
        "0912345678|0987654321",
        "0912345678\n0987654321",
        "0912345678 0987654321",
        "0912 345 678 0987 654 321",
        "0912345678 - 0987654321",
        "0912345678 (Nam), 0987654321 (Lan)",
        "0912345678 / 987654321 / +84912345678",
    ],
)
def test_two_numbers_in_one_cell(cell: str) -> None:
    """Both are told, in their order."""
    assert BOOK.parse(cell) == [ONE, TWO]


def test_a_cell_of_a_thousand_numbers_is_read() -> None:
    """Length is no crash."""
    cells = [f"09{number:08}" for number in range(12000000, 12001000)]
    assert len(BOOK.parse(" ".join(cells))) == 1000


MOVES = {
    "MobiFone": "0120 070 0121 079 0122 077 0126 076 0128 078",
    "VinaPhone": "0123 083 0124 084 0125 085 0127 081 0129 082",
    "Viettel": "0162 032 0163 033 0164 034 0165 035 0166 036 0167 037 0168 038 0169 039",
    "Vietnamobile": "0186 056 0188 058",
    "Gmobile": "0199 059",
}
MOVED = [
    (network, old, new)
    for network, pairs in MOVES.items()
    for old, new in zip(pairs.split()[::2], pairs.split()[1::2], strict=True)
]


@pytest.mark.parametrize(("network", "old", "new"), MOVED)
def test_an_old_number_of_eleven_digits_is_moved(network: str, old: str, new: str) -> None:
    """Each of the 21 prefixes of 2018 becomes its new one."""
    assert [Phone(f"+84{new[1:]}1234567", network)] == BOOK.parse(f"{old}1234567")


def test_there_are_21_moves() -> None:
    """The list above is whole."""
    assert len(MOVED) == 21


@pytest.mark.parametrize("cell", ["+841682345678", "1682345678", "1682345678.0"])
def test_an_old_number_is_moved_whatever_its_head(cell: str) -> None:
    """A country code or a lost zero does not hide an old prefix."""
    assert [Phone("+84382345678", "Viettel")] == BOOK.parse(cell)


PREFIXES = [
    "032",
    "033",
    "034",
    "035",
    "036",
    "037",
    "038",
    "039",
    "086",
    "096",
    "097",
    "098",
    "070",
    "076",
    "077",
    "078",
    "079",
    "089",
    "090",
    "093",
    "081",
    "082",
    "083",
    "084",
    "085",
    "088",
    "091",
    "094",
    "052",
    "056",
    "058",
    "092",
    "059",
    "099",
    "087",
    "055",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_each_of_the_36_prefixes_is_a_mobile_number_with_a_network(prefix: str) -> None:
    """A listed prefix never depends on another library's table."""
    (phone,) = BOOK.parse(f"{prefix}2345678"[:10].ljust(10, "9"))
    assert isinstance(phone, Phone)
    assert phone.network != ""


def test_084_without_its_zero_is_not_a_country_code() -> None:
    """Nine digits that begin with 84 are a number of prefix 084."""
    assert [Phone("+84841234567", "VinaPhone")] == BOOK.parse("841234567")


REASONS = {
    "024 3934 1234": SkipReason.LANDLINE,
    "(028) 38.291.234": SkipReason.LANDLINE,
    "113": SkipReason.SHORT_CODE,
    "9029": SkipReason.SHORT_CODE,
    "1900 9068": SkipReason.SHORT_CODE,
    "18001234": SkipReason.SHORT_CODE,
    "+14155552671": SkipReason.FOREIGN_PHONE,
    "0014155552671": SkipReason.FOREIGN_PHONE,
    "8.4912E+10": SkipReason.BAD_PHONE,
    "9,12E+08": SkipReason.BAD_PHONE,
    "0531234567": SkipReason.PHONE_REVIEW,
    "0121234567": SkipReason.PHONE_REVIEW,
    "01302345678": SkipReason.BAD_PHONE,
    "091234567": SkipReason.BAD_PHONE,
    "09123456789": SkipReason.BAD_PHONE,
    "0846.xx.xx.xx": SkipReason.BAD_PHONE,
    "O912345678": SkipReason.BAD_PHONE,
    "không có": SkipReason.BAD_PHONE,
    "-": SkipReason.BAD_PHONE,
    "+999123": SkipReason.BAD_PHONE,
    "12345678": SkipReason.BAD_PHONE,
    "Phòng 2 - 0912345678": SkipReason.BAD_PHONE,
    "0" * 400: SkipReason.BAD_PHONE,
}


@pytest.mark.parametrize(("cell", "reason"), REASONS.items(), ids=range(len(REASONS)))
def test_what_cannot_receive_a_text_says_why(cell: str, reason: SkipReason) -> None:
    """Each kind of wrong number has its own reason in the ledger."""
    assert reason is only_error(cell).reason


@pytest.mark.parametrize("cell", ["", " ", "\u00a0\u200b", "\n"])
def test_an_empty_cell_holds_no_number_and_no_error(cell: str) -> None:
    """Whether a number was needed is not decided here."""
    assert BOOK.parse(cell) == []


@pytest.mark.parametrize("cell", ["0301234567", "0951234567"])
def test_the_numbering_plan_may_know_a_mobile_prefix_that_we_do_not_list(cell: str) -> None:
    """libphonenumber's MOBILE is accepted, with an unknown network."""
    assert [Phone("+84" + cell[1:], "")] == BOOK.parse(cell)


def test_a_configured_prefix_is_a_mobile_prefix() -> None:
    """A new range is opened by configuration, not by a release."""
    assert [Phone("+84531234567", "New")] == PhoneBook({"053": "New"}).parse("0531234567")


def test_a_good_number_beside_a_landline_is_kept() -> None:
    """One wrong number of a cell does not lose the other."""
    first, second = BOOK.parse("0912345678, 024 3934 1234")
    assert isinstance(second, PhoneError)
    assert (first, second.reason) == (ONE, SkipReason.LANDLINE)


def test_scientific_notation_names_the_spreadsheet() -> None:
    """The operator learns what destroyed the number."""
    assert "scientific notation" in str(only_error("8.4912E+10"))


@pytest.mark.parametrize("cell", ["02439341234", "+14155552671", "0531234567", "09123456789"])
def test_no_sentence_holds_a_whole_number(cell: str) -> None:
    """Sentences reach logs and screens."""
    digits = cell.lstrip("+")
    assert (digits[3:8] in str(only_error(cell)), "***" in str(only_error(cell))) == (False, True)


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+84912345678", "091***5678"),
        ("0912345678", "091***5678"),
        ("+14155552671", "141***2671"),
        ("1900", "***"),
        ("", "***"),
    ],
)
def test_a_masked_number_shows_three_and_four_digits(number: str, masked: str) -> None:
    """Enough to recognise, not enough to call."""
    assert masked == mask(number)
