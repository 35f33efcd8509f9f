"""The jobs that the clock looks after, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from smsengine.errors import SmsEngineError
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import all_in_force
from smsengine.service.offers import Scheduled

#: Stands for the name of a job where there is none.
NO_JOB = "(none)"


@dataclass(frozen=True, kw_only=True)
class Roster:
    """Jobs by name; ``broken`` says in a sentence why a job cannot be used."""

    jobs: Mapping[str, Scheduled] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)

    def next_fire(self, name: str, now: datetime) -> datetime | None:
        """When a job is due next (UTC); None for a broken one, or one that never is."""
        job = self.jobs.get(name)
        firing = job.timetable.next_after(now) if job is not None else None
        return firing.at if firing is not None else None

    def next_fires(self, now: datetime) -> dict[str, datetime]:
        """When each job is due next (UTC)."""
        found = {name: self.next_fire(name, now) for name in self.jobs}
        return {name: at for name, at in found.items() if at is not None}


def read_roster(engine: Engine) -> Roster:
    """Read every job that may be sent; a broken one does not keep the others from their work.

    A folder without any job is told like a broken one: rather its disk is away than all jobs.

    Raises:
        ConfigError: there is no folder of jobs.
    """
    jobs, broken = {}, {}
    for name, loaded in all_in_force(engine):
        if isinstance(loaded, SmsEngineError):
            broken[name] = str(loaded)
            continue
        try:
            jobs[name] = Scheduled(loaded=loaded, timetable=engine.timetable(loaded))
        except SmsEngineError as error:
            broken[name] = str(error)
    if not jobs and not broken:
        broken[NO_JOB] = f"The folder {engine.settings.jobs} holds no job; is its disk mounted?"
    return Roster(jobs=jobs, broken=broken)
