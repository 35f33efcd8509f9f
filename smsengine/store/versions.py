"""Named statements on ``versions``: the editions of notices that were submitted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from smsengine.config.files import Role
from smsengine.errors import LifecycleError
from smsengine.lifecycle import VersionState, sources_of_version
from smsengine.store.fitting import is_possible, require_fit
from smsengine.store.governance_tables import versions
from smsengine.store.turns import take_turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A row of ``versions``; ``files`` are the texts that were submitted, byte for byte."""

    id: int
    job: str
    number: int
    owner: str
    topic: str
    title: str
    content_hash: str
    files: Mapping[Role, str]
    overlaps: tuple[str, ...]
    state: VersionState
    expires: date | None
    submitted_by: str
    submitted_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str

    @property
    def label(self) -> str:
        """How a person names it, e.g. ``01-hanoi/dossier v3``."""
        return f"{self.job} v{self.number}"

    @property
    def was_taken_back(self) -> bool:
        """Say whether it was withdrawn after it had been in force."""
        return self.state is VersionState.WITHDRAWN and self.decided_at is not None

    def has_expired(self, today: date) -> bool:
        """Say whether its last day is over."""
        return self.expires is not None and self.expires < today


def _version(row: RowMapping) -> Version:
    values = dict(row)
    files = {Role(role): text for role, text in json.loads(row["files"]).items()}
    return Version(
        **values
        | {
            "files": files,
            "overlaps": tuple(json.loads(row["overlaps"])),
            "state": VersionState(row["state"]),
            "expires": date.fromisoformat(row["expires"]) if row["expires"] else None,
        }
    )


def take_the_floor(connection: Connection) -> None:
    """Of all who submit and decide, one does so at a time, until the transaction ends."""
    take_turn(connection, "versions")


def submit(
    connection: Connection,
    *,
    job: str,
    owner: str,
    topic: str,
    title: str,
    content_hash: str,
    files: Mapping[Role, str],
    overlaps: Sequence[str],
    expires: date | None,
    by: str,
    at: datetime,
) -> Version:
    """Write down a new version of a notice, which waits for a decision.

    Raises:
        StoreError: a name is longer than the ledger keeps.
    """
    last = select(func.max(versions.c.number)).where(versions.c.job == job)
    values: dict[str, Any] = {
        "job": job,
        "number": 1 + (connection.execute(last).scalar() or 0),
        "owner": owner,
        "topic": topic,
        "title": title,
        "content_hash": content_hash,
        "files": json.dumps(files, ensure_ascii=False, sort_keys=True),
        "overlaps": _listed(overlaps),
        "state": VersionState.SUBMITTED,
        "expires": expires.isoformat() if expires else "",
        "submitted_by": by,
        "submitted_at": at,
    }
    require_fit(versions, values)
    statement = insert(versions).values(**values).returning(versions)
    return _version(connection.execute(statement).mappings().one())


def move(connection: Connection, version_id: int, after: VersionState, **values: Any) -> None:
    """Move a version to another state.

    Raises:
        LifecycleError: the law does not allow it from the state it is in.
    """
    statement = (
        update(versions)
        .where(versions.c.id == version_id, versions.c.state.in_(sources_of_version(after)))
        .values(state=after, **values)
    )
    if connection.execute(statement).rowcount != 1:
        known = get(connection, version_id)
        said = f"{known.label} is {known.state}" if known else f"There is no version {version_id}"
        raise LifecycleError(f"{said}; it cannot become {after}.")


def approve(
    connection: Connection,
    version_id: int,
    *,
    by: str,
    at: datetime,
    reason: str,
    overlaps: Sequence[str],
) -> None:
    """Put a version into force, with the topics of the Centre of which it tells a part by now.

    Raises:
        LifecycleError: the law does not allow it from the state it is in.
    """
    values = {"decided_by": by, "decided_at": at, "reason": reason, "overlaps": _listed(overlaps)}
    move(connection, version_id, VersionState.APPROVED, **values)


def _listed(topics: Sequence[str]) -> str:
    return json.dumps(sorted(topics))


def get(connection: Connection, version_id: int) -> Version | None:
    """One version by its number in the ledger."""
    if not is_possible(version_id):
        return None
    row = connection.execute(select(versions).where(versions.c.id == version_id)).mappings()
    found = row.one_or_none()
    return _version(found) if found is not None else None


def of_job(connection: Connection, job: str) -> Sequence[Version]:
    """All versions of a notice, oldest first."""
    statement = select(versions).where(versions.c.job == job).order_by(versions.c.number)
    return [_version(row) for row in connection.execute(statement).mappings()]


def in_state(connection: Connection, state: VersionState) -> Mapping[str, Version]:
    """The version of each notice that is in this state: submitted or approved, of which each has
    one at most; by the notice's name.
    """
    statement = select(versions).where(versions.c.state == state).order_by(versions.c.job)
    return {row["job"]: _version(row) for row in connection.execute(statement).mappings()}


def in_force_of(connection: Connection, owner: str) -> Sequence[Version]:
    """The versions of one owner that are in force."""
    ours = versions.c.state == VersionState.APPROVED, versions.c.owner == owner
    statement = select(versions).where(*ours).order_by(versions.c.job)
    return [_version(row) for row in connection.execute(statement).mappings()]


def standing(connection: Connection, job: str, state: VersionState) -> Version | None:
    """The version of one notice that is submitted, or approved."""
    statement = select(versions).where(versions.c.job == job, versions.c.state == state)
    row = connection.execute(statement).mappings().one_or_none()
    return _version(row) if row is not None else None


def approved_numbers(connection: Connection) -> frozenset[int]:
    """The numbers of all versions in force; tells cheaply whether anything was decided since."""
    statement = select(versions.c.id).where(versions.c.state == VersionState.APPROVED)
    return frozenset(connection.execute(statement).scalars())


def owners_of_topic(connection: Connection, topic: str) -> frozenset[str]:
    """Who has a version with this topic that is in force, or waits."""
    live = (VersionState.SUBMITTED, VersionState.APPROVED)
    statement = select(versions.c.owner).where(
        versions.c.topic == topic, versions.c.state.in_(live)
    )
    return frozenset(connection.execute(statement).scalars())


def topics_in_force(connection: Connection) -> Mapping[str, frozenset[str]]:
    """Who has a version in force about each topic."""
    statement = select(versions.c.topic, versions.c.owner).where(
        versions.c.state == VersionState.APPROVED
    )
    found = defaultdict[str, set[str]](set)
    for topic, owner in connection.execute(statement):
        found[topic].add(owner)
    return {topic: frozenset(owners) for topic, owners in found.items()}


def newest(connection: Connection) -> Mapping[str, Version]:
    """The newest version of each notice, whatever its state, by the notice's name."""
    last = select(func.max(versions.c.id)).group_by(versions.c.job)
    statement = select(versions).where(versions.c.id.in_(last))
    return {row["job"]: _version(row) for row in connection.execute(statement).mappings()}
