"""A message's name in an answer and the same name in a receipt: hexadecimal, decimal, with zeros.

A widespread mismatch: the answer says ``33E95179``, the receipt ``0870928761``. Which form a bind
has is a setting, or is learnt from receipts that speak of messages whose answers are remembered.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal, NamedTuple

Form = Literal["same", "resp_hex_dlr_dec", "resp_dec_dlr_hex"]
_FORMS: tuple[Form, ...] = ("same", "resp_hex_dlr_dec", "resp_dec_dlr_hex")
_HEX = re.compile(r"[0-9A-Fa-f]{1,64}")
#: Answers that are remembered until the form is learnt, at least and at most twice as many.
_REMEMBERED = 50_000
#: So many receipts must agree, and none of them may fit two ways.
_ENOUGH = 3


class Spelling(NamedTuple):
    """A receipt's name of a message as the answer may have spelled it, the likeliest first."""

    name: str
    aliases: tuple[str, ...] = ()


def canonical(name: str) -> str:
    """A name as it is kept: a number in capitals and without zeros before it, else as it came."""
    if name.isdigit() and name[0] != "0":
        return name
    if not _HEX.fullmatch(name):
        return name
    return name.upper().lstrip("0") or "0"


def respelled(name: str, form: Form) -> str | None:
    """A receipt's name as the answer spells it; None where it has no such form."""
    if form == "same":
        return canonical(name)
    try:
        if form == "resp_hex_dlr_dec":
            return f"{int(name, 10):X}"
        return str(int(name, 16))
    except ValueError:
        return None


class Ids:
    """Spells the names of one gateway; all of it on the thread of the connections."""

    def __init__(self, form: Literal["auto"] | Form) -> None:
        self._learning = form == "auto"
        self._is_exact = form == "same"
        #: None until it is known
        self.form: Form | None = None if form == "auto" else form
        self._recent: set[str] = set()
        self._older: set[str] = set()
        self._votes: Counter[Form] = Counter()

    def answered(self, name: str) -> str:
        """A name as it is kept in the ledger, by the answer to a message."""
        if self._is_exact:
            return name
        name = canonical(name)
        if self._learning:
            self._remember(name)
        return name

    def _remember(self, name: str) -> None:
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, set()
        self._recent.add(name)

    def receipted(self, name: str) -> Spelling:
        """A name in a receipt as the ledger may have it.

        What the answers that are remembered prove comes first; where they prove nothing, the
        receipt's own spelling does, and the others are its aliases.
        """
        if self._is_exact:
            return Spelling(name)
        if self.form is not None:
            return Spelling(respelled(name, self.form) or canonical(name))
        found = {form: one for form in _FORMS if (one := respelled(name, form))}
        fitting = {form: one for form, one in found.items() if self._knows(one)}
        if len(set(fitting.values())) == 1:
            self._vote(fitting)
            return Spelling(next(iter(fitting.values())))
        names = list(dict.fromkeys(found.values())) or [name]
        return Spelling(names[0], tuple(names[1:]))

    def _knows(self, name: str) -> bool:
        return name in self._recent or name in self._older

    def _vote(self, fitting: dict[Form, str]) -> None:
        if len(fitting) > 1:  # such as 7, which is 7 in either
            return
        (form,) = fitting
        self._votes[form] += 1
        if len(self._votes) > 1:
            self._votes.clear()
        elif self._votes[form] >= _ENOUGH:
            self.form, self._learning = form, False
            self._recent, self._older = set(), set()
