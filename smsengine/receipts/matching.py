"""Receipts meet their messages. Delivered wins; a final word is never undone by a lesser one.

In whatever order receipts come, however often, before or after the answer: a message has arrived
when one receipt says so of the whole, or receipts say so of each part. Else it has not, when one
says so of the whole or of any part. Else nothing is known.

A receipt speaks of the message that our reference names, else of the only one that the gateway's
name or one of its spellings fits. One that fits none or several is parked, and so is one whose
message is still being sent; they are looked at again when answers were settled. So is one that fits
only an old message: a gateway that counts anew may have given its name to one that is being sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from smsengine.gateways.base import MOST_RAW, Receipt, ReceiptStatus
from smsengine.lifecycle import MessageState
from smsengine.store import parts
from smsengine.store import receipts as stored
from smsengine.store.engine import Store
from smsengine.store.fitting import kept
from smsengine.store.messages import key_of
from smsengine.store.receipts import Named, Parked
from smsengine.store.tables import LONGEST_GATEWAY_ID

#: Who has found no message after so long is a stranger: answers are settled within minutes.
STRANGE_AFTER = timedelta(minutes=10)
#: SMSCs give a message up within days; a name that is older may have been given again.
_NAME_HOLDS = timedelta(days=7)
#: Parked receipts that are looked at together.
_PIECE = 1000
#: What was said of these is kept for later: whether they were handed over is not settled.
_NOT_YET = frozenset({MessageState.QUEUED, MessageState.SENDING})
_OPEN = _NOT_YET | {MessageState.ACCEPTED, MessageState.UNKNOWN, MessageState.UNCONFIRMED}


class Heard(NamedTuple):
    """What a receipt calls its message, and what it says. ``key`` is read from our reference.

    ``at`` is when it came.
    """

    names: tuple[str, ...]
    key: tuple[bytes, int] | None
    status: str
    at: datetime


class Target(NamedTuple):
    """The message that a receipt speaks of; ``part`` where it speaks of a part alone."""

    id: int
    part: str = ""


def store_receipts(store: Store, gateway: str, received: Sequence[Receipt], now: datetime) -> int:
    """Keep every receipt, and move the messages that they speak of.

    Returns:
        How many messages moved.
    """
    if not received:
        return match_parked(store, gateway, now)
    heard = [_heard(receipt, now) for receipt in received]
    with store.write() as connection:
        moved, tied = _apply(connection, gateway, heard, now)
        rows = [
            {
                "gateway": gateway,
                "gateway_id": receipt.gateway_id or receipt.reference,
                "status": receipt.status,
                "code": receipt.code,
                "reference": receipt.reference.lower() if each.key else "",
                "aliases": " ".join(each.names[1:]),
                "raw": receipt.raw[:MOST_RAW],
                "received_at": now,
                "message_id": target,
            }
            for receipt, each, target in zip(received, heard, tied, strict=True)
        ]
        stored.keep(connection, rows)
    return moved


def match_parked(store: Store, gateway: str, now: datetime, since: datetime | None = None) -> int:
    """Look again at parked receipts, the newest first, as long as some find their messages.

    Args:
        store: the ledger.
        gateway: whose receipts.
        now: the present.
        since: all that came since then; without it only those that are no strangers yet.

    Returns:
        How many messages moved.
    """
    after, moved = since or now - STRANGE_AFTER, 0
    before: tuple[datetime, int] | None = None
    while True:
        with store.read() as connection:
            found = stored.parked(connection, gateway, after=after, limit=_PIECE, before=before)
            fits = _fitting(connection, gateway, found, now)
        if fits:
            moved += _match(store, gateway, fits, now)
        if len(found) < _PIECE or not (fits or since):
            return moved
        before = (found[-1].received_at, found[-1].id)


def _fitting(
    connection: Connection, gateway: str, found: Sequence[Parked], now: datetime
) -> list[Parked]:
    """Those that have a message by now; most have none, and for them nothing is written."""
    heard = [_heard_again(each) for each in found]
    targets = _targets(connection, gateway, heard, now)
    return [each for each, target in zip(found, targets, strict=True) if target is not None]


def _match(store: Store, gateway: str, fits: Sequence[Parked], now: datetime) -> int:
    # As they came: of two spellings that are learned, the first is kept.
    ordered = sorted(fits, key=lambda each: each.id)
    with store.write() as connection:
        heard = [_heard_again(each) for each in ordered]
        moved, tied = _apply(connection, gateway, heard, now)
        pairs = zip(ordered, tied, strict=True)
        stored.tie(connection, {each.id: message for each, message in pairs if message is not None})
    return moved


def _heard(receipt: Receipt, now: datetime) -> Heard:
    spelt = (each for each in receipt.aliases if each and not any(map(str.isspace, each)))
    names = dict.fromkeys(kept(each, LONGEST_GATEWAY_ID) for each in (receipt.gateway_id, *spelt))
    return Heard(tuple(names), key_of(receipt.reference), receipt.status, now)


def _heard_again(parked: Parked) -> Heard:
    """A receipt by our reference alone is kept under it, and has no name of the gateway's."""
    own = "" if parked.gateway_id.lower() == parked.reference else parked.gateway_id
    names = (own, *parked.aliases.split())
    return Heard(names, key_of(parked.reference), parked.status, parked.received_at)


