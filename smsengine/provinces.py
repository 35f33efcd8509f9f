"""Codes of provinces and their offices, before and after the merger of 2025.

From Decision 19/2025/QĐ-TTg: since 1 July 2025 there are 34 provinces instead of 63. Each new code
is that of one of the provinces that went into the new one; seven provinces kept their name and
changed their code (Lào Cai 10 is 15 now), so that a name alone says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import NamedTuple

#: The first day of the 34 provinces.
MERGED_ON = date(2025, 7, 1)

#: A province's code, or an office's: 0, the province, and what the province numbers by itself.
_OFFICE = re.compile(r"(\d{2})|0(\d{2})(?:\d{2,4})?", re.ASCII)


class Province(NamedTuple):
    """A province of before, and what became of it."""

    code: str
    name: str
    new_code: str
    new_name: str


@cache
def provinces() -> Mapping[str, Province]:
    """The 63 provinces of before, by their codes."""
    text = (files("smsengine") / "data" / "provinces.tsv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines()[1:]]
    return {line[0]: Province(*line) for line in lines}


def is_in_force(code: str, day: date) -> bool:
    """Say whether there is a province of this code on that day."""
    known = provinces()
    if day < MERGED_ON:
        return code in known
    return code in {each.new_code for each in known.values()}


def covered(code: str, day: date) -> frozenset[str]:
    """The codes that a row may bear which belongs to the province of this code on that day.

    After the merger extracts go on to hold the codes of before.
    """
    if day < MERGED_ON:
        return frozenset({code} & provinces().keys())
    return frozenset(each.code for each in provinces().values() if each.new_code == code)


def province_of(office: str) -> str | None:
    """The province's code in that of an office; None where it is none.

    Args:
        office: ``01``, ``001`` (a province's office) or ``00101`` (one below it).
    """
    match = _OFFICE.fullmatch(office)
    return match[1] or match[2] if match else None
