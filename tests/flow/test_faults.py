"""What happens to a machine in its life: nothing is sent twice, nothing is lost, and it goes on."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from smsengine.lifecycle import BreakerState, MessageState
from smsengine.store import lanes
from tests.flow.chaos import VARIANTS
from tests.flow.conftest import Office
from tests.flow.worlds import World, until
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


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("variant", ["mute", "asked", "repeats"])
def test_a_clock_that_jumps_a_day_and_back(
    make_world: MakeWorld, variant: str, database: str
) -> None:
    """The wall clock is wrong for a while, and every lease seems to be over: no harm is done."""
    world = make_world(database, VARIANTS[variant], speed=10, latency_ms=20)
    world.release(400)
    world.see_through(world.start(jumps={"30": DAY, "250": 0.0}))
    assert ([], 400, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("variant", ["mute", "asked", "repeats"])
@pytest.mark.parametrize("point", ["committed", "departing"])
def test_a_sender_frozen_beyond_its_lease(
    make_world: MakeWorld, point: str, variant: str, database: str
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


def test_a_route_goes_on_without_one_of_its_vendors(make_world: MakeWorld) -> None:
    """While the first one is away the second one takes what is not pinned to the first."""
    world = make_world("sqlite", VARIANTS["two"], latency_ms=20)
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


def see_what_follows(moment: float, seconds: float) -> None:
    until(lambda: time.time() > moment + seconds)


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_persons_word_reaches_the_sender(make_world: MakeWorld, database: str, word: str) -> None:
    """Two seconds after ``runs pause`` or ``runs cancel`` nothing leaves another process any more.

    A paused run goes on in that process as soon as it is resumed.
    """
    world = make_world(database, MUTE, latency_ms=100)
    run = world.release(500)
    sender = world.start()
    until(lambda: world.delivered_more_than(20))
    office = Office(world.folder)
    more = ["--yes"] if word == "cancel" else []
    done = office.run("runs", word, str(run.id), "--reason", "as a test", *more)
    said = time.time()
    assert 0 == done.returncode, done.stderr
    see_what_follows(said, 2.6)
    assert 0 == delivered_after(world, said + 2.0)
    assert 0 < world.deliveries().total() < 500
    if word == "pause":
        resumed = office.run("runs", "resume", str(run.id), "--yes")
        assert 0 == resumed.returncode, resumed.stderr
    world.see_through(sender)
    expected = 500 if word == "pause" else world.states()[_S.ACCEPTED]
    assert ([], expected, 0) == (world.breaks(), world.deliveries().total(), unknown(world))


@pytest.mark.parametrize("database", DATABASES)
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


def closed(world: World) -> None:
    """Nobody listens at the vendor's address."""
    world.double.stop()


def wrong_key(world: World) -> None:
    """Somebody mistyped the key."""
    (world.folder / "vendor.key").write_text("another key")


def misspelt(world: World) -> None:
    """Somebody mistyped the name of an option."""
    text = world.config.read_text()
    world.config.write_text(text.replace('"connections"', '"conections"'))


SAID = {
    closed: "refuses the connection",
    wrong_key: "refuses the key",
    misspelt: "conections",
}


@pytest.mark.parametrize("fault", SAID, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize(
    ("words", "code"), [("runs approve 1", 2), ("gateways check", 1), ("doctor", 1)]
)
def test_what_is_wrong_is_said_before_anything_is_claimed(
    make_world: MakeWorld, fault: Callable[[World], None], words: str, code: int
) -> None:
    """One sentence says what is wrong with a gateway; every message waits as before."""
    world = make_world("sqlite", MUTE)
    world.release(5)
    fault(world)
    done = Office(world.folder).run(*words.split())
    told = [line for line in (done.stdout + done.stderr).splitlines() if "ok  " not in line]
    assert (code, True) == (done.returncode, SAID[fault] in " ".join(told)), told
    assert [("queued", 0)] * 5 == attempts(world)


def attempts(world: World) -> list[tuple[str, int]]:
    with world.store.read() as connection:
        found = connection.exec_driver_sql("SELECT state, attempt FROM messages ORDER BY place")
        return [(row[0], row[1]) for row in found]
