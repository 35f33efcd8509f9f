"""What the words of an office's template may not hold: links and numbers of others, no sender.

A text that names a strange web site or number looks like fraud, and people who get used to such
texts from an office fall for those that are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from unidecode import unidecode

from smsengine.governance.findings import Rule, Saying

#: Jinja's parts become blanks of the same length and lines, so that lines can be told.
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s]+"
    r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\s?(?:\.|\[\.\]|\(\.\))\s?(?:com|vn|net|org|xyz|top|info)\b"
    r"(?:/[^\s]*)?"
    r"|\b[a-z0-9-]+(?:\.|\s+\.\s+|\s?\[\.\]\s?|\s?\(\.\)\s?)"
    r"(?:ly|me|io|gl|cc|co|link|site|online|shop|app|gov|edu|asia|biz)\b(?:/[^\s]*)?"
    r"|\b[a-z0-9-]{3,}\.[a-z]{2,}\b(?:/[^\s]*)?"
)
_PHONE = re.compile(r"(?<![\d.])(?:\+?84|0|1[89]00)(?:[\s.()-]?\d){4,10}(?!\d)")


class Said(NamedTuple):
    """Something that a template says and may not: its rule, line, what it is, how to mend it."""

    rule: Rule
    line: int
    what: Saying
    mend: Saying


def _words(source: str) -> str:
    """What stands in a template besides Jinja: without accents, in small letters, line by line."""
    plain = _JINJA.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    return "\n".join(unidecode(line).lower() for line in plain.split("\n"))


def _allowed(allowed: Sequence[str]) -> Saying:
    """How to mend what names something that is not allowed."""
    listed = ", ".join(allowed) or "-"
    return Saying(
        vi=f"Bỏ đi, hoặc đề nghị Trung tâm cho phép (đang cho phép: {listed}).",
        en=f"Take it out, or ask the Centre to allow it (allowed: {listed}).",
    )


def links(source: str, allowed: Sequence[str]) -> Iterator[Said]:
    """Web sites that are not among the allowed ones, nor below one of them."""
    words = _words(source)
    for found in _LINK.finditer(words):
        name = re.sub(r"\s|\[|\]|\(|\)", "", found[0])
        host = re.sub(r"^https?://", "", name).split("/")[0].split(":")[0].removeprefix("www.")
        if not any(host == each or host.endswith(f".{each}") for each in map(str.lower, allowed)):
            yield Said(
                "link",
                words.count("\n", 0, found.start()) + 1,
                Saying(vi=f"Có địa chỉ web {name!r}.", en=f"Names the web site {name!r}."),
                _allowed(allowed),
            )


def phones(source: str, allowed: Sequence[str]) -> Iterator[Said]:
    """Phone numbers that are not among the allowed ones."""
    words = _words(source)
    known = {_digits(each) for each in allowed}
    for found in _PHONE.finditer(words):
        if _digits(found[0]) not in known:
            yield Said(
                "phone",
                words.count("\n", 0, found.start()) + 1,
                Saying(
                    vi=f"Có số điện thoại {found[0]!r}.", en=f"Names the phone number {found[0]!r}."
                ),
                _allowed(allowed),
            )


def _digits(number: str) -> str:
    digits = re.sub(r"\D", "", number)
    return f"0{digits[2:]}" if digits.startswith("84") else digits


def sender(source: str, words: Sequence[str]) -> Iterator[Said]:
    """None of the words that say who writes."""
    said = _words(source)
    if not any(unidecode(word).lower() in said for word in words):
        listed = ", ".join(words)
        yield Said(
            "sender",
            1,
            Saying(vi="Không cho biết ai gửi.", en="Does not say who writes."),
            Saying(vi=f"Viết một trong các từ: {listed}.", en=f"Write one of: {listed}."),
        )
