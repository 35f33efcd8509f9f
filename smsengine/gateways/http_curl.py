"""The HTTP client over libcurl: the same contract as ``http_client.py`` for a fraction of the CPU.

The connections are dealt out in bundles; each bundle is driven by the thread that uses it, so that
whoever waits for clearance holds up the answers of his own few requests only.
"""

from __future__ import annotations

import queue
import select
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import pycurl

from smsengine.gateways.http_curl_exchange import Exchange
from smsengine.gateways.http_exchange import Reply, Request, always, nothing
from smsengine.gateways.http_trust import trusted_pem

#: How exact a time-out is, as a share of it, and at most in seconds.
_LATE_SHARE, _LATE_SECONDS = 0.1, 0.1
#: Threads at one time. More of them cost turns, fewer of them wait for a slow vendor.
_MOST_BUNDLES = 40
_READS = select.EPOLLIN | select.EPOLLHUP
#: What libcurl wants to know of a socket, and how epoll calls it.
_WANTED = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


def shares(connections: int) -> tuple[int, int]:
    """How many threads share so many connections, and how many each has at most."""
    bundles = min(connections, _MOST_BUNDLES)
    return bundles, -(-connections // bundles)


class CurlClient:
    """Posts requests; several threads may share it."""

    def __init__(
        self, *, connections: int, connect_seconds: float = 5.0, read_seconds: float = 30.0
    ) -> None:
        """Open nothing yet.

        Args:
            connections: connections, and with them exchanges, at one time.
            connect_seconds: for the connection and TLS, and again for writing the request.
            read_seconds: from the first byte of a request to the last byte of its answer.
        """
        self._trust = cache(_trust_file)
        count, self._size = shares(connections)
        self._free = queue.LifoQueue[_Bundle]()  # the last one used is the least likely to be stale
        sizes = [connections // count + (number < connections % count) for number in range(count)]
        self._all = [
            _Bundle(size, lambda: self._trust().name, connect_seconds, read_seconds)
            for size in sizes
        ]
        for each in self._all:
            self._free.put(each)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="http")

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
        work = _Work(requests, before, after)
        helpers = min(-(-len(requests) // self._size), len(self._all)) - 1
        helping = [self._threads.submit(self._drive, work) for _ in range(helpers)]
        if requests:
            self._drive(work)
        for each in helping:
            each.result()
        return [work.replies[place] for place in range(len(requests))]

    def post(self, request: Request) -> Reply:
        """Make one exchange on the caller's thread."""
        return self.post_many([request])[0]

    def _drive(self, work: _Work) -> None:
        if work.is_dealt_out:
            return
        bundle = self._free.get()
        try:
            bundle.drive(work)
        finally:
            self._free.put(bundle)

    def close(self) -> None:
        """Wait for what is on its way, and let go of all connections."""
        self._threads.shutdown()
        for _ in range(len(self._all)):
            self._free.get().close()
        self._all = []
        if self._trust.cache_info().currsize:
            self._trust().close()


def _trust_file() -> tempfile._TemporaryFileWrapper[bytes]:
    """A file: what libcurl has read of one it keeps for all its connections, unlike a folder."""
    file = tempfile.NamedTemporaryFile(prefix="smsengine-trust-", suffix=".pem")  # noqa: SIM115
    Path(file.name).write_text(trusted_pem(), encoding="ascii")
    return file


class _Work:
    """The requests of one call, dealt out to the bundles that carry them."""

    def __init__(
        self,
        requests: Sequence[Request],
        before: Callable[[int], bool],
        after: Callable[[int, Reply], None],
    ) -> None:
        self.requests, self.before, self._after = requests, before, after
        self.replies: dict[int, Reply] = {}
        self._lock = threading.Lock()
        self._next = 0

    @property
    def is_dealt_out(self) -> bool:
        return self._next >= len(self.requests)

    def take(self) -> int | None:
        """The place of the next request; None when there is none left."""
        with self._lock:
            if self.is_dealt_out:
                return None
            self._next += 1
            return self._next - 1

    def done(self, place: int, reply: Reply) -> None:
        self.replies[place] = reply
        self._after(place, reply)


class _Bundle:
    """A few connections that one thread drives at a time."""

    def __init__(
        self, size: int, trust: Callable[[], str], connect_seconds: float, read_seconds: float
    ) -> None:
        self._sockets: dict[int, int] = {}
        self._idle = [
            Exchange(self._sockets, trust, connect_seconds, read_seconds) for _ in range(size)
        ]
        self._all = list(self._idle)
        self._active: dict[pycurl.Curl, Exchange] = {}
        self._due: float | None = None
        self._look_after = min(_LATE_SHARE * min(connect_seconds, read_seconds), _LATE_SECONDS)
        self._look_at = 0.0
        self._epoll = select.epoll()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, 0)
        self._multi.setopt(pycurl.M_MAXCONNECTS, size)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def drive(self, work: _Work) -> None:
        """Carry requests until none is left."""
        try:
            while True:
                self._take_up(work)
                if not self._active:
                    return
                looked_at = self._advance()
                self._collect(work)
                self._give_up_late_ones(work, looked_at)
        finally:
            for exchange in list(self._active.values()):
                self._let_go(exchange)

    def _take_up(self, work: _Work) -> None:
        while self._idle and (place := work.take()) is not None:
            exchange = self._idle.pop()
            try:
                exchange.begin(place, work.requests[place], work.before)
                self._add(exchange)
            except Exception:  # noqa: BLE001 - what cannot be built cannot be written
                self._idle.append(exchange)
                work.done(place, exchange.unwritten())

    def _add(self, exchange: Exchange) -> None:
        self._multi.add_handle(exchange.easy)
        self._active[exchange.easy] = exchange

    def _advance(self) -> float:
        """Wait until something can go on, and let it; when we began to look."""
        looked_at = time.monotonic()
        if not (events := self._epoll.poll(0)):
            until = self._look_at if self._due is None else min(self._due, self._look_at)
            events = self._epoll.poll(max(until - looked_at, 0))
            looked_at = looked_at if events else time.monotonic()
        for fd, event in events:
            mask = pycurl.CSELECT_IN if event & _READS else 0
            mask |= pycurl.CSELECT_OUT if event & select.EPOLLOUT else 0
            mask |= pycurl.CSELECT_ERR if event & select.EPOLLERR else 0
            self._multi.socket_action(fd, mask)
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return looked_at

    def _collect(self, work: _Work) -> None:
        """Note down what has ended."""
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for easy, code in [(each, 0) for each in good] + [(each, why) for each, why, _ in bad]:
                exchange = self._active[easy]
                if exchange.is_stale:
                    self._multi.remove_handle(easy)
                    exchange.begin_anew()
                    self._add(exchange)
                else:
                    self._end(work, exchange, code)

    def _give_up_late_ones(self, work: _Work, looked_at: float) -> None:
        """What had come by then was read since, however long somebody waited for his turn."""
        if looked_at < self._look_at:
            return
        self._look_at = looked_at + self._look_after
        for exchange in list(self._active.values()):
            if exchange.is_late(looked_at):
                self._end(work, exchange, pycurl.E_OPERATION_TIMEDOUT)

    def _end(self, work: _Work, exchange: Exchange, code: int) -> None:
        reply = exchange.reply(code)
        self._let_go(exchange)
        work.done(exchange.place, reply)

    def _let_go(self, exchange: Exchange) -> None:
        """A connection whose exchange is not over is closed by that."""
        self._multi.remove_handle(exchange.easy)
        del self._active[exchange.easy]
        self._idle.append(exchange)

    # -- what libcurl calls ----------------------------------------------------------------------

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            with suppress(OSError):  # it may be closed already
                self._epoll.unregister(fd)
            return
        try:
            self._epoll.register(fd, _WANTED[what])
        except FileExistsError:
            self._epoll.modify(fd, _WANTED[what])

    def _set_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def close(self) -> None:
        """The handles outlive what they are called by."""
        self._multi.close()
        for each in self._all:
            each.easy.close()
        self._epoll.close()
