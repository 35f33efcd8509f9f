"""The ledger is away, the disk is full, an adapter is wrong: nothing is lost or goes twice."""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from smsengine.errors import StoreAwayError
from smsengine.gateways.base import HELD_BACK, Capabilities, Clearance, Outbound, Outcome
from smsengine.lifecycle import RunState
from smsengine.sending.journal import Flight, FlightJournal
from smsengine.sending.pace import Rate
from smsengine.store.engine import Store
from tests.conftest import rows
from tests.doubles.telco import ACCEPTED, LOST_ANSWER, SIMPLE, TRANSIENT, Telco
from tests.unit.sending.conftest import Dispatch, phone_of

HELD = "SELECT count(*) FROM messages WHERE worker IS NOT NULL OR lease_until IS NOT NULL"


class Unreliable(Store):
    """A ledger that is away now and then.

    ``faults`` are what happens to one transaction after the other: it does not begin (``before``),
    it is undone (``undone``), or it is done and its answer is lost (``after``).
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store.engine.url.render_as_string(hide_password=False))
        self.faults: list[str] = []
        self.met = Counter[str]()

    def _fault(self) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        self.met[fault] += 1
        return fault

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        fault = self._fault()
        if fault == "before":
            raise StoreAwayError("The ledger is away.")
        with super().write(durable=durable) as connection:
            yield connection
            if fault == "undone":
                raise StoreAwayError("The ledger is away.")
        if fault == "after":
            raise StoreAwayError("The ledger is away.")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self._fault():
            raise StoreAwayError("The ledger is away.")
        with super().read() as connection:
            yield connection


@pytest.fixture
def unreliable(dispatch: Dispatch) -> Iterator[Unreliable]:
    """The dispatcher's own way to the ledger."""
    dispatch.store = made = Unreliable(dispatch.office.store)
    yield made
    made.close()


def each_once(dispatch: Dispatch, telco: Telco, count: int) -> bool:
    """All is accepted, the run has ended, and everybody was texted once."""
    accepted = ["accepted"] * count == dispatch.office.states()
    finished = dispatch.office.run(1).state is RunState.FINISHED
    return accepted and finished and [count, count] == [len(telco.taken), len(set(telco.taken))]


