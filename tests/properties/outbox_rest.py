"""The end of every story: nothing is left to do, and all books say the same."""

from __future__ import annotations

from datetime import timedelta

from smsengine.gateways.base import ReceiptStatus
from smsengine.lifecycle import MessageState, RunState
from smsengine.receipts.matching import match_parked
from smsengine.reports.accounts import account
from tests.properties.outbox_law import AT_REST, TOLD
from tests.properties.outbox_world import World

_MOST_TURNS = 30
#: Longer than any wait between two attempts, than a lease, and than the pause between questions.
_TURN_SECONDS = 1500


def come_to_rest(world: World) -> None:
    """Everyone goes on until nothing is left to do: all are told or accounted for."""
    while worker := world.worker(0, frozen=True):
        worker.hand_over(next(iter(worker.frozen)), [])
    world.hire(elsewhere=False)
    world.law.is_fresh = True
    for turn in range(_MOST_TURNS):
        _go_on(world)
        _end_doubts(world, by_hand=turn >= 3)
        world.check()
        if not _left_over(world):
            break
        world.pass_time(_TURN_SECONDS)
    assert not _left_over(world), _left_over(world)
    _check_books(world)


def _go_on(world: World) -> None:
    """People let everything go, and every worker does what it can."""
    for run in world.runs():
        world.decide(run, "release")
        world.decide(run, "resume")
    world.tend(world.store)
    for gateway in world.telcos:
        world.trust_again(gateway)
        for worker in [each for each in world.workers if not each.is_dead]:
            world.work(worker, gateway, [])
            while worker.can_hand_over(gateway):
                world.work(worker, gateway, [])
    world.tend(world.store)


def _end_doubts(world: World, *, by_hand: bool) -> None:
    world.recover(world.store)
    for gateway in world.telcos:
        world.ask(gateway)
    while world.answers:
        world.write_down()
    if by_hand:
        world.say_what_happened()


def _left_over(world: World) -> list[str]:
    over = {RunState.FINISHED, RunState.CANCELLED}
    return [f"{run.label} is {run.state}" for run in world.runs() if run.state not in over] + [
        f"{name} of run {row['run_id']} is {row['state']} since {row['due_at']}"
        for name, row in world.law.rows.items()
        if row["state"] not in AT_REST
    ]


def _check_books(world: World) -> None:
    """The telcos' book is the ledger's, and what telcos said of a message is known."""
    now = world.clock.now()
    for gateway in world.telcos:
        # As a duty does: what came while its message was being sent may have come long ago.
        match_parked(world.store, gateway, now, since=now - timedelta(days=3650))
    world.check()
    told = {name for name, row in world.law.rows.items() if row["state"] in TOLD}
    assert told == set(world.truth.taken), told ^ set(world.truth.taken)
    for run in world.runs():
        found = account(world.store, run.id)
        assert found is not None
        assert not found.breaks, found.breaks
    for name, statuses in world.reported.items():
        row = world.law.rows[name]
        by_id = row["gateway_id"] == world.truth.taken[name].name
        if (by_id or world.naming != "id") and name not in world.unclear:
            assert _last_word(statuses) == row["state"], f"{name}: {statuses}, {row['state']}"


def _last_word(statuses: set[ReceiptStatus]) -> MessageState:
    """Delivered wins."""
    if ReceiptStatus.DELIVERED in statuses:
        return MessageState.DELIVERED
    undelivered = ReceiptStatus.UNDELIVERED in statuses
    return MessageState.UNDELIVERED if undelivered else MessageState.ACCEPTED
