"""A web server that takes callbacks and keeps them, as the engine's own would hand them on."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from smsengine.gateways.base import Callback


class Listener:
    """Answers every GET with 200; what came stands in ``callbacks``."""

    def __init__(self) -> None:
        self.callbacks: list[Callback] = []
        came = self.callbacks

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                came.append(
                    Callback(
                        method="GET",
                        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                        token=unquote(parts.path.rpartition("/")[2]),
                    )
                )
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """What comes holds numbers and texts."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/callbacks/kannel"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
