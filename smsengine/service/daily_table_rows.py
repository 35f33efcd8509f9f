"""The daily tables of a day as an extract: an organisation is told that its table is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smsengine.config.payments import Organisation
from smsengine.lifecycle import DeliveryState
from smsengine.period import Period
from smsengine.service.bootstrap import Engine
from smsengine.sources.base import Row, Value
from smsengine.store import daily_deliveries, daily_tables
from smsengine.store.daily_tables import Made

COLUMNS = ("organisation", "name", "day", "payments", "amount", "phone")


class DailyTableRows:
    """Tables that have arrived on all their ways; a source."""

    name = "the daily tables"

    def __init__(self, tables: Iterable[tuple[Made, Organisation]]) -> None:
        self._tables = tables

    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    def rows(self) -> Iterator[Row]:
        """One row for each organisation."""
        for number, (table, organisation) in enumerate(self._tables, 1):
            values: tuple[Value, ...] = (
                table.organisation,
                organisation.name,
                f"{table.day:%d/%m/%Y}",
                str(table.lines),
                str(table.amount),
                organisation.contact or None,
            )
            yield Row(number, values)


def daily_table_rows(engine: Engine, period: Period) -> DailyTableRows:
    """The tables of a day, without supplements, of organisations that there are."""
    known = engine.settings.payments.organisations
    with engine.store.read() as connection:
        made = [
            each
            for each in daily_tables.of_day(connection, period.first_day)
            if each.sequence == 0 and each.organisation in known
        ]
        deliveries = daily_deliveries.of_tables(connection, [each.id for each in made])
    waits = {each.table_id for each in deliveries if each.state == DeliveryState.OPEN}
    return DailyTableRows(
        [(each, known[each.organisation]) for each in made if each.id not in waits]
    )
