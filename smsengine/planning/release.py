"""From sealed to sendable: the seal is checked, a person's decision is written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from smsengine.clock import Clock
from smsengine.errors import RefusedError, StoreError
from smsengine.lifecycle import MessageState, RunState
from smsengine.planning.manifest import written_seal
from smsengine.planning.messages import Hasher, seal_of, seal_of_template
from smsengine.planning.withholding import Caps, Withholding
from smsengine.store import messages, outbox, runs
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from smsengine.waves import Waves

_CHUNK = 5_000


def check_seal(store: Store, run: Run, key: bytes) -> None:
    """Prove that the messages of a run are those of its manifest.

    Of a message that was purged the keyed hash of its text is all that is left to prove it with.

    Raises:
        StoreError: a text, a recipient, a template or a message was changed since.
    """
    hasher = Hasher(key, run.topic, run.period)
    seal = templates = count = 0
    with store.read() as connection, messages.sealed_texts(connection, run.id) as rows:
        now = runs.get(connection, run.id)
        is_purged = now is not None and now.purged_at is not None
        for row in rows:
            seal += seal_of([row.text_hash])
            templates += seal_of_template(key, row.text_hash, row.template)
            count += 1
            if is_purged and not (row.text or row.subject or row.address):
                continue
            told = hasher.dedup_key(row.subject, row.address) == row.dedup_key
            if not told or hasher.text_hash(row.dedup_key, row.text) != row.text_hash:
                what = "A text" if told else "A recipient"
                raise StoreError(f"{what} of run {run.id} ({run.label}) is not the sealed one.")
    manifest = json.loads(run.manifest)
    # Manifests of old say nothing of templates; and purging takes them out.
    is_whole = is_purged or written_seal(templates) == manifest.get("templates", written_seal(0))
    if count != run.messages or written_seal(seal) != manifest["texts"] or not is_whole:
        raise StoreError(
            f"The messages of run {run.id} ({run.label}) are not those of its manifest."
        )


def require_releasable(run: Run) -> None:
    """See to it that a run waits for its release.

    Raises:
        RefusedError: it does not.
    """
    if run.state is RunState.PAUSED:
        raise RefusedError(
            f"Run {run.id} ({run.label}) is paused; go on with 'smsengine runs resume {run.id}'."
        )
    if run.state not in (RunState.PLANNED, RunState.HELD):
        raise RefusedError(f"Run {run.id} ({run.label}) is {run.state}; it cannot be released.")


#: Looks, within a transaction, whether a run's notice may still be sent, or raises RefusedError;
#: returns the topics of the Centre of which it tells a part.
Permit = Callable[[Connection], Sequence[str]]


def _anyway(_connection: Connection) -> Sequence[str]:
    return ()


def release(
    store: Store, run: Run, *, key: bytes, clock: Clock, actor: str, permit: Permit = _anyway
) -> Run:
    """Let a planned or held run be sent; where another process was quicker, its word stands.

    Who must be left alone since it was planned, or has the Centre's notice on one of the topics
    that ``permit`` names by now, is withdrawn from it.

    Raises:
        RefusedError: it is in no state to be released.
        StoreError: its seal is broken.
    """
    require_releasable(run)
    check_seal(store, run, key)
    now = clock.now()
    with store.write() as connection:
        overlaps = permit(connection)
        current = runs.get(connection, run.id, locked=True)
        if current is not None and current.state is run.state:
            _withhold(connection, run, key=key, now=now, overlaps=overlaps)
            valid = run.valid_seconds
            runs.move(
                connection,
                run.id,
                RunState.RELEASED,
                released_upto=Waves.from_json(run.waves).next_end(0),
                valid_until=None if valid is None else now + timedelta(seconds=valid),
            )
            what = "approved" if run.state is RunState.HELD else "released"
            runs.note(connection, run.id, at=now, actor=actor, what=what, detail=run.held_because)
        after = runs.get(connection, run.id)
    if after is None:
        raise StoreError(f"Run {run.id} disappeared.")
    return after


def _withhold(
    connection: Connection, run: Run, *, key: bytes, now: datetime, overlaps: Sequence[str]
) -> None:
    """Judge once more what waits: days may have passed since it was planned.

    A text about many subjects goes back whole where one of them must not be told: it says what it
    says. Planning again tells the others.
    """
    withholding = Withholding(
        key=key,
        owner=run.owner,
        period=run.period,
        overlaps=overlaps,
        caps=Caps(),
        now=now,
    )
    if not withholding.may_withhold(connection):
        return
    last = 0
    states = (MessageState.QUEUED, MessageState.MERGED)
    while waiting := messages.waiting_after(connection, run.id, last, limit=_CHUNK, states=states):
        last = waiting[-1].id
        kept, skipped = withholding.judge(connection, waiting)
        stay = {message.id for message in kept}
        back = [message for message in waiting if message.id not in stay]
        reasons = [skip.reason for skip in skipped]
        for reason in set(reasons):
            ids = [
                message.carrier_id or message.id
                for message, because in zip(back, reasons, strict=True)
                if because is reason
            ]
            messages.withdraw_waiting(connection, ids, code=reason, now=now)


def pause(store: Store, run: Run, *, clock: Clock, actor: str, reason: str) -> None:
    """Stop handing over a run's messages; every message keeps its place.

    Raises:
        RefusedError: it is not under way.
    """
    with store.write() as connection:
        stopped = runs.stop(connection, run.id, because=reason, at=clock.now(), actor=actor)
    if not stopped:
        raise RefusedError(f"Run {run.id} ({run.label}) is {run.state}; it cannot be paused.")


def resume(store: Store, run: Run, *, clock: Clock, actor: str, permit: Permit = _anyway) -> None:
    """Go on with a paused run.

    One that stopped after a wave goes on with the next: whoever resumes it has looked.

    Raises:
        RefusedError: it is not paused.
    """
    now = clock.now()
    with store.write() as connection:
        permit(connection)
        current = runs.get(connection, run.id, locked=True)
        if current is None or current.state is not RunState.PAUSED:
            state = current.state if current is not None else "gone"
            raise RefusedError(f"Run {run.id} ({run.label}) is {state}; it is not paused.")
        upto = current.released_upto
        if not outbox.waits(connection, run.id, upto=upto):
            upto = Waves.from_json(current.waves).next_end(upto) or upto
        values = {"released_upto": upto, "held_because": ""}
        runs.move(connection, run.id, RunState.SENDING, **values)
        detail = current.held_because
        runs.note(connection, run.id, at=now, actor=actor, what="resumed", detail=detail)


def cancel(store: Store, run: Run, *, clock: Clock, actor: str, reason: str) -> int:
    """Withdraw what a run has not handed over yet.

    Returns:
        How many messages were withdrawn.

    Raises:
        LifecycleError: the run has ended already.
    """
    now = clock.now()
    with store.write() as connection:
        runs.move(connection, run.id, RunState.CANCELLED, finished_at=now)
        withdrawn = outbox.cancel_queued(connection, run.id, now=now)
        runs.note(connection, run.id, at=now, actor=actor, what="cancelled", detail=reason)
    return withdrawn
