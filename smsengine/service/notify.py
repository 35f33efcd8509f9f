"""What systemd is told: ready, reloading, stopping, alive. Without systemd nothing happens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Says to systemd how the service is; a message that cannot be sent is dropped."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog_seconds(environment)

    def ready(self, status: str = "") -> None:
        """The service has started, or has reloaded."""
        self._tell("READY=1", *_status(status))

    def status(self, status: str) -> None:
        """One line for ``systemctl status``."""
        self._tell(*_status(status))

    def alive(self) -> None:
        """To be said at least every ``watchdog_seconds``, while all is well."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """The configuration is being read again; ``ready`` says when that is done."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> None:
        """The service ends; what is under way is waited for."""
        self._tell("STOPPING=1", *_status(status))

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.settimeout(1)
            end.sendto("\n".join(lines).encode(), self._address)


def _status(status: str) -> list[str]:
    return [f"STATUS={' '.join(status.split())}"] if status else []


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often systemd must hear that all is well: half of what it allows; None for never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        allowed = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return allowed / 2e6 if allowed > 0 else None
