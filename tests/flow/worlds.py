"""A whole world for senders to die in: an installation, its vendors, its ledger, and the verdict.

The vendors are doubles, processes that keep books of what they really delivered. ``World.breaks``
compares these books with the ledger: what it returns is a broken promise.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select as sql_select

from smsengine.clock import ManualClock
from smsengine.lifecycle import MessageState, RunState
from smsengine.service.bootstrap import Engine
from smsengine.service.upkeep import check_ledger
from smsengine.store import runs, tables
from smsengine.store.engine import Store
from smsengine.store.messages import reference
from smsengine.store.runs import Run
from smsengine.store.tables import messages
from tests.conftest import KEY, START, rows
from tests.conftest import Office as Planning
from tests.doubles.http_gateway import Double
from tests.flow.victims import Order

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
#: Seconds that a vendor has for an answer; a stalled one costs a connection that long.
READ_SECONDS = 1.5
#: Faults of a double after which a sender cannot know whether the message was taken.
DOUBTFUL = frozenset(
    {
        "accept-then-drop",
        "accept-then-stall",
        "drop",
        "stall",
        "error",
        "error-after-accept",
        "html",
        "html-not-delivered",
        "half-answer",
    }
)
_TOLD = (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED)
_UNDER_WAY = (MessageState.QUEUED, MessageState.SENDING)


def until(
    condition: Callable[[], Any], what: str = "what was waited for", seconds: float = PATIENCE
) -> Any:
    """What a condition gives as soon as it gives something; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"in {seconds:g} s it did not happen: {what}"
        pause.wait(0.01)
    return found


# -- victims ---------------------------------------------------------------------------------------


@dataclass(eq=False)
class Victim:
    """A sender that was started; ``code`` is how it ended, minus the signal that killed it."""

    pid: int
    victims: Victims
    code: int | None = None
    is_stopped: bool = False

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """How it ended; None when it is still alive after so many seconds."""
        self.victims.listen(lambda: self.code is not None, seconds)
        assert self.code != 70, self.victims.said()
        return self.code

    def kill(self) -> None:
        """Kill it, if it is still there, and see it die."""
        self._signal(signal.SIGKILL)
        self.wait()

    def end(self) -> int | None:
        """Ask it to end, and wait for it."""
        self._signal(signal.SIGTERM)
        return self.wait()

    def freeze(self) -> None:
        """Stop it until it is thawed."""
        self._signal(signal.SIGSTOP)
        self.is_frozen()

    def is_frozen(self, seconds: float = PATIENCE) -> bool:
        """Wait until it is frozen; False when it is not, or has ended."""
        self.victims.listen(lambda: self.is_stopped or self.code is not None, seconds)
        return self.is_stopped

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        self.victims.tell({"signal": number, "pid": self.pid})


