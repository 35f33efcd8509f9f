"""One connection to an SMSC, from its bind to its end.

All of it runs on the thread of the connections. Whatever was written and has no answer when a
connection ends is in doubt; whatever is asked of a connection that has ended was not written. A
peer that does not keep to the protocol is not talked to any more.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable
from itertools import repeat
from typing import Any, Protocol

from smsengine.gateways.base import Outcome
from smsengine.gateways.smpp import pdu as wire
from smsengine.gateways.smpp import statuses
from smsengine.gateways.smpp.flight import Flight
from smsengine.gateways.smpp.pdu import HEADER, RESPONSE, SUBMIT_SM_RESP, Command

#: Sequence numbers from here on are the connection's own; submits have those below.
_OWN = 0x7F000000
#: More octets than this that the peer does not read: nothing of ours is worth so much memory.
_MOST_UNREAD = 8 * 1024 * 1024
#: After an unbind answers to what is under way may come for so long.
_PARTING_SECONDS = 3.0
_INVALID_COMMAND = 0x03
_ROUND_TICKS = 10


class Owner(Protocol):
    """What a connection tells, on its own thread."""

    def taken(self, name: str) -> str:
        """The gateway's name of what it took, as it is kept."""

    def meaning(self, status: int) -> Outcome:
        """What a status means."""

    def freed(self, session: Session, places: int) -> None:
        """So many submits have their answer."""

    def ended(self, session: Session) -> None:
        """Nothing more may be submitted here."""

    def delivered(self, session: Session, sequence: int, body: bytes) -> None:
        """A deliver_sm has come; it is acknowledged by ``acknowledge``."""

    def count(self, what: str) -> None:
        """Something odd has happened."""


