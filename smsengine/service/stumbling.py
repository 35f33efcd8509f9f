"""What is said of an error that smsengine does not expect: where it was, not what it quotes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from traceback import extract_tb

from sqlalchemy import Connection

from smsengine.clock import VIETNAM
from smsengine.errors import SmsEngineError
from smsengine.lifecycle import Grade
from smsengine.store import alarms


def unexpected(error: BaseException) -> BaseException | None:
    """An error whose place must stand in the log; None for one that explains itself."""
    return None if isinstance(error, SmsEngineError) else error


def in_words(error: BaseException) -> str:
    """A sentence for a person; the own words of an unexpected error may quote a row."""
    if isinstance(error, SmsEngineError):
        return str(error)
    places = extract_tb(error.__traceback__)
    at = f" at {Path(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    return f"smsengine stumbled ({type(error).__name__}{at}); keep the log and report it."


def sound(
    connection: Connection, what: str, error: BaseException, now: datetime, *, then: str
) -> bool:
    """Have a person told, once a day, what stumbled and what happens ``then``."""
    return alarms.sound(
        connection,
        key=f"stumbled {what} {now.astimezone(VIETNAM).date()}",
        at=now,
        grade=Grade.URGENT,
        text=f"{what}: {in_words(error)}\n{then}",
    )
