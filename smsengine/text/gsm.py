"""Count the segments of a text message by packing its characters (3GPP TS 23.038 and 23.040).

GSM 7-bit: 160 septets in one segment, else 153 per segment; an escape pair takes two septets and
never straddles two segments. UCS-2: 70 code units of UTF-16 in one segment, else 67; neither does
a surrogate pair. So a count is not always a division.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = "\f^{}\\[~]|€"
_GSM7 = re.compile(f"[{re.escape(_BASIC + _ESCAPED)}]*")

_ONE_SEPTETS, _PART_SEPTETS = 160, 153
_ONE_UNITS, _PART_UNITS = 70, 67


@dataclass(frozen=True, slots=True)
class Measure:
    """How a text travels: ``units`` are septets (gsm7) or UTF-16 code units (ucs2)."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int


def measure(text: str) -> Measure:
    """Count the units and segments of ``text``. The empty text is one segment of no units."""
    if _is_one_septet_each(text):
        units = len(text)
        return Measure("gsm7", units, 1 if units <= _ONE_SEPTETS else -(-units // _PART_SEPTETS))
    if _GSM7.fullmatch(text):
        widths = [2 if char in _ESCAPED else 1 for char in text]
        return Measure("gsm7", sum(widths), _pack(widths, _ONE_SEPTETS, _PART_SEPTETS))
    widths = [2 if char > "\uffff" else 1 for char in text]
    return Measure("ucs2", sum(widths), _pack(widths, _ONE_UNITS, _PART_UNITS))


def _is_one_septet_each(text: str) -> bool:
    """Say whether ``text`` is printable ASCII without escapes and backticks: our usual text."""
    return (
        text.isascii()
        and text.isprintable()
        and not (
            "`" in text
            or "[" in text
            or "]" in text
            or "{" in text
            or "}" in text
            or "\\" in text
            or "^" in text
            or "~" in text
            or "|" in text
        )
    )


def _pack(widths: list[int], one: int, part: int) -> int:
    """Return how many segments characters of these widths fill, none of them cut in two."""
    if sum(widths) <= one:
        return 1
    segments, filled = 1, 0
    for width in widths:
        if filled + width > part:
            segments, filled = segments + 1, 0
        filled += width
    return segments
