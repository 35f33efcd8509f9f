"""One connection to the SMSC: what it reads, what it answers, which receipts are under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.doubles import smpp_wire as wire
from tests.doubles.smpp_wire import BINDS, HEADER, RESPONSE, Command, Status
from tests.doubles.smsc_settings import Fault

if TYPE_CHECKING:
    from tests.doubles.smsc import Centre, Receipt

_REFUSALS = {
    Fault.QUEUE_FULL: Status.QUEUE_FULL,
    Fault.THROTTLE: Status.THROTTLED,
    Fault.SYSTEM_ERROR: Status.SYSTEM_ERROR,
    Fault.BAD_NUMBER: Status.BAD_DESTINATION,
}


class Session(asyncio.Protocol):
    """A connection. Whatever it is asked to deliver is in the ledger before it answers."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._unread = b""
        self._transport: asyncio.Transport
        self._sequence = 0
        self._unanswered: set[int] = set()
        #: receipts that were sent and not acknowledged yet, by sequence number
        self._sent: dict[int, Receipt] = {}
        self.bound: Command | None = None

    # -- the connection ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._centre.sessions.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.bound = None
        self._centre.sessions.discard(self)
        self._centre.take_back(self._sent.values())

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= HEADER.size:
            length, command, status, sequence = HEADER.unpack_from(self._unread)
            if not HEADER.size <= length <= wire.LONGEST:
                self._write(
                    wire.pdu(Command.GENERIC_NACK, sequence, b"", Status.BAD_COMMAND_LENGTH)
                )
                self._transport.close()
                return
            if len(self._unread) < length:
                return
            body, self._unread = self._unread[HEADER.size : length], self._unread[length:]
            self._read(command, status, sequence, body)

    def cut(self) -> None:
        """Break the connection off, with all that is under way."""
        self._transport.abort()

    def unbind(self) -> None:
        """Ask the other side to go; nothing is answered any more."""
        self._sequence += 1
        self._write(wire.pdu(Command.UNBIND, self._sequence))
        self.bound = None

    @property
    def receives(self) -> bool:
        """Say whether receipts may be sent here."""
        return self.bound in (Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)

    def _write(self, whole: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(whole)

    # -- what is read ------------------------------------------------------------------------------

    def _read(self, command: int, status: int, sequence: int, body: bytes) -> None:
        self._centre.counts[_name(command)] += 1
        if command in BINDS:
            self._bind(Command(command), sequence, body)
        elif command == Command.SUBMIT_SM:
            self._submit(sequence, body)
        elif command == Command.ENQUIRE_LINK:
            if self._centre.settings.answers_enquiries:
                self._write(wire.pdu(command | RESPONSE, sequence))
        elif command == Command.UNBIND:
            self._write(wire.pdu(command | RESPONSE, sequence))
            self._transport.close()
        elif command == Command.UNBIND | RESPONSE:
            self._transport.close()
        elif command == Command.DELIVER_SM | RESPONSE:
            self._acknowledged(sequence, status)
        elif not command & RESPONSE:
            self._write(wire.pdu(Command.GENERIC_NACK, sequence, b"", Status.BAD_COMMAND))

    def _bind(self, command: Command, sequence: int, body: bytes) -> None:
        settings = self._centre.settings
        if settings.bind_status is None:
            return
        status = settings.bind_status
        if self.bound is not None:
            status = Status.BAD_BIND_STATE
        elif wire.read_bind(body) != (settings.system_id, settings.password):
            status = Status.BAD_PASSWORD
        said = wire.cstring("double") if not status else b""
        self._write(wire.pdu(command | RESPONSE, sequence, said, status))
        if not status:
            self.bound = command
            self._centre.flush()

    def _submit(self, sequence: int, body: bytes) -> None:
        centre = self._centre
        try:
            message = wire.read_submit(body)
        except wire.WireError as error:
            self._refuse(sequence, error.status)
            return
        if self.bound not in (Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER):
            self._refuse(sequence, Status.BAD_BIND_STATE)
            return
        centre.heard_of.add(message.to)
        self._unanswered.add(sequence)
        centre.most_unanswered = max(centre.most_unanswered, len(self._unanswered))
        fault = centre.fault()
        if centre.settings.window and len(self._unanswered) > centre.settings.window:
            fault = Fault.THROTTLE
            centre.counts["over the window"] += 1
        if fault in _REFUSALS:
            self._later(self._refuse, sequence, _REFUSALS[fault])
        elif fault is None or fault.startswith("accept"):
            self._take(sequence, message, fault)
        else:
            self._misbehave(sequence, fault)

    def _take(self, sequence: int, message: wire.Submit, fault: Fault | None) -> None:
        """Deliver a message: from here on it is in the ledger."""
        number = self._centre.deliver(message)
        if fault is None:
            self._centre.early(number)
            self._later(self._answer, sequence, number)
        else:
            self._misbehave(sequence, Fault(fault.removeprefix("accept-then-")))
            self._centre.answered(number)

    def _misbehave(self, sequence: int, fault: Fault) -> None:
        if fault is Fault.DROP:
            self.cut()
        elif fault is Fault.UNBIND:
            self.unbind()
        elif fault is Fault.NACK:
            self._answered(sequence)
            self._write(wire.pdu(Command.GENERIC_NACK, sequence, b"", Status.BAD_COMMAND_LENGTH))
        elif fault is Fault.LIE:
            self._write(HEADER.pack(0xFFFFFF00, Command.SUBMIT_SM | RESPONSE, 0, sequence))

    # -- what is answered --------------------------------------------------------------------------

    def _later(self, call: object, *arguments: object) -> None:
        assert callable(call)
        delay = self._centre.settings.latency_ms / 1000
        if delay:
            asyncio.get_running_loop().call_later(delay, call, *arguments)
        else:
            call(*arguments)

    def _refuse(self, sequence: int, status: Status) -> None:
        self._answered(sequence)
        self._write(wire.pdu(Command.SUBMIT_SM | RESPONSE, sequence, b"", status))

    def _answer(self, sequence: int, number: int) -> None:
        # one that has unbound answers nothing any more
        if self.bound is not None:
            self._answered(sequence)
            self._write(wire.submitted(self._centre.spelled(number), sequence))
        self._centre.answered(number)

    def _answered(self, sequence: int) -> None:
        self._unanswered.discard(sequence)

    # -- receipts ----------------------------------------------------------------------------------

    def report(self, receipt: Receipt) -> None:
        """Send a receipt; until it is acknowledged it may have to be sent again."""
        self._sequence += 1
        self._sent[self._sequence] = receipt
        self._write(receipt.pdu(self._sequence))

    def _acknowledged(self, sequence: int, status: int) -> None:
        receipt = self._sent.pop(sequence, None)
        if receipt is not None and status:
            self._centre.take_back([receipt])
        elif receipt is not None:
            self._centre.counts["receipts acknowledged"] += 1


def _name(command: int) -> str:
    try:
        return Command(command & ~RESPONSE).name.lower() + ("_resp" if command & RESPONSE else "")
    except ValueError:
        return hex(command)
