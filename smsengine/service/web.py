"""Where the daemon is asked: ``/healthz``, ``/readyz``, ``/metrics``, callbacks, and payments.

Questions about the daemon are GET and HEAD, each is answered within seconds, and nothing that is
said to them is private. Nobody who asks can keep the daemon from its work.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from smsengine.errors import ConfigError
from smsengine.service.api.counter import Counter
from smsengine.service.http_server import Answer, Question, Reply, Server
from smsengine.service.reception import PREFIX, Reception
from smsengine.service.vitals import Vitals

_METHODS = ("GET", "HEAD")
#: Questions for the figures that may wait.
_MOST_FIGURES = 8


def _json(status: HTTPStatus, facts: Mapping[str, object], *headers: tuple[str, str]) -> Answer:
    body = json.dumps(facts, ensure_ascii=False).encode() + b"\n"
    return Answer(status, body, headers=headers)


def _judged(reasons: Sequence[str], good: str) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return _json(status, {"status": "not " * bool(reasons) + good, "reasons": reasons})


def _reason(error: OSError) -> str:
    """The reason alone: asyncio puts the address into it once more."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror or error)


class Desk:
    """Knows who answers what."""

    def __init__(
        self,
        vitals: Vitals,
        registry: CollectorRegistry,
        reception: Reception | None = None,
        counter: Counter | None = None,
    ) -> None:
        self._registry = registry
        self._reception, self._counter = reception, counter
        self.pages: dict[str, Callable[[str], Answer]] = {
            "/healthz": lambda _accept: _judged(vitals.stuck(), "alive"),
            "/readyz": lambda _accept: _judged(vitals.not_ready(), "ready"),
            "/metrics": self._figures,
        }
        # Writing the figures down takes longer than a callback may wait.
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._asked = 0

    def _figures(self, accept: str) -> Answer:
        encode, kind = choose_encoder(accept)
        return Answer(HTTPStatus.OK, encode(self._registry), kind)

    def answer(self, method: str, path: str, accept: str = "") -> Answer:
        """What is said to a question about the daemon."""
        page = self.pages.get(path)
        if page is None:
            return _json(HTTPStatus.NOT_FOUND, {"error": f"There are: {', '.join(self.pages)}."})
        if method not in _METHODS:
            error = {"error": "Only GET and HEAD."}
            return _json(HTTPStatus.METHOD_NOT_ALLOWED, error, ("Allow", "GET, HEAD"))
        return page(accept)

    def ask(self, question: Question, reply: Reply) -> None:
        """Answer a question, now or later; never waits."""
        if self._reception is not None and question.path.startswith(PREFIX):
            self._reception.receive(question, reply)
        elif self._counter is not None and self._counter.answers(question.path):
            self._counter.ask(question, reply)
        elif question.path == "/metrics" and question.method in _METHODS:
            self._ask_clerk(question, reply)
        else:
            reply(self.answer(question.method, question.path))

    def rubbish(self) -> None:
        """Somebody sent what is no request."""
        if self._reception is not None:
            self._reception.rubbish()

    def _ask_clerk(self, question: Question, reply: Reply) -> None:
        if self._asked >= _MOST_FIGURES:
            reply(_json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "Too many ask."}))
            return
        self._asked += 1

        def write() -> None:
            try:
                accept = question.headers.get("accept", "")
                reply(self.answer(question.method, question.path, accept))
            except Exception:
                reply(_json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "No figures now."}))
                raise
            finally:
                self._asked -= 1

        self._clerk.submit(write)

    def close(self) -> None:
        """Answer nothing more."""
        self._clerk.shutdown(wait=False, cancel_futures=True)


class Web:
    """The desk behind a port, from ``start`` to ``close``."""

    def __init__(self, host: str, port: int, desk: Desk) -> None:
        """Take the port, so that a taken one is noticed before anything begins.

        Raises:
            ConfigError: it cannot be taken.
        """
        self._desk = desk
        try:
            self._server = Server(host, port, desk.ask, rubbish=desk.rubbish)
        except OSError as error:
            raise ConfigError(
                f"web: {host}:{port} cannot be taken ({_reason(error)}); is another daemon"
                " running? Else choose another port under 'web:' in config.yaml."
            ) from error
        self.port: int = self._server.port

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def close(self) -> None:
        """Answer no more, and give the port back."""
        self._server.close()
        self._desk.close()
