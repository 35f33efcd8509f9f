"""The daemon: one process that fires, sends and tells, and that may end at any instruction.

The main thread listens to signals and to its own threads; the heart keeps this machine's place in
the ledger and the lead; the works do the rest. What one of them cannot explain ends the process,
and whatever supervises it starts it anew: all that matters is in the ledger.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

from smsengine.errors import ConfigError, SmsEngineError, StoreAwayError
from smsengine.gateways.base import Receipt
from smsengine.receipts.matching import store_receipts
from smsengine.service import alarming, fence, logs, stumbling, telling
from smsengine.service.absence import Absence
from smsengine.service.alarming import News
from smsengine.service.api.opening import open_counter
from smsengine.service.bootstrap import Engine, read_anew
from smsengine.service.chores import Chores
from smsengine.service.doors import Doors
from smsengine.service.eyes import open_eyes, registry
from smsengine.service.heart import Heart
from smsengine.service.in_force import Decided
from smsengine.service.intake import Intake
from smsengine.service.leader import Leadership
from smsengine.service.logs import Event
from smsengine.service.notify import Notifier
from smsengine.service.reception import Reception
from smsengine.service.roster import Roster, read_roster
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals
from smsengine.service.web import Desk, Web
from smsengine.service.works import Works

#: The main thread looks after its threads so often.
_TURN_SECONDS = 0.5
#: A thread that is silent for longer is stuck. An extract of millions of records takes minutes, and
#: so does a backup.
_LIMITS = {"heart": 120.0, "lanes": 120.0, "office": 3600.0, "house": 3600.0, "teller": 900.0}
_LIMITS |= {"payments": 600.0, "source": 86_400.0}  # a database of others may take its time
_OF_WORKS = ("lanes", "office", "payments", "source", "house", "teller")
#: A ledger that is away when the daemon starts is asked again so often.
_AWAY_SECONDS = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_BAD = frozenset(
    {
        Event.API_REFUSED,
        Event.CALLBACK_REFUSED,
        Event.DAEMON_NOT_RELOADED,
        Event.FENCE_CLOSED,
        Event.GATEWAY_FAULT,
        Event.JOB_BROKEN,
        Event.LEDGER_AWAY,
        Event.LANES_SAID,
        Event.LEADER_LOST,
        Event.DUTY_FAILED,
        Event.RUN_HELD,
        Event.RUN_MISSED,
        Event.RUN_WAITS,
        Event.THREAD_STUCK,
    }
)


class Daemon:
    """``smsengine run``."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._vitals = Vitals()
        self._tally = Tally()
        self._doors = Doors()
        self._notifier = Notifier()
        self._log = logs.logger()
        self._wake = threading.Event()
        self._stop = self._reload = False
        self._landed = True
        self._failure: BaseException | None = None
        self._works: Works | None = None
        self._next_report = self._next_sign = 0.0
        self._decided = Decided()

    def run(self) -> bool:
        """Work until a signal ends it; False when something hung and was left behind.

        Raises:
            ConfigError: the configuration is wrong, or another daemon uses this SQLite ledger.
        """
        self._engine = Engine(self._config)
        logs.configure(self._engine.settings.log)
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            with ExitStack() as stack:
                return self._run(stack)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True
        self._wake.set()

    def _tell(self, event: Event, **facts: object) -> None:
        (self._log.warning if event in _BAD else self._log.info)(event, **facts)

    def _fail(self, error: BaseException) -> None:
        """A thread has ended as none should."""
        self._failure = error
        self._wake.set()

    # -- from start to end ---------------------------------------------------------------------

    def _run(self, stack: ExitStack) -> bool:
        engine = self._engine
        settings = engine.settings.web
        eyes = open_eyes(lambda: self._engine, self._vitals, self._tally)
        counter = open_counter(stack, lambda: self._engine, self._vitals, self._tally, self._tell)
        desk = Desk(self._vitals, registry(eyes), self._reception(stack), counter)
        web = Web(settings.host, settings.port, desk)
        stack.callback(web.close)
        web.start()
        _ = engine.catalogue().paths  # without a folder of jobs there is nothing to begin
        stack.enter_context(fence.one_daemon(engine))
        # Made now, so that a folder that cannot be used ends the start.
        engine.flights.all_landed()
        self._ledger_of = engine
        self._absence = Absence(
            vitals=self._vitals, clock=engine.clock, tell=self._tell, cry=self._cry
        )
        if not self._await_ledger():
            return True
        self._leadership = Leadership(
            store=engine.store, clock=engine.clock, holder=engine.identity
        )
        heart = self._heart(engine)
        heart.beat()
        roster = self._read_jobs(engine)
        self._start_works(engine, roster)
        heart.start()
        self._vitals.started = True
        self._notifier.ready(self._status())
        self._tell(Event.DAEMON_STARTED, web=web.port, jobs=sorted(roster.jobs))
        try:
            while not self._stop:
                self._turn()
        finally:
            self._end(heart)
        return self._landed

    def _reception(self, stack: ExitStack) -> Reception:
        """Who takes callbacks in, and the thread that stores what they bring."""
        intake = Intake(self._keep)
        stack.callback(intake.close)
        intake.start()
        return Reception(
            settings=lambda: self._engine.settings,
            doors=self._doors,
            intake=intake,
            count=self._tally.callback,
            tell=self._tell,
        )

    def _keep(self, gateway: str, received: Sequence[Receipt]) -> None:
        store_receipts(self._engine.store, gateway, received, self._engine.clock.now())
        self._tally.received(gateway, received)

    def _await_ledger(self) -> bool:
        """Wait until the ledger says whether anything may be sent; False when stopped before."""
        while not self._stop:
            try:
                self._vitals.fenced = self._belong()
            except StoreAwayError as error:
                self._absence.is_away(error)
            else:
                self._absence.is_over()
                return True
            self._wake.wait(_AWAY_SECONDS)
            self._wake.clear()
        return False

    def _heart(self, engine: Engine) -> Heart:
        self._vitals.expect("heart", _LIMITS["heart"])
        return Heart(
            leadership=self._leadership,
            belong=self._belong,
            vitals=self._vitals,
            clock=engine.clock,
            absence=self._absence,
            tell=self._tell,
            fail=self._fail,
            gained=self._look_at_once,
        )

    def _look_at_once(self) -> None:
        """What is due does not wait for the next look when this machine begins to lead."""
        works = self._works
        if works is not None:
            works.look_at_once()

    def _belong(self) -> str:
        """Keep this machine's place in the ledger; says why nothing may be sent from here."""
        engine = self._ledger_of
        now = engine.clock.monotonic()
        if now < self._next_report:
            return fence.check(engine)
        because = fence.beat(engine)
        self._next_report = now + fence.BEAT_SECONDS
        return because

    def _cry(self, news: News) -> None:
        """Tell a person past the ledger, without waiting until somebody has heard.

        Each machine does so for itself, so it says which one it is.
        """
        engine = self._engine
        text = f"{news.text}\nThis is said by the machine {socket.gethostname()}."

        def tell() -> None:
            with suppress(SmsEngineError):
                telling.open_teller(engine).cry(text, engine.clock.now(), grade=news.grade)

        threading.Thread(target=tell, name="cry", daemon=True).start()

    def _close_fence(self, because: str) -> None:
        self._tell(Event.FENCE_CLOSED, because=because)
        self._cry(alarming.fenced(because, self._engine.clock.now()))

    def _end(self, heart: Heart) -> None:
        self._vitals.stopping = True
        self._notifier.stopping("What is under way lands.")
        self._tell(Event.DAEMON_STOPPING)
        self._stop_works()
        heart.stop()
        self._tell(Event.DAEMON_STOPPED, landed=self._landed)

    # -- turns ---------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Look after signals and threads once."""
        self._wake.wait(_TURN_SECONDS)
        self._wake.clear()
        if self._failure is not None:
            self._log.error(Event.DAEMON_FAILED, exc_info=self._failure)
            self._sound_failure(self._failure)
            raise self._failure
        self._sign()
        fenced = self._vitals.fenced
        if fenced and self._works is not None:
            self._close_fence(fenced)
            self._stop_works()
        elif not fenced and self._works is None and not self._stop:
            self._tell(Event.FENCE_OPENED)
            self._start_works(self._engine, self._read_jobs(self._engine))
        if self._reload and not self._stop:
            self._reload = False
            self._read_anew()
        elif self._works is not None and self._decided.since(self._engine):
            self._take_up_notices()

    def _take_up_notices(self) -> None:
        """From now on with the notices that are in force; the configuration stays."""
        try:
            roster = self._read_jobs(self._engine)
        except SmsEngineError:  # the ledger is away again; at the next look
            self._decided = Decided()
            return
        self._stop_works()
        if not self._stop:
            self._start_works(self._engine, roster)
            self._tell(Event.NOTICES_CHANGED, jobs=sorted(roster.jobs))

    def _sound_failure(self, error: BaseException) -> None:
        """Whoever is started next tells a person, once a day."""
        now = self._engine.clock.now()
        then = "The process ended; what supervises it starts it anew. Look at the log."
        with suppress(SmsEngineError), self._engine.store.write() as connection:
            stumbling.sound(connection, "smsengine run", error, now, then=then)

    def _sign(self) -> None:
        """Tell systemd that all threads are alive."""
        seconds = self._notifier.watchdog_seconds
        now = self._engine.clock.monotonic()
        if seconds is None or now < self._next_sign:
            return
        stuck = self._vitals.stuck()
        if stuck:
            self._tell(Event.THREAD_STUCK, because=" ".join(stuck))
        else:
            self._notifier.alive()
        self._next_sign = now + seconds

    def _status(self) -> str:
        if self._vitals.fenced:
            return self._vitals.fenced
        broken = len(self._vitals.broken_jobs)
        return f"{len(self._vitals.next_fires)} jobs" + (f", {broken} broken" if broken else "")

    # -- configuration and works ---------------------------------------------------------------

    def _read_jobs(self, engine: Engine) -> Roster:
        self._decided.know(engine)
        roster = read_roster(engine)
        for name, because in roster.broken.items():
            self._tell(Event.JOB_BROKEN, job=name, because=because)
        self._know(engine, roster)
        return roster

    def _know(self, engine: Engine, roster: Roster) -> None:
        self._vitals.broken_jobs = roster.broken
        self._vitals.next_fires = roster.next_fires(engine.clock.now())

    def _start_works(self, engine: Engine, roster: Roster) -> None:
        if self._vitals.fenced:
            self._close_fence(self._vitals.fenced)
            return
        chores = Chores(
            engine,
            roster,
            teller=telling.open_teller(engine),
            leadership=self._leadership,
            is_well=self._vitals.is_ready,
            tell=self._tell,
        )

        def tell_people() -> None:
            self._vitals.next_fires = roster.next_fires(engine.clock.now())
            chores.tell_people()

        for thread in _OF_WORKS:
            self._vitals.expect(thread, _LIMITS[thread])
        self._works = Works(
            engine,
            roster.jobs,
            leads=self._leadership.leads,
            acting=self._leadership.acting,
            rounds={"house": chores.keep_house, "teller": tell_people},
            beat=self._vitals.beat,
            tell=self._tell,
            fail=self._fail,
            tally=self._tally,
            doors=self._doors,
            may_send=lambda: self._vitals.store_ok and not self._vitals.fenced,
        )
        self._works.start()

    def _stop_works(self) -> None:
        """Stop the works; where some of them hang, the whole process ends.

        New works beside them would take what they hold for their own, and might send it again.
        """
        works, self._works = self._works, None
        if works is not None and not works.stop():
            self._landed, self._stop = False, True
            self._tell(Event.THREAD_STUCK, because="What was under way hangs; the process ends.")
        for thread in _OF_WORKS:
            self._vitals.forget(thread)

    def _read_anew(self) -> None:
        """Read configuration and jobs again: all of it, or none where anything is wrong."""
        self._notifier.reloading()
        try:
            engine = read_anew(self._engine)
            roster = read_roster(engine)
            if roster.broken:
                raise ConfigError("\n".join(roster.broken.values()))
            for name in engine.settings.gateways:
                engine.gateway(name).close()
            telling.open_teller(engine)
            telling.ping_duty(engine, is_well=self._vitals.is_ready)
        except (SmsEngineError, OSError) as error:
            self._tell(Event.DAEMON_NOT_RELOADED, because=str(error))
            self._cry(alarming.not_reloaded(str(error), self._engine.clock.now()))
        else:
            self._stop_works()
            if not self._stop:
                self._go_on_with(engine, roster)
        self._notifier.ready(self._status())

    def _go_on_with(self, engine: Engine, roster: Roster) -> None:
        """From now on with another configuration."""
        old, self._engine = self._engine, engine
        old.flights.close()
        if old is not self._ledger_of:
            old.store.close()
        logs.configure(engine.settings.log)
        self._decided.know(engine)
        self._know(engine, roster)
        self._start_works(engine, roster)
        self._tell(Event.DAEMON_RELOADED, jobs=sorted(roster.jobs))
