"""What the machine that leads does besides its jobs: duties, and telling people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from smsengine.service import alarming
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import Duty, do_due
from smsengine.service.leader import Leadership
from smsengine.service.logs import Event
from smsengine.service.morning import morning_duty
from smsengine.service.roster import Roster
from smsengine.service.telling import Teller, ping_duty
from smsengine.service.upkeep_duties import upkeep_duties
from smsengine.service.watching import watch_duty

Tell = Callable[..., None]


class Chores:
    """Done after each look at the jobs, by one thread."""

    def __init__(
        self,
        engine: Engine,
        roster: Roster,
        *,
        teller: Teller,
        leadership: Leadership,
        is_well: Callable[[], bool],
        tell: Tell,
    ) -> None:
        """Nothing is done yet.

        Args:
            engine: the installation.
            roster: its jobs.
            teller: tells people.
            leadership: asked before each duty.
            is_well: says whether the dead-man switch may hear from us.
            tell: told events for the log.

        Raises:
            ConfigError: a secret of the alerts is not there.
        """
        self._engine = engine
        self._roster = roster
        self._teller = teller
        self._leadership = leadership
        self._tell = tell
        ping = ping_duty(engine, is_well=is_well)
        self._duties: list[Duty] = [
            watch_duty(engine),
            *upkeep_duties(engine),
            morning_duty(engine, next_fires=roster.next_fires, broken=lambda: roster.broken),
            *([ping] if ping is not None else []),
        ]

    def do(self) -> None:
        """Do what is due, and tell what is to be told.

        Raises:
            StoreAwayError: the ledger is away; the next time does it.
            DeposedError: another machine leads now.
        """
        now = self._engine.clock.now()
        self._sound_broken_jobs(now)
        for duty in self._duties:
            if not self._leadership.leads():
                return
            for done in do_due(self._engine.store, [duty], self._engine.clock.now()):
                failed = done.partition(": ")[2].startswith("failed")
                self._tell(Event.DUTY_FAILED if failed else Event.DUTY_DONE, duty=done)
        if self._leadership.leads():
            told = self._teller.tell_due(self._engine.clock.now())
            if told:
                self._tell(Event.ALARM_TOLD, count=told)

    def _sound_broken_jobs(self, now: datetime) -> None:
        if not self._roster.broken:
            return
        with self._leadership.acting() as connection:
            for name, sentence in self._roster.broken.items():
                alarming.broken_job(name, sentence, now).sound(connection, now)
