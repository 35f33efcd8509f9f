"""Read and write figures. What a dot means is declared per source and never guessed.

Money is whole đồng (``int``); other figures are ``Decimal``. Binary floating point never appears.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from smsengine.errors import NumberError

Locale = Literal["vi", "en", "plain", "space"]


@dataclass(frozen=True)
class _Style:
    """How one locale writes a figure."""

    group: str  #: every character that may stand between groups of three; "" for none
    point: str  #: stands before the decimals
    example: str

    def pattern(self) -> re.Pattern[str]:
        """Match a bare figure: groups of exactly three with one separator, or no separator."""
        whole = "[0-9]+"
        if self.group:
            whole += rf"|[0-9]{{1,3}}(?P<mark>[{self.group}])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
        return re.compile(rf"(?P<whole>{whole})(?:{re.escape(self.point)}(?P<decimals>[0-9]+))?")


_STYLES: Mapping[str, _Style] = {
    "vi": _Style(".", ",", "1.234.567,5"),
    "en": _Style(",", ".", "1,234,567.5"),
    "plain": _Style("", ".", "1234567.5"),
    "space": _Style(" \u00a0\u202f", ",", "1 234 567,5"),
}
_PATTERNS = {name: style.pattern() for name, style in _STYLES.items()}

_UNIT = re.compile(r"\s*(?:đồng|dong|vnđ|vnd|đ|₫)\Z", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"[0-9][.,]?[0-9]*e[+-]?[0-9]+", re.IGNORECASE)
_LONGEST = 40  # characters of a figure without its unit; more is no figure of ours
_SHOWN = 40  # characters of a wrong value that a sentence repeats

_TAIL = r"(?:[0-9]{0,2}(?:\.[0-9]{3})+|[0-9]*)"
#: Digits between two marks of thousands.
_GROUP = 3

_AMOUNT = re.compile(
    rf"""(
    [-0-9] (?<!\w.) (?<!\d[.,:].)                       # begins here; the search skips to it
    (?: (?:(?<=-)[0-9]{{1,2}}|(?<=[0-9])[0-9]?)          # 05/2019, 6/5/2019: kept whole, dropped
        /(?:[0-9]{{1,2}}/)?[0-9]{{4}}(?!\w)
      | (?:(?<=-)(?:[1-9]{_TAIL}|0)|(?<=[1-9]){_TAIL}|(?<=0))
        (?!\w|[.,:][0-9])                               # ends here; a full stop may follow
    ))""",
    re.VERBOSE | re.ASCII,
)


def money(amount: int) -> str:
    """Write đồng with dots for thousands and an ASCII minus: ``-214.541.737``."""
    return f"{amount:,}".replace(",", ".")


def parse_number(text: str, locale: Locale) -> Decimal:
    """Return the figure that ``text`` writes in ``locale``, exactly.

    Around it may stand spaces, a minus (- or U+2212) or brackets for a negative, and đồng in its
    usual spellings. ``space`` takes plain, no-break and narrow no-break spaces.

    Raises:
        NumberError: anything else; the sentence names the value, the locale and an example.
    """
    bare, negative = _without_sign(_UNIT.sub("", text.strip()))
    match = _PATTERNS[locale].fullmatch(bare)
    if match is None or len(bare) > _LONGEST:
        raise _not_a_number(text, locale)
    decimals = match["decimals"]
    whole = re.sub("[^0-9]", "", match["whole"])
    number = Decimal(f"{whole}.{decimals}" if decimals else whole)
    return number.copy_negate() if negative and number else number


def parse_money(text: str, locale: Locale) -> int:
    """Return the whole đồng that ``text`` writes in ``locale``.

    Raises:
        NumberError: as ``parse_number``; or there are decimals other than zero; or there are three
            of them, which may as well be thousands of another locale (500.000 is not 500).
    """
    digits = text[1:] if text[:1] == "-" else text
    if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST:
        return int(text)
    number = parse_number(text, locale)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent <= -_GROUP:
        raise NumberError(
            f"{_shown(text)} has {-exponent} decimals as numbers: {locale} reads it; if the mark"
            " parts thousands, declare how this source writes numbers (vi, en, space)."
        )
    if number != number.to_integral_value():
        raise NumberError(f"{_shown(text)} is not a whole number.")
    return int(number)


def amounts_in(text: str) -> list[int]:
    """Return every whole number of a rendered text, in order, with its sign.

    A number is plain digits or groups of three with dots, and stands alone: it touches no letter,
    no further digit, no decimals. Months and days (05/2019, 06/05/2019), times (07:30), codes with
    a leading zero (01909) and codes with letters (C12-TS, 01E51) are no numbers.
    """
    return [int(found.replace(".", "")) for found in _AMOUNT.findall(text) if "/" not in found]


def _without_sign(bare: str) -> tuple[str, bool]:
    """Return the figure without its minus or brackets, and whether it had any."""
    if bare.startswith("(") and bare.endswith(")"):
        return _UNIT.sub("", bare[1:-1].strip()), True
    if bare.startswith(("-", "\u2212")):
        return bare[1:].lstrip(), True
    return bare, False


def _not_a_number(text: str, locale: Locale) -> NumberError:
    if _SCIENTIFIC.fullmatch(text.strip().lstrip("-\u2212+")):
        return NumberError(
            f"{_shown(text)} is scientific notation, so the spreadsheet has lost digits; "
            "format the column as text or whole numbers and export it again."
        )
    return NumberError(
        f"{_shown(text)} is not a number in locale {locale}; expected e.g. "
        f"{_STYLES[locale].example}."
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
