"""Named statements on ``messages``."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    delete,
    func,
    literal_column,
    select,
    true,
    update,
)

from smsengine.lifecycle import MessageState
from smsengine.store.bulk import Bulk, Given
from smsengine.store.fitting import is_possible, slices
from smsengine.store.tables import messages, runs


class Draft(NamedTuple):
    """A message as planning writes it, before it has a place in a run."""

    row_number: int
    dedup_key: bytes
    revision: int
    replaces_id: int | None
    subject: str
    address: str
    network: str
    text: str
    text_hash: bytes
    segments: int
    template: str | None = None
    line: str | None = None


_BASE_32 = "abcdefghijklmnopqrstuvwxyz234567"
_TEN_BITS = [first + second for first in _BASE_32 for second in _BASE_32]
_SHIFTS = range(150, -1, -10)
_REFERENCE = re.compile(r"([a-z2-7]{32})-([1-9]\d{0,9})", re.ASCII | re.IGNORECASE)
_LAST_REVISION = 2**31 - 1


def reference(dedup_key: bytes, revision: int) -> str:
    """Our name for one edition of one message; tells nothing about the person.

    The key in base 32, ten bits at a time: four times as fast as the library's, which takes longer
    than anything else that is done for a message in memory.
    """
    number = int.from_bytes(dedup_key, "big")
    letters = [_TEN_BITS[number >> shift & 1023] for shift in _SHIFTS]
    return f"{''.join(letters)}-{revision}"


def key_of(name: str) -> tuple[bytes, int] | None:
    """The dedup key and revision that a reference names; None for anything else."""
    found = _REFERENCE.fullmatch(name)
    if found is None or int(found[2]) > _LAST_REVISION:
        return None
    return base64.b32decode(found[1].upper()), int(found[2])


#: A message that tells others together is of no row of the extract.
CARRIERS_ROW = 0

#: States in which the fate of a message is still open.
UNSETTLED = frozenset({MessageState.QUEUED, MessageState.UNKNOWN})

_DRAFT = Draft._fields
_GIVEN = ("run_id", "place", *_DRAFT, "due_at")


def _insert_statement(kind: Any, given: Given) -> Executable:
    queued: Any = literal_column(f"'{MessageState.QUEUED}'")
    rows = select(*(given[name] for name in _GIVEN), queued).where(true())
    insert = kind.insert(messages).from_select([*_GIVEN, "state"], rows)
    statement: Executable = insert.on_conflict_do_nothing(index_elements=["dedup_key", "revision"])
    return statement


_INSERT = Bulk(_insert_statement, {name: messages.c[name].type for name in _GIVEN})


def insert_drafts(
    connection: Connection,
    drafts: Sequence[Draft],
    *,
    run_id: int,
    places: Iterable[int],
    due_at: datetime,
) -> int:
    """Write messages of a run in state ``queued``; those whose key exists are left out.

    Each takes the next one of ``places``.

    Returns:
        How many were written.
    """
    if not drafts:
        return 0
    columns = dict(zip(Draft._fields, zip(*drafts, strict=True), strict=True))
    columns["place"] = tuple(islice(places, len(drafts)))
    return _INSERT.execute(connection, columns, {"run_id": run_id, "due_at": due_at})


def contradicting_subjects(connection: Connection, run_id: int) -> set[str]:
    """Subjects of a run about whom two rows say different things.

    Reads ``ix_messages_run_subject`` only, and then the few subjects that have several rows: in one
    statement PostgreSQL, which knows nothing yet of a run that is new, does the first part again
    for each message of the second (measured: 67 seconds for 20,000 messages).
    """
    several = connection.execute(
        select(messages.c.subject)
        .where(messages.c.run_id == run_id)
        .group_by(messages.c.subject)
        .having(func.min(messages.c.row_number) != func.max(messages.c.row_number))
    )
    found: set[str] = set()
    for some in slices(several.scalars().all()):
        statement = (
            select(messages.c.subject)
            .where(messages.c.run_id == run_id, messages.c.subject.in_(some))
            .group_by(messages.c.subject)
            .having(func.min(messages.c.text) != func.max(messages.c.text))
        )
        found.update(connection.execute(statement).scalars())
    return found


class Taken(NamedTuple):
    """What the accounts need of a message that is taken out of its run."""

    id: int
    row_number: int
    subject: str
    text_hash: bytes
    segments: int
    network: str
    template: str | None
    carrier_id: int | None


def withdraw(connection: Connection, run_id: int, subjects: Sequence[str]) -> Sequence[Taken]:
    """Take every message about these subjects out of a run that is still being planned."""
    taken: list[Taken] = []
    for some in slices(subjects):
        taken += take_out(connection, messages.c.run_id == run_id, messages.c.subject.in_(some))
    return taken


def take_out(connection: Connection, *which: ColumnElement[bool]) -> Sequence[Taken]:
    """Take messages out of a run that is still being planned."""
    columns = (messages.c[name] for name in Taken._fields)
    statement = delete(messages).where(*which).returning(*columns)
    return [Taken(*row) for row in connection.execute(statement)]


def take_out_with_merged(connection: Connection, ids: Sequence[int]) -> Sequence[Taken]:
    """Take these messages out, and those that they tell; at most as many as one ``IN`` holds."""
    theirs = messages.c.carrier_id.in_(ids)
    return [*take_out(connection, theirs), *take_out(connection, messages.c.id.in_(ids))]


def states(connection: Connection, run_id: int) -> Counter[MessageState]:
    """How many messages of a run are in each state."""
    statement = (
        select(messages.c.state, func.count())
        .where(messages.c.run_id == run_id)
        .group_by(messages.c.state)
    )
    return Counter({MessageState(row[0]): row[1] for row in connection.execute(statement)})


def codes(connection: Connection, run_id: int) -> Counter[tuple[MessageState, str]]:
    """How many messages of a run ended in each state with each code of the gateway."""
    statement = (
        select(messages.c.state, func.coalesce(messages.c.code, ""), func.count())
        .where(messages.c.run_id == run_id)
        .group_by(messages.c.state, messages.c.code)
    )
    return Counter(
        {(MessageState(row[0]), row[1]): row[2] for row in connection.execute(statement)}
    )


@contextmanager
def sealed_texts(connection: Connection, run_id: int) -> Iterator[Iterator[Any]]:
    """Every message's dedup key, text, hash, subject, address and template, for the seal."""
    statement = select(
        messages.c.dedup_key,
        messages.c.text,
        messages.c.text_hash,
        messages.c.subject,
        messages.c.address,
        messages.c.template,
    ).where(messages.c.run_id == run_id)
    with connection.execute(statement, execution_options={"yield_per": 2000}) as found:
        yield found


