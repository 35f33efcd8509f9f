"""A whole world for senders to die in: an installation, its vendors, its ledger, and the verdict.

The vendors are doubles, processes that keep books of what they really delivered. ``World.breaks``
compares these books with the ledger: what it returns is a broken promise.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select

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
from tests.flow.sheets import FOR_EVER, Sheet
from tests.flow.victims import Order
from tests.flow.zygote import PATIENCE, Victim, Victims, until

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
        "late",
    }
)
_TOLD = (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED)
_UNDER_WAY = (MessageState.QUEUED, MessageState.SENDING)


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
            settings = {"dedup_seconds": FOR_EVER} if sheet.dedup else {}
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
                name: sheet.options(
                    self.doubles[name], connections=self.connections, speed=self.speed
                )
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
                select(messages.c.dedup_key, messages.c.revision, messages.c.state)
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
                select(messages.c.run_id, messages.c.state)
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
