"""Makes the daily tables: yesterday's once a day, supplements for what came later.

A table is a row of the ledger first, which is written once, whoever makes it. Its file is made
from the ledger whenever it is needed, so that any machine can deliver what another one has made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.errors import DeliveryError, UsageError
from smsengine.lifecycle import DeliveryWay
from smsengine.payments import daily, daily_file
from smsengine.payments.carriers import sha256_of
from smsengine.payments.daily import Order
from smsengine.payments.daily_file import Form
from smsengine.service.bootstrap import Engine
from smsengine.service.paying import Paying
from smsengine.store import daily_deliveries, daily_tables
from smsengine.store.daily_deliveries import Where
from smsengine.store.daily_tables import Cut, Made, Place

#: So many tables are made, written down and delivered at a time.
_TOGETHER = 50
#: Days without a daemon whose empty tables are made up for; what was paid is told of any day.
_MOST_DAYS = 31
_DAY = timedelta(days=1)

Files = Mapping[int, Path]


class DailyTables:
    """Makes the tables of one installation."""

    def __init__(self, engine: Engine) -> None:
        """Begin.

        Raises:
            ConfigError: nobody collects.
        """
        self._engine, self._paying = engine, Paying(engine)
        self._settings = engine.settings.payments

    def closing_day(self, now: datetime) -> date:
        """The last day whose tables are made by the clock by now."""
        moment = daily.last_moment(now, [self._settings.table.at])
        return moment.astimezone(VIETNAM).date() - _DAY

    def is_due(self, now: datetime) -> bool:
        """Say whether the clock has to make tables now."""
        hours: Collection[time] = {self._settings.table.at, self._settings.table.again}
        with self._engine.store.read() as connection:
            cut = daily_tables.last_cut(connection)
        return cut is None or cut.made_at < daily.last_moment(now, hours)

    def make_all(
        self, day: date, *, then: Callable[[Sequence[Made], Files], None] | None = None
    ) -> Sequence[Made]:
        """Make everything that is owed up to a day: its tables, and supplements of all days.

        Args:
            day: the last day that is over.
            then: is given tables that were just made, with their files by their numbers.

        Returns:
            What was made here; what another process made meanwhile is not in it.
        """
        made: list[Made] = []
        is_whole = False
        while not is_whole:
            with self._engine.store.read() as connection:
                upto = daily_tables.end_of_book(connection)
                wanted = self._owed(connection, day, upto)
            some = self._make(wanted, then)
            made += some
            # What another process was faster with may end at an earlier entry.
            is_whole = len(some) == len(wanted)
        cut = Cut(day=day, upto_id=upto, made_at=self._engine.clock.now())
        with self._engine.store.write() as connection:
            daily_tables.add_cut(connection, cut)
        return made

    def make_day(
        self,
        day: date,
        organisation: str | None = None,
        *,
        then: Callable[[Sequence[Made], Files], None] | None = None,
    ) -> Sequence[Made]:
        """Make what is lacking of one day, of all organisations or of one.

        Raises:
            UsageError: the day is not over, or there is no such organisation.
        """
        if day >= self._engine.today:
            raise UsageError(f"{day} is not over; its table is made when it is.")
        if organisation is not None and organisation not in self._settings.organisations:
            raise UsageError(f"{organisation} is no organisation of the configuration.")
        with self._engine.store.read() as connection:
            upto = daily_tables.end_of_book(connection)
            touched = daily_tables.touched(connection, day=day, after=0)
            known = daily_tables.last_of(connection, [day])
        wanted = daily.orders(self._expected([day]), touched, known, upto=upto)
        mine = [each for each in wanted if organisation in (None, each.place.organisation)]
        return self._make(mine, then)

    def _owed(self, connection: Connection, day: date, upto: int) -> Sequence[Order]:
        cut = daily_tables.last_cut(connection)
        closed = cut.day if cut else None
        days = daily.days_after(closed, day, most=_MOST_DAYS)
        begins = datetime.combine(day, time(), VIETNAM)
        after = cut.upto_id if cut else daily_tables.recorded_before(connection, begins)
        touched = dict(daily_tables.touched(connection, day=None, after=after))
        for each in daily.days_after(closed, day, most=10**6):
            # What was recorded about it while it was not over stands before the last cut.
            touched |= daily_tables.touched(connection, day=each, after=0)
        over = {place: last for place, last in touched.items() if place.day <= day}
        known = daily_tables.last_of(connection, sorted({*days, *(each.day for each in over)}))
        return daily.orders(self._expected(days), over, known, upto=upto)

    def _expected(self, days: Sequence[date]) -> Sequence[Place]:
        known = self._settings.organisations.items()
        return [Place(day, code, each.office) for day in days for code, each in known]

    # -- files -----------------------------------------------------------------------------------

    def _make(
        self,
        wanted: Sequence[Order],
        then: Callable[[Sequence[Made], Files], None] | None,
    ) -> Sequence[Made]:
        made: list[Made] = []
        for start in range(0, len(wanted), _TOGETHER):
            with tempfile.TemporaryDirectory(prefix="smsengine-") as folder:
                some = self._make_some(wanted[start : start + _TOGETHER], Path(folder))
                made += some
                if then is not None and some:
                    then(some, {each.id: Path(folder) / each.file_name for each in some})
        return made

    def _make_some(self, wanted: Sequence[Order], folder: Path) -> Sequence[Made]:
        """Files first, then their rows, at once with where they go."""
        drafts = [self._draft(order, folder) for order in wanted]
        now = self._engine.clock.now()
        with self._engine.store.write() as connection:
            found = [daily_tables.add(connection, each) for each in drafts]
            made = [each for each in found if each is not None]
            for each in made:
                daily_deliveries.plan(connection, each.id, self.ways(each.organisation), at=now)
        return made

    def _draft(self, order: Order, folder: Path) -> Made:
        day, organisation, office = order.place
        draft = Made(
            organisation=organisation,
            office=office,
            day=day,
            sequence=order.sequence,
            after_id=order.after,
            upto_id=order.upto,
            lines=0,
            amount=0,
            sha256="",
            file_name=order.file_name,
            made_at=self._engine.clock.now(),
        )
        return self._written(draft, folder / draft.file_name)

    def _written(self, table: Made, path: Path) -> Made:
        """Write a table's file; returns the table with what it comes to."""
        with (
            self._engine.store.read() as connection,
            daily_tables.effects(
                connection, table.place, after=table.after_id, upto=table.upto_id
            ) as effects,
        ):
            safe, sequence = self._paying.safe, table.sequence
            lines = daily.lines(effects, safe, self._settings, sequence=sequence)
            sums = daily_file.write(path, self._form(table), lines)
        return table._replace(lines=sums.lines, amount=sums.total.amount, sha256=sha256_of(path))

    def _form(self, table: Made) -> Form:
        settings = self._settings.table
        name = settings.offices.get(table.office)
        return Form(
            title=settings.title,
            office=name or f"Cơ quan BHXH: {table.office}",
            organisation=self._settings.organisation_name(table.organisation),
            code=table.organisation,
            day=f"{table.day:%d/%m/%Y}",
            supplement=table.sequence,
            made_at=table.made_at,
            columns=settings.columns,
        )

    @contextmanager
    def file_of(self, table: Made) -> Iterator[tuple[Made, Path]]:
        """A table's file, made anew for as long as the block lasts; with how it looks now.

        Where nobody has it yet, it may look otherwise than it was: the configuration has changed.

        Raises:
            DeliveryError: it is not the table that was sent.
        """
        with tempfile.TemporaryDirectory(prefix="smsengine-") as folder:
            path = Path(folder) / table.file_name
            now = self._written(table, path)
            if (now.lines, now.amount) != (table.lines, table.amount):
                raise DeliveryError(
                    f"{table.file_name} cannot be made again: the book has other entries than it"
                    " had. Look: smsengine payments verify"
                )
            if now.sha256 != table.sha256 and not self._may_look_otherwise(table, now.sha256):
                raise DeliveryError(
                    f"{table.file_name} was sent before, and names or columns in the configuration"
                    " have changed since; put them back until it has arrived everywhere."
                )
            yield now, path

    def _may_look_otherwise(self, table: Made, sha256: str) -> bool:
        with self._engine.store.write() as connection:
            return daily_tables.look_otherwise(connection, table, sha256)

    def ways(self, organisation: str) -> Sequence[Where]:
        """Where an organisation's tables go; into the outbox where nothing is said."""
        known = self._settings.organisations.get(organisation)
        named = known.deliver if known else ()
        found = [Where(DeliveryWay(way.kind), way.target) for way in named]
        return found or [Where(DeliveryWay.FOLDER, "")]
