"""One keep-alive connection, which knows how far the request on it has come.

``requests`` and urllib3 do the HTTP. They are told apart from our promise at three points: a
request leaves in one piece, so that it is known when its last byte was handed to the kernel; an
error while writing is never swallowed; and an answer has one deadline, however slowly it drips.
Nothing is repeated and no redirect is followed: either could hand a message over twice.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from smsengine.gateways.http_exchange import Phase, Reply, Request, trouble_of

#: Bytes of an answer that are read; what is longer is no answer of a gateway.
MOST_BODY = 1024 * 1024
_HOSTS = 4  # hosts that one gateway may have: sending, asking, receipts, balance


class _HeldBackError(Exception):
    """There was no clearance."""


class _NotWrittenError(Exception):
    """Writing failed. No OSError: urllib3 swallows a broken pipe and goes on to read."""


class Line(HTTPAdapter):
    """Carries one exchange at a time.

    It is the part of a ``requests.Session`` that sends: a session would also keep cookies, look for
    proxies, and read the whole body of a redirect.
    """

    def __init__(
        self, tls: Callable[[], ssl.SSLContext], connect_seconds: float, read_seconds: float
    ) -> None:
        self._tls = tls
        self._timeout = (connect_seconds, read_seconds)
        self._before: Callable[[], bool] = bool
        self._cleared: bool | None = None
        self._written = False
        self._started = 0.0
        self._deadline = 0.0
        super().__init__(pool_connections=_HOSTS, pool_maxsize=1, max_retries=0)

    def exchange(self, request: Request, before: Callable[[], bool]) -> Reply:
        """Write a request and read its answer; it never raises.

        Args:
            request: what is written, once.
            before: asked once, right before the first byte leaves on an open connection, or when
                it is known that none can be opened.
        """
        self._before, self._cleared, self._written = before, None, False
        self._started = time.perf_counter()
        try:
            answer = self.send(_prepared(request), stream=True, timeout=self._timeout)
            body = _read(answer.raw)
        except Exception as error:  # noqa: BLE001 - how far it came is known, whatever went wrong
            phase = self._phase()
            trouble = None if phase is Phase.HELD_BACK else trouble_of(error)
            return Reply(phase=phase, trouble=trouble, seconds=self._spent())
        return Reply(
            phase=Phase.ANSWERED,
            status=answer.status_code,
            headers=answer.headers,
            body=body,
            seconds=self._spent(),
        )

    def _spent(self) -> float:
        """Seconds of the exchange; waiting for clearance is no fault of the vendor's."""
        return time.perf_counter() - self._started

    def _phase(self) -> Phase:
        """How far an exchange came that was not answered."""
        if self._written:
            return Phase.NO_ANSWER
        return Phase.NOT_WRITTEN if self._is_cleared() else Phase.HELD_BACK

    def _is_cleared(self) -> bool:
        """Ask for clearance, once for each exchange; an error in it is no clearance."""
        if self._cleared is None:
            asked = time.perf_counter()
            try:
                self._cleared = self._before()
            except Exception:  # noqa: BLE001 - whoever cannot say yes says no
                self._cleared = False
            self._started += time.perf_counter() - asked
        return self._cleared

    # -- what the connection calls ---------------------------------------------------------------

    def leave(self, connection: HTTPConnection, whole: bytes) -> None:
        """Let a request leave in one piece, if it may."""
        try:
            if connection.sock is None:
                connection.connect()
            if not self._is_cleared():
                raise _HeldBackError
            if not _is_open(connection.sock):
                # It was closed while we waited for our turn: nothing is written yet, so a new one
                # is lawful. close() of the connection would forget the request.
                connection.sock.close()
                connection.connect()
            connection.sock.sendall(whole)
        except OSError as error:
            raise _NotWrittenError from error
        self._written = True
        self._deadline = time.monotonic() + self._timeout[1]

    def remaining(self) -> float:
        """Seconds that the answer still has."""
        return self._deadline - time.monotonic()

    # -- what requests calls ---------------------------------------------------------------------

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": self._plain_pool,
            "https": self._tls_pool,
        }

    def _plain_pool(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = HTTPConnectionPool(*args, **kwargs)
        pool.ConnectionCls = partial(_PlainConnection, self)  # type: ignore[assignment]
        return pool

    def _tls_pool(self, *args: Any, **kwargs: Any) -> HTTPSConnectionPool:
        pool = HTTPSConnectionPool(*args, ssl_context=self._tls(), **kwargs)
        pool.ConnectionCls = partial(_TlsConnection, self)  # type: ignore[assignment]
        return pool

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any
    ) -> HTTPConnectionPool:
        pool: HTTPConnectionPool = self.poolmanager.connection_from_url(str(request.url))
        return pool

    def cert_verify(self, *_args: Any) -> None:
        """Certificates are verified by the context that all lines share."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Without cookies: nothing of one exchange goes into the next."""
        answer = requests.Response()
        answer.status_code, answer.headers, answer.raw = resp.status, resp.headers, resp
        answer.request = req
        return answer


def _prepared(request: Request) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.prepare_method(request.method)
    prepared.prepare_url(request.url, None)
    prepared.prepare_headers({"Accept-Encoding": "identity", **request.headers})
    prepared.prepare_body(request.body or None, None)
    return prepared


def _read(raw: BaseHTTPResponse) -> bytes:
    """The body up to its limit; the connection is kept only if it holds nothing more."""
    body = b""
    try:
        while part := raw.read(MOST_BODY + 1 - len(body), decode_content=True):
            body += part
            if len(body) > MOST_BODY:
                raw.close()
                break
    finally:
        raw.release_conn()
    return body[:MOST_BODY]


def _is_open(sock: Any) -> bool:
    """Say whether the peer is still there: no end of stream, and nothing said without a question.

    Reading, not polling: on TLS a session ticket makes the socket readable as well.
    """
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        sock.settimeout(timeout)
    return False


class _PlainConnection(HTTPConnection):
    """Collects a request, and lets it leave in one piece through its line."""

    def __init__(self, line: Line, **options: Any) -> None:
        super().__init__(**options)
        self._line = line
        self._pieces: list[bytes] = []
        self.response_class = self._answer  # type: ignore[assignment]

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._pieces = []
        super().request(*args, **kwargs)
        self._line.leave(self, b"".join(self._pieces))

    def send(self, data: Any) -> None:
        self._pieces.append(data)

    def _answer(self, sock: socket.socket, method: str | None = None) -> HTTPResponse:
        return _Answer(_Ear(sock, self._line), method)


class _TlsConnection(_PlainConnection, HTTPSConnection):
    """The same behind TLS."""


class _Ear(io.RawIOBase):
    """What http.client reads an answer from; each read gets only the time that is left."""

    def __init__(self, sock: socket.socket, line: Line) -> None:
        self._sock = sock
        self._line = line
        self._bytes = sock.makefile("rb", buffering=0)
        #: The other side has said its last.
        self.ended = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._line.remaining()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)
        count = self._bytes.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Answer(HTTPResponse):
    """Is stricter about half a head than http.client, and less talkative about a broken one."""

    def __init__(self, ear: _Ear, method: str | None) -> None:
        super().__init__(cast("socket.socket", ear), method=method)
        self._ear = ear

    def begin(self) -> None:
        super().begin()
        if self._ear.ended:
            # http.client takes the end of the stream for the end of the head.
            raise HTTPException
        # urllib3 would log the URL, with key and text, because of a malformed header.
        self.msg.defects.clear()
        self.msg.set_payload("")
