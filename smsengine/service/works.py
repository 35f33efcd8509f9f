"""What is at work in a daemon between two reloads: lanes, the clock, the offers, the duties."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial

from smsengine.errors import DeposedError, GatewayError, SmsEngineError, StoreAwayError
from smsengine.gateways.base import Gateway, Receipt
from smsengine.receipts.matching import store_receipts
from smsengine.service import stumbling
from smsengine.service.bootstrap import Engine
from smsengine.service.confirming import EVERY_SECONDS, Confirmer
from smsengine.service.doors import Doors
from smsengine.service.logs import Event
from smsengine.service.offers import Acting, Offers, Scheduled, StoppedError
from smsengine.service.polling import Poller
from smsengine.service.stumbling import in_words, unexpected
from smsengine.service.tally import Tally
from smsengine.service.ticking import Ticker
from smsengine.store import outbox
from smsengine.store.runs import Run
from smsengine.waves import LAST_PLACE

#: The ledger is looked at anew at least so often, whatever the clock says.
LOOK_SECONDS = 30.0
#: How long threads are waited for: longer than messages under way are.
_STOP_SECONDS = 60.0
_MUST_END = ("lanes", "office", "payments")
#: Who waits for less than the usual time between two rounds, in seconds.
_SOONER = {"payments": EVERY_SECONDS}

Tell = Callable[..., None]


class Works:
    """Threads that are started and stopped together.

    What the lanes do not expect is reported to ``fail``: the process ends, what supervises it
    starts it anew, and everything goes on from the ledger. All else that stumbles is told to a
    person and tried again, so that it does not keep the lanes from sending.
    """

    def __init__(
        self,
        engine: Engine,
        jobs: Mapping[str, Scheduled],
        *,
        leads: Callable[[], bool],
        acting: Acting,
        rounds: Mapping[str, Callable[[], None]],
        beat: Callable[[str], None],
        tell: Tell,
        fail: Callable[[BaseException], None],
        tally: Tally,
        doors: Doors | None = None,
        may_send: Callable[[], bool] = lambda: True,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """Put the works together; nothing is started yet.

        Args:
            engine: the installation.
            jobs: what the clock looks after, by name.
            leads: says whether this machine leads.
            acting: opens a transaction of the machine that leads.
            rounds: further work that is done again and again, each by a thread of that name.
            beat: told that a thread is at work, by its name.
            tell: told events for the log.
            fail: told what ended a thread.
            tally: counts what was handed over and received.
            doors: knows which gateways are open, for others who use them.
            may_send: says whether the ledger is known to be there, and the right one.
            look_seconds: from one look, or one round, to the next.
        """
        self._engine = engine
        self._jobs = jobs
        self._leads = leads
        self._beat = beat
        self._tell, self._fail = tell, fail
        self._tally = tally
        self._doors = doors or Doors()
        self._may_send = may_send
        self._look_seconds = look_seconds
        self._landed = True
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._offers = Offers(
            engine, jobs, acting=acting, tell=tell, planning=lambda _rows: self._while_planning()
        )
        self._ticker = Ticker(
            offer=lambda _job: self._wake.set(), look=self._wake.set, failed=self._fail
        )
        confirmer = Confirmer(engine, jobs, leads=leads, tell=tell)
        poller = Poller(engine, leads=leads, tell=tell)
        self._threads = self._make_threads(
            {"office": self._look, "payments": confirmer.look, "source": poller.look, **rounds}
        )

    def _make_threads(self, again: Mapping[str, Callable[[], None]]) -> list[threading.Thread]:
        tasks = {"lanes": self._send} | {
            name: partial(self._again_and_again, name, do) for name, do in again.items()
        }
        return [
            threading.Thread(target=self._guarded, args=(do,), name=name, daemon=True)
            for name, do in tasks.items()
        ]

    def start(self) -> None:
        """Start everything."""
        self._ticker.set_jobs({name: job.timetable for name, job in self._jobs.items()})
        self._ticker.start()
        for thread in self._threads:
            thread.start()

    def look_at_once(self) -> None:
        """Look what is due now."""
        self._wake.set()

    def stop(self) -> bool:
        """Let nothing leave any more, wait for what is under way; False when some of it hangs.

        A long backup does no harm: it is cut off and made anew.
        """
        self._stopping.set()
        self._wake.set()
        self._ticker.stop()
        until = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        hangs = any(each.is_alive() for each in self._threads if each.name in _MUST_END)
        return self._landed and not hangs

    def _guarded(self, do: Callable[[], None]) -> None:
        try:
            do()
        except BaseException as error:  # noqa: BLE001 - the process ends with it
            self._fail(error)

    # -- sending -------------------------------------------------------------------------------

    def _send(self) -> None:
        engine = self._engine
        with ExitStack() as opened:
            gateways = {
                name: opened.enter_context(closing(engine.gateway(name)))
                for name in engine.settings.gateways
            }
            opened.enter_context(self._doors.opened(gateways))
            self._check(gateways)
            dispatcher = engine.dispatcher(
                gateways,
                receive=self._receive,
                count=self._tally.settled,
                tell=lambda said: self._tell(Event.LANES_SAID, said=said),
                ended=self._ended,
            )
            self._landed = dispatcher.serve(self._is_over, may_claim=self._may_send)

    def _check(self, gateways: Mapping[str, Gateway]) -> None:
        for name, gateway in gateways.items():
            try:
                gateway.check()
            except GatewayError as error:
                self._tell(Event.GATEWAY_FAULT, gateway=name, because=str(error))

    def _receive(self, gateway: str, received: Sequence[Receipt]) -> None:
        store_receipts(self._engine.store, gateway, received, self._engine.clock.now())
        self._tally.received(gateway, received)

    def _ended(self, run: Run) -> None:
        with self._engine.store.read() as connection:
            states = outbox.states_upto(connection, run.id, LAST_PLACE)
        counts = {state.value: count for state, count in states.items()}
        self._tell(Event.RUN_FINISHED, run=run.id, label=run.label, **counts)

    def _is_over(self) -> bool:
        self._beat("lanes")
        return self._stopping.is_set()

    # -- looking after jobs and the house ------------------------------------------------------

    def _again_and_again(self, name: str, do: Callable[[], None]) -> None:
        told: type[Exception] | None = None
        while not self._stopping.is_set():
            self._beat(name)
            try:
                do()
                told = None
            except (StoreAwayError, DeposedError) as error:
                if told is not type(error):
                    self._tell(Event.OFFICE_WAITS, thread=name, because=str(error))
                told = type(error)
            except StoppedError:
                return
            except Exception as error:  # noqa: BLE001 - it is tried again
                self._stumble(name, error)
            wake = self._wake if name == "office" else self._stopping
            wake.wait(min(self._look_seconds, _SOONER.get(name, self._look_seconds)))

    def _stumble(self, name: str, error: Exception) -> None:
        said = in_words(error)
        self._tell(Event.OFFICE_WAITS, thread=name, because=said, exc_info=unexpected(error))
        now, then = self._engine.clock.now(), "It is tried again all the time; look at the log."
        with suppress(SmsEngineError), self._engine.store.write() as connection:
            stumbling.sound(connection, f"thread {name}", error, now, then=then)

    def _look(self) -> None:
        self._wake.clear()
        if self._leads():
            self._offers.look()

    def _while_planning(self) -> None:
        self._beat("office")
        if self._stopping.is_set():
            raise StoppedError
