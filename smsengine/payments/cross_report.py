"""The cross-check as people read it: exceptions, lines that nobody knows, sums by member of staff.

Members of the staff are shown by name, since the office must speak with them; their codes hold a
citizen's number and are masked, as confirmation codes are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from smsengine.payments.fund_safe import FundSafe
from smsengine.payments.remittance import Kind, Lateness, Sums, Window, kind_of, remitted
from smsengine.payments.safe import Opened, Safe
from smsengine.store.fund import OpenLine
from smsengine.store.matches import Standing


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A payment that is not as it should be; money is đồng, ``age`` days since it was paid.

    ``paid`` is 0 for one that was cancelled.
    """

    kind: Kind
    organisation: str
    office: str
    staff: str
    receipt: str
    code: str
    paid_on: date
    paid: int
    got: int
    open: int
    age: int


class Why(StrEnum):
    """Why a line stays open."""

    #: it names no code, and not exactly one payment fits
    NO_CODE = "no-code"
    UNKNOWN = "unknown-code"
    #: it names the codes of several payments
    SEVERAL = "several-codes"


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A line of the fund of which it is not known which payment it is about, and why."""

    day: date
    amount: int
    organisation: str
    reference: str
    memo: str
    why: Why
    age: int


@dataclass(frozen=True, kw_only=True)
class Share:
    """The sums of one member of an organisation's staff."""

    organisation: str
    office: str
    staff: str
    sums: Sums


@dataclass(frozen=True, kw_only=True)
class Table:
    """Sums of the payments of some days, by organisation and member of its staff."""

    shares: tuple[Share, ...]
    total: Sums


def masked_code(code: str) -> str:
    """A confirmation code of which who knows it knows it: ``POS***02``."""
    return f"{code[:3]}***{code[-2:]}" if code else ""


def _staff(opened: Opened) -> str:
    """A member of the staff by name, the code masked: ``Nguyễn Thị Lan (NVT***321)``."""
    code = opened.payment.staff
    if not code:
        return ""
    shown = f"{code[:3]}***{code[-3:]}" if len(code) > 8 else f"***{code[-2:]}"
    return f"{opened.payment.staff_name} ({shown})" if opened.payment.staff_name else shown


def findings(
    standing: Iterable[Standing],
    *,
    safe: Safe,
    lateness: Lateness,
    window: Window,
    today: date,
) -> Iterator[Finding]:
    """What is not as it should be, in the order in which it was recorded."""
    for each in standing:
        kind = kind_of(each, lateness, window)
        if kind is None:
            continue
        opened = safe.open(each.sealed)
        yield Finding(
            kind=kind,
            organisation=each.organisation,
            office=each.office,
            staff=_staff(opened),
            receipt=each.receipt,
            code=masked_code(opened.code),
            paid_on=each.paid_on,
            paid=each.wanted,
            got=each.got,
            open=each.wanted - remitted(each),
            age=(today - each.paid_on).days,
        )


def table(standing: Iterable[Standing], *, safe: Safe, lateness: Lateness, today: date) -> Table:
    """The sums of each member of the staff, sorted by organisation and name."""
    sums: dict[tuple[str, bytes], Sums] = {}
    firsts: dict[tuple[str, bytes], Standing] = {}
    total = Sums()
    for each in standing:
        key = each.organisation, each.staff_hash
        if key not in sums:
            sums[key], firsts[key] = Sums(), each
        sums[key].add(each, lateness, today)
    shares = []
    for key, mine in sums.items():
        total += mine
        first = firsts[key]
        staff = _staff(safe.open(first.sealed))
        shares.append(
            Share(organisation=first.organisation, office=first.office, staff=staff, sums=mine)
        )
    shares.sort(key=lambda share: (share.organisation, share.staff))
    return Table(shares=tuple(shares), total=total)


def strays(
    lines: Iterable[OpenLine],
    known: Mapping[bytes, object],
    *,
    safe: FundSafe,
    today: date,
    with_memo: bool,
) -> Iterator[Stray]:
    """The lines that nobody knows, and why.

    Args:
        lines: that are open.
        known: those of their codes that the book knows.
        safe: opens what is sealed.
        today: in Vietnam.
        with_memo: show their texts, which hold personal data.
    """
    for line in lines:
        opened = safe.open(line.sealed)
        yield Stray(
            day=line.day,
            amount=line.amount,
            organisation=line.organisation,
            reference=opened.reference,
            memo=opened.memo if with_memo else "",
            why=_why(line, known),
            age=(today - line.day).days,
        )


def _why(line: OpenLine, known: Mapping[bytes, object]) -> Why:
    if not line.codes:
        return Why.NO_CODE
    if any(code in known for code in line.codes):
        return Why.SEVERAL
    return Why.UNKNOWN
