"""The test's side of ``victims.py``: starts senders, kills and freezes them, sees how they end."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.flow.victims import BROKEN, Order, Typed

ROOT = Path(__file__).resolve().parents[2]
LENT = Path(__file__).with_name("lent.py")
PATIENCE = 60.0


def until(
    condition: Callable[[], Any], what: str = "what was waited for", seconds: float = PATIENCE
) -> Any:
    """What a condition gives as soon as it gives something; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"in {seconds:g} s it did not happen: {what}"
        pause.wait(0.01)
    return found


@dataclass(eq=False)
class Victim:
    """A sender that was started; ``code`` is how it ended, minus the signal that killed it."""

    pid: int
    victims: Victims
    code: int | None = None
    is_stopped: bool = False

    def poll(self) -> int | None:
        """How it ended; None while it is alive."""
        return self.wait(0)

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """How it ended; None when it is still alive after so many seconds."""
        self.victims.listen(lambda: self.code is not None, seconds)
        assert self.code != BROKEN, self.victims.said()
        return self.code

    def kill(self) -> None:
        """Kill it, if it is still there, and see it die."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def end(self) -> int | None:
        """Ask it to end, and wait for it."""
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def freeze(self) -> None:
        """Stop it until it is thawed."""
        self.send_signal(signal.SIGSTOP)
        self.is_frozen()

    def is_frozen(self, seconds: float = PATIENCE) -> bool:
        """Wait until it is frozen; False when it is not, or has ended."""
        self.victims.listen(lambda: self.is_stopped or self.code is not None, seconds)
        return self.is_stopped

    def thaw(self) -> None:
        """Let it go on."""
        self.send_signal(signal.SIGCONT)

    def send_signal(self, number: int) -> None:
        self.victims.tell({"signal": number, "pid": self.pid})


class Victims:
    """The process that forks victims."""

    def __init__(self, folder: Path) -> None:
        self._errors = folder / "errors"
        self.door = folder / "door"
        self._known: dict[int, Victim] = {}
        self._newest: Victim | None = None
        self._unread = b""
        with (
            self._errors.open("wb") as errors,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door,
        ):
            door.bind(str(self.door))
            door.listen()
            number = door.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.flow.victims", str(number)],
                pass_fds=[number],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )

    def type(self, words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Type a command of ``smsengine`` in a folder, and see how it ends and what it says."""
        files = [self._errors.with_name(name) for name in ("out", "err")]
        for file in files:
            file.write_bytes(b"")
        out, err = map(str, files)
        typed = Typed(
            words=words, folder=str(folder), out=out, err=err, environment=dict(os.environ)
        )
        victim = self.start(typed)
        code = victim.wait(2 * PATIENCE)
        victim.kill()
        said = [file.read_text(encoding="utf-8") for file in files]
        assert code is not None, f"it does not end: {words}: {said}"
        return subprocess.CompletedProcess(list(words), code, *said)

    def command(self) -> str:
        """What a shell begins a line with, to type a command that is forked as well."""
        return shlex.join([sys.executable, "-I", "-S", str(LENT), str(self.door)])

    def start(self, order: Order | Typed) -> Victim:
        """Fork a victim."""
        self._newest = None
        self.tell(order.command())
        assert self.listen(lambda: self._newest is not None, PATIENCE), self.said()
        assert self._newest is not None
        return self._newest

    def tell(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def listen(self, is_there: Callable[[], bool], seconds: float) -> bool:
        """Take in what happens until a condition holds; False when it does not in time."""
        deadline = time.monotonic() + seconds
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        while not is_there():
            left = max(0.0, deadline - time.monotonic())
            if not select.select([output], [], [], left)[0]:
                return is_there()
            read = os.read(output, 65536)
            assert read, self.said()
            *lines, self._unread = (self._unread + read).split(b"\n")
            for line in lines:
                self._take_in(json.loads(line))
        return True

    def _take_in(self, event: Mapping[str, int]) -> None:
        if "started" in event:
            self._newest = Victim(event["started"], self)
            self._known[self._newest.pid] = self._newest
        elif "ended" in event:
            self._known.pop(event["ended"]).code = event["code"]
        else:
            (what, pid), *_ = event.items()
            self._known[pid].is_stopped = what == "stopped"

    def said(self) -> str:
        """What victims wrote before they broke."""
        return self._errors.read_text(errors="replace")

    def clear(self) -> None:
        """Let no victim live."""
        for victim in list(self._known.values()):
            victim.kill()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        assert "" == self.said()
