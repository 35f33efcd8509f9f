"""Who works on what: names for processes that another process can check.

``host:pid:start:namespace``; the start time tells a process from a later one with the same number.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def _start_time(pid: int) -> str | None:
    """The kernel's start tick of a process; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _namespace() -> str:
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""


def own_identity() -> str:
    """The name of this process."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start_time(pid) or ''}:{_namespace()}"


def is_surely_gone(identity: str) -> bool:
    """Say whether that process can be proved to have ended.

    False when it runs, and also when it cannot be told: another host or another container.
    """
    return _is_running(identity) is False


def is_surely_running(identity: str) -> bool:
    """Say whether that process can be proved to run; False also when it cannot be told."""
    return _is_running(identity) is True


def _is_running(identity: str) -> bool | None:
    """None when it cannot be told from here."""
    try:
        host, pid, start, namespace = identity.rsplit(":", 3)
        number = int(pid)
    except ValueError:
        return None
    if host != socket.gethostname() or namespace != _namespace() or not namespace:
        return None
    return _start_time(number) == start
