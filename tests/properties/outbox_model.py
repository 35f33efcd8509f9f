"""Telcos that keep the truth about every message, and answer as they are told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from smsengine.clock import ManualClock
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Scope,
)

K = OutcomeKind
#: A gateway that promises to know a reference again is promised that no hand-over which was
#: cleared takes longer than this; ten minutes less the four for which a claim may wait.
FROZEN_AT_MOST = timedelta(minutes=5)
#: No message is under way for longer than a gateway waits before it is asked.
FLIGHT = timedelta(seconds=20)
#: What gateways can, each in its own way.
SHEETS: dict[str, dict[str, Any]] = {
    "asked": {"can_query": True},
    "asked-later": {"can_query": True, "query_after_seconds": 60},
    "repeats": {"idempotency_seconds": 3600},
    "both": {"can_query": True, "query_after_seconds": 30, "idempotency_seconds": 3600},
    "mute": {},
}


class Fate(StrEnum):
    """What becomes of one hand-over after its clearance."""

    TAKEN = "taken"
    #: taken, and answered without a name
    NAMELESS = "nameless"
    #: taken, and the answer is lost
    UNHEARD = "unheard"
    #: the bytes are lost, and so the answer
    UNSENT = "unsent"
    #: the bytes arrive when the answer is no more waited for
    LATE = "late"
    #: taken, and the adapter breaks off
    BROKEN = "broken"
    #: the worker stops just before the first byte, and may go on later
    FREEZE = "freeze"
    #: the process ends before the first byte, after the last, or with the bytes under way
    DIE_BEFORE = "die-before"
    DIE_AFTER = "die-after"
    DIE_LATE = "die-late"
    BUSY = "busy"
    LATER = "later"
    FAULT = "fault"
    WRONG_NUMBER = "wrong-number"
    BAD_TEXT = "bad-text"
    TWIN = "twin"
    NO_NAME = "no-name"
    NO_ACCOUNT = "no-account"
    BAD_CALL = "bad-call"


_REFUSED = {
    Fate.WRONG_NUMBER: Scope.RECIPIENT,
    Fate.BAD_TEXT: Scope.CONTENT,
    Fate.NO_NAME: Scope.SENDER,
    Fate.NO_ACCOUNT: Scope.ACCOUNT,
    Fate.BAD_CALL: Scope.CALLER,
}
_FOR_GOOD = frozenset({Fate.WRONG_NUMBER, Fate.BAD_TEXT})


class DiedError(BaseException):
    """The process ends at this instruction."""


class FrozenError(BaseException):
    """The process stops at this instruction; the same hand-over may go on from here."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a telco's book holds for a reference."""

    gateway: str
    name: str
    at: datetime


@dataclass(kw_only=True)
class Truth:
    """What really happened, of all telcos together."""

    taken: dict[str, Taken] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    #: references of which an earlier hand-over is in doubt
    in_doubt: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Telco:
    """One gateway's other side: it keeps what it takes, and forgets references after its window."""

    name: str
    sheet: Capabilities
    truth: Truth
    clock: ManualClock
    #: messages of a batch are cleared together, not one by one
    together: bool
    refused: set[str] = field(default_factory=set)
    #: references whose bytes are under way, although nobody waits for the answer any more
    flying: dict[str, datetime] = field(default_factory=dict)

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.sheet.idempotency_seconds)

    def take(self, reference: str) -> Outcome:
        """Take a message, unless it was refused for good; say so if it is known."""
        if reference in self.refused:
            return Outcome(kind=K.REJECTED, scope=Scope.RECIPIENT, code="13")
        now, known = self.clock.now(), self.truth.taken.get(reference)
        if known is not None and known.gateway == self.name and now < known.at + self.window:
            return Outcome(kind=K.DUPLICATE, gateway_id=known.name)
        if known is not None:
            self.truth.faults.append(f"{known.gateway} and then {self.name} took {reference}")
        name = f"{self.name}-{len(self.truth.taken) + 1}"
        self.truth.taken[reference] = Taken(gateway=self.name, name=name, at=now)
        return Outcome(kind=K.ACCEPTED, gateway_id=name)

    def refuse(self, reference: str, fate: Fate) -> Outcome:
        """Refuse a message; one whose own fault it is will never be taken."""
        if fate in _FOR_GOOD and reference not in self.truth.taken:
            self.refused.add(reference)
        return Outcome(kind=K.REJECTED, scope=_REFUSED[fate], code=fate)

    def delay(self, reference: str) -> None:
        """The bytes of a message are under way for as long as the capability sheet allows."""
        if self.sheet.can_query and not self.sheet.query_after_seconds:
            self.take(reference)
        else:
            self.flying.setdefault(reference, self.clock.now())

    def arrive(self, flown: timedelta = timedelta(0)) -> None:
        """Whatever has been under way for so long arrives."""
        now = self.clock.now()
        for reference in [each for each, left in self.flying.items() if now - left >= flown]:
            del self.flying[reference]
            self.take(reference)

    def answer(self, reference: str) -> Outcome | None:
        """The truth about a reference, as far as the telco knows it."""
        known = self.truth.taken.get(reference)
        if known is not None and known.gateway == self.name:
            return Outcome(kind=K.ACCEPTED, gateway_id=known.name)
        if reference in self.refused:
            return Outcome(kind=K.REJECTED, scope=Scope.RECIPIENT, code="13")
        return None


