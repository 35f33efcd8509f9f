"""From the received records of an extract to one line per visit, as part of a SELECT.

``facility`` states the rule; these are its lower layers, each a subquery over the one before:
records as text, versions (what can be read of each record), visits (what counts of each visit).
The version received last gives money, month and discharge; the earliest receipt is kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    table,
    union_all,
)

from smsengine.notices import fields


class MonthOf(StrEnum):
    """Which of its dates decides the month a visit belongs to."""

    #: the month of the claim, NAM_QT and THANG_QT
    CLAIM = "claim"
    #: the month of discharge, NGAY_RA
    DISCHARGE = "discharge"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the records call their columns; the defaults are those of form XML1 (QĐ 130/QĐ-BYT)."""

    visit: str = "MA_LK"
    facility: str = "MA_CSKCB"
    discharged: str = "NGAY_RA"
    month: str = "THANG_QT"
    year: str = "NAM_QT"
    amount: str = "T_BHTT"
    received: str = "THOI_GIAN_TIEP_NHAN"


def visits(
    *,
    period: str,
    month_of: MonthOf,
    columns: Columns,
    table_name: str,
    schema: str | None,
) -> Subquery:
    """Return one line per visit: facility, period (yyyymm), discharged, amount (hundredths of a
    đồng), readable, first_received, ambiguous, unreadable (its records that cannot be read).
    """
    records = _records(columns, month_of, table_name, schema)
    resent = _resent(records)
    once = _versions(_sent_once(records, resent), month_of, period)
    again = _versions(_sent_again(records, resent), month_of, period)
    return union_all(_only(once), _last(again)).subquery("visits")


def _records(names: Columns, month_of: MonthOf, table_name: str, schema: str | None) -> Subquery:
    """Every column that is needed, as text; nothing is empty text."""
    wanted = {
        "facility": names.facility,
        "visit": names.visit,
        "discharged": names.discharged,
        "amount": names.amount,
        "received": names.received,
    }
    if month_of is MonthOf.CLAIM:
        wanted |= {"year": names.year, "month": names.month}
    raw = table(table_name, *(column(name) for name in wanted.values()), schema=schema)
    texts = (
        func.coalesce(cast(raw.c[name], Text), "", type_=Text).label(key)
        for key, name in wanted.items()
    )
    return select(*texts).subquery("records_as_text")


def _resent(records: Subquery) -> Subquery:
    """The visits of which there is more than one version: few, and only these need sorting."""
    row = records.alias("seen").c
    return (
        select(row.facility, row.visit)
        .where(row.visit != "")
        .group_by(row.facility, row.visit)
        .having(func.count() > 1)
        .subquery("resent")
    )


def _sent_once(records: Subquery, resent: Subquery) -> Select[Any]:
    once = records.alias("once")
    row = once.c
    again = exists().where(resent.c.facility == row.facility, resent.c.visit == row.visit)
    return select(once).where(~again)


def _sent_again(records: Subquery, resent: Subquery) -> Select[Any]:
    again = records.alias("again")
    same = and_(resent.c.facility == again.c.facility, resent.c.visit == again.c.visit)
    return select(again).join(resent, same)


def _versions(records: Select[Any], month_of: MonthOf, asked: str) -> Subquery:
    """Each record with its month, its amount in hundredths, and whether it can be read."""
    row = _bare(records, month_of).subquery().c
    joined = row.discharged.concat(row.received).concat(row.period).concat(row.amount)
    readable = and_(
        row.facility != "",
        row.visit != "",
        fields.is_date(row.period.concat("01")),
        fields.is_time(row.discharged, 12),
        fields.is_time(row.received, 14),
        fields.is_amount(row.amount),
        fields.all_digits(joined),
    )
    judged = select(*row, case((readable, 1), else_=0).label("readable")).subquery()
    return _numbered(judged, asked).subquery()


def _bare(records: Select[Any], month_of: MonthOf) -> Select[Any]:
    row = records.subquery().c
    if month_of is MonthOf.CLAIM:
        period = fields.bare_month(row.year, row.month)
    else:
        period = fields.part(row.discharged, 1, 6)
    return select(
        row.facility,
        row.visit,
        row.discharged,
        fields.bare_time(row.received).label("received"),
        period.label("period"),
        fields.is_negative(row.amount).label("negative"),
        fields.bare_amount(row.amount).label("amount"),
    )


def _numbered(judged: Subquery, asked: str) -> Select[Any]:
    """The amount as a number; ``concerned``: the record is, or may be, of the month asked for."""
    row = judged.c
    size = fields.to_number(row.amount, row.readable == 1)
    elsewhere = and_(row.period != asked, or_(row.readable == 1, fields.is_month(row.period)))
    return select(
        row.facility,
        row.visit,
        row.discharged,
        row.received,
        row.period,
        row.readable,
        case((row.negative, -size), else_=size).label("amount"),
        case((elsewhere, 0), else_=1).label("concerned"),
    )


def _only(versions: Subquery) -> Select[Any]:
    row = versions.c
    return select(
        row.facility,
        row.period,
        row.discharged,
        row.amount,
        row.readable,
        row.received.label("first_received"),
        literal(0).label("ambiguous"),
        case((row.readable == 0, row.concerned), else_=0).label("unreadable"),
    )


def _last(versions: Subquery) -> Select[Any]:
    row = _ranked(versions).subquery("ranked").c
    return select(
        row.facility,
        row.period,
        row.discharged,
        row.amount,
        row.readable,
        row.first_received,
        case((row.differs, 1), else_=0).label("ambiguous"),
        case((row.concerned == 1, row.faults), else_=0).label("unreadable"),
    ).where(row.place == 1)


def _ranked(versions: Subquery) -> Select[Any]:
    """The versions of visits that have several, the one that counts in place 1."""
    row = versions.c
    visit = [row.facility, row.visit]
    latest_first = [row.readable, row.received, row.amount, row.period, row.discharged]
    tied = [*visit, row.readable, row.received]
    differs = or_(
        *(
            func.min(value).over(partition_by=tied) != value
            for value in (row.amount, row.period, row.discharged)
        )
    )
    return select(
        row.facility,
        row.period,
        row.discharged,
        row.amount,
        row.readable,
        differs.label("differs"),
        func.min(case((row.readable == 1, row.received)))
        .over(partition_by=visit)
        .label("first_received"),
        func.max(row.concerned).over(partition_by=visit).label("concerned"),
        func.sum(1 - row.readable).over(partition_by=visit).label("faults"),
        func.row_number()
        .over(partition_by=visit, order_by=[key.desc() for key in latest_first])
        .label("place"),
    )
