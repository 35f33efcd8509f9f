"""Registered templates: ``{P2,50}`` stands for a parameter of 1 to 50 characters.

The grammar is that of eSMS's list of templates (``GetTemplate``). A text is one of a template when
parameters can be found that give exactly this text again. Finding them never takes longer than the
length of the text times that of the template, whatever stands in either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

_PLACE = re.compile(r"\{P([1-9][0-9]{0,2}),([1-9][0-9]{0,3})\}")
_LONGEST_QUOTE = 40


class RegisteredText:
    """One template, as it is registered."""

    def __init__(self, text: str) -> None:
        """Read a template.

        Raises:
            ValueError: a sentence with what is no placeholder, or stands out of order.
        """
        pieces = _PLACE.split(text)
        self.text = text
        #: the words before, between and after the places; one more than there are places
        self.words = tuple(pieces[::3])
        #: the numbers of the places, rising
        self.numbers = tuple(map(int, pieces[1::3]))
        #: how many characters each place takes at most
        self.longest = tuple(map(int, pieces[2::3]))
        if fault := _fault(self):
            raise ValueError(fault)
        self._begin, self._end = self.words[0], self.words[-1]
        # For every place but the last: the words behind it, their length, and how far they may end.
        self._inner = [
            (words, len(words), longest + len(words))
            for words, longest in zip(self.words[1:-1], self.longest[:-1], strict=True)
        ]

    def fill(self, params: Sequence[str]) -> str:
        """The text that these parameters give."""
        filled = [word + param for word, param in zip(self.words, params, strict=False)]
        return "".join([*filled, self._end])

    def read(self, text: str) -> tuple[str, ...] | None:
        """Parameters that give this text, in the order of their places; None where none do.

        The usual text is read by looking for one piece of words after the other; only where that
        leads nowhere, all ways are followed at once.
        """
        if not self.numbers:
            return () if text == self.text else None
        if not text.startswith(self._begin) or not text.endswith(self._end):
            return None
        at, end, find = len(self._begin), len(text) - len(self._end), text.find
        params = []
        for words, length, reach in self._inner:
            found = find(words, at + 1, at + reach)
            if found < 0:
                return self._search(text)
            params.append(text[at:found])
            at = found + length
        if not 0 < end - at <= self.longest[-1]:
            return self._search(text)
        params.append(text[at:end])
        return tuple(params)

    def _starts(self, text: str) -> Iterator[int]:
        """Where each place may begin, and at last where the text may end.

        Positions are bits of a number, so that all ways are followed at once.
        """
        reached = int(text.startswith(self._begin)) << len(self._begin)
        yield reached
        for number, longest in enumerate(self.longest):
            reached = _spread(reached, longest) & self._ends(text, number)
            reached <<= len(self.words[number + 1])
            yield reached

    def _ends(self, text: str, number: int) -> int:
        """Where a place may end: in front of its words, and the last one's end the text."""
        words = self.words[number + 1]
        if number < len(self.numbers) - 1:
            return _occurrences(text, words)
        return 1 << len(text) - len(words) if text.endswith(words) else 0

    def _search(self, text: str) -> tuple[str, ...] | None:
        """As ``read``: forward to all that can be reached, and one way back."""
        starts = list(self._starts(text))
        if not starts[-1] >> len(text) & 1:
            return None
        params, at = [], len(text)
        for number in reversed(range(len(self.longest))):
            end = at - len(self.words[number + 1])
            low = max(0, end - self.longest[number])
            at = low + (starts[number] >> low & (1 << end - low) - 1).bit_length() - 1
            params.append(text[at:end])
        return tuple(reversed(params))

    def departure(self, text: str) -> str:
        """Where a text that is none of this template departs from it, in a few words."""
        if not text.startswith(self._begin):
            return f"it does not begin with {_quoted(self._begin)}"
        if not self.numbers:
            return f"it goes on after {_quoted(self._begin)}"
        starts = list(self._starts(text))
        for number, reached in enumerate(starts[1:]):
            if not reached:
                low = (starts[number] & -starts[number]).bit_length() - 1
                return self._missed(text, number, low)
        return "it goes on after its end"

    def _missed(self, text: str, number: int, low: int) -> str:
        """Why a place that begins at ``low`` leads nowhere."""
        words, name = self.words[number + 1], f"P{self.numbers[number]}"
        there = self._ends(text, number)
        if not there and number == len(self.numbers) - 1:
            return f"it does not end with {_quoted(words)}"
        if there >> low + 1:
            return f"{name} would have more than {self.longest[number]} characters"
        if there >> low:
            return f"{name} would be empty"
        return f"{_quoted(words)} does not follow {name}"


def _fault(read: RegisteredText) -> str:
    """What is wrong with a template; empty for nothing."""
    for words in read.words:
        if "{" in words or "}" in words:
            return (
                f"has a brace in {_quoted(words)} that is no placeholder; a parameter is written"
                " {P1,20}: its number, and the most characters it may have."
            )
    for before, after in pairwise(read.numbers):
        if after <= before:
            return f"has P{after} after P{before}; placeholders are numbered in rising order."
    if read.text != read.text.strip():
        return "begins or ends with a space; no text does."
    return "" if read.text else "is empty; write the registered text."


def _spread(positions: int, longest: int) -> int:
    """All positions that are 1 to ``longest`` characters behind one of these."""
    spread, wide = positions << 1, 1
    while wide < longest:
        step = min(wide, longest - wide)
        spread |= spread << step
        wide += step
    return spread


def _occurrences(text: str, words: str) -> int:
    """Every position at which these words stand."""
    found, at = 0, text.find(words)
    while at >= 0:
        found |= 1 << at
        at = text.find(words, at + 1)
    return found


def _quoted(words: str) -> str:
    return repr(words if len(words) <= _LONGEST_QUOTE else words[:_LONGEST_QUOTE] + "...")
