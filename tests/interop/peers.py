"""Programs that we did not write, as processes of a test: npm's smpp and Debian's Kannel."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import pytest

from tests.flow.zygote import until

HOST = "127.0.0.1"
NODE = Path(__file__).resolve().parents[1] / "doubles" / "node"
MISSING_NODE = "node is not here; run 'apt-get install nodejs npm'."
MISSING_SMPP = "npm's smpp is not here; run 'npm ci' in tests/doubles/node."
MISSING_KANNEL = "Kannel's bearerbox and smsbox are not here; run 'apt-get install kannel'."
SYSTEM_ID, PASSWORD = "smsengine", "secret08"
_PATIENCE = 30
#: Below the range that Linux gives to clients.
_PORTS = range(20_000, 32_000)


class MissingPeerError(Exception):
    """A program is not on this machine; the sentence says how to get it."""


def node() -> str:
    """The program node, with npm's smpp beside our script.

    Raises:
        MissingPeerError: one of the two is not here.
    """
    found = shutil.which("node")
    if found is None:
        raise MissingPeerError(MISSING_NODE)
    if not (NODE / "node_modules" / "smpp").is_dir():
        raise MissingPeerError(MISSING_SMPP)
    return found


def kannel() -> tuple[str, str]:
    """Kannel's two programs.

    Raises:
        MissingPeerError: they are not here.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which("bearerbox", path=path), shutil.which("smsbox", path=path)
    if found[0] is None or found[1] is None:
        raise MissingPeerError(MISSING_KANNEL)
    return found[0], found[1]


def or_skip(find: Callable[[], object]) -> None:
    """On a machine that must have everything, a missing program is a failure."""
    try:
        find()
    except MissingPeerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; processes that look at the same time try different ones."""
    found: list[int] = []
    first = os.getpid() * 16
    for offset in range(len(_PORTS)):
        port = _PORTS[(first + offset) % len(_PORTS)]
        with closing(socket.socket()) as tried, suppress(OSError):
            tried.bind((HOST, port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("there are no free ports")


class NodeSmsc:
    """An SMSC made of npm's smpp, on a port that stays the same; settings as in ``smsc.js``."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: list[dict[str, Any]] = []
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, **changes: Any) -> None:
        """Start it; settings that are not given stay as they were."""
        self._settings |= {"port": self.port} | changes
        self._process = subprocess.Popen(
            [node(), NODE / "smsc.js", json.dumps(self._settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = json.loads(self._process.stdout.readline())["port"]
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def stop(self) -> None:
        """Be gone; what is under way is cut off."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()

    def ledger(self) -> list[dict[str, Any]]:
        """Each submit_sm that it took: n, to, ton, npi, from, coding, registered, text, udh."""
        return list(self._lines)

    def texts(self) -> dict[str, list[str]]:
        """By number: each text that it took, its parts put together again."""
        found: dict[str, dict[str, dict[int, str]]] = {}
        for each in self.ledger():
            group, place = each["udh"][:-2], int(each["udh"][-2:] or "1", 16)
            parts = found.setdefault(each["to"], {}).setdefault(group or str(each["n"]), {})
            assert place not in parts, f"{each['to']} has part {place} twice"
            parts[place] = each["text"]
        return {
            to: ["".join(parts[place] for place in sorted(parts)) for parts in groups.values()]
            for to, groups in found.items()
        }

    def _read(self, output: Any) -> None:
        for line in output:
            self._lines.append(json.loads(line))


_CONFIG = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {word}
status-password = {look}
smsbox-port = {box}
smsbox-interface = 127.0.0.1

group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = smsengine
smsc-password = secret08
system-type = ""
reconnect-delay = 1
{link}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = whole
password = {password}
max-messages = 10
concatenation = true

group = sendsms-user
username = cut
password = {password}
"""


class Kannel:
    """Kannel in front of an SMSC: user ``whole`` has max-messages, user ``cut`` has not."""

    password = "sendsms-4711"
    look = "status-4711"
    #: files that the configuration of our gateway names; a token may have any characters
    secrets: Mapping[str, str] = {
        "kannel.password": password,
        "kannel.look": look,
        "kannel.token": "100%d of/path 4711",
    }

    def __init__(self, folder: Path, smsc_port: int, **link: str) -> None:
        self._folder = folder
        self._smsc_port = smsc_port
        self._link = "\n".join(f"{name.replace('_', '-')} = {said}" for name, said in link.items())
        self._admin, self._box, self._sendsms = free_ports(3)
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        bearerbox, smsbox = kannel()
        config = self._folder / "kannel.conf"
        config.write_text(
            _CONFIG.format(
                admin=self._admin,
                box=self._box,
                sendsms=self._sendsms,
                smsc=self._smsc_port,
                link=self._link,
                word="admin-4711",
                look=self.look,
                password=self.password,
            )
        )
        try:
            self._run(bearerbox, config)
            until(lambda: _answers(self._admin) and _answers(self._box), "bearerbox", _PATIENCE)
            self._run(smsbox, config)
            until(lambda: _answers(self._sendsms), "smsbox", _PATIENCE)
            until(self.is_online, "the link", _PATIENCE)
            until(lambda: "smsbox:" in self.status(), "smsbox at bearerbox", _PATIENCE)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def options(self, callback_url: str, **changes: Any) -> Mapping[str, Any]:
        """The configuration of our gateway in front of it."""
        return {
            "kind": "kannel",
            "url": f"http://{HOST}:{self._sendsms}/cgi-bin/sendsms",
            "username": "whole",
            "password": "file:kannel.password",
            "sender": "BHXHVN",
            "max_messages": 10,
            "callback_url": callback_url,
            "callback_token": "file:kannel.token",
            "status_url": f"http://{HOST}:{self._admin}/status.txt",
            "status_password": "file:kannel.look",
        } | changes

    def is_online(self) -> bool:
        """Say whether its link to the SMSC is up."""
        return "(online" in self.status()

    def status(self) -> str:
        with urlopen(f"http://{HOST}:{self._admin}/status.txt?password={self.look}") as answer:
            return str(answer.read().decode())

    def _run(self, program: str, config: Path) -> None:
        """Its log holds whole texts; it stays in the test's folder."""
        with (self._folder / f"{Path(program).name}.log").open("wb") as log:
            self._running.append(
                subprocess.Popen(
                    [program, str(config)], cwd=self._folder, stdout=log, stderr=subprocess.STDOUT
                )
            )

    def _stop(self) -> None:
        """smsbox first; what does not end by itself is killed."""
        for process in reversed(self._running):
            process.kill()
            process.wait(_PATIENCE)


def _answers(port: int) -> bool:
    with closing(socket.socket()) as tried:
        return tried.connect_ex((HOST, port)) == 0
