"""A gateway whose receipts come by themselves: fetched at once, acknowledged from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
)
from tests.conftest import Office, rows
from tests.unit.sending.conftest import Dispatch

SHEET = Capabilities(max_batch=10, has_receipts=True)


@dataclass(kw_only=True)
class Line(Gateway):
    """Cuts each text into two parts, whose receipts come before its answer does.

    ``seen`` is what the ledger held each time when receipts were acknowledged.
    """

    office: Office
    capabilities: Capabilities = SHEET
    wakes: list[Callable[[], None]] = field(default_factory=list)
    waiting: list[Receipt] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    trouble: int = 0

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        if not clear(batch):
            return [HELD_BACK] * len(batch)
        outcomes = []
        for message in batch:
            parts = tuple(f"{message.reference}/{number}" for number in (1, 2))
            self.waiting += [
                Receipt(gateway_id=part, status=ReceiptStatus.DELIVERED) for part in parts
            ]
            outcomes.append(Outcome(kind=OutcomeKind.ACCEPTED, gateway_id=parts[0], part_ids=parts))
        for wake in self.wakes:
            wake()
        return outcomes

    def receipts(self) -> Sequence[Receipt]:
        if self.trouble:
            self.trouble -= 1
            raise GatewayError("not now")
        # They are given again and again until they are acknowledged, some at a time.
        return self.waiting[:3]

    def stored(self, receipts: Sequence[Receipt]) -> None:
        self.seen.append(self.office.all("SELECT count(*) FROM receipts")[0][0])
        self.acknowledged += [each.gateway_id for each in receipts]
        self.waiting = [each for each in self.waiting if each not in receipts]

    def listen(self, wake: Callable[[], None]) -> None:
        self.wakes.append(wake)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("trouble", [0, 1])
def test_parts_that_are_told_of_early_make_a_message_whole(
    office: Office, dispatch: Dispatch, trouble: int
) -> None:
    """Also where fetching them fails once."""
    line = Line(office=office, trouble=trouble)
    office.released(rows(4))
    dispatch.serve_for(60, trial=line)
    assert (["delivered"] * 4, []) == (office.states(), line.waiting)
    assert 8 == len(set(line.acknowledged)) == len(line.acknowledged)
    assert 1 == len(line.wakes)


def test_what_is_acknowledged_is_in_the_ledger(office: Office, dispatch: Dispatch) -> None:
    """A process that dies before that is told again."""
    line = Line(office=office)
    office.released(rows(4))
    dispatch.serve_for(60, trial=line)
    told = [3, 6, 8]
    assert told == line.seen


def test_a_gateway_that_never_says_so_is_asked_for_receipts(
    office: Office, dispatch: Dispatch
) -> None:
    """Page after page, from time to time."""

    class Quiet(Line):
        def listen(self, wake: Callable[[], None]) -> None:
            """It does not."""

    line = Quiet(office=office)
    office.released(rows(4))
    dispatch.serve_for(60, trial=line)
    assert ["delivered"] * 4 == office.states()
