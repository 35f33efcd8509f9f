"""Read e-mail addresses out of the cells people fill in.

Only what every mail server takes is an address here: plain letters, no quoted names, no comments,
a domain with a dot. Nothing that could begin another line of a mail's head gets through: a cell
with a line break is refused whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from smsengine.errors import EmailError
from smsengine.lifecycle import SkipReason

#: What routes, prices and registered templates call the network of an e-mail address.
NETWORK = "email"

_BETWEEN = re.compile(r"[;,]")
_BROKEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_TOP = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
#: The ledger's column for addresses holds no more.
_LONGEST = 100
_LONGEST_LOCAL = 64
_LONGEST_LABEL = 63
_SHOWN = 2
#: An address inside a sentence; its parts are bounded, so that a long word costs no more.
_WITHIN = re.compile(
    r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9._%+-]{1,64})(?:@|%40)"
    r"((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})"
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that may receive a notice; its domain in small letters."""

    address: str
    network: str = NETWORK


def mask(address: str) -> str:
    """An address for logs and sentences: ``lan.tran@example.vn`` -> ``la***@example.vn``."""
    local, _, domain = address.rpartition("@")
    shown = local[:_SHOWN] if len(local) > _SHOWN + 1 else ""
    return f"{shown}***@{domain}"


def mask_addresses(said: str) -> str:
    """What was said, with every address in it masked, also one that is percent-encoded."""
    if "@" not in said and "%40" not in said:
        return said
    return _WITHIN.sub(lambda found: mask(f"{found[1]}@{found[2]}"), said)


def parse(cell: str) -> list[Mailbox | EmailError]:
    """Every address of a cell in order, each once, or why it cannot be written to.

    An empty cell gives an empty list.
    """
    if _BROKEN.search(cell.strip()):
        return [EmailError("The cell holds a line break or a tab; part addresses with a ';'.")]
    found: dict[str, Mailbox | EmailError] = {}
    for piece in filter(None, map(str.strip, _BETWEEN.split(cell))):
        one = _read(piece)
        found.setdefault(one.address if isinstance(one, Mailbox) else str(one), one)
    return list(found.values())


def _read(piece: str) -> Mailbox | EmailError:
    local, at, domain = piece.rpartition("@")
    domain = domain.lower()
    if not at or not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL:
        return EmailError(f"{_told(piece)} is not an e-mail address; correct it in the source.")
    if not _is_domain(domain):
        return EmailError(
            f"{_told(piece)} has no usable domain behind its @; correct it in the source."
        )
    if len(piece) > _LONGEST:
        return EmailError(f"{_told(piece)} is longer than {_LONGEST} characters.")
    return Mailbox(f"{local}@{domain}")


def _is_domain(domain: str) -> bool:
    *labels, top = domain.split(".")
    return (
        bool(labels)
        and _TOP.fullmatch(top) is not None
        and all(_LABEL.fullmatch(each) and len(each) <= _LONGEST_LABEL for each in labels)
    )


def _told(piece: str) -> str:
    """What a person finds the cell by, without the whole address."""
    return mask(piece) if piece.count("@") == 1 and len(piece) <= _LONGEST else "The cell"


def none_at_all() -> EmailError:
    """What is said of a subject without any address."""
    return EmailError("There is no e-mail address.", reason=SkipReason.NO_EMAIL)
