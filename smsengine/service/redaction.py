"""What must not be written into a log is taken out of it, under whatever key it comes. Pure.

Numbers of phones are masked wherever they stand and however they are written, and so are e-mail
addresses. Texts of messages are dropped three times over: strings pass under known keys only, a
string that reads like a notice is replaced by its length, and so is what a library quotes of a
request.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from traceback import extract_tb
from typing import Any

from smsengine.mailbox import mask_addresses
from smsengine.phone import mask

_KNOWN = """
    actor alarm at because channel config database did duty error event exception file form gateway
    grade holder host installation job jobs key kind label leader level logger module next next_at
    outcome path period pid port reason reasons revision run said seconds signal since source state
    status template term thread told topic url until version web what where who worker
"""
#: Keys under which a string may stand. A new one is added here on purpose.
KNOWN_KEYS = frozenset(_KNOWN.split())
LONGEST = 1000
_MOST_CAUSES = 5
_MOST_FRAMES = 12
_DEEPEST = 6

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0f\ufeff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: The query of a URL, and a form.
_QUERY = re.compile(r"\?[^\s\"'<>]*=[^\s\"'<>]*")
_FORM = re.compile(r"\b[\w.-]+=[^\s\"'<>&]*(?:&[\w.-]+=[^\s\"'<>&]*)+")
#: What stands behind a name for a text, as in JSON or in Python.
_NAMED = re.compile(
    r"(?i)([\"']?\b(?:text|content|body|sms|message|msg|words|noi_?dung)\b[\"']?\s*[=:]\s*)"
    r"(\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?)"
)
_BETWEEN = r"[ .()_\u00a0\u2010-\u2015\u2212-]{0,3}"
#: Nine digits or more with what people put between them; a longer number is no phone.
_DIGITS = re.compile(rf"(?<![0-9])(?:%2[Bb]|[+(]){{0,3}}[0-9](?:{_BETWEEN}[0-9]){{8,16}}(?![0-9])")
#: A group of them with what belongs to it.
_GROUP = re.compile(r"(?:%2[Bb]|[+(])*(?P<digits>[0-9]+)")
_LONGEST_NUMBER = 15
_MONEY = re.compile(r"-?[0-9]{1,3}(?:[.,][0-9]{3})+")
_AMOUNT = re.compile(r"(?<![0-9])[0-9]{1,3}(?:\.[0-9]{3})+(?![0-9])")
_CURRENCY = re.compile(r"\s*(?:dong|đồng|đ|₫|vnd)\b", re.IGNORECASE)
_HEX_BEFORE, _HEX_AFTER = re.compile("[0-9]*[A-Fa-f][0-9A-Fa-f]*$"), re.compile("[0-9A-Fa-f]*[a-f]")

_VIETNAMESE = """
    kinh gui cong ty tien dong thang luot nghi toan thanh quy phai chuyen sang tong ngay bhxh bhyt
    bhtn nguoi khach hang chuc mung tran duoc phong cham nop ho ten vi tinh xac nhan giao dich vien
    benh kham chua hoa lien he tiet chi cua cac nhung trong va voi qua khong
