"""Whole amounts in Vietnamese words, as they stand on receipts. Pure."""

from __future__ import annotations

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_THOUSANDS = ("", "nghìn", "triệu")
_BILLION = 10**9


def spelled(amount: int) -> str:
    """An amount of đồng that is not negative: ``Tám trăm linh bốn nghìn sáu trăm đồng``."""
    words = _spelled(amount) or _DIGITS[0]
    return f"{words[0].upper()}{words[1:]} đồng"


def _spelled(number: int, *, follows: bool = False) -> str:
    """Words for a number; nothing for zero. ``follows``: larger groups stand before it."""
    billions, rest = divmod(number, _BILLION)
    parts = [f"{_spelled(billions, follows=follows)} tỷ"] if billions else []
    follows = follows or bool(billions)
    for power in (2, 1, 0):
        group, rest = divmod(rest, 1000**power)
        if group:
            parts.append(f"{_group(group, follows=follows)} {_THOUSANDS[power]}".strip())
            follows = True
    return " ".join(parts)


def _group(number: int, *, follows: bool) -> str:
    """Words for 1 to 999; behind a larger group its hundreds are said also where there are none."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    parts = [f"{_DIGITS[hundreds]} trăm"] if hundreds or follows else []
    if tens > 1:
        parts.append(f"{_DIGITS[tens]} mươi")
    elif tens == 1:
        parts.append("mười")
    elif ones and parts:
        parts.append("linh")
    if ones:
        parts.append(_one(ones, tens))
    return " ".join(parts)


def _one(ones: int, tens: int) -> str:
    if ones == 1 and tens > 1:
        return "mốt"
    if ones == 5 and tens > 0:
        return "lăm"
    return _DIGITS[ones]
