"""Care of the ledger: is it whole."""

from __future__ import annotations

from smsengine.errors import StoreError
from smsengine.lifecycle import RunState
from smsengine.planning.release import check_seal
from smsengine.reports.accounts import account
from smsengine.service.bootstrap import Engine
from smsengine.store import runs


def check_ledger(engine: Engine) -> list[str]:
    """Look for damage: the database's own check, every run's account, every seal.

    Returns:
        One sentence for each thing that is not as it must be.
    """
    findings = _database_findings(engine)
    with engine.store.read() as connection:
        known = runs.newest(connection, limit=2**31 - 1)
    for run in known:
        if run.state in (RunState.PLANNING, RunState.MISSED):
            continue
        found = account(engine.store, run.id)
        findings += [
            f"Run {run.id} ({run.label}): {said}" for said in (found.breaks if found else [])
        ]
        try:
            check_seal(engine.store, run, engine.key)
        except StoreError as error:
            findings.append(str(error))
    return findings


def _database_findings(engine: Engine) -> list[str]:
    store = engine.store
    if store.engine.dialect.name != "sqlite":
        return []
    with store.read() as connection:
        said = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check")]
        strays = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    findings = [] if said == ["ok"] else [f"{store.name}: {line}." for line in said]
    return findings + [f"{store.name}: row {row[1]} of {row[0]} has no parent." for row in strays]
