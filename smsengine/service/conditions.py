"""Where each notice stands in its life, in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from smsengine.config.job import LoadedJob
from smsengine.lifecycle import VersionState
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import needs_approval
from smsengine.store import versions
from smsengine.store.versions import Version


def condition_of(engine: Engine, loaded: LoadedJob) -> str:
    """What may be sent of a notice, and whether its files say something else by now.

    Returns:
        ``not needed``; or ``approved v3``, ``approved v3, changed since``, ``submitted v4``,
        ``expired v3``, ``draft``.
    """
    if not needs_approval(engine.settings, loaded.owner):
        return "not needed"
    with engine.store.read() as connection:
        known = versions.of_job(connection, loaded.name)
    return condition(known, loaded.read_all().content_hash, engine.today)


def condition(known: Sequence[Version], on_disk: str, today: date) -> str:
    """The same, of its versions (oldest first) and the hash of its files."""
    states = {each.state: each for each in known}
    said = []
    for state in (VersionState.APPROVED, VersionState.SUBMITTED):
        version = states.get(state)
        if version is not None:
            word = "expired" if version.has_expired(today) else state
            said.append(f"{word} v{version.number}")
    last = known[-1] if known else None
    if not said and last is not None and last.state is VersionState.EXPIRED:
        said.append(f"expired v{last.number}")
    elif not said:
        return "draft"
    if last is not None and last.content_hash != on_disk:
        said.append("changed since")
    return ", ".join(said)
