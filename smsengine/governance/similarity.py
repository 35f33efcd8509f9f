"""How much two notices say the same, whatever their figures and however they are spelled.

Letter 1 of the Centre: provinces do not send messages that repeat what the Centre sends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import fuzz
from unidecode import unidecode

#: Jinja's comments and statements say nothing; what it prints is some value.
_SILENT = re.compile(r"\{#.*?#\}|\{%.*?%\}", re.DOTALL)
_VALUE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_WORD = re.compile(r"[a-z]+")
#: What stands in every notice tells nothing about what it is about.
_COMMON = frozenset(
    [
        "kinh",
        "gui",
        "tran",
        "trong",
        "bhxh",
        "thong",
        "bao",
        "chi",
        "tiet",
        "lien",
        "he",
        "quy",
        "don",
        "vi",
        "ong",
        "ba",
        "la",
        "cua",
        "va",
        "duoc",
        "da",
        "cho",
        "thang",
        "ngay",
        "nam",
        "vui",
        "long",
        "de",
        "nghi",
        "tai",
        "xin",
    ]
)


@lru_cache(maxsize=4096)
def words_of(source: str) -> tuple[str, ...]:
    """The words of a template or text: folded, without values, figures and what all notices say."""
    said = _VALUE.sub(" ", _SILENT.sub(" ", source))
    found = _WORD.findall(unidecode(said).lower())
    return tuple(word for word in found if word not in _COMMON)


def _in_common(one: Sequence[str], other: Sequence[str], length: int) -> float:
    """The share of the shorter one's runs of so many words that stand in the longer one, too."""
    mine, theirs = _runs(one, length), _runs(other, length)
    fewer = min(mine.total(), theirs.total())
    return (mine & theirs).total() / fewer if fewer else 0.0


def _runs(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[at:] for at in range(length)), strict=False))


def likeness(one: str, other: str) -> float:
    """How alike two templates are: 0, nothing in common, to 1, one says all that the other says.

    The mean of three: the words in common, the pairs of words in common, and how alike the words
    are letter by letter whatever their order. A notice that says a part of another is very like it.
    """
    mine, theirs = words_of(one), words_of(other)
    if not mine or not theirs:
        return 0.0
    letters = fuzz.token_set_ratio(" ".join(mine), " ".join(theirs)) / 100
    pairs = _in_common(mine, theirs, min(2, len(mine), len(theirs)))
    return (_in_common(mine, theirs, 1) + pairs + letters) / 3
