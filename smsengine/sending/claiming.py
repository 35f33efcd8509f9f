"""What a lane takes next: whose turn it is among the runs, and which part of each is its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import Connection

from smsengine.clock import Clock
from smsengine.gateways.base import Capabilities
from smsengine.sending.fairness import Turns
from smsengine.sending.judging import repeat_window
from smsengine.sending.retrying import MAX_ATTEMPTS
from smsengine.sending.routing import Route
from smsengine.store import claims
from smsengine.store.claims import WHOLE, Claimed, Part
from smsengine.store.outbox import Repeats
from smsengine.store.runs import Run

#: A run that had nothing for a lane is asked again so long after.
_IDLE_SECONDS = 0.5
#: Stands for messages in doubt where runs are told by their numbers.
_REPEATS = 0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to do, the same for all lanes: runs, their routes, whom to trust."""

    runs: Sequence[Run] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)
    trust: Mapping[str, float] = field(default_factory=dict)

    def without(self, stopped: frozenset[int]) -> Work:
        """The same, but for some runs."""
        if not stopped:
            return self
        return replace(self, runs=[run for run in self.runs if run.id not in stopped])


class Claimer:
    """Claims for one lane; remembers where it has looked in vain."""

    def __init__(self, *, gateway: str, worker: str, clock: Clock, sheet: Capabilities) -> None:
        """Claim for a gateway.

        Args:
            gateway: the lane's name.
            worker: this process.
            clock: for due times.
            sheet: what the gateway can.
        """
        self._gateway = gateway
        self._worker = worker
        self._clock = clock
        self._window = timedelta(seconds=sheet.idempotency_seconds)
        self._turns = Turns()
        self._idle_until: dict[int, float] = {}
        # Where a run is shared with other gateways: behind which place this one's part goes on.
        self._come_to: dict[int, int] = {}

    def repeats(self) -> Repeats | None:
        """Which messages in doubt may be handed over again; None: the gateway sends them twice."""
        if not self._window:
            return None
        since = self._clock.now() - repeat_window(self._window)
        return Repeats(since=since, burnt_below=MAX_ATTEMPTS)

    def may_find(self, work: Work) -> bool:
        """Say whether a claim is worth a transaction."""
        repeats = bool(self._window) and self._is_worth_asking(_REPEATS)
        return repeats or any(True for _ in self._runs(work))

    def _is_worth_asking(self, what: int) -> bool:
        return self._idle_until.get(what, 0.0) <= self._clock.monotonic()

    def _found_nothing(self, what: int) -> None:
        self._idle_until[what] = self._clock.monotonic() + _IDLE_SECONDS

    def _runs(self, work: Work) -> Iterator[Run]:
        for run in work.runs:
            mine = self._gateway in work.routes[run.gateway].gateways
            if mine and self._is_worth_asking(run.id):
                yield run

    def take(
        self, connection: Connection, work: Work, room: int, trust: Mapping[str, float]
    ) -> list[Claimed]:
        """Claim so many messages: those in doubt first, then run by run as it is their turn."""
        claimed = self._take_repeats(connection, room)
        for run in self._turns.order(self._runs(work)):
            wanted = room - len(claimed)
            if wanted <= 0:
                break
            taken = self._take_of_run(connection, run, work.routes[run.gateway], wanted, trust)
            self._turns.charge(run, len(taken))
            if not taken:
                self._found_nothing(run.id)
            claimed += taken
        return claimed

    def _take_repeats(self, connection: Connection, room: int) -> list[Claimed]:
        repeats = self.repeats()
        if repeats is None or not self._is_worth_asking(_REPEATS):
            return []
        taken = claims.claim_repeats(
            connection,
            gateway=self._gateway,
            worker=self._worker,
            now=self._clock.now(),
            repeats=repeats,
            limit=room,
        )
        if not taken:
            self._found_nothing(_REPEATS)
        return taken

    def _take_of_run(
        self,
        connection: Connection,
        run: Run,
        route: Route,
        wanted: int,
        trust: Mapping[str, float],
    ) -> list[Claimed]:
        parts = route.parts(self._gateway, trust)
        taken: list[Claimed] = []
        if len(route.gateways) > 1:
            taken = self._claim(connection, run, wanted, None)
        left = wanted - len(taken)
        if parts and left:
            # Behind what others take of the run: looking at their part again and again would cost.
            after = 0 if parts == WHOLE else self._come_to.get(run.id, 0)
            more = self._claim(connection, run, left, parts, after)
            self._come_to[run.id] = more[-1].place if len(more) == left else 0
            taken += more
        return taken

    def _claim(
        self,
        connection: Connection,
        run: Run,
        limit: int,
        parts: tuple[Part, ...] | None,
        after: int = 0,
    ) -> list[Claimed]:
        return claims.claim(
            connection,
            run_id=run.id,
            upto=run.released_upto,
            gateway=self._gateway,
            worker=self._worker,
            now=self._clock.now(),
            limit=limit,
            parts=parts,
            after=after,
        )
