"""Where the daemon answers questions about itself: ``/healthz``, ``/readyz``, ``/metrics``.

Only GET and HEAD, a handful of questions at a time, each within seconds, so that nobody who asks
can keep the daemon from its work. Nothing that it says is private.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from smsengine.errors import ConfigError
from smsengine.service.vitals import Vitals

_READ_SECONDS = 5.0
#: However slowly it is asked and read: after so long a connection is cut.
_LONGEST_SECONDS = 20.0
_MOST_AT_ONCE = 16


class Answer(NamedTuple):
    """What is said to one question."""

    status: HTTPStatus
    body: bytes
    kind: str = "application/json; charset=utf-8"


def _json(status: HTTPStatus, facts: Mapping[str, object]) -> Answer:
    return Answer(status, json.dumps(facts, ensure_ascii=False).encode() + b"\n")


def _judged(reasons: Sequence[str], good: str) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return _json(status, {"status": "not " * bool(reasons) + good, "reasons": reasons})


class Desk:
    """The WSGI application."""

    def __init__(self, vitals: Vitals, registry: CollectorRegistry) -> None:
        self._vitals = vitals
        self._registry = registry
        self.pages: dict[str, Callable[[str], Answer]] = {
            "/healthz": lambda _accept: _judged(vitals.stuck(), "alive"),
            "/readyz": lambda _accept: _judged(vitals.not_ready(), "ready"),
            "/metrics": self._figures,
        }

    def _figures(self, accept: str) -> Answer:
        encode, kind = choose_encoder(accept)
        return Answer(HTTPStatus.OK, encode(self._registry), kind)

    def answer(self, method: str, path: str, accept: str = "") -> Answer:
        """What is said to a question."""
        page = self.pages.get(path)
        if page is None:
            return _json(HTTPStatus.NOT_FOUND, {"error": f"There are: {', '.join(self.pages)}."})
        if method not in ("GET", "HEAD"):
            return _json(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "Only GET and HEAD."})
        return page(accept)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method = str(environ["REQUEST_METHOD"])
        said = self.answer(method, str(environ["PATH_INFO"]), environ.get("HTTP_ACCEPT", ""))
        headers = [
            ("Content-Type", said.kind),
            ("Content-Length", str(len(said.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if said.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        start(f"{said.status.value} {said.status.phrase}", headers)
        return [] if method == "HEAD" else [said.body]


class _Handler(WSGIRequestHandler):
    """Silent, and with time-outs for reading and writing."""

    timeout = _READ_SECONDS
    server_version = "smsengine"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads who asked how we are."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # whoever asked has gone


class _Server(ThreadingMixIn, WSGIServer):
    """One thread for each question, and not too many of them."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, desk: Desk) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._seats = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__((host, port), _Handler)
        self.set_app(desk)

    def server_bind(self) -> None:
        """As WSGIServer does, without asking the name service who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._seats.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._seats.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        cut = threading.Timer(_LONGEST_SECONDS, _cut, [request])
        cut.daemon = True
        cut.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            cut.cancel()
            self._seats.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A question that went wrong is the asker's trouble."""


def _cut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class Web:
    """Answers on a thread of its own from ``start`` to ``close``."""

    def __init__(self, host: str, port: int, desk: Desk) -> None:
        """Take the port, so that a taken one is noticed before anything begins.

        Raises:
            ConfigError: it cannot be taken.
        """
        try:
            self._server = _Server(host, port, desk)
        except OSError as error:
            raise ConfigError(
                f"web: {host}:{port} cannot be taken ({error.strerror or error}); is another daemon"
                " running? Else choose another port under 'web:' in config.yaml."
            ) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="web", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
