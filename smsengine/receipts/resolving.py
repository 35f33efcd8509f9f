"""A person's word on messages of which nobody knows whether they were sent."""

from __future__ import annotations

from collections.abc import Sequence

from smsengine.clock import Clock
from smsengine.lifecycle import MessageState
from smsengine.store import outbox, runs
from smsengine.store.engine import Store

#: The code of a message whose fate a person has told.
BY_HAND = "resolved"


def unknown_of(store: Store, run_id: int) -> Sequence[int]:
    """The unknown messages of a run."""
    with store.read() as connection:
        return outbox.unknown_ids(connection, run_id)


def resolve_by_hand(
    store: Store,
    message_ids: Sequence[int],
    *,
    sent: bool,
    reason: str,
    actor: str,
    clock: Clock,
) -> int:
    """Count unknown messages as sent, or let them wait again; the ledger keeps who said so and why.

    One that was replaced by a newer edition, or whose run was cancelled, is withdrawn instead of
    waiting again.

    Returns:
        How many of them were unknown, and are no more.
    """
    now = clock.now()
    after = MessageState.ACCEPTED if sent else MessageState.QUEUED
    with store.write() as connection:
        moved = outbox.resolve(
            connection, message_ids, after, now=now, code=BY_HAND, detail=f"{actor}: {reason}"
        )
        by_run = outbox.run_counts(connection, moved)
        if not sent:
            outbox.take_back(connection, moved, now=now)
        for run_id, count in by_run.items():
            detail = f"{count} as {'sent' if sent else 'not sent'}: {reason}"
            runs.note(connection, run_id, at=now, actor=actor, what="resolved", detail=detail)
    return len(moved)
