"""Named statements on ``told``: how many texts each phone was planned, for the caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, and_, delete, func, or_, select, true

from smsengine.lifecycle import RunState
from smsengine.store.bulk import Bulk, Given
from smsengine.store.fitting import is_among, slices
from smsengine.store.governance_tables import told
from smsengine.store.tables import runs

_NEVER_SENT = (RunState.CANCELLED, RunState.MISSED)


class Heard(NamedTuple):
    """How many texts a phone was planned in a day, and in its month."""

    day: int
    month: int


_NOTHING = Heard(0, 0)
#: SQLite's statements are built for a number of rows: few of one size are built once.
_AT_ONCE = 500


def month_of(day: date) -> int:
    """A month as the table knows it, e.g. 202611."""
    return day.year * 100 + day.month


def _count_statement(kind: Any, given: Given) -> Executable:
    rows = select(*(given[name] for name in _GIVEN)).where(true())
    added = kind.insert(told).from_select(_GIVEN, rows)
    statement: Executable = added.on_conflict_do_update(
        index_elements=["month", "address_hash", "day", "run_id"],
        set_={"texts": told.c.texts + added.excluded.texts},
    )
    return statement


_GIVEN = ["month", "address_hash", "day", "run_id", "texts"]
_COUNT = Bulk(_count_statement, {name: told.c[name].type for name in _GIVEN})


def note(connection: Connection, texts: Mapping[bytes, int], *, run_id: int, day: date) -> None:
    """Count texts of a run that were planned on a day, by keyed hash; one batch after another."""
    hashes = sorted(texts)
    alike = {"month": month_of(day), "day": day.day, "run_id": run_id}
    step = _AT_ONCE if connection.dialect.name == "sqlite" else len(hashes) or 1
    for start in range(0, len(hashes), step):
        some = hashes[start : start + step]
        columns: dict[str, Sequence[Any]] = {
            "address_hash": some,
            "texts": [texts[each] for each in some],
        }
        _COUNT.execute(connection, columns, alike)


def _many_statement(_kind: Any, given: Given) -> Executable:
    """Correlated, so that each phone is looked up: joined, SQLite reads the table for each."""
    texts = select(func.sum(told.c.texts)).where(
        told.c.month == given["month"], told.c.address_hash == given["address_hash"]
    )
    return select(given["address_hash"]).where(texts.scalar_subquery() >= given["least"])


_MANY = Bulk(
    _many_statement,
    {
        "month": told.c.month.type,
        "address_hash": told.c.address_hash.type,
        "least": told.c.texts.type,
    },
)


def many(
    connection: Connection, hashes: Sequence[bytes], *, day: date, least: int
) -> Sequence[bytes]:
    """Those of these phones that were planned at least so many texts in the month of a day.

    Runs that ended unreleased count here, too: it is a first sieve, see ``heard``.
    """
    alike = {"month": month_of(day), "least": least}
    return [row[0] for row in _MANY.rows(connection, {"address_hash": hashes}, alike)]


def all_many(
    connection: Connection, *, day: date, least: int, most: int
) -> frozenset[bytes] | None:
    """All phones that were planned at least so many texts in the month of a day, as in ``many``.

    None where there are more than ``most``: then they are better asked about.
    """
    statement = (
        select(told.c.address_hash)
        .where(told.c.month == month_of(day))
        .group_by(told.c.address_hash)
        .having(func.sum(told.c.texts) >= least)
        .limit(most + 1)
    )
    found = frozenset(connection.execute(statement).scalars())
    return found if len(found) <= most else None


def heard(
    connection: Connection, hashes: Sequence[bytes], *, day: date, owner: str | None
) -> Mapping[bytes, Heard]:
    """What phones were planned, but for runs that ended unreleased; all owners', or one's alone."""
    unsent = and_(runs.c.state.in_(_NEVER_SENT), runs.c.released_upto == 0)
    never = select(runs.c.id).where(unsent)
    if owner is not None:
        never = select(runs.c.id).where(or_(unsent, runs.c.owner != owner))
    left_out = frozenset(connection.execute(never).scalars())
    found: dict[bytes, Heard] = {}
    for some in slices(hashes):
        statement = select(told.c.address_hash, told.c.day, told.c.run_id, told.c.texts).where(
            told.c.month == month_of(day), is_among(connection, told.c.address_hash, some)
        )
        for digest, of_day, run_id, texts in connection.execute(statement):
            if run_id not in left_out:
                before = found.get(digest, _NOTHING)
                today = texts if of_day == day.day else 0
                found[digest] = Heard(before.day + today, before.month + texts)
    return found


def forget(connection: Connection, *, before: date) -> int:
    """Delete what was counted in the months before that of a day; returns how many rows."""
    statement = delete(told).where(told.c.month < month_of(before))
    return connection.execute(statement).rowcount
