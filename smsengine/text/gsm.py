"""Count and cut the segments of a text message by its characters (3GPP TS 23.038 and 23.040).

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
_ESCAPE = 0x1B
#: The septets of each character, one octet each; the escape has a place of its own in the alphabet.
_SEPTETS = {
    **{char: bytes([at + (at >= _ESCAPE)]) for at, char in enumerate(_BASIC)},
    **{char: bytes([_ESCAPE, at]) for char, at in zip(_ESCAPED, b"\n\x14()/<=>@e", strict=True)},
}
#: The same for ASCII alone, where each character is one septet.
_ASCII = bytes(_SEPTETS.get(chr(code), b"?")[-1] for code in range(256))

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
        return Measure("gsm7", sum(widths), len(_starts(widths, _ONE_SEPTETS, _PART_SEPTETS)))
    widths = [2 if char > "\uffff" else 1 for char in text]
    return Measure("ucs2", sum(widths), len(_starts(widths, _ONE_UNITS, _PART_UNITS)))


def cut(text: str) -> tuple[Literal["gsm7", "ucs2"], list[str]]:
    """Cut ``text`` into its segments, as many as ``measure`` counts; also says how it travels."""
    if _is_one_septet_each(text):
        if len(text) <= _ONE_SEPTETS:
            return "gsm7", [text]
        starts = range(0, len(text), _PART_SEPTETS)
        return "gsm7", [text[start : start + _PART_SEPTETS] for start in starts]
    if _GSM7.fullmatch(text):
        widths = [2 if char in _ESCAPED else 1 for char in text]
        return "gsm7", _slices(text, _starts(widths, _ONE_SEPTETS, _PART_SEPTETS))
    widths = [2 if char > "\uffff" else 1 for char in text]
    return "ucs2", _slices(text, _starts(widths, _ONE_UNITS, _PART_UNITS))


def septets(text: str) -> bytes:
    """A text of the GSM alphabet, each septet in an octet of its own.

    Raises:
        KeyError: a character is not of that alphabet.
    """
    if _is_one_septet_each(text):
        return text.encode("ascii").translate(_ASCII)
    return b"".join([_SEPTETS[char] for char in text])


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


def _starts(widths: list[int], one: int, part: int) -> list[int]:
    """Where each segment of characters of these widths begins, none of them cut in two."""
    starts = [0]
    if sum(widths) <= one:
        return starts
    filled = 0
    for at, width in enumerate(widths):
        if filled + width > part:
            starts.append(at)
            filled = 0
        filled += width
    return starts


def _slices(text: str, starts: list[int]) -> list[str]:
    return [text[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
