"""How the text fields of a visit record are read inside a SELECT.

DuckDB, SQLite and PostgreSQL share few functions that mean the same everywhere; these expressions
keep to ``length``, ``substr``, ``replace``, ``ltrim`` and LIKE. Digits of equal length compare
alike as text and as numbers, so times are never converted. Reading has two steps, because asking
whether a text is all digits is by far the dearest question: first every field is brought to the
form that should be bare digits, then one question is put to all of them joined together.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, Text, and_, case, cast, func, or_

_DIGITS = "0123456789"
_ISO = ("____-__-__ __:__", "____-__-__T__:__", "____-__-__ __:__:__", "____-__-__T__:__:__")
_LEAP_YEARS = tuple(str(year) for year in range(2000, 2100, 4))
_SHORT_MONTHS = ("04", "06", "09", "11")
#: Form XML1 gives T_BHTT 15 digits; exports of the older form (QĐ 4210) add two decimals.
_WHOLE_DIGITS = 15
_DECIMALS = 2
#: Zeros that a database may print behind them, as NUMERIC(18,4) does.
_MORE_ZEROS = 4


def part(
    text: ColumnElement[str],
    start: int | ColumnElement[int],
    length: int | ColumnElement[int] | None = None,
) -> ColumnElement[str]:
    """Return ``length`` characters from ``start``, counted from 1, or all that follow."""
    if length is None:
        return func.substr(text, start, type_=Text)
    return func.substr(text, start, length, type_=Text)


def all_digits(text: ColumnElement[str]) -> ColumnElement[bool]:
    """No character but 0 to 9; true of empty text."""
    return func.ltrim(text, _DIGITS, type_=Text) == ""


def bare_time(text: ColumnElement[str]) -> ColumnElement[str]:
    """A time of receipt as yyyymmddHHMMSS; text of no known form comes back as it is.

    Known are yyyymmddHHMM[SS] and yyyy-mm-dd HH:MM[:SS], with a space or T between, and fractions
    of a second, which are cut off.
    """
    written, fraction = part(text, 1, 19), part(text, 21)
    bare: ColumnElement[str] = written
    for sign in "-: T":
        bare = func.replace(bare, sign, "", type_=Text)
    cut = and_(part(text, 20, 1) == ".", fraction != "", all_digits(fraction))
    return case(
        (func.length(text) == 14, text),
        (func.length(text) == 12, text.concat("00")),
        (or_(*(text.like(form) for form in _ISO[:2])), bare.concat("00")),
        (and_(or_(*(written.like(form) for form in _ISO[2:])), or_(text == written, cut)), bare),
        else_=text,
    )


def bare_month(year: ColumnElement[str], month: ColumnElement[str]) -> ColumnElement[str]:
    """A month of claim as yyyymm; the month may be written with one digit."""
    return case(
        (and_(func.length(year) == 4, func.length(month) == 1), year.concat("0").concat(month)),
        (and_(func.length(year) == 4, func.length(month) == 2), year.concat(month)),
        else_="",
    )


def bare_amount(text: ColumnElement[str]) -> ColumnElement[str]:
    """The size of an amount in hundredths of a đồng, without point and sign.

    A text with more than two decimals keeps its point, and so is not all digits, unless the others
    are zeros.
    """
    size = case((is_negative(text), part(text, 2)), else_=text)
    length = func.length(size)
    forms = [(size.not_like("%.%"), size.concat("00"))]
    forms += [(size.like("%._"), part(size, 1, length - 2).concat(part(size, length)).concat("0"))]
    for zeros in range(_MORE_ZEROS + 1):
        whole = part(size, 1, length - _DECIMALS - 1 - zeros)
        decimals = part(size, length - 1 - zeros, _DECIMALS)
        forms += [(size.like("%.__" + "0" * zeros), whole.concat(decimals))]
    return case(*forms, else_=size)


def is_negative(text: ColumnElement[str]) -> ColumnElement[bool]:
    """The text begins with a minus sign."""
    return part(text, 1, 1) == "-"


def is_amount(bare: ColumnElement[str]) -> ColumnElement[bool]:
    """Bare digits have the length of an amount: 1 to 15 digits and the hundredths."""
    return func.length(bare).between(1 + _DECIMALS, _WHOLE_DIGITS + _DECIMALS)


def to_number(bare: ColumnElement[str], known: ColumnElement[bool]) -> ColumnElement[int]:
    """The digits as a number where they are known to be digits, otherwise 0."""
    return cast(case((known, bare), else_="0"), BigInteger)


def is_date(bare: ColumnElement[str]) -> ColumnElement[bool]:
    """Digits begin with a day of the calendar (yyyymmdd), 2000 to 2099.

    Spelled with CASE, because DuckDB makes a join of every IN.
    """
    year, month, day = part(bare, 1, 4), part(bare, 5, 2), part(bare, 7, 2)
    february = case(dict.fromkeys(_LEAP_YEARS, "29"), value=year, else_="28")
    last_days = dict.fromkeys(_SHORT_MONTHS, "30") | {"02": february}
    return and_(
        part(bare, 1, 2) == "20",
        month.between("01", "12"),
        day.between("01", case(last_days, value=month, else_="31")),
    )


def is_time(bare: ColumnElement[str], length: int) -> ColumnElement[bool]:
    """Digits are a moment: yyyymmddHHMM (length 12) or yyyymmddHHMMSS (length 14)."""
    return and_(
        func.length(bare) == length,
        is_date(bare),
        part(bare, 9, 2) <= "23",
        part(bare, 11, 2) <= "59",
        part(bare, 13, 2) <= "59",
    )


def is_month(bare: ColumnElement[str]) -> ColumnElement[bool]:
    """Text is a month (yyyymm), 2000 to 2099."""
    return and_(func.length(bare) == 6, is_date(bare.concat("01")), all_digits(bare))
