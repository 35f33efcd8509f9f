"""Senders that die: a program that has imported everything and forks a victim on demand.

A victim is a process of its own that opens an installation's gateways and serves its outbox. It may
kill or freeze itself at a named point of the engine, be killed or frozen from outside, or serve
until it is asked to end. It is forked from a process without threads, so that it is at work within
milliseconds, and it is gone when that process is gone. So is a command that a person types: what it
imports takes more time than all that it does.

As a process: ``python -m tests.flow.victims``; it reads one JSON object in each line of its
standard input, ``{"start": ORDER}``, ``{"type": TYPED}`` or ``{"signal": NUMBER, "pid": PID}``, and
writes one for each thing that happens: ``{"started": PID}``, ``{"stopped": PID}``,
``{"continued": PID}``, ``{"ended": PID, "code": CODE}``. It ends when its input does. A shell types
through ``lent.py``, which lends its own streams.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import psycopg  # noqa: F401 - victims find it imported
import requests  # noqa: F401

import smsengine.cli.main  # noqa: F401 - commands find it imported
from smsengine.clock import SystemClock
from smsengine.gateways.base import Receipt
from smsengine.receipts.matching import store_receipts
from smsengine.service.bootstrap import Engine

#: Every named point; those of receipts are the victim's own.
POINTS = (
    "before-commit",
    "committed",
    "departing",
    "answered",
    "recovering",
    "recovered",
    "resolving",
    "resolved",
    "receiving",
    "received",
    "wave",
    "finishing",
    "landing",
)
_PR_SET_PDEATHSIG = 1
#: The exit code of a victim that broke; its traceback is on the error stream.
BROKEN = 70


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a victim is, as it stands in a command.

    ``die`` and ``freeze`` are a named point and at which passing of it. Its clock runs ``speed``
    times as fast as the machine's since ``base`` and is ``shift`` seconds ahead; ``jumps`` change
    that at passings of ``answered``.
    """

    config: str
    die: Sequence[Any] = ()
    freeze: Sequence[Any] = ()
    speed: float = 1.0
    base: float = 0.0
    shift: float = 0.0
    jumps: Mapping[str, float] = field(default_factory=dict)

    def command(self) -> dict[str, Any]:
        """The command that starts it."""
        return {"start": asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A command that is typed in a folder: its words, where it writes, and its environment.

    Without files to write to, it has streams that were lent.
    """

    words: Sequence[str]
    folder: str
    out: str = ""
    err: str = ""
    environment: Mapping[str, str]

    def command(self) -> dict[str, Any]:
        """The command that starts it."""
        return {"type": asdict(self)}


class VictimClock(SystemClock):
    """A clock that runs faster than the machine's, and whose wall time may jump."""

    def __init__(self, order: Order) -> None:
        self._speed = order.speed
        self._base = order.base
        self.shift = order.shift

    def now(self) -> datetime:
        real = time.time()
        ahead = (real - self._base) * (self._speed - 1) if self._speed != 1 else 0.0
        return datetime.fromtimestamp(real + ahead + self.shift, UTC)

    def monotonic(self) -> float:
        return super().monotonic() * self._speed

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / self._speed)

    def wait(self, event: threading.Event, seconds: float) -> None:
        super().wait(event, seconds / self._speed)


class Fate:
    """Counts the points that a victim passes, and ends or stops it where its order says so."""

    def __init__(self, order: Order, clock: VictimClock) -> None:
        self._order = order
        self._clock = clock
        self._passed = Counter[str]()
        self._lock = threading.Lock()

    def at(self, point: str) -> None:
        with self._lock:
            self._passed[point] += 1
            passing = [point, self._passed[point]]
        if point == "answered":
            self._clock.shift = self._order.jumps.get(str(passing[1]), self._clock.shift)
        if passing == list(self._order.die):
            os.kill(os.getpid(), signal.SIGKILL)
        if passing == list(self._order.freeze):
            os.kill(os.getpid(), signal.SIGSTOP)


def serve(order: Order, is_over: Callable[[], bool]) -> None:
    """Be a sender of an installation until it is over."""
    clock = VictimClock(order)
    fate = Fate(order, clock)
    engine = Engine(Path(order.config), clock=clock)

    def receive(name: str, received: Sequence[Receipt]) -> None:
        fate.at("receiving")
        store_receipts(engine.store, name, received, clock.now())
        fate.at("received")

    with ExitStack() as opened:
        opened.enter_context(closing(engine.store))
        gateways = {
            name: opened.enter_context(closing(engine.gateway(name)))
            for name in engine.settings.gateways
        }
        engine.dispatcher(gateways, receive=receive, at=fate.at).serve(is_over)