class Session(asyncio.Protocol):
    """A connection."""

    def __init__(
        self, owner: Owner, *, places: int, respond_seconds: float, enquire_seconds: float
    ) -> None:
        #: submits that may be written now; changed under the lock of the owner
        self.free = self.places = places
        #: sequence number of the next submit; changed by whoever has the turn to write
        self.next_submit = 1
        self._owner = owner
        self._incident = secrets.token_hex(8)
        self._respond, self._enquire = respond_seconds, enquire_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._pending: dict[int, tuple[Flight, int]] = {}
        self._due: deque[tuple[float, range]] = deque()
        self._own = _OWN
        self._heard_at = self._loop.time()
        self._enquired_at: float | None = None
        self._bind: tuple[int, asyncio.Future[int]] | None = None
        self._parting_until: float | None = None
        self._tick: asyncio.TimerHandle | None = None
        #: done when the connection is at its end, with why
        self.end: asyncio.Future[str] = self._loop.create_future()

    # -- the connection ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._finish(f"was closed ({type(error).__name__})" if error else "was closed")

    async def bind(self, command: Command, body: bytes) -> int:
        """Ask to be let in; returns the answer's status, or -1 where the connection ended first."""
        sequence = self._request(command, body)
        answered: asyncio.Future[int] = self._loop.create_future()
        self._bind = (sequence, answered)
        waited_for: list[asyncio.Future[Any]] = [answered, self.end]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            return -1
        if not answered.result():
            self._tick = self._loop.call_later(self._pause, self._look)
        return answered.result()

    def unbind(self) -> None:
        """Say good-bye; the other side closes, or the connection is closed a little later."""
        if not self.end.done():
            self._request(Command.UNBIND)
            self._part()

    def drop(self, why: str) -> None:
        """End the connection at once; whatever is under way on it is in doubt."""
        self._finish(why)
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, why: str) -> None:
        if self.end.done():
            return
        self.end.set_result(why)
        if self._tick is not None:
            self._tick.cancel()
        self._owner.ended(self)
        pending, self._pending = self._pending, {}
        cut_off = statuses.CUT_OFF._replace(incident=self._incident)
        for flight, part in pending.values():
            flight.answer(part, cut_off)

    def _request(self, command: Command, body: bytes = b"") -> int:
        self._own = self._own + 1 if self._own < 0x7FFFFFFF else _OWN
        self._write(wire.pdu(command, self._own, body))
        return self._own

    def _write(self, whole: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _MOST_UNREAD:
            self._break("does not read what we write")
        else:
            transport.write(whole)

    # -- what is submitted -------------------------------------------------------------------------

    def submit(self, whole: bytes, sequences: range, flight: Flight, first: int) -> None:
        """Write submits together; their parts of the flight begin with ``first``.

        Where the peer goes, or has gone, they surely are not written.
        """
        parts = range(first, first + len(sequences))
        transport = self._transport
        if transport is None or transport.is_closing() or self._is_over:
            not_written = statuses.NOT_WRITTEN._replace(incident=self._incident)
            for part in parts:
                flight.answer(part, not_written)
            return
        self._pending.update(zip(sequences, zip(repeat(flight), parts), strict=False))
        self._due.append((self._loop.time() + self._respond, sequences))
        transport.write(whole)

    @property
    def _is_over(self) -> bool:
        return self.end.done() or self._parting_until is not None

    def acknowledge(self, sequences: Iterable[int], status: int = 0) -> None:
        """Answer deliver_sm, some of them together."""
        command = Command.DELIVER_SM | RESPONSE
        self._write(b"".join(wire.pdu(command, each, b"\0", status) for each in sequences))

    # -- what is read ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read every whole PDU; answers to submits are nearly all of them."""
        buffer = self._unread + data if self._unread else data
        at, size, freed, pending = 0, len(buffer), 0, self._pending
        self._heard_at = self._loop.time()
        while size - at >= 16:
            length, command, status, sequence = HEADER.unpack_from(buffer, at)
            if not 16 <= length <= wire.LONGEST:
                self._break("says that a PDU has an impossible length")
                return
            end = at + length
            if end > size:
                break
            if command == SUBMIT_SM_RESP and (waiting := pending.pop(sequence, None)):
                waiting[0].answer(waiting[1], self._said(status, buffer[at + 16 : end]))
                freed += 1
                if status in statuses.BREAKING:
                    self._owner.count("does not understand what we submit")
                    self._part()
            elif not self._read(command, status, sequence, buffer[at + 16 : end]):
                return
            at = end
        self._unread = buffer[at:]
        if freed:
            self._owner.freed(self, freed)

    def _said(self, status: int, body: bytes) -> str | Outcome:
        return self._owner.meaning(status) if status else self._owner.taken(wire.message_id(body))

    def _break(self, why: str) -> None:
        """The peer is not understood."""
        self._owner.count(why)
        self.drop(why)

    def _read(self, command: int, status: int, sequence: int, body: bytes) -> bool:
        """Take a PDU that answers no submit; False where it ends the connection."""
        if command == Command.DELIVER_SM:
            self._owner.delivered(self, sequence, body)
        elif command == Command.ENQUIRE_LINK:
            self._write(wire.pdu(command | RESPONSE, sequence))
        elif command == Command.ENQUIRE_LINK | RESPONSE:
            self._enquired_at = None
        elif command == Command.UNBIND:
            self._write(wire.pdu(command | RESPONSE, sequence))
            self._owner.count("asks us to go")
            self._part()
        elif command == Command.GENERIC_NACK:
            return self._nacked(sequence)
        elif command & RESPONSE:
            return self._answered(command, status, sequence)
        elif command not in (Command.OUTBIND, Command.ALERT_NOTIFICATION):
            self._write(wire.pdu(Command.GENERIC_NACK, sequence, b"", _INVALID_COMMAND))
        return True

    def _answered(self, command: int, status: int, sequence: int) -> bool:
        if self._bind is not None and self._bind[0] == sequence:
            answered, self._bind = self._bind[1], None
            answered.set_result(status)
        elif command == Command.UNBIND | RESPONSE:
            self.drop("is closed")
            return False
        else:
            self._owner.count("answers what was not asked, or too late")
        return True

    def _nacked(self, sequence: int) -> bool:
        """Something of ours was not understood as a request: nobody knows what came of it."""
        if (waiting := self._pending.pop(sequence, None)) is not None:
            nacked = statuses.NACKED._replace(incident=self._incident)
            waiting[0].answer(waiting[1], nacked)
        self._break("does not understand what we write")
        return False

    # -- time --------------------------------------------------------------------------------------

    @property
    def _pause(self) -> float:
        return min(1.0, self._respond / _ROUND_TICKS, self._enquire / _ROUND_TICKS)

    def _look(self) -> None:
        """See what has no answer in time; called over and over."""
        now = self._loop.time()
        if self._enquired_at is not None and now - self._enquired_at > self._respond:
            self._break("does not answer")
            return
        if self._enquired_at is None and now - self._heard_at > self._enquire:
            self._enquired_at = now
            self._request(Command.ENQUIRE_LINK)
        self._look_at_submits(now)
        is_over = self._parting_until is not None and (
            not self._pending or now > self._parting_until
        )
        if is_over:
            self.drop("is closed")
        elif not self.end.done():
            self._tick = self._loop.call_later(self._pause, self._look)

    def _look_at_submits(self, now: float) -> None:
        """What has waited for too long is in doubt; what else is under way may still be answered.

        The place of an unanswered submit is lost, so the connection is not used for more.
        """
        while self._due:
            due_at, sequences = self._due[0]
            waiting = [each for each in sequences if each in self._pending]
            if waiting and now <= due_at:
                return
            self._due.popleft()
            for sequence in waiting:
                flight, part = self._pending.pop(sequence)
                flight.answer(part, statuses.UNANSWERED)
                self._owner.count("leaves a submit without an answer")
                self._part(self._respond)

    def _part(self, seconds: float = _PARTING_SECONDS) -> None:
        """Submit nothing more here, and end when all is answered, or after so long."""
        if self._parting_until is None:
            self._parting_until = self._loop.time() + seconds
            self._owner.ended(self)
        if self._tick is None:
            self._tick = self._loop.call_later(self._pause, self._look)
