"""What the fields of a record may look like, asked of SQLite."""

from __future__ import annotations

import pytest
from sqlalchemy import Text, and_, create_engine, literal, select

from smsengine.notices import fields


def ask(expression):
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        answer = connection.execute(select(expression)).scalar_one()
    engine.dispose()
    return answer


def text(value):
    return literal(value, Text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0", 0),
        ("1234567", 123_456_700),
        ("007", 700),
        ("12.3", 1_230),
        ("12.34", 1_234),
        ("12.340000", 1_234),
        ("0.5000", 50),
        ("-0.01", -1),
        ("-5", -500),
        ("999999999999999.99", 99_999_999_999_999_999),
    ],
)
def test_amounts_in_hundredths(written, expected):
    """Plain numbers with up to two decimals, and zeros that a database adds, are exact."""
    bare = fields.bare_amount(text(written))
    known = and_(fields.is_amount(bare), fields.all_digits(bare))
    number = fields.to_number(bare, known)
    sign = -1 if ask(fields.is_negative(text(written))) else 1
    assert (1, expected) == (ask(known), sign * ask(number))


@pytest.mark.parametrize(
    "written",
    [
        "",
        "-",
        ".5",
        "5.",
        "1.234",
        "12.3400000",
        "1.2.34",
        "1,234",
        "1e5",
        "+1",
        "--1",
        " 1",
        "١",
        "1000000000000000",
        "NaN",
        "1-",
        "0x1",
    ],
)
def test_other_amounts_are_not_known(written):
    """Nothing else is an amount, and its number is 0."""
    bare = fields.bare_amount(text(written))
    known = and_(fields.is_amount(bare), fields.all_digits(bare))
    assert (0, 0) == (ask(known), ask(fields.to_number(bare, known)))


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("201904051230", "20190405123000"),
        ("20190405123059", "20190405123059"),
        ("2019-04-05 12:30", "20190405123000"),
        ("2019-04-05T12:30", "20190405123000"),
        ("2019-04-05 12:30:59", "20190405123059"),
        ("2019-04-05T12:30:59", "20190405123059"),
        ("2019-04-05 12:30:59.999999", "20190405123059"),
    ],
)
def test_times_of_receipt(written, bare):
    """The four forms come to the same digits; fractions of a second are cut off."""
    assert bare == ask(fields.bare_time(text(written)))


@pytest.mark.parametrize(
    "written",
    [
        "2019-04-05",
        "2019-04-05 12:30:59.",
        "2019-04-05 12:30:59Z",
        "2019-04-05 12:30:59+07",
        "2019/04/05 12:30",
        "2019-04-05 12:30:5",
        "2019-04-05  12:30",
        "05-04-2019 12:30",
    ],
)
def test_other_times_are_not_known(written):
    """A form that is not known is no moment."""
    bare = fields.bare_time(text(written))
    assert 0 == ask(and_(fields.is_time(bare, 14), fields.all_digits(bare)))


@pytest.mark.parametrize("day", ["20000229", "20200229", "20960229", "20190131", "20190430"])
def test_days_of_the_calendar(day):
    """The last day of a long, a short and a leap month."""
    assert 1 == ask(fields.is_date(text(day)))


@pytest.mark.parametrize(
    "day",
    [
        "20190229",
        "21000229",
        "20200230",
        "20190431",
        "20190931",
        "20190532",
        "20190500",
        "20191301",
        "20190001",
        "19991231",
    ],
)
def test_days_of_no_calendar(day):
    """The day after the last one, the 0th, the 13th month, another century."""
    assert 0 == ask(fields.is_date(text(day)))


@pytest.mark.parametrize("time", ["2400", "1260", "125960"])
def test_hours_of_no_clock(time):
    """24:00, minute 60 and second 60 do not exist."""
    assert 0 == ask(fields.is_time(text("20190405" + time), 8 + len(time)))


@pytest.mark.parametrize(
    ("year", "month", "expected"),
    [("2019", "4", "201904"), ("2019", "04", "201904"), ("19", "04", ""), ("2019", "004", "")],
)
def test_months_of_claim(year, month, expected):
    """The month may be written with one digit, the year only with four."""
    assert expected == ask(fields.bare_month(text(year), text(month)))
