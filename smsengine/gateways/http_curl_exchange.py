"""One exchange over libcurl, which knows how far it has come.

libcurl is told apart from our promise at one point above all: when a kept connection turns out to
be dead, it writes the request once more on a new one, without a word. It asks us right before each
time, though, and the second time we say no.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import time
from collections.abc import Callable, Mapping

import pycurl
import requests

from smsengine.gateways.http_exchange import Phase, Reply, Request, Trouble
from smsengine.gateways.http_line import MOST_BODY

_PLAIN_URL = re.compile(r"https?://[\x21-\x7e]+")
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")
_FIXED = {
    pycurl.NOSIGNAL: 1,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.FOLLOWLOCATION: 0,
    pycurl.PROXY: "",
    pycurl.NOPROXY: "*",
    pycurl.ACCEPT_ENCODING: "identity",
    pycurl.USERAGENT: "smsengine",
    pycurl.SSL_VERIFYPEER: 1,
    pycurl.SSL_VERIFYHOST: 2,
    pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
}
_TROUBLES = {
    pycurl.E_COULDNT_RESOLVE_HOST: Trouble.NOT_FOUND,
    pycurl.E_SSL_CONNECT_ERROR: Trouble.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: Trouble.TLS,
    pycurl.E_SSL_CACERT_BADFILE: Trouble.TLS,
    pycurl.E_OPERATION_TIMEDOUT: Trouble.TIMEOUT,
}


class Exchange:
    """A handle of libcurl's, used for one request after the other."""

    def __init__(
        self,
        sockets: dict[int, int],
        trust: Callable[[], str],
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        """Open nothing yet.

        Args:
            sockets: the open ones by their local ports, shared by those that share connections.
            trust: gives the file of trusted certificates; only TLS needs it.
            connect_seconds: for the connection and TLS, and again for writing the request.
            read_seconds: from the first byte of a request to the last byte of its answer.
        """
        self.easy = pycurl.Curl()
        self.place = 0
        self._sockets, self._trust = sockets, trust
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._is_trusting = False
        self._head: list[bytes] = []
        self._reset(0, Request(method="GET", url=""), bool)
        for option, value in _FIXED.items():
            self.easy.setopt(option, value)
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        self.easy.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(connect_seconds * 1000)))
        self.easy.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        self.easy.setopt(pycurl.PREREQFUNCTION, self._may_leave)
        self.easy.setopt(pycurl.HEADERFUNCTION, self._head.append)
        self.easy.setopt(pycurl.WRITEFUNCTION, self._body_came)

    def _reset(self, place: int, request: Request, before: Callable[[int], bool]) -> None:
        self.place, self._request, self._before = place, request, before
        self._head.clear()
        self._body: list[bytes] = []
        self._length = 0
        self._cleared: bool | None = None
        self._left_at: float | None = None
        self._is_tried_again = False
        self._new_sockets: list[int] = []
        self._waited = 0.0
        self._started = time.perf_counter()
        self._is_anew = False
        #: nothing was written yet, and the connection is gone: begin anew
        self.is_stale = False

    def begin(self, place: int, request: Request, before: Callable[[int], bool]) -> None:
        """Make ready for a request.

        Raises:
            Exception: it cannot be built.
        """
        self._reset(place, request, before)
        url = _address(request.url)
        self.easy.setopt(pycurl.URL, url)
        self.easy.setopt(pycurl.HTTPHEADER, _lines(request.headers))
        self.easy.setopt(pycurl.FRESH_CONNECT, 0)
        if request.body or request.method != "GET":
            self.easy.setopt(pycurl.POSTFIELDS, request.body)
        else:
            self.easy.setopt(pycurl.HTTPGET, 1)
        self.easy.setopt(pycurl.CUSTOMREQUEST, request.method)
        if url.lower().startswith("https:") and not self._is_trusting:
            self.easy.setopt(pycurl.CAINFO, self._trust())
            self._is_trusting = True

    def begin_anew(self) -> None:
        """The same request on a new connection; it has its clearance."""
        self.is_stale, self._is_anew = False, True
        self.easy.setopt(pycurl.FRESH_CONNECT, 1)

    # -- what libcurl calls ----------------------------------------------------------------------

    def _opened(self, fd: int, _purpose: int) -> int:
        if self._left_at is not None:
            self._is_tried_again = True
            return int(pycurl.SOCKOPT_ERROR)
        self._new_sockets.append(fd)
        return int(pycurl.SOCKOPT_OK)

    def _may_leave(self, _there: str, here: str, _to: int, port: int) -> int:
        """Asked on an open connection, right before the first byte."""
        if self._left_at is not None:
            self._is_tried_again = True
            return int(pycurl.PREREQFUNC_ABORT)
        if not self._is_cleared():
            return int(pycurl.PREREQFUNC_ABORT)
        fd = self._socket(here, port)
        if fd is not None and not self._is_anew and not self._is_open(fd):
            # It was closed while it was idle, or while we waited for our turn: nothing is written
            # yet, so a new one is lawful; once.
            self.is_stale = True
            return int(pycurl.PREREQFUNC_ABORT)
        self._left_at = time.monotonic()
        return int(pycurl.PREREQFUNC_OK)

    def _body_came(self, part: bytes) -> int:
        """Keep a body up to its limit; the connection is kept only if it holds nothing more."""
        self._body.append(part)
        self._length += len(part)
        return len(part) if self._length <= MOST_BODY else -1

    # -- clearance ---------------------------------------------------------------------------------

    def _is_cleared(self) -> bool:
        """Ask for clearance, once for each exchange; an error in it is no clearance."""
        if self._cleared is None:
            asked = time.perf_counter()
            try:
                self._cleared = self._before(self.place)
            except Exception:  # noqa: BLE001 - whoever cannot say yes says no
                self._cleared = False
            self._waited += time.perf_counter() - asked
        return self._cleared

    def _socket(self, here: str, port: int) -> int | None:
        """The socket with that end of ours, as far as it is known."""
        for fd in self._new_sockets:
            if _end_of(fd) == (here, port):
                self._sockets[port] = fd
        known = self._sockets.get(port)
        self._new_sockets = [fd for fd in self._new_sockets if fd == known]
        return known if known is not None and _end_of(known) == (here, port) else None

    def _is_open(self, fd: int) -> bool:
        """Say whether the peer is still there, and has said nothing without a question.

        On TLS a session ticket is something said as well: there only the end counts.
        """
        poll = select.poll()
        poll.register(fd, select.POLLRDHUP | (0 if self._is_tls else select.POLLIN))
        return not poll.poll(0)

    @property
    def _is_tls(self) -> bool:
        return self._request.url.lower().startswith("https:")

    # -- how it ended ------------------------------------------------------------------------------

    def is_late(self, now: float) -> bool:
        """Say that its time is over; libcurl counts while it connects."""
        if self._left_at is None:
            return False
        spent = now - self._left_at
        return spent >= self._read_seconds or (
            spent >= self._connect_seconds and not self._is_written()
        )

    def unwritten(self) -> Reply:
        """The reply of a request that cannot be built."""
        phase = Phase.NOT_WRITTEN if self._is_cleared() else Phase.HELD_BACK
        return Reply(phase=phase, trouble=Trouble.BROKEN if self._cleared else None)

    def reply(self, code: int) -> Reply:
        """How it ended.

        Args:
            code: libcurl's; 0 when all went well.
        """
        status, headers = self._answer_head()
        is_cut_off = self._length > MOST_BODY
        if (code == 0 or is_cut_off) and headers is not None and self._is_written():
            return Reply(
                phase=Phase.ANSWERED,
                status=status,
                headers=headers,
                body=b"".join(self._body)[:MOST_BODY],
                seconds=self._spent(),
            )
        phase = self._phase()
        trouble = None if phase is Phase.HELD_BACK else self._trouble(code)
        return Reply(phase=phase, trouble=trouble, seconds=self._spent())

    def _spent(self) -> float:
        """Seconds of the exchange; waiting for clearance is no fault of the vendor's."""
        return time.perf_counter() - self._started - self._waited

    def _phase(self) -> Phase:
        """How far an exchange came that was not answered."""
        if not self._is_cleared():
            return Phase.HELD_BACK
        if self._left_at is None:
            return Phase.NOT_WRITTEN
        # On a kept connection libcurl may have begun to count anew: that is in doubt.
        is_first_try = bool(self._new_sockets) and not self._is_tried_again
        return Phase.NOT_WRITTEN if is_first_try and not self._is_written() else Phase.NO_ANSWER

    def _is_written(self) -> bool:
        """Say whether the last byte was handed to the kernel; a bare head counts as written."""
        return int(self.easy.getinfo(pycurl.SIZE_UPLOAD_T)) >= len(self._request.body)

    def _trouble(self, code: int) -> Trouble:
        if code == pycurl.E_COULDNT_CONNECT:
            number = self.easy.getinfo(pycurl.OS_ERRNO)
            return Trouble.REFUSED if number == errno.ECONNREFUSED else Trouble.BROKEN
        return _TROUBLES.get(code, Trouble.BROKEN)

    def _answer_head(self) -> tuple[int, Mapping[str, str] | None]:
        """Status and headers of the answer; None while its head is not whole."""
        starts = [at for at, line in enumerate(self._head) if line.startswith(b"HTTP/")]
        lines = self._head[starts[-1] + 1 :] if starts else []
        if not any(line in (b"\r\n", b"\n") for line in lines):
            return 0, None
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                said = value.strip()
                headers[name] = f"{headers[name]}, {said}" if name in headers else said
        return self.easy.getinfo(pycurl.RESPONSE_CODE), headers


def _address(url: str) -> str:
    """An address that libcurl takes as it stands."""
    if _PLAIN_URL.fullmatch(url):
        return url
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    if not _PLAIN_URL.fullmatch(prepared.url or ""):
        raise ValueError("no address")
    return prepared.url or ""


def _lines(headers: Mapping[str, str]) -> list[bytes]:
    """Headers as they are written; those that libcurl would add by itself are left out."""
    lines = ["Expect:"]
    if not any(name.lower() == "content-type" for name in headers):
        lines.append("Content-Type:")
    for name, value in headers.items():
        if _BREAKS.search(name + value):
            raise ValueError("a line break in a header")
        lines.append(f"{name}: {value}" if value.strip() else f"{name};")
    return [line.encode("latin-1") for line in lines]


def _end_of(fd: int) -> tuple[str, int] | None:
    """Our end of a socket; None where it is closed."""
    try:
        with socket.socket(fileno=os.dup(fd)) as known:
            host, port = known.getsockname()[:2]
    except OSError:
        return None
    return host, port
