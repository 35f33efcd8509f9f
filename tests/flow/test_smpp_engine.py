"""The whole engine in front of the unkind SMSC: claim, send, settle, receipts, kill -9.

Nothing twice, nothing lost, and the accounts tie, on both databases.
"""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from smsengine.lifecycle import MessageState
from tests.doubles.smsc_settings import Fault, Ids, Receipts
from tests.flow.sheets import Sheet
from tests.flow.smpp_worlds import LONG, KannelWorld, SmppWorld
from tests.flow.zygote import Victims, until
from tests.interop import peers

MakeWorld = Callable[..., SmppWorld]
DATABASES = ("sqlite", "postgres")
FAULTS = {
    Fault.SILENCE: 0.005,
    Fault.ACCEPT_THEN_SILENCE: 0.005,
    Fault.DROP: 0.01,
    Fault.ACCEPT_THEN_DROP: 0.01,
    Fault.UNBIND: 0.005,
    Fault.ACCEPT_THEN_UNBIND: 0.005,
    Fault.ACCEPT_THEN_NACK: 0.005,
    Fault.ACCEPT_THEN_LIE: 0.005,
    Fault.QUEUE_FULL: 0.02,
    Fault.THROTTLE: 0.02,
    Fault.SYSTEM_ERROR: 0.01,
    Fault.BAD_NUMBER: 0.02,
}
KILLS = 5


@pytest.fixture
def make_smpp_world(
    request: pytest.FixtureRequest, victims: Victims, migrated: Path, tmp_path: Path
) -> Iterator[MakeWorld]:
    """Makes worlds on a database of their own; keywords are settings of the SMSC."""
    with ExitStack() as opened:

        def make(
            database: str,
            *,
            kind: type[SmppWorld] = SmppWorld,
            connections: int = 10,
            **settings: Any,
        ) -> SmppWorld:
            folder = tmp_path / "world"
            folder.mkdir()
            if database == "sqlite":
                shutil.copy(migrated, folder / "ledger.db")
                url = f"sqlite:///{folder / 'ledger.db'}"
            else:
                url = request.getfixturevalue(database).create_database()
            world = kind(
                folder=folder,
                database=url,
                sheets={"one": Sheet()},
                victims=victims,
                connections=connections,
                speed=10,
                settings=settings,
                seed=20190601,
            )
            return opened.enter_context(world)

        yield make


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("ids", [(Ids.HEX, Ids.DECIMAL), (Ids.DECIMAL, None)])
def test_everybody_is_told_once_and_every_receipt_finds_its_message(
    make_smpp_world: MakeWorld, database: str, ids: tuple[Ids, Ids | None]
) -> None:
    """Long texts, early and late receipts, and ids that are spelled in two ways."""
    world = make_smpp_world(
        database, ids=ids[0], receipt_ids=ids[1], receipts=Receipts.TWICE, in_transit=True
    )
    world.release(60, recipe_template=LONG)
    sender = world.start()
    until(world.is_told, "the last receipt", 20)
    assert 0 == sender.end()
    assert ([], {MessageState.DELIVERED: 60}) == (world.breaks(), world.states())
    assert all(len(texts) == 1 for texts in world.smsc.texts().values())


@pytest.mark.parametrize("database", DATABASES)
def test_killed_in_the_middle_of_a_window(make_smpp_world: MakeWorld, database: str) -> None:
    """What the SMSC has is in doubt, and nothing else; nobody is told again."""
    world = make_smpp_world(database, latency_ms=400, receipts=Receipts.NEVER)
    world.release(50)
    sender = world.start()
    until(lambda: len(world.smsc.ledger()) >= 10, "a full window", 20)
    world.kill(sender)
    in_flight = len(world.smsc.ledger())
    world.smsc.control(latency_ms=0)
    world.finish()
    states = world.states()
    assert [] == world.breaks()
    assert {MessageState.ACCEPTED: 50 - in_flight, MessageState.UNKNOWN: in_flight} == states
    assert 50 == len(world.smsc.texts())


@pytest.mark.parametrize("database", DATABASES)
def test_killed_again_and_again_while_the_smsc_misbehaves(
    make_smpp_world: MakeWorld, database: str
) -> None:
    """Two senders at a time, six deaths, a fault at every tenth message."""
    world = make_smpp_world(
        database,
        connections=4,
        latency_ms=20,
        window=4,
        faults=FAULTS,
        receipts=Receipts.REORDERED,
        in_transit=True,
        undelivered=0.05,
    )
    world.release(100)
    chance = Random(f"20190601:{database}")
    senders = [world.start(die=["committed", 2]), world.start(die=["departing", 5])]
    for _ in range(KILLS):
        senders[0].wait(chance.uniform(0.1, 0.6))
        world.kill(senders.pop(0))
        senders.append(world.start())
    world.kill(senders.pop())
    world.smsc.control(faults={})
    world.finish()
    assert KILLS < world.kills
    assert [] == world.breaks()
    assert world.states()[MessageState.UNKNOWN] <= world.most_unknown()


def test_an_outage_costs_time_and_nothing_else(make_smpp_world: MakeWorld) -> None:
    """The SMSC goes away in mid-window and comes back: what was in flight is in doubt."""
    world = make_smpp_world("sqlite", latency_ms=50)
    world.release(80)
    sender = world.start()
    until(lambda: len(world.smsc.ledger()) > 20, "the first messages", 20)
    world.smsc.stop()
    world.cuts += 1
    world.smsc.start()
    world.see_through(sender)
    assert [] == world.breaks()
    assert world.states()[MessageState.UNKNOWN] <= world.most_unknown()


@pytest.mark.parametrize("database", DATABASES)
def test_behind_kannel_receipts_settle_what_a_death_left_in_doubt(
    make_smpp_world: MakeWorld, database: str
) -> None:
    """Its receipts name our reference, so they find a message whose answer nobody heard."""
    peers.or_skip(peers.node)
    peers.or_skip(peers.kannel)
    world = make_smpp_world(database, kind=KannelWorld, latency_ms=20)
    world.release(30, recipe_template=LONG)
    victim = world.start(die=["answered", 3])
    assert -signal.SIGKILL == victim.wait(20)
    world.kills += 1
    world.finish()
    assert world.states()[MessageState.UNKNOWN]
    until(world.is_told, "the last receipt", 20)
    told = len(world.smsc.texts())
    # a message may have died between its line in the flight journal and its first byte
    assert 20 <= told
    assert [] == world.breaks()
    expected = Counter({MessageState.DELIVERED: told, MessageState.UNKNOWN: 30 - told})
    assert expected == world.states()
