"""Writing into the audit: who did what, and what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from smsengine.errors import BusyError, ConfigError, RefusedError, StoreAwayError, StoreError
from smsengine.governance.findings import Finding, Weight
from smsengine.service.bootstrap import Engine
from smsengine.service.people import Actor
from smsengine.store import audit

_REFUSED = "refused"


def note(
    connection: Connection,
    engine: Engine,
    actor: Actor,
    what: str,
    subject: str,
    detail: str = "",
) -> None:
    """Write down that somebody did something, within the transaction that does it.

    Args:
        connection: the transaction.
        engine: tells the time.
        actor: who.
        what: in a word or two, e.g. ``submitted``.
        subject: the notice, or a masked phone.
        detail: a sentence.
    """
    audit.add(
        connection,
        at=engine.clock.now(),
        actor=actor.name,
        account=actor.account,
        what=what,
        subject=subject,
        detail=detail,
    )


def refused(engine: Engine, actor: Actor, name: str, sentence: str) -> None:
    """Write down that something about a notice was refused; the same once."""
    with engine.store.write() as connection:
        if not audit.has_said(connection, what=_REFUSED, subject=name, detail=sentence):
            note(connection, engine, actor, _REFUSED, name, sentence)


def forbidden(engine: Engine, actor: Actor, name: str, findings: Iterable[Finding]) -> None:
    """Write down what a notice tried that its office may not."""
    for finding in findings:
        if finding.weight is Weight.FORBIDDEN:
            refused(engine, actor, name, finding.sentence("en"))


@contextmanager
def refusals(engine: Engine, actor: Actor, name: str) -> Iterator[None]:
    """Write down what is refused of a notice in here; the refusal goes on.

    It must not be inside of a transaction. That something is busy or away is no refusal.
    """
    try:
        yield
    except (BusyError, StoreAwayError):
        raise
    except ConfigError as error:
        for sentence in str(error).splitlines():
            refused(engine, actor, name, sentence)
        raise
    except (RefusedError, StoreError) as error:
        refused(engine, actor, name, str(error))
        raise
