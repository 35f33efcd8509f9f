"""The life of a notice: handed in, approved or rejected, withdrawn, expired.

Letter 1 of the Centre: a province that wants to send anything else reports it to the Centre first.
What is approved are the bytes that were handed in, not whatever lies on the disk by then. Whoever
handed a notice in does not approve it; the ledger says so, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from smsengine.config.job import CENTRAL, LoadedJob
from smsengine.errors import RefusedError, UsageError
from smsengine.lifecycle import VersionState
from smsengine.service import auditing
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import Checked, check_job
from smsengine.service.in_force import require_whole
from smsengine.service.inspection import Inspection, bad, inspect
from smsengine.service.people import ANY, Actor, program
from smsengine.store import audit, runs, versions
from smsengine.store.versions import Version


def submit(engine: Engine, name: str, actor: Actor) -> Version:
    """Hand in a notice as its files lie on the disk.

    One that waits already is taken back by it.

    Raises:
        UsageError: there is no such job.
        ConfigError: its files are wrong.
        RefusedError: it is not the actor's, is known already, or something is wrong with it.
    """
    checked, loaded = _looked_at(engine, name, actor)
    with auditing.refusals(engine, actor, name):
        return _hand_in(engine, checked, loaded, actor)


def _hand_in(engine: Engine, checked: Checked, loaded: LoadedJob, actor: Actor) -> Version:
    name, files, job = loaded.name, loaded.read_all(), loaded.job
    with engine.store.write() as connection:
        versions.take_the_floor(connection)
        _require_new(connection, name, files.content_hash)
        _require_free_topic(connection, loaded.owner, job.topic)
        before = versions.standing(connection, name, VersionState.SUBMITTED)
        if before is not None:
            because = "A newer one was handed in."
            versions.move(connection, before.id, VersionState.WITHDRAWN, reason=because)
            auditing.note(connection, engine, actor, "withdrawn", before.label, because)
        version = versions.submit(
            connection,
            job=name,
            owner=loaded.owner,
            topic=job.topic,
            title=job.title,
            content_hash=files.content_hash,
            files=files.texts,
            overlaps=checked.related,
            expires=job.expires,
            by=actor.name,
            at=engine.clock.now(),
        )
        auditing.note(connection, engine, actor, "submitted", version.label, version.content_hash)
    return version


def _looked_at(engine: Engine, name: str, actor: Actor) -> tuple[Checked, LoadedJob]:
    """A notice of the actor's own office in which nothing is wrong."""
    catalogue = engine.catalogue()
    path = catalogue.path_of(name)
    _require_own(engine, name, catalogue.owner_of(path), actor)
    checked = check_job(engine, catalogue, path)
    wrong = bad(checked.findings, overridden=True)
    for sentence in [each.sentence("en") for each in wrong] + checked.extract_faults:
        auditing.refused(engine, actor, name, sentence)
    sentences = [each.sentence(checked.language) for each in wrong] + checked.extract_faults
    if sentences or checked.loaded is None:
        listed = "\n".join(sentences)
        raise RefusedError(f"{listed}\nMend it, and look again: smsengine jobs check {name}")
    return checked, checked.loaded


def _require_own(engine: Engine, name: str, owner: str, actor: Actor) -> None:
    with auditing.refusals(engine, actor, name):
        if actor.office != owner:
            raise RefusedError(f"{actor.name} works for {actor.office}; the notice is {owner}'s.")


def _require_new(connection: Connection, name: str, content_hash: str) -> None:
    for state in (VersionState.APPROVED, VersionState.SUBMITTED):
        known = versions.standing(connection, name, state)
        if known is not None and known.content_hash == content_hash:
            raise RefusedError(f"{known.label} is the same and is {state} already.")


def _require_free_topic(connection: Connection, owner: str, topic: str) -> None:
    """A topic has one owner, whether its files still lie there or not."""
    others = versions.owners_of_topic(connection, topic) - {owner}
    if others:
        raise RefusedError(
            f"The topic {topic!r} belongs to {', '.join(sorted(others))}; name your own."
        )


def waiting(engine: Engine, name: str) -> Version:
    """The version of a notice that waits for a decision.

    Raises:
        UsageError: none does.
    """
    with engine.store.read() as connection:
        version = versions.standing(connection, name, VersionState.SUBMITTED)
        others = versions.in_state(connection, VersionState.SUBMITTED)
    if version is None:
        there = ", ".join(others) or "none"
        raise UsageError(f"{name} does not wait for a decision; those that do: {there}.")
    return version


def approve(engine: Engine, version: Version, actor: Actor, *, reason: str = "") -> Version:
    """Put a version into force that was looked at; the one before it goes.

    Raises:
        ConfigError: it does not fit the installation any more.
        RefusedError: the actor may not approve it, or somebody decided meanwhile.
        LifecycleError: it does not wait any more.
    """
    with auditing.refusals(engine, actor, version.job):
        _require_other(engine, version, actor)
        inspected = _require_good(engine, version, actor, reason)
        return _put_into_force(engine, version, actor, inspected, reason)


