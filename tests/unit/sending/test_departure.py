"""The clearance that a message needs to leave, and what came of those that had it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import StoreAwayError
from smsengine.gateways.base import HELD_BACK, Clearance, Outbound, Outcome, OutcomeKind
from smsengine.hours import SendingHours
from smsengine.sending.departure import Departures, Parcel
from smsengine.sending.journal import Flight, FlightJournal, departed
from smsengine.sending.pace import Pace, Rate
from smsengine.store import lanes
from smsengine.store.claims import LEASE, Claimed
from smsengine.store.engine import Store
from tests.conftest import START
from tests.doubles.telco import ACCEPTED, UNKNOWN, Telco
from tests.unit.sending.conftest import a_claim

WORKER = "machine:17:4711:1"
NIGHT = SendingHours(start=time(20, 0), end=time(21, 0))
FOUR = [a_claim(number, run_id=1 + number % 2) for number in range(1, 5)]
RAISED = Outcome(kind=OutcomeKind.UNKNOWN, code="broke-off", detail="RuntimeError")
MISCOUNTED = Outcome(kind=OutcomeKind.UNKNOWN, code="broke-off", detail="ValueError")


class Startled(ManualClock):
    """A clock during whose sleep something happens, once."""

    happens: Callable[[], object] = staticmethod(lambda: None)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        happens, self.happens = self.happens, lambda: None
        happens()


@dataclass(kw_only=True)
class Odd(Telco):
    """An adapter with a defect: it clears in pieces, and ends as it is told to."""

    pieces: Sequence[slice] = (slice(None),)
    ends: Callable[[list[bool]], Sequence[Outcome]] = lambda _cleared: ()

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        return self.ends([clear(batch[piece]) for piece in self.pieces])


def broken(*_cleared: object) -> Sequence[Outcome]:
    """What an adapter with a defect does."""
    raise RuntimeError("a text that must not be repeated")


@dataclass(kw_only=True)
class Airfield:
    """One lane's departures, without a contract, and all that they stand on."""

    store: Store
    folder: Path
    clock: Startled = field(default_factory=lambda: Startled(START))
    points: list[str] = field(default_factory=list)
    rate: Rate | None = None
    hours: SendingHours | None = None

    def __post_init__(self) -> None:
        self.journal = FlightJournal(self.folder, WORKER)
        self.telco = Telco(clock=self.clock)
        self.departures = self.of(self.store, self.journal)

    def of(self, store: Store, journal: FlightJournal) -> Departures:
        pace = Pace(store=store, gateway="trial", rate=self.rate, clock=self.clock)
        return Departures(
            clock=self.clock,
            pace=pace,
            journal=journal,
            hours=self.hours,
            at=self.points.append,
        )

    def parcel(self, messages: Sequence[Claimed] = FOUR, **changes: Any) -> Parcel:
        """Messages that were claimed just now."""
        values = {"claimed_at": self.clock.monotonic(), "started_at": self.clock.now()}
        return Parcel(messages=messages, **(values | changes))

    def sent(self, parcel: Parcel | None = None, telco: Telco | None = None) -> Parcel:
        """A parcel that was handed over, as far as it might be."""
        parcel = parcel or self.parcel()
        self.departures.send(telco or self.telco, parcel)
        return parcel

    def recorded(self) -> set[int]:
        """The messages that the journal holds."""
        return {message for message, _attempt in departed(self.folder, WORKER) or ()}


@pytest.fixture
def airfield(sqlite_store: Store, tmp_path: Path) -> Iterator[Airfield]:
    """Departures without a contract."""
    with sqlite_store.write() as connection:
        lanes.ensure(connection, "trial")
    made = Airfield(store=sqlite_store, folder=tmp_path)
    yield made
    made.journal.close()


def held_back(parcel: Parcel) -> bool:
    """Nothing of a parcel has left, and it says so."""
    return not parcel.departed and [HELD_BACK] * len(parcel.messages) == list(parcel.outcomes)


def test_what_is_cleared_is_handed_over(airfield: Airfield) -> None:
    """Each message has its outcome, and is known to have left."""
    parcel = airfield.sent()
    kinds = {outcome.kind for outcome in parcel.outcomes}
    assert ({1, 2, 3, 4}, {OutcomeKind.ACCEPTED}, 4) == (
        parcel.departed,
        kinds,
        len(airfield.telco.taken),
    )


def test_a_message_is_in_the_journal_before_it_leaves(airfield: Airfield) -> None:
    """A process that dies at that moment has not left without a trace."""
    seen: list[set[int]] = []
    airfield.telco.at_work = lambda: seen.append(airfield.recorded())
    airfield.sent()
    assert [{1, 2, 3, 4}] == seen


def test_the_points_of_a_departure_are_told(airfield: Airfield) -> None:
    """Whoever ends a process at a named point ends it there."""
    airfield.sent()
    assert ["departing", "answered"] == airfield.points


