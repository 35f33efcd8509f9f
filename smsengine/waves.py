"""Waves of a run, and the shares of failures at which sending stops. Pure.

A run is released up to a place; a wave ends at a place. ``waves: [50, 5%, 100%]`` of 1,000 messages
ends at the places 50, 50 and 1,000, where a share is of the whole run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from smsengine.lifecycle import MessageState

#: Higher than any place in a run; a run that is released up to it is released whole.
LAST_PLACE = 2**31 - 1

_M = MessageState
#: The states that count towards each limit.
_COUNTED: Mapping[str, tuple[MessageState, ...]] = {
    "refused": (_M.REJECTED,),
    "unknown": (_M.UNKNOWN,),
    "undelivered": (_M.UNDELIVERED,),
}
#: The states of messages that no gateway was given.
_KEPT = frozenset({_M.QUEUED, _M.SENDING, _M.EXPIRED, _M.CANCELLED, _M.MERGED})
#: Shares are read as decimals: 29 of 100 is not more than 29 %.
_EXACT = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRules:
    """Shares from 0 to 1 at which sending stops; None is no limit.

    ``least`` is how many messages must have been handed over before a share means anything, and
    ``wait_seconds`` how long after a wave its receipts are waited for.
    """

    refused: float | None = None
    unknown: float | None = None
    undelivered: float | None = None
    least: int = 20
    wait_seconds: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Waves:
    """How a run is let go: the places at which waves end, and when to stop."""

    ends: tuple[int, ...] = ()
    stop: StopRules = StopRules()

    def next_end(self, upto: int) -> int | None:
        """The place up to which the next wave goes; None when everything is released.

        The last wave has no end: places of rows that got no message are left out, so the last
        place of a run may be higher than the number of its messages.
        """
        if upto >= LAST_PLACE:
            return None
        return next((end for end in self.ends[:-1] if end > upto), LAST_PLACE)

    def to_json(self) -> str:
        return json.dumps({"ends": list(self.ends), "stop": asdict(self.stop)})

    @staticmethod
    @lru_cache(maxsize=256)
    def from_json(text: str) -> Waves:
        """Read what ``to_json`` wrote; an empty text is one wave without limits."""
        if not text:
            return Waves()
        values = json.loads(text)
        return Waves(ends=tuple(values["ends"]), stop=StopRules(**values["stop"]))


def ends(waves: Sequence[int | Decimal], count: int) -> tuple[int, ...]:
    """The places at which the waves of a run end.

    Args:
        waves: numbers of messages, or shares of the whole run from 0 to 1.
        count: how many messages the run has.
    """
    found: list[int] = []
    for wave in waves:
        place = (
            int((wave * count).to_integral_value(ROUND_CEILING))
            if isinstance(wave, Decimal)
            else wave
        )
        place = min(place, count)
        if place > (found[-1] if found else 0):
            found.append(place)
    return tuple(found) if found and found[-1] == count else (*found, count)


def judge(stop: StopRules, states: Mapping[MessageState, int]) -> list[str]:
    """Say which limits are broken.

    Args:
        stop: the limits.
        states: how many messages are in each state.

    Returns:
        One sentence for each broken limit, with its figures.
    """
    handed_over = sum(count for state, count in states.items() if state not in _KEPT)
    if handed_over < max(stop.least, 1):
        return []
    found = []
    for name, counted in _COUNTED.items():
        limit = getattr(stop, name)
        count = sum(states.get(state, 0) for state in counted)
        if limit is not None and count > limit * handed_over + _EXACT:
            found.append(
                f"{count} of {handed_over} messages are {name} ({count / handed_over:.1%}); the"
                f" limit is {limit:.1%}."
            )
    return found
