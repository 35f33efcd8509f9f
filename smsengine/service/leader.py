"""Which machine leads: one of all daemons runs the clock and the upkeep.

The database alone is the authority. A lease in it is prolonged every few seconds; its holder
believes in it by the local monotonic clock, which counts suspended time, and for a shorter time
than the database does. So a machine that cannot reach the database, or was frozen, stops leading
before another one begins. Whatever a leader writes, it writes in a transaction that first proves
the lease (``acting``): one that is deposed between looking and writing writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from smsengine.clock import Clock
from smsengine.errors import DeposedError, StoreAwayError
from smsengine.store import leases
from smsengine.store.engine import Store
from smsengine.store.leases import Lease

#: The lease of whoever leads.
LEADER = "leader"
LEASE_SECONDS = 15.0
#: How often the lease should be prolonged.
RENEW_SECONDS = 4.0
#: A holder stops believing so long before the database lets others in.
_MARGIN_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Holding:
    """A lease, and until when it is believed by the local monotonic clock."""

    lease: Lease
    until: float


class Leadership:
    """The lead of one daemon; its threads may share it."""

    def __init__(self, *, store: Store, clock: Clock, holder: str) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._holding: _Holding | None = None

    def renew(self, now: datetime) -> bool:
        """Prolong the lead, or try for it; says whether this machine leads.

        Raises:
            StoreAwayError: nothing is known; who leads goes on until its lease has run out.
        """
        # The database's time begins to run after ours.
        began = self._clock.monotonic()
        with self._store.write() as connection:
            lease = leases.take(
                connection, LEADER, self._holder, seconds=LEASE_SECONDS, now=now.timestamp()
            )
        until = began + LEASE_SECONDS - _MARGIN_SECONDS
        self._holding = _Holding(lease=lease, until=until) if lease is not None else None
        return self.leads()

    def leads(self) -> bool:
        """Say whether this machine leads, as far as it can know without asking."""
        return self._believed() is not None

    def _believed(self) -> _Holding | None:
        holding = self._holding
        is_over = holding is None or self._clock.monotonic() >= holding.until
        return None if is_over else holding

    @contextmanager
    def acting(self) -> Iterator[Connection]:
        """A transaction of the machine that leads; nobody else begins to lead before it ends.

        Raises:
            DeposedError: another machine leads, or may soon.
        """
        holding = self._believed()
        if holding is None:
            raise DeposedError
        with self._store.write() as connection:
            now = self._clock.now().timestamp()
            if not leases.holds(connection, holding.lease, now=now):
                self._forget(holding)
                raise DeposedError
            yield connection

    def _forget(self, holding: _Holding) -> None:
        if self._holding is holding:
            self._holding = None

    def step_down(self) -> None:
        """Let another machine lead at once; where the database is away, when the lease runs out."""
        holding, self._holding = self._holding, None
        if holding is not None:
            with suppress(StoreAwayError), self._store.write() as connection:
                leases.give_up(connection, holding.lease)
