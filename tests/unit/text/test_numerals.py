"""Figures: read by declaration, written one way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsengine.errors import NumberError
from smsengine.text.numerals import Locale, amounts_in, money, parse_money, parse_number


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (9249473860, "9.249.473.860"),
        (-214541737, "-214.541.737"),
        (0, "0"),
        (999, "999"),
        (1000, "1.000"),
    ],
)
def test_money_has_dots_and_an_ascii_minus(amount: int, text: str) -> None:
    """Amounts are written as in the letter."""
    assert text == money(amount)


READ: list[tuple[str, Locale, str]] = [
    ("1.234.567", "vi", "1234567"),
    ("1.234.567,00", "vi", "1234567.00"),
    ("1.234", "vi", "1234"),
    ("1.234", "plain", "1.234"),
    ("1.234", "en", "1.234"),
    ("1,234", "en", "1234"),
    ("1,234", "vi", "1.234"),
    ("1,234,567.5", "en", "1234567.5"),
    ("1 234 567", "space", "1234567"),
    ("1\u00a0234\u00a0567,5", "space", "1234567.5"),
    ("9249473860", "vi", "9249473860"),
    ("(214.541.737)", "vi", "-214541737"),
    ("(214.541.737 đ)", "vi", "-214541737"),
    ("−214.541.737", "vi", "-214541737"),
    (" -214.541.737 đồng ", "vi", "-214541737"),
    ("9.249.473.860 ĐỒNG", "vi", "9249473860"),
    ("9.249.473.860 dong", "vi", "9249473860"),
    ("9.249.473.860VNĐ", "vi", "9249473860"),
    ("5₫", "vi", "5"),
    ("5 vnd", "plain", "5"),
    ("-0", "vi", "0"),
    ("-123456789012345678901234567890,5", "vi", "-123456789012345678901234567890.5"),
]


@pytest.mark.parametrize(("text", "locale", "number"), READ)
def test_a_figure_is_read_exactly_in_its_locale(text: str, locale: Locale, number: str) -> None:
    """Each declared way of writing gives the exact figure."""
    assert number == str(parse_number(text, locale))


WRONG: list[tuple[str, Locale]] = [
    ("", "vi"),
    ("-", "vi"),
    ("đ", "vi"),
    ("1.23", "vi"),
    ("12.34.567", "vi"),
    ("1234.567", "vi"),
    ("1.234.56", "vi"),
    ("1,234,567", "vi"),
    ("1.234.567", "en"),
    ("1,234", "plain"),
    ("1 234", "vi"),
    ("1 234\u00a0567", "space"),
    ("(-5)", "vi"),
    ("-(5)", "vi"),
    ("+5", "vi"),
    ("5,", "vi"),
    ("nan", "plain"),
    ("Infinity", "plain"),
    ("1_000", "plain"),
    ("١٢", "vi"),
    ("12 tỷ", "vi"),
    ("01E51", "vi"),
    ("9" * 5000, "vi"),
]


@pytest.mark.parametrize(("text", "locale"), WRONG, ids=range(len(WRONG)))
def test_anything_else_is_refused(text: str, locale: Locale) -> None:
    """What the declared locale does not write is not a figure."""
    with pytest.raises(NumberError):
        parse_number(text, locale)


def test_a_refusal_names_value_locale_and_an_example() -> None:
    """The sentence is enough to mend the source."""
    with pytest.raises(NumberError) as caught:
        parse_number("1,234,567", "vi")
    assert (
        str(caught.value) == "'1,234,567' is not a number in locale vi; expected e.g. 1.234.567,5."
    )


@pytest.mark.parametrize("text", ["2.1E+08", "-2,1e8", "9E10"])
def test_scientific_notation_says_that_digits_were_lost(text: str) -> None:
    """A spreadsheet that shows 2.1E+08 has thrown figures away."""
    with pytest.raises(NumberError, match="lost digits"):
        parse_number(text, "vi")


@pytest.mark.parametrize(
    ("text", "amount"),
    [("9249473860", 9249473860), ("9.249.473.860,00", 9249473860), ("(5)", -5), ("007", 7)],
)
def test_money_is_whole_dong(text: str, amount: int) -> None:
    """Zero decimals are no decimals."""
    assert amount == parse_money(text, "vi")


def test_a_fraction_of_a_dong_is_refused() -> None:
    """Nothing is rounded here."""
    with pytest.raises(NumberError, match="whole number"):
        parse_money("1.234,5", "vi")


def test_digits_beyond_all_money_are_refused_not_a_crash() -> None:
    """Python refuses to convert thousands of digits; we say it first."""
    with pytest.raises(NumberError):
        parse_money("9" * 5000, "plain")


AMOUNTS = [
    ("thang 05/2019 la 9.249.473.860 dong; thang 06/2019", [9249473860]),
    ("thang 06/2019 la -214.541.737 dong", [-214541737]),
    ("la 8.931.964.403. Chi tiet", [8931964403]),
    ("ty le la 72%.", [72]),
    ("Ma CSKCB 01909: 10.132 luot", [10132]),
    ("form C12-TS va 01E51, TA0005", []),
    ("ngay 06/05/2019 luc 07:30 la 5", [5]),
    ("dung han 5/10 ho so", [5, 10]),
    ("tien:5.000", [5000]),
    ("1.23 1.2345 1234.567 1.234,5", []),
    ("0 dong, -0", [0, 0]),
    ("tu 12-15", [12, 15]),
    ("goi 0912345678", []),
    ("1.000, 2.000; 3.000!", [1000, 2000, 3000]),
    ("ky -10/2019", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "amounts"), AMOUNTS)
def test_amounts_of_a_text_are_found_with_their_sign(text: str, amounts: list[int]) -> None:
    """Amounts are told from dates, codes, times and full stops."""
    assert amounts == amounts_in(text)


def test_parsed_figures_are_decimals() -> None:
    """No binary floating point touches a figure."""
    assert Decimal("0.1") == parse_number("0,1", "vi")


@pytest.mark.parametrize(
    ("text", "locale"),
    [("500.000", "plain"), ("500.000", "en"), ("500,000", "vi"), ("500,000", "space")],
)
def test_what_may_be_thousands_is_no_fraction(text: str, locale: Locale) -> None:
    """Three decimals may part thousands of another locale: half a million is not sent as 500."""
    with pytest.raises(NumberError, match="declare how this source writes numbers"):
        parse_money(text, locale)


def test_two_zero_decimals_are_whole_money() -> None:
    """Exports with two decimals are read."""
    assert 1234567 == parse_money("1.234.567,00", "vi")
