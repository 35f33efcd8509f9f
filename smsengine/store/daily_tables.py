"""Named statements on ``daily_tables`` and ``daily_cuts``, and on what of the book is in a table.

The book is only added to, with running numbers in the order of recording: what a table holds is
said by its organisation, office and day, and by the two numbers between which its entries are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, exists, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.lifecycle import DeliveryState, EntryKind
from smsengine.store.fitting import slices
from smsengine.store.payment_tables import daily_cuts, daily_deliveries, daily_tables, payments


class Place(NamedTuple):
    """Whose table it is: an organisation's, at an office, of a day in Vietnam."""

    day: date
    organisation: str
    office: str


class Made(NamedTuple):
    """A table that was made; ``id`` is 0 while it is not written down. ``amount`` is đồng."""

    organisation: str
    office: str
    day: date
    sequence: int
    after_id: int
    upto_id: int
    lines: int
    amount: int
    sha256: str
    file_name: str
    made_at: datetime
    id: int = 0

    @property
    def place(self) -> Place:
        return Place(self.day, self.organisation, self.office)


class Last(NamedTuple):
    """How far the tables of one place go."""

    sequence: int
    upto_id: int


class Cut(NamedTuple):
    """A moment by which all tables of all days up to ``day`` were there."""

    day: date
    upto_id: int
    made_at: datetime


class Effect(NamedTuple):
    """What one entry does to a table: it adds what it says, or takes back what another one said.

    ``sign`` is 1 or -1. All but ``entry_id``, ``kind`` and ``recorded_at`` is said by the payment
    that is added or taken back; ``sealed`` holds its code and its person.
    """

    entry_id: int
    sign: int
    kind: EntryKind
    recorded_at: datetime
    type: str
    amount: int
    months: int
    paid_on: date
    receipt: str
    staff_hash: bytes
    sealed: bytes


_MADE = tuple(daily_tables.c[name] for name in Made._fields)
_later = payments.alias("later")
#: An entry takes back the edition before it; this finds it by the book's own unique key.
_IS_NEXT = (
    (_later.c.organisation == payments.c.organisation)
    & (_later.c.receipt == payments.c.receipt)
    & (_later.c.edition == payments.c.edition + 1)
)
_ADDS = payments.c.kind != EntryKind.CANCELLATION.value
_STEP = 500


def end_of_book(connection: Connection) -> int:
    """The number of the book's last entry; 0 for an empty book.

    Numbers are given and committed in the same order: none below it comes later.
    """
    return connection.execute(select(func.max(payments.c.id))).scalar() or 0


# -- what is in a table ----------------------------------------------------------------------------


@contextmanager
def effects(
    connection: Connection, place: Place, *, after: int, upto: int
) -> Iterator[Iterator[Effect]]:
    """What the entries behind ``after``, up to ``upto``, do to a table, in their order."""
    of_place = (
        (payments.c.paid_on == place.day)
        & (payments.c.organisation == place.organisation)
        & (payments.c.office == place.office)
    )
    adds = _effects(payments, 1).where(of_place, _ADDS, *_between(payments.c.id, after, upto))
    adds = adds.order_by(payments.c.id)
    takes = _effects(_later, -1).select_from(payments.join(_later, _IS_NEXT))
    takes = takes.where(of_place, _ADDS, *_between(_later.c.id, after, upto))
    takes = takes.order_by(_later.c.id)
    options = {"yield_per": _STEP}
    with (
        connection.execute(adds, execution_options=options) as plus,
        connection.execute(takes, execution_options=options) as minus,
    ):
        yield merge(map(_effect, plus), map(_effect, minus), key=lambda each: each[:2])


def _effects(entry: Any, sign: int) -> Select[Any]:
    what = payments.c
    return select(
        entry.c.id,
        literal(sign),
        entry.c.kind,
        entry.c.recorded_at,
        *(what.type, what.amount, what.months, what.paid_on, what.receipt),
        *(what.staff_hash, what.sealed),
    )


def _between(column: Any, after: int, upto: int) -> tuple[Any, Any]:
    return column > after, column <= upto


def _effect(row: Any) -> Effect:
    values = Effect(*row)
    return values._replace(kind=EntryKind(values.kind))


