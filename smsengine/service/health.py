"""What would fail tonight: one line for each thing that was looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from smsengine.clock import VIETNAM
from smsengine.errors import ConfigError, GatewayError, SmsEngineError
from smsengine.service import machines
from smsengine.service.bootstrap import Engine
from smsengine.service.channels import check_channels
from smsengine.service.checks import Checked, check_job
from smsengine.store import lanes

_LEAST_FREE_BYTES = 2 * 2**30


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    said: str


def examine(engine: Engine) -> Iterator[Finding]:
    """Look at configuration, ledger, machine, disk, gateways, calendar and every job."""
    yield Finding(what="configuration", good=True, said=str(engine.config))
    yield _asked("ledger", lambda: _ledger(engine))
    yield _asked("machine", lambda: machines.belonging(engine))
    yield _asked("clock", lambda: machines.clocks(engine))
    yield _asked("leader", lambda: machines.leading(engine))
    yield _disk(engine)
    yield _asked("flights", lambda: _flights(engine))
    yield _asked("holidays", lambda: _holidays(engine))
    yield _asked("alerts", lambda: check_channels(engine.settings.alerts, engine.folder))
    for name in engine.settings.gateways:
        yield _asked(f"gateway {name}", lambda name=name: _gateway(engine, name))  # type: ignore[misc]
    for path in engine.job_paths():
        checked = check_job(engine, path)
        said = checked.faults[0] if checked.faults else _rendered(checked)
        yield Finding(what=f"job {checked.name}", good=not checked.faults, said=said)


def _rendered(checked: Checked) -> str:
    said = f"{checked.messages} texts rendered for {checked.period}"
    if checked.due is not None and checked.period != checked.due:
        said += f"; there is no extract for {checked.due} yet"
    return said


def _asked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what=what, good=True, said=look())
    except SmsEngineError as error:
        return Finding(what=what, good=False, said=str(error))


def _ledger(engine: Engine) -> str:
    with engine.store.read():
        return engine.store.name


def _disk(engine: Engine) -> Finding:
    free = shutil.disk_usage(engine.folder).free
    said = f"{free / 2**30:.1f} GiB free at {engine.folder}"
    return Finding(what="disk", good=free >= _LEAST_FREE_BYTES, said=said)


def _flights(engine: Engine) -> str:
    """The folder of the flight journals can be written, or made."""
    folder = engine.settings.flights
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"{engine.config}: flights: {folder} cannot be written.")
    return str(folder)


def _holidays(engine: Engine) -> str:
    today = engine.clock.now().astimezone(VIETNAM).date()
    day = engine.workdays.next_working_day(today)
    return f"next working day is {day}"


def _gateway(engine: Engine, name: str) -> str:
    price = engine.price_today(name)
    with engine.store.read() as connection:
        refused = lanes.get(connection, name).paused_because
    if refused:
        raise GatewayError(
            f"Our account is refused ({refused}); when it is mended, run"
            f" 'smsengine gateways resume {name}'."
        )
    try:
        with closing(engine.gateway(name)) as gateway:
            return f"{gateway.check()}; {price} dong a segment"
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}.") from error
