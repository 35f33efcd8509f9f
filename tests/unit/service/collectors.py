"""An installation for which collectors take payments, and a day at its counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from smsengine.clock import VIETNAM, ManualClock
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_delivering import Courier
from smsengine.service.daily_tables import DailyTables
from smsengine.service.paying import Paying
from smsengine.store import alarms, daily_deliveries, daily_tables
from smsengine.store.daily_deliveries import Delivery
from smsengine.store.daily_tables import Made
from tests.unit.payments.sheets_of_day import PAYMENT

TODAY, YESTERDAY = date(2019, 6, 1), date(2019, 5, 31)
HERE, THERE = "AR0013M", "BI0007M"
CONFIG = """\
database: {database}
dedup_key: file:smsengine.key
data: data
flights: {flights}
gateways:
  trial:
    kind: file
    path: outbox/trial.jsonl
    prices: [{{from: 2019-01-01, per_segment: 850}}]
  mail:
    kind: email
    host: localhost
    port: {port}
    tls: none
    timeout_seconds: 5
    sender: bhxh@example.vn
    subject: Notices
    prices: [{{from: 2019-01-01, per_segment: 0}}]
payments:
  organisations:
    AR0013M: {{name: UBND phường Điện Biên, office: "00101", deliver: [{here}]}}
    BI0007M: {{name: Bưu điện, office: "00102", deliver: [{there}]}}
  table: {{mail: mail}}
"""
Open = Callable[..., Engine]


class Collectors:
    """Takes payments, and has the daily tables made."""

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine.clock, ManualClock)
        self.engine, self.clock = engine, engine.clock
        self.paying = Paying(engine)
        self.tables = DailyTables(engine)
        self.courier = Courier(engine, self.tables)

    def at(self, local: str) -> datetime:
        """It is that time in Vietnam, e.g. ``2019-06-02 07:45``."""
        there = datetime.fromisoformat(local).replace(tzinfo=VIETNAM)
        self.clock.sleep((there - self.clock.now()).total_seconds())
        return self.clock.now()

    def pay(
        self, receipt: str, amount: int = 1000, day: date = YESTERDAY, to: str = HERE, **more: Any
    ) -> None:
        payment = replace(
            PAYMENT, organisation=to, receipt=receipt, amount=amount, paid_on=day, **more
        )
        (recorded,) = self.paying.record([payment], "test")
        assert recorded.is_new

    def correct(self, receipt: str, amount: int, day: date = YESTERDAY, to: str = HERE) -> None:
        payment = replace(PAYMENT, organisation=to, receipt=receipt, amount=amount, paid_on=day)
        self.paying.correct(payment, reason="wrong", by="test")

    def cancel(self, receipt: str, to: str = HERE) -> None:
        self.paying.cancel(to, receipt, reason="void", by="test")

    def made(self, day: date = YESTERDAY) -> list[Made]:
        with self.engine.store.read() as connection:
            return list(daily_tables.of_day(connection, day))

    def sums(self, day: date = YESTERDAY) -> list[tuple[str, int, int, int]]:
        """Of each table of a day: whose it is, its number, its lines and what it comes to."""
        return [
            (each.organisation, each.sequence, each.lines, each.amount) for each in self.made(day)
        ]

    def deliveries(self, day: date = YESTERDAY) -> list[Delivery]:
        with self.engine.store.read() as connection:
            return list(
                daily_deliveries.of_tables(connection, [each.id for each in self.made(day)])
            )

    def states(self, day: date = YESTERDAY) -> list[str]:
        return [each.state.value for each in self.deliveries(day)]

    def alarms(self) -> list[str]:
        """What people are told about daily tables."""
        with self.engine.store.read() as connection:
            found = alarms.since(connection, datetime(2019, 1, 1, tzinfo=UTC))
        return [each.text for each in found if each.key.startswith("daily tables")]
