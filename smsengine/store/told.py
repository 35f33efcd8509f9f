"""Named statements on ``told``: how many texts each phone was planned, for the caps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from smsengine.lifecycle import RunState
from smsengine.store.fitting import slices
from smsengine.store.governance_tables import told
from smsengine.store.tables import runs

_NEVER_SENT = (RunState.CANCELLED, RunState.MISSED)


class Heard(NamedTuple):
    """How many texts a phone was planned in a day, and in its month."""

    day: int
    month: int


def month_of(day: date) -> int:
    """A month as the table knows it, e.g. 202611."""
    return day.year * 100 + day.month


def note(connection: Connection, texts: Mapping[bytes, int], *, run_id: int, day: date) -> None:
    """Count texts of a run that were planned on a day, by keyed hash; one batch after another."""
    if not texts:
        return
    there: Counter[bytes] = Counter()
    mine = (told.c.month == month_of(day), told.c.day == day.day, told.c.run_id == run_id)
    for some in slices(sorted(texts)):
        found = select(told.c.address_hash, told.c.texts).where(
            *mine, told.c.address_hash.in_(some)
        )
        there.update({row.address_hash: row.texts for row in connection.execute(found)})
        connection.execute(delete(told).where(*mine, told.c.address_hash.in_(list(there))))
    rows = [
        {
            "month": month_of(day),
            "address_hash": digest,
            "day": day.day,
            "run_id": run_id,
            "texts": count + there[digest],
        }
        for digest, count in sorted(texts.items())
    ]
    connection.execute(insert(told), rows)


def heard(
    connection: Connection, hashes: Sequence[bytes], *, day: date, owner: str | None
) -> Mapping[bytes, Heard]:
    """What phones were planned by runs that were not cancelled; all owners', or one's alone."""
    found: dict[bytes, Heard] = {}
    for some in slices(hashes):
        statement = (
            select(told.c.address_hash, told.c.day, func.sum(told.c.texts).label("texts"))
            .join(runs, runs.c.id == told.c.run_id)
            .where(
                told.c.month == month_of(day),
                told.c.address_hash.in_(some),
                runs.c.state.not_in(_NEVER_SENT),
            )
            .group_by(told.c.address_hash, told.c.day)
        )
        if owner is not None:
            statement = statement.where(runs.c.owner == owner)
        for row in connection.execute(statement):
            before = found.get(row.address_hash, Heard(0, 0))
            texts = int(row.texts)
            today = texts if row.day == day.day else 0
            found[row.address_hash] = Heard(before.day + today, before.month + texts)
    return found


def forget(connection: Connection, *, before: date) -> int:
    """Delete what was counted in the months before that of a day; returns how many rows."""
    statement = delete(told).where(told.c.month < month_of(before))
    return connection.execute(statement).rowcount
