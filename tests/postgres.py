"""PostgreSQL for tests and benches: a throw-away server, and ledgers on it.

The server is a real one in a folder of its own, on a port of its own; one that the system may have
running is neither used nor disturbed. ``SMSENGINE_TEST_POSTGRES`` names another server to use.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql
from sqlalchemy import Connection, make_url

from smsengine.store import schema
from smsengine.store.all_tables import metadata
from smsengine.store.engine import Store

GIVEN = "SMSENGINE_TEST_POSTGRES"
MISSING = (
    "PostgreSQL's initdb and postgres are not here; run 'apt-get install postgresql', or name a"
    f" server in {GIVEN}."
)
Mode = Literal["smart", "fast", "immediate"]

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_OWNER, _ADMIN = "smsengine", "postgres"
_SECONDS = 60
_MANY_BYTES = 1_000_000
#: Below the range that Linux gives to clients, so that none of them sits on the port while the
#: server is down.
_PORTS = range(20_000, 32_000)
#: Vietnam's time zone shows where an instant was left to the server's opinion.
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "32MB",
    "full_page_writes": "off",
    "timezone": "Asia/Ho_Chi_Minh",
    "log_min_messages": "warning",
}
#: When this process ends, however it ends, its end of the pipe closes.
_WATCH = """
read -r _
kill -QUIT "$1" 2>/dev/null
while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
rm -rf "$2"
"""


class MissingPostgresError(Exception):
    """There is no PostgreSQL to test with."""


def programs() -> Path:
    """The folder of PostgreSQL's programs: from PATH, or the newest that Debian installed.

    Raises:
        MissingPostgresError: one sentence that says how to get them.
    """
    on_path = shutil.which("initdb")
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(installed, key=lambda path: int(path.parts[-3]))
    if on_path is not None:
        found.append(Path(on_path).resolve())
    if not found or not (found[-1].parent / "postgres").exists():
        raise MissingPostgresError(MISSING)
    return found[-1].parent


class Databases:
    """Databases with the ledger's schema, on a server that is there already."""

    def __init__(self, url: str) -> None:
        """Remember a server.

        Args:
            url: one of its databases, through an account that may create others.
        """
        self.url = url
        self._admin_url = url
        self._owner = ""
        self._stem = f"smsengine_test_{secrets.token_hex(4)}"
        self._made: list[str] = []
        self._template = ""

    def create_database(self) -> str:
        """Make an empty ledger of the newest version; returns its URL."""
        if not self._template:
            template = Store(self.create_empty_database())
            schema.upgrade(template)
            template.close()
            self._template = self._made[-1]
        return self._create(f" TEMPLATE {self._template}")

    def create_empty_database(self, options: str = "") -> str:
        """Make a database without any table; returns its URL."""
        return self._create(f" TEMPLATE template0 {options}")

    def cut_connections(self) -> None:
        """End every connection to our databases, as a network or an administrator would."""
        with self._admin() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname LIKE %s AND pid <> pg_backend_pid()",
                [f"{self._stem}%"],
            )

    def close(self) -> None:
        """Drop every database that was made here."""
        with self._admin() as connection:
            for name in self._made:
                connection.execute(sql.SQL("DROP DATABASE {} (FORCE)").format(sql.Identifier(name)))
        self._made.clear()
        self._template = ""

    def _create(self, how: str) -> str:
        name = f"{self._stem}_{len(self._made)}"
        owner = f" OWNER {self._owner}" if self._owner else ""
        with self._admin() as connection:
            connection.execute(f"CREATE DATABASE {name}{owner}{how}".encode())
        self._made.append(name)
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def _admin(self) -> Iterator[psycopg.Connection[Any]]:
        plain = make_url(self._admin_url).set(drivername="postgresql")
        with psycopg.connect(
            plain.render_as_string(hide_password=False), autocommit=True
        ) as connection:
            yield connection


