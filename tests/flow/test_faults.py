"""What happens to a machine in its life: nothing is sent twice, nothing is lost, and it goes on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smsengine.lifecycle import BreakerState, MessageState
from smsengine.store import lanes
from tests.doubles.http_gateway import Double
from tests.flow.chaos import VARIANTS
from tests.flow.conftest import Office
from tests.flow.sheets import Sheet
from tests.flow.worlds import World
from tests.flow.zygote import until
from tests.postgres import Databases, Server

MakeWorld = Callable[..., World]
MUTE = VARIANTS["mute"]
DATABASES = ("sqlite", "postgres")
DAY = 86_400.0
_S = MessageState


def unknown(world: World) -> int:
    return world.states()[_S.UNKNOWN]


# -- the database ----------------------------------------------------------------------------------


def cut(server: Databases) -> None:
    """Cut every connection to the ledgers."""
    server.cut_connections()


def fast(server: Server) -> None:
    """Restart the server as an administrator does."""
    server.restart("fast")


def immediate(server: Server) -> None:
    """Restart the server as after a power cut."""
    server.restart("immediate")


@pytest.mark.parametrize("mishap", [cut, fast, immediate], ids=lambda mishap: mishap.__name__)
def test_a_sender_outlives_its_database(
    make_world: MakeWorld, postgres_server: Server, mishap: Callable[[Server], None]
) -> None:
    """PostgreSQL goes away twice in the middle of a run: the same process goes on by itself."""
    world = make_world("postgres_server", MUTE, latency_ms=20)
    world.release(400)
    sender = world.start()
    for delivered in (50, 200):
        until(lambda delivered=delivered: world.delivered_more_than(delivered))
        mishap(postgres_server)
    world.see_through(sender)
    assert ([], 400, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


# -- the disk --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk; the other test of a full disk has no need")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Fill a disk to its last byte."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        for size in (65536, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def stands_still(world: World) -> bool:
    """Whether nothing more is delivered for a while."""
    before = world.deliveries().total()
    with suppress(AssertionError):
        until(lambda: world.delivered_more_than(before), seconds=0.7)
    return before == world.deliveries().total()


@pytest.mark.parametrize("what", ["ledger", "flights"])
def test_a_full_disk_stops_sending_until_there_is_room(
    make_world: MakeWorld, small_disk: Path, what: str
) -> None:
    """The ledger or the journal cannot be written: nothing leaves, and with room it goes on."""
    places = {"disk": small_disk} if what == "ledger" else {"flights": str(small_disk)}
    world = make_world("sqlite", MUTE, latency_ms=20, **places)
    world.release(400)
    sender = world.start()
    until(lambda: world.delivered_more_than(50))
    fill(small_disk / "rubbish")
    until(lambda: stands_still(world))
    assert world.deliveries().total() < 400
    (small_disk / "rubbish").unlink()
    world.see_through(sender)
    assert ([], 400, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


def test_files_that_may_not_grow_stop_sending_until_they_may(make_world: MakeWorld) -> None:
    """A limit on the size of files is a full disk for one process: it waits, and goes on."""
    world = make_world("sqlite", MUTE, latency_ms=20)
    world.release(400)
    sender = world.start()
    until(lambda: world.delivered_more_than(50))
    unlimited = resource.prlimit(sender.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(sender.pid, resource.RLIMIT_FSIZE, (1024, unlimited[1]))
    until(lambda: stands_still(world))
    assert world.deliveries().total() < 400
    resource.prlimit(sender.pid, resource.RLIMIT_FSIZE, unlimited)
    world.see_through(sender)
    assert ([], 400, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "database"),
    [
        ("mute", "sqlite"),
        ("asked", "postgres"),
        ("repeats", "sqlite"),
        pytest.param("mute", "postgres", marks=pytest.mark.chaos),
        pytest.param("asked", "sqlite", marks=pytest.mark.chaos),
        pytest.param("repeats", "postgres", marks=pytest.mark.chaos),
    ],
)
def test_a_clock_that_jumps_a_day_and_back(
    make_world: MakeWorld, variant: str, database: str
) -> None:
    """One of two senders is in tomorrow for a while, and takes the other one's leases for over."""
    world = make_world(database, VARIANTS[variant], speed=10, latency_ms=60)
    world.release(300)
    other = world.start()
    world.see_through(world.start(jumps={"10": DAY, "100": 0.0}))
    assert 0 == other.end()
    assert ([], 300, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


@pytest.mark.parametrize("variant", ["mute", "asked", "repeats"])
@pytest.mark.parametrize(
    ("point", "database"),
    [
        ("departing", "postgres"),
        ("committed", "sqlite"),
        pytest.param("departing", "sqlite", marks=pytest.mark.chaos),
        pytest.param("committed", "postgres", marks=pytest.mark.chaos),
    ],
)
def test_a_sender_frozen_beyond_its_lease(
    make_world: MakeWorld, variant: str, point: str, database: str
) -> None:
    """Another one takes what it holds for lost; when it thaws, all the same no one is told twice.

    The clock of the other one is ten minutes ahead, so that the lease is over at once.
    """
    world = make_world(database, VARIANTS[variant], latency_ms=5)
    world.release(100)
    frozen = world.start(freeze=[point, 3])
    assert frozen.is_frozen()
    other = world.start(shift=600.0)
    until(lambda: not world.states()[_S.SENDING] and not world.states()[_S.QUEUED])
    frozen.thaw()
    until(lambda: world.deliveries().total() == 100 and not unknown(world))
    assert (0, 0) == (other.end(), frozen.end())
    assert [] == world.breaks()


# -- vendors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.chaos)])
def test_a_vendor_that_was_away(make_world: MakeWorld, database: str) -> None:
    """Its breaker opens, few messages are in doubt, and afterwards everything else is sent.

    On PostgreSQL the breaker's time is the database's, which cannot run faster.
    """
    world = make_world(database, MUTE, latency_ms=20, speed=20)
    world.release(400)
    sender = world.start()
    until(lambda: world.delivered_more_than(50))
    world.double.stop()

    def is_open() -> bool:
        with world.store.read() as connection:
            return lanes.get(connection, "one").breaker is not BreakerState.CLOSED

    until(is_open)
    world.double.start()
    world.see_through(sender)
    assert [] == world.breaks()
    assert unknown(world) <= world.connections


@pytest.mark.parametrize("database", DATABASES)
def test_a_vendor_that_takes_its_time(make_world: MakeWorld, database: str) -> None:
    """It breaks off, does not know the message, and delivers it later: nobody is told twice."""
    late = {"late": {"share": 0.2, "seconds": 0.3}}
    world = make_world(database, VARIANTS["asked"], latency_ms=5, speed=10, faults=late)
    world.release(100)
    world.finish()
    assert ([], 100, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


def test_a_route_goes_on_without_one_of_its_vendors(make_world: MakeWorld) -> None:
    """While the first one is away the second one takes what is not pinned to the first."""
    world = make_world("sqlite", VARIANTS["two"], latency_ms=20, speed=10)
    world.release(400)
    sender = world.start()
    until(lambda: world.delivered_more_than(50))
    world.double.stop()
    until(lambda: len(world.doubles["two"].ledger()) > 200)
    world.double.start()
    world.see_through(sender)
    assert ([], 0) == (world.breaks(), unknown(world))


# -- people ----------------------------------------------------------------------------------------


def delivered_after(world: World, moment: float) -> int:
    """How many messages were delivered later than a moment."""
    return sum(line["at"] > moment for line in world.double.ledger())


@pytest.mark.parametrize(
    ("word", "database"),
    [
        ("pause", "postgres"),
        ("cancel", "sqlite"),
        pytest.param("pause", "sqlite", marks=pytest.mark.chaos),
        pytest.param("cancel", "postgres", marks=pytest.mark.chaos),
    ],
)
def test_a_persons_word_reaches_the_sender(make_world: MakeWorld, word: str, database: str) -> None:
    """Two seconds after ``runs pause`` or ``runs cancel`` nothing leaves another process any more.

    A paused run goes on in that process as soon as it is resumed.
    """
    world = make_world(database, MUTE, latency_ms=200)
    run = world.release(300)
    sender = world.start()
    until(lambda: world.delivered_more_than(10))
    office = Office(world.folder, world.victims)
    more = ["--yes"] if word == "cancel" else []
    done = office.run("runs", word, str(run.id), "--reason", "as a test", *more)
    said = time.time()
    assert 0 == done.returncode, done.stderr
    until(lambda: time.time() > said + 2.6)
    assert 0 == delivered_after(world, said + 2.0)
    assert 0 < world.deliveries().total() < 300
    if word == "pause":
        resumed = office.run("runs", "resume", str(run.id), "--yes")
        assert 0 == resumed.returncode, resumed.stderr
    world.see_through(sender)
    expected = 300 if word == "pause" else world.states()[_S.ACCEPTED]
    assert ([], expected, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.chaos)])
