"""What becomes of messages whose worker is lost, and of a worker that was only taken for lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from smsengine.gateways.base import Outcome
from smsengine.identity import own_identity
from smsengine.lifecycle import RunState
from smsengine.sending.journal import FlightJournal, workers
from smsengine.sending.tending import RunTender, recover
from smsengine.store import claims, outbox
from smsengine.store.claims import LEASE, Claimed
from smsengine.store.outbox import Repeats
from smsengine.store.runs import Run
from tests.conftest import START, Office, rows
from tests.doubles.telco import ACCEPTED, REJECTED, SIMPLE, TRANSIENT, UNKNOWN, Telco
from tests.unit.sending.conftest import ELSEWHERE, Dispatch, gone, phone_of

#: Another process, that looks after what was lost.
OTHER = "elsewhere:10:10:10"
MESSAGES = "SELECT state, gateway, worker, burnt FROM messages ORDER BY place"


def recovered(dispatch: Dispatch, ask_after: Mapping[str, timedelta] | None = None) -> int:
    """Another process looks after the lost; how many messages it moved."""
    return recover(
        dispatch.office.store,
        flights=dispatch.flights,
        worker=OTHER,
        now=dispatch.clock.now(),
        ask_after=ask_after or {},
    )


@pytest.fixture
def run(office: Office) -> Run:
    """A run of four messages."""
    return office.released(rows(4))


# -- workers that have ended -----------------------------------------------------------------------


def test_a_journal_tells_what_left(dispatch: Dispatch, run: Run) -> None:
    """What a worker that is gone was handing over is unknown; the rest waits as before."""
    dispatch.left_behind(run, gone(), departed=[2, 3])
    moved = recovered(dispatch)
    free, lost = ("queued", None, None, 0), ("unknown", "trial", gone(), 0)
    assert (4, [free, lost, lost, free]) == (moved, dispatch.office.all(MESSAGES))


def test_a_worker_that_is_gone_is_not_waited_for(
    dispatch: Dispatch, telco: Telco, run: Run
) -> None:
    """A process of this machine that has ended needs no lease to run out."""
    dispatch.left_behind(run, gone())
    dispatch.drain(run, trial=telco)
    assert (["accepted"] * 4, True) == (
        dispatch.office.states(),
        dispatch.clock.now() - START < timedelta(seconds=1),
    )
    assert dispatch.said[0].startswith("4 messages are not in hand any more")


def test_an_earlier_flight_is_no_proof_of_a_later_one(dispatch: Dispatch, run: Run) -> None:
    """The journal is asked for the very hand-over that the ledger speaks of."""
    (first, *_rest) = dispatch.left_behind(run, gone())
    journal = FlightJournal(dispatch.flights, gone())
    journal.record([(first.id, first.attempt - 1), (first.id, first.attempt + 1)])
    journal.close()
    recovered(dispatch)
    assert ["queued"] * 4 == dispatch.office.states()


def test_without_a_journal_all_is_unknown(dispatch: Dispatch, run: Run) -> None:
    """Where its folder is not kept over restarts nobody can tell."""
    dispatch.left_behind(run, gone())
    dispatch.flights.joinpath(f"{gone()}.flights").unlink()
    recovered(dispatch)
    assert ["unknown"] * 4 == dispatch.office.states()


def test_after_a_new_start_of_the_machine_all_is_unknown(dispatch: Dispatch, run: Run) -> None:
    """A power cut may have taken the journal's end."""
    dispatch.left_behind(run, gone())
    path = dispatch.flights / f"{gone()}.flights"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    recovered(dispatch)
    assert ["unknown"] * 4 == dispatch.office.states()


