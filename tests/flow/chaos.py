"""Chaos: senders that die again and again, while their vendors misbehave."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from smsengine.lifecycle import MessageState
from smsengine.period import Period
from tests.flow.sheets import Sheet
from tests.flow.victims import POINTS
from tests.flow.worlds import World
from tests.flow.zygote import Victim

#: What goes wrong at the vendors; in sum about every seventh answer is no answer.
FAULTS: Mapping[str, Any] = {
    "accept-then-drop": 0.02,
    "drop": [{"share": 0.02}, {"path": "/status", "share": 0.1}],
    "error-after-accept": 0.01,
    "error": 0.01,
    "html": 0.01,
    "html-not-delivered": [{"share": 0.01}, {"path": "/receipts", "share": 0.1}],
    "half-answer": [{"share": 0.01}, {"path": "/receipts", "share": 0.1}],
    "late": {"share": 0.02, "seconds": 0.3},
    "stall": 0.003,
    "accept-then-stall": 0.003,
    "unavailable": [{"share": 0.01}, {"path": "/status", "share": 0.1}],
    "throttle": {"share": 0.002, "seconds": 1},
    "try-later": 0.02,
    "defer": {"share": 0.01, "seconds": 1},
    "refuse-number": 0.02,
    "refuse-content": 0.01,
    "duplicate-receipts": 0.05,
}
#: What vendors can, from nothing to everything that settles a doubt.
VARIANTS: Mapping[str, Mapping[str, Sheet]] = {
    "mute": {"one": Sheet()},
    "asked": {"one": Sheet(query=True, receipts=True)},
    "repeats": {"one": Sheet(dedup=True)},
    "two": {"one": Sheet(query=True, receipts=True), "two": Sheet(dedup=True, receipts=True)},
}
#: How receipts come; of these ways one is drawn for each world.
RECEIPTS = ("normal", "early", "twice", "reordered", "contradictory", "unknown-id", "never")
WAVES = (5, Decimal("0.2"), Decimal("0.6"), Decimal(1))
_LONGEST_LIFE = 1.2
#: So long a victim has for coming to its point; most are there within the first second.
_PATIENCE = 2.0


@dataclass
class Chaos:
    """Kills senders of a world, by chance that can be repeated."""

    world: World
    chance: Random
    processes: int
    died_at: Counter[str] = field(default_factory=Counter)
    released: int = 0

    def release(self, count: int) -> None:
        """Release one more run, with or without waves, more or less urgent."""
        self.released += 1
        self.world.release(
            count,
            recipe_period=Period.parse(f"20{10 + self.released}-01"),
            priority=self.chance.randint(1, 9),
            waves=self.chance.choice([(), WAVES]),
        )

    def kill(self, kills: int) -> None:
        """Keep so many senders at work, and let them die, so many times."""
        living: list[tuple[Victim, str]] = []
        while self.world.kills < kills:
            while len(living) < self.processes:
                living.append(self._new())
            if self.world.is_done():
                self.release(self.chance.randint(50, 150))
            living.remove(one := self.chance.choice(living))
            if len(self.world.doubles) > 1 and self.chance.random() < 0.2:
                self._outage(one[0])
            self._end(*one)
        for victim, _ in living:
            victim.end() if self.chance.random() < 0.5 else self.world.kill(victim)

    def _outage(self, meanwhile: Victim) -> None:
        """Be without a vendor for a while."""
        away = self.chance.choice(list(self.world.doubles.values()))
        away.stop()
        self.world.cuts += self.processes
        meanwhile.wait(self.chance.uniform(0.0, _LONGEST_LIFE))
        away.start()

    def _new(self) -> tuple[Victim, str]:
        if self.chance.random() < 0.25:
            return self.world.start(), "random time"
        point = self.chance.choice(POINTS)
        passing = self.chance.choice([1, 1, 1, 2, self.chance.randint(1, 20)])
        return self.world.start(die=[point, passing]), point

    def _end(self, victim: Victim, point: str) -> None:
        """See it die at its point; one that does not get there dies some time later."""
        life = self.chance.uniform(0.0, _LONGEST_LIFE)
        if point == "landing":
            victim.wait(life / 2)
            victim.end()
        elif self.chance.random() < 0.2:
            victim.freeze()
            victim.wait(life / 4)
            victim.thaw()
        if victim.wait(life if point == "random time" else _PATIENCE) is None:
            self.world.kill(victim)
            point = "random time"
        elif victim.code == -signal.SIGKILL:
            self.world.kills += 1
        else:
            return
        self.died_at[point] += 1

    def figures(self) -> dict[str, int]:
        """What the world went through; where its senders died comes after ``died at``."""
        states = self.world.states()
        return {
            "kills": self.world.kills,
            "outages": self.world.cuts // self.processes,
            "messages": states.total(),
            "deliveries": self.world.deliveries().total(),
            "unknown": states[MessageState.UNKNOWN],
            "unknown at most": self.world.most_unknown(),
        } | {f"died at {point}": count for point, count in sorted(self.died_at.items())}