def test_the_journal_keeps_the_number_of_the_hand_over(airfield: Airfield) -> None:
    """An earlier attempt of the same message proves nothing about this one."""
    airfield.sent(airfield.parcel([a_claim(7, attempt=3)]))
    assert {(7, 3)} == departed(airfield.folder, WORKER)


# -- what may stop it ------------------------------------------------------------------------------


def test_nothing_leaves_a_lane_that_is_grounded(airfield: Airfield) -> None:
    """Neither bytes nor an entry in the journal."""
    airfield.departures.grounded = "does not answer"
    assert (True, set(), []) == (
        held_back(airfield.sent()),
        airfield.recorded(),
        airfield.telco.offered,
    )


def test_a_probe_leaves_a_lane_that_is_grounded(airfield: Airfield) -> None:
    """Somebody must find out whether the gateway answers again."""
    airfield.departures.grounded = "does not answer"
    assert {1, 2, 3, 4} == airfield.sent(airfield.parcel(is_probe=True)).departed


def test_nothing_leaves_a_lane_that_is_closed(airfield: Airfield) -> None:
    """Who is asked to stop does not even probe."""
    airfield.departures.closed = True
    assert held_back(airfield.sent(airfield.parcel(is_probe=True)))


@pytest.mark.parametrize(("stopped", "leaves"), [({1}, False), ({2}, False), ({3}, True)])
def test_nothing_leaves_of_a_run_that_was_stopped(
    airfield: Airfield, stopped: set[int], *, leaves: bool
) -> None:
    """What would leave together with it stays, too."""
    airfield.departures.stopped_runs = frozenset(stopped)
    assert leaves is not held_back(airfield.sent())


@pytest.mark.parametrize(("seconds", "leaves"), [(-61, True), (-59, False), (1, False)])
def test_what_was_held_for_too_long_stays(
    airfield: Airfield, seconds: float, *, leaves: bool
) -> None:
    """A minute before others take a message for lost it must not leave any more."""
    parcel = airfield.parcel()
    airfield.clock.sleep(LEASE.total_seconds() + seconds)
    assert leaves is not held_back(airfield.sent(parcel))


@pytest.mark.parametrize(("hours", "leaves"), [(NIGHT, False), (None, True)])
def test_nothing_leaves_outside_the_hours(
    sqlite_store: Store, tmp_path: Path, hours: SendingHours | None, *, leaves: bool
) -> None:
    """At eight in the morning nobody is texted of whom it is said: from eight in the evening."""
    airfield = Airfield(store=sqlite_store, folder=tmp_path, hours=hours)
    assert leaves is not held_back(airfield.sent())
    airfield.journal.close()


