"""``smsengine jobs submit``, ``approve``, ``reject``, ``withdraw``, ``diff`` and ``history``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine, yes
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import show_golden
from smsengine.clock import VIETNAM
from smsengine.config.files import Files, Role
from smsengine.config.offices import May
from smsengine.errors import RefusedError, UsageError
from smsengine.lifecycle import VersionState
from smsengine.service import approvals
from smsengine.service.bootstrap import Engine
from smsengine.service.inspection import Golden, inspect
from smsengine.service.people import Actor, acting, own_account
from smsengine.service.register import register_page
from smsengine.store import versions
from smsengine.store.versions import Version

_as = click.option("--as", "named", metavar="PERSON", help="Who you are, where several may be.")
_why = click.option("--reason", required=True, help="Why; kept in the ledger.")


def _actor(engine: Engine, may: May, named: str | None) -> Actor:
    return acting(engine.settings, may, named=named, account=own_account())


@click.command()
@click.argument("job")
@_as
@as_json
@with_engine
def submit(engine: Engine, job: str, named: str | None, *, as_json: bool) -> None:
    """Hand JOB in as its files lie on the disk now, for the Centre to decide."""
    version = approvals.submit(engine, job, _actor(engine, "submit", named))
    if as_json:
        say_json(_facts(version))
        return
    say(f"{version.label} is handed in by {version.submitted_by}.", style="green")
    say(f"Somebody else, of the Centre, decides: smsengine jobs approve {job}")


@click.command()
@click.argument("job")
@click.option("--reason", default="", help="Why in spite of what was found; kept in the ledger.")
@yes
@_as
@as_json
@with_engine
def approve(
    engine: Engine, job: str, reason: str, named: str | None, *, yes: bool, as_json: bool
) -> None:
    """Put the version of JOB that waits into force, after showing what it changes, and its texts.

    It is what was handed in, whatever lies on the disk by now.
    """
    actor = _actor(engine, "approve", named)
    version = approvals.waiting(engine, job)
    if not yes:
        _show_change(engine, version)
        click.confirm(f"Approve {version.label} as {actor.name}?", abort=True, err=True)
    after = approvals.approve(engine, version, actor, reason=reason.strip())
    if as_json:
        say_json(_facts(after))
        return
    say(f"{after.label} is in force, approved by {after.decided_by}.", style="green")


def _show_change(engine: Engine, version: Version) -> None:
    """What a version changes of the one in force."""
    with engine.store.read() as connection:
        before = versions.standing(connection, version.job, VersionState.APPROVED)
    say(f"{version.label}: {version.title}, by {version.submitted_by}", style="bold")
    named = before.label if before else "nothing"
    _show_diff(before.files if before else {}, version.files, named, version.label)
    was = {each.case: each.text for each in _golden(engine, before)} if before else {}
    for each in _golden(engine, version):
        text = was.get(each.case, "")
        show_golden(each, before="" if text == each.text else text)


def _golden(engine: Engine, version: Version) -> Sequence[Golden]:
    """The golden rows of a version, as they would go out today."""
    catalogue = engine.catalogue()
    return inspect(engine, catalogue, catalogue.place_of(version.job), version.files).golden


def _show_diff(before: Mapping[Role, str], after: Mapping[Role, str], old: str, new: str) -> None:
    for role in sorted({*before, *after}):
        lines = difflib.unified_diff(
            before.get(role, "").splitlines(),
            after.get(role, "").splitlines(),
            f"{role} ({old})",
            f"{role} ({new})",
            lineterm="",
        )
        for line in lines:
            style = {"+": "green", "-": "red"}.get(line[:1], "")
            say(line, style=style)


@click.command()
@click.argument("job")
@_why
@_as
@with_engine
def reject(engine: Engine, job: str, reason: str, named: str | None) -> None:
    """Refuse the version of JOB that waits."""
    actor = _actor(engine, "approve", named)
    version = approvals.waiting(engine, job)
    approvals.reject(engine, version, actor, reason=_given(reason))
    say(f"{version.label} is rejected.")


@click.command()
@click.argument("job")
@_why
@_as
@with_engine
def withdraw(engine: Engine, job: str, reason: str, named: str | None) -> None:
    """Take JOB back: what waits and what is in force; its runs under way are paused."""
    actor = _withdrawer(engine, named)
    for version in approvals.withdraw(engine, job, actor, reason=_given(reason)):
        say(f"{version.label}, which was {version.state}, is withdrawn.")


def _withdrawer(engine: Engine, named: str | None) -> Actor:
    """Whoever may hand in or decide may take back."""
    try:
        return _actor(engine, "submit", named)
    except (UsageError, RefusedError):
        return _actor(engine, "approve", named)


def _given(reason: str) -> str:
    if not reason.strip():
        raise UsageError("--reason is empty: why?")
    return reason.strip()


@click.command()
@click.argument("job")
@click.option(
    "--version",
    "numbers",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="What changes since this version; given twice, from the first to the second.",
)
@with_engine
def diff(engine: Engine, job: str, numbers: tuple[int, ...]) -> None:
    """What the files of JOB on the disk change of what is in force, or waits."""
    if len(numbers) > 2:
        raise UsageError("--version is given once or twice.")
    before = _numbered(engine, job, numbers[0]) if numbers else _standing(engine, job)
    if len(numbers) == 2:
        other = _numbered(engine, job, numbers[1])
        after, named = Files(other.files), other.label
    else:
        after, named = engine.job(job).read_all(), "on the disk"
    if after.content_hash == before.content_hash:
        what = "The files on the disk are" if len(numbers) < 2 else f"{named} has the files of"
        say(f"{what} {before.label}, which is {before.state}.")
        return
    _show_diff(before.files, after.texts, before.label, named)
    finish(Exit.LOOK)


def _standing(engine: Engine, job: str) -> Version:
    """What is in force of a notice, or waits."""
    with engine.store.read() as connection:
        for state in (VersionState.APPROVED, VersionState.SUBMITTED):
            found = versions.standing(connection, job, state)
            if found is not None:
                return found
    raise UsageError(f"Nothing of {job} waits or is in force; the whole of it is new.")


def _numbered(engine: Engine, job: str, number: int) -> Version:
    with engine.store.read() as connection:
        known = {each.number: each for each in versions.of_job(connection, job)}
    if number not in known:
        there = ", ".join(map(str, known)) or "none"
        raise UsageError(f"There is no version {number} of {job}; there are: {there}.")
    return known[number]


@click.command()
@click.argument("job")
@as_json
@with_engine
def history(engine: Engine, job: str, *, as_json: bool) -> None:
    """Every version of JOB: who handed it in, who decided, and why."""
    with engine.store.read() as connection:
        known = versions.of_job(connection, job)
    if not known:
        raise UsageError(f"Nothing of {job} was ever handed in.")
    if as_json:
        for version in known:
            say_json(_facts(version))
        return
    header = ("version", "state", "handed in", "by", "decided", "by", "until", "reason")
    table(header, [_row(version) for version in known])


def _row(version: Version) -> tuple[object, ...]:
    decided = (
        f"{version.decided_at.astimezone(VIETNAM):%d/%m/%Y %H:%M}" if version.decided_at else ""
    )
    return (
        f"v{version.number}",
        version.state,
        f"{version.submitted_at.astimezone(VIETNAM):%d/%m/%Y %H:%M}",
        version.submitted_by,
        decided,
        version.decided_by or "",
        f"{version.expires:%d/%m/%Y}" if version.expires else "",
        version.reason,
    )


def _facts(version: Version) -> dict[str, object]:
    return {
        "job": version.job,
        "version": version.number,
        "state": version.state,
        "content_hash": version.content_hash,
        "submitted_by": version.submitted_by,
        "submitted_at": version.submitted_at.isoformat(),
        "decided_by": version.decided_by,
        "decided_at": version.decided_at.isoformat() if version.decided_at else None,
        "expires": version.expires.isoformat() if version.expires else None,
        "reason": version.reason,
    }


@click.command()
@with_engine
def register(engine: Engine) -> None:
    """Print the register of all notices that may be sent, as a page in Markdown."""
    say(register_page(engine).rstrip())


COMMANDS = (submit, approve, reject, withdraw, diff, history, register)
