"""Named statements on ``daily_deliveries``: where each daily table goes, and whether it arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smsengine.lifecycle import DeliveryState, DeliveryWay
from smsengine.store.fitting import fitted, slices
from smsengine.store.payment_tables import daily_deliveries, daily_tables

#: What is put off for longer than this was put off by a clock that was wrong.
_FARTHEST = timedelta(hours=2)
#: Written out, so that a database sees that the index of open deliveries serves.
_is_open = daily_deliveries.c.state == literal_column("'open'")


class Delivery(NamedTuple):
    """One table on one way. ``target`` names the folder, the address, the server."""

    id: int
    table_id: int
    way: DeliveryWay
    target: str
    state: DeliveryState
    tries: int
    due_at: datetime
    settled_at: datetime | None
    said: str


class Where(NamedTuple):
    """A way, and where it leads."""

    way: DeliveryWay
    target: str


_COLUMNS = tuple(daily_deliveries.c[name] for name in Delivery._fields)


def _delivery(row: Any) -> Delivery:
    values = Delivery(*row)
    return values._replace(way=DeliveryWay(values.way), state=DeliveryState(values.state))


def plan(connection: Connection, table_id: int, wanted: Iterable[Where], *, at: datetime) -> None:
    """Have a table delivered on these ways; one that it was given before stays as it is."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [
        {"table_id": table_id, "way": each.way.value, "target": each.target, "due_at": at}
        for each in wanted
    ]
    if rows:
        statement = dialect.insert(daily_deliveries).on_conflict_do_nothing(
            index_elements=["table_id", "way", "target"]
        )
        connection.execute(statement, rows)


def due(
    connection: Connection, *, now: datetime, limit: int, table_ids: Sequence[int] | None = None
) -> Sequence[Delivery]:
    """What is to be delivered by now, oldest first; of these tables only, where some are given."""
    statement = select(*_COLUMNS).where(
        _is_open,
        or_(daily_deliveries.c.due_at <= now, daily_deliveries.c.due_at > now + _FARTHEST),
    )
    if table_ids is not None:
        statement = statement.where(daily_deliveries.c.table_id.in_(table_ids))
    order = (daily_deliveries.c.due_at, daily_deliveries.c.id)
    return [_delivery(row) for row in connection.execute(statement.order_by(*order).limit(limit))]


def claim(connection: Connection, delivery: Delivery, *, until: datetime) -> Delivery | None:
    """Have a delivery to oneself until then; None where another one was faster.

    What was said of the last try goes: a delivery that is put off has words, one that is claimed
    has none.
    """
    statement = (
        update(daily_deliveries)
        .where(
            daily_deliveries.c.id == delivery.id,
            _is_open,
            daily_deliveries.c.tries == delivery.tries,
        )
        .values(due_at=until, tries=daily_deliveries.c.tries + 1, said="")
    )
    if connection.execute(statement).rowcount != 1:
        return None
    return delivery._replace(tries=delivery.tries + 1, due_at=until)


def hasten(connection: Connection, table_ids: Sequence[int], *, now: datetime) -> None:
    """Try again now what was put off; what somebody has claimed stays his."""
    for some in slices(table_ids):
        statement = update(daily_deliveries).where(
            daily_deliveries.c.table_id.in_(some),
            _is_open,
            daily_deliveries.c.said != "",
            daily_deliveries.c.due_at > now,
        )
        connection.execute(statement.values(due_at=now))


def settle(
    connection: Connection, delivery: Delivery, state: DeliveryState, *, at: datetime, said: str
) -> bool:
    """End a delivery, whoever has it now; False where it had ended before."""
    return _change(connection, delivery, state=state.value, settled_at=at, said=said)


def put_off(connection: Connection, delivery: Delivery, *, until: datetime, said: str) -> bool:
    """Try it again at that time; nothing happens where another one has it by now."""
    mine = daily_deliveries.c.tries == delivery.tries
    return _change(connection, delivery, mine, due_at=until, said=said)


def _change(connection: Connection, delivery: Delivery, *more: Any, **values: Any) -> bool:
    values["said"] = fitted(daily_deliveries.c.said, values["said"])
    statement = update(daily_deliveries).where(
        daily_deliveries.c.id == delivery.id, _is_open, *more
    )
    return connection.execute(statement.values(**values)).rowcount == 1


def of_tables(connection: Connection, table_ids: Sequence[int]) -> Sequence[Delivery]:
    """All deliveries of these tables."""
    found: list[Delivery] = []
    for some in slices(table_ids):
        statement = select(*_COLUMNS).where(daily_deliveries.c.table_id.in_(some))
        found += map(_delivery, connection.execute(statement.order_by(daily_deliveries.c.id)))
    return found


class Open(NamedTuple):
    """Deliveries of tables of one organisation that have not arrived."""

    organisation: str
    day: date
    number: int


def still_open(connection: Connection, *, made_before: datetime) -> Sequence[Open]:
    """Where tables that were made before an instant have not arrived."""
    columns = (daily_tables.c.organisation, daily_tables.c.day)
    statement = (
        select(*columns, func.count())
        .select_from(daily_deliveries.join(daily_tables))
        .where(_is_open, daily_tables.c.made_at < made_before)
        .group_by(*columns)
        .order_by(*columns)
    )
    return [Open(*row) for row in connection.execute(statement)]
