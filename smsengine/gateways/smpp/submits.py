"""A message as submit_sm: its text as octets, and its parts tied together; pure.

Lengths and the header of a part are those of 3GPP TS 23.040; which of the three ways to tie parts
together an SMSC takes is a setting, and never two of them at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from smsengine.gateways.base import Outbound, Outcome, OutcomeKind, Scope
from smsengine.gateways.smpp.options import Options
from smsengine.gateways.smpp.pdu import Tag, cstring, tlv
from smsengine.text import gsm

_MOST_PARTS = 255
_UDH = 0x40  # of esm_class: the text begins with a header
_UCS2 = 8
_REGISTERED = {"none": 0, "final": 1, "all": 17}
_LENGTHS = [bytes([length]) for length in range(256)]
_TOO_LONG = Outcome(
    OutcomeKind.REJECTED, Scope.CONTENT, code="too-long", detail="needs more than 255 parts"
)
_NOT_LATIN = Outcome(
    OutcomeKind.REJECTED,
    Scope.CONTENT,
    code="not-latin1",
    detail="has a character that Latin-1 lacks; look at the gateway's coding",
)


class Writer:
    """Writes the bodies of submit_sm for one gateway."""

    def __init__(self, options: Options, first_reference: int) -> None:
        """Prepare what is the same in all of them.

        Args:
            options: addresses, codings, and how parts are tied together.
            first_reference: where the references of long texts begin; they go round after 255.
        """
        self._options = options
        self._references = itertools.count(first_reference)
        self._head = (
            cstring(options.service_type)
            + bytes(options.source_type)
            + cstring(options.source.removeprefix("+"))
            + bytes([options.dest_ton, options.dest_npi])
        )
        plain = {"gsm7": 0, "latin1": 3}[options.coding]
        self._plain = plain if options.data_coding is None else options.data_coding
        self._middles = {
            (esm_class, coding): self._middle(esm_class, coding)
            for esm_class in (0, _UDH)
            for coding in (self._plain, _UCS2)
        }

    def _middle(self, esm_class: int, coding: int) -> bytes:
        """What stands between the number and the text's length."""
        registered = _REGISTERED[self._options.registered_delivery]
        # protocol_id, priority; no schedule, no validity; no replacing, no canned message
        return bytes([0, esm_class, 0, 0, 0, 0, registered, 0, coding, 0])

    def bodies(self, message: Outbound) -> Sequence[bytes] | Outcome:
        """The bodies of a message, one for each part; or why it cannot be sent as it is."""
        way, texts = gsm.cut(message.text)
        if len(texts) > _MOST_PARTS:
            return _TOO_LONG
        try:
            parts = [self._octets(way, text) for text in texts]
        except UnicodeEncodeError:
            return _NOT_LATIN
        coding = _UCS2 if way == "ucs2" else self._plain
        number = message.address[1:].encode("ascii")
        if len(parts) == 1:
            return (self._body(number, 0, coding, parts[0]),)
        return self._tied(number, coding, parts)

    def _octets(self, way: Literal["gsm7", "ucs2"], text: str) -> bytes:
        if way == "ucs2":
            return text.encode("utf-16-be")
        return gsm.septets(text) if self._options.coding == "gsm7" else text.encode("latin-1")

    def _body(self, number: bytes, esm_class: int, coding: int, said: bytes) -> bytes:
        middle = self._middles[esm_class, coding]
        return b"".join((self._head, number, middle, _LENGTHS[len(said)], said))

    def _tied(self, number: bytes, coding: int, parts: Sequence[bytes]) -> Sequence[bytes]:
        if self._options.long_messages == "payload":
            whole = tlv(Tag.PAYLOAD, b"".join(parts))
            return (self._body(number, 0, coding, b"") + whole,)
        reference, total = next(self._references) & 0xFF, len(parts)
        if self._options.long_messages == "sar":
            return [
                self._body(number, 0, coding, part) + _sar(reference, total, place)
                for place, part in enumerate(parts, 1)
            ]
        return [
            self._body(number, _UDH, coding, bytes((5, 0, 3, reference, total, place)) + part)
            for place, part in enumerate(parts, 1)
        ]


def _sar(reference: int, total: int, place: int) -> bytes:
    return (
        tlv(Tag.SAR_REFERENCE, reference.to_bytes(2, "big"))
        + tlv(Tag.SAR_TOTAL, bytes([total]))
        + tlv(Tag.SAR_PLACE, bytes([place]))
    )
