"""One hand-over of messages: its parts under way, and the answers to them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from smsengine.gateways.base import Outcome, OutcomeKind
from smsengine.gateways.smpp import statuses

#: Which parts of a flight are those of a message: the first one, and how many.
Span = tuple[int, int]


class Flight:
    """Parts are added on the thread that hands over; answers come on that of the connections."""

    def __init__(self) -> None:
        #: by part: the gateway's name of what it took, or another outcome, or None until then
        self._answers: list[str | Outcome | None] = []
        self._answered = 0
        self._all_added = False
        self._landed = threading.Event()

    @property
    def size(self) -> int:
        return len(self._answers)

    def add(self, parts: int) -> Span:
        """Make room for the answers to so many parts more."""
        first = len(self._answers)
        self._answers.extend([None] * parts)
        return first, parts

    def answer(self, part: int, said: str | Outcome) -> None:
        """Take the answer to a part; there is exactly one."""
        self._answers[part] = said
        self._answered += 1
        if self._all_added and self._answered == len(self._answers):
            self._landed.set()

    def leave_out(self, parts: Iterable[int]) -> None:
        """These parts are not written: an earlier one of their message was not taken."""
        for part in parts:
            self.answer(part, statuses.LEFT_OUT)

    def has_refusal(self, parts: slice) -> bool:
        """Say whether one of these parts has an answer, and was not taken."""
        return any(isinstance(each, Outcome) for each in self._answers[parts])

    def wait(self, seconds: float) -> None:
        """Wait until each part has an answer, or for so long at most; no part is added any more."""
        self._all_added = True
        if self._answered < len(self._answers):
            self._landed.wait(seconds)

    def outcomes(self, spans: Sequence[Span | Outcome]) -> list[Outcome]:
        """The outcome of each message: what its parts say together, or what was clear before."""
        return [each if isinstance(each, Outcome) else self._outcome(*each) for each in spans]

    def _outcome(self, first: int, parts: int) -> Outcome:
        said = self._answers[first]
        if parts == 1 and isinstance(said, str):
            return Outcome(OutcomeKind.ACCEPTED, None, said or None)
        return statuses.folded(self._answers[first : first + parts])
