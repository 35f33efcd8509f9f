"""Named statements on ``fund_files``, ``fund_lines`` and ``fund_queue``: what the fund got."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from smsengine.store.fitting import slices
from smsengine.store.payment_tables import fund_files, fund_lines, fund_queue
from smsengine.store.turns import take_turn

HASH_BYTES = 16


class NewLine(NamedTuple):
    """A line as it is written; see the table."""

    place: int
    content_hash: bytes
    day: date
    amount: int
    organisation: str
    code_hashes: bytes
    sealed: bytes


class OpenLine(NamedTuple):
    """A line of which it is not known which payment it is about."""

    id: int
    place: int
    day: date
    amount: int
    organisation: str
    code_hashes: bytes
    sealed: bytes

    @property
    def codes(self) -> Sequence[bytes]:
        """The hashes of the codes that it names."""
        given = self.code_hashes
        return [given[at : at + HASH_BYTES] for at in range(0, len(given), HASH_BYTES)]


_COLUMNS = tuple(fund_lines.c[name] for name in OpenLine._fields)


def take_the_fund(connection: Connection) -> None:
    """Have the fund's lines and their matches to oneself until the transaction ends."""
    take_turn(connection, "fund")


def file_id(connection: Connection, content_hash: bytes) -> int | None:
    """The file with this content, where it was taken before."""
    statement = select(fund_files.c.id).where(fund_files.c.content_hash == content_hash)
    return connection.execute(statement).scalar_one_or_none()


def add_file(
    connection: Connection, content_hash: bytes, *, lines: int, by: str, now: datetime
) -> int:
    """Begin with a file; returns its number."""
    statement = (
        insert(fund_files)
        .values(content_hash=content_hash, lines=lines, added=0, taken_at=now, taken_by=by)
        .returning(fund_files.c.id)
    )
    return int(connection.execute(statement).scalar_one())


def count_added(connection: Connection, number: int, *, added: int) -> None:
    """Say in the end how many lines of a file were new."""
    statement = update(fund_files).where(fund_files.c.id == number).values(added=added)
    connection.execute(statement)


def add_lines(connection: Connection, number: int, lines: Sequence[NewLine]) -> Sequence[NewLine]:
    """Write those lines of a file that are not known; each is open then.

    Args:
        connection: of a transaction that has the fund's lines.
        number: of the file.
        lines: no two with the same hash.

    Returns:
        Those that were written.
    """
    known: set[bytes] = set()
    for some in slices([line.content_hash for line in lines]):
        statement = select(fund_lines.c.content_hash).where(fund_lines.c.content_hash.in_(some))
        known.update(connection.execute(statement).scalars())
    new = [line for line in lines if line.content_hash not in known]
    if new:
        last = connection.execute(select(func.coalesce(func.max(fund_lines.c.id), 0))).scalar_one()
        rows = [{**line._asdict(), "file_id": number} for line in new]
        connection.execute(insert(fund_lines), rows)
        written = select(fund_lines.c.id).where(fund_lines.c.id > last)
        connection.execute(insert(fund_queue).from_select(["line_id"], written))
    return new


def open_lines(connection: Connection, *, after: int, limit: int) -> Sequence[OpenLine]:
    """Open lines behind a number that name a code, in order."""
    statement = (
        select(*_COLUMNS)
        .join(fund_queue, fund_queue.c.line_id == fund_lines.c.id)
        .where(fund_queue.c.line_id > after, fund_lines.c.code_hashes != b"")
        .order_by(fund_queue.c.line_id)
        .limit(limit)
    )
    return [OpenLine(*row) for row in connection.execute(statement)]


@contextmanager
def stream_open(connection: Connection, until: date) -> Iterator[Iterator[OpenLine]]:
    """Every open line up to a day, in order."""
    statement = (
        select(*_COLUMNS)
        .join(fund_queue, fund_queue.c.line_id == fund_lines.c.id)
        .where(fund_lines.c.day <= until)
        .order_by(fund_queue.c.line_id)
    )
    with connection.execute(statement, execution_options={"yield_per": 2000}) as rows:
        yield (OpenLine(*row) for row in rows)


def close(connection: Connection, lines: Sequence[int]) -> None:
    """It is known which payments these lines are about."""
    for some in slices(lines):
        connection.execute(delete(fund_queue).where(fund_queue.c.line_id.in_(some)))


def newest_day(connection: Connection) -> date | None:
    """The day of the newest line; None while there is none."""
    return connection.execute(select(func.max(fund_lines.c.day))).scalar()


def sum_of_open(connection: Connection) -> tuple[int, int]:
    """How many lines are open, and their đồng."""
    statement = select(func.count(), func.coalesce(func.sum(fund_lines.c.amount), 0)).join_from(
        fund_queue, fund_lines
    )
    count, amount = connection.execute(statement).one()
    return int(count), int(amount)
