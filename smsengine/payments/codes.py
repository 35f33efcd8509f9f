"""Confirmation codes: our own, and the fund's where it gives one. Pure.

Ours are 15 of 23 characters: no vowels but A and E, nothing that looks like another (0 O Q, 1 I L,
2 Z, 5 S, 8 B, U V). Thirteen are random, 58 bits; the last two make two weighted sums of all of
them zero modulo 23. As 23 is a prime and no two places have the same weight, every single wrong
character is noticed, every swap of any two, and every two that are wrong at once. They are written
in groups of five: ``ACDEF-GHJKM-NPRTW``.

The fund's are ``POS`` and ten digits in the only sample that is known; looser forms are taken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

ALPHABET = "34679ACDEFGHJKMNPRTVWXY"
_P = len(ALPHABET)
_VALUE = {char: value for value, char in enumerate(ALPHABET)}
_RANDOM, _LENGTH, _GROUP = 13, 15, 5
#: A fund's code as it must look, and as it is expected to look.
_LOOSE = re.compile(r"[A-Z0-9]{8,20}", re.ASCII)
_USUAL = re.compile(r"[A-Z]{3}[0-9]{10}", re.ASCII)
_BETWEEN = re.compile(r"[\s.\-‐-―]+")


def make(choose: Callable[[int], int]) -> str:
    """A new code, as it is stored: without marks between its groups.

    Args:
        choose: gives a number from 0 to below its argument that nobody can guess, such as
            ``secrets.randbelow``.
    """
    values = [choose(_P) for _ in range(_RANDOM)]
    return "".join(ALPHABET[value] for value in (*values, *_checks(values)))


def _checks(values: list[int]) -> tuple[int, int]:
    """The two last values: with weights w of the places 1..15, sum(v) and sum(v * w) are zero.

    With a + b = -s and 14 a + 15 b = -t follows b = 14 s - t, a = -s - b.
    """
    plain = sum(values)
    weighted = sum(value * place for place, value in enumerate(values, 1))
    last = (_LENGTH - 1) * plain - weighted
    return (-plain - last) % _P, last % _P


def is_ours(code: str) -> bool:
    """Say whether a stored form is a code that ``make`` could have made."""
    if len(code) != _LENGTH or not all(char in _VALUE for char in code):
        return False
    values = [_VALUE[char] for char in code]
    weighted = sum(value * place for place, value in enumerate(values, 1))
    return sum(values) % _P == 0 and weighted % _P == 0


def stored(text: str) -> str:
    """What somebody typed as it is stored: capitals, without blanks, dots and dashes."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()


def is_possible(code: str) -> bool:
    """Say whether a stored form may be a code at all: one of ours, or one of the fund's."""
    return _LOOSE.fullmatch(code) is not None


def is_usual(code: str) -> bool:
    """Say whether a stored form looks like the fund's only known sample, ``POS0000000002``."""
    return _USUAL.fullmatch(code) is not None


def shown(code: str) -> str:
    """A stored code as people read it; one of the fund's stays as it is."""
    if not is_ours(code):
        return code
    return "-".join(code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))