# -- a ledger that is away -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["before", "undone", "after"])
@pytest.mark.parametrize("which", range(12))
def test_one_transaction_that_fails(
    dispatch: Dispatch, telco: Telco, unreliable: Unreliable, kind: str, which: int
) -> None:
    """Whichever it is, and whether it was done or not."""
    dispatch.batch = 8
    run = dispatch.office.released(rows(30))
    unreliable.faults = [*[""] * which, kind]
    dispatch.drain(run, trial=telco)
    assert (True, [(0,)], 1) == (
        each_once(dispatch, telco, 30),
        dispatch.office.all(HELD),
        unreliable.met[kind],
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_ledger_that_comes_and_goes(
    dispatch: Dispatch, telco: Telco, unreliable: Unreliable, seed: int
) -> None:
    """In whatever order transactions fail, each message is sent once."""
    chance = random.Random(seed)
    kinds = ["", "", "before", "undone", "after"]
    unreliable.faults = [chance.choice(kinds) for _ in range(120)]
    dispatch.batch = chance.choice([3, 8, 50])
    telco.answers = {phone_of(place): [TRANSIENT] for place in chance.sample(range(1, 41), 4)}
    dispatch.drain(dispatch.office.released(rows(40)), trial=telco)
    assert (True, [(0,)]) == (each_once(dispatch, telco, 40), dispatch.office.all(HELD))


@pytest.mark.parametrize("seed", range(4))
def test_a_ledger_that_comes_and_goes_while_answers_are_lost(
    dispatch: Dispatch, telco: Telco, unreliable: Unreliable, seed: int
) -> None:
    """Doubts are settled all the same, by a gateway that knows references again."""
    chance = random.Random(seed)
    kinds = ["", "", "before", "undone", "after"]
    unreliable.faults = [chance.choice(kinds) for _ in range(120)]
    telco.capabilities = replace(SIMPLE, idempotency_seconds=3600)
    lost = chance.sample(range(1, 41), 3)
    telco.answers = {phone_of(place): [LOST_ANSWER] for place in lost}
    run = dispatch.office.released(rows(40))
    dispatch.drain(run, trial=telco)
    assert each_once(dispatch, telco, 40)


def test_what_comes_back_while_the_ledger_is_away_is_kept(
    dispatch: Dispatch, telco: Telco, unreliable: Unreliable
) -> None:
    """The gateway's answers are settled when the ledger is there again, minutes later."""
    telco.at_work = lambda: unreliable.faults.extend(["before"] * 60)
    dispatch.drain(dispatch.office.released(rows(5)), trial=telco)
    assert (True, 5) == (each_once(dispatch, telco, 5), len(telco.offered))


def test_people_are_told_that_the_ledger_is_away(
    dispatch: Dispatch, telco: Telco, unreliable: Unreliable
) -> None:
    """Once, when it takes longer; a hiccup is nobody's business."""
    run = dispatch.office.released(rows(5))
    unreliable.faults = ["before", "", "", "", "before", "", *["before"] * 9]
    dispatch.drain(run, trial=telco)
    assert ["The ledger is away. Trying again; nothing is lost."] == dispatch.said


# -- a disk that is full ---------------------------------------------------------------------------


class FullForAWhile(FlightJournal):
    """A journal on a disk that has space again after some tries."""

    tries = 3

    def record(self, flights: Iterable[Flight]) -> None:
        self.tries -= 1
        if self.tries >= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().record(flights)


def test_nothing_leaves_while_the_journal_cannot_be_written(
    dispatch: Dispatch, telco: Telco
) -> None:
    """When there is space again all goes out, and no attempt was burnt."""
    dispatch.journal = FullForAWhile
    dispatch.drain(dispatch.office.released(rows(20)), trial=telco)
    assert (True, [(1,)], True) == (
        each_once(dispatch, telco, 20),
        dispatch.office.all("SELECT DISTINCT burnt FROM messages"),
        "No space left on device" in dispatch.said[0],
    )


# -- adapters with a defect ------------------------------------------------------------------------


@dataclass(kw_only=True)
class Odd(Telco):
    """An adapter that takes a batch and then answers in a way of its own, so many times."""

    odd: Callable[[Sequence[Outcome]], Sequence[Outcome]] = list
    times_odd: int = 99

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        outcomes = super().send(batch, clear)
        self.times_odd -= 1
        return self.odd(outcomes) if self.times_odd >= 0 else outcomes


def broken(_outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """A defect."""
    raise RuntimeError("a text that must not be repeated")


WRONG = [broken, lambda _outcomes: [], lambda outcomes: [*outcomes, ACCEPTED]]
NAMES = ["raises", "too few", "too many"]


@pytest.mark.parametrize("odd", WRONG, ids=NAMES)
def test_an_adapter_that_is_wrong_leaves_doubts(
    dispatch: Dispatch, odd: Callable[[Sequence[Outcome]], Sequence[Outcome]]
) -> None:
    """What it had taken is neither sent again nor called accepted."""
    adapter = Odd(clock=dispatch.clock, odd=odd, times_odd=1)
    dispatch.batch = 8
    dispatch.drain(dispatch.office.released(rows(20)), trial=adapter)
    doubts = adapter.batches[0]
    assert (["unknown"] * doubts + ["accepted"] * (20 - doubts), 20) == (
        dispatch.office.states(),
        len(adapter.offered),
    )


@pytest.mark.parametrize("odd", WRONG, ids=NAMES)
def test_an_adapter_that_is_wrong_is_asked_what_it_has(
    dispatch: Dispatch, odd: Callable[[Sequence[Outcome]], Sequence[Outcome]]
) -> None:
    """Where the gateway can be asked, its defect costs nothing."""
    sheet = Capabilities(max_batch=100, can_query=True)
    adapter = Odd(clock=dispatch.clock, odd=odd, times_odd=1, capabilities=sheet)
    dispatch.drain(dispatch.office.released(rows(20)), trial=adapter)
    assert each_once(dispatch, adapter, 20)


def test_a_defect_is_written_down_without_its_words(dispatch: Dispatch) -> None:
    """The kind of the error, and nothing that may be a text or a number."""
    adapter = Odd(clock=dispatch.clock, odd=broken)
    dispatch.drain(dispatch.office.released(rows(1)), trial=adapter)
    assert [("broke-off", "RuntimeError")] == dispatch.office.all(
        "SELECT code, detail FROM messages"
    )


@dataclass(kw_only=True)
class Picky(Telco):
    """An adapter that hands over the first half of what it is given, and holds the rest back."""

    halves: list[int] = field(default_factory=list)

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        half = (len(batch) + 1) // 2
        self.halves.append(half)
        return [*super().send(batch[:half], clear), *[HELD_BACK] * (len(batch) - half)]


def test_an_adapter_that_clears_a_part_sends_all_in_the_end(dispatch: Dispatch) -> None:
    """What was held back goes out with the next hand-overs, and burns no attempt."""
    adapter = Picky(clock=dispatch.clock)
    dispatch.drain(dispatch.office.released(rows(40)), trial=adapter)
    assert (True, [(1,)]) == (
        each_once(dispatch, adapter, 40),
        dispatch.office.all("SELECT DISTINCT burnt FROM messages"),
    )


# -- the way out -----------------------------------------------------------------------------------


def test_who_is_told_to_stop_settles_what_is_under_way(dispatch: Dispatch, telco: Telco) -> None:
    """Nothing more leaves, nothing stays claimed, and what waited for its slot waits again."""
    telco.clock = dispatch.on_real_time(threads=2)
    telco.capabilities = Capabilities(max_batch=1, concurrency=2)
    dispatch.rate = Rate(20)
    dispatch.office.released(rows(40))
    dispatch.serve(lambda: len(telco.offered) >= 3, trial=telco)
    left = len(telco.taken)
    assert ({"accepted": left, "queued": 40 - left}, True, [(0,)]) == (
        Counter(dispatch.office.states()),
        3 <= left < 40,
        dispatch.office.all(HELD),
    )


def test_a_process_lets_go_of_what_an_earlier_error_left(
    dispatch: Dispatch, telco: Telco, unreliable: Unreliable, tmp_path: Path
) -> None:
    """A claim whose commit was done without an answer is not held until its lease ends."""
    run = dispatch.office.released(rows(5))
    over: list[str] = []

    def at(point: str) -> None:
        if point == "before-commit" and not over:
            over.append(point)
            unreliable.faults.append("")
            raise KeyboardInterrupt

    dispatch.at = at
    with pytest.raises(KeyboardInterrupt):
        dispatch.drain(run, trial=telco)
    assert (["queued"] * 5, [(0,)]) == (dispatch.office.states(), dispatch.office.all(HELD))
