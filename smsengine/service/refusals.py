"""What was refused is written into the audit, the same about the same notice once."""

from __future__ import annotations

from collections.abc import Iterable

from smsengine.governance.findings import Finding, Weight
from smsengine.service.bootstrap import Engine
from smsengine.store import audit

_WHAT = "refused"


def note(engine: Engine, name: str, sentence: str, *, actor: str, account: str) -> None:
    """Write down that something about a notice was refused."""
    with engine.store.write() as connection:
        if not audit.has_said(connection, what=_WHAT, subject=name, detail=sentence):
            audit.add(
                connection,
                at=engine.clock.now(),
                actor=actor,
                account=account,
                what=_WHAT,
                subject=name,
                detail=sentence,
            )


def note_forbidden(
    engine: Engine, name: str, findings: Iterable[Finding], *, actor: str, account: str
) -> None:
    """Write down what a notice tried that its office may not."""
    for finding in findings:
        if finding.weight is Weight.FORBIDDEN:
            note(engine, name, finding.sentence("en"), actor=actor, account=account)