"""
#: Words of notices that English sentences do not have.
_OF_NOTICES = frozenset(_VIETNAMESE.split())
#: So many of them are a sentence where it holds an amount; the title of a job holds none.
_NOTICE_WORDS = 5
_MANY_NOTICE_WORDS = 9
_WORD = re.compile("[a-z]+")


def clean(said: str) -> str:
    """One line without numbers of phones and without texts, no longer than ``LONGEST``."""
    plain = said if said.isascii() else unicodedata.normalize("NFKC", _INVISIBLE.sub("", said))
    plain = _CONTROL.sub(" ", plain)
    if reads_like_a_notice(plain):
        return f"<text, {len(said)} characters>"
    plain = _FORM.sub("***", _QUERY.sub("?***", plain))
    plain = _NAMED.sub(lambda found: f"{found[1]}<text, {len(found[2])} characters>", plain)
    plain = _DIGITS.sub(_masked, mask_addresses(plain.replace("%20", " ")))
    return plain if len(plain) <= LONGEST else plain[:LONGEST] + "…"


def reads_like_a_notice(said: str) -> bool:
    """Say whether a string holds Vietnamese sentences, with or without their marks."""
    folded = unicodedata.normalize("NFD", said.lower().replace("đ", "d"))
    words = _WORD.findall(re.sub("[\u0300-\u036f]", "", folded))
    found = len(_OF_NOTICES & set(words))
    enough = _NOTICE_WORDS if _AMOUNT.search(said) else _MANY_NOTICE_WORDS
    return found >= enough


def _masked(found: re.Match[str]) -> str:
    """A number of a phone as ``091***5678``; money and hashes stay."""
    whole, text = found[0], found.string
    if _MONEY.fullmatch(whole):
        is_phone = _national(re.sub("[^0-9]", "", whole))
        if not is_phone or _CURRENCY.match(text, found.end()):
            return whole
    if _is_in_hash(text, found.start(), found.end()):
        return whole
    return _with_masks(whole)


def _with_masks(run: str) -> str:
    """A run of groups of digits; what stands in front of a number need not belong to it."""
    groups = list(_GROUP.finditer(run))
    said, at, first = "", 0, 0
    while first < len(groups):
        last = _end_of_number(groups, first)
        if last is not None:
            digits = "".join(each["digits"] for each in groups[first : last + 1])
            said += run[at : groups[first].start()] + mask(_national(digits))
            at, first = groups[last].end(), last
        first += 1
    return said + run[at:]


def _end_of_number(groups: Sequence[re.Match[str]], first: int) -> int | None:
    """The last group of the longest number that begins with a group; None when none does."""
    for last in range(len(groups) - 1, first - 1, -1):
        if _national("".join(each["digits"] for each in groups[first : last + 1])):
            return last
    return None


def _is_in_hash(text: str, start: int, end: int) -> bool:
    """Say whether digits are a piece of a longer hexadecimal word."""
    before = _HEX_BEFORE.search(text[max(0, start - 40) : start])
    after = _HEX_AFTER.match(text[end : end + 40])
    around = len(before[0] if before else "") + len(after[0] if after else "")
    return text[start:end].isdigit() and around >= 8


def _national(digits: str) -> str:
    """Digits as they are dialled inside the country; empty when they are no phone's or person's."""
    digits = digits[2:] if digits.startswith("0084") else digits
    if digits.startswith("84") and len(digits) in (11, 12, 13):
        digits = "0" + digits[2:].removeprefix("0")
    if digits.startswith("0"):
        return digits if 9 <= len(digits) <= _LONGEST_NUMBER else ""
    return "0" + digits if len(digits) == 9 and digits[0] in "235789" else ""


def redact(value: Any, key: str = "event", depth: int = 0) -> Any:
    """A value as it may be written under a key; of no plain kind, only what kind it is."""
    said: Any
    if isinstance(value, Enum):
        value = value.value
    match value:
        case None | bool() | float():
            said = value
        case int():
            private = key not in KNOWN_KEYS and _national(str(abs(value)))
            said = mask(private) if private else value
        case str():
            said = clean(value) if key in KNOWN_KEYS else f"<{len(value)} characters>"
        case date():
            said = value.isoformat()
        case timedelta():
            said = value.total_seconds()
        case PurePath():
            said = clean(str(value))
        case BaseException():
            said = of_exception(value)
        case _:
            said = _redact_many(value, key, depth + 1)
    return said


def _redact_many(value: Any, key: str, depth: int) -> Any:
    """A mapping's strings are judged by its own keys."""
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {clean(str(name)): redact(each, str(name), depth) for name, each in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [redact(each, key, depth) for each in value]
    return f"<{type(value).__name__}>"


def of_exception(error: BaseException) -> str:
    """What went wrong and where, one cause under the other; only the first line of each is said.

    The next lines of a database's error may quote a row with its text and phone.
    """
    return "\n".join(line for each in _chain(error) for line in _described(each))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _count in range(_MOST_CAUSES):
        if error is None:
            return
        yield error
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)


def _described(error: BaseException) -> Iterator[str]:
    said = clean(str(error).strip().partition("\n")[0])
    yield f"{type(error).__name__}: {said}".rstrip(": ")
    for frame in extract_tb(error.__traceback__)[-_MOST_FRAMES:]:
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"
