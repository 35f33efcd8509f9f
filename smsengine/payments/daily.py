"""Which daily tables are to be made, and what one line of a table says. Pure.

A table of a day holds what was recorded about that day until it was made. It never changes: what
comes later stands in a numbered supplement of the same day, where a correction takes back what was
said before and says it anew, and a cancellation takes it back. So the sums of all tables of a day
are what holds of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from smsengine.clock import VIETNAM
from smsengine.config.payments import PaymentSettings
from smsengine.lifecycle import EntryKind
from smsengine.payments import codes
from smsengine.payments.payment import Payment
from smsengine.payments.safe import Safe
from smsengine.store.daily_tables import Effect, Last, Place

_DAY = timedelta(days=1)
_TAIL = 4


@dataclass(frozen=True, kw_only=True)
class Order:
    """A table to make: number 0 is the day's own, the next ones are supplements.

    It holds the entries of the book behind ``after``, up to ``upto``.
    """

    place: Place
    sequence: int
    after: int
    upto: int

    @property
    def file_name(self) -> str:
        """Codes and the day only: a name is seen by many."""
        day, organisation, office = self.place
        supplement = f"_BS{self.sequence}" if self.sequence else ""
        return f"01-XN_{organisation}_{office}_{day}{supplement}.xlsx"


def orders(
    expected: Iterable[Place],
    touched: Mapping[Place, int],
    known: Mapping[Place, Last],
    *,
    upto: int,
) -> Sequence[Order]:
    """What is to be made so that everything up to an entry of the book is in a table.

    Args:
        expected: places that have a table even where nothing was paid.
        touched: the last entry that each place has.
        known: how far the tables of each place go.
        upto: the number of the last entry that counts.
    """
    found = []
    for place in sorted({*expected, *touched}):
        last = known.get(place)
        if last is None:
            found.append(Order(place=place, sequence=0, after=0, upto=upto))
        elif last.upto_id < min(touched.get(place, 0), upto):
            number = last.sequence + 1
            found.append(Order(place=place, sequence=number, after=last.upto_id, upto=upto))
    return found


def last_moment(now: datetime, hours: Collection[time]) -> datetime:
    """The last of these hours of the day in Vietnam that has come (UTC)."""
    local = now.astimezone(VIETNAM)
    moments = (
        datetime.combine(local.date() - _DAY * back, hour, VIETNAM)
        for hour in hours
        for back in (0, 1)
    )
    return max(moment for moment in moments if moment <= local).astimezone(now.tzinfo)


def days_after(known: date | None, upto: date, *, most: int) -> Sequence[date]:
    """The days that are closed since; the last one where nothing was closed before."""
    if known is None:
        return [upto]
    count = min((upto - known).days, most)
    return [upto - _DAY * back for back in reversed(range(max(0, count)))]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a table. ``amount`` is đồng with its sign; ``staff`` tells people apart."""

    sign: int
    amount: int
    code: str
    payment: Payment
    type: str
    organisation: str
    recorded_at: datetime
    note: str
    staff: bytes

    @property
    def staff_name(self) -> str:
        """Whom the organisation knows: by name, and by the end of the code, a citizen's number."""
        name, code = self.payment.staff_name, self.payment.staff
        if not code:
            return name or "(không ghi)"
        return f"{name} (…{code[-_TAIL:]})".strip()


def lines(
    effects: Iterable[Effect], safe: Safe, settings: PaymentSettings, *, sequence: int
) -> Iterator[Line]:
    """The lines of a table.

    Raises:
        SealedError: a payment was sealed with another key.
    """
    for effect in effects:
        opened = safe.open(effect.sealed)
        payment = opened.payment
        yield Line(
            sign=effect.sign,
            amount=effect.sign * effect.amount,
            code=codes.shown(opened.code),
            payment=payment,
            type=settings.type_name(effect.type),
            organisation=settings.organisation_name(payment.organisation),
            recorded_at=effect.recorded_at,
            note=_note(effect, sequence),
            staff=effect.staff_hash,
        )


def _note(effect: Effect, sequence: int) -> str:
    if effect.kind is EntryKind.CANCELLATION:
        return "Hủy"
    if effect.kind is EntryKind.CORRECTION:
        return "Điều chỉnh giảm" if effect.sign < 0 else "Điều chỉnh tăng"
    return "Ghi nhận sau" if sequence else ""
