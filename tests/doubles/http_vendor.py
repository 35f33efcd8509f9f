"""The vendor behind the double: what it delivers, what it refuses, what it says later.

Everything about a send is decided and delivered in one step when its last byte has been read,
whatever the answer is and whenever it comes. So what a status query calls unknown is not delivered
later by a send that was read before it, unless it is asked for with the fault ``late``.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.doubles.http_book import Book, Delivery, Message
from tests.doubles.http_faults import OF_A_BATCH, SEND, STATUS_OF, UNDELIVERING, Fault, Menu, Rule
from tests.doubles.http_settings import Settings

ACCEPTED = "0"
THROTTLE_EVERY = "throttle-every"
PER_SECOND = "per-second"
#: What is done by a limit of the vendor and not by a fault.
LIMITS = (THROTTLE_EVERY, PER_SECOND)
_SPARES_SOME = (Fault.PARTIAL_DROP, Fault.MISSING_RESULTS_NOT_DELIVERED)
_VIETNAM = timezone(timedelta(hours=7))
_NUMBER = re.compile(r"84[0-9]{8,10}")
#: What the balance says when nothing limits it.
_PLENTY = 999_999_999
_SAYS = {
    "0": "accepted",
    "13": "bad number",
    "21": "try again later",
    "99": "not at this hour",
    "103": "balance is used up",
    "104": "sender is not registered",
    "124": "reference is known",
    "146": "content is refused",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a send."""

    #: what was done: ``answered``, the name of a fault, or of a limit
    done: str
    results: Sequence[Mapping[str, str]] = ()
    deliveries: Sequence[Delivery] = ()
    #: deliveries whose receipts come twice
    twice: frozenset[str] = frozenset()
    #: the fault of the whole request
    rule: Rule | None = None


def messages_of(body: bytes) -> tuple[list[Message], bool] | None:
    """Read a send; whether it is a batch comes with it. None when it is no send at all."""
    try:
        given = json.loads(body)
        is_batch = "messages" in given
        found = [
            Message(each["to"], each["text"], each["ref"])
            for each in (given["messages"] if is_batch else [given])
        ]
    except (ValueError, TypeError, KeyError):
        return None
    if not found or not all(isinstance(part, str) for each in found for part in each):
        return None
    return found, is_batch


