"""Receipts meet their messages. Delivered wins; a final word is never undone by a lesser one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from smsengine.gateways.base import MOST_RAW, Receipt, ReceiptStatus
from smsengine.lifecycle import MessageState
from smsengine.store import receipts as stored
from smsengine.store.engine import Store
from smsengine.store.messages import key_of
from smsengine.store.receipts import Parked
from smsengine.store.tables import LONGEST_CODE, LONGEST_GATEWAY_ID

#: For so long a receipt of which nobody knows the message is looked at again.
PARKED_FOR = timedelta(minutes=10)
_MEANS = {
    ReceiptStatus.DELIVERED: MessageState.DELIVERED,
    ReceiptStatus.UNDELIVERED: MessageState.UNDELIVERED,
    # Whatever is on its way was taken: that settles a doubt.
    ReceiptStatus.IN_TRANSIT: MessageState.ACCEPTED,
}
#: The better word first: it is never undone by one after it.
_RANK = [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED, ReceiptStatus.IN_TRANSIT]


class _Match(NamedTuple):
    """The message of a receipt, and by which of its names it was found."""

    message: int
    name: str
    is_part: bool


def store_receipts(store: Store, gateway: str, received: Sequence[Receipt], now: datetime) -> int:
    """Keep every receipt, and move the messages that they speak of.

    A receipt that matches no message is kept all the same: it may have come before the answer was
    settled. Called without any, it looks at those of the last minutes again.

    Returns:
        How many messages moved.
    """
    with store.write() as connection:
        if received:
            stored.keep(connection, [_row(gateway, receipt, now) for receipt in received])
            names = sorted({_name(receipt) for receipt in received})
            found = stored.parked(connection, gateway, names)
        else:
            found = stored.parked_since(connection, gateway, now - PARKED_FOR)
        return _settle(connection, gateway, found, now) if found else 0


def _row(gateway: str, receipt: Receipt, now: datetime) -> dict[str, object]:
    aliases = [each for each in (receipt.reference, *receipt.aliases) if each and " " not in each]
    return {
        "gateway": gateway,
        "gateway_id": _name(receipt),
        "status": receipt.status,
        "code": receipt.code[:LONGEST_CODE],
        "received_at": now,
        "aliases": " ".join(each[:LONGEST_GATEWAY_ID] for each in aliases),
        "raw": receipt.raw[:MOST_RAW],
    }


def _name(receipt: Receipt) -> str:
    return (receipt.gateway_id or receipt.reference)[:LONGEST_GATEWAY_ID]


def _settle(connection: Connection, gateway: str, found: Sequence[Parked], now: datetime) -> int:
    """Tie what can be tied, and move what follows from it."""
    matches = _matches(connection, gateway, found)
    stored.tie(connection, {each: match.message for each, match in matches.items()})
    said: dict[ReceiptStatus, set[int]] = {status: set() for status in _RANK}
    of_parts: dict[int, dict[str, ReceiptStatus]] = {}
    for each in found:
        match = matches.get(each.id)
        if match is None:
            continue
        status = ReceiptStatus(each.status)
        if match.is_part:
            heard = of_parts.setdefault(match.message, {})
            heard[match.name] = _better(heard.get(match.name), status)
        else:
            said[status].add(match.message)
    for message, status in _folded(connection, gateway, of_parts).items():
        said[status].add(message)
    return sum(
        stored.move(connection, sorted(said[status]), _MEANS[status], now=now)
        for status in _RANK
        if said[status]
    )


def _better(one: str | None, other: str) -> ReceiptStatus:
    known = [ReceiptStatus(each) for each in (one, other) if each]
    return min(known, key=_RANK.index)


def _folded(
    connection: Connection, gateway: str, heard: Mapping[int, Mapping[str, ReceiptStatus]]
) -> dict[int, ReceiptStatus]:
    """What follows for whole messages: all parts have arrived, or one never will."""
    if not heard:
        return {}
    known = stored.parts_of(connection, list(heard))
    after: dict[str, str] = {}
    folded: dict[int, ReceiptStatus] = {}
    for message, said in heard.items():
        parts = known[message] | {
            name: _better(known[message].get(name), status) for name, status in said.items()
        }
        after |= {name: str(parts[name]) for name in said}
        folded[message] = fold(parts.values())
    stored.mark_parts(connection, gateway, after)
    return folded


def fold(parts: Iterable[str | None]) -> ReceiptStatus:
    """What the parts of a message say together; one of which nothing was heard is on its way."""
    known = set(parts)
    if ReceiptStatus.UNDELIVERED in known:
        return ReceiptStatus.UNDELIVERED
    if known == {ReceiptStatus.DELIVERED}:
        return ReceiptStatus.DELIVERED
    return ReceiptStatus.IN_TRANSIT


# -- whose they are --------------------------------------------------------------------------------


def _matches(connection: Connection, gateway: str, found: Sequence[Parked]) -> dict[int, _Match]:
    """The messages of receipts, by the receipts' ids; a name of two messages names none."""
    aliases = {each.id: each.aliases.split() for each in found}
    names = sorted({name for each in found for name in (each.gateway_id, *aliases[each.id])})
    by_part = stored.by_part(connection, gateway, names)
    by_name = stored.by_name(connection, gateway, names)
    keys = {name: key for name in names if (key := key_of(name)) is not None}
    by_key = stored.by_key(connection, gateway, sorted(set(keys.values()))) if keys else {}

    def named(name: str) -> _Match | None:
        if name in by_part:
            return _Match(by_part[name], name, is_part=True)
        message = by_name.get(name)
        if message is None and name in keys:
            message = by_key.get(keys[name])
        return None if message is None else _Match(message, name, is_part=False)

    matches: dict[int, _Match] = {}
    for each in found:
        match = named(each.gateway_id) or _only(named(name) for name in aliases[each.id])
        if match is not None:
            matches[each.id] = match
    _teach_names(connection, found, matches, keys)
    return matches


def _only(candidates: Iterable[_Match | None]) -> _Match | None:
    known = {each.message: each for each in candidates if each is not None}
    return next(iter(known.values())) if len(known) == 1 else None


def _teach_names(
    connection: Connection,
    found: Sequence[Parked],
    matches: Mapping[int, _Match],
    keys: Mapping[str, tuple[bytes, int]],
) -> None:
    """A message that was found by our reference has no other name yet, if its answer was lost."""
    names = {
        matches[each.id].message: each.gateway_id
        for each in found
        if each.id in matches and matches[each.id].name in keys
    }
    stored.give_names(connection, names)
