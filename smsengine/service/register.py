"""The register of notices: who sends what to whom, when, in which words, approved by whom."""

from __future__ import annotations

from collections.abc import Iterator

from smsengine.config.job import CENTRAL, Job, LoadedJob
from smsengine.errors import SmsEngineError
from smsengine.lifecycle import VersionState
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import all_in_force, needs_approval
from smsengine.store import versions
from smsengine.store.versions import Version

_HEADER = """\
# Register of notices

Whoever is told anything by a text is told it by one of these notices; a topic has one owner.
"""


def register_page(engine: Engine) -> str:
    """Every notice that may be sent, as a page in Markdown, the Centre's first.

    Raises:
        ConfigError: there is no folder of jobs.
    """
    with engine.store.read() as connection:
        approved = versions.in_state(connection, VersionState.APPROVED)
    found = [job for _, job in all_in_force(engine) if not isinstance(job, SmsEngineError)]
    found.sort(key=lambda job: (job.owner != CENTRAL, job.name))
    entries = ["\n".join(_entry(engine, job, approved.get(job.name))) for job in found]
    return "\n".join([_HEADER, *entries])


def _entry(engine: Engine, loaded: LoadedJob, version: Version | None) -> Iterator[str]:
    job = loaded.job
    yield f"## {loaded.name}: {job.title}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| owner | {_owner(engine, loaded.owner)} |"
    yield f"| topic | `{job.topic}` |"
    yield f"| when | {job.schedule} |"
    yield f"| about | {job.period} |"
    yield f"| to whom | {_told(job)} |"
    yield f"| in force | {_standing(engine, loaded, version)} |"
    if job.expires is not None:
        yield f"| until | {job.expires:%d/%m/%Y} |"
    yield ""
    yield "```text"
    yield from loaded.template(loaded.files).strip().splitlines()
    yield "```"
    yield ""


def _owner(engine: Engine, owner: str) -> str:
    office = engine.settings.offices.get(owner)
    return f"{office.name} (`{owner}`)" if office is not None else "the Centre"


def _told(job: Job) -> str:
    channel = "e-mail addresses" if job.recipient.emails else "phones"
    where = "a table of contacts" if job.recipient.contacts else "the extract"
    return f"the {channel} of each `{job.recipient.subject}`, from {where}"


def _standing(engine: Engine, loaded: LoadedJob, version: Version | None) -> str:
    if version is None or not needs_approval(engine.settings, loaded.owner):
        return "without an approval, as the Centre has decided"
    return (
        f"v{version.number}, handed in by {version.submitted_by}, approved by {version.decided_by}"
    )
