"""A small HTTP server for whoever asks the daemon something: one thread, many connections.

HTTP itself is h11's. What stands here is patience, and its end: a request comes whole within
seconds and is no longer than it may be; where there are too many connections, the one that has
kept silent for longest makes room, so that whoever opens a thousand keeps nobody out.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

import h11

#: Bytes of a request line with its headers, and of a body.
MOST_HEAD = 16 * 1024
MOST_BODY = 64 * 1024
#: Connections at once.
MOST_LINES = 256
#: Connections that the kernel holds until they are taken; one that finds no place comes again a
#: second later.
_BACKLOG = 1024
#: A request comes whole within this time, an answer is found and read within that.
_READ_SECONDS = 10.0
_ANSWER_SECONDS = 40.0
_SWEEP_SECONDS = 1.0


class Question(NamedTuple):
    """A request as it came; names of ``headers`` are in small letters, ``peer`` is an IP."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    peer: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Answer(NamedTuple):
    """What is said to one question."""

    status: HTTPStatus
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Reply = Callable[[Answer], None]
#: Told a question and how to answer it, once, now or later, on any thread.
Ask = Callable[[Question, Reply], None]


class Server:
    """Answers on a thread of its own from ``start`` to ``close``."""

    def __init__(
        self,
        host: str,
        port: int,
        ask: Ask,
        *,
        rubbish: Callable[[], None] = lambda: None,
        most_lines: int = MOST_LINES,
    ) -> None:
        """Take the port.

        Args:
            host: a name or an address of this machine.
            port: 0 for any free one.
            ask: called on the server's thread; it must not wait.
            rubbish: told of each request that is no HTTP, too long or too slow.
            most_lines: connections at once.

        Raises:
            OSError: it cannot be taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        self.port: int = self._socket.getsockname()[1]
        self.ask, self.rubbish = ask, rubbish
        self._most = most_lines
        self.lines: dict[_Line, None] = {}
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self.thread.start()

    def close(self) -> None:
        """Answer no more, and give the port back."""
        if self.thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self.thread.join()
        elif not self._loop.is_closed():
            self._loop.close()
        self._socket.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_server(
            lambda: _Line(self, self._loop), sock=self._socket, backlog=_BACKLOG
        )
        try:
            while not self._closing.is_set():
                self._sweep()
                try:
                    await asyncio.wait_for(self._closing.wait(), _SWEEP_SECONDS)
                except TimeoutError:
                    continue
        finally:
            server.close()
            for line in [*self.lines]:
                line.cut()

    def _sweep(self) -> None:
        """Cut whoever is too slow."""
        now = self._loop.time()
        for line in [each for each in self.lines if each.deadline < now]:
            if not line.answering:
                self.rubbish()
            line.cut()

    def make_room(self) -> None:
        """Cut the connection that has waited for longest for its next request to come whole."""
        if len(self.lines) < self._most:
            return
        silent = [line for line in self.lines if not line.answering] or [*self.lines]
        min(silent, key=lambda line: line.deadline).cut()


class _Line(asyncio.Protocol):
    """One connection; requests are answered one after the other."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._loop = server, loop
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self.answering = False
        self.deadline = loop.time() + _READ_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._server.make_room()
        self._server.lines[self] = None

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.lines.pop(self, None)

    def cut(self) -> None:
        """End the connection at once."""
        self._server.lines.pop(self, None)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._go_on()

    def eof_received(self) -> bool:
        self._http.receive_data(b"")
        self._go_on()
        return self.answering

    def _go_on(self) -> None:
        """Read on until a request is whole."""
        while not self.answering:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(HTTPStatus(error.error_status_hint), "It is no request.")
                return
            if event is h11.NEED_DATA or event is h11.PAUSED:
                self._go_ahead()
                return
            self._take(event)

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._request, self._body = event, bytearray()
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > MOST_BODY:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "It is too long.")
        elif isinstance(event, h11.EndOfMessage):
            self._ask()
        elif isinstance(event, h11.ConnectionClosed):
            self.answering = True  # nothing more is read
            self._transport.close()

    def _go_ahead(self) -> None:
        """Some clients wait for our word before they send a body."""
        if self._http.they_are_waiting_for_100_continue:
            said = h11.InformationalResponse(status_code=100, headers=[])
            self._transport.write(self._http.send(said) or b"")

    def _ask(self) -> None:
        request = self._request
        assert request is not None
        self.answering = True
        self.deadline = self._loop.time() + _ANSWER_SECONDS
        self._transport.pause_reading()
        question = Question(
            request.method.decode("ascii"),
            request.target.decode("ascii", "replace"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers},
            bytes(self._body),
            self._peer,
        )
        try:
            self._server.ask(question, self._reply_from_anywhere)
        except Exception:  # noqa: BLE001 - one question must not end the others
            self._reply(Answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"", "text/plain"))

    def _refuse(self, status: HTTPStatus, because: str) -> None:
        """Answer what is no whole request, and end the connection."""
        self.answering = True
        self._server.rubbish()
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._write(Answer(status, f"{because}\n".encode(), "text/plain"), [_CLOSE])
        self._transport.close()

    def _reply_from_anywhere(self, answer: Answer) -> None:
        if threading.current_thread() is self._server.thread:
            self._reply(answer)
            return
        try:
            self._loop.call_soon_threadsafe(self._reply, answer)
        except RuntimeError:  # the server has ended
            return

    def _reply(self, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        self._write(answer, [])
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._transport.close()
            return
        self._http.start_next_cycle()
        self.answering = False
        self.deadline = self._loop.time() + _READ_SECONDS
        self._transport.resume_reading()
        # A request that came together with the last one is waiting already.
        self._loop.call_soon(self._go_on)

    def _write(self, answer: Answer, more: list[tuple[str, str]]) -> None:
        headers = [
            ("Content-Type", answer.kind),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *answer.headers,
            *more,
        ]
        said = self._http.send(
            h11.Response(
                status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()
            )
        )
        is_head = self._request is not None and self._request.method == b"HEAD"
        body = b"" if is_head else self._http.send(h11.Data(data=answer.body))
        end = self._http.send(h11.EndOfMessage())
        self._transport.write((said or b"") + (body or b"") + (end or b""))


_CLOSE = ("Connection", "close")
