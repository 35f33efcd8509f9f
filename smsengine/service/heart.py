"""The heart of a daemon: every few seconds it proves that this machine belongs, and who leads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from smsengine.clock import Clock
from smsengine.errors import StoreAwayError
from smsengine.service.absence import Absence
from smsengine.service.leader import RENEW_SECONDS, Leadership
from smsengine.service.logs import Event
from smsengine.service.vitals import Vitals


class Heart:
    """One thread; it goes on whatever the others do."""

    def __init__(
        self,
        *,
        leadership: Leadership,
        belong: Callable[[], str],
        vitals: Vitals,
        clock: Clock,
        absence: Absence,
        tell: Callable[..., None],
        fail: Callable[[BaseException], None],
        gained: Callable[[], None] = lambda: None,
    ) -> None:
        """Nothing beats yet.

        Args:
            leadership: the lead of this machine.
            belong: keeps this machine's place in the ledger; says why nothing may be sent from
                here, empty when all may.
            vitals: told how it stands.
            clock: for the instants of the lease.
            absence: told whether the ledger is there.
            tell: told events for the log.
            fail: told what ended the thread.
            gained: called when this machine begins to lead.
        """
        self._leadership = leadership
        self._belong = belong
        self._vitals = vitals
        self._clock = clock
        self._tell = tell
        self._absence = absence
        self._fail = fail
        self._gained = gained
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
        because = ""
        try:
            vitals.fenced = self._belong()
            if vitals.fenced:
                self._leadership.step_down()
            else:
                self._leadership.renew(self._clock.now())
            self._absence.is_over()
        except StoreAwayError as error:
            self._absence.is_away(error)
            because = str(error)
        leads = self._leadership.leads()
        if leads != vitals.leads:
            self._tell_lead(leads=leads, because=vitals.fenced or because)
        vitals.leads = leads

    def _tell_lead(self, *, leads: bool, because: str) -> None:
        if leads:
            self._tell(Event.LEADER_GAINED)
            self._gained()
        else:
            self._tell(Event.LEADER_LOST, because=because or "Another machine leads now.")