def test_a_long_queue_does_not_delay_the_first_message(
    make_world: MakeWorld, database: str
) -> None:
    """Started anew with twenty thousand messages in the queue, the first one leaves within 2 s."""
    world = make_world(database, MUTE)
    world.release(20_000)
    world.kill(world.start(die=["departing", 1]))
    started = time.monotonic()
    sender = world.start()
    until(lambda: world.delivered_more_than(0))
    took = time.monotonic() - started
    sender.end()
    assert took < 2.0
    assert [] == world.breaks()


# -- what is wrong from the start ------------------------------------------------------------------

SEND = ("send", "c12-statement", "--period", "2019-06")


@dataclass(kw_only=True)
class Contract:
    """An installation with sixty employers whose one gateway is a double."""

    office: Office
    double: Double

    def write(self, **changes: Any) -> None:
        """Write the configuration; None takes a key of the gateway away."""
        vendor = Sheet().options(self.double) | changes
        options = {name: value for name, value in vendor.items() if value is not None}
        config = {"database": "sqlite:///ledger.db", "gateways": {"simulated": options}}
        self.office.config.write_text(json.dumps(config))
        self.write_key(self.double.key)

    def write_key(self, key: str) -> None:
        (self.office.folder / "vendor.key").write_text(key)

    def attempts(self) -> set[tuple[object, ...]]:
        """How messages stand: state, hand-overs, and how many of them count."""
        return set(self.office.rows("SELECT state, attempt, burnt FROM messages"))


