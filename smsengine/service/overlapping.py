"""What the Centre tells by now of that which an office tells, whatever it was when it was approved.

Asked for each run, at its planning and at its release: to read the Centre's few notices and compare
them takes milliseconds, and nothing can be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable

from smsengine.config.files import Files, Role
from smsengine.config.job import CENTRAL, LoadedJob
from smsengine.errors import RefusedError
from smsengine.governance.similarity import likeness
from smsengine.service.bootstrap import Engine
from smsengine.store.versions import Version


def topics_by_now(engine: Engine, name: str, topic: str, wordings: Iterable[str]) -> set[str]:
    """The topics of the Centre of which a notice of an office tells a part.

    Args:
        engine: the installation.
        name: of the notice, for the sentence.
        topic: its own.
        wordings: its templates.

    Raises:
        RefusedError: its own topic has become the Centre's.
        ConfigError: there is no folder of jobs.
    """
    catalogue, least = engine.catalogue(), engine.settings.governance.related
    if catalogue.is_of_the_centre(topic):
        raise RefusedError(
            f"The topic {topic!r} of {name} belongs to the Centre by now; nothing of it is sent."
        )
    ours = [words for words in wordings if words]
    return {
        their_topic
        for their_topic, theirs in catalogue.central_wordings
        if any(likeness(words, theirs) >= least for words in ours)
    }


def of_job(engine: Engine, loaded: LoadedJob, files: Files) -> tuple[str, ...]:
    """The topics of the Centre with which a notice overlaps: as it says, as approved, and by now.

    Raises:
        RefusedError: its own topic has become the Centre's.
    """
    if loaded.owner == CENTRAL:
        return ()
    wordings = loaded.template(files), loaded.merged_template(files)
    by_now = topics_by_now(engine, loaded.name, loaded.job.topic, wordings)
    return tuple(sorted({*loaded.overlaps, *loaded.job.overlaps, *by_now}))


def of_version(engine: Engine, version: Version) -> tuple[str, ...]:
    """The same for a version that was in force when a run was planned.

    Raises:
        RefusedError: its own topic has become the Centre's.
    """
    if version.owner == CENTRAL:
        return version.overlaps
    roles = Role.TEMPLATE, Role.MERGED_TEMPLATE
    wordings = [version.files.get(role, "") for role in roles]
    by_now = topics_by_now(engine, version.job, version.topic, wordings)
    return tuple(sorted({*version.overlaps, *by_now}))
