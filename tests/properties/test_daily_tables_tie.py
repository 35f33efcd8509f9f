"""Whatever is paid, corrected and cancelled, and whenever tables are made: they tie to the đồng."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from smsengine.config.payments import Organisation, PaymentSettings
from smsengine.errors import RefusedError
from smsengine.lifecycle import EntryKind
from smsengine.payments import daily
from smsengine.payments.book import Book
from smsengine.payments.payment import Payment
from smsengine.payments.safe import Safe
from smsengine.store import daily_tables, payments
from smsengine.store.daily_tables import Made, Place
from smsengine.store.engine import Store
from tests.conftest import KEY, START, execute
from tests.unit.payments.sheets_of_day import PAYMENT

DAYS = [date(2019, 5, 30) + timedelta(days=more) for more in range(2)]
CODES = ("AR0013M", "BI0007M")
SETTINGS = PaymentSettings(
    organisations={code: Organisation(name=code, office="00101") for code in CODES}
)
_receipts = st.tuples(st.sampled_from(CODES), st.integers(1, 2))
_moves = st.one_of(
    st.tuples(
        st.sampled_from(["pay", "correct"]),
        _receipts,
        st.integers(1, 9),
        st.sampled_from(DAYS),
    ),
    st.tuples(st.just("cancel"), _receipts),
    st.tuples(st.just("cut"), st.sampled_from(DAYS)),
    st.tuples(st.just("move"), st.sampled_from(["00101", "00102"])),
)


class World:
    """A book of payments, and tables that are made from it now and then."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.safe = Safe(KEY)
        self.offices = dict.fromkeys(CODES, "00101")

    @property
    def book(self) -> Book:
        """As the configuration says it now: an organisation may come under another office."""
        there = {
            code: Organisation(name=code, office=office) for code, office in self.offices.items()
        }
        return Book(self.safe, there)

    def move(self, office: str) -> None:
        self.offices[CODES[0]] = office

    def pay(self, receipt: tuple[str, int], amount: int, day: date) -> None:
        with self.store.write() as connection:
            self.book.record(connection, [paid(receipt, amount, day)], by="test", now=START)

    def correct(self, receipt: tuple[str, int], amount: int, day: date) -> None:
        with self.store.write() as connection:
            payment = paid(receipt, amount, day)
            key = payment.organisation, payment.receipt
            known = payments.of_receipts(connection, [key]).get(key, ())
            self.book.correct(
                connection,
                payment,
                reason="r",
                by="test",
                now=START,
                replaces=self.safe.open(known[-1].sealed).code if known else "",
            )

    def cancel(self, receipt: tuple[str, int]) -> None:
        code, number = receipt
        with self.store.write() as connection:
            self.book.cancel(connection, code, f"R{number}", reason="r", by="test", now=START)

    def cut(self, day: date) -> None:
        """Tables of a day, and supplements, up to what is in the book now."""
        with self.store.write() as connection:
            upto = daily_tables.end_of_book(connection)
            expected = [Place(day, code, office) for code, office in self.offices.items()]
            touched = daily_tables.touched(connection, day=day, after=0)
            known = daily_tables.last_of(connection, [day])
            for order in daily.orders(expected, touched, known, upto=upto):
                lines, amount = self.lines(connection, order.place, order.after, order.upto)
                table = Made(
                    organisation=order.place.organisation,
                    office=order.place.office,
                    day=day,
                    sequence=order.sequence,
                    after_id=order.after,
                    upto_id=order.upto,
                    lines=lines,
                    amount=amount,
                    sha256="0" * 64,
                    file_name=order.file_name,
                    made_at=START,
                )
                assert daily_tables.add(connection, table) is not None

    def lines(self, connection: Connection, place: Place, after: int, upto: int) -> tuple[int, int]:
        with daily_tables.effects(connection, place, after=after, upto=upto) as effects:
            found = list(daily.lines(effects, self.safe, SETTINGS, sequence=0))
        return len(found), sum(each.amount for each in found)

    def holding(self, day: date) -> dict[Place, int]:
        """What holds of a day: the last edition of each receipt, unless it is a cancellation."""
        last: dict[tuple[str, str], payments.Entry] = {}
        with self.store.read() as connection, payments.stream(connection) as entries:
            for entry, _link in entries:
                last[entry.organisation, entry.receipt] = entry
        found: dict[Place, int] = defaultdict(int)
        for entry in last.values():
            if entry.kind is not EntryKind.CANCELLATION and entry.paid_on == day:
                found[Place(day, entry.organisation, entry.office)] += entry.amount
        return found

    def told(self, day: date) -> dict[Place, int]:
        """What the tables of a day come to."""
        found: dict[Place, int] = defaultdict(int)
        with self.store.read() as connection:
            for table in daily_tables.of_day(connection, day):
                found[table.place] += table.amount
        return found


def paid(receipt: tuple[str, int], amount: int, day: date) -> Payment:
    code, number = receipt
    return replace(PAYMENT, organisation=code, receipt=f"R{number}", amount=amount, paid_on=day)


def play(world: World, moves: list[tuple[object, ...]]) -> None:
    """Make the moves that can be made, and compare after each cut."""
    for name, *given_ in moves:
        try:
            getattr(world, str(name))(*given_)
        except RefusedError:
            continue
        if name == "cut":
            compare(world, given_[0])  # type: ignore[arg-type]
    for day in DAYS:
        world.cut(day)
        compare(world, day)


def compare(world: World, day: date) -> None:
    holding, told = world.holding(day), world.told(day)
    assert {place: told[place] for place in holding} == dict(holding)
    assert all(amount == 0 for place, amount in told.items() if place not in holding)


def begin_anew(store: Store) -> World:
    with store.write() as connection:
        for table in ("daily_tables", "payment_queue", "payments"):
            execute(connection, f"DELETE FROM {table}")
    return World(store)


_STORY: list[tuple[object, ...]] = [
    *(("pay", ("AR0013M", number), 5, DAYS[0]) for number in (1, 2)),
    ("cut", DAYS[0]),
    ("cancel", ("AR0013M", 1)),
    ("correct", ("AR0013M", 2), 7, DAYS[1]),
    ("cut", DAYS[0]),
    ("move", "00102"),
    ("correct", ("AR0013M", 2), 8, DAYS[0]),
    ("cut", DAYS[1]),
]
_OF_FIXTURE = [HealthCheck.function_scoped_fixture]


@given(moves=st.lists(_moves, min_size=15, max_size=30))
@example(moves=_STORY)
@settings(max_examples=20, deadline=None, suppress_health_check=_OF_FIXTURE)
def test_tables_and_supplements_come_to_what_holds(
    sqlite_store: Store, moves: list[tuple[object, ...]]
) -> None:
    """Table by table, place by place: nothing is told twice, and nothing is left out."""
    play(begin_anew(sqlite_store), moves)


@given(moves=st.lists(_moves, min_size=15, max_size=30))
@example(moves=_STORY)
@settings(max_examples=5, deadline=None, suppress_health_check=_OF_FIXTURE)
def test_on_postgresql_too(postgres_store: Store, moves: list[tuple[object, ...]]) -> None:
    """The statements are the same, and so is what they find."""
    play(begin_anew(postgres_store), moves)
