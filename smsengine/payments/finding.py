"""Confirmation codes in free texts, such as those of bank transfers. Pure.

Banks break texts where a line is full, and people put blanks and dashes into codes. So a code is
looked for in what remains without them. Ours are known by their check characters, and begin and end
where a word does; those of the fund by ``POS`` and ten digits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from smsengine.payments import codes

#: What may stand within a code, and parts words as well.
_BETWEEN = r"[\s.\-‐-―]*"
_OURS = re.compile(
    rf"(?<![0-9A-Z])[{codes.ALPHABET}](?:{_BETWEEN}[{codes.ALPHABET}]){{14}}(?![0-9A-Z])"
)
_FUNDS = re.compile(rf"P{_BETWEEN}O{_BETWEEN}S(?:{_BETWEEN}[0-9]){{10}}(?![0-9])")
#: So many are told apart; a text that names more is about no single payment.
MOST = 64


def codes_in(text: str) -> tuple[str, ...]:
    """The codes that a text names, as they are stored, each once, in their order."""
    plain = unicodedata.normalize("NFKC", text).upper()
    found = sorted([*_funds(plain), *_ours(plain)])
    return tuple(dict.fromkeys(code for _, code in found))[:MOST]


def _funds(text: str) -> Iterator[tuple[int, str]]:
    for match in _FUNDS.finditer(text):
        yield match.start(), codes.stored(match[0])


def _ours(text: str) -> Iterator[tuple[int, str]]:
    """Each place where fifteen letters may be a code; words before it may look like its begin."""
    start = 0
    while match := _OURS.search(text, start):
        code = codes.stored(match[0])
        if codes.is_ours(code):
            yield match.start(), code
            start = match.end()
        else:
            start = match.start() + 1
