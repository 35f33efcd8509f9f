"""What the vendor says later: which receipts a delivery gets, when, and how they are pushed.

Receipts are made from deliveries only; ``unknown-id`` adds some for messages that never were. A
receipt can be fetched from the moment it has its number, and is pushed after that; an early one is
pushed before the send is answered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.http_book import Book, Delivery
from tests.doubles.http_settings import ReceiptMode, Settings
from tests.doubles.http_wire import watched

#: How long the first of two waits for the second when they are to come in the wrong order.
_LONGEST_WAIT = 0.2
_BEHIND_THE_ANSWER = 0.001
_CODES = {"delivered": "000", "undelivered": "027", "in-transit": ""}

Receipt = dict[str, Any]


def planned(delivery: Delivery, settings: Settings, seed: int, *, is_twice: bool) -> list[Receipt]:
    """The receipts of a delivery, in the order in which they come."""

    def receipt(state: str) -> Receipt:
        return {"id": delivery.id, "ref": delivery.ref, "state": state, "code": _CODES[state]}

    mode = settings.receipts
    if mode == ReceiptMode.NEVER:
        return []
    share = Random(f"{seed}:undelivered:{delivery.ref}").random()
    states = ["undelivered" if share < settings.undelivered else "delivered"]
    if mode == ReceiptMode.CONTRADICTORY:
        states = ["delivered", "undelivered"]
    if settings.in_transit or mode == ReceiptMode.REORDERED:
        states.insert(0, "in-transit")
    if mode == ReceiptMode.REORDERED:
        states.reverse()
    made = [receipt(state) for state in states]
    if is_twice or mode == ReceiptMode.TWICE:
        made = [each for each in made for _ in range(2)]
    if mode == ReceiptMode.UNKNOWN_ID:
        made += [each | {"id": f"X-{delivery.n}", "ref": f"never-{delivery.n}"} for each in made]
    return made


class Receipts:
    """Makes receipts when they are due."""

    def __init__(self, book: Book, settings: Callable[[], Settings], seed: int) -> None:
        self._book = book
        self._settings = settings
        self._seed = seed
        self._held: list[Receipt] = []
        self._to_push: asyncio.Queue[bytes] = asyncio.Queue()
        self._pushing: asyncio.Task[None] | None = None
        self.pushed = 0

    def start(self) -> None:
        """Begin to push, and make the receipts that an earlier process left undone."""
        self._pushing = watched(self._push_all())
        for line in self.after(self._book.unreported()):
            self._to_push.put_nowait(line)

    async def stop(self) -> None:
        """Push no more."""
        assert self._pushing is not None
        self._pushing.cancel()
        await asyncio.gather(self._pushing, return_exceptions=True)

    def after(
        self, deliveries: Sequence[Delivery], twice: Iterable[str] = frozenset()
    ) -> Sequence[bytes]:
        """Make the receipts of deliveries, now or when they are due.

        Returns:
            Those that have to be pushed before the send is answered.
        """
        settings = self._settings()
        made = [
            planned(each, settings, self._seed, is_twice=each.id in twice) for each in deliveries
        ]
        if not any(made):
            return ()
        if settings.receipts == ReceiptMode.EARLY:
            return self._book.report([each for group in made for each in group])
        delay = (settings.latency_ms + settings.receipt_delay_ms) / 1000
        loop = asyncio.get_running_loop()
        if delay:
            loop.call_later(delay + _BEHIND_THE_ANSWER, self._make, made, settings)
        else:
            loop.call_soon(self._make, made, settings)
        return ()

    def fetch(self, after: int) -> Sequence[bytes]:
        """Receipts behind a number, from the first to the last."""
        return self._book.receipts[after : after + self._settings().receipts_at_once]

    async def push(self, receipts: Sequence[bytes]) -> None:
        """Push receipts, one after the other."""
        for each in receipts:
            await self._push(each)

    def _make(self, groups: list[list[Receipt]], settings: Settings) -> None:
        for group in groups:
            if settings.receipts == ReceiptMode.REORDERED and not self._held:
                self._held = group
                asyncio.get_running_loop().call_later(_LONGEST_WAIT, self._release, group)
            else:
                self._report(group)
                self._release(self._held)

    def _release(self, held: list[Receipt]) -> None:
        """Let receipts go that waited; nothing happens when they have gone."""
        if held and held is self._held:
            self._held = []
            self._report(held)

    def _report(self, group: Sequence[Receipt]) -> None:
        for line in self._book.report(group):
            self._to_push.put_nowait(line)

    async def _push_all(self) -> None:
        while True:
            await self._push(await self._to_push.get())

    async def _push(self, receipt: bytes) -> None:
        for attempt in range(self._settings().callback_tries):
            settings = self._settings()
            if not settings.callback_url:
                return
            if attempt:
                await asyncio.sleep(settings.callback_pause_ms / 1000)
            if await _is_taken(settings, receipt):
                self.pushed += 1
                return


async def _is_taken(settings: Settings, receipt: bytes) -> bool:
    """Post a receipt on a connection of its own; it is taken when the answer is 2xx."""
    url = urlsplit(settings.callback_url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {url.netloc}\r\nX-Token: {settings.callback_token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(receipt)}\r\n"
        "Connection: close\r\n\r\n"
    )
    try:
        async with asyncio.timeout(settings.callback_timeout_ms / 1000):
            reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
            try:
                writer.write(head.encode("ascii") + receipt)
                return re.match(rb"HTTP/1.[01] 2", await reader.readline()) is not None
            finally:
                writer.close()
    except (OSError, ValueError):
        return False
