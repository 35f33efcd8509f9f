"""Following one run: how far it is, how fast it goes, and what it waits for. Only looks."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.errors import ConfigError, StoreAwayError, UsageError
from smsengine.lifecycle import BreakerState, MessageState, RunState
from smsengine.service.bootstrap import Engine
from smsengine.store import lanes, messages, runs
from smsengine.store.lanes import LaneRow
from smsengine.store.runs import Run
from smsengine.text.numerals import money

_ENDED = (RunState.FINISHED, RunState.CANCELLED, RunState.MISSED)
_LEFT = (MessageState.QUEUED, MessageState.SENDING)
#: The rate is that of so many last seconds.
_RATE_SECONDS = 60.0
#: Looking takes a tenth of the time at most, also where a run has millions of messages.
_SHARE = 0.1
_AWAY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a run stood at one moment. Counts are of messages; ``rate`` is messages a second.

    ``rate`` is None before the second look; ``waits`` says in sentences why nothing or not
    everything leaves.
    """

    at: datetime
    run: Run
    states: Counter[MessageState]
    rate: float | None
    waits: tuple[str, ...]

    @property
    def left(self) -> int:
        """How many wait or are being sent."""
        return sum(self.states[state] for state in _LEFT)

    @property
    def done(self) -> int:
        """How many have left the queue."""
        return self.states.total() - self.left

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None while nothing moves."""
        return self.left / self.rate if self.rate else None

    @property
    def has_ended(self) -> bool:
        """Nothing more will be sent by itself."""
        return self.run.state in _ENDED

    def facts(self) -> dict[str, object]:
        """The look for programs."""
        return {
            "at": self.at.isoformat(),
            "run": self.run.id,
            "job": self.run.job,
            "period": self.run.period,
            "revision": self.run.revision,
            "state": self.run.state.value,
            "messages": self.run.messages,
            "done": self.done,
            "left": self.left,
            "rate": None if self.rate is None else round(self.rate, 1),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "states": {state.value: count for state, count in sorted(self.states.items())},
            "waits": list(self.waits),
        }


class Follower:
    """Looks at one run again and again."""

    def __init__(self, engine: Engine, run_id: int) -> None:
        self._engine = engine
        self._run_id = run_id
        #: when something was left, by monotonic seconds, and how much; the last minute
        self._before: deque[tuple[float, int]] = deque()
        self._took = 0.0

    def looks(self, every: float, tell: Callable[[str], None]) -> Iterator[Look]:
        """Look every so many seconds until the run has ended; a ledger that is away is told.

        Raises:
            UsageError: there is no such run.
            StoreAwayError: the ledger is away at the first look.
        """
        clock, look = self._engine.clock, self.look()
        yield look
        while not look.has_ended:
            clock.sleep(max(every, self._took / _SHARE))
            try:
                look = self.look()
            except StoreAwayError as error:
                tell(f"{error} Looking again.")
                clock.sleep(_AWAY_SECONDS)
            else:
                yield look

    def look(self) -> Look:
        """Look once.

        Raises:
            UsageError: there is no such run.
        """
        clock = self._engine.clock
        began, now = clock.monotonic(), clock.now()
        with self._engine.store.read() as connection:
            run = runs.get(connection, self._run_id)
            if run is None:
                raise UsageError(f"There is no run {self._run_id}; see 'smsengine runs list'.")
            states = messages.states(connection, run.id)
            waits = tuple(self._waits(connection, run, now))
        self._took = clock.monotonic() - began
        left = sum(states[state] for state in _LEFT)
        return Look(at=now, run=run, states=states, rate=self._rate(began, left), waits=waits)

    def _rate(self, now: float, left: int) -> float | None:
        """How many messages a second left the queue in the last minute."""
        before = self._before
        while len(before) > 1 and before[0][0] < now - _RATE_SECONDS:
            before.popleft()
        before.append((now, left))
        then, had = before[0]
        return max(0.0, (had - left) / (now - then)) if now > then else None

    def _waits(self, connection: Connection, run: Run, now: datetime) -> Iterator[str]:
        """Why nothing or not everything of a run leaves."""
        if run.state is RunState.HELD:
            yield f"Held: {run.held_because} Release it: smsengine runs approve {run.id}"
        elif run.state is RunState.PAUSED:
            yield f"Paused: {run.held_because} Go on: smsengine runs resume {run.id}"
        elif run.state is RunState.PLANNED:
            yield "It is planned and not released yet."
        elif run.state is RunState.PLANNING:
            yield "It is being planned."
        elif run.state in (RunState.RELEASED, RunState.SENDING):
            if run.released_upto < run.messages:
                later = money(run.messages - run.released_upto)
                yield f"{later} messages belong to later waves."
            yield from self._waits_of_lanes(connection, run, now)

    def _waits_of_lanes(self, connection: Connection, run: Run, now: datetime) -> Iterator[str]:
        try:
            names = self._engine.route(run.gateway).gateways
        except ConfigError as error:
            yield str(error)
            return
        present = lanes.present(connection, now.timestamp())
        for name in names:
            said = _of_lane(lanes.get(connection, name), present) or self._hours(name, now)
            if said:
                yield f"{name} {said}"

    def _hours(self, gateway: str, now: datetime) -> str:
        settings = self._engine.settings
        hours = settings.gateways[gateway].window or settings.window
        opens = hours.opens_at(now) if hours else None
        return f"sends from {opens.astimezone(VIETNAM):%H:%M} on." if opens else ""


def _of_lane(row: LaneRow, present: float) -> str:
    """Why a lane sends nothing, or more slowly; empty when it is in order."""
    if row.paused_because:
        return (
            f"refuses our account ({row.paused_because}); when it is mended:"
            f" smsengine gateways resume {row.gateway}"
        )
    if row.breaker is not BreakerState.CLOSED:
        seconds = max(0.0, row.open_until - present)
        return f"gives no usable answer; it is tried again in {seconds:.0f} seconds."
    return "asked for a rest." if row.rests(present) else ""