def find(
    connection: Connection, *, subject: str = "", address: str = "", limit: int = 50
) -> Sequence[RowMapping]:
    """Messages about a subject or to an address, newest first, with their run's job and period.

    ``carrier_state`` is that of the message that tells a merged one. Probes
    ``ix_messages_run_subject`` once per run; an address is searched by reading.
    """
    wanted = messages.c.address == address if address else messages.c.subject == subject
    carrier = messages.alias()
    statement = (
        select(messages, runs.c.job, runs.c.period, carrier.c.state.label("carrier_state"))
        .join(runs, runs.c.id == messages.c.run_id)
        .join(carrier, carrier.c.id == messages.c.carrier_id, isouter=True)
        .where(messages.c.run_id.in_(select(runs.c.id)), wanted)
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    return connection.execute(statement).mappings().all()


def get(connection: Connection, message_id: int) -> RowMapping | None:
    """One message with its run's job and period."""
    if not is_possible(message_id):
        return None
    carrier = messages.alias()
    statement = (
        select(
            messages,
            *(runs.c.job, runs.c.period, runs.c.kind, runs.c.reason),
            carrier.c.state.label("carrier_state"),
        )
        .join(runs, runs.c.id == messages.c.run_id)
        .join(carrier, carrier.c.id == messages.c.carrier_id, isouter=True)
        .where(messages.c.id == message_id)
    )
    return connection.execute(statement).mappings().one_or_none()


def sample(connection: Connection, run_id: int, limit: int) -> Sequence[RowMapping]:
    """The first messages of a run that are sent themselves."""
    is_sent = (messages.c.run_id == run_id, messages.c.carrier_id.is_(None))
    statement = select(messages).where(*is_sent).order_by(messages.c.id).limit(limit)
    return connection.execute(statement).mappings().all()


def sample_of_carriers(connection: Connection, run_id: int, *, limit: int) -> Sequence[RowMapping]:
    """Some messages of a run that tell others; reads the whole run where there is none."""
    statement = select(messages).where(
        messages.c.run_id == run_id, messages.c.row_number == CARRIERS_ROW
    )
    return connection.execute(statement.limit(limit)).mappings().all()


def carried(connection: Connection, message_id: int) -> Sequence[str]:
    """The subjects that a message tells together, in the extract's order."""
    statement = select(messages.c.subject).where(messages.c.carrier_id == message_id)
    return connection.execute(statement.order_by(messages.c.place)).scalars().all()


@contextmanager
def stream(connection: Connection, run_id: int) -> Iterator[Iterator[RowMapping]]:
    """Every message of a run, streamed."""
    statement = select(messages).where(messages.c.run_id == run_id).order_by(messages.c.id)
    with connection.execute(statement, execution_options={"yield_per": 2000}) as found:
        yield found.mappings()


class Waiting(NamedTuple):
    """A message that waits, or that is told by one that does."""

    id: int
    row_number: int
    subject: str
    address: str
    network: str
    carrier_id: int | None


def waiting_after(
    connection: Connection,
    run_id: int,
    after: int,
    *,
    limit: int,
    states: Collection[MessageState] = (MessageState.QUEUED,),
) -> Sequence[Waiting]:
    """Messages of a run that wait, by their numbers."""
    statement = (
        select(*(messages.c[name] for name in Waiting._fields))
        .where(messages.c.run_id == run_id, messages.c.id > after, messages.c.state.in_(states))
        .order_by(messages.c.id)
        .limit(limit)
    )
    return [Waiting(*row) for row in connection.execute(statement)]


def withdraw_waiting(
    connection: Connection, ids: Sequence[int], *, code: str, now: datetime
) -> None:
    """Withdraw messages that wait, with the reason."""
    for some in slices(ids):
        statement = (
            update(messages)
            .where(messages.c.id.in_(some), messages.c.state == MessageState.QUEUED)
            .values(state=MessageState.CANCELLED, code=code, settled_at=now)
        )
        connection.execute(statement)
