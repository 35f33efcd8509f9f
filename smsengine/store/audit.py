"""Named statements on ``audit``: who did what, in a chain of which no link can be taken out unseen.

Rows are only added. Who can write into the database can cut off the end of the chain, or write all
of it anew: the last hash, kept elsewhere, tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, exists, func, insert, select

from smsengine.store.fitting import fitted
from smsengine.store.governance_tables import audit
from smsengine.store.turns import take_turn

_TEXTS = ("actor", "account", "what", "subject", "detail")


def add(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    account: str,
    what: str,
    subject: str,
    detail: str = "",
) -> None:
    """Write down one thing at the end of the chain.

    Args:
        connection: a transaction that writes.
        at: when (UTC).
        actor: the person, or the program's own name.
        account: the account of the machine.
        what: in a word or two, e.g. ``submitted``.
        subject: the notice, table or masked phone.
        detail: a sentence.
    """
    given = {"actor": actor, "account": account, "what": what, "subject": subject, "detail": detail}
    values = {name: fitted(audit.c[name], given[name]) for name in _TEXTS}
    take_turn(connection, "audit")
    last = connection.execute(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)).scalar()
    digest = _hash(last or "", at, values)
    connection.execute(insert(audit).values(at=at, **values, hash=digest))


def _hash(before: str, at: datetime, values: dict[str, str]) -> str:
    fields = [before, at.astimezone(UTC).isoformat(), *(values[name] for name in _TEXTS)]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()


def has_said(connection: Connection, *, what: str, subject: str, detail: str) -> bool:
    """Say whether the same was written down before."""
    same = exists().where(
        audit.c.what == what,
        audit.c.subject == fitted(audit.c.subject, subject),
        audit.c.detail == fitted(audit.c.detail, detail),
    )
    return bool(connection.execute(select(same)).scalar())


def account_of(connection: Connection, *, what: str, subject: str) -> str | None:
    """Under which account something was done last; None when it was not."""
    done = audit.c.what == what, audit.c.subject == fitted(audit.c.subject, subject)
    statement = select(audit.c.account).where(*done).order_by(audit.c.id.desc()).limit(1)
    return connection.execute(statement).scalar()


def count(connection: Connection, *, what: str, about: str, since: datetime) -> int:
    """How often something was written down about what begins like this, since an instant (UTC)."""
    statement = select(func.count()).where(
        audit.c.what == what,
        audit.c.subject.startswith(about, autoescape=True),
        audit.c.at >= since,
    )
    return int(connection.execute(statement).scalar_one())


def newest(connection: Connection, *, subject: str = "", limit: int = 50) -> Sequence[RowMapping]:
    """The latest entries, newest first; of one subject, where one is given."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject:
        statement = statement.where(audit.c.subject == subject)
    return connection.execute(statement).mappings().all()


def verify(connection: Connection) -> tuple[int, str, int | None]:
    """Follow the chain from its beginning.

    Returns:
        How many entries hold, the hash of the last of them, and the number of the first entry that
        does not follow from those before it; None when all do.
    """
    count, last = 0, ""
    statement = select(audit).order_by(audit.c.id)
    with connection.execute(statement, execution_options={"yield_per": 1000}) as found:
        for row in found.mappings():
            if _hash(last, row["at"], {name: row[name] for name in _TEXTS}) != row["hash"]:
                return count, last, int(row["id"])
            count, last = count + 1, row["hash"]
    return count, last, None
