"""What would fail tonight: one line for each thing that was looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace

from smsengine.errors import ConfigError, GatewayError, StoreAwayError
from smsengine.service import findings, machines
from smsengine.service.bootstrap import Engine
from smsengine.service.channels import check_channels
from smsengine.service.checks import Checked, check_job
from smsengine.service.findings import Finding, asked
from smsengine.store import lanes


def examine(engine: Engine) -> Iterator[Finding]:
    """Look at configuration, ledger, machine, disk, upkeep, calendar, gateways and every job.

    A ledger that is away is said once, and not for each thing that cannot be known without it.
    """
    away = ""
    for finding in _examine(engine):
        if away and finding.said == away:
            yield replace(finding, good=True, warns=True, said="not known without the ledger")
        else:
            yield finding
        if finding.what == "ledger" and not finding.good:
            away = finding.said


def _examine(engine: Engine) -> Iterator[Finding]:
    yield Finding(what="configuration", good=True, said=str(engine.config))
    yield asked("ledger", lambda: findings.ledger(engine))
    yield asked("machine", lambda: machines.belonging(engine))
    yield asked("clock", lambda: machines.clocks(engine))
    yield asked("leader", lambda: machines.leading(engine))
    yield asked("disk", lambda: findings.disk(engine))
    yield asked("backups", lambda: findings.newest_backup(engine))
    yield asked("upkeep", lambda: findings.upkeep(engine))
    yield asked("retention", lambda: findings.retention(engine))
    yield asked("flights", lambda: _flights(engine))
    yield asked("holidays", lambda: findings.holidays(engine))
    yield asked("alerts", lambda: check_channels(engine.settings.alerts, engine.folder))
    for name in engine.settings.gateways:
        yield asked(f"gateway {name}", lambda name=name: _gateway(engine, name))  # type: ignore[misc]
    yield asked("next runs", lambda: findings.next_runs(engine))
    catalogue = engine.catalogue()
    for path in catalogue.paths:
        checked = check_job(engine, catalogue, path)
        said = checked.faults[0] if checked.faults else _rendered(checked)
        yield Finding(what=f"job {checked.name}", good=not checked.faults, said=said)


def _rendered(checked: Checked) -> str:
    said = f"{checked.messages} texts rendered for {checked.period}"
    if checked.due is not None and checked.period != checked.due:
        said += f"; there is no extract for {checked.due} yet"
    return said


def _flights(engine: Engine) -> str:
    """The folder of the flight journals can be written, or made."""
    folder = engine.settings.flights
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"{engine.config}: flights: {folder} cannot be written.")
    return str(folder)


def _gateway(engine: Engine, name: str) -> str:
    price = engine.prices_today(name).others
    with suppress(StoreAwayError):
        _require_account(engine, name)
    try:
        with closing(engine.gateway(name)) as gateway:
            said = f"{gateway.check()}; {price} dong a segment"
            with suppress(StoreAwayError):
                said += findings.last_cost(engine, name, gateway)
            return said
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}.") from error


def _require_account(engine: Engine, name: str) -> None:
    with engine.store.read() as connection:
        refused = lanes.get(connection, name).paused_because
    if refused:
        raise GatewayError(
            f"Our account is refused ({refused}); when it is mended, run"
            f" 'smsengine gateways resume {name}'."
        )