@pytest.fixture
def contract(office: Office, tmp_path: Path) -> Iterator[Contract]:
    """A contract that is in order."""
    with Double(tmp_path / "vendor.jsonl") as double:
        made = Contract(office=office, double=double)
        made.write()
        yield made


def closed(contract: Contract) -> None:
    """Nobody listens at the vendor's address."""
    contract.double.stop()


def wrong_key(contract: Contract) -> None:
    """Somebody mistyped the key."""
    contract.write_key("another key")


def misspelt(contract: Contract) -> None:
    """Somebody mistyped the name of an option."""
    contract.write(conections=4)


SAID = {
    closed: "refuses the connection; look at the port of the url.",
    wrong_key: "refuses the key (HTTP 401); look at its secrets, and whether",
    misspelt: "conections",
}


@pytest.mark.parametrize("fault", SAID, ids=lambda fault: fault.__name__)
def test_what_is_wrong_is_said_before_anything_is_claimed(
    contract: Contract, fault: Callable[[Contract], None]
) -> None:
    """``send`` says in one line what is wrong with its gateway; every message waits untouched."""
    fault(contract)
    done = contract.office.run(*SEND)
    told = done.stderr.splitlines()
    assert (2, 1, True) == (done.returncode, len(told), SAID[fault] in told[0]), told
    assert {("queued", 0, 0)} == contract.attempts()
    assert [] == contract.double.ledger()


@pytest.mark.parametrize("fault", SAID, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("words", [("gateways", "check"), ("doctor",)], ids=" ".join)
def test_what_is_wrong_is_found_by_looking(
    contract: Contract, words: Sequence[str], fault: Callable[[Contract], None]
) -> None:
    """``gateways check`` and ``doctor`` say the same in one line, the night before."""
    fault(contract)
    done = contract.office.run(*words)
    told = [line for line in done.stdout.splitlines() if SAID[fault] in line]
    assert (1, 1) == (done.returncode, len(told)), done.stdout + done.stderr


def test_a_wrong_key_that_only_a_message_shows(contract: Contract) -> None:
    """Where the key cannot be tried, some messages are refused; they keep their places, too.

    When the key is mended and the gateway opened again, everybody is told once.
    """
    contract.write(balance=None)
    contract.write_key("another key")
    refused = contract.office.run(*SEND)
    assert (2, True) == (refused.returncode, "Our account is refused" in refused.stderr)
    assert {("queued", 0)} == {(state, burnt) for state, _, burnt in contract.attempts()}
    contract.write_key(contract.double.key)
    assert 0 == contract.office.run("gateways", "resume", "simulated").returncode
    assert 0 == contract.office.run(*SEND).returncode
    told = Counter(line["ref"] for line in contract.double.ledger())
    assert (59, 59) == (len(told), told.total())
