"""What gateways are asked beside hand-overs, and what they tell by themselves.

The lanes' crews ask; whoever makes the rounds writes down what was heard, and tells a gateway that
its receipts are in the ledger. Until then none of them is acknowledged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from smsengine.clock import Clock
from smsengine.gateways.base import Outcome, Receipt
from smsengine.sending import tending
from smsengine.sending.lane import Lane
from smsengine.store import outbox
from smsengine.store.engine import Store
from smsengine.store.outbox import Doubt

#: Takes receipts of a gateway; without any, it looks again at those whose message was not known.
Receive = Callable[[str, Sequence[Receipt]], None]

#: How often receipts are fetched from a gateway that does not send them by itself.
_FETCH_SECONDS = 5.0


class Questions:
    """Asks about doubts and fetches receipts, one question of a lane at a time."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        receive: Receive,
        tell: Callable[[str], None],
        wake: threading.Event,
        at: Callable[[str], None],
    ) -> None:
        self._store, self._clock = store, clock
        self._receive, self._tell, self._wake, self._at = receive, tell, wake, at
        #: messages in doubt that were asked about; whoever waits for a run waits for one answer
        self.asked: set[int] = set()
        self._asking: set[str] = set()
        self._next_fetch: dict[str, float] = {}
        # Gateways that say that they have receipts, and those whose last answer held some.
        self._told: set[str] = set()
        self._tells: set[str] = set()
        self._more: set[str] = set()
        self._answers: list[tuple[Sequence[Doubt], Sequence[Outcome | None]]] = []
        self._received: list[tuple[Lane, Sequence[Receipt]]] = []

    @property
    def busy(self) -> bool:
        """Something is being asked."""
        return bool(self._asking)

    def listen(self, lane: Lane) -> None:
        """Let a gateway say when receipts have come by themselves."""
        lane.gateway.listen(lambda: self._has_receipts(lane.name))

    def _has_receipts(self, name: str) -> None:
        self._tells.add(name)
        self._told.add(name)
        self._wake.set()

    def ask(self, lane: Lane) -> None:
        """Have a lane's crew ask about doubts and fetch receipts; ``take_in`` writes it down."""
        sheet = lane.gateway.capabilities
        if lane.name in self._asking or not (sheet.can_query or sheet.has_receipts):
            return
        doubts: Sequence[Doubt] = ()
        if sheet.can_query:
            with self._store.read() as connection:
                doubts = outbox.doubts_due(
                    connection,
                    lane.name,
                    now=self._clock.now(),
                    repeats=lane.repeats(),
                    limit=tending.ASKED_AT_ONCE,
                )
        fetch = sheet.has_receipts and self._is_time_to_fetch(lane.name)
        if doubts or fetch:
            self._give(lane, doubts, fetch=fetch)

    def fetch_told(self, lane: Lane) -> None:
        """Fetch at once what a gateway says that it has, and what follows a full answer.

        What came by itself is at hand: it does not wait for a thread of the crew, which may be
        waiting for its turn to send.
        """
        if lane.name in self._told:
            self._told.discard(lane.name)
            self._fetch(lane)
        elif lane.name in self._more and lane.name not in self._asking:
            self._give(lane, (), fetch=True)

    def _is_time_to_fetch(self, name: str) -> bool:
        return self._clock.monotonic() >= self._next_fetch.get(name, 0.0)

    def _give(self, lane: Lane, doubts: Sequence[Doubt], *, fetch: bool) -> None:
        if fetch:
            self._more.discard(lane.name)
            self._next_fetch[lane.name] = self._clock.monotonic() + _FETCH_SECONDS
        self._asking.add(lane.name)
        lane.ask(lambda: self._question(lane, doubts, fetch=fetch))

    def _question(self, lane: Lane, doubts: Sequence[Doubt], *, fetch: bool) -> None:
        """On a thread of the crew."""
        if doubts:
            self._answers.append((doubts, tending.answers_of(lane.gateway, doubts)))
        if fetch:
            self._fetch(lane)
        self._asking.discard(lane.name)
        self._wake.set()

    def _fetch(self, lane: Lane) -> None:
        try:
            if found := lane.gateway.receipts():
                self._received.append((lane, found))
        except Exception as error:  # noqa: BLE001 - asked again at the next look
            self._tell(f"{lane.name} does not give its receipts ({type(error).__name__}: {error}).")

    def take_in(self) -> None:
        """Write down what the gateways have told.

        Raises:
            StoreAwayError: the rest is kept for the next time.
        """
        while self._answers:
            doubts, answers = self._answers[0]
            tending.resolve(self._store, doubts, answers, self._clock.now(), at=self._at)
            self.asked.update(doubt.id for doubt in doubts)
            self._answers.pop(0)
        while self._received:
            lane, received = self._received[0]
            self._receive(lane.name, received)
            lane.gateway.stored(received)
            self._received.pop(0)
            # Where there were some, there may be more.
            (self._told if lane.name in self._tells else self._more).add(lane.name)

    def look_again(self, names: Sequence[str]) -> None:
        """Look again at receipts that came before their answers were settled."""
        for name in names:
            self._receive(name, ())
