"""What a lane takes next: whose turn it is, and which part of each run is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smsengine.gateways.base import Capabilities
from smsengine.period import Period
from smsengine.sending.claiming import Claimer, Work
from smsengine.sending.retrying import MAX_ATTEMPTS
from smsengine.sending.routing import Route, alone, ordered, weighted
from smsengine.store.outbox import Repeats
from smsengine.store.runs import Run
from tests.conftest import START, Office, rows
from tests.doubles.telco import SIMPLE
from tests.unit.sending.conftest import ELSEWHERE

#: A gateway that knows a reference again for a day.
DAY = replace(SIMPLE, idempotency_seconds=86_400)
TRUST = {"trial": 1.0, "other": 1.0}
BOTH = Route(name="both", steps=(ordered(["trial", "other"]),))
HALVES = Route(name="both", steps=(weighted({"trial": 1, "other": 1}),))


def a_claimer(office: Office, gateway: str = "trial", sheet: Capabilities = SIMPLE) -> Claimer:
    return Claimer(gateway=gateway, worker=ELSEWHERE, clock=office.clock, sheet=sheet)


def work(office: Office, *runs: Run, route: Route | None = None, **changes: Any) -> Work:
    """These runs are being sent, through their gateway alone or through a route."""
    office.change("UPDATE runs SET state = 'sending'")
    found = [office.run(run.id) for run in runs]
    routes = {run.gateway: route or alone(run.gateway) for run in found}
    return Work(**({"runs": found, "routes": routes, "trust": TRUST} | changes))


def take(
    office: Office,
    claimer: Claimer,
    work: Work,
    room: int = 100,
    trust: Mapping[str, float] | None = None,
) -> list[tuple[int, int]]:
    """The run and place of each message that was taken."""
    with office.store.write() as connection:
        taken = claimer.take(connection, work, room, trust or work.trust)
    return [(message.run_id, message.place) for message in taken]


def unknown(office: Office, places: str, gateway: str = "trial", minutes: int = 5) -> None:
    """Hand-overs that began some minutes ago ended unknown."""
    since = (START - timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S.000000")
    office.change(
        f"UPDATE messages SET state = 'unknown', gateway = ?, unknown_since = '{since}',"
        f" burnt = 1, attempt = 1 WHERE place IN ({places})",
        gateway,
    )


def second_run(office: Office, count: int, **changes: Any) -> Run:
    """A run of another period."""
    return office.released(rows(count), recipe_period=Period.parse("2019-05"), **changes)


def test_a_run_is_taken_from_the_top(office: Office) -> None:
    """Bit by bit, in the order of places, until nothing is left."""
    found, claimer = work(office, office.released(rows(5))), a_claimer(office)
    taken = [take(office, claimer, found, room=2) for _ in range(4)]
    assert [[(1, 1), (1, 2)], [(1, 3), (1, 4)], [(1, 5)], []] == taken


def test_a_claim_is_filled_from_the_next_run(office: Office) -> None:
    """What one run does not need goes to the others in the same transaction."""
    found = work(office, office.released(rows(2)), second_run(office, 5))
    assert [(1, 1), (1, 2), (2, 1)] == take(office, a_claimer(office), found, room=3)


def test_runs_take_turns(office: Office) -> None:
    """Equally urgent ones get the same, however large they are."""
    found = work(office, office.released(rows(8)), second_run(office, 4))
    claimer = a_claimer(office)
    taken = [take(office, claimer, found, room=2)[0][0] for _ in range(4)]
    assert [1, 2, 1, 2] == taken


def test_a_run_of_another_gateway_is_not_looked_at(office: Office) -> None:
    """A lane that is not on a run's route takes nothing of it."""
    found = work(office, office.released(rows(2)))
    claimer = a_claimer(office, "other")
    assert (False, []) == (claimer.may_find(found), take(office, claimer, found))


def test_where_nothing_was_found_it_is_not_looked_again_at_once(office: Office) -> None:
    """A run whose messages are all due later costs two transactions a second, not twenty."""
    office.released(rows(1))
    office.change("UPDATE messages SET state = 'expired', settled_at = due_at")
    found, claimer = work(office, office.run(1)), a_claimer(office)
    seen = [claimer.may_find(found)]
    take(office, claimer, found)
    seen.append(claimer.may_find(found))
    office.clock.sleep(0.5)
    assert [True, False, True] == [*seen, claimer.may_find(found)]


def test_a_gateway_that_is_not_trusted_takes_nothing(office: Office) -> None:
    """One that does not answer gets no message of any run."""
    found = work(office, office.released(rows(2)), trust={"trial": 0.0})
    assert [] == take(office, a_claimer(office), found)


# -- routes ----------------------------------------------------------------------------------------


def test_two_gateways_share_a_run(office: Office) -> None:
    """Each takes its own half, and together they take each message once."""
    found = work(office, office.released(rows(120)), route=HALVES)
    taken = [
        [place for _, place in take(office, a_claimer(office, name), found, room=200)]
        for name in ("trial", "other")
    ]
    expected = [
        [p for p in range(1, 121) if p % 100 < 50],
        [p for p in range(1, 121) if p % 100 >= 50],
    ]
    assert expected == taken


def test_a_share_is_taken_bit_by_bit(office: Office) -> None:
    """Behind what others take, the search goes on where it ended."""
    found, claimer = work(office, office.released(rows(120)), route=HALVES), a_claimer(office)
    taken: list[tuple[int, int]] = []
    while more := take(office, claimer, found, room=7):
        taken += more
    assert [(1, place) for place in range(1, 121) if place % 100 < 50] == taken