class FullJournal(FlightJournal):
    """A journal on a disk without space."""

    def record(self, flights: Iterable[Flight]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_leaves_that_the_journal_cannot_keep(airfield: Airfield) -> None:
    """A full disk grounds the lane with its reason."""
    full = FullJournal(airfield.folder / "full", WORKER)
    airfield.departures = airfield.of(airfield.store, full)
    parcel = airfield.sent()
    full.close()
    assert (
        True,
        [],
        "cannot send: its flight journal cannot be written (No space left on device)",
    ) == (
        held_back(parcel),
        airfield.telco.offered,
        airfield.departures.grounded,
    )


class AwayStore(Store):
    """A ledger that is away."""

    def write(self, *, durable: bool = True) -> Any:
        raise StoreAwayError("The ledger is away.")


def test_nothing_leaves_without_its_turn(sqlite_store: Store, tmp_path: Path) -> None:
    """Where the shared rate cannot be reached, the lane is grounded with the reason."""
    away = AwayStore(f"sqlite:///{tmp_path}/away.db")
    airfield = Airfield(store=away, folder=tmp_path, rate=Rate(10))
    parcel = airfield.sent()
    away.close()
    airfield.journal.close()
    assert (True, "cannot send: The ledger is away.") == (
        held_back(parcel),
        airfield.departures.grounded,
    )


# -- waiting for a slot ----------------------------------------------------------------------------


@pytest.fixture
def slow(sqlite_store: Store, tmp_path: Path) -> Iterator[Airfield]:
    """Departures of two messages a second, whose first slot is gone."""
    with sqlite_store.write() as connection:
        lanes.ensure(connection, "trial")
    made = Airfield(store=sqlite_store, folder=tmp_path, rate=Rate(2))
    made.sent(made.parcel(FOUR[:1]))
    yield made
    made.journal.close()


def waited(airfield: Airfield) -> float:
    return airfield.clock.monotonic() - START.timestamp()


def test_a_message_waits_for_its_slot(slow: Airfield) -> None:
    """It leaves at its moment, and not before."""
    parcel = slow.sent(slow.parcel(FOUR[1:2]))
    assert ({2}, pytest.approx(0.5025, abs=1e-5)) == (parcel.departed, waited(slow))


def test_a_parcel_waits_until_the_one_before_has_had_its_time(slow: Airfield) -> None:
    """Three messages that leave together take the time of three."""
    slow.sent(slow.parcel(FOUR[1:]))
    parcel = slow.sent(slow.parcel(FOUR[:1]))
    assert ({1}, pytest.approx(4 * 0.5025, abs=1e-5)) == (parcel.departed, waited(slow))


def test_a_slot_that_was_slept_through_is_lost(slow: Airfield) -> None:
    """A machine that was suspended does not leave late, but on another slot."""
    slow.clock.happens = lambda: slow.clock.sleep(100)
    parcel = slow.sent(slow.parcel(FOUR[1:2]))
    following = slow.sent(slow.parcel(FOUR[2:3]))
    assert ({2}, {3}) == (parcel.departed, following.departed)
    first, second = slow.telco.seconds[-2:]
    assert pytest.approx(0.5025, abs=1e-5) == second - first


@pytest.mark.parametrize(
    "happens",
    [
        lambda departures: setattr(departures, "closed", True),
        lambda departures: setattr(departures, "grounded", "does not answer"),
        lambda departures: setattr(departures, "stopped_runs", frozenset({1})),
    ],
    ids=["closed", "grounded", "stopped"],
)
def test_who_waits_for_a_slot_may_still_be_stopped(
    slow: Airfield, happens: Callable[[Departures], None]
) -> None:
    """What is said while a message waits counts for it."""
    slow.clock.happens = lambda: happens(slow.departures)
    assert held_back(slow.sent(slow.parcel(FOUR[1:2])))


# -- adapters with a defect ------------------------------------------------------------------------


def test_an_adapter_that_raises_leaves_a_doubt(airfield: Airfield) -> None:
    """What it had been cleared for may have been taken; the error's words are not repeated."""
    parcel = airfield.sent(telco=Odd(clock=airfield.clock, ends=broken))
    assert ([RAISED] * 4, {1, 2, 3, 4}) == (parcel.outcomes, parcel.departed)


def test_an_adapter_that_raises_before_it_asks_leaves_no_doubt(airfield: Airfield) -> None:
    """Without clearance not a byte has left."""
    assert held_back(airfield.sent(telco=Odd(clock=airfield.clock, pieces=(), ends=broken)))


@pytest.mark.parametrize("count", [0, 3, 5])
def test_an_adapter_that_miscounts_leaves_a_doubt(airfield: Airfield, count: int) -> None:
    """Nobody can tell which outcome is whose."""
    odd = Odd(clock=airfield.clock, ends=lambda _cleared: [ACCEPTED] * count)
    parcel = airfield.sent(telco=odd)
    assert [MISCOUNTED] * 4 == parcel.outcomes


def test_an_adapter_may_clear_a_part(airfield: Airfield) -> None:
    """What it did not ask for, or was refused, is held back; the rest has its answer."""
    odd = Odd(
        clock=airfield.clock,
        pieces=(slice(0, 1), slice(2, 3)),
        ends=lambda _cleared: [ACCEPTED, HELD_BACK, UNKNOWN, HELD_BACK],
    )
    parcel = airfield.sent(telco=odd)
    assert ([ACCEPTED, HELD_BACK, UNKNOWN, HELD_BACK], {1, 3}, {1, 3}) == (
        parcel.outcomes,
        parcel.departed,
        airfield.recorded(),
    )


def test_an_adapter_that_raises_after_a_part_leaves_a_doubt_about_that_part(
    airfield: Airfield,
) -> None:
    """The others have surely not left."""
    odd = Odd(clock=airfield.clock, pieces=(slice(0, 2),), ends=broken)
    parcel = airfield.sent(telco=odd)
    assert [RAISED, RAISED, HELD_BACK, HELD_BACK] == parcel.outcomes


def test_an_adapter_that_asks_for_a_stranger_leaves_no_doubt(airfield: Airfield) -> None:
    """A message that is not of the parcel gets no clearance."""
    stranger = Outbound(reference="x-1", address="", network="", text="", segments=1)

    @dataclass(kw_only=True)
    class Confused(Telco):
        def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
            clear([stranger])
            return [ACCEPTED] * len(batch)

    assert held_back(airfield.sent(telco=Confused(clock=airfield.clock)))


# -- what people are told --------------------------------------------------------------------------


def test_why_nothing_leaves_is_told(airfield: Airfield) -> None:
    """The lane's reason, and nothing while all is well."""
    before = airfield.departures.waits_because()
    airfield.departures.grounded = "does not answer"
    assert ("", "does not answer") == (before, airfield.departures.waits_because())


def test_when_the_hours_begin_is_told(sqlite_store: Store, tmp_path: Path) -> None:
    """In local time, with the day."""
    airfield = Airfield(store=sqlite_store, folder=tmp_path, hours=NIGHT)
    airfield.journal.close()
    assert "is outside its sending hours 20:00-21:00; goes on at 01/06 20:00" == (
        airfield.departures.waits_because()
    )
