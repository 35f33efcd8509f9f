"""Each answer of a gateway, from the claim to what the ledger says."""

from __future__ import annotations

from smsengine.lifecycle import RunState
from tests.conftest import rows
from tests.doubles.telco import Telco
from tests.unit.sending.conftest import Dispatch


def test_what_is_accepted_is_settled(dispatch: Dispatch, telco: Telco) -> None:
    """Every message is handed over once, with the gateway's name for it, and the run ends."""
    office = dispatch.office
    run = office.released(rows(5))
    dispatch.drain(run, trial=telco)
    assert (["accepted"] * 5, 5, RunState.FINISHED) == (
        office.states(),
        len(telco.taken),
        office.run(run.id).state,
    )
