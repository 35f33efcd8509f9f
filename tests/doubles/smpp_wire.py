"""SMPP 3.4 on the wire, as an SMSC needs it: a codec that shares nothing with the engine's own.

Field order and numbers are those of the SMPP 3.4 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct(">IIII")
LONGEST = 64 * 1024
RESPONSE = 0x80000000


class Command(IntEnum):
    """What a PDU is; an answer is its request with the highest bit set."""

    BIND_RECEIVER = 0x1
    BIND_TRANSMITTER = 0x2
    QUERY_SM = 0x3
    SUBMIT_SM = 0x4
    DELIVER_SM = 0x5
    UNBIND = 0x6
    BIND_TRANSCEIVER = 0x9
    ENQUIRE_LINK = 0x15
    GENERIC_NACK = 0x80000000


BINDS = (Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER)


class Status(IntEnum):
    """``command_status``: those that the double uses."""

    OK = 0x0
    BAD_LENGTH = 0x1
    BAD_COMMAND_LENGTH = 0x2
    BAD_COMMAND = 0x3
    BAD_BIND_STATE = 0x4
    SYSTEM_ERROR = 0x8
    BAD_DESTINATION = 0xB
    BIND_FAILED = 0xD
    BAD_PASSWORD = 0xE
    QUEUE_FULL = 0x14
    SUBMIT_FAILED = 0x45
    THROTTLED = 0x58


class Tag(IntEnum):
    """Tags of optional parameters."""

    RECEIPTED_ID = 0x001E
    SAR_REFERENCE = 0x020C
    SAR_TOTAL = 0x020E
    SAR_PLACE = 0x020F
    PAYLOAD = 0x0424
    STATE = 0x0427


#: ``message_state`` of a receipt by its ``stat``.
STATES: Mapping[str, int] = {
    "ENROUTE": 1,
    "DELIVRD": 2,
    "EXPIRED": 3,
    "DELETED": 4,
    "UNDELIV": 5,
    "ACCEPTD": 6,
    "UNKNOWN": 7,
    "REJECTD": 8,
}
_GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = dict(zip(b"\n\x14()/<=>@e", "\f^{}\\[~]|€", strict=True))


class WireError(Exception):
    """A body that cannot be read; ``status`` is what it is answered with."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Part(NamedTuple):
    """Which part of a long message it is; a whole message is 1 of 1."""

    reference: int = 0
    total: int = 1
    place: int = 1


class Submit(NamedTuple):
    """A submit_sm: numbers as they came, the text decoded."""

    source: str
    to: str
    ton: int
    npi: int
    esm_class: int
    registered: int
    coding: int
    text: str
    part: Part
    tlvs: Mapping[int, bytes]


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """A whole PDU."""
    return HEADER.pack(HEADER.size + len(body), command, status, sequence) + body


def cstring(value: str) -> bytes:
    """A text that ends with a zero."""
    return value.encode("latin-1") + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """An optional parameter."""
    return struct.pack(">HH", tag, len(value)) + value


class _Reader:
    """Reads the fields of a body in their order."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def byte(self) -> int:
        return self.octets(1)[0]

    def octets(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) != count:
            raise WireError(Status.BAD_COMMAND_LENGTH)
        self._at += count
        return found

    def string(self, most: int) -> str:
        end = self._body.find(b"\0", self._at)
        if end < 0 or end - self._at >= most:
            raise WireError(Status.BAD_COMMAND_LENGTH)
        found = self._body[self._at : end].decode("latin-1")
        self._at = end + 1
        return found

    def tlvs(self) -> dict[int, bytes]:
        found = {}
        while self._at < len(self._body):
            tag, length = struct.unpack(">HH", self.octets(4))
            found[tag] = self.octets(length)
        return found


def read_bind(body: bytes) -> tuple[str, str]:
    """``system_id`` and ``password`` of a bind."""
    reader = _Reader(body)
    return reader.string(16), reader.string(9)


def read_submit(body: bytes) -> Submit:
    """Read a submit_sm.

    Raises:
        WireError: it is not one.
    """
    reader = _Reader(body)
    reader.string(6)
    reader.octets(2)
    source = reader.string(21)
    ton, npi = reader.byte(), reader.byte()
    to = reader.string(21)
    esm_class = reader.byte()
    reader.octets(2)
    reader.string(17)
    reader.string(17)
    registered = reader.byte()
    reader.byte()
    coding = reader.byte()
    reader.byte()
    length = reader.byte()
    if length > 254:
        raise WireError(Status.BAD_LENGTH)
    said = reader.octets(length)
    tlvs = reader.tlvs()
    if Tag.PAYLOAD in tlvs:
        if length:
            raise WireError(Status.BAD_LENGTH)
        said = tlvs[Tag.PAYLOAD]
    part, said = _part(said, esm_class, tlvs)
    return Submit(
        source, to, ton, npi, esm_class, registered, coding, decoded(said, coding), part, tlvs
    )


def _part(said: bytes, esm_class: int, tlvs: Mapping[int, bytes]) -> tuple[Part, bytes]:
    """Which part it is by its header or its parameters, and what follows the header."""
    if esm_class & 0x40:
        head, rest = said[1 : 1 + said[0]], said[1 + said[0] :]
        if head[:2] == b"\x00\x03" and len(head) == 5:
            return Part(head[2], head[3], head[4]), rest
        if head[:2] == b"\x08\x04" and len(head) == 6:
            return Part(head[2] << 8 | head[3], head[4], head[5]), rest
        raise WireError(Status.BAD_LENGTH)
    if Tag.SAR_TOTAL in tlvs:
        reference = int.from_bytes(tlvs[Tag.SAR_REFERENCE], "big")
        return Part(reference, tlvs[Tag.SAR_TOTAL][0], tlvs[Tag.SAR_PLACE][0]), said
    return Part(), said


def decoded(said: bytes, coding: int) -> str:
    """A text by its data_coding: unpacked GSM 03.38, Latin-1 or UCS-2."""
    if coding == 8:
        return said.decode("utf-16-be", errors="replace")
    if coding in (1, 3):
        return said.decode("latin-1")
    found, escaped = [], False
    for octet in said:
        if octet == 0x1B and not escaped:
            escaped = True
            continue
        found.append(_ESCAPED.get(octet, "�") if escaped else _GSM[octet & 0x7F])
        escaped = False
    return "".join(found)


def submitted(message_id: str, sequence: int) -> bytes:
    """The answer to a submit_sm that was taken."""
    return pdu(Command.SUBMIT_SM | RESPONSE, sequence, cstring(message_id))


def delivery(
    sequence: int, *, source: str, to: str, said: bytes, coding: int, esm_class: int, tlvs: bytes
) -> bytes:
    """A deliver_sm."""
    body = (
        b"\0"
        + b"\x01\x01"
        + cstring(source)
        + b"\x01\x01"
        + cstring(to)
        + bytes([esm_class, 0, 0])
        + b"\0\0"
        + bytes([0, 0, coding, 0, len(said)])
        + said
        + tlvs
    )
    return pdu(Command.DELIVER_SM, sequence, body)
