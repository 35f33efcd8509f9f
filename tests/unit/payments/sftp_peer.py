"""A real SFTP server on this machine: asyncssh's own, in a folder, with a book of what it saw."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "bhxh", "no secret, only for this test"


@dataclass(kw_only=True)
class SftpBook:
    """Where it listens, what it lets in, and what was done there.

    ``cut`` bytes of each file are thrown away; ``refuses`` names operations that it does not do.
    """

    folder: Path
    host_key: Any
    client_key: Any
    port: int = 0
    cut: int = 0
    refuses: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def known_hosts(self, path: Path, key: Any = None) -> Path:
        """A file in which its key stands, or another one."""
        public = (key or self.host_key).export_public_key().decode()
        path.write_text(f"[localhost]:{self.port} {public}", encoding="ascii")
        return path

    def names(self) -> list[str]:
        return sorted(each.name for each in self.folder.rglob("*") if each.is_file())


def _door(book: SftpBook) -> type[asyncssh.SSHServer]:
    class Door(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return self._let_in("password", (username, password) == (USER, PASSWORD))

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: Any) -> bool:
            is_known = key == book.client_key.convert_to_public()
            return self._let_in("key", username == USER and is_known)

        def _let_in(self, how: str, may: bool) -> bool:
            book.logins.append(how if may else f"{how} refused")
            return may

    return Door


def _desk(book: SftpBook) -> type[asyncssh.SFTPServer]:
    class Desk(asyncssh.SFTPServer):
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(book.folder).encode())

        def close(self, file: Any) -> Any:
            if book.cut and file.writable():
                file.truncate(max(0, file.tell() - book.cut))
            return super().close(file)

        def rename(self, old: bytes, new: bytes) -> Any:
            book.done.append("rename")
            return super().rename(old, new)

        def posix_rename(self, old: bytes, new: bytes) -> Any:
            if "posix-rename" in book.refuses:
                raise asyncssh.SFTPOpUnsupported("not here")
            book.done.append("posix-rename")
            return super().posix_rename(old, new)

        def open(self, path: bytes, flags: int, attrs: Any) -> Any:
            if "open" in book.refuses and flags & asyncssh.FXF_WRITE:
                raise asyncssh.SFTPPermissionDenied("not here")
            book.done.append("write" if flags & asyncssh.FXF_WRITE else "read")
            return super().open(path, flags, attrs)

    return Desk


@contextmanager
def sftp_server(folder: Path) -> Iterator[SftpBook]:
    """A server on a free port, until the block ends."""
    folder.mkdir(exist_ok=True)
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _key in range(2)]
    book = SftpBook(folder=folder, host_key=keys[0], client_key=keys[1])
    loop = asyncio.new_event_loop()

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[book.host_key],
            server_factory=_door(book),
            sftp_factory=_desk(book),
        )

    server = loop.run_until_complete(listen())
    book.port = server.get_port()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def end() -> None:
        server.close()
        await server.wait_closed()
        others = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)

    try:
        yield book
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(end())
        loop.close()