@pytest.mark.parametrize("worker", [ELSEWHERE, own_identity()], ids=["elsewhere", "here"])
@pytest.mark.parametrize(("seconds", "state"), [(-1, "sending"), (1, "unknown")])
def test_a_worker_that_may_live_keeps_its_lease(
    dispatch: Dispatch, run: Run, worker: str, seconds: float, state: str
) -> None:
    """On another machine, or only slow: its messages are unknown when its lease is over."""
    dispatch.left_behind(run, worker)
    dispatch.clock.sleep(LEASE.total_seconds() + seconds)
    recovered(dispatch)
    assert [state] * 4 == dispatch.office.states()


def test_what_is_lost_stays_with_its_gateway(dispatch: Dispatch, run: Run) -> None:
    """It is pinned there, with the beginning of its doubt and the reason."""
    dispatch.left_behind(run, gone(), departed=[1, 2, 3, 4])
    dispatch.clock.sleep(60)
    recovered(dispatch)
    with dispatch.office.store.read() as connection:
        doubts = outbox.doubts_due(
            connection, "trial", now=START + timedelta(hours=1), repeats=None, limit=9
        )
    assert ([START] * 4, [("trial", "worker-lost")]) == (
        [each.unknown_since for each in doubts],
        dispatch.office.all("SELECT DISTINCT gateway, code FROM messages"),
    )


def test_a_lost_hand_over_is_written_down(dispatch: Dispatch, run: Run) -> None:
    """The attempt ended unknown, with its worker; what never left was no attempt."""
    dispatch.left_behind(run, gone(), departed=[3])
    recovered(dispatch)
    assert [(3, 1, "trial", gone(), "unknown", "worker-lost")] == dispatch.office.all(
        "SELECT m.place, a.number, a.gateway, a.worker, a.outcome, a.code"
        " FROM attempts a JOIN messages m ON m.id = a.message_id"
    )


@pytest.mark.parametrize(
    ("ask_after", "seconds"),
    [({"trial": timedelta(seconds=90)}, 90), ({"trial": timedelta(0)}, 0), ({}, 60)],
)
def test_what_is_lost_is_asked_about_when_it_has_surely_arrived(
    dispatch: Dispatch, run: Run, ask_after: Mapping[str, timedelta], seconds: int
) -> None:
    """Its bytes may have left just before the worker ended; of an unknown gateway, a minute."""
    dispatch.left_behind(run, gone(), departed=[1])
    recovered(dispatch, ask_after)
    due = START + timedelta(seconds=seconds)
    with dispatch.office.store.read() as connection:
        found = [
            len(outbox.doubts_due(connection, "trial", now=at, repeats=None, limit=9))
            for at in (due - timedelta(milliseconds=1), due)
        ]
    assert [0, 1] == found


def repeated(dispatch: Dispatch, worker: str, *, departed: bool) -> Claimed:
    """A worker repeats the message in doubt, and is heard of no more."""
    with dispatch.office.store.write() as connection:
        (claimed,) = claims.claim_repeats(
            connection,
            gateway="trial",
            worker=worker,
            now=dispatch.clock.now(),
            repeats=Repeats(since=START - timedelta(hours=1), burnt_below=8),
            limit=1,
        )
    journal = FlightJournal(dispatch.flights, worker)
    journal.record([(claimed.id, claimed.attempt)] if departed else [])
    journal.close()
    return claimed


@pytest.mark.parametrize("departed", [False, True])
def test_a_repeat_that_is_lost_is_in_doubt_as_before(
    dispatch: Dispatch, telco: Telco, run: Run, *, departed: bool
) -> None:
    """Whether it left or not, the first hand-over is still unknown, since the same moment."""
    telco.answers[phone_of(1)] = [UNKNOWN]
    dispatch.drain(run, trial=telco)
    dispatch.clock.sleep(30)
    before = repeated(dispatch, gone(), departed=departed)
    recovered(dispatch)
    with dispatch.office.store.read() as connection:
        (doubt,) = outbox.doubts_due(
            connection, "trial", now=START + timedelta(hours=1), repeats=None, limit=9
        )
    assert (before.id, before.unknown_since) == (doubt.id, doubt.unknown_since)


