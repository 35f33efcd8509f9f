"""Keeps the binds of a gateway up: connects, binds, and does so again when one is lost.

All of it runs on one thread with an event loop. After a failure the next attempt comes ever later;
where our name or password is refused it comes when somebody wants to send: an SMSC locks out
whoever knocks too often.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotInTimeError
from contextlib import suppress
from functools import partial
from pathlib import Path

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential,
    wait_random,
)

from smsengine.gateways.base import Outcome, OutcomeKind
from smsengine.gateways.smpp import statuses
from smsengine.gateways.smpp.options import Options
from smsengine.gateways.smpp.pdu import Command, bind_body
from smsengine.gateways.smpp.pool import Pool
from smsengine.gateways.smpp.session import Owner, Session

#: A connection that ended sooner than this was not worth much; the next one waits.
_STEADY_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.2
_CLOSE_SECONDS = 2.0
_logger = logging.getLogger("smsengine.smpp")


class _LostError(Exception):
    """No connection came about, or not for long."""


class _Bind:
    """One of the binds that are to be up."""

    def __init__(self, kind: Command) -> None:
        self.kind = kind
        #: the last attempt met with a refusal of our name or password
        self.is_refused = False


class Links:
    """The connections of one gateway."""

    def __init__(self, options: Options, *, name: str, folder: Path, pool: Pool) -> None:
        """Open nothing yet.

        Args:
            options: where to, as whom, how many.
            name: the gateway's name, for logs.
            folder: where ``ca`` starts.
            pool: told of binds that take submits, and of trouble.
        """
        self._options, self._name, self._folder, self._pool = options, name, folder, pool
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"{name}-smpp", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._sessions: set[Session] = set()
        self._asked: asyncio.Event
        # What stands in the log already.
        self._said: Outcome | None = None
        self._body = bind_body(
            system_id=options.system_id,
            password=options.password.reveal(),
            system_type=options.system_type,
        )

    def start(self, owner: Owner) -> None:
        """Begin to bind; returns at once."""
        both = (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER)
        kinds = (Command.BIND_TRANSCEIVER,) if self._options.bind == "transceiver" else both

        async def begin() -> None:
            self._asked = asyncio.Event()
            self._tasks += [
                asyncio.create_task(self._keep(owner, _Bind(kind)))
                for _ in range(self._options.binds)
                for kind in kinds
            ]

        self._thread.start()
        asyncio.run_coroutine_threadsafe(begin(), self.loop).result()

    def ask(self) -> None:
        """Try again what was refused; called on any thread."""
        self.loop.call_soon_threadsafe(self._asked.set)

    def close(self) -> None:
        """Say good-bye on every connection, and end the thread."""
        if not self._thread.is_alive():
            self.loop.close()
            return
        leaving = asyncio.run_coroutine_threadsafe(self._leave(), self.loop)
        with suppress(NotInTimeError):
            leaving.result(2 * _CLOSE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _leave(self) -> None:
        sessions = list(self._sessions)
        for session in sessions:
            session.unbind()
        if sessions:
            await asyncio.wait([each.end for each in sessions], timeout=_CLOSE_SECONDS)
        for session in sessions:
            session.drop("is closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the sockets are closed in the next round

    # -- one bind ----------------------------------------------------------------------------------

    async def _keep(self, owner: Owner, bind: _Bind) -> None:
        """Keep one bind up, for ever."""
        while True:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(Exception),
                wait=wait_exponential(
                    multiplier=_FIRST_PAUSE_SECONDS, max=self._options.reconnect_seconds
                )
                + wait_random(0, 0.1),
                before_sleep=partial(self._tell, bind),
                sleep=partial(self._rest, bind),
            ):
                with attempt:
                    await self._live(owner, bind)

    def _tell(self, bind: _Bind, state: RetryCallState) -> None:
        """Say what nobody foresaw: no one waits for this task, and without it the bind is gone."""
        error = state.outcome and state.outcome.exception()
        if isinstance(error, Exception) and not isinstance(error, _LostError):
            _logger.error("%s: a bind broke off", self._name, exc_info=error)
            self._fail(bind, _unreached(error))

    async def _rest(self, bind: _Bind, seconds: float) -> None:
        """Wait between two attempts; where we are not let in, until somebody wants to send."""
        self._asked.clear()
        if bind.is_refused:
            await self._asked.wait()
        else:
            await asyncio.sleep(min(seconds, self._options.reconnect_seconds))

    async def _live(self, owner: Owner, bind: _Bind) -> None:
        """One connection, from its beginning to its end."""
        session = self._new(owner)
        self._sessions.add(session)
        begun = self.loop.time()
        try:
            await self._open(session, bind)
            if bind.kind is not Command.BIND_RECEIVER:
                self._pool.opened(session)
            why = await session.end
        finally:
            self._sessions.discard(session)
            session.drop("is closed")
        _logger.warning("%s: the connection to the SMSC %s", self._name, why)
        if self.loop.time() - begun < _STEADY_SECONDS:
            raise _LostError

    def _new(self, owner: Owner) -> Session:
        return Session(
            owner,
            places=self._options.outstanding,
            respond_seconds=self._options.respond_seconds,
            enquire_seconds=self._options.enquire_seconds,
        )

    async def _open(self, session: Session, bind: _Bind) -> None:
        """Connect and bind.

        Raises:
            _LostError: it did not come about; the pool knows why.
        """
        try:
            async with asyncio.timeout(self._options.connect_seconds):
                await self._connect(lambda: session)
                status = await session.bind(bind.kind, self._body)
        except (OSError, ValueError) as error:  # the latter for what is no name of a host
            self._fail(bind, _unreached(error))
            raise _LostError from error
        if status < 0:
            self._fail(bind, _unreached(ConnectionError("hangs up on our bind")))
        elif status:
            self._fail(bind, statuses.of_bind(status))
        else:
            bind.is_refused, self._said = False, None
            return
        raise _LostError

    async def _connect(self, made: Callable[[], Session]) -> None:
        options = self._options
        trust = self._trust() if options.tls else None
        await self.loop.create_connection(made, options.host, options.port, ssl=trust)

    def _trust(self) -> ssl.SSLContext:
        ca = self._options.ca
        return ssl.create_default_context(cafile=str(self._folder / ca) if ca else None)

    def _fail(self, bind: _Bind, why: Outcome) -> None:
        bind.is_refused = why.kind is OutcomeKind.REJECTED
        if why != self._said:
            _logger.warning("%s: no bind: %s (%s)", self._name, why.detail, why.code)
        self._said = why
        self._pool.failed(why)


def _unreached(error: Exception) -> Outcome:
    if isinstance(error, TimeoutError):
        said = "does not answer in time"
    elif isinstance(error, ssl.SSLError):
        said = f"is not trusted: {getattr(error, 'verify_message', '') or error.reason or error}"
    elif isinstance(error, OSError) and error.errno is not None:
        said = os.strerror(error.errno)
    else:
        said = str(error) or type(error).__name__
    return Outcome(OutcomeKind.TRANSIENT, code="not-reached", detail=said[:200])
