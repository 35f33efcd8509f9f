"""A ledger that is away: written down once, told to a person after a while, and that it is back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from smsengine.clock import Clock
from smsengine.errors import StoreAwayError
from smsengine.service import alarming
from smsengine.service.alarming import News
from smsengine.service.logs import Event
from smsengine.service.vitals import Vitals

#: A ledger that is away for longer is told to a person, past the ledger.
_PATIENCE = timedelta(minutes=5)


class Absence:
    """Told by one thread at a time whether the ledger, or what it needs, can be used."""

    def __init__(
        self,
        *,
        vitals: Vitals,
        clock: Clock,
        tell: Callable[..., None],
        cry: Callable[[News], object],
    ) -> None:
        """Nothing is away yet.

        Args:
            vitals: told how it stands.
            clock: counts how long it lasts.
            tell: told events for the log.
            cry: tells a person past the ledger.
        """
        self._vitals = vitals
        self._clock = clock
        self._tell = tell
        self._cry = cry
        self._since: float | None = None
        self._cried = False

    def is_away(self, error: StoreAwayError) -> None:
        """It could not be used just now."""
        now, because = self._clock.monotonic(), str(error)
        if self._since is None:
            self._since = now
            self._tell(Event.LEDGER_AWAY, because=because)
        self._vitals.away_because, self._vitals.store_ok = because, False
        lasts = timedelta(seconds=now - self._since)
        if not self._cried and lasts >= _PATIENCE:
            self._cry(alarming.ledger_away(since=self._clock.now() - lasts, because=because))
            self._cried = True

    def is_over(self) -> None:
        """It could be used just now."""
        if self._since is not None:
            lasted = timedelta(seconds=self._clock.monotonic() - self._since)
            self._tell(Event.LEDGER_BACK, seconds=round(lasted.total_seconds()))
            if self._cried:
                now = self._clock.now()
                self._cry(alarming.ledger_back(since=now - lasted, until=now))
            self._since, self._cried = None, False
        self._vitals.away_because, self._vitals.store_ok = "", True
