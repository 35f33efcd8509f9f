"""The dozen PDUs of SMPP 3.4 that we write and read; pure.

Field order, numbers and lengths are those of "Short Message Peer to Peer Protocol Specification
v3.4", issue 1.2. A PDU is its header of sixteen octets and a body; a text in a body ends with a
zero, or has its length before it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

#: length of the whole, command, status, sequence number
HEADER = struct.Struct(">IIII")
#: Octets of the longest PDU that anybody needs; whoever announces a longer one is not understood.
LONGEST = 64 * 1024
RESPONSE = 0x80000000
SUBMIT_SM_RESP = 0x80000004
_TLV = struct.Struct(">HH")
_VERSION = 0x34


class Command(IntEnum):
    """What a PDU is; an answer is its request with the highest bit set."""

    BIND_RECEIVER = 0x1
    BIND_TRANSMITTER = 0x2
    SUBMIT_SM = 0x4
    DELIVER_SM = 0x5
    UNBIND = 0x6
    BIND_TRANSCEIVER = 0x9
    OUTBIND = 0xB
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    GENERIC_NACK = 0x80000000


class Tag(IntEnum):
    """Tags of optional parameters."""

    RECEIPTED_ID = 0x001E
    SAR_REFERENCE = 0x020C
    SAR_TOTAL = 0x020E
    SAR_PLACE = 0x020F
    NETWORK_ERROR = 0x0423
    PAYLOAD = 0x0424
    STATE = 0x0427


class PduError(Exception):
    """A body is not what its command says."""


class Delivery(NamedTuple):
    """A deliver_sm: its numbers, its text as it came, its optional parameters by their tags."""

    esm_class: int
    coding: int
    said: bytes
    tlvs: Mapping[int, bytes]


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """A whole PDU."""
    return HEADER.pack(HEADER.size + len(body), command, status, sequence) + body


def cstring(value: str) -> bytes:
    """A text that ends with a zero."""
    return value.encode("ascii") + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """An optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def bind_body(*, system_id: str, password: str, system_type: str) -> bytes:
    """The body of any of the three binds; every address may be told to us."""
    names = cstring(system_id) + cstring(password) + cstring(system_type)
    return names + bytes([_VERSION, 0, 0]) + cstring("")


def message_id(body: bytes) -> str:
    """The gateway's name of a message, out of the answer to a submit_sm; empty if it has none."""
    end = body.find(b"\0")
    return (body if end < 0 else body[:end]).decode("latin-1").strip()


class _Reader:
    """Reads the fields of a body in their order."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def octets(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) != count:
            raise PduError("ends too early")
        self._at += count
        return found

    def byte(self) -> int:
        return self.octets(1)[0]

    def skip_text(self) -> None:
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise PduError("has a text without an end")
        self._at = end + 1

    def tlvs(self) -> dict[int, bytes]:
        found = {}
        while self._at < len(self._body):
            tag, length = _TLV.unpack(self.octets(_TLV.size))
            found[tag] = self.octets(length)
        return found


def read_deliver(body: bytes) -> Delivery:
    """Read a deliver_sm.

    Raises:
        PduError: it is not one.
    """
    reader = _Reader(body)
    reader.skip_text()  # service_type
    for _ in ("source", "destination"):
        reader.octets(2)
        reader.skip_text()
    esm_class = reader.byte()
    reader.octets(2)  # protocol_id, priority_flag
    reader.skip_text()  # schedule_delivery_time
    reader.skip_text()  # validity_period
    reader.octets(2)  # registered_delivery, replace_if_present_flag
    coding = reader.byte()
    reader.byte()  # sm_default_msg_id
    said = reader.octets(reader.byte())
    tlvs = reader.tlvs()
    return Delivery(esm_class, coding, said or tlvs.get(Tag.PAYLOAD, b""), tlvs)
