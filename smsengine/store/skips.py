"""Named statements on ``skips``: the rows that got no message, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, func, insert, select

from smsengine.lifecycle import SkipReason
from smsengine.store.fitting import storable
from smsengine.store.tables import runs, skips


class SkippedRow(NamedTuple):
    """A row, or one recipient of a row, that gets no message."""

    row_number: int
    subject: str
    reason: SkipReason
    detail: str


def write(connection: Connection, run_id: int, rows: Sequence[SkippedRow]) -> None:
    """Write the rows of a run that get no message, with their reasons.

    A reason may quote what the extract holds, whatever that is.
    """
    values = [{"run_id": run_id, **row._asdict(), "detail": storable(row.detail)} for row in rows]
    if values:
        connection.execute(insert(skips), values)


def reasons(connection: Connection, run_id: int) -> Counter[SkipReason]:
    """How many rows of a run were skipped for each reason."""
    statement = (
        select(skips.c.reason, func.count())
        .where(skips.c.run_id == run_id)
        .group_by(skips.c.reason)
    )
    return Counter({SkipReason(row[0]): row[1] for row in connection.execute(statement)})


def find(connection: Connection, subject: str, limit: int = 50) -> Sequence[RowMapping]:
    """Rows about a subject that got no message, newest first."""
    statement = (
        select(skips, runs.c.job, runs.c.period)
        .join(runs, runs.c.id == skips.c.run_id)
        .where(skips.c.subject == subject)
        .order_by(skips.c.id.desc())
        .limit(limit)
    )
    return connection.execute(statement).mappings().all()


@contextmanager
def stream(connection: Connection, run_id: int) -> Iterator[Iterator[RowMapping]]:
    """Every skipped row of a run, streamed."""
    statement = select(skips).where(skips.c.run_id == run_id).order_by(skips.c.id)
    with connection.execute(statement, execution_options={"yield_per": 2000}) as found:
        yield found.mappings()