class Server(Databases):
    """A PostgreSQL of its own, started at once, removed by ``close`` or with this process."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make a cluster and start it.

        Args:
            durable: really write to disk at each commit; benches want that, tests do not.

        Raises:
            MissingPostgresError: its programs are not installed.
        """
        self._programs = programs()
        # A short path, since a socket's may have 107 characters; readable for another user.
        self.folder = Path(tempfile.mkdtemp(prefix="smsengine-pg-", dir="/tmp"))
        self._user = _unprivileged()
        if self._user is not None:
            shutil.chown(self.folder, self._user, pwd.getpwnam(self._user).pw_gid)
        self._settings = dict(_SETTINGS)
        if durable:
            del self._settings["full_page_writes"]
        else:
            self._settings["fsync"] = "off"
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        try:
            self._make_cluster()
        except BaseException:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        """Say whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server on its port and wait until it answers."""
        command = [self._programs / "postgres", "-D", self.folder / "data"]
        with (self.folder / "log").open("ab") as log:
            self._process = self._spawn(command, stdout=log, stderr=log)
        self._watch = self._spawn(
            ["sh", "-c", _WATCH, "watch", str(self._process.pid), self.folder],
            stdin=subprocess.PIPE,
        )
        for _ in range(_SECONDS * 50):
            with suppress(psycopg.OperationalError), self._admin():
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                break
        said = (self.folder / "log").read_text(errors="replace").strip()[-2000:]
        self.stop("immediate")
        raise RuntimeError(f"PostgreSQL did not start: {said}")

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server; ``immediate`` is what a power cut does."""
        if self._watch is not None:
            self._watch.kill()
            self._watch.communicate()
        if self._process is not None:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(_SECONDS)
        self._watch = self._process = None

    def restart(self, mode: Mode = "fast") -> None:
        """Stop and start it on the same port, with the same databases."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove all that it wrote."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_cluster(self) -> None:
        words = ["-U", _ADMIN, "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync"]
        self._spawn(
            [self._programs / "initdb", "-D", self.folder / "data", *words],
            stdout=subprocess.DEVNULL,
        ).communicate(timeout=_SECONDS)
        port = _free_port()
        settings = self._settings | {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
        }
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        address = f"127.0.0.1:{port}/postgres"
        super().__init__(f"postgresql+psycopg://{_OWNER}@{address}")
        self._owner, self._admin_url = _OWNER, f"postgresql://{_ADMIN}@{address}"
        self.start()
        with self._admin() as connection:
            connection.execute(f"CREATE ROLE {_OWNER} LOGIN")

    def _spawn(self, command: list[Any], **streams: Any) -> subprocess.Popen[bytes]:
        """Start a program as the server's user, out of reach of the terminal's Ctrl-C."""
        account = pwd.getpwnam(self._user) if self._user is not None else None
        as_user: dict[str, Any] = (
            {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        )
        streams = {"stdin": subprocess.DEVNULL} | streams
        return subprocess.Popen(
            command, cwd=self.folder, start_new_session=True, **streams, **as_user
        )


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root; any other user runs it as himself."""
    if os.geteuid() != 0:
        return None
    known = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    """A port that nobody listens on; processes that look at the same time try different ones."""
    first = os.getpid() * 8
    for offset in range(len(_PORTS)):
        port = _PORTS[(first + offset) % len(_PORTS)]
        with closing(socket.socket()) as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"Every port from {_PORTS.start} to {_PORTS.stop} is taken.")


def clear(connection: Connection) -> None:
    """Empty a ledger and number its rows from 1 again.

    Deleting a few rows takes a tenth of the time of TRUNCATE, which makes new files.
    """
    tables = [table.name for table in reversed(metadata.sorted_tables)]
    sizes = " + ".join(f"pg_relation_size('{name}')" for name in tables)
    if connection.exec_driver_sql(f"SELECT {sizes}").scalar_one() > _MANY_BYTES:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
        return
    deletes = [f"DELETE FROM {name}" for name in tables]
    numbers = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
    connection.exec_driver_sql("; ".join([*deletes, numbers]))
