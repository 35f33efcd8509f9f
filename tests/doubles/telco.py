"""A gateway in memory that answers as it is told to, and keeps a book of what it really took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from smsengine.clock import Clock
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)

K = OutcomeKind
ACCEPTED = Outcome(kind=K.ACCEPTED)
TRANSIENT = Outcome(kind=K.TRANSIENT, code="51")
#: nothing was taken, but nobody can tell
UNKNOWN = Outcome(kind=K.UNKNOWN, code="timeout")
#: it was taken, and the answer was lost
LOST_ANSWER = Outcome(kind=K.UNKNOWN, code="answer-lost")
DUPLICATE = Outcome(kind=K.DUPLICATE, code="dup")
THROTTLED = Outcome(kind=K.THROTTLED, retry_after_seconds=30)
REJECTED = Outcome(kind=K.REJECTED, scope=Scope.RECIPIENT, code="13", detail="no such number")
CONTENT = Outcome(kind=K.REJECTED, scope=Scope.CONTENT, code="304", detail="no such template")
SENDER = Outcome(kind=K.REJECTED, scope=Scope.SENDER, code="18", detail="name not registered")
ACCOUNT = Outcome(kind=K.REJECTED, scope=Scope.ACCOUNT, code="401", detail="wrong password")


#: what a vendor can that is only told what to send
SIMPLE = Capabilities(max_batch=100)


@dataclass(kw_only=True)
class Telco(Gateway):
    """One vendor.

    ``offered``, ``names`` and ``seconds`` are phone, reference and moment of each hand-over;
    ``answers`` are given by phone number, one for each hand-over; a phone without any is answered
    with ``usual``. ``taken`` is the book: whoever stands in it twice was texted twice.
    """

    clock: Clock
    capabilities: Capabilities = SIMPLE
    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    usual: Outcome = ACCEPTED
    #: what is said of a message that is asked about; without it what the book says
    tells: Callable[[str], Outcome | None] | None = None
    #: how long it takes to answer
    latency: float = 0.0
    #: called when a batch has left, before it is answered
    at_work: Callable[[], object] = lambda: None
    #: what a receipt says of each message that was taken, and how long after; without it none come
    status: ReceiptStatus | None = None
    reports_after: float = 0.0
    taken: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _since: dict[str, float] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        if not clear(batch):
            return [HELD_BACK] * len(batch)
        self.batches.append(len(batch))
        outcomes = [self._answer(message) for message in batch]
        self.at_work()
        if self.latency:
            self.clock.sleep(self.latency)
        return outcomes

    def _answer(self, message: Outbound) -> Outcome:
        now = self.clock.monotonic()
        self.offered.append(message.address)
        self.names.append(message.reference)
        self.seconds.append(now)
        left = self.answers.get(message.address, [])
        outcome = left.pop(0) if left else self.usual
        if outcome.kind is not K.ACCEPTED and outcome is not LOST_ANSWER:
            return outcome
        name = message.reference
        if now - self._since.get(name, -1e9) < self.capabilities.idempotency_seconds:
            return DUPLICATE if outcome.kind is K.ACCEPTED else outcome
        self._since.setdefault(name, now)
        self.taken.append(name)
        return Outcome(kind=K.ACCEPTED, gateway_id=f"T-{name}") if outcome is ACCEPTED else outcome

    def times(self, phone: str) -> list[float]:
        """When the messages to a phone were handed over."""
        pairs = zip(self.offered, self.seconds, strict=True)
        return [at for address, at in pairs if address == phone]

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        self.asked += references
        return [(self.tells or self._of_book)(name) for name in references]

    def _of_book(self, name: str) -> Outcome | None:
        return Outcome(kind=K.ACCEPTED, gateway_id=f"T-{name}") if name in self.taken else None

    def receipts(self) -> Sequence[Receipt]:
        if self.status is None:
            return ()
        until = self.clock.monotonic() - self.reports_after
        due = [name for name, at in self._since.items() if at <= until]
        new = [name for name in due if name not in self._reported]
        self._reported.update(new)
        return [Receipt(gateway_id=f"T-{name}", status=self.status) for name in new]

    def close(self) -> None:
        """Nothing is open."""