class Line(Gateway):
    """One worker's way to a telco; what becomes of each hand-over is dictated by ``fates``."""

    def __init__(self, telco: Telco, on_clear: Callable[[str], None]) -> None:
        self.telco = telco
        self.fates: deque[Fate] = deque()
        self.is_deaf = False
        self._on_clear = on_clear
        # Of the batch at hand: what was cleared, and what came of it.
        self._cleared: set[str] = set()
        self._done: dict[str, Outcome] = {}

    @property
    def capabilities(self) -> Capabilities:
        return self.telco.sheet

    def holds(self, reference: str) -> bool:
        """Say whether the worker stopped between the clearance of a message and its bytes."""
        return reference in self._cleared and reference not in self._done

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        try:
            if self.telco.together:
                self._ask([each for each in batch if each.reference not in self._cleared], clear)
            outcomes = [self._hand_over(each, clear) for each in batch]
        except FrozenError:
            raise
        except BaseException:
            self._forget()
            raise
        self._forget()
        return outcomes

    def _forget(self) -> None:
        self._cleared.clear()
        self._done.clear()

    def _ask(self, leaving: Sequence[Outbound], clear: Clearance) -> None:
        if leaving and clear(leaving):
            for each in leaving:
                self._on_clear(each.reference)
            self._cleared |= {each.reference for each in leaving}

    def _hand_over(self, message: Outbound, clear: Clearance) -> Outcome:
        name = message.reference
        if name in self._done:
            return self._done[name]
        if name not in self._cleared and not self.telco.together:
            self._ask([message], clear)
        if name not in self._cleared:
            return HELD_BACK
        fate = self.fates.popleft() if self.fates else Fate.TAKEN
        self._done[name] = self._meet(name, fate)
        return self._done[name]

    def _meet(self, name: str, fate: Fate) -> Outcome:
        telco, now = self.telco, self.telco.clock.now()
        match fate:
            case Fate.FREEZE:
                raise FrozenError
            case Fate.DIE_BEFORE:
                raise DiedError
            case Fate.LATE | Fate.DIE_LATE:
                telco.delay(name)
                if fate is Fate.DIE_LATE:
                    raise DiedError
                return Outcome(kind=K.UNKNOWN, code=fate)
            case Fate.UNSENT:
                return Outcome(kind=K.UNKNOWN, code=fate)
            case Fate.BUSY:
                return Outcome(kind=K.THROTTLED, retry_after_seconds=2.0)
            case Fate.LATER:
                return Outcome(kind=K.DEFERRED, not_before=now + timedelta(minutes=10))
            case Fate.FAULT:
                return Outcome(kind=K.TRANSIENT, code=fate)
            case Fate.TWIN if name not in telco.truth.taken and name not in telco.truth.in_doubt:
                # The same text to the same phone: refused for another message's sake.
                telco.refused.add(name)
                return Outcome(kind=K.DUPLICATE, code=fate)
            case _ if fate in _REFUSED:
                return telco.refuse(name, fate)
        return self._taken(telco.take(name), fate)

    @staticmethod
    def _taken(answer: Outcome, fate: Fate) -> Outcome:
        match fate:
            case Fate.DIE_AFTER:
                raise DiedError
            case Fate.BROKEN:
                raise ConnectionError
            case Fate.UNHEARD:
                return Outcome(kind=K.UNKNOWN, code=fate)
            case Fate.NAMELESS:
                return answer._replace(gateway_id=None)
        return answer

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        if self.is_deaf:
            raise ConnectionError
        return [self.telco.answer(each) for each in references]

    def close(self) -> None:
        """Nothing is open."""