class Vendor:
    """Takes messages, one send after the other."""

    def __init__(self, book: Book, seed: int) -> None:
        self.book = book
        self.settings = Settings()
        self.seed = seed
        self._menu = Menu({}, seed)
        self._sends = 0
        self._admitted: deque[float] = deque()
        self._left: int | None = None
        self._asked: Counter[tuple[str, ...]] = Counter()
        for deliveries, changes in book.changes:
            self._apply(changes, since=len(book.deliveries) - deliveries)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings; from the next request on they are in force.

        Raises:
            ValueError: one sentence with what is wrong in the changes.
        """
        self._apply(changes)
        self.book.change(changes)

    def _apply(self, changes: Mapping[str, Any], since: int = 0) -> None:
        self.settings = self.settings.changed(changes)
        if "faults" in changes:
            self._menu = Menu(self.settings.faults, self.seed)
            self._asked.clear()
        if "throttle_every" in changes:
            self._sends = 0
        if "per_second" in changes:
            self._admitted.clear()
        if "balance" in changes:
            balance = self.settings.balance
            self._left = None if balance is None else max(0, balance - since)

    def amount(self) -> int:
        """What is left, in messages."""
        return _PLENTY if self._left is None else self._left

    def fault_of(self, path: str, refs: Sequence[str] = ()) -> Rule | None:
        """The fault of a call that hands nothing over."""
        asked = (path, *refs[:1])
        self._asked[asked] += 1
        return self._menu.for_request(path, refs, attempt=self._asked[asked])

    def refuse(self, body: bytes, done: str) -> None:
        """Note a send that did not get as far as being looked at."""
        found = messages_of(body)
        refs = [] if found is None else [message.ref for message in found[0]]
        self.book.arrive(refs, at=time.time(), done=done, statuses=())

    def send(self, messages: Sequence[Message], *, is_batch: bool) -> Taken:
        """Take a send; it is in the ledger when this returns."""
        now = time.time()
        refs = [message.ref for message in messages]
        self._sends += 1
        if self.settings.throttle_every and not self._sends % self.settings.throttle_every:
            taken = Taken(done=THROTTLE_EVERY)
        elif not self._is_admitted(len(messages)):
            taken = Taken(done=PER_SECOND)
        else:
            attempt = self.book.attempts[refs[0]] + 1
            rule = self._menu.for_request(SEND, refs, attempt=attempt, is_batch=is_batch)
            if rule is not None and rule.fault in UNDELIVERING:
                taken = Taken(done=rule.fault, rule=rule)
            else:
                taken = self._take(messages, rule, now)
        statuses = [result["status"] for result in taken.results]
        self.book.arrive(refs, at=now, done=taken.done, statuses=statuses)
        return replace(taken, results=_shown(taken.results, taken.rule))

    def take_late(self, messages: Sequence[Message]) -> Taken:
        """Take what was read a while ago, and had not been looked at."""
        return self._take(messages, None, time.time())

    def _is_admitted(self, count: int) -> bool:
        """Whether so many messages more are still within any second that ends now."""
        if not self.settings.per_second:
            return True
        now = time.monotonic()
        while self._admitted and self._admitted[0] <= now - 1:
            self._admitted.popleft()
        if len(self._admitted) + count > self.settings.per_second:
            return False
        self._admitted.extend([now] * count)
        return True

    def _take(self, messages: Sequence[Message], rule: Rule | None, now: float) -> Taken:
        spared = messages
        if rule is not None and rule.fault in _SPARES_SOME:
            spared = messages[: rule.kept(len(messages))]
        results: list[dict[str, str]] = []
        deliveries: list[Delivery] = []
        twice: set[str] = set()
        for message in spared:
            status, of_message = self._judge(message, now)
            result = {"status": status, "id": "", "ref": message.ref}
            if status == ACCEPTED:
                deliveries.append(self.book.deliver(message, now))
                result["id"] = deliveries[-1].id
                if self._left is not None:
                    self._left -= 1
                if of_message is not None:
                    twice.add(result["id"])
            else:
                result["message"] = _SAYS[status]
                if of_message is not None and status == STATUS_OF[Fault.DEFER]:
                    result["not_before"] = _not_before(of_message)
            results.append(result)
        return Taken(
            done="answered" if rule is None else rule.fault,
            results=results,
            deliveries=deliveries,
            twice=frozenset(twice),
            rule=rule,
        )

    def _judge(self, message: Message, now: float) -> tuple[str, Rule | None]:
        """The status of a message, and the fault that it comes from or goes with."""
        if not _NUMBER.fullmatch(message.to):
            return "13", None
        if not message.text:
            return "146", None
        known = self.book.latest.get(message.ref)
        if known is not None and now - known.at < self.settings.dedup_seconds:
            return "124", None
        rule = self._menu.for_message(message.ref, self.book.attempts[message.ref] + 1)
        if rule is not None and STATUS_OF[rule.fault] != ACCEPTED:
            return STATUS_OF[rule.fault], rule
        if self._left == 0:
            return "103", None
        return ACCEPTED, rule

    def status(self, ref: str) -> dict[str, str]:
        """What became of a reference; its last delivery when there are several."""
        known = self.book.latest.get(ref)
        if known is None:
            return {"ref": ref, "status": "404"}
        state = self.book.finals.get(known.id, "accepted")
        return {"ref": ref, "status": ACCEPTED, "id": known.id, "state": state}


def _shown(results: Sequence[Mapping[str, str]], rule: Rule | None) -> Sequence[Mapping[str, str]]:
    """The results that an answer has."""
    if rule is None or rule.fault not in OF_A_BATCH:
        return results
    if rule.fault is Fault.REVERSED_RESULTS:
        return results[::-1]
    return results[: rule.kept(len(results))] if rule.fault is Fault.MISSING_RESULTS else results


def _not_before(rule: Rule) -> str:
    """When a deferred message may come again."""
    if rule.not_before is not None:
        return rule.not_before
    return (datetime.now(_VIETNAM) + timedelta(seconds=rule.lasts())).isoformat(timespec="seconds")
