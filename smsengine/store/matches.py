"""Named statements on ``payment_matches``: which line of the fund is about which payment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    or_,
    select,
)

from smsengine.lifecycle import EntryKind, MatchedBy
from smsengine.store.fitting import slices
from smsengine.store.payment_tables import fund_lines, fund_queue, payment_matches, payments

_first = payments.alias("first")
_later = payments.alias("later")
_IS_FIRST = and_(
    _first.c.organisation == payments.c.organisation,
    _first.c.receipt == payments.c.receipt,
    _first.c.edition == 1,
)
#: No other edition took its place.
_HOLDS = ~exists().where(
    _later.c.organisation == payments.c.organisation,
    _later.c.receipt == payments.c.receipt,
    _later.c.edition == payments.c.edition + 1,
)
_IN_STREAM = {"yield_per": 2000}


class KnownReceipt(NamedTuple):
    """A receipt that a code belongs to: its first edition, the one that holds, its lines so far."""

    id: int
    edition: int
    parts: int


class Standing(NamedTuple):
    """What holds of a receipt now, and what the fund got of it.

    ``first_id`` is its first edition and ``id`` the one that holds. ``matched_edition`` is the one
    that held when its first line was matched; it, ``last_day`` and ``last_at`` (when its last line
    was matched) are None where ``parts`` is 0.
    """

    first_id: int
    id: int
    edition: int
    kind: EntryKind
    organisation: str
    office: str
    receipt: str
    staff_hash: bytes
    paid_on: date
    amount: int
    recorded_at: datetime
    sealed: bytes
    got: int
    parts: int
    last_day: date | None
    matched_edition: int | None
    last_at: datetime | None

    @property
    def wanted(self) -> int:
        """đồng that the fund must get."""
        return 0 if self.kind is EntryKind.CANCELLATION else self.amount


def receipts_of(connection: Connection, codes: Sequence[bytes]) -> Mapping[bytes, KnownReceipt]:
    """The receipts that these codes were given to, by the code's hash, in whichever edition."""
    newest = select(func.max(_later.c.edition)).where(
        _later.c.organisation == payments.c.organisation, _later.c.receipt == payments.c.receipt
    )
    parts = select(func.coalesce(func.max(payment_matches.c.part), 0)).where(
        payment_matches.c.payment_id == _first.c.id
    )
    found: dict[bytes, KnownReceipt] = {}
    for some in slices(codes):
        statement = (
            select(
                payments.c.code_hash,
                _first.c.id,
                newest.scalar_subquery(),
                parts.scalar_subquery(),
            )
            .join(_first, _IS_FIRST)
            .where(payments.c.code_hash.in_(some))
        )
        for code, *known in connection.execute(statement):
            found[code] = KnownReceipt(*known)
    return found


def add(
    connection: Connection,
    matches: Sequence[tuple[int, int, int, int, MatchedBy]],
    now: datetime,
) -> None:
    """Add matches: line, first edition of the receipt, part, edition that holds, and how."""
    names = ("line_id", "payment_id", "part", "edition", "how")
    rows = [{**dict(zip(names, each, strict=True)), "made_at": now} for each in matches]
    if rows:
        connection.execute(insert(payment_matches), rows)


def got(connection: Connection, first_id: int) -> int:
    """đồng that the fund got of a receipt, named by its first edition."""
    statement = (
        select(func.coalesce(func.sum(fund_lines.c.amount), 0))
        .join(payment_matches, payment_matches.c.line_id == fund_lines.c.id)
        .where(payment_matches.c.payment_id == first_id)
    )
    return int(connection.execute(statement).scalar_one())


# -- by amount -------------------------------------------------------------------------------------


def _without_a_code(*columns: ColumnElement[Any], since: date) -> Select[Any]:
    """Of open lines that name no code, from a day on."""
    return (
        select(*columns)
        .select_from(fund_queue)
        .join(fund_lines, fund_lines.c.id == fund_queue.c.line_id)
        .where(fund_lines.c.code_hashes == b"", fund_lines.c.day >= since)
    )