@pytest.mark.parametrize(
    ("state", "states"),
    [
        ("cancelled", ["cancelled", "unknown", "cancelled", "cancelled"]),
        ("paused", ["queued", "unknown", "queued", "queued"]),
    ],
)
def test_what_never_left_of_a_stopped_run(
    dispatch: Dispatch, run: Run, state: str, states: list[str]
) -> None:
    """Of a cancelled run it is withdrawn, of a paused one it keeps its place."""
    dispatch.left_behind(run, gone(), departed=[2])
    dispatch.office.change("UPDATE runs SET state = ?", state)
    recovered(dispatch)
    assert states == dispatch.office.states()


def test_two_that_look_after_the_lost_do_it_once(dispatch: Dispatch, run: Run) -> None:
    """The second finds nothing to do."""
    dispatch.left_behind(run, gone(), departed=[1])
    assert [4, 0] == [recovered(dispatch) for _ in range(2)]


# -- journals --------------------------------------------------------------------------------------


def test_a_journal_is_kept_while_it_is_needed(dispatch: Dispatch, run: Run) -> None:
    """It goes when the worker is gone and holds nothing, and not sooner."""
    dispatch.left_behind(run, gone())
    FlightJournal(dispatch.flights, ELSEWHERE).close()
    FlightJournal(dispatch.flights, own_identity()).close()
    seen = []
    for _ in range(2):
        recovered(dispatch)
        seen.append(gone() in workers(dispatch.flights))
    kept = {ELSEWHERE, own_identity()}
    assert ([True, False], kept) == (seen, set(workers(dispatch.flights)))


def test_a_folder_that_is_not_there_is_no_trouble(dispatch: Dispatch, tmp_path: Path) -> None:
    """On a machine that never sent anything there is nothing to look after."""
    dispatch.flights = tmp_path / "none"
    assert 0 == recovered(dispatch)


# -- what the gateway says -------------------------------------------------------------------------

ASKABLE = replace(SIMPLE, can_query=True)


def test_what_a_lost_worker_had_handed_over_is_accepted(
    dispatch: Dispatch, telco: Telco, run: Run
) -> None:
    """The gateway is asked, and says that it took the messages: nobody is told twice."""
    telco.capabilities = ASKABLE
    claimed = dispatch.left_behind(run, gone(), departed=[1, 2, 3, 4])
    telco.taken = [message.reference for message in claimed]
    dispatch.drain(run, trial=telco)
    assert ([], ["accepted"] * 4) == (telco.offered, dispatch.office.states())


def test_what_a_lost_worker_had_not_handed_over_is_sent(
    dispatch: Dispatch, telco: Telco, run: Run
) -> None:
    """The gateway is asked, and never took the messages: nobody is forgotten."""
    telco.capabilities = ASKABLE
    dispatch.left_behind(run, gone(), departed=[1, 2, 3, 4])
    dispatch.drain(run, trial=telco)
    assert (4, ["accepted"] * 4) == (len(telco.taken), dispatch.office.states())


@pytest.mark.parametrize("has_it", [False, True])
def test_a_worker_that_may_be_frozen_is_no_proof(
    dispatch: Dispatch, telco: Telco, run: Run, *, has_it: bool
) -> None:
    """That the gateway has a message is one; that it has not is none: it could still come."""
    telco.capabilities = ASKABLE
    claimed = dispatch.left_behind(run, ELSEWHERE)
    telco.taken = [message.reference for message in claimed] if has_it else []
    dispatch.clock.sleep(LEASE.total_seconds() + 1)
    dispatch.drain(run, trial=telco)
    state = "accepted" if has_it else "unknown"
    assert ([], [state] * 4, True) == (telco.offered, dispatch.office.states(), bool(telco.asked))


# -- workers that were only taken for lost ---------------------------------------------------------


