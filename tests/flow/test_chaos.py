"""kill -9 at every point and at any moment, with vendors that misbehave: nobody is told twice.

The short form belongs to the suite. ``make chaos`` is the long one; it prints its seed, and
``make chaos SEED=…`` draws the same kills and faults again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from smsengine.lifecycle import MessageState
from tests.flow.chaos import FAULTS, RECEIPTS, VARIANTS, Chaos
from tests.flow.victims import POINTS
from tests.flow.worlds import World

MakeWorld = Callable[..., World]
DATABASES = ("sqlite", "postgres")
#: Each needs what the ones before it have left behind: lost messages, doubts, waves.
IN_ORDER = (
    "departing",
    "recovering",
    "recovered",
    "committed",
    "answered",
    "before-commit",
    "resolving",
    "resolved",
    "receiving",
    "received",
    "wave",
    "landing",
    "finishing",
)
#: So that one is always near.
MANY_WAVES = [Decimal(n) / 20 for n in range(1, 21)]
KILLS = 12


def died_at(world: World, point: str) -> str:
    """Let a sender run into its death; returns where it died."""
    victim = world.start(die=[point, 1])
    if point == "landing":
        victim.wait(0.2)
        victim.end()
    if victim.wait(20) != -signal.SIGKILL:
        return "nowhere"
    world.kills += 1
    return point


def play(make_world: MakeWorld, seed: str, variant: str, database: str, processes: int) -> Chaos:
    """Go through one world: kills, faults, and in the end a sender that nobody disturbs."""
    chance = Random(f"{seed}:{variant}:{database}:{processes}")
    world = make_world(
        database,
        VARIANTS[variant],
        seed=chance.randrange(2**31),
        speed=10,
        latency_ms=50,
        faults=FAULTS,
        receipts=chance.choice(RECEIPTS),
        in_transit=chance.random() < 0.5,
        undelivered=0.05,
    )
    chaos = Chaos(world, chance, processes)
    chaos.release(150)
    chaos.release(150)
    chaos.kill(KILLS)
    for double in world.doubles.values():
        double.control(faults={})
    world.finish()
    return chaos


def unexplained(chaos: Chaos) -> int:
    """How many messages are in doubt although they need not be."""
    world = chaos.world
    settles = all(sheet.settles for sheet in world.sheets.values())
    return max(0, world.states()[MessageState.UNKNOWN] - (0 if settles else world.most_unknown()))


def test_every_point_has_its_turn() -> None:
    """The order in which senders die names each point of the engine once."""
    assert sorted(POINTS) == sorted(IN_ORDER)


@pytest.mark.parametrize("database", DATABASES)
def test_killed_once_at_each_named_point(make_world: MakeWorld, database: str) -> None:
    """One sender after the other dies at its point; then every message has a fate that is true."""
    world = make_world(database, VARIANTS["asked"], speed=10, latency_ms=40, faults=FAULTS)
    world.release(300, waves=MANY_WAVES)
    assert [*IN_ORDER] == [died_at(world, point) for point in IN_ORDER]
    world.double.control(faults={})
    world.finish()
    assert ([], 0) == (world.breaks(), world.states()[MessageState.UNKNOWN])


@pytest.mark.parametrize(("variant", "database"), [("mute", "sqlite"), ("two", "postgres")])
def test_two_senders_killed_at_random(make_world: MakeWorld, variant: str, database: str) -> None:
    """Two senders at a time die at random: no message goes out twice, none is lost."""
    chaos = play(make_world, "20190601", variant, database, 2)
    assert ([], 0) == (chaos.world.breaks(), unexplained(chaos))


@pytest.mark.chaos
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_chaos(
    make_world: MakeWorld,
    record_property: Callable[[str, Any], None],
    request: pytest.FixtureRequest,
    variant: str,
    database: str,
    processes: int,
) -> None:
    """Up to three senders at a time die at named points and at random: every promise is kept."""
    seed = request.config.getoption("randomly_seed")
    chaos = play(make_world, str(seed), variant, database, processes)
    record_property("chaos", {"worlds": 1} | chaos.figures())
    record_property("seed", seed)
    assert ([], 0) == (chaos.world.breaks(), unexplained(chaos))