@contextmanager
def lines_alike(
    connection: Connection, since: date
) -> Iterator[Iterator[tuple[int, str, date, int, int]]]:
    """Open lines that name no code: amount, organisation, day, how many, and one of them.

    Sorted by amount.
    """
    alike = (fund_lines.c.amount, fund_lines.c.organisation, fund_lines.c.day)
    statement = (
        _without_a_code(*alike, func.count(), func.min(fund_lines.c.id), since=since)
        .group_by(*alike)
        .order_by(fund_lines.c.amount)
    )
    with connection.execute(statement, execution_options=_IN_STREAM) as rows:
        yield (tuple(row) for row in rows)


@contextmanager
def payments_alike(
    connection: Connection, since: date
) -> Iterator[Iterator[tuple[int, str, date, int, int, int]]]:
    """Payments of which nothing came, and which a line that ``lines_alike`` gives may be about.

    Amount, organisation, day of payment, how many, one of them (its first edition) and the edition
    of it that holds; sorted by amount.
    """
    wanted = _without_a_code(fund_lines.c.amount, since=since).distinct()
    came = exists().where(payment_matches.c.payment_id == _first.c.id)
    alike = (payments.c.amount, payments.c.organisation, payments.c.paid_on)
    statement = (
        select(*alike, func.count(), func.min(_first.c.id), func.min(payments.c.edition))
        .join(_first, _IS_FIRST)
        .where(
            payments.c.paid_on >= since,
            payments.c.kind != EntryKind.CANCELLATION,
            payments.c.amount.in_(wanted),
            _HOLDS,
            ~came,
        )
        .group_by(*alike)
        .order_by(payments.c.amount)
    )
    with connection.execute(statement, execution_options=_IN_STREAM) as rows:
        yield (tuple(row) for row in rows)


# -- what holds ------------------------------------------------------------------------------------


@contextmanager
def standing(
    connection: Connection,
    *,
    first_day: date | None = None,
    last_day: date,
    only_since: datetime | None = None,
) -> Iterator[Iterator[Standing]]:
    """What holds of each receipt and what came of it, in order.

    Args:
        connection: to the ledger.
        first_day: of payment; None for all that was ever paid.
        last_day: of payment.
        only_since: leave out what is settled, unless the fund's line was matched or the receipt
            corrected at this instant or later.
    """
    came = func.coalesce(func.sum(fund_lines.c.amount), 0)
    parts = func.count(payment_matches.c.line_id)
    names = Standing._fields[1 : Standing._fields.index("got")]
    statement = (
        select(
            func.min(_first.c.id),
            *(payments.c[name] for name in names),
            came,
            parts,
            func.max(fund_lines.c.day),
            func.min(payment_matches.c.edition),
            func.max(payment_matches.c.made_at),
        )
        .join(_first, _IS_FIRST)
        .outerjoin(payment_matches, payment_matches.c.payment_id == _first.c.id)
        .outerjoin(fund_lines, fund_lines.c.id == payment_matches.c.line_id)
        .where(payments.c.paid_on <= last_day, _HOLDS)
        .group_by(payments.c.id)
        .order_by(payments.c.id)
    )
    if first_day is not None:
        statement = statement.where(payments.c.paid_on >= first_day)
    if only_since is not None:
        is_void = payments.c.kind == EntryKind.CANCELLATION
        statement = statement.having(
            or_(
                came != case((is_void, 0), else_=payments.c.amount),
                func.max(payment_matches.c.made_at) >= only_since,
                and_(parts > 0, payments.c.edition > 1, payments.c.recorded_at >= only_since),
            )
        )
    with connection.execute(statement, execution_options=_IN_STREAM) as rows:
        yield (_standing(row) for row in rows)


def _standing(row: Any) -> Standing:
    found = Standing(*row)
    return found._replace(kind=EntryKind(found.kind), got=int(found.got))
