"""What is under way when a dispatcher ends, and when nothing may be claimed."""

from __future__ import annotations

import threading

from smsengine.errors import ConfigError
from smsengine.lifecycle import RunState
from smsengine.sending.routing import Route
from tests.conftest import rows
from tests.doubles.telco import Telco
from tests.unit.sending.conftest import Dispatch


def test_all_that_is_under_way_lands(dispatch: Dispatch, telco: Telco) -> None:
    dispatch.office.released(rows(5))
    dispatcher = dispatch.build({"trial": telco})
    assert dispatcher.serve(lambda: len(telco.offered) >= 5)
    assert ["accepted"] * 5 == dispatch.office.states()


def test_a_hand_over_that_hangs_is_said(dispatch: Dispatch, telco: Telco) -> None:
    """New lanes beside it would take what it holds for never sent."""
    held, dispatch.threads = threading.Event(), 1
    left = threading.Event()

    def hang() -> None:
        left.set()
        held.wait(60)

    telco.at_work = hang
    dispatch.office.released(rows(1))
    landed = dispatch.build({"trial": telco}).serve(left.is_set)
    states = dispatch.office.states()
    held.set()
    assert (False, ["sending"]) == (landed, states)


def test_nothing_is_claimed_while_nothing_may_be(dispatch: Dispatch, telco: Telco) -> None:
    """The ledger came back, and nobody knows yet whether it is the right one."""
    run = dispatch.office.released(rows(3))
    looks: list[int] = []

    def may_claim() -> bool:
        looks.append(1)
        return len(looks) > 40

    dispatcher = dispatch.build({"trial": telco})
    dispatcher.serve(lambda: len(looks) >= 40, may_claim=may_claim)
    assert ([], ["queued"] * 3) == (telco.offered, dispatch.office.states())
    dispatch.build({"trial": telco}).serve(lambda: len(telco.offered) >= 3)
    assert RunState.SENDING == dispatch.office.run(run.id).state


def test_a_run_without_a_route_is_told_once(dispatch: Dispatch, telco: Telco) -> None:
    """Its gateway is not in the configuration any more; the log is not filled with it."""

    def route(name: str) -> Route:
        raise ConfigError(f"lacks {name!r}.")

    dispatch.office.released(rows(3))
    dispatch.route = route  # type: ignore[method-assign]
    dispatch.serve_for(60, other=telco)
    assert 1 == sum(said.startswith("Run ") for said in dispatch.said)
