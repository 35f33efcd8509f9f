"""The heart of a daemon: every few seconds it proves that this machine belongs, and who leads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from smsengine.clock import Clock
from smsengine.errors import StoreAwayError
from smsengine.service import alarming
from smsengine.service.leader import RENEW_SECONDS, Leadership
from smsengine.service.logs import Event
from smsengine.service.vitals import Vitals

#: A ledger that is away for longer is told to a person, past the ledger.
_AWAY = timedelta(minutes=5)


class Heart:
    """One thread; it goes on whatever the others do."""

    def __init__(
        self,
        *,
        leadership: Leadership,
        belong: Callable[[], str],
        vitals: Vitals,
        clock: Clock,
        tell: Callable[..., None],
        cry: Callable[[str], object],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Nothing beats yet.

        Args:
            leadership: the lead of this machine.
            belong: keeps this machine's place in the ledger; says why nothing may be sent from
                here, empty when all may.
            vitals: told how it stands.
            clock: for the instants of the lease.
            tell: told events for the log.
            cry: tells a person past the ledger.
            fail: told what ended the thread.
        """
        self._leadership = leadership
        self._belong = belong
        self._vitals = vitals
        self._clock = clock
        self._tell = tell
        self._cry = cry
        self._fail = fail
        self._away_since: float | None = None
        self._cried = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heart", daemon=True)

    def start(self) -> None:
        """Beat from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, and let another machine lead at once."""
        self._stopping.set()
        self._thread.join(10)
        self._leadership.step_down()

    def _work(self) -> None:
        try:
            while not self._stopping.wait(RENEW_SECONDS):
                self.beat()
        except BaseException as error:  # noqa: BLE001 - the process ends with it
            self._fail(error)

    def beat(self) -> None:
        """One beat."""
        vitals = self._vitals
        vitals.beat("heart")
        try:
            vitals.fenced = self._belong()
            if vitals.fenced:
                self._leadership.step_down()
            else:
                self._leadership.renew(self._clock.now())
            self._is_back()
        except StoreAwayError as error:
            self._is_away(error)
        leads = self._leadership.leads()
        if leads != vitals.leads:
            self._tell(Event.LEADER_GAINED if leads else Event.LEADER_LOST)
        vitals.leads = leads

    def _is_away(self, error: StoreAwayError) -> None:
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
            self._tell(Event.LEDGER_AWAY, because=str(error))
        self._vitals.store_ok = False
        if not self._cried and now - self._away_since >= _AWAY.total_seconds():
            since = self._clock.now() - timedelta(seconds=now - self._away_since)
            self._cry(alarming.ledger_away(since=since).text)
            self._cried = True

    def _is_back(self) -> None:
        if self._away_since is None:
            return
        seconds = self._clock.monotonic() - self._away_since
        self._tell(Event.LEDGER_BACK, seconds=round(seconds))
        if self._cried:
            now = self._clock.now()
            since = now - timedelta(seconds=seconds)
            self._cry(alarming.ledger_away(since=since, until=now).text)
        self._away_since, self._cried = None, False
        self._vitals.store_ok = True
