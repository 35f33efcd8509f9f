"""Doubles of the HTTP gateway that run, and senders that speak to them over real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import requests

from tests.doubles.http_gateway import Double
from tests.doubles.http_settings import Settings

PATIENCE = 20
PHONE = "84912345678"
_NUMBERS = count(1)


def new_refs(number: int) -> list[str]:
    """References that no other test uses."""
    return [f"ref-{next(_NUMBERS)}" for _ in range(number)]


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives as soon as it gives something; fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.005)
    return found


def message(ref: str, *, to: str = PHONE, text: str = "Text") -> dict[str, str]:
    """A message as it is handed over."""
    return {"to": to, "text": text, "ref": ref}


@dataclass(frozen=True)
class Sender:
    """Speaks to a double as an adapter does."""

    double: Double

    def post(self, body: Any, *, timeout: float = PATIENCE) -> requests.Response:
        """Send something, whatever it is."""
        headers = {"Authorization": f"Bearer {self.double.key}"}
        return requests.post(f"{self.double.url}/send", json=body, headers=headers, timeout=timeout)

    def send(self, ref: str, **changes: Any) -> dict[str, str]:
        """Send one message; returns its result."""
        return dict(self.post(message(ref, **changes)).json())

    def batch(self, refs: Sequence[str]) -> list[dict[str, str]]:
        """Send several messages at once; returns their results."""
        body = {"messages": [message(ref) for ref in refs]}
        return list(self.post(body).json()["results"])

    def get(self, path: str, *, timeout: float = PATIENCE) -> Any:
        """What a call of the vendor answers."""
        headers = {"Authorization": f"Bearer {self.double.key}"}
        return requests.get(self.double.url + path, headers=headers, timeout=timeout).json()

    def state(self, ref: str) -> str:
        """What a status query says of one reference: its state, else its status."""
        (result,) = self.get(f"/status?ref={ref}")["results"]
        return str(result.get("state", result["status"]))

    def delivered(self, refs: Sequence[str]) -> list[int]:
        """How often each of these was really delivered."""
        found = [entry["ref"] for entry in self.double.ledger()]
        return [found.count(ref) for ref in refs]

    def connect(self) -> socket.socket:
        """A connection of one's own."""
        return socket.create_connection(("127.0.0.1", self.double.port), PATIENCE)

    def raw(self, ref: str) -> bytes:
        """A send as it stands on the wire."""
        body = json.dumps(message(ref)).encode()
        head = (
            f"POST /send HTTP/1.1\r\nHost: double\r\nAuthorization: Bearer {self.double.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def read_answer(lines: BinaryIO) -> tuple[bytes, bytes]:
    """Read one answer that has Content-Length; returns its first line and its body."""
    first = lines.readline()
    length = 0
    while (line := lines.readline()).strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return first, lines.read(length)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sender]]:
    """Start a double of one's own with some settings."""
    with ExitStack() as running:

        def start_one(name: str = "ledger.jsonl", **settings: Any) -> Sender:
            return Sender(running.enter_context(Double(tmp_path / name, **settings)))

        yield start_one


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """The double that many tests share, each with references of its own."""
    with Double(tmp_path_factory.mktemp("double") / "ledger.jsonl") as double:
        yield double


@pytest.fixture
def sender(running: Double) -> Sender:
    """A sender to the shared double, which has the settings that it starts with."""
    running.control(**Settings().asdict())
    return Sender(running)


@dataclass
class Office:
    """Takes the receipts that are pushed to it, and answers with the statuses it is given."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def office() -> Iterator[Office]:
    """Somebody who listens for receipts; answers 200 at once unless told otherwise."""
    found = Office()
    found.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.tokens.append(self.headers["X-Token"])
            found.receipts.append(json.loads(body))
            found.may_answer.wait(PATIENCE)
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/receipts?from=double"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.may_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()
