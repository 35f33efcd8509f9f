"""An HTTP gateway for text messages, faithful and unkind, that keeps a ledger of what it delivered.

The ledger is the oracle of "never twice, never lost": a message stands in it once for each time
that it was really delivered, whatever was answered. It is written before any answer, so it stays
true when the double or a sender is killed.

As a process: ``python -m tests.doubles.http_gateway --ledger FILE``; it prints ``{"port": N}`` when
it listens, and ends on SIGTERM or when its standard input is closed. Each setting of
``http_settings.Settings`` is an option too (``--latency-ms 50``, ``--faults JSON``). In a test:
``with Double(tmp_path / "ledger.jsonl") as double``.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.doubles import http_book, http_settings
from tests.doubles.http_api import Api
from tests.doubles.http_receipts import Receipts
from tests.doubles.http_vendor import Vendor
from tests.doubles.http_wire import Connection

KEY = "the key of the double"
HOST = "127.0.0.1"
_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 30


class Double:
    """The double as a process of its own, on a port that stays the same.

    Settings are those of ``http_settings.Settings``. What is delivered and what arrived is read
    from its files, so it can be asked while the process is stopped or after it was killed.
    """

    def __init__(self, ledger: Path, *, key: str = KEY, seed: int = 0, **settings: Any) -> None:
        self.key = key
        self._ledger = ledger.resolve()
        self._seed = seed
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        # Bound and not listening, it keeps the port for us while the process is away.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind((HOST, 0))
        self.port: int = self._place.getsockname()[1]

    def __enter__(self) -> Self:
        try:
            self.start(**self._settings)
        except BaseException:
            self._place.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._place.close()

    @property
    def url(self) -> str:
        """Where it listens; no slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process that is running."""
        assert self._process is not None, "it is not running"
        return self._process.pid

    def start(self, **changes: Any) -> None:
        """Start the process; settings that are not given stay as they were when it stopped."""
        assert self._process is None, "it runs already"
        options = [
            part
            for name, value in changes.items()
            for part in (f"--{name.replace('_', '-')}", json.dumps(value))
        ]
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-S", "-m", "tests.doubles.http_gateway"),
                *("--ledger", str(self._ledger), "--port", str(self.port)),
                *("--key", self.key, "--seed", str(self._seed), *options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            code = self._end()
            raise RuntimeError(f"the double did not start; it ended with {code}")

    def stop(self) -> None:
        """Stop the process as a vendor's outage does: what is under way is cut off.

        Raises:
            RuntimeError: it had ended by itself, so what it did cannot be relied on.
        """
        if self._process is None:
            return
        self._process.terminate()
        if code := self._end():
            raise RuntimeError(f"the double ended by itself with {code}")

    def kill(self) -> None:
        """Kill the process, whatever it is doing."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def restart(self, **changes: Any) -> None:
        """Start again on the same port, with the same ledger, memory and settings."""
        self.stop()
        self.start(**changes)

    def control(self, **changes: Any) -> dict[str, Any]:
        """Change settings at once.

        Returns:
            All settings that are in force.

        Raises:
            ValueError: one sentence with what is wrong in the changes.
        """
        status, found = self._ask("POST", "/control", json.dumps(changes))
        if status != 200:
            raise ValueError(found["message"])
        return dict(found)

    def counts(self) -> dict[str, Any]:
        """What the running process has counted: delivered, refs, repeated, done, statuses, …"""
        return dict(self._ask("GET", "/counts")[1])

    def ledger(self) -> list[dict[str, Any]]:
        """Every delivery: n, id, ref, to, text, at."""
        return http_book.read(self._ledger)

    def arrivals(self) -> list[dict[str, Any]]:
        """Every send that arrived: at, done, refs, statuses."""
        return self._remembered("arrival")

    def receipts(self) -> list[dict[str, Any]]:
        """Every receipt that could be fetched: n, id, ref, state, code."""
        return self._remembered("receipt")

    def _remembered(self, kind: str) -> list[dict[str, Any]]:
        lines = http_book.read(http_book.memory_of(self._ledger))
        return [line[kind] for line in lines if kind in line]

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def _end(self) -> int:
        """Wait until the process has ended; returns its exit code."""
        process, self._process = self._process, None
        assert process is not None
        try:
            return process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


# -- the process -----------------------------------------------------------------------------------


async def serve(vendor: Vendor, key: str, port: int) -> int:
    """Serve until SIGTERM or the end of standard input; returns the exit code.

    An error of the double itself ends it: an oracle that stumbled is not to be believed.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def on_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        end(70)

    loop.set_exception_handler(on_error)
    loop.add_signal_handler(signal.SIGTERM, end, 0)
    receipts = Receipts(vendor.book, lambda: vendor.settings, vendor.seed)
    receipts.start()
    api = Api(vendor, receipts, key)
    server = await loop.create_server(lambda: Connection(api), HOST, port, backlog=1024)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    _at_end_of_input(lambda: loop.call_soon_threadsafe(end, 0))
    code = await ended
    server.close()
    await receipts.stop()
    return code


def _at_end_of_input(call: Callable[[], object]) -> None:
    """Call when standard input is closed; a thread reads it, for it may be any kind of file."""

    def read() -> None:
        with suppress(OSError):
            while os.read(0, 1024):
                pass
        call()

    threading.Thread(target=read, daemon=True).start()


def _setting(text: str) -> Any:
    """A value in JSON, or a text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the double."""
    parser = argparse.ArgumentParser(prog="http_gateway", argument_default=argparse.SUPPRESS)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--seed", type=int, default=0)
    for name in http_settings.NAMES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=_setting)
    given = vars(parser.parse_args(arguments))
    ledger, port, key, seed = (given.pop(name) for name in ("ledger", "port", "key", "seed"))
    book = http_book.Book(ledger)
    try:
        vendor = Vendor(book, seed)
        if given:
            try:
                vendor.change(given)
            except ValueError as error:
                parser.error(str(error))
        return asyncio.run(serve(vendor, key, port))
    finally:
        book.close()


if __name__ == "__main__":
    sys.exit(main())
