"""The restore fence: whoever sends must know all that was sent before.

Each machine counts how often it reports to its ledger, there and in a file of its own. A ledger
that knows fewer reports than the file is an older copy, and one that does not know this machine was
copied here: what was sent meanwhile is not in it, and nothing leaves until a person has looked and
said ``smsengine doctor --adopt``. DESIGN 6.7.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, make_url

from smsengine.errors import ConfigError, RefusedError, StoreAwayError
from smsengine.lifecycle import RunState
from smsengine.service import membership
from smsengine.service.bootstrap import Engine
from smsengine.service.membership import Membership, Standing
from smsengine.store import installation, lanes, members, runs, watched
from smsengine.store.runs import Run
from smsengine.store.turns import take_turn

#: A machine that was seen no longer ago is at work; a daemon reports twice as often.
ALIVE_SECONDS = 60.0
BEAT_SECONDS = 25.0
_NOT_KNOWN = "The ledger was restored or copied; what was sent since is not known."
_ADOPT = "Read docs/backup-and-restore.md, then run 'smsengine doctor --adopt'."


def check(engine: Engine) -> str:
    """Say why nothing may be sent from here; empty when all is well. Nothing is written."""
    # The file first: what others report in between makes the ledger's count higher, never lower.
    with _usable(engine):
        mine = membership.read(engine.settings.flights)
    with engine.store.read() as connection:
        return _why(engine, _standing(engine, connection, mine))


def beat(engine: Engine) -> str:
    """Report to the ledger; a ledger on which nobody has worked yet takes this machine in.

    Returns:
        Why nothing may be sent, as ``check``; then nothing was written.

    Raises:
        StoreAwayError: the ledger is away, the folder of the flight journals is full or cannot be
            used, or another process does not come to an end with it.
    """
    with _alone(engine):
        mine = membership.read(engine.settings.flights)
        with engine.store.write() as connection:
            take_turn(connection, "members")
            standing = _standing(engine, connection, mine)
            if standing is Standing.NEW:
                mine = _newcomer(engine, connection)
                # First the file: with neither count in it, it may be thought of as not there.
                membership.write(engine.settings.flights, mine)
                mine = _joined(engine, connection, mine)
            elif mine is not None and standing is Standing.OWN:
                mine = _reported(engine, connection, mine)
            else:
                return _why(engine, standing)
        membership.write(engine.settings.flights, mine)
    return ""


def require(engine: Engine) -> None:
    """Report to the ledger before something is sent.

    Raises:
        RefusedError: nothing may be sent; the sentence says why and what to do.
    """
    because = beat(engine)
    if because:
        raise RefusedError(because)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    with _usable(engine), membership.alone(engine.settings.flights, engine.clock):
        yield


@contextmanager
def _usable(engine: Engine) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreAwayError(
            f"{engine.config}: flights: {engine.settings.flights} cannot be used"
            f" ({error.strerror})."
        ) from error


def _standing(engine: Engine, connection: Connection, mine: Membership | None) -> Standing:
    return membership.judge(
        mine,
        uid=installation.uid(connection),
        folder=membership.number_of(engine.settings.flights),
        beats={each.token: each.beats for each in members.everyone(connection)},
    )


def _newcomer(engine: Engine, connection: Connection) -> Membership:
    return Membership(
        uid=installation.uid(connection),
        token=secrets.token_hex(16),
        beats=0,
        folder=membership.number_of(engine.settings.flights),
    )


def _joined(engine: Engine, connection: Connection, mine: Membership) -> Membership:
    now = engine.clock.now().timestamp()
    members.register(connection, mine.token, host=socket.gethostname(), beats=1, now=now)
    return replace(mine, beats=1)


def _reported(engine: Engine, connection: Connection, mine: Membership) -> Membership:
    """The ledger may know one report more: the process died before it wrote the file."""
    known = {each.token: each.beats for each in members.everyone(connection)}
    beats = max(known[mine.token], mine.beats) + 1
    now = engine.clock.now().timestamp()
    members.beat(connection, mine.token, host=socket.gethostname(), beats=beats, now=now)
    return replace(mine, beats=beats)


def _is_shared(engine: Engine) -> bool:
    return engine.store.engine.dialect.name != "sqlite"


def _why(engine: Engine, standing: Standing) -> str:
    """One sentence for a person, or empty."""
    name, folder = engine.store.name, engine.settings.flights
    if standing is Standing.OLDER:
        return (
            f"Nothing is sent: the ledger {name} is older than the last work of this machine, as"
            f" after a restored backup, and does not know what was sent since. {_ADOPT}"
        )
    if standing is Standing.FOREIGN:
        return (
            f"Nothing is sent: the folder {folder} belongs to another ledger than {name}; correct"
            f" 'database' or 'flights' in {engine.config}. If they are right: {_ADOPT}"
        )
    if standing is Standing.STRANGER and _is_shared(engine):
        return (
            f"Nothing is sent from here: this machine has not worked on the ledger {name} before."
            " If it is to, run 'smsengine doctor --adopt' once."
        )
    if standing is Standing.STRANGER:
        return (
            f"Nothing is sent: the ledger {name} was copied or moved here, or its folder {folder}"
            f" was, and it may not know all that was sent. {_ADOPT}"
        )
    return ""


# -- adopting --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """What it means to let this machine work on this ledger.

    ``sent_is_unknown``: nobody knows what was sent since a copy of the ledger was made.
    """

    standing: Standing
    sent_is_unknown: bool
    paused: tuple[Run, ...] = ()
    held: tuple[Run, ...] = ()
    jobs: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """What it does, in the present tense, for before and after."""
        if self.standing is Standing.OWN:
            return ["This machine belongs to this ledger already; there is nothing to do."]
        said = ["This machine works on this ledger from now on."]
        said += [f"Run {run.id} ({run.label}) is paused." for run in self.paused]
        said += [f"Run {run.id} ({run.label}) is held." for run in self.held]
        if self.jobs:
            said.append(
                "The clock sends only what becomes due from now on, of all jobs:"
                f" {', '.join(self.jobs)}."
            )
        if self.sent_is_unknown:
            said.append(
                "The ledger does not know what was sent since the copy was made: compare with the"
                " gateway's own books before a run goes on or a period is sent."
            )
        return said


def adoption(engine: Engine) -> Adoption:
    """What ``adopt`` would do; nothing is written."""
    with _usable(engine):
        mine = membership.read(engine.settings.flights)
    with engine.store.read() as connection:
        return _adoption(engine, connection, mine)


def adopt(engine: Engine, actor: str) -> list[str]:
    """Let this machine work on this ledger; where that may repeat a message, runs are stopped.

    Returns:
        What was done, one sentence each.
    """
    folder = engine.settings.flights
    with _alone(engine):
        mine = membership.read(folder)
        with engine.store.write() as connection:
            take_turn(connection, "members")
            found = _adoption(engine, connection, mine)
            if found.standing is Standing.OWN:
                return found.sentences()
            _stop(engine, connection, found, actor)
            if mine is not None and found.standing is Standing.OLDER:
                members.forget(connection, mine.token)
            # The file comes last: until then it proves what was found.
            mine = _joined(engine, connection, _newcomer(engine, connection))
        membership.write(folder, mine)
    return found.sentences()


def _adoption(engine: Engine, connection: Connection, mine: Membership | None) -> Adoption:
    standing = _standing(engine, connection, mine)
    if standing in (Standing.OWN, Standing.NEW) or _joins(engine, connection, standing):
        return Adoption(standing=standing, sent_is_unknown=False)
    sendable = (RunState.RELEASED, RunState.SENDING)
    return Adoption(
        standing=standing,
        sent_is_unknown=True,
        paused=tuple(run for run in runs.under_way(connection) if run.state in sendable),
        held=tuple(runs.all_planned(connection)),
        jobs=tuple(sorted(watched.all_jobs(connection))),
    )


def _joins(engine: Engine, connection: Connection, standing: Standing) -> bool:
    """Say whether this machine comes to others that are at work on the ledger just now."""
    if standing is Standing.OLDER or not _is_shared(engine):
        return False
    now = lanes.present(connection, engine.clock.now().timestamp())
    return any(now - each.seen_at <= ALIVE_SECONDS for each in members.everyone(connection))


def _stop(engine: Engine, connection: Connection, found: Adoption, actor: str) -> None:
    now = engine.clock.now()
    for run in found.paused:
        runs.stop(connection, run.id, because=_NOT_KNOWN, at=now, actor=actor)
    for run in found.held:
        runs.move(connection, run.id, RunState.HELD, held_because=_NOT_KNOWN)
        runs.note(connection, run.id, at=now, actor=actor, what="held", detail=_NOT_KNOWN)
    if found.sent_is_unknown:
        watched.begin_anew(connection, since=now)


# -- one daemon on SQLite --------------------------------------------------------------------------


@contextmanager
def one_daemon(engine: Engine) -> Iterator[None]:
    """Be the only daemon of a SQLite ledger while the block lasts; on PostgreSQL there may be many.

    Raises:
        ConfigError: another one is at work, and the sentence has its process number; or the
            ledger's folder cannot be written.
    """
    path = make_url(engine.settings.database).database
    if _is_shared(engine) or path in (None, "", ":memory:"):
        yield
        return
    try:
        file = os.open(f"{path}.daemon", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{path}.daemon cannot be written ({error.strerror}).") from error
    try:
        _lock(engine, file)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(file)


def _lock(engine: Engine, file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        number = os.pread(file, 20, 0).decode(errors="replace") or "unknown"
        raise ConfigError(
            f"The daemon of {engine.store.name} is at work already, as process {number}: stop that"
            " one first. Several daemons need a ledger on PostgreSQL."
        ) from None
