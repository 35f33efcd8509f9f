"""Every column type against everything that a cell may hold."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.config.job import ColumnType
from smsengine.errors import RowError
from smsengine.lifecycle import SkipReason
from smsengine.planning.columns import reader
from smsengine.sources.base import Value
from smsengine.text.numerals import Locale

CODE, TEXT = ColumnType.CODE, ColumnType.TEXT
MONEY, COUNT, PERCENT = ColumnType.MONEY, ColumnType.COUNT, ColumnType.PERCENT
BAD, DESTROYED = SkipReason.BAD_VALUE, SkipReason.DESTROYED_CODE
FIGURES = (MONEY, COUNT, PERCENT)


def read(kind: ColumnType, value: Value, locale: Locale = "plain") -> object:
    return reader(kind, locale)(value)


def reason(kind: ColumnType, value: Value, locale: Locale = "plain") -> SkipReason:
    """Why a cell is refused."""
    with pytest.raises(RowError) as caught:
        read(kind, value, locale)
    return caught.value.reason


@pytest.mark.parametrize("kind", ColumnType)
@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "   ",
        " " * 30,
        "\t",
        "None",
        "nan",
        "NaN",
        "NULL",
        "nil",
        "N/A",
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "undefined",
        " nan ",
    ],
    ids=repr,
)
def test_what_stands_for_nothing_is_nothing(kind: ColumnType, value: Value) -> None:
    """An empty cell, and what programs write into one, is no value of any kind."""
    assert read(kind, value) is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("01909", "01909"),
        ("01E51", "01E51"),
        ("1E51", "1E51"),
        ("1e51", "1e51"),
        ("TA0001A", "TA0001A"),
        ("0", "0"),
        (" 01909 ", "01909"),
        ("K\u200b12", "K12"),
        ("79.001", "79.001"),
        ("1909.5", "1909.5"),
        ("nano", "nano"),
        ("0" * 100, "0" * 100),
    ],
)
def test_codes_are_text_to_the_last_letter(value: str, code: str) -> None:
    """A code keeps its zeros and letters; only its accents are folded."""
    assert code == read(CODE, value)


@pytest.mark.parametrize(
    "value",
    [
        "1.00E+51",
        "1E+51",
        "1,00E+51",
        "1e-5",
        "1.0E51",
        "-1E51",
        "1909.0",
        "1909.00",
        "01909.0",
        1e51,
        1909.0,
        1909,
        1909.5,
        Decimal("1909"),
        float("nan"),
        float("inf"),
        True,
        date(2019, 5, 1),
    ],
    ids=repr,
)
def test_a_code_that_a_spreadsheet_destroyed_is_refused(value: Value) -> None:
    """Scientific notation, decimals, numbers and dates were codes once; nobody guesses which."""
    assert DESTROYED is reason(CODE, value)


@pytest.mark.parametrize(
    ("value", "why"),
    [("0" * 101, BAD), ("MA я", SkipReason.UNSENDABLE_TEXT), ("ĐA001", BAD)],
)
def test_a_code_that_is_none_is_refused(value: str, why: SkipReason) -> None:
    """A code that is too long or cannot be printed has its own reason."""
    assert why is reason(CODE, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Bệnh viện", "Bệnh viện"),
        ("  Bệnh viện \n", "Bệnh viện"),
        ("nano", "nano"),
        ("Công ty None", "Công ty None"),
        ("0", "0"),
        ("1E+51", "1E+51"),
        ("a" * 500, "a" * 500),
        (12, "12"),
        (-3, "-3"),
        (12.0, "12"),
        (Decimal("12"), "12"),
        (Decimal("12.00"), "12"),
        (0.0, "0"),
    ],
)
def test_text_is_kept(value: Value, text: str) -> None:
    """Words keep their accents, and a whole number loses nothing but its decimals of zero."""
    assert text == read(TEXT, value)


@pytest.mark.parametrize(
    "value",
    [
        "a" * 501,
        12.5,
        Decimal("12.5"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+5000"),
        float("nan"),
        float("inf"),
        1e51,
        True,
        date(2019, 5, 1),
        datetime(2019, 5, 1, 7, 30),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_text_is_refused(value: Value) -> None:
    """A fraction, a truth value or a date would be printed in Python's words."""
    assert BAD is reason(TEXT, value)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("1234567", 1_234_567),
        ("-214541737", -214_541_737),
        ("0", 0),
        ("-0", 0),
        ("1234567.0", 1_234_567),
        ("(1234)", -1234),
        ("1234 đồng", 1234),
        (" 1234 ", 1234),
        (1234, 1234),
        (1234.0, 1234),
        (-1234.0, -1234),
        (Decimal("1234"), 1234),
        (Decimal("1234.00"), 1234),
        (Decimal("1.2E+3"), 1200),
        (999_999_999_999_999, 999_999_999_999_999),
        ("999999999999999", 999_999_999_999_999),
    ],
)
def test_money_is_whole_dong(value: Value, amount: int) -> None:
    """Text, whole floats and decimals give the same whole đồng."""
    assert amount == read(MONEY, value)


