"""Where a gateway's changing secret is kept: in the ledger, sealed, one machine at a time.

A token that serves once must not be used by two machines, and its successor must be durable before
anything is done with it. A lease is the lock, since no call to a gateway is made in a transaction.
A successor that the ledger did not take is held until it does: nothing else would be accepted.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable

from cryptography.fernet import Fernet, InvalidToken

from smsengine.clock import Clock
from smsengine.errors import GatewayError, SealedError
from smsengine.store import leases, tokens
from smsengine.store.engine import Store
from smsengine.store.leases import Lease

#: Longer than any exchange with a gateway takes.
_HOLD_SECONDS = 240.0
_LOOK_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 300.0


class TokenVault:
    """The vault of one gateway; the ledger is opened when it is first used."""

    def __init__(
        self,
        *,
        store: Callable[[], Store],
        key: Callable[[], bytes],
        gateway: str,
        holder: str,
        clock: Clock,
    ) -> None:
        """Open nothing yet.

        Args:
            store: gives the ledger.
            key: gives the installation's secret, of which the vault's own is derived.
            gateway: whose secret it is.
            holder: the name of this process.
            clock: for waiting, and for the lease on SQLite.
        """
        self._store, self._key, self._clock = store, key, clock
        self._gateway, self._holder = gateway, holder
        #: what was kept, and its successor that the ledger did not take
        self._unkept: tuple[str | None, str] | None = None

    def read(self) -> str | None:
        """What was kept last; None at first.

        Raises:
            SealedError: it was sealed with another key.
        """
        with self._store().read() as connection:
            sealed = tokens.get(connection, self._gateway)
        if sealed is None:
            return None
        try:
            return self._fernet().decrypt(sealed).decode()
        except InvalidToken:
            raise SealedError(
                f"{self._gateway}: its kept token was sealed with another dedup_key; put that key"
                f" back or, where it is lost, delete the row of {self._gateway} in the table tokens"
                " and consent anew."
            ) from None

    def replace(self, renew: Callable[[str | None], str]) -> str:
        """Change the secret, one machine at a time.

        Raises:
            SealedError: what is kept was sealed with another key.
            GatewayError: another machine has been at it for minutes.
        """
        lease = self._lock()
        try:
            before = self._caught_up(self.read())
            after = renew(before)
            if after != before:
                self._keep(before, after)
            return after
        finally:
            with self._store().write() as connection:
                leases.give_up(connection, lease)

    def _caught_up(self, kept: str | None) -> str | None:
        """What is kept, once a successor that the ledger did not take before is kept."""
        if self._unkept is None or self._unkept[0] != kept:
            return kept
        successor = self._unkept[1]
        self._keep(kept, successor)
        return successor

    def _keep(self, before: str | None, after: str) -> None:
        self._unkept = (before, after)
        sealed = self._fernet().encrypt(after.encode())
        with self._store().write() as connection:
            tokens.put(connection, self._gateway, sealed, self._clock.now())
        self._unkept = None

    def _lock(self) -> Lease:
        # One name for each thread: its own lease a holder may take again.
        holder = f"{self._holder}/{threading.get_ident()}"
        until = self._clock.monotonic() + _LONGEST_WAIT_SECONDS
        while self._clock.monotonic() < until:
            with self._store().write() as connection:
                lease = leases.take(
                    connection,
                    f"token {self._gateway}",
                    holder,
                    seconds=_HOLD_SECONDS,
                    now=self._clock.now().timestamp(),
                )
            if lease is not None:
                return lease
            self._clock.sleep(_LOOK_SECONDS)
        raise GatewayError(f"{self._gateway}: another machine does not let go of its token.")

    def _fernet(self) -> Fernet:
        derived = hashlib.blake2b(
            f"token {self._gateway}".encode(), key=self._key(), digest_size=32
        ).digest()
        return Fernet(base64.urlsafe_b64encode(derived))
