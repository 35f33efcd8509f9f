"""What a dispatcher settles is counted, a round at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from smsengine.service.bootstrap import Engine
from smsengine.service.tally import Tally
from smsengine.store.engine import Store
from tests.conftest import Office, rows


def test_a_dispatcher_counts_its_hand_overs(
    installation: Callable[..., Engine], store: Store, office: Office
) -> None:
    """As the daemon wires it, on both databases."""
    engine = installation()
    engine.__dict__["store"] = store
    run = office.released(rows(7))
    tally = Tally()
    with closing(engine.gateway("trial")) as gateway:
        dispatcher = engine.dispatcher(
            {"trial": gateway}, receive=tally.received, count=tally.settled
        )
        dispatcher.drain(run)
    assert office.states() == ["accepted"] * 7
    assert tally.hand_overs() == {("trial", "accepted", "accepted"): 7}
    assert tally.receipts() == {}
