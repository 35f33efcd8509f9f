"""Vietnamese texts from before Unicode: TCVN3 (ABC fonts), VNI, VPS, VISCII and cp1258.

The authority for the first four is ``vn_charsets.tsv``: the bytes of all 134 letters. Nothing is
guessed: a byte that the table does not list refuses the text. Text printed with a TCVN3 capitals
font (.VnTimeH) holds lower-case bytes; its case cannot be recovered and no attempt is made.

VPS and VISCII put capitals on control bytes (0x02 to 0x1E). So nothing here, and nobody who
reads such a file, may strip control characters or use ``str.splitlines`` before decoding.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import TextIOWrapper
from typing import BinaryIO

from smsengine.errors import TextError
from smsengine.lifecycle import SkipReason
from smsengine.text.syllable import is_syllable

#: The charsets of the table, in the order in which they are tried.
TABLE_CHARSETS = ("tcvn3", "vni", "vps", "viscii")
#: Every name that ``text_lines`` takes, as ``encoding:`` declares it.
ENCODINGS = ("utf-8", "utf-16", "cp1252", "cp1258", *TABLE_CHARSETS)

_LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class _Charset:
    """One legacy charset; bytes stand as the Latin-1 characters of the same number."""

    letters: Mapping[str, str]  #: sequence of one or two bytes -> letter
    pattern: re.Pattern[str]  #: finds the longest sequence, or one byte of 0x80 and above


def _load_charsets() -> dict[str, _Charset]:
    table = files(__package__).joinpath("vn_charsets.tsv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines(), delimiter="\t"))
    return {name: _charset(rows, f"{name}_hex") for name in TABLE_CHARSETS}


def _charset(rows: list[dict[str, str]], column: str) -> _Charset:
    letters = {bytes.fromhex(row[column]).decode("latin-1"): row["char"] for row in rows}
    bases = sorted({key[0] for key in letters if len(key) == 2})
    pairs = [
        re.escape(base) + _one_of(key[1] for key in letters if len(key) == 2 and key[0] == base)
        for base in bases
    ]
    high = (chr(code) for code in range(0x80, 0x100))
    singles = _one_of({*high, *(key for key in letters if len(key) == 1)})
    return _Charset(letters, re.compile("|".join([*pairs, singles])))


def _one_of(chars: Iterable[str]) -> str:
    return "[" + "".join(re.escape(char) for char in sorted(chars)) + "]"


_CHARSETS = _load_charsets()


def decode(data: bytes, charset: str) -> str:
    """Return the text that ``data`` is in ``charset`` (one of the table's, or cp1258), as NFC.

    Raises:
        TextError: a byte is not in the charset; the sentence names it and its offset from 0.
    """
    try:
        if charset in _CHARSETS:
            return _from_latin1(data.decode("latin-1"), charset)
        return unicodedata.normalize("NFC", data.decode(charset))
    except UnicodeDecodeError as error:
        raise TextError(
            f"byte 0x{error.object[error.start]:02X} at offset {error.start} "
            f"is not in {charset}; check the declared encoding.",
            reason=SkipReason.LEGACY_CHARSET,
        ) from error


def redecode(text: str, charset: str) -> str:
    """Return what ``text`` says if it is ``charset`` bytes that were read as Latin-1 or cp1252.

    Spreadsheet cells in fonts such as .VnTime are like this. ``charset`` may also be ``utf-8``
    for texts encoded twice.

    Raises:
        TextError: a character cannot come from such a byte, or the byte is not in the charset.
    """
    return decode(_as_bytes(text), charset)


def _from_latin1(text: str, charset: str) -> str:
    """Decode bytes that stand as Latin-1 characters; raise UnicodeDecodeError as a codec does."""
    table = _CHARSETS[charset]

    def letter(match: re.Match[str]) -> str:
        try:
            return table.letters[match[0]]
        except KeyError:
            raise UnicodeDecodeError(
                charset, text.encode("latin-1"), match.start(), match.end(), "not in the table"
            ) from None

    return table.pattern.sub(letter, text)


def _bytes_by_char() -> dict[str, int]:
    """Return the byte that each character was read from: by cp1252, or by Latin-1 without it."""
    latin1 = {chr(code): code for code in range(0x100)}
    windows = {bytes([code]).decode("cp1252", errors="ignore"): code for code in range(0x80, 0xA0)}
    return {char: code for char, code in (latin1 | windows).items() if char}


_BYTES = _bytes_by_char()


def _as_bytes(text: str) -> bytes:
    """Return the bytes that were read as ``text`` by cp1252 or Latin-1."""
    try:
        return bytes(map(_BYTES.__getitem__, text))
    except KeyError as error:
        raise TextError(
            f"U+{ord(error.args[0]):04X} is not a byte read as Latin-1; the text mixes encodings.",
            reason=SkipReason.LEGACY_CHARSET,
        ) from None


# --- whole files ----------------------------------------------------------------------------


def text_lines(stream: BinaryIO, encoding: str) -> Iterator[str]:
    r"""Yield the lines of ``stream``, their ends kept, without loading the whole.

    Lines end at \n, \r\n or a lone \r and nowhere else. A byte order mark is dropped. ``stream``
    stays open. ``encoding`` is one of ``ENCODINGS`` or a codec of Python.

    Raises:
        TextError: a byte is not in the encoding; the sentence names the line, from 1.
    """
    wrapper = TextIOWrapper(stream, _codec(encoding), newline="")
    number = 0
    try:
        for number, line in enumerate(_decoded(wrapper, encoding), start=1):  # noqa: B007
            yield line
    except UnicodeDecodeError as error:
        number += _lines_to(error)
        raise TextError(
            f"line {number}: byte 0x{error.object[error.start]:02X} is not {encoding}; "
            "declare the encoding of this file with encoding:.",
            reason=SkipReason.LEGACY_CHARSET,
        ) from error
    finally:
        if not stream.closed:
            wrapper.detach()


def _lines_to(error: UnicodeDecodeError) -> int:
    """Return how many lines after the last whole one the bad byte stands, from 1."""
    if error.encoding in _CHARSETS:
        return 1
    before = error.object[: error.start].decode(error.encoding, errors="replace")
    return 1 + len(_LINE_END.findall(before))


def _codec(encoding: str) -> str:
    if encoding in _CHARSETS:
        return "latin-1"
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _decoded(wrapper: TextIOWrapper, encoding: str) -> Iterator[str]:
    if encoding in _CHARSETS:
        return (_from_latin1(line, encoding) for line in wrapper)
    if encoding == "cp1258":
        return (unicodedata.normalize("NFC", line) for line in wrapper)
    return iter(wrapper)


_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_BYTE_WORD = re.compile("[A-Za-z\x02-\x06\x10-\x15\x19\x1c-\x1e\x80-\xff]+")


def detect(sample: bytes) -> str:
    """Return the name of the encoding of ``sample``, the first bytes of a file (64 KiB is ample).

    Raises:
        TextError: more than one encoding, or none, makes Vietnamese of it.
    """
    for mark, name in _BOMS.items():
        if sample.startswith(mark):
            return name
    if b"\0" not in sample:
        if _is_utf8(sample):
            return "utf-8"
        charset = _likeliest(sample)
        if charset is not None:
            return charset
    raise TextError(
        "cannot tell the encoding of this file; declare it with encoding: "
        f"({', '.join(ENCODINGS)}).",
        reason=SkipReason.LEGACY_CHARSET,
    )


def _is_utf8(sample: bytes) -> bool:
    """Say whether ``sample`` is UTF-8 whose last character may be cut, and no VPS or VISCII."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError:
        return False
    return not text.isascii() or not any(map(_marked, _BYTE_WORD.findall(text)))


def _marked(word: str) -> bool:
    """Say whether a word of bytes holds anything but ASCII letters."""
    return not (word.isascii() and word.isalpha())


def _likeliest(sample: bytes) -> str | None:
    """Return the charset under which clearly most marked words are Vietnamese syllables."""
    words = sorted(set(filter(_marked, _BYTE_WORD.findall(sample.decode("latin-1")))))
    readings = {name: tuple(_reading(word, name) for word in words) for name in _LEGACY}
    shares = {
        name: sum(word is not None for word in reading) / len(words)
        for name, reading in readings.items()
    }
    best = max(shares, key=lambda name: shares[name])
    rivals = [shares[name] for name in shares if readings[name] != readings[best]]
    clear = shares[best] >= 0.5 and shares[best] - max(rivals, default=0.0) >= 0.15
    return best if clear else None


def _reading(word: str, charset: str) -> str | None:
    """Return the Vietnamese syllable that a word of bytes is in ``charset``, or None."""
    try:
        read = decode(word.encode("latin-1"), charset)
    except TextError:
        return None
    return read if is_syllable(read) else None


_LEGACY = (*TABLE_CHARSETS, "cp1258")

# --- texts that were read with the wrong table ------------------------------------------------

_WORD = re.compile("(?<![0-9])[A-Za-z\x80-\U0010ffff]*[\x80-\U0010ffff][A-Za-z\x80-\U0010ffff]*")
_AFTER = "©®™°²³ºª"  # behind a name or a unit these are signs, not TCVN3 or VISCII letters
_AROUND = "“”‘’„‚‹›–—…•"  # may be quotes and dashes, or VPS letters: both readings are tried
_SEPARATORS = re.compile(r"[\s\u2010-\u2027·×]+")  # what stands between correct words
_NOT_LETTERS_AROUND = re.compile(r"^[\W\d_ªºµ]+|[\W\d_ªº]+$")
_ETH = str.maketrans("Ðð", "Đđ")  # often typed for each other; both fold to the same letter
_SHORT = re.compile("[B-DF-HJ-NP-TV-XZ]*Đ[B-DĐF-HJ-NP-TV-XZ]*")  # abbreviations: CĐ, QĐ, ĐH
_ODD_CAPITAL = re.compile("(?<=.)[À-Þ](?=[a-z])|(?<=[a-z])[À-Þ]")  # nobody types tÕi


def mojibake_charset(text: str) -> str | None:
    """Return the charset that ``text`` is in, if it was wrongly read as Latin-1 or cp1252.

    The sign is a word that is no Vietnamese as it stands and becomes a Vietnamese syllable when
    its bytes are read again. ``utf-8`` means encoded twice. None: nothing speaks against the text.
    """
    votes = dict.fromkeys(("utf-8", *TABLE_CHARSETS), 0)
    for word in _WORD.findall(text):
        for charset in _rereadings(word):
            votes[charset] += 1
    best = max(votes, key=lambda charset: votes[charset])
    return best if votes[best] else None


def _rereadings(word: str) -> set[str]:
    """Return every charset in which a word that is no Vietnamese would be Vietnamese."""
    if len(word) == 1 or not _BYTES.keys() >= set(word) or _is_vietnamese(word):
        return set()
    if _is_utf8_letters(_as_bytes(word)):
        return {"utf-8"}
    word = word.rstrip(_AFTER)
    forms = [_as_bytes(form) for form in (word, word.strip(_AROUND)) if not form.isascii()]
    return {
        name for name in TABLE_CHARSETS if any(_is_cased_syllable(form, name) for form in forms)
    }


def _is_vietnamese(word: str) -> bool:
    """Say whether ``word``, signs at its edges aside, is one or more syllables as it stands."""
    parts = _SEPARATORS.split(_NOT_LETTERS_AROUND.sub("", word).translate(_ETH))
    known = all(is_syllable(part) or _SHORT.fullmatch(part) for part in parts if part)
    return known and not _ODD_CAPITAL.search(word)


def _is_utf8_letters(data: bytes) -> bool:
    try:
        return data.decode("utf-8").isalpha()
    except UnicodeDecodeError:
        return False


def _is_cased_syllable(data: bytes, charset: str) -> bool:
    """Capitals fonts mix cases within TCVN3 words; elsewhere an odd capital means a wrong table."""
    read = _reading(data.decode("latin-1"), charset)
    if read is None:
        return False
    return charset == "tcvn3" or read in {read.lower(), read.upper(), read.capitalize()}
