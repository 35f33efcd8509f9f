"""What runs: the approved version of a notice, whatever lies on the disk now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from smsengine.config.files import Files
from smsengine.config.job import CENTRAL, LoadedJob
from smsengine.config.settings import Settings
from smsengine.errors import RefusedError, SmsEngineError, StoreError
from smsengine.governance import grants
from smsengine.lifecycle import VersionState
from smsengine.planning.release import Permit
from smsengine.service import auditing, overlapping
from smsengine.service.bootstrap import Engine
from smsengine.service.catalogue import Catalogue
from smsengine.service.people import program
from smsengine.store import versions
from smsengine.store.runs import Run
from smsengine.store.versions import Version

#: What was decided is taken up within so many seconds.
_LOOK_SECONDS = 15.0

#: Who has a notice in force about each topic.
Topics = Mapping[str, frozenset[str]]


def needs_approval(settings: Settings, owner: str) -> bool:
    """Say whether the notices of an owner are sent only as somebody approved them."""
    return owner != CENTRAL or settings.governance.central == "required"


def _may_need(settings: Settings) -> bool:
    """Say whether anybody's notices need an approval."""
    return bool(settings.offices) or needs_approval(settings, CENTRAL)


def approved(engine: Engine) -> frozenset[int]:
    """The numbers of the versions in force: what was decided since can be told from them."""
    if not _may_need(engine.settings):
        return frozenset()
    with engine.store.read() as connection:
        return versions.approved_numbers(connection)


def owner_of(name: str) -> str:
    """The owner of a job by its name: ``central``, or an office's folder."""
    return name.rpartition("/")[0] or CENTRAL


def in_force(engine: Engine, name: str) -> LoadedJob:
    """A job as it is sent: as it was approved, or as it lies on the disk where that is enough.

    Raises:
        UsageError: there is no such job.
        ConfigError: its files are wrong.
        RefusedError: it needs an approval and has none that is in force.
        StoreError: what is kept of it is not what was approved.
    """
    if not needs_approval(engine.settings, owner_of(name)):
        return _unexpired(engine.job(name), engine.today)
    with engine.store.read() as connection:
        version = versions.standing(connection, name, VersionState.APPROVED)
        topics = versions.topics_in_force(connection)
    catalogue = engine.catalogue()
    with auditing.refusals(engine, program(), name):
        if version is None:
            catalogue.path_of(name)
            raise RefusedError(
                f"{name} is not approved; hand it in with 'smsengine jobs submit {name}', and have"
                " somebody of the Centre approve it."
            )
        if version.has_expired(engine.today):
            raise RefusedError(
                f"{version.label} was approved until {version.expires:%d/%m/%Y}; hand it in again"
                f" with 'smsengine jobs submit {name}'."
            )
    return _as_approved(engine, catalogue, version, topics)


def _as_approved(
    engine: Engine, catalogue: Catalogue, version: Version, topics: Topics
) -> LoadedJob:
    """A job as a version keeps it, if that is still good; the audit is told if not.

    What does not fit was changed in the ledger behind everybody's back: both of two offices with
    one topic are refused, since nobody can tell whose it is.
    """
    with auditing.refusals(engine, program(), version.job):
        loaded = load_version(catalogue, version)
        topic = loaded.job.topic
        if topic != version.topic:
            raise RefusedError(
                f"{version.label} was approved about {version.topic!r}, and says {topic!r}."
            )
        others = topics.get(topic, frozenset()) - {loaded.owner}
        if others and loaded.owner != CENTRAL:
            listed = ", ".join(sorted(others))
            raise RefusedError(
                f"{version.label} is about {topic!r}, of which {listed} has a notice in force;"
                " withdraw one of them."
            )
    return loaded


def all_in_force(engine: Engine) -> Iterator[tuple[str, LoadedJob | SmsEngineError]]:
    """Every job that may be sent now, by its name; or what is wrong with it.

    Raises:
        ConfigError: there is no folder of jobs.
    """
    catalogue = engine.catalogue()
    for path in catalogue.paths:
        if not needs_approval(engine.settings, catalogue.owner_of(path)):
            loaded = _or_error(partial(_from_disk, catalogue, path))
            if not isinstance(loaded, LoadedJob) or not _has_expired(loaded, engine.today):
                yield catalogue.name_of(path), loaded
    if not _may_need(engine.settings):
        return
    with engine.store.read() as connection:
        approved = versions.in_state(connection, VersionState.APPROVED)
        topics = versions.topics_in_force(connection)
    day = engine.today
    for name, version in approved.items():
        if needs_approval(engine.settings, version.owner) and not version.has_expired(day):
            yield name, _or_error(partial(_as_approved, engine, catalogue, version, topics))


def _from_disk(catalogue: Catalogue, path: Path) -> LoadedJob:
    return catalogue.load(path)[0]


def _has_expired(loaded: LoadedJob, day: date) -> bool:
    return loaded.job.expires is not None and loaded.job.expires < day


