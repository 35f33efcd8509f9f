"""Workers that claim, hand over and settle step by step, and may die, freeze or lose a commit."""

from __future__ import annotations

import random
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError
from smsengine.identity import own_identity
from smsengine.lifecycle import RunState
from smsengine.sending.breaker import trust
from smsengine.sending.claiming import Work
from smsengine.sending.departure import Departures
from smsengine.sending.journal import FlightJournal
from smsengine.sending.lane import Lane
from smsengine.sending.pace import Pace
from smsengine.sending.routing import Route
from smsengine.store import lanes, runs
from smsengine.store.engine import Store
from tests.properties.outbox_model import DiedError, Fate, FrozenError, Line, Telco


class Hands:
    """A crew that does a task when it is told to."""

    size = 3

    def __init__(self) -> None:
        self.tasks: deque[Callable[[], None]] = deque()

    def give(self, task: Callable[[], None]) -> None:
        self.tasks.append(task)

    def close(self, seconds: float) -> bool:
        return not self.tasks


class Trouble(StrEnum):
    """What happens to a worker's transaction."""

    NONE = "none"
    #: it is undone, and the worker hears so
    UNDONE = "undone"
    #: it is committed, and the worker never hears of it
    UNHEARD = "unheard"
    #: the process ends before or after the commit
    DIE_BEFORE = "before-commit"
    DIE_AFTER = "committed"


class ShakyStore(Store):
    """The ledger as one process sees it: a commit may fail, and others come in between."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.trouble = Trouble.NONE
        #: what another process does between this one's next look and its writing
        self.meanwhile: Callable[[], None] | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._store.read() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        trouble, self.trouble = self.trouble, Trouble.NONE
        with self._store.write(durable=durable) as connection:
            yield connection
            if trouble is Trouble.UNDONE:
                raise StoreAwayError("The connection broke before the commit.")
        if trouble is Trouble.UNHEARD:
            raise StoreAwayError("The connection broke after the commit.")


class Worker:
    """A process with a lane to each gateway, of which each step is taken from outside."""

    def __init__(
        self,
        *,
        store: Store,
        telcos: Mapping[str, Telco],
        routes: Mapping[str, Route],
        clock: ManualClock,
        folder: Path,
        elsewhere: str = "",
        on_clear: Callable[[Worker, str, str], None],
    ) -> None:
        """Start a worker.

        Args:
            store: the ledger.
            telcos: for each gateway its other side.
            routes: for each way out its route.
            clock: the clock of all.
            folder: where its journal is.
            elsewhere: its identity on another machine; empty for a real process on this one.
            on_clear: told worker, gateway and reference of whatever may leave.
        """
        self.process = None if elsewhere else _a_process()
        self.identity = elsewhere or _identity_of(self.process)
        self.ledger = ShakyStore(store)
        self.journal = FlightJournal(folder, self.identity)
        self.work = Work()
        self.stopped_runs: frozenset[int] = frozenset()
        self.is_dead = False
        self.frozen: dict[str, datetime] = {}
        self._clock = clock
        self._routes = routes
        self._dies_at = ""
        self.lines = {
            name: Line(telco, lambda reference, name=name: on_clear(self, name, reference))
            for name, telco in telcos.items()
        }
        self.hands = {name: Hands() for name in telcos}
        self.lanes = {name: self._lane(name) for name in telcos}

    def _lane(self, name: str) -> Lane:
        return Lane(
            name=name,
            gateway=self.lines[name],
            store=self.ledger,
            clock=self._clock,
            worker=self.identity,
            batch=4,
            departures=Departures(
                clock=self._clock,
                pace=Pace(store=self.ledger, gateway=name, rate=None, clock=self._clock),
                journal=self.journal,
                hours=None,
                at=self._pass,
            ),
            crew=self.hands[name],
            chance=random.Random(1),
            at=self._pass,
        )

    def _pass(self, point: str) -> None:
        if point == self._dies_at:
            raise DiedError

    def look(self) -> None:
        """See what others have decided, as a dispatcher does between rounds."""
        in_hand = set[int]().union(*(lane.runs_in_hand for lane in self.lanes.values()))
        with self.ledger.read() as connection:
            under_way = runs.under_way(connection)
            states = runs.states(connection, in_hand)
            rows = {name: lanes.get(connection, name) for name in self.lanes}
            now = lanes.present(connection, self._clock.now().timestamp())
        halted = {RunState.PAUSED, RunState.CANCELLED}
        self.stopped_runs = frozenset(each for each, state in states.items() if state in halted)
        for name, lane in self.lanes.items():
            lane.know(rows[name], now)
            lane.stop_runs(self.stopped_runs)
        self.work = Work(
            runs=[run for run in under_way if run.state is RunState.SENDING],
            routes=self._routes,
            trust={name: trust(row, now) for name, row in rows.items()},
        )

    def round(self, gateway: str, trouble: Trouble = Trouble.NONE) -> None:
        """One round of a lane: what came back is settled, what goes out next is claimed."""
        self._clock.sleep(0.6)
        self.ledger.trouble = trouble
        self._dies_at = trouble
        try:
            self.lanes[gateway].round(self.work)
        except StoreAwayError:
            pass
        except DiedError:
            self.die()
        self.ledger.trouble = Trouble.NONE
        self._dies_at = ""

    def can_hand_over(self, *gateways: str) -> bool:
        """Say whether a parcel is at hand, at any gateway or at these, and nothing is frozen."""
        return (
            not self.is_dead
            and not self.frozen
            and any(self.hands[gateway].tasks for gateway in gateways or self.hands)
        )

    def hand_over(self, gateway: str, fates: Sequence[Fate]) -> list[Fate]:
        """The crew hands its next parcel over, or goes on with the one at which it froze.

        Returns:
            The fates that are left over.
        """
        line, tasks = self.lines[gateway], self.hands[gateway].tasks
        line.fates = deque(fates)
        if not tasks:
            return []
        self.frozen.pop(gateway, None)
        try:
            tasks[0]()
        except FrozenError:
            self.frozen[gateway] = self._clock.now()
        except DiedError:
            self.die()
        else:
            tasks.popleft()
        return list(line.fates)

    def die(self) -> None:
        """The process ends; one on another machine is merely never heard of again."""
        self.is_dead = True
        self.frozen.clear()
        for hands in self.hands.values():
            hands.tasks.clear()
        self.leave()

    def leave(self) -> None:
        """Let go of the process and its file."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
        if self.journal is not None:
            self.journal.close()
            self.journal = None

    def holds(self, reference: str) -> bool:
        """Say whether bytes of a message may still leave, although it was cleared long ago."""
        return not self.is_dead and any(line.holds(reference) for line in self.lines.values())


def _a_process() -> subprocess.Popen[bytes]:
    """A process of this machine, which ends with ours at the latest."""
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def _identity_of(process: subprocess.Popen[bytes]) -> str:
    """The name under which a child process can be looked for."""
    host, _, _, namespace = own_identity().rsplit(":", 3)
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8")
    return f"{host}:{process.pid}:{stat.rpartition(')')[2].split()[19]}:{namespace}"