def test_what_came_back_behind_the_search_is_found(office: Office) -> None:
    """When the end of a share is reached, the search begins anew."""
    found, claimer = work(office, office.released(rows(60)), route=HALVES), a_claimer(office)
    take(office, claimer, found, room=10)
    office.change(
        "UPDATE messages SET state = 'queued', gateway = NULL, worker = NULL WHERE place = 3"
    )
    rest = [(1, place) for place in range(11, 50)]
    assert (rest, [(1, 3)]) == (
        take(office, claimer, found, room=40),
        take(office, claimer, found, room=40),
    )


def test_a_gateway_takes_over_what_another_leaves(office: Office) -> None:
    """While the first is not trusted, the next one has everything."""
    found = work(office, office.released(rows(5)), route=BOTH)
    trust = {"trial": 0.0, "other": 1.0}
    taken = take(office, a_claimer(office, "other"), found, trust=trust)
    assert [(1, place) for place in range(1, 6)] == taken


def test_what_is_pinned_goes_first_and_to_its_gateway_only(office: Office) -> None:
    """A message that others refused under our name waits for one gateway alone."""
    found = work(office, office.released(rows(4)), route=BOTH)
    office.change("UPDATE messages SET gateway = 'other' WHERE place = 3")
    trial, other = a_claimer(office), a_claimer(office, "other")
    assert ([(1, 3)], [(1, 1), (1, 2), (1, 4)]) == (
        take(office, other, found),
        take(office, trial, found),
    )


def test_what_is_pinned_says_so(office: Office) -> None:
    """Held back, it must be pinned again."""
    found = work(office, office.released(rows(2)), route=BOTH)
    office.change("UPDATE messages SET gateway = 'trial' WHERE place = 2")
    with office.store.write() as connection:
        taken = a_claimer(office).take(connection, found, 100, TRUST)
    assert [(2, True), (1, False)] == [(message.place, message.pinned) for message in taken]


# -- doubts ----------------------------------------------------------------------------------------


def test_a_gateway_without_a_window_repeats_nothing(office: Office) -> None:
    """It would send twice."""
    found = work(office, office.released(rows(2)))
    unknown(office, "1, 2")
    claimer = a_claimer(office)
    assert (None, []) == (claimer.repeats(), take(office, claimer, found))


def test_what_may_be_repeated_follows_from_the_window(office: Office) -> None:
    """Ten minutes before the gateway forgets, and below the limit of attempts."""
    since = START - timedelta(hours=23, minutes=50)
    assert Repeats(since=since, burnt_below=MAX_ATTEMPTS) == a_claimer(office, sheet=DAY).repeats()


def test_doubts_go_before_everything_else(office: Office) -> None:
    """The sooner they are repeated, the surer the gateway remembers."""
    found = work(office, office.released(rows(3)))
    unknown(office, "2")
    assert [(1, 2), (1, 1)] == take(office, a_claimer(office, sheet=DAY), found, room=2)


@pytest.mark.parametrize(("minutes", "repeated"), [(1, True), (1429, True), (1431, False)])
def test_a_doubt_is_repeated_within_the_window_only(
    office: Office, minutes: int, *, repeated: bool
) -> None:
    """Later the gateway may take it for a new message."""
    found = work(office, office.released(rows(1)))
    unknown(office, "1", minutes=minutes)
    assert repeated == bool(take(office, a_claimer(office, sheet=DAY), found))


def test_a_doubt_is_repeated_by_its_own_gateway_only(office: Office) -> None:
    """Another one would surely send it."""
    found = work(office, office.released(rows(1)), route=BOTH)
    unknown(office, "1", gateway="other")
    assert [] == take(office, a_claimer(office, sheet=DAY), found)


def test_a_doubt_has_its_limit_of_attempts(office: Office) -> None:
    """A gateway that never answers is not asked for ever."""
    found = work(office, office.released(rows(1)))
    unknown(office, "1")
    office.change(f"UPDATE messages SET burnt = {MAX_ATTEMPTS}")
    assert [] == take(office, a_claimer(office, sheet=DAY), found)


@pytest.mark.parametrize(
    ("state", "repeated"),
    [("sending", True), ("finished", True), ("paused", False), ("cancelled", False)],
)
def test_a_doubt_of_a_run_that_was_stopped_is_not_repeated(
    office: Office, state: str, *, repeated: bool
) -> None:
    """A pause is a pause for doubts as well; the end of a run is none."""
    found = work(office, office.released(rows(1)))
    unknown(office, "1")
    office.change("UPDATE runs SET state = ?", state)
    assert repeated == bool(take(office, a_claimer(office, sheet=DAY), found))


def test_where_no_doubt_was_found_it_is_not_looked_again_at_once(office: Office) -> None:
    """An idle lane with a window costs two transactions a second."""
    nothing, claimer = Work(), a_claimer(office, sheet=DAY)
    seen = [claimer.may_find(nothing)]
    take(office, claimer, nothing)
    seen.append(claimer.may_find(nothing))
    office.clock.sleep(0.5)
    assert [True, False, True] == [*seen, claimer.may_find(nothing)]


def test_a_run_that_was_stopped_is_left_out(office: Office) -> None:
    """What a lane has stopped itself is not taken, before anybody else has told it so."""
    found = work(office, office.released(rows(2)), second_run(office, 2))
    assert [(2, 1), (2, 2)] == take(office, a_claimer(office), found.without(frozenset({1})))