# -- the process -----------------------------------------------------------------------------------


def _live(order: Order) -> int:
    """The life of a forked victim; returns its exit code."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    is_over = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: is_over.set())
    try:
        serve(order, is_over.is_set)
    except BaseException:  # noqa: BLE001 - whoever reads the error stream wants to see it
        traceback.print_exc()
        sys.stderr.flush()
        return BROKEN
    return 0


def _type(typed: Typed, lent: Sequence[int] = ()) -> NoReturn:
    """Be ``python -m smsengine WORDS`` to the interpreter's end; unlent, nobody is at its keys."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    own = () if lent else (os.devnull, typed.out, typed.err)
    opened = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600) for path in own]
    for number, stream in enumerate(lent or opened):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(typed.folder)
    os.environ.clear()
    os.environ.update(typed.environment)
    warnings.resetwarnings()
    warnings.simplefilter("default")
    logging.getLogger("smsengine").handlers.clear()
    sys.argv = ["smsengine", *typed.words]
    runpy.run_module("smsengine", run_name="__main__", alter_sys=True)
    sys.exit()


class Zygote:
    """Forks victims, signals them, and says what becomes of them."""

    def __init__(self, door: socket.socket) -> None:
        self._running: set[int] = set()
        self._lenders: dict[int, socket.socket] = {}
        self._door = door
        self._unread = b""
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)

    def run(self) -> None:
        """Work until standard input ends; then no victim is left."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        with selectors.DefaultSelector() as ready:
            ready.register(0, selectors.EVENT_READ)
            ready.register(self._woken, selectors.EVENT_READ)
            ready.register(self._door, selectors.EVENT_READ)
            while self._serve(ready.select()):
                pass
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _serve(self, ready: Sequence[tuple[selectors.SelectorKey, int]]) -> bool:
        for key, _ in ready:
            if key.fd == self._woken:
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._report()
            elif key.fileobj is self._door:
                self._lend()
            elif not self._read():
                return False
        return True

    def _read(self) -> bool:
        """Do what standard input says; False at its end."""
        read = os.read(0, 65536)
        *lines, self._unread = (self._unread + read).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "start" in command:
                self._begin(lambda order=Order(**command["start"]): os._exit(_live(order)))  # type: ignore[misc]
            elif "type" in command:
                self._begin(lambda typed=Typed(**command["type"]): _type(typed))  # type: ignore[misc]
            elif command["pid"] in self._running:
                os.kill(command["pid"], command["signal"])
        return bool(read)

    def _begin(self, live: Callable[[], NoReturn]) -> None:
        _say({"started": self._start(live)})

    def _lend(self) -> None:
        """Start what somebody types who lends his streams; he alone hears of its end."""
        lender, _ = self._door.accept()
        asked, streams, _, _ = socket.recv_fds(lender, 1_000_000, 3)
        typed = Typed(**json.loads(asked))
        self._lenders[self._start(lambda: _type(typed, streams))] = lender
        for stream in streams:
            os.close(stream)

    def _start(self, live: Callable[[], NoReturn]) -> int:
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            live()
        self._running.add(pid)
        return pid

    def _report(self) -> None:
        """Say what has become of victims since the last time."""
        options = os.WNOHANG | os.WUNTRACED | os.WCONTINUED
        for pid in list(self._running):
            while (found := os.waitpid(pid, options))[0]:
                status = found[1]
                if pid in self._lenders:
                    self._return(pid, status)
                    break
                if os.WIFSTOPPED(status):
                    _say({"stopped": pid})
                elif os.WIFCONTINUED(status):
                    _say({"continued": pid})
                else:
                    self._running.discard(pid)
                    _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})
                    break

    def _return(self, pid: int, status: int) -> None:
        if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
            return
        self._running.discard(pid)
        with self._lenders.pop(pid) as lender, suppress(BrokenPipeError):
            lender.send(str(os.waitstatus_to_exitcode(status)).encode())


def _say(what: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    # what a gateway has to say of its connections is no traceback
    logging.getLogger("smsengine").addHandler(logging.NullHandler())
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as door:
        Zygote(door).run()
