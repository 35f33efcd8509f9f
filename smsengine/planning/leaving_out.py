"""Messages that were written into a run and are not told after all: they become skips."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from smsengine.lifecycle import SkipReason
from smsengine.planning.manifest import Tally
from smsengine.store import messages, skips
from smsengine.store.fitting import slices
from smsengine.store.messages import CARRIERS_ROW
from smsengine.store.skips import SkippedRow

#: Why a message is not told, in one word and in a sentence.
Because = tuple[SkipReason, str]


def leave_out(
    connection: Connection, run_id: int, tally: Tally, reasons: Mapping[int, Because]
) -> None:
    """Take messages out of a run that is being planned, and write down why.

    One that tells others together goes with all that it tells, which have the same reason.

    Args:
        connection: of a transaction that writes.
        run_id: the run.
        tally: its sums.
        reasons: for the numbers of the messages.
    """
    for some in slices(list(reasons)):
        taken = messages.take_out_with_merged(connection, some)
        for each in taken:
            tally.take_out(each)
        skipped = [
            SkippedRow(each.row_number, each.subject, *_because(each, reasons))
            for each in taken
            if each.row_number != CARRIERS_ROW
        ]
        skips.write(connection, run_id, skipped)
        tally.skip(skipped)


def _because(taken: messages.Taken, reasons: Mapping[int, Because]) -> Because:
    found = reasons.get(taken.id)
    return found if found is not None else reasons[taken.carrier_id or 0]
