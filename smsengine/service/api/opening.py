"""Puts the counter together for a daemon."""

from __future__ import annotations

import threading
import time
from collections import Counter as Counted
from collections.abc import Callable
from contextlib import ExitStack

from smsengine.service.api.counter import Counter
from smsengine.service.api.present import Present
from smsengine.service.api.till import Till
from smsengine.service.api.window import Window
from smsengine.service.bootstrap import Engine
from smsengine.service.logs import Event
from smsengine.service.tally import Tally
from smsengine.service.vitals import Vitals

#: The log says at most so often that requests of a kind were refused.
_SAY_SECONDS = 60.0


class Teller:
    """Says now and then what was refused, with how many; several threads may tell it."""

    def __init__(
        self, tell: Callable[..., None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._monotonic = tell, monotonic
        self._unsaid: Counted[str] = Counted()
        self._say_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def refused(self, what: str, because: str) -> None:
        """A program was turned away."""
        now = self._monotonic()
        with self._lock:
            self._unsaid[what] += 1
            if now < self._say_at.get(what, now):
                return
            self._say_at[what] = now + _SAY_SECONDS
            count = self._unsaid.pop(what)
        self._tell(Event.API_REFUSED, what=what, because=because, count=count)

    def failed(self, error: Exception) -> None:
        """Something could not be explained; what it says may be private, so its kind is said."""
        self.refused("failed", f"it met a {type(error).__name__}")


def open_counter(
    stack: ExitStack,
    engine: Callable[[], Engine],
    vitals: Vitals,
    tally: Tally,
    tell: Callable[..., None],
) -> Counter:
    """A counter that works until the stack ends.

    Args:
        stack: closes it.
        engine: the configuration in force.
        vitals: how the daemon is; nothing is recorded while its ledger is away or fenced.
        tally: counts what was answered.
        tell: told what happened, as an event for the log.
    """

    def is_open() -> bool:
        return vitals.started and vitals.store_ok and not vitals.fenced

    present, teller = Present(engine, is_open), Teller(tell)
    counter = Counter(
        present,
        Till(present, failed=teller.failed),
        Window(present, failed=teller.failed),
        refused=teller.refused,
        failed=teller.failed,
        count=tally.payment_request,
    )
    stack.callback(counter.close)
    counter.start()
    return counter
