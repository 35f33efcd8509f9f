"""Duties: small things that are done again and again by whichever machine leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from smsengine.clock import VIETNAM
from smsengine.lifecycle import Grade
from smsengine.service.stumbling import in_words
from smsengine.store import alarms
from smsengine.store import duties as stored
from smsengine.store.engine import Store


@dataclass(frozen=True, kw_only=True)
class Duty:
    """One thing to do: every so often, or once a day at a local hour (``at``).

    ``do`` is given the present (UTC), does a short piece of work, and says in a few words what it
    did; what it raises is told to a person and tried again after ``every``.
    """

    name: str
    do: Callable[[datetime], str]
    every: timedelta = timedelta(days=1)
    at: time | None = None

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Say whether it is time; a duty that was never done is due."""
        if last is not None and last > now:  # the clock was set back
            return True
        if self.at is None:
            return last is None or now - last >= self.every
        local = now.astimezone(VIETNAM)
        begins = local.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0)
        if begins > local:
            begins -= timedelta(days=1)
        return last is None or last.astimezone(VIETNAM) < begins


def do_due(store: Store, all_of_them: Sequence[Duty], now: datetime) -> list[str]:
    """Do what is due; one that fails does not keep the others from being done.

    Returns:
        ``name: what it said`` for each duty that was done.
    """
    with store.read() as connection:
        last = stored.last(connection)
    done = []
    for duty in all_of_them:
        known = last.get(duty.name)
        if not duty.is_due(known.at if known else None, now):
            continue
        try:
            said = duty.do(now)
        except Exception as error:  # noqa: BLE001 - the other duties are done all the same
            said = f"failed: {error if isinstance(error, OSError) else in_words(error)}"
            with store.write() as connection:
                day = now.astimezone(VIETNAM).date()
                alarms.sound(
                    connection,
                    key=f"duty {duty.name} {day}",
                    at=now,
                    grade=Grade.WARNING,
                    text=f"{duty.name} {said}",
                )
        with store.write() as connection:
            stored.note(connection, duty.name, at=now, said=said)
        done.append(f"{duty.name}: {said}")
    return done
