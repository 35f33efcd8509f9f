"""The one HTTP client: many exchanges at once over a bounded number of kept connections."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from smsengine.gateways.http_exchange import Reply, Request, always, nothing
from smsengine.gateways.http_line import Line
from smsengine.gateways.http_trust import trusting


class HttpClient:
    """Posts requests; several threads may share it."""

    def __init__(
        self, *, connections: int, connect_seconds: float = 5.0, read_seconds: float = 30.0
    ) -> None:
        """Open nothing yet.

        Args:
            connections: connections, and with them exchanges, at one time.
            connect_seconds: for the connection and TLS, and again for writing the request.
            read_seconds: from the last byte of a request to the last byte of its answer.
        """
        # At that level urllib3 logs each whole URL, which may hold key, number and text.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        tls = cache(trusting)
        self._lines = queue.LifoQueue[Line]()  # the last one used is the least likely to be stale
        self._all = [Line(tls, connect_seconds, read_seconds) for _ in range(connections)]
        for line in self._all:
            self._lines.put(line)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="http")

    def post_many(
        self,
        requests: Sequence[Request],
        before: Callable[[int], bool] = always,
        after: Callable[[int, Reply], None] = nothing,
    ) -> list[Reply]:
        """Make exchanges at once, each at most once, whatever becomes of it.

        Args:
            requests: what is written.
            before: asked once with the place of a request right before its first byte leaves, if a
                connection is there; where it says False, or raises, nothing is written. Several
                threads ask at once.
            after: told the place of a request and its reply, as soon as it is there.

        Returns:
            One reply for each request, in the same order; it never raises for one of them.
        """

        def one(index: int) -> Reply:
            reply = self._exchange(requests[index], lambda: before(index))
            after(index, reply)
            return reply

        if len(requests) == 1:
            return [one(0)]
        return list(self._threads.map(one, range(len(requests))))

    def post(self, request: Request) -> Reply:
        """Make one exchange on the caller's thread."""
        return self._exchange(request, lambda: True)

    def _exchange(self, request: Request, before: Callable[[], bool]) -> Reply:
        line = self._lines.get()
        try:
            return line.exchange(request, before)
        finally:
            self._lines.put(line)

    def close(self) -> None:
        """Wait for what is on its way, and let go of all connections."""
        self._threads.shutdown()
        for line in self._all:
            line.close()
