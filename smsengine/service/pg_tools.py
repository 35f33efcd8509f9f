"""PostgreSQL's own programs, ``pg_dump`` and ``pg_restore``: found, asked, and never told a secret
where others could read it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url

from smsengine.errors import StoreError, UsageError

_INSTALLED = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One of the programs. ``version`` is its major version."""

    name: str
    path: str
    version: int


def find(name: str, server: int) -> Tool:
    """The program of the version nearest above the server's.

    Raises:
        UsageError: it is not installed, or older than the server.
    """
    found = sorted(_all(name), key=lambda tool: tool.version)
    fitting = [tool for tool in found if tool.version >= server]
    if fitting:
        return fitting[0]
    if not found:
        raise UsageError(
            f"{name} is not installed on this machine; install PostgreSQL's client programs of"
            f" version {server} or newer (apt-get install postgresql-client)."
        )
    raise UsageError(
        f"{name} is of version {found[-1].version}, the server of version {server}; install"
        f" PostgreSQL's client programs of version {server} or newer."
    )


def _all(name: str) -> Iterator[Tool]:
    """What is on PATH, and what Debian keeps beside it."""
    on_path = shutil.which(name)
    paths = [on_path] if on_path else []
    paths += [str(path) for path in sorted(_INSTALLED.glob(f"*/bin/{name}"))]
    for path in paths:
        said = subprocess.run(  # noqa: S603 - found by name
            [path, "--version"], capture_output=True, text=True, check=False
        )
        match = _VERSION.search(said.stdout)
        if match is not None:
            yield Tool(name=name, path=path, version=int(match[1]))


def run(tool: Tool, *words: str, database: str = "") -> str:
    """Run a program; its complaints become one sentence.

    Args:
        tool: which one.
        words: what it is told.
        database: the URL of a database that it works on; a password in it goes by the environment.

    Returns:
        What it printed.

    Raises:
        StoreError: it failed.
    """
    environment = dict(os.environ)
    if database:
        address, password = _address(make_url(database))
        words = ("--no-password", f"--dbname={address}", *words)
        if password:
            environment["PGPASSWORD"] = password
    done = subprocess.run(  # noqa: S603 - our own words
        [tool.path, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        complaint = done.stderr.strip().partition("\n")[0] or f"it ended with {done.returncode}"
        raise StoreError(f"{tool.name} failed: {complaint.rstrip('.')}.")
    return done.stdout


def _address(url: URL) -> tuple[str, str]:
    """A URL as PostgreSQL's programs read it, without its password, and the password."""
    query = dict(url.query)
    password = str(query.pop("password", "") or url.password or "")
    plain = url.set(drivername="postgresql", query=query)
    # Not by set(): None stands there for what stays as it is.
    bare = URL.create(
        plain.drivername,
        username=plain.username,
        host=plain.host,
        port=plain.port,
        database=plain.database,
        query=plain.query,
    )
    return bare.render_as_string(hide_password=False), password
