"""A server of raw sockets that does to each request what a test says, and keeps what it read."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: No test waits longer than this for a thread of its own.
PATIENCE = 20


class Visit:
    """One connection, as the server sees it."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self.sock = sock
        self.server = server
        self._unread = b""

    def read(self) -> bytes | None:
        """One whole request, which the server notes down; None when the client has gone."""
        while (size := _size(self._unread)) is None or len(self._unread) < size:
            try:
                block = self.sock.recv(65536)
            except OSError:
                block = b""
            if not block:
                return None
            self._unread += block
        request, self._unread = self._unread[:size], self._unread[size:]
        self.server.note(request)
        return request

    def write(self, answer: bytes) -> None:
        self.sock.sendall(answer)

    def reset(self) -> None:
        """Close so that the client sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


#: What is done on one connection.
Manner = Callable[[Visit], None]


def _size(read: bytes) -> int | None:
    """Bytes of the request that begins there; None while its head is not whole."""
    end = read.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = re.search(rb"content-length: *([0-9]+)", read[:end].lower())
    return end + 4 + (int(length[1]) if length else 0)


def answering(*answers: bytes) -> Manner:
    """Answer one request after the other, the last answer again and again."""

    def serve(visit: Visit) -> None:
        left = list(answers)
        while visit.read() is not None:
            visit.write(left.pop(0) if len(left) > 1 else left[0])

    return serve


def answering_once(answer: bytes = OK) -> Manner:
    """Answer one request, and close."""

    def serve(visit: Visit) -> None:
        if visit.read() is not None:
            visit.write(answer)

    return serve


def silent(visit: Visit) -> None:
    """Read, and close without an answer."""
    visit.read()


def deaf(visit: Visit) -> None:
    """Keep the connection open and read nothing."""
    visit.server.over.wait(PATIENCE)


def no_tls(visit: Visit) -> None:
    """Answer whatever comes first as a server of plain HTTP does."""
    visit.sock.recv(65536)
    visit.write(b"HTTP/1.1 400 Bad\r\n\r\n")


class RawServer:
    """Listens; the first connection is served in the first manner, those after the last in it."""

    def __init__(self, *manners: Manner) -> None:
        self._manners = manners or (answering(OK),)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        self._visits: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.requests: list[bytes] = []
        self.connections = 0
        #: set when the test is over
        self.over = threading.Event()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def note(self, request: bytes) -> None:
        with self._lock:
            self.requests.append(request)

    @property
    def bodies(self) -> Sequence[bytes]:
        """The bodies of the requests that arrived whole."""
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            manner = self._manners[min(self.connections, len(self._manners) - 1)]
            self.connections += 1
            self._visits.append(sock)
            self._start(lambda sock=sock, manner=manner: self._serve(sock, manner))  # type: ignore[misc]

    def _serve(self, sock: socket.socket, manner: Manner) -> None:
        # The client may have gone, as many of these tests want it.
        with sock, suppress(OSError):
            manner(Visit(sock, self))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._visits:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
