"""Named statements on what was told before: editions of messages, and who was told of a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
)

from smsengine.lifecycle import MessageState
from smsengine.store.bulk import Bulk, Given
from smsengine.store.fitting import slices
from smsengine.store.tables import messages, runs


class Known(NamedTuple):
    """What the ledger holds for a dedup key: the newest edition that was not withdrawn.

    ``state`` is cancelled only where every edition was; of a merged one it is that of the message
    that tells it. ``last_revision`` is the highest number in use, ``told`` how many editions were
    not withdrawn.
    """

    id: int
    run_id: int
    row_number: int
    text_hash: bytes
    state: MessageState
    last_revision: int
    told: int


def newest_known(connection: Connection, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
    """What the ledger holds for each of these dedup keys; keys that it does not know are absent."""
    found: dict[bytes, Known] = {}
    for some in slices(keys):
        found |= _newest_known(connection, some)
    return found


def _newest_known(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, Known]:
    carrier = messages.alias()
    statement = (
        select(
            messages.c.dedup_key,
            messages.c.id,
            messages.c.run_id,
            messages.c.row_number,
            messages.c.text_hash,
            func.coalesce(carrier.c.state, messages.c.state).label("state"),
            messages.c.revision,
        )
        .join_from(messages, carrier, carrier.c.id == messages.c.carrier_id, isouter=True)
        .where(messages.c.dedup_key.in_(keys))
        .order_by(messages.c.dedup_key, messages.c.revision)
    )
    found: dict[bytes, Known] = {}
    for key, *rest, state, revision in connection.execute(statement):
        before = found.get(key)
        withdrawn = state == MessageState.CANCELLED
        told = (before.told if before else 0) + (not withdrawn)
        if before is not None and withdrawn and before.told:
            found[key] = before._replace(last_revision=revision)
        else:
            message_id, run_id, row_number, text_hash = rest
            found[key] = Known(
                message_id, run_id, row_number, text_hash, MessageState(state), revision, told
            )
    return found


def is_withdrawn(table: FromClause) -> ColumnElement[bool]:
    """A message was withdrawn, itself or with the one that tells it."""
    cancelled: Any = literal_column(f"'{MessageState.CANCELLED}'")
    carrier = messages.alias()
    its_carrier = exists().where(carrier.c.id == table.c.carrier_id, carrier.c.state == cancelled)
    return or_(table.c.state == cancelled, its_carrier)


def newest_texts(
    connection: Connection, topic: str, period: str, subjects: Sequence[str], *, except_run: int
) -> Mapping[str, str]:
    """What each of these subjects was last told on a topic and period; withdrawn texts left out."""
    of_topic = select(runs.c.id).where(
        runs.c.topic == topic, runs.c.period == period, runs.c.id != except_run
    )
    found: dict[str, str] = {}
    for some in slices(subjects):
        statement = (
            select(messages.c.subject, messages.c.text)
            .where(
                messages.c.run_id.in_(of_topic),
                messages.c.subject.in_(some),
                ~is_withdrawn(messages),
            )
            .order_by(messages.c.id)
        )
        found |= {row.subject: row.text for row in connection.execute(statement)}
    return found


def told_subjects(
    connection: Connection,
    subjects: Sequence[str],
    *,
    owner: str,
    topics: Sequence[str],
    period: str,
) -> frozenset[str]:
    """Those of these subjects of whom an owner tells one of these topics, or is about to.

    A day and the month that it is in are about the same; withdrawn messages do not count.
    """
    month = period[: len("2019-06")]
    of_topic = select(runs.c.id).where(
        runs.c.owner == owner,
        runs.c.topic.in_(topics),
        or_(
            runs.c.period == period,
            runs.c.period == month,
            runs.c.period.like(f"{period}-%") if period == month else false(),
        ),
    )
    found: set[str] = set()
    for run_id in connection.execute(of_topic).scalars().all():
        rows = _TOLD.rows(connection, {"subject": subjects}, {"run_id": run_id})
        found.update(row[0] for row in rows)
    return frozenset(found)


def _told_statement(_kind: Any, given: Given) -> Executable:
    told = exists().where(
        messages.c.run_id == given["run_id"],
        messages.c.subject == given["subject"],
        ~is_withdrawn(messages),
    )
    return select(given["subject"]).where(told)


_TOLD = Bulk(
    _told_statement, {"run_id": messages.c.run_id.type, "subject": messages.c.subject.type}
)