class Victims:
    """The process that forks victims."""

    def __init__(self, folder: Path) -> None:
        self._errors = folder / "errors"
        self._known: dict[int, Victim] = {}
        self._newest: Victim | None = None
        self._unread = b""
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.flow.victims"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )

    def start(self, order: Order) -> Victim:
        """Fork a victim."""
        self._newest = None
        self.tell(order.command())
        assert self.listen(lambda: self._newest is not None, PATIENCE), self.said()
        assert self._newest is not None
        return self._newest

    def tell(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def listen(self, is_there: Callable[[], bool], seconds: float) -> bool:
        """Take in what happens until a condition holds; False when it does not in time."""
        deadline = time.monotonic() + seconds
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        while not is_there():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                return is_there()
            read = os.read(output, 65536)
            assert read, self.said()
            *lines, self._unread = (self._unread + read).split(b"\n")
            for line in lines:
                self._take_in(json.loads(line))
        return True

    def _take_in(self, event: Mapping[str, int]) -> None:
        if "started" in event:
            self._newest = Victim(event["started"], self)
            self._known[self._newest.pid] = self._newest
        elif "ended" in event:
            self._known.pop(event["ended"]).code = event["code"]
        else:
            (what, pid), *_ = event.items()
            self._known[pid].is_stopped = what == "stopped"

    def said(self) -> str:
        """What victims wrote before they broke."""
        return self._errors.read_text(errors="replace")

    def clear(self) -> None:
        """Let no victim live."""
        for victim in list(self._known.values()):
            victim.kill()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        assert "" == self.said()


# -- vendors ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a vendor can; it keeps to it."""

    query: bool = False
    dedup: bool = False
    receipts: bool = False

    def options(self, double: Double, connections: int) -> dict[str, Any]:
        """Its part of the configuration."""
        found: dict[str, Any] = {
            "kind": "http",
            "url": f"{double.url}/send",
            "auth": "bearer",
            "key": "file:vendor.key",
            "address": "84",
            "fields": {"to": "{to}", "text": "{text}", "ref": "{reference}"},
            "answer": _ANSWER,
            "balance": {"url": f"{double.url}/balance", "amount": "amount"},
            "connections": connections,
            "read_timeout_seconds": READ_SECONDS,
            "batch": 2 * connections,
            "prices": [{"from": "2019-01-01", "per_segment": 850}],
        }
        if self.query:
            found["query"] = {"url": f"{double.url}/status", "after_seconds": 2, **_QUERY}
        if self.receipts:
            found["receipts"] = {"url": f"{double.url}/receipts?after={{cursor}}", **_RECEIPTS}
        if self.dedup:
            found["idempotency_hours"] = 24
        return found

    @property
    def settles(self) -> bool:
        """Whether every doubt about it ends by itself."""
        return self.query or self.dedup


_ANSWER = {
    "code": "status",
    "success": ["0"],
    "id": "id",
    "reference": "ref",
    "detail": "message",
    "not_before": "not_before",
    "documented_503": True,
    "codes": {
        "13": "rejected recipient",
        "146": "rejected content",
        "104": "rejected sender",
        "103": "rejected account",
        "21": "transient",
        "99": "deferred",
        "124": "duplicate",
    },
}
_QUERY = {
    "field": "ref",
    "references": "repeated",
    "results": "results",
    "reference": "ref",
    "code": "status",
    "success": ["0"],
    "never": ["404"],
    "id": "id",
}
_RECEIPTS = {
    "cursor": "last",
    "results": "receipts",
    "id": "id",
    "reference": "ref",
    "status": "state",
    "code": "code",
    "statuses": {
        "delivered": "delivered",
        "undelivered": "undelivered",
        "in-transit": "in-transit",
    },
}
#: The vendor remembers longer than any test.
_FOR_EVER = 10**6


# -- worlds ----------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class World:
    """An installation with its vendors, in which victims send.

    ``speed`` is how much faster its clocks run.
    """

    folder: Path
    database: str
    sheets: Mapping[str, Sheet]
    victims: Victims
    connections: int = 8
    speed: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    flights: str = "flights"
    doubles: dict[str, Double] = field(default_factory=dict)
    kills: int = 0
    #: senders that were cut off from a vendor in the middle of their work
    cuts: int = 0

    def __post_init__(self) -> None:
        self._base = time.time()
        self._opened = ExitStack()
        self.folder.mkdir(exist_ok=True)
        try:
            self._settle_in()
        except BaseException:
            self.close()
            raise

    def _settle_in(self) -> None:
        for name, sheet in self.sheets.items():
            settings = {"dedup_seconds": _FOR_EVER} if sheet.dedup else {}
            double = Double(
                self.folder / f"{name}.jsonl", seed=self.seed, **settings | self.settings
            )
            self.doubles[name] = self._opened.enter_context(double)
        config: dict[str, Any] = {
            "database": self.database,
            "data": ".",
            "jobs": ".",
            "templates": ".",
            "flights": self.flights,
            "gateways": {
                name: sheet.options(self.doubles[name], self.connections)
                for name, sheet in self.sheets.items()
            },
        }
        if len(self.sheets) > 1:
            config["routes"] = {"both": [{"gateways": list(self.sheets)}]}
        self.config.write_text(json.dumps(config, indent=1), encoding="utf-8")
        (self.folder / "smsengine.key").write_bytes(KEY)
        (self.folder / "vendor.key").write_text(next(iter(self.doubles.values())).key)
        self.store = Store(self.database)
        self._opened.callback(self.store.close)

    def close(self) -> None:
        self.victims.clear()
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def double(self) -> Double:
        """The first vendor."""
        return next(iter(self.doubles.values()))

    # -- what is sent --------------------------------------------------------------------------

    def release(self, count: int, **changes: Any) -> Run:
        """Plan a run of so many messages, and release it."""
        way_out = "both" if len(self.sheets) > 1 else next(iter(self.sheets))
        planning = Planning(store=self.store, clock=ManualClock(START))
        return planning.released(rows(count), **{"gateway": way_out} | changes)

    def start(self, **changes: Any) -> Victim:
        """Start a victim."""
        order = Order(config=str(self.config), speed=self.speed, base=self._base)
        return self.victims.start(replace(order, **changes))

    def kill(self, victim: Victim) -> None:
        """Kill a victim, and count it."""
        victim.kill()
        self.kills += victim.code == -signal.SIGKILL

    def finish(self, seconds: float = PATIENCE, **changes: Any) -> None:
        """Send all that is left, undisturbed."""
        self.see_through(self.start(**changes), seconds)

    def see_through(self, victim: Victim, seconds: float = PATIENCE) -> None:
        """Let a sender go on until nothing is left to do, and end as it should."""
        try:
            until(lambda: victim.wait(0.05) is not None or self.is_done(), "the end", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; {dict(self.states())}") from None
        assert 0 == victim.end()

    # -- what became of it ---------------------------------------------------------------------

    def fates(self) -> dict[str, MessageState]:
        """The state of each message, by its reference."""
        with self.store.read() as connection:
            found = connection.execute(
                sql_select(messages.c.dedup_key, messages.c.revision, messages.c.state)
            )
            return {reference(key, edition): MessageState(state) for key, edition, state in found}

    def states(self) -> Counter[MessageState]:
        return Counter(self.fates().values())

    def is_done(self) -> bool:
        """Say whether nothing is left to do for anybody."""
        with self.store.read() as connection:
            if runs.under_way(connection):
                return False
        open_states = [*_UNDER_WAY]
        if all(sheet.settles for sheet in self.sheets.values()):
            open_states.append(MessageState.UNKNOWN)
        states = self.states()
        return not any(states[state] for state in open_states)

    def deliveries(self) -> Counter[str]:
        """How often each reference was really delivered, over all vendors."""
        return Counter(line["ref"] for each in self.doubles.values() for line in each.ledger())

    def delivered_more_than(self, count: int) -> bool:
        return self.deliveries().total() > count

    def breaks(self) -> list[str]:
        """One sentence for each promise that was not kept."""
        fates, delivered = self.fates(), self.deliveries()
        found = [
            f"{name} was delivered {count} times and is {fates.get(name)}"
            for name, count in delivered.items()
            if count > 1 or name not in fates
        ]
        for name, state in fates.items():
            if state in _TOLD and not delivered[name]:
                found.append(f"{name} is {state} and was never delivered")
            if state not in (*_TOLD, MessageState.UNKNOWN) and delivered[name]:
                found.append(f"{name} is {state} and was delivered")
        return [*found, *self._loose_ends(), *self._checked()]

    def _checked(self) -> list[str]:
        engine = Engine(self.config)
        with closing(engine.store):
            return check_ledger(engine)

    def _loose_ends(self) -> list[str]:
        with self.store.read() as connection:
            left = connection.execute(
                sql_select(messages.c.run_id, messages.c.state)
                .join(tables.runs)
                .where(tables.runs.c.state == RunState.FINISHED, messages.c.state.in_(_UNDER_WAY))
            ).all()
        return [f"run {run_id} has ended, and a message is {state}" for run_id, state in left]

    def most_unknown(self) -> int:
        """How many messages may be in doubt at most: in flight when cut off, or badly answered."""
        doubts = sum(
            arrival["done"] in DOUBTFUL
            for double in self.doubles.values()
            for arrival in double.arrivals()
        )
        in_flight = self.connections * (self.kills * len(self.doubles) + self.cuts)
        return in_flight + doubts
