"""Daily tables by SFTP, with asyncssh. The server's key must be known: there is no other way.

A table is uploaded under another name, its size there is compared, and then it gets its own name:
whoever looks into the folder sees whole tables only.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from smsengine.config.secret import Secret
from smsengine.errors import DeliveryError, MissingExtraError
from smsengine.payments.carriers import Parcel, require_same

if TYPE_CHECKING:
    import asyncssh

_CONNECT_SECONDS = 20
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class SftpServer:
    """Where tables are uploaded to. There is a ``key`` or a ``password``; ``seconds`` for one."""

    host: str
    port: int
    user: str
    key: Secret | None
    password: Secret | None
    known_hosts: Path
    folder: str
    seconds: float = field(default=300.0)


class SftpCarrier:
    """Uploads tables to one server, a connection for each."""

    def __init__(
        self, server: SftpServer, *, at: Callable[[str], None] = lambda _point: None
    ) -> None:
        """Begin.

        Args:
            server: where to.
            at: told the named points that are passed, for tests that end it there.

        Raises:
            MissingExtraError: asyncssh is not installed.
        """
        self._server, self._at = server, at
        self._ssh = _library()

    def carry(self, parcel: Parcel, target: str) -> str:  # noqa: ARG002 - the server is the target
        host = self._server.host
        try:
            return asyncio.run(asyncio.wait_for(self._upload(parcel), self._server.seconds))
        except self._ssh.HostKeyNotVerifiable as error:
            raise DeliveryError(
                f"{host} shows another key than the one that {self._server.known_hosts} has for it;"
                " ask its people before you trust the new one.",
                is_server=True,
            ) from error
        except self._ssh.PermissionDenied as error:
            raise DeliveryError(f"{host} does not let us in.", is_server=True) from error
        except self._ssh.SFTPError as error:
            name = type(error).__name__
            raise DeliveryError(f"{host} did not take it ({name}).") from error
        except self._ssh.KeyImportError as error:
            raise DeliveryError(f"The private key for {host} cannot be read.") from error
        except (self._ssh.Error, OSError, ValueError) as error:
            said = str(getattr(error, "strerror", None) or type(error).__name__)
            raise DeliveryError(f"{host} cannot be used ({said}).", is_server=True) from error

    async def _upload(self, parcel: Parcel) -> str:
        async with self._connected() as connection, connection.start_sftp_client() as sftp:
            folder = self._server.folder.rstrip("/") or "/"
            path = f"{folder}/{parcel.file_name}"
            if await sftp.exists(path):
                require_same(parcel.file_name, await _hash(sftp, path), parcel)
                return "there already, the same"
            part = f"{folder}/.{parcel.file_name}.part"
            await sftp.put(str(parcel.path), part)
            await _require_size(sftp, part, parcel)
            self._at("uploaded")
            await self._rename(sftp, part, path)
            self._at("renamed")
            await _require_size(sftp, path, parcel)
            return "uploaded and compared"

    async def _rename(self, sftp: asyncssh.SFTPClient, part: str, path: str) -> None:
        """At once where the server can; nothing stands at ``path``."""
        try:
            await sftp.posix_rename(part, path)
        except self._ssh.SFTPOpUnsupported:
            await sftp.rename(part, path)

    def _connected(self) -> Any:
        server = self._server
        keys = [self._ssh.import_private_key(server.key.reveal() + "\n")] if server.key else ()
        password = server.password.reveal() if server.password else None
        return self._ssh.connect(
            server.host,
            server.port,
            username=server.user,
            password=password,
            client_keys=keys,
            known_hosts=self._ssh.read_known_hosts(str(server.known_hosts)),
            agent_path=None,
            config=None,
            gss_auth=False,
            gss_kex=False,
            connect_timeout=_CONNECT_SECONDS,
            login_timeout=_CONNECT_SECONDS,
            preferred_auth="publickey" if server.key else "password",
        )

    def close(self) -> None:
        """Nothing is held."""


def _library() -> Any:
    try:
        import asyncssh
    except ImportError as error:
        raise MissingExtraError(
            "Daily tables by SFTP need the Python library asyncssh; install it with"
            " `pip install 'smsengine[sftp]'`."
        ) from error
    return asyncssh


async def _require_size(sftp: asyncssh.SFTPClient, path: str, parcel: Parcel) -> None:
    """What arrived is as long as what was sent.

    Raises:
        DeliveryError: it is not.
    """
    there = (await sftp.stat(path)).size
    wanted = parcel.path.stat().st_size
    if there != wanted:
        raise DeliveryError(f"Of {wanted} bytes {there} arrived.")


async def _hash(sftp: asyncssh.SFTPClient, path: str) -> str:
    found = hashlib.sha256()
    async with sftp.open(path, "rb") as file:
        while block := await file.read(_BLOCK):
            found.update(cast(bytes, block))
    return found.hexdigest()