def _unexpired(loaded: LoadedJob, day: date) -> LoadedJob:
    if _has_expired(loaded, day):
        raise RefusedError(
            f"{loaded.path}: expires: {loaded.job.expires} is over; look at it anew."
        )
    return loaded


def _or_error(load: Callable[[], LoadedJob]) -> LoadedJob | SmsEngineError:
    try:
        return load()
    except SmsEngineError as error:
        return error


def load_version(catalogue: Catalogue, version: Version) -> LoadedJob:
    """A job as a version keeps it.

    Raises:
        ConfigError: it does not fit the installation any more.
        StoreError: what is kept is not what was submitted.
    """
    require_whole(version)
    loaded, _ = catalogue.load(catalogue.place_of(version.job), kept=version.files)
    return loaded.model_copy(update={"version": version.id, "overlaps": version.overlaps})


def require_whole(version: Version) -> None:
    """See to it that the bytes that are kept are those that were handed in.

    Raises:
        StoreError: they are not.
    """
    if Files(version.files).content_hash != version.content_hash:
        raise StoreError(f"What the ledger keeps of {version.label} is not what was submitted.")


def require_in_force(engine: Engine, loaded: LoadedJob) -> None:
    """See to it that a job is the one that was approved, if it needs that.

    Raises:
        RefusedError: it is not, or not any more.
    """
    if not needs_approval(engine.settings, loaded.owner):
        return
    with engine.store.read() as connection:
        version = versions.get(connection, loaded.version or 0)
    if version is None:
        raise RefusedError(f"{loaded.name} is not approved; nothing of it is sent.")
    if version.job != loaded.name or version.content_hash != loaded.files.content_hash:
        raise RefusedError(f"{loaded.name} is not what was approved as {version.label}.")
    if version.state is not VersionState.APPROVED or version.has_expired(engine.today):
        state = version.state if version.state is not VersionState.APPROVED else "expired"
        raise RefusedError(f"{version.label} is {state}; nothing of it is sent any more.")
    _require_granted(engine, loaded, version)


def _require_granted(engine: Engine, loaded: LoadedJob, version: Version) -> None:
    """A job that was read long ago may be that of an office that is no more."""
    if loaded.owner == CENTRAL:
        return
    faults = grants.faults(loaded, engine.settings.offices, engine.today)
    said = " ".join(f"{what.en} {mend.en}" for _, _, what, mend in faults)
    if said:
        raise RefusedError(f"{version.label}: {said}")


def permit(engine: Engine, run: Run) -> Permit:
    """Looks whether a run may be sent while nobody can decide otherwise.

    What the Centre tells is read just before that: of what it adds in between, nothing is planned.

    Raises:
        RefusedError: the notice's topic has become the Centre's.
    """
    overlaps = _overlaps(engine, run)

    def look(connection: Connection) -> Sequence[str]:
        versions.take_the_floor(connection)
        _require_good(connection, engine, run)
        return overlaps

    return look


def _overlaps(engine: Engine, run: Run) -> Sequence[str]:
    """The topics of the Centre with which a run overlaps by now."""
    if run.version_id is None or not needs_approval(engine.settings, run.owner):
        return ()
    with engine.store.read() as connection:
        version = versions.get(connection, run.version_id)
    if version is None:
        return ()
    with auditing.refusals(engine, program(), run.job):
        return overlapping.of_version(engine, version)


def _require_good(connection: Connection, engine: Engine, run: Run) -> None:
    """See to it that a run's notice was not taken back since it was planned.

    One that a newer version has replaced since stays good: this is what was approved then; until
    the notice is taken back.

    Raises:
        RefusedError: it was taken back, or its last day is over.
    """
    if not needs_approval(engine.settings, run.owner):
        return
    version = versions.get(connection, run.version_id or 0)
    if version is None:
        raise RefusedError(
            f"Run {run.id} ({run.label}) was planned without an approval; cancel it."
        )
    good = (VersionState.APPROVED, VersionState.REPLACED)
    if version.state not in good or version.has_expired(engine.today):
        state = "expired" if version.state in good else version.state
        raise RefusedError(f"Run {run.id} ({run.label}) is of {version.label}, which is {state}.")
    for each in versions.of_job(connection, run.job):
        if each.number > version.number and each.was_taken_back:
            raise RefusedError(
                f"Run {run.id} ({run.label}) is of {version.label}; {each.label}, which replaced"
                " it, was withdrawn."
            )


class Decided:
    """Tells a process that goes on for long whether notices were approved or taken back."""

    def __init__(self) -> None:
        self._known = frozenset[int]()
        self._next_look = 0.0

    def know(self, engine: Engine) -> None:
        """What is in force now is known."""
        self._known = approved(engine)

    def since(self, engine: Engine) -> bool:
        """Say, now and then, whether that has changed; a ledger that is away says nothing."""
        now = engine.clock.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        with suppress(SmsEngineError):
            return approved(engine) != self._known
        return False
