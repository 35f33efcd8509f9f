"""What a deliver_sm says of a message that we sent; pure.

By appendix B of the specification, which leaves the text of a receipt to each SMSC: keys come in
any case and order, dates with or without seconds, fields are missing, and what stands behind
``text:`` is somebody's words. Optional parameters are more reliable where they are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from smsengine.gateways.base import MOST_RAW, ReceiptStatus
from smsengine.gateways.smpp.pdu import Delivery, Tag
from smsengine.phone import mask_numbers

#: Bits of esm_class: a receipt of an SMSC, or its word on the way.
_RECEIPT, _INTERMEDIATE = 0x04, 0x20
_UCS2 = 8
#: ``stat`` by its first letters; what nobody knows and what goes on is no final word.
_STATS: Mapping[str, ReceiptStatus] = {
    "DELIV": ReceiptStatus.DELIVERED,
    "EXPIR": ReceiptStatus.UNDELIVERED,
    "DELET": ReceiptStatus.UNDELIVERED,
    "UNDEL": ReceiptStatus.UNDELIVERED,
    "REJEC": ReceiptStatus.UNDELIVERED,
    "FAIL": ReceiptStatus.UNDELIVERED,
}
#: ``message_state``: its name, as a ``stat`` would be.
_STATES = (
    *("SCHEDLD", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED"),
    *("UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "SKIPPED"),
)
_FIELDS = {
    "id": re.compile(r"(?<![^\s,;])id\s*:\s*([^\s,;:]+)(?![^\s,;])", re.I),
    "stat": re.compile(r"\bstat(?:us)?\s*:\s*([a-z]+)", re.I),
    "err": re.compile(r"\berr(?:or)?\s*:\s*(\w+)", re.I),
}
_WORDS = re.compile(r"\btext\s*:.*", re.I | re.S)


class Report(NamedTuple):
    """A receipt: the SMSC's name of the message, its word, and what came, without texts."""

    name: str
    status: ReceiptStatus
    code: str
    raw: str


def is_receipt(delivery: Delivery) -> bool:
    """Say whether an SMSC speaks of a message; anybody may write the text of a receipt."""
    kind = delivery.esm_class & 0x3C
    return bool(kind & (_RECEIPT | _INTERMEDIATE)) or Tag.RECEIPTED_ID in delivery.tlvs


def read_receipt(delivery: Delivery) -> Report | None:
    """What a receipt says; None where it does not say of which message, or nothing of its fate."""
    said = _WORDS.sub("text:***", _text(delivery))
    name, stat = _name(delivery, said), _stat(delivery, said)
    if not name or not stat:
        return None
    code = f"{stat} {_error(delivery, said)}".strip()
    shown = mask_numbers(f"{said} {_shown(delivery.tlvs)}".strip())[:MOST_RAW]
    return Report(name, _status(stat), code, shown)


def _text(delivery: Delivery) -> str:
    if delivery.coding == _UCS2:
        return delivery.said.decode("utf-16-be", errors="replace")
    return delivery.said.decode("latin-1")


def _name(delivery: Delivery, said: str) -> str:
    given = delivery.tlvs.get(Tag.RECEIPTED_ID, b"").split(b"\0")[0].decode("latin-1").strip()
    return given or _field("id", said)


def _stat(delivery: Delivery, said: str) -> str:
    state = delivery.tlvs.get(Tag.STATE, b"")
    if len(state) == 1 and state[0] < len(_STATES):
        return _STATES[state[0]]
    return _field("stat", said).upper()


def _status(stat: str) -> ReceiptStatus:
    known = (status for begins, status in _STATS.items() if stat.startswith(begins))
    return next(known, ReceiptStatus.IN_TRANSIT)


def _error(delivery: Delivery, said: str) -> str:
    """The network's own reason: what the text has, else kind and number of the parameter."""
    written = _field("err", said)
    given = delivery.tlvs.get(Tag.NETWORK_ERROR, b"")
    if written or len(given) != 3:
        return written
    return f"{given[0]}/{int.from_bytes(given[1:], 'big')}"


def _field(name: str, said: str) -> str:
    found = _FIELDS[name].search(said)
    return found[1] if found else ""


def _shown(tlvs: Mapping[int, bytes]) -> str:
    """The parameters that a receipt may have, in hexadecimal."""
    known = (Tag.RECEIPTED_ID, Tag.STATE, Tag.NETWORK_ERROR)
    return " ".join(f"{tag:04x}={tlvs[tag].hex()}" for tag in known if tag in tlvs)
