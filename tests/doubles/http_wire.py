"""A minimal HTTP/1.1 server that can also misbehave on purpose.

It knows keep-alive and Content-Length. What to answer is decided in one step, as soon as a request
has been read to its end; only the writing of the answer may take time. A request that a client gave
up before its end was never seen by anyone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

HTML = b"<html><body><h1>Service notice</h1></body></html>"
_END_OF_HEAD = b"\r\n\r\n"


class Manner(StrEnum):
    """How an answer is written."""

    WHOLE = "whole"
    #: half of what Content-Length promises, then the connection is closed
    HALF = "half"
    #: one byte at a time
    DRIP = "drip"
    #: not at all; the connection is closed
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request that was read to its end."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    authorization: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer, and how it comes."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    manner: Manner = Manner.WHOLE
    #: seconds before anything is written
    delay: float = 0
    #: seconds between two bytes of a dripping answer
    pause: float = 0
    #: what has to end before anything is written
    before: Coroutine[Any, Any, None] | None = field(default=None, compare=False)

    def bytes(self) -> bytes:
        """The answer as it stands on the wire."""
        head = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(head).encode("ascii") + _END_OF_HEAD + self.body


Answerer = Callable[[Request], Reply]


def encoded(value: object) -> bytes:
    """JSON in one line of ASCII."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def answer(value: object, status: int = 200) -> Reply:
    """An answer in JSON."""
    return Reply(status=status, body=encoded(value))


def refusal(status: int, message: str) -> Reply:
    """An HTTP error with a sentence."""
    return answer({"status": str(status), "message": message}, status)


def watched(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a task whose error reaches the loop's handler, and is not kept until it is asked."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(lambda done: None if done.cancelled() else done.result())
    return task


class BadRequestError(Exception):
    """Bytes that are no request which this server reads."""


class Connection(asyncio.Protocol):
    """One client. Its next request is looked at when the last one has been answered."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer
        self._unread = bytearray()
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._next()

    def _next(self) -> None:
        if self._is_busy:
            return
        try:
            request = self._read()
        except BadRequestError as error:
            self._unread.clear()
            self._transport.write(refusal(400, str(error)).bytes())
            self._transport.close()
            return
        if request is None:
            return
        self._is_busy = True
        self._begin(self._answerer(request))

    def _read(self) -> Request | None:
        """The next request; None while it has not come to its end."""
        end = self._unread.find(_END_OF_HEAD)
        if end < 0:
            return None
        first, *lines = self._unread[:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = headers.get("content-length", "0")
        if first.count(" ") != 2 or not length.isdigit() or "transfer-encoding" in headers:
            raise BadRequestError("send a request line, headers and Content-Length")
        start = end + len(_END_OF_HEAD)
        stop = start + int(length)
        if len(self._unread) < stop:
            return None
        body = bytes(self._unread[start:stop])
        del self._unread[:stop]
        method, target, _ = first.split(" ")
        url = urlsplit(target)
        return Request(
            method=method,
            path=url.path,
            query=parse_qs(url.query, keep_blank_values=True) if url.query else {},
            authorization=headers.get("authorization", ""),
            body=body,
        )

    def _begin(self, reply: Reply) -> None:
        if reply.before is None:
            self._after_delay(reply)
        else:
            self._waiting = watched(self._after(reply.before, reply))

    async def _after(self, before: Coroutine[Any, Any, None], reply: Reply) -> None:
        await before
        self._after_delay(reply)

    def _after_delay(self, reply: Reply) -> None:
        if reply.delay:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(reply.delay, self._write, reply)
        else:
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        if self._transport.is_closing():
            return
        whole = reply.bytes()
        if reply.manner is Manner.DRIP:
            self._drip(whole, 0, reply.pause)
        elif reply.manner is Manner.WHOLE:
            self._transport.write(whole)
            self._done()
        else:
            if reply.manner is Manner.HALF:
                self._transport.write(whole[: len(whole) - len(reply.body) // 2])
            self._transport.close()

    def _drip(self, whole: bytes, position: int, pause: float) -> None:
        if position == len(whole):
            self._done()
            return
        self._transport.write(whole[position : position + 1])
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(pause, self._drip, whole, position + 1, pause)

    def _done(self) -> None:
        self._is_busy = False
        if self._unread:
            asyncio.get_running_loop().call_soon(self._next)
