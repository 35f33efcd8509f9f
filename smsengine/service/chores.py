"""What a daemon does besides its jobs: duties, and telling people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from smsengine.service import alarming
from smsengine.service.bootstrap import Engine
from smsengine.service.duties import Duty, do_due
from smsengine.service.leader import Leadership
from smsengine.service.logs import Event
from smsengine.service.morning import morning_duty
from smsengine.service.roster import Roster
from smsengine.service.telling import Teller, ping_duty
from smsengine.service.upkeep_duties import ledger_duties, machine_duties
from smsengine.service.watching import watch_duty

#: What is done more often than this stands in the log only where it failed.
_SELDOM = timedelta(hours=1)

Tell = Callable[..., None]


class Chores:
    """Three streams of work that do not wait for each other; each is done by one thread."""

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
        self._watching = [watch_duty(engine), *([ping] if ping is not None else [])]
        self._of_machine = machine_duties(engine)
        self._of_ledger = [
            morning_duty(engine, next_fires=roster.next_fires, broken=lambda: roster.broken),
            *ledger_duties(engine),
        ]

    def keep_house(self) -> None:
        """What each machine does for itself, and who leads for the ledger.

        Raises:
            StoreAwayError: the ledger is away; the next time does it.
        """
        self._do(self._of_machine, lambda: True)
        self._do(self._of_ledger, self._leadership.leads)

    def tell_people(self) -> None:
        """Look for what people must know, and tell it; done by who leads.

        Raises:
            StoreAwayError: the ledger is away; the next time does it.
            DeposedError: another machine leads now.
        """
        if not self._leadership.leads():
            return
        self._sound_broken_jobs(self._engine.clock.now())
        self._do(self._watching, self._leadership.leads)
        if self._leadership.leads():
            told = self._teller.tell_due(self._engine.clock.now())
            if told:
                self._tell(Event.ALARM_TOLD, count=told)

    def _do(self, duties: Sequence[Duty], may: Callable[[], bool]) -> None:
        for duty in duties:
            if not may():
                return
            for done in do_due(self._engine.store, [duty], self._engine.clock.now()):
                failed = done.partition(": ")[2].startswith("failed")
                if failed or duty.every >= _SELDOM:
                    self._tell(Event.DUTY_FAILED if failed else Event.DUTY_DONE, duty=done)

    def _sound_broken_jobs(self, now: datetime) -> None:
        if not self._roster.broken:
            return
        with self._leadership.acting() as connection:
            for name, sentence in self._roster.broken.items():
                alarming.broken_job(name, sentence, now).sound(connection, now)
