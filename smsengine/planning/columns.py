"""From a cell of an extract to a value of the declared type; nothing is guessed.

A reader takes what a source yielded and returns ``str`` (code, text) or ``int`` (đồng, count,
percent), or raises RowError with the reason. An empty cell is ``None`` here; whether that is a
fault is the caller's decision.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial

from smsengine.config.job import ColumnType
from smsengine.errors import NumberError, RowError
from smsengine.lifecycle import SkipReason
from smsengine.sources.base import Value
from smsengine.text.numerals import Locale, parse_money
from smsengine.text.plain import fold

Reader = Callable[[Value], str | int | None]

#: What programs write where a value is missing; never part of a name.
_PLACEHOLDERS = frozenset(
    {
        "none",
        "nan",
        "null",
        "nil",
        "n/a",
        "#n/a",
        "#ref!",
        "#value!",
        "#name?",
        "#div/0!",
        "undefined",
        "#num!",
        "#null!",
        "#spill!",
        "#calc!",
        "(null)",
        "<null>",
        "<na>",
        "nat",
        "\\n",
        "-",
    }
)
_LONGEST_PLACEHOLDER = max(map(len, _PLACEHOLDERS))
_SCIENTIFIC = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_FLOAT_TEXT = re.compile(r"\d+\.0+")
_LONGEST_CODE = 100
_LONGEST_TEXT = 500
#: A spreadsheet keeps no more, and the ledger's sums stay far from the end of their column.
_DIGITS = 15
_LARGEST = 10**_DIGITS - 1


def reader(kind: ColumnType, locale: Locale) -> Reader:
    """The reader for a column type; ``locale`` says how numbers are written in this source."""
    readers: Mapping[ColumnType, Reader] = {
        ColumnType.CODE: read_code,
        ColumnType.TEXT: read_text,
        ColumnType.MONEY: partial(_number, locale=locale),
        ColumnType.COUNT: partial(_count, locale=locale, most=None),
        ColumnType.PERCENT: partial(_count, locale=locale, most=100),
    }
    return readers[kind]


def read_code(value: Value) -> str | None:
    """A code is text from the first byte to the last; what a spreadsheet destroyed is refused."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise RowError(
            f"The code came as the number {value}; a spreadsheet destroyed it, format the column as"
            " text and export again.",
            reason=SkipReason.DESTROYED_CODE,
        )
    code = value.strip()
    if len(code) <= _LONGEST_PLACEHOLDER and code.lower() in _PLACEHOLDERS:
        return None
    if not (code.isascii() and code.isalnum()):
        code = _unusual_code(code)
    if len(code) > _LONGEST_CODE:
        raise RowError(f"The code is longer than {_LONGEST_CODE} characters.")
    return code or None


def _unusual_code(code: str) -> str:
    if _SCIENTIFIC.fullmatch(code) or _FLOAT_TEXT.fullmatch(code):
        raise RowError(
            f"The code {code!r} was destroyed by a spreadsheet; format the column as text and"
            " export again.",
            reason=SkipReason.DESTROYED_CODE,
        )
    if any(unicodedata.name(char, "").startswith("LATIN") for char in code if not char.isascii()):
        raise RowError(
            f"The code {code!r} has letters with marks; codes are plain letters and digits."
        )
    return fold(code).strip()


def read_text(value: Value) -> str | None:
    """Words, with their accents; folding happens when they are printed."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= _LONGEST_PLACEHOLDER and text.lower() in _PLACEHOLDERS:
            return None
        if len(text) > _LONGEST_TEXT:
            raise RowError(
                f"The cell holds {len(text)} characters; at most {_LONGEST_TEXT} are read."
            )
        return text or None
    if isinstance(value, bool | date):
        raise RowError(f"The cell holds {value}, which is not text.")
    try:
        return str(_whole(value))
    except NumberError:
        raise RowError(f"The cell holds the number {value}, which is not text.") from None


def _number(value: Value, *, locale: Locale) -> int | None:
    """Whole đồng."""
    if value is None:
        return None
    if isinstance(value, str):
        if value.isspace() or (
            len(value) <= _LONGEST_PLACEHOLDER and value.strip().lower() in (_PLACEHOLDERS | {""})
        ):
            return None
        return _believable(parse_money(value, locale))
    return _whole(value)


def _whole(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise NumberError(f"The cell holds {value!r}, which is not a number.")
    exact = Decimal(value) if not isinstance(value, float) else Decimal(repr(value))
    if not exact.is_finite():
        raise NumberError(f"The cell holds {value}, which is not a whole number.")
    if abs(exact) > _LARGEST:
        raise _too_large()
    if exact != exact.to_integral_value():
        raise NumberError(f"The cell holds {value}, which is not a whole number.")
    return int(exact)


def _believable(number: int) -> int:
    if abs(number) > _LARGEST:
        raise _too_large()
    return number


def _too_large() -> NumberError:
    return NumberError(f"The figure has more than {_DIGITS} digits; no such figure is believed.")


def _count(value: Value, *, locale: Locale, most: int | None) -> int | None:
    if isinstance(value, str) and most == 100:
        value = value.strip().removesuffix("%")
    number = _number(value, locale=locale)
    if number is not None and (number < 0 or (most is not None and number > most)):
        expected = f"0 to {most}" if most else "0 or more"
        raise NumberError(f"The cell holds {number}; expected {expected}.")
    return number
