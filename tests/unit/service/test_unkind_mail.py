"""A run of mails through a server that breaks off at each step: nobody gets two, nobody is lost."""

from __future__ import annotations

import random
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from smsengine.period import Period
from smsengine.service import sender
from smsengine.service.bootstrap import Engine
from smsengine.service.sender import Request, Watch
from smsengine.store.engine import Store
from tests.conftest import execute
from tests.unit.service.test_sending_mails import CONFIG, JOB

COUNT = 40
LINES = [f"TA{number},Công ty {number},1000000,k{number}@a.example.vn" for number in range(COUNT)]
#: What is done to a mail, with its share.
FAULTS = {
    "takes it": 8,
    "takes it and breaks off": 2,
    "breaks off at the end": 1,
    "breaks off before": 1,
    "says later": 2,
    "refuses": 2,
    "closes": 1,
}


class Unkind:
    """What became of mails by address; ``done`` is each fault that happened, and how often."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.delivered: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def next(self) -> str:
        (fault,) = self._chance.choices([*FAULTS], weights=[*FAULTS.values()])
        self.done[fault] += 1
        return fault


@contextmanager
def served(unkind: Unkind) -> Iterator[int]:
    """The port of such a server."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while self._mail():
                pass

        def _mail(self) -> bool:
            """Serve one mail; whether the connection goes on."""
            fault = ""
            while (line := self.rfile.readline()) and line[:4].upper() != b"DATA":
                word, said = line[:4].upper(), b"250 OK\r\n"
                if word == b"RCPT":
                    fault, address = unkind.next(), line.partition(b"<")[2].partition(b">")[0]
                    said = b"550 5.1.1 nobody\r\n" if fault == "refuses" else said
                if word == b"QUIT" or fault == "closes":
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"421 closing\r\n")
                    return False
                self.wfile.write(said)
            if not line or fault == "breaks off before":
                return False
            self.wfile.write(b"354 go on\r\n")
            while (line := self.rfile.readline()) and line != b".\r\n":
                pass
            if fault.startswith("takes it"):
                unkind.delivered[address.decode()] += 1
            if fault.endswith(("breaks off", "at the end")):
                return False
            self.wfile.write(b"451 4.3.0 later\r\n" if fault == "says later" else b"250 OK\r\n")
            return True

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("seed", range(2))
def test_nobody_gets_two_mails_and_nobody_is_lost(
    installation: Callable[..., Engine], seed: int
) -> None:
    """What is accepted arrived once, what is refused never, and the rest is a doubt."""
    unkind = Unkind(seed)
    with served(unkind) as port:
        job = JOB.format(recipients="emails")
        engine = installation(*LINES, job=job, config=CONFIG.format(port=port))
        engine.prepare(Store(engine.settings.database))
        request = Request(loaded=engine.job("c12-statement"), period=Period.parse("2019-06"))
        run = sender.plan(engine, request, Watch()).run
        assert run is not None
        sender.send_run(engine, run, Watch())
    with engine.store.read() as connection:
        rows: list[Any] = [*execute(connection, "SELECT address, state FROM messages")]
    really = {
        state: {unkind.delivered[address] for address, each in rows if each == state}
        for state in ("accepted", "rejected", "unknown")
    }
    assert COUNT == len(rows)
    assert ({1}, {0}) == (really["accepted"], really["rejected"] | {0})
    assert {0, 1} >= really["unknown"]
    assert {1} == set(unkind.delivered.values())
    assert COUNT == sum(1 for _, state in rows if state in really)
    assert len(unkind.done) > 3