@pytest.mark.parametrize(
    ("locale", "value", "amount"),
    [
        ("vi", "1.234.567", 1_234_567),
        ("vi", "1.234", 1234),
        ("vi", "1.234,0", 1234),
        ("en", "1,234,567", 1_234_567),
        ("en", "1,234.00", 1234),
        ("space", "1 234 567", 1_234_567),
        ("space", "1\u00a0234", 1234),
        ("plain", "1234567", 1_234_567),
    ],
)
def test_the_locale_is_declared(locale: Locale, value: str, amount: int) -> None:
    """What a dot means is said by the source."""
    assert amount == read(MONEY, value, locale)


@pytest.mark.parametrize(
    ("locale", "value"),
    [
        ("plain", "1.234.567"),
        ("plain", "1,234"),
        ("plain", "1.5"),
        ("vi", "1,234,567"),
        ("vi", "12.34"),
        ("vi", "1.2345"),
        ("en", "1.234.567"),
        ("space", "1.234"),
    ],
)
def test_another_locale_is_refused(locale: Locale, value: str) -> None:
    """A figure written in another locale is refused, and never read as another amount."""
    assert BAD is reason(MONEY, value, locale)


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize(
    "value",
    [
        "abc",
        "12x",
        "1.00E+51",
        "1E51",
        "--5",
        "½",
        "９" * 20,
        12.5,
        1e51,
        float("nan"),
        float("inf"),
        float("-inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("0.5"),
        Decimal("1E+5000"),
        Decimal("1E+999999"),
        True,
        False,
        date(2019, 5, 1),
        datetime(2019, 5, 1, 7, 30),
        10**15,
        float(2**53),
        "1" + "0" * 15,
        "9" * 40,
        "9" * 5000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_figure_is_refused(kind: ColumnType, value: Value) -> None:
    """Words, fractions, infinities, dates and figures beyond belief refuse their row alone."""
    assert BAD is reason(kind, value)


@pytest.mark.parametrize("kind", [COUNT, PERCENT])
@pytest.mark.parametrize("value", ["-1", -1, -1.0], ids=repr)
def test_counts_are_not_negative(kind: ColumnType, value: Value) -> None:
    """There is no negative count and no negative share."""
    assert BAD is reason(kind, value)


@pytest.mark.parametrize(
    ("value", "percent"),
    [("72", 72), ("72%", 72), (" 72 % ", 72), (72.0, 72), ("0", 0), (100, 100)],
)
def test_percent_may_have_its_sign(value: Value, percent: int) -> None:
    """A share is a whole number from 0 to 100."""
    assert percent == read(PERCENT, value)


@pytest.mark.parametrize("value", ["101", 101, "72,5%", 0.72, "72%%"], ids=repr)
def test_what_is_no_percent_is_refused(value: Value) -> None:
    """A share beyond 100, or one that was a fraction, is refused."""
    assert BAD is reason(PERCENT, value)


def test_only_shares_have_a_percent_sign() -> None:
    """A sign after a count or an amount is a mistake in the column."""
    assert (BAD, BAD) == (reason(COUNT, "72%"), reason(MONEY, "72%"))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (COUNT, "-1", "The cell holds -1; expected 0 or more."),
        (PERCENT, "101", "The cell holds 101; expected 0 to 100."),
        (MONEY, 12.5, "The cell holds 12.5, which is not a whole number."),
        (MONEY, 10**15, "The figure has more than 15 digits; no such figure is believed."),
        (TEXT, 12.5, "The cell holds the number 12.5, which is not text."),
        (
            CODE,
            "1.00E+51",
            "The code '1.00E+51' was destroyed by a spreadsheet; format the column as text and"
            " export again.",
        ),
    ],
)
def test_the_sentence_says_what_was_found(kind: ColumnType, value: Value, said: str) -> None:
    """Whoever mends the extract reads what the cell held and what was expected."""
    with pytest.raises(RowError) as caught:
        read(kind, value)
    assert said == str(caught.value)


ANYTHING = (
    st.none()
    | st.text(max_size=30)
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.booleans()
    | st.dates()
    | st.datetimes()
)


@given(st.sampled_from(ColumnType), st.sampled_from(["plain", "vi", "en", "space"]), ANYTHING)
def test_no_cell_breaks_off_a_run(kind: ColumnType, locale: Locale, value: Value) -> None:
    """Whatever a cell holds, it is a value, nothing, or a refused row with a reason."""
    try:
        result = read(kind, value, locale)
    except RowError as error:
        result = error.reason
    assert result is None or isinstance(result, str | int)