def _put_into_force(
    engine: Engine, version: Version, actor: Actor, inspected: Inspection, reason: str
) -> Version:
    with engine.store.write() as connection:
        versions.take_the_floor(connection)
        _require_free_topic(connection, version.owner, version.topic)
        before = versions.standing(connection, version.job, VersionState.APPROVED)
        if before is not None and before.id != version.id:
            versions.move(connection, before.id, VersionState.REPLACED)
        versions.approve(
            connection,
            version.id,
            by=actor.name,
            at=engine.clock.now(),
            reason=reason,
            overlaps=inspected.related,
        )
        said = f"{version.content_hash} {reason}".strip()
        auditing.note(connection, engine, actor, "approved", version.label, said)
        after = versions.get(connection, version.id)
    assert after is not None
    return after


def _require_good(engine: Engine, version: Version, actor: Actor, reason: str) -> Inspection:
    """What was good when it was handed in may not be good any more, and may overlap with more."""
    require_whole(version)
    catalogue = engine.catalogue()
    inspected = inspect(engine, catalogue, catalogue.place_of(version.job), version.files)
    auditing.forbidden(engine, actor, version.job, inspected.findings)
    wrong = bad(inspected.findings, overridden=bool(reason))
    if wrong:
        listed = "\n".join(each.sentence("en") for each in wrong)
        raise RefusedError(f"{version.label} is not approved:\n{listed}")
    return inspected


def reject(engine: Engine, version: Version, actor: Actor, *, reason: str) -> None:
    """Refuse a version that waits.

    Raises:
        RefusedError: the actor may not decide about it.
        LifecycleError: it does not wait any more.
    """
    _require_other(engine, version, actor)
    with engine.store.write() as connection:
        versions.take_the_floor(connection)
        decided = {"decided_by": actor.name, "decided_at": engine.clock.now(), "reason": reason}
        versions.move(connection, version.id, VersionState.REJECTED, **decided)
        auditing.note(connection, engine, actor, "rejected", version.label, reason)


def _require_other(engine: Engine, version: Version, actor: Actor) -> None:
    """Only somebody of the Centre decides, and never about what is their own.

    Two names under one account may be one person: only where the actor works under any account,
    as whoever tries things out does, is that let pass.
    """
    if actor.office != CENTRAL:
        raise RefusedError(f"{actor.name} works for {actor.office}; only the Centre decides.")
    if actor.name == version.submitted_by:
        raise RefusedError(f"{actor.name} handed {version.label} in; somebody else must decide.")
    person = engine.settings.people.get(actor.name)
    if person is not None and ANY in person.accounts:
        return
    with engine.store.read() as connection:
        before = audit.account_of(connection, what="submitted", subject=version.label)
    if before == actor.account:
        raise RefusedError(
            f"{version.label} was handed in under the account {before}; decide under another one."
        )


def withdraw(engine: Engine, name: str, actor: Actor, *, reason: str) -> Sequence[Version]:
    """Take back what waits and what is in force; nothing of the notice is sent any more.

    Returns:
        The versions that were taken back.

    Raises:
        UsageError: there is nothing to take back.
        RefusedError: the notice is neither the actor's nor the actor the Centre's.
    """
    with engine.store.write() as connection:
        versions.take_the_floor(connection)
        standing = [
            version
            for state in (VersionState.SUBMITTED, VersionState.APPROVED)
            if (version := versions.standing(connection, name, state)) is not None
        ]
        if not standing:
            raise UsageError(f"Nothing of {name} waits or is in force.")
        if actor.office not in (standing[0].owner, CENTRAL):
            raise RefusedError(
                f"{name} is {standing[0].owner}'s; {actor.name} cannot take it back."
            )
        for version in standing:
            versions.move(connection, version.id, VersionState.WITHDRAWN, reason=reason)
            auditing.note(connection, engine, actor, "withdrawn", version.label, reason)
        because = f"{standing[-1].label} was withdrawn: {reason}"
        for run in runs.under_way(connection):
            if run.job == name:
                now = engine.clock.now()
                runs.stop(connection, run.id, because=because, at=now, actor=actor.name)
    return standing


def expire(engine: Engine, day: date) -> Sequence[Version]:
    """Mark the versions whose last day is over, and pause their runs; returns the versions."""
    with engine.store.write() as connection:
        versions.take_the_floor(connection)
        over = [
            version
            for version in versions.in_state(connection, VersionState.APPROVED).values()
            if version.has_expired(day)
        ]
        for version in over:
            versions.move(connection, version.id, VersionState.EXPIRED)
            auditing.note(
                connection, engine, program(), "expired", version.label, f"on {version.expires}"
            )
        _stop_expired(connection, engine, day)
    return over


def _stop_expired(connection: Connection, engine: Engine, day: date) -> None:
    """Runs of versions whose last day is over, also of those that were replaced before it."""
    for run in runs.under_way(connection):
        version = versions.get(connection, run.version_id or 0)
        if version is not None and version.has_expired(day):
            because = f"The last day of {version.label}, {version.expires:%d/%m/%Y}, is over."
            now = engine.clock.now()
            runs.stop(connection, run.id, because=because, at=now, actor=program().name)