# -- whom it speaks of -----------------------------------------------------------------------------


def _targets(
    connection: Connection, gateway: str, heard: Sequence[Heard], now: datetime
) -> list[Target | None]:
    """For each receipt its message; None where none fits, or several do."""
    names = {name for each in heard for name in each.names}
    keys = {each.key for each in heard if each.key is not None}
    known = defaultdict[str, list[Named]](list)
    for named in stored.by_name(connection, gateway, names):
        known[named.name].append(named)
    referred = stored.by_key(connection, gateway, keys)

    def target(each: Heard) -> Target | None:
        named = [one for name in each.names for one in known.get(name, ())]
        ours = referred.get(each.key) if each.key is not None else None
        return choose(in_use(named, each.at, now) if ours is None else named, ours)

    return [target(each) for each in heard]


def in_use(named: Sequence[Named], came_at: datetime, now: datetime) -> Sequence[Named]:
    """The messages that may be meant: those that have their name lately, as far as there are any.

    Old ones count when the receipt has waited for so long that a newer one would be known.
    """
    of_late = now - _NAME_HOLDS
    lately = [each for each in named if each.settled_at is None or each.settled_at > of_late]
    return lately or (named if came_at < now - STRANGE_AFTER else ())


def choose(named: Sequence[Named], referred: int | None) -> Target | None:
    """The one message that is meant.

    A gateway that counts anew gives names again: of several messages the one is meant of which
    more can be heard at all.

    Args:
        named: messages that go by the gateway's name or one of its spellings.
        referred: the id of the message that our reference names.
    """
    ids = {each.id for each in named} if referred is None else {referred}
    if len(ids) > 1:
        ids = {each.id for each in named if each.state in _OPEN}
    if len(ids) != 1:
        return None
    (found,) = ids
    of_parts = {each.part for each in named if each.id == found and each.part}
    if len(of_parts) > 1:
        return None
    return Target(found, of_parts.pop() if of_parts else "")


# -- what follows ----------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Words:
    """What receipts say: ids of messages, and names of parts with their messages."""

    delivered: set[int] = field(default_factory=set)
    undelivered: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    parts: dict[str, int] = field(default_factory=dict)


def _apply(
    connection: Connection, gateway: str, heard: Sequence[Heard], now: datetime
) -> tuple[int, list[int | None]]:
    """Move the messages that receipts speak of.

    Returns:
        How many moved, and for each receipt the message that it is tied to.
    """
    targets = _targets(connection, gateway, heard, now)
    states = stored.lock(connection, {target.id for target in targets if target is not None})
    targets = [
        target if target is not None and states.get(target.id) not in (None, *_NOT_YET) else None
        for target in targets
    ]
    stored.call(connection, _names(heard, targets))
    words = _words(heard, targets)
    if words.parts:
        parts.deliver(connection, gateway, words.parts)
        words.delivered |= parts.complete(connection, set(words.parts.values()))
    moved = stored.move(connection, words.delivered, MessageState.DELIVERED, now=now)
    moved += stored.move(connection, words.undelivered, MessageState.UNDELIVERED, now=now)
    # Whatever is on its way was taken: that settles a doubt.
    moved += stored.move(connection, words.taken, MessageState.ACCEPTED, now=now)
    return moved, [target.id if target is not None else None for target in targets]


def _names(heard: Iterable[Heard], targets: Iterable[Target | None]) -> Mapping[int, str]:
    """What the gateway calls messages whose answers were lost."""
    return {
        target.id: each.names[0]
        for each, target in zip(heard, targets, strict=True)
        if target is not None and each.key is not None and each.names[0]
    }


def _words(heard: Iterable[Heard], targets: Iterable[Target | None]) -> _Words:
    words = _Words()
    for each, target in zip(heard, targets, strict=True):
        if target is None:
            continue
        if each.status == ReceiptStatus.UNDELIVERED:
            words.undelivered.add(target.id)
        elif each.status == ReceiptStatus.DELIVERED and not target.part:
            words.delivered.add(target.id)
        else:
            words.taken.add(target.id)
            if each.status == ReceiptStatus.DELIVERED:
                words.parts[target.part] = target.id
    return words
