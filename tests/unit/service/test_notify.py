"""What systemd hears, on a real socket of its kind."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsengine.service.notify import Notifier


class Systemd:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.settimeout(5)

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["file", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both kinds of address that systemd may give."""
    return str(tmp_path / "n") if request.param == "file" else f"@smsengine-test-{os.getpid()}"


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    listening = Systemd(address)
    yield listening
    listening.socket.close()


def test_each_thing_is_said_in_systemds_words(systemd: Systemd, address: str) -> None:
    """Ready, status, alive, stopping; a status is one line."""
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("leads;\nnext c12-statement")
    notifier.status("waits")
    notifier.alive()
    notifier.stopping()
    assert [systemd.heard() for _ in range(4)] == [
        ["READY=1", "STATUS=leads; next c12-statement"],
        ["STATUS=waits"],
        ["WATCHDOG=1"],
        ["STOPPING=1"],
    ]


def test_reloading_says_since_when(systemd: Systemd, address: str) -> None:
    """systemd compares the instant with its own clock, in microseconds."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier({"NOTIFY_SOCKET": address}).reloading()
    first, since = systemd.heard()
    assert first == "RELOADING=1"
    told = re.fullmatch(r"MONOTONIC_USEC=(\d+)", since)
    assert told is not None
    assert before <= int(told[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_without_systemd_nothing_happens() -> None:
    """The same daemon runs in a container or a terminal."""
    notifier = Notifier({})
    notifier.ready("fine")
    assert notifier.watchdog_seconds is None


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    """systemd itself may be starting anew."""
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.ready()
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_systemd_is_told_twice_as_often_as_it_asks(
    environment: dict[str, str], seconds: float | None
) -> None:
    """And only by the process that it asks."""
    assert Notifier(environment).watchdog_seconds == seconds