def touched(connection: Connection, *, day: date | None, after: int) -> Mapping[Place, int]:
    """Places that an entry behind a number belongs to, each with the last such entry's number.

    Args:
        connection: to the ledger.
        day: the only day that is asked about; None: all of them.
        after: the number.
    """
    columns = (payments.c.paid_on, payments.c.organisation, payments.c.office)
    adds = select(*columns, func.max(payments.c.id)).where(_ADDS, payments.c.id > after)
    takes = select(*columns, func.max(_later.c.id)).select_from(payments.join(_later, _IS_NEXT))
    takes = takes.where(_ADDS, _later.c.id > after)
    found: dict[Place, int] = {}
    for statement in (adds, takes):
        wanted = statement if day is None else statement.where(payments.c.paid_on == day)
        for *place, last in connection.execute(wanted.group_by(*columns)):
            key = Place(*place)
            found[key] = max(last, found.get(key, 0))
    return found


# -- tables ----------------------------------------------------------------------------------------


def last_of(connection: Connection, days: Sequence[date]) -> Mapping[Place, Last]:
    """How far the tables of each place go, of all places of these days that have one."""
    found: dict[Place, Last] = {}
    columns = (daily_tables.c.day, daily_tables.c.organisation, daily_tables.c.office)
    for some in slices(days):
        statement = (
            select(*columns, func.max(daily_tables.c.sequence), func.max(daily_tables.c.upto_id))
            .where(daily_tables.c.day.in_(some))
            .group_by(*columns)
        )
        for *place, sequence, upto in connection.execute(statement):
            found[Place(*place)] = Last(sequence, upto)
    return found


def add(connection: Connection, table: Made) -> Made | None:
    """Write a table down; None where another process has made the one of this number."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = table._asdict()
    del values["id"]
    statement = (
        dialect.insert(daily_tables)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["day", "organisation", "office", "sequence"])
        .returning(daily_tables.c.id)
    )
    number = connection.execute(statement).scalar_one_or_none()
    return None if number is None else table._replace(id=number)


def get(connection: Connection, table_id: int) -> Made:
    """A table by its number in the ledger."""
    statement = select(*_MADE).where(daily_tables.c.id == table_id)
    return Made(*connection.execute(statement).one())


def of_day(connection: Connection, day: date, organisation: str | None = None) -> Sequence[Made]:
    """The tables of a day, of all organisations or of one."""
    statement = select(*_MADE).where(daily_tables.c.day == day)
    if organisation is not None:
        statement = statement.where(daily_tables.c.organisation == organisation)
    order = (daily_tables.c.organisation, daily_tables.c.office, daily_tables.c.sequence)
    return [Made(*row) for row in connection.execute(statement.order_by(*order))]


def look_otherwise(connection: Connection, table: Made, sha256: str) -> bool:
    """Note that a table looks otherwise now; False where somebody has it as it was.

    Its lines are the same: only names in its heading or its columns were changed since.
    """
    is_there = exists().where(
        daily_deliveries.c.table_id == table.id,
        daily_deliveries.c.state == DeliveryState.ACKNOWLEDGED.value,
    )
    statement = (
        update(daily_tables)
        .where(daily_tables.c.id == table.id, daily_tables.c.sha256 == table.sha256, ~is_there)
        .values(sha256=sha256)
    )
    return connection.execute(statement).rowcount == 1


# -- cuts ------------------------------------------------------------------------------------------


def last_cut(connection: Connection) -> Cut | None:
    """The last moment by which everything was there; None before the first one."""
    columns = (daily_cuts.c.day, daily_cuts.c.upto_id, daily_cuts.c.made_at)
    row = connection.execute(select(*columns).order_by(daily_cuts.c.id.desc()).limit(1)).first()
    return None if row is None else Cut(*row)


def add_cut(connection: Connection, cut: Cut) -> None:
    """Note that everything is there."""
    connection.execute(insert(daily_cuts).values(**cut._asdict()))


def recorded_before(connection: Connection, at: datetime) -> int:
    """The number of the last entry that was recorded before an instant; 0 for none."""
    statement = select(func.max(payments.c.id)).where(payments.c.recorded_at < at)
    return connection.execute(statement).scalar() or 0


def first_recorded_at(connection: Connection) -> datetime | None:
    """When the book was begun; None for an empty one."""
    return connection.execute(select(payments.c.recorded_at).where(payments.c.id == 1)).scalar()
