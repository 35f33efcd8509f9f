"""Turn Vietnamese text into the plain ASCII that every network carries.

The authority for what may be sent is ``is_plain``: 0x20 to 0x7E without the backtick, which GSM
03.38 lacks. Everything else is either turned by a written rule or refused by name; nothing is
guessed and nothing that can be seen is dropped.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from unidecode import unidecode

from smsengine.errors import TextError
from smsengine.lifecycle import SkipReason
from smsengine.text.legacy import mojibake_charset

_MEANINGS = {
    " ": "\t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000",
    "": "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068"
    "\u2069\ufe0e\ufe0f\ufeff",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\u00b7\u2022\u2219\u25cf",
    "'": "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u02bc\u00b4`",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "...": "\u2026",
    "d": "đ\u20ab",
    "D": "Đ\u00d0\u0189",
    "x": "\u00d7",
    "EUR": "\u20ac",
    "(tm)": "\u2122",
    "(c)": "\u00a9",
    "(r)": "\u00ae",
    "No.": "\u2116",
}
_OWN = {char: plain for plain, chars in _MEANINGS.items() for char in chars}
_FULLWIDTH = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F) if code != 0x60}

_CYRILLIC = str.maketrans("АВЕКМНОРСТУХЅІЈԌԚԜаеорсухѕіјһԁԛԝ", "ABEKMHOPCTYXSIJGQWaeopcyxsijhdqw")
_HAS_CYRILLIC = re.compile("[\u0400-\u052f]")
_WORD = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f])+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_MARKS = re.compile(r"(?<=[^\W\d_])[\u0300-\u036f]+")
_SMALL = "[\u00b2\u00b3\u00b9\u2070-\u2089\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]"
_GLUED = re.compile(rf"(?<=\d){_SMALL}|{_SMALL}(?=\d)")
_CHANGES_MEANING = re.compile("[\u00a1\u00ac\u2052\u2800-\u28ff\uffe2]")


class _RefusedError(Exception):
    """One character, or a whole word, has no plain form."""

    def __init__(self, char: str, why: str) -> None:
        super().__init__(why)
        self.char, self.why = char, why


class _Folding(dict[int, str]):
    """What each character becomes, worked out once; ``str.translate`` reads it."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_char(chr(code))
        return folded


def fold(text: str) -> str:
    """Return ``text`` as plain ASCII (see ``is_plain``). Folding it again changes nothing.

    Raises:
        TextError: a character has no plain form, or the text is legacy bytes read with the wrong
            table (reason LEGACY_CHARSET). The sentence names the character and its position.
    """
    if is_plain(text):
        return text
    words = text.split(" ")
    try:
        folded = " ".join([word if word.isascii() else _fold_word(word) for word in words])
        return folded if is_plain(folded) else " ".join([_fold_word(word) for word in words])
    except _RefusedError:
        raise _explained(text) from None


def is_plain(text: str) -> bool:
    """Say whether ``text`` may be sent as it is: 0x20 to 0x7E without the backtick."""
    return text.isascii() and text.isprintable() and "`" not in text


def check_plain(text: str) -> None:
    """Raise TextError, naming the character and its position, unless ``text`` is plain."""
    if is_plain(text):
        return
    place = next(place for place, char in enumerate(text) if not is_plain(char))
    raise TextError(f"{_at(text[place], place)} is not plain ASCII; fold the text first.")


_NAMELESS = {"Cc": "control character", "Cs": "lone surrogate", "Co": "private use character"}


def describe(char: str) -> str:
    """Return what to call one character, e.g. ``'я' (CYRILLIC SMALL LETTER YA, U+044F)``."""
    nameless = _NAMELESS.get(unicodedata.category(char), "unassigned")
    shown = f"'{char}'" if char.isprintable() else "a character without a shape"
    return f"{shown} ({unicodedata.name(char, nameless)}, U+{ord(char):04X})"


def _at(char: str, place: int) -> str:
    return f"{describe(char)} at position {place + 1}"


def _explained(text: str) -> TextError:
    """Return the error for the first refused character, with its position from 1."""
    place = 0
    for word in text.split(" "):
        try:
            _fold_word(word)
        except _RefusedError as refused:
            where = _at(refused.char, place + max(word.find(refused.char), 0))
            return _mojibake(where, text) or TextError(f"{where} {refused.why}.")
        place += len(word) + 1
    raise AssertionError("every word of this text folds")


def _mojibake(where: str, text: str) -> TextError | None:
    charset = mojibake_charset(text)
    if charset is None:
        return None
    return TextError(
        f"{where} belongs to {charset} bytes that were read with the wrong table; "
        f"declare encoding: {charset} for this source.",
        reason=SkipReason.LEGACY_CHARSET,
    )


@lru_cache(maxsize=1 << 15)
def _fold_word(word: str) -> str:
    """Fold what stands between two spaces. Remembered: a language has few words."""
    word = unicodedata.normalize("NFC", word.replace("\r\n", "\n"))
    if mojibake_charset(word) is not None:
        raise _RefusedError(next(char for char in word if not char.isascii()), "is mojibake")
    if _HAS_CYRILLIC.search(word):
        word = _WORD.sub(_latin_look, word)
    word = _MARKS.sub("", word)
    glued = _GLUED.search(word)
    if glued is not None:
        raise _RefusedError(glued[0], "would be read as a digit of the number beside it")
    return word.translate(_FOLDING)


def _latin_look(match: re.Match[str]) -> str:
    """Replace Cyrillic look-alikes in a word that also holds Latin letters."""
    word = match[0]
    if not _LATIN.search(word) or not _HAS_CYRILLIC.search(word):
        return word
    parted = unicodedata.normalize("NFD", word).translate(_CYRILLIC)
    return unicodedata.normalize("NFC", parted)


def _fold_char(char: str) -> str:
    """Return the plain form of one character, or raise _RefusedError."""
    plain = _OWN.get(char, _FULLWIDTH.get(char))
    if plain is None:
        base = unicodedata.normalize("NFD", char)
        plain = base[0] if _is_marked_ascii(base) else _by_unidecode(char)
    if plain is None or not is_plain(plain):
        raise _RefusedError(char, "has no plain form; correct it in the source")
    return plain


def _is_marked_ascii(parts: str) -> bool:
    """Say whether a decomposed character is an ASCII letter with marks."""
    marks = parts[1:]
    return parts[0].isascii() and parts[0].isalpha() and all(map(unicodedata.combining, marks))


def _by_unidecode(char: str) -> str | None:
    """Return Unidecode's answer for a Latin letter, a small number or a sign; None for the rest."""
    category, name = unicodedata.category(char), unicodedata.name(char, "")
    if name.startswith("LATIN ") or re.fullmatch(_SMALL + "|[\u00bc-\u00be\u2150-\u218b]", char):
        return unidecode(char) or None
    if category == "Sk" or category[0] not in "PS" or _CHANGES_MEANING.match(char):
        return None
    answer = unidecode(char)
    spoken = any(map(str.isalnum, answer)) or "?" in answer
    return answer if answer and not spoken else None


_FOLDING = _Folding({code: chr(code) for code in range(0x20, 0x7F) if code != 0x60})
