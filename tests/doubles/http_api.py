"""The calls of the double: those of the vendor, which need the key, and those of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from tests.doubles.http_book import Message
from tests.doubles.http_faults import SEND, Fault, Rule
from tests.doubles.http_receipts import Receipts
from tests.doubles.http_vendor import LIMITS, Taken, Vendor, messages_of
from tests.doubles.http_wire import HTML, Manner, Reply, Request, answer, refusal


class Api:
    """Answers requests; nothing in it waits."""

    def __init__(self, vendor: Vendor, receipts: Receipts, key: str) -> None:
        self._vendor = vendor
        self._receipts = receipts
        self._authorization = f"Bearer {key}"
        self._calls: Mapping[tuple[str, str], Callable[[Request], Reply]] = {
            ("POST", SEND): self._send,
            ("GET", "/status"): self._status,
            ("GET", "/balance"): self._balance,
            ("GET", "/receipts"): self._fetch,
        }
        self._of_the_test: Mapping[tuple[str, str], Callable[[Request], Reply]] = {
            ("POST", "/control"): self._control,
            ("GET", "/ledger"): lambda _: _array(vendor.book.deliveries),
            ("GET", "/arrivals"): lambda _: _array(vendor.book.arrivals),
            ("GET", "/counts"): self._counts,
        }

    def __call__(self, request: Request) -> Reply:
        """Answer a request."""
        asked = (request.method, request.path)
        if asked in self._of_the_test:
            return self._of_the_test[asked](request)
        if asked not in self._calls:
            return refusal(404, "no such call")
        latency = self._vendor.settings.latency_ms / 1000
        if request.authorization != self._authorization:
            if request.path == SEND:
                self._vendor.refuse(request.body, "wrong-key")
            return replace(refusal(401, "wrong key"), delay=latency)
        reply = self._calls[asked](request)
        return replace(reply, delay=reply.delay + latency) if latency else reply

    # -- the vendor's --------------------------------------------------------------------------

    def _send(self, request: Request) -> Reply:
        found = messages_of(request.body)
        if found is None:
            self._vendor.refuse(request.body, "malformed")
            return refusal(400, "not a message and not a list of messages")
        messages, is_batch = found
        taken = self._vendor.send(messages, is_batch=is_batch)
        if taken.rule is not None and taken.rule.fault is Fault.LATE:
            loop = asyncio.get_running_loop()
            loop.call_later(taken.rule.lasts(), self._take_late, messages)
        early = self._receipts.after(taken.deliveries, taken.twice)
        before = self._receipts.push(early) if early else None
        return replace(_answered(taken, is_batch), before=before)

    def _take_late(self, messages: Sequence[Message]) -> None:
        taken = self._vendor.take_late(messages)
        self._receipts.after(taken.deliveries, taken.twice)

    def _status(self, request: Request) -> Reply:
        refs = request.query.get("ref", [])
        results = [self._vendor.status(ref) for ref in refs]
        return _spoiled(answer({"results": results}), self._vendor.fault_of("/status", refs))

    def _balance(self, request: Request) -> Reply:
        found = {"amount": self._vendor.amount(), "currency": "VND"}
        return _spoiled(answer(found), self._vendor.fault_of("/balance"))

    def _fetch(self, request: Request) -> Reply:
        asked = request.query.get("after", ["0"])[0]
        if not asked.isdigit():
            return refusal(400, "after is the number of a receipt")
        found = self._receipts.fetch(int(asked))
        last = int(asked) + len(found)
        body = b'{"receipts":' + _array(found).body + b',"last":%d}' % last
        return _spoiled(Reply(body=body), self._vendor.fault_of("/receipts"))

    # -- the test's ----------------------------------------------------------------------------

    def _control(self, request: Request) -> Reply:
        try:
            changes = json.loads(request.body)
            self._vendor.change(changes)
        except (ValueError, TypeError, AttributeError) as error:
            return refusal(400, str(error))
        return answer(self._vendor.settings.asdict())

    def _counts(self, request: Request) -> Reply:
        book = self._vendor.book
        counts: dict[str, Any] = {
            "delivered": len(book.deliveries),
            "refs": len(book.latest),
            "repeated": len(book.repeated),
            "arrivals": len(book.arrivals),
            "done": book.done,
            "statuses": book.statuses,
            "receipts": len(book.receipts),
            "pushed": self._receipts.pushed,
            "left": self._vendor.amount(),
        }
        return answer(counts)


def _array(lines: Sequence[bytes]) -> Reply:
    """Lines of JSON as one array."""
    return Reply(body=b"[" + b",".join(lines) + b"]")


def _answered(taken: Taken, is_batch: bool) -> Reply:
    """What a send is answered with."""
    if taken.done in LIMITS:
        return _throttled(1)
    if is_batch:
        reply = answer({"results": taken.results})
    else:
        reply = answer(taken.results[0] if taken.results else {})
    return _spoiled(reply, taken.rule)


def _throttled(seconds: float) -> Reply:
    headers = (("Retry-After", str(ceil(seconds))),)
    return replace(refusal(429, "too many requests"), headers=headers)


def _closed(reply: Reply, _: Rule) -> Reply:
    return replace(reply, manner=Manner.NONE)


def _web_page(_: Reply, __: Rule) -> Reply:
    return Reply(body=HTML, content_type="text/html")


def _internal_error(_: Reply, __: Rule) -> Reply:
    return refusal(500, "internal error")


_SPOILING: Mapping[Fault, Callable[[Reply, Rule], Reply]] = {
    Fault.ACCEPT_THEN_DROP: _closed,
    Fault.ACCEPT_THEN_STALL: lambda reply, rule: replace(reply, delay=rule.lasts()),
    Fault.DROP: _closed,
    Fault.LATE: _closed,
    Fault.STALL: lambda reply, rule: replace(_closed(reply, rule), delay=rule.lasts()),
    Fault.ERROR: _internal_error,
    Fault.ERROR_AFTER_ACCEPT: _internal_error,
    Fault.UNAVAILABLE: lambda _, __: refusal(503, "out of service"),
    Fault.HTML: _web_page,
    Fault.HTML_NOT_DELIVERED: _web_page,
    Fault.HALF_ANSWER: lambda reply, _: replace(reply, manner=Manner.HALF),
    Fault.SLOW_DRIP: lambda reply, rule: replace(reply, manner=Manner.DRIP, pause=rule.lasts()),
    Fault.THROTTLE: lambda _, rule: _throttled(rule.lasts()),
    Fault.PARTIAL_DROP: _closed,
}


def _spoiled(reply: Reply, rule: Rule | None) -> Reply:
    """An answer as a fault leaves it; what is not in the table shows in the results."""
    if rule is None or rule.fault not in _SPOILING:
        return reply
    return _SPOILING[rule.fault](reply, rule)
