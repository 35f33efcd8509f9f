"""Cells of the fund's files as words and days. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime

from smsengine.sources.base import Value

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.ASCII)
_VIETNAMESE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?", re.ASCII)


class WrongCellError(Exception):
    """One cell is wrong; the sentence says which, and repeats no text of it."""


def words_of(value: Value) -> str:
    """A cell as words; whole numbers of a spreadsheet lose nothing."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def day_of(value: Value, name: str) -> date:
    """The day that a cell holds: 24/11/2026, 2026-11-24, or a date of a spreadsheet.

    Raises:
        WrongCellError: it holds none.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = words_of(value)
    if found := _ISO.fullmatch(text):
        parts = int(found[1]), int(found[2]), int(found[3])
    elif found := _VIETNAMESE.fullmatch(text):
        parts = int(found[3]), int(found[2]), int(found[1])
    else:
        raise WrongCellError(f"{name}: is no day; write 24/11/2026 or 2026-11-24")
    try:
        return date(*parts)
    except ValueError:
        raise WrongCellError(f"{name}: {text[:10]} is no day of the calendar") from None