def freeze(dispatch: Dispatch, also: Sequence[object] = ()) -> None:
    """Nothing of this process moves for six minutes, and another one takes it for lost."""
    dispatch.clock.sleep(360)
    recovered(dispatch)
    tender = RunTender(store=dispatch.office.store, clock=dispatch.clock, actor=OTHER)
    for _ in range(2):
        tender.tend(dispatch.office.run(1))
    for each in also:
        each()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("answer", "state"), [(ACCEPTED, "accepted"), (REJECTED, "rejected"), (UNKNOWN, "unknown")]
)
def test_a_late_answer_is_the_proof_that_was_missing(
    dispatch: Dispatch, telco: Telco, run: Run, answer: Outcome, state: str
) -> None:
    """Its worker was frozen while the gateway was at work, and tells it after all."""
    telco.usual = answer
    seen: list[list[str]] = []
    telco.at_work = lambda: freeze(dispatch, [lambda: seen.append(dispatch.office.states())])
    dispatch.drain(run, trial=telco)
    assert ([["unknown"] * 4], [state] * 4, 4) == (
        seen,
        dispatch.office.states(),
        len(telco.offered),
    )


def test_a_late_answer_replaces_the_lost_attempt(
    dispatch: Dispatch, telco: Telco, run: Run
) -> None:
    """The ledger has one hand-over, with its real end."""
    telco.at_work = lambda: freeze(dispatch)
    dispatch.drain(run, trial=telco)
    assert [(1, "accepted", "")] * 4 == dispatch.office.all(
        "SELECT number, outcome, code FROM attempts ORDER BY message_id"
    )


@pytest.mark.parametrize("answer", [ACCEPTED, REJECTED, TRANSIENT])
def test_a_late_answer_changes_nothing_that_has_moved_on(
    dispatch: Dispatch, telco: Telco, run: Run, answer: Outcome
) -> None:
    """Another process has settled the doubt meanwhile: its word stands."""
    telco.usual = answer
    settled = (
        "UPDATE messages SET state = 'delivered', worker = NULL, settled_at = due_at,"
        " unknown_since = NULL, code = 'queried'"
    )
    telco.at_work = lambda: freeze(dispatch, [lambda: dispatch.office.change(settled)])
    dispatch.drain(run, trial=telco)
    assert ([("delivered", "queried")], 4) == (
        dispatch.office.all("SELECT DISTINCT state, code FROM messages"),
        len(telco.offered),
    )


def test_a_frozen_worker_does_not_hand_over_what_others_took_for_lost(
    dispatch: Dispatch, telco: Telco, run: Run
) -> None:
    """It woke up between claim and hand-over; nothing leaves on the old claim."""
    telco.capabilities = ASKABLE
    frozen: list[str] = []

    def at(point: str) -> None:
        if point == "committed" and "sending" in dispatch.office.states() and not frozen:
            frozen.append(point)
            freeze(dispatch)
            assert ["unknown"] * 4 == dispatch.office.states()

    dispatch.at = at
    dispatch.drain(run, trial=telco)
    assert (["accepted"] * 4, 4, RunState.FINISHED) == (
        dispatch.office.states(),
        len(telco.taken),
        dispatch.office.run(run.id).state,
    )


def test_what_surely_never_left_opens_its_run_again(
    dispatch: Dispatch, telco: Telco, run: Run
) -> None:
    """A run that had ended meanwhile is sent on: nothing waits in it for ever."""
    telco.usual = TRANSIENT
    telco.at_work = lambda: freeze(dispatch) if len(telco.batches) == 1 else None
    telco.answers = {phone_of(place): [TRANSIENT, ACCEPTED] for place in range(1, 5)}
    dispatch.drain(run, trial=telco)
    assert (["accepted"] * 4, RunState.FINISHED) == (
        dispatch.office.states(),
        dispatch.office.run(run.id).state,
    )
