"""How a daily table gets there: into a folder, by mail, by SFTP.

A way says that a table has arrived only when the other side has said, or shown, so. Until then it
is tried again, with the same name and the same bytes, so that whoever gets it twice knows it again.
"""

from __future__ import annotations

import hashlib
import os
import smtplib
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

from smsengine.errors import DeliveryError
from smsengine.mail_server import MailServer, words_of
from smsengine.mailbox import mask_addresses
from smsengine.text.numerals import money

_XLSX = ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A table to be delivered; ``path`` is a copy of it on this machine. ``amount`` is đồng."""

    path: Path
    file_name: str
    sha256: str
    organisation: str
    code: str
    day: date
    supplement: int
    lines: int
    amount: int


class Carrier(Protocol):
    """One way, for as many tables as there are."""

    def carry(self, parcel: Parcel, target: str) -> str:
        """Deliver a table; returns what the other side said.

        Raises:
            DeliveryError: it did not arrive, as far as is known.
        """

    def close(self) -> None:
        """Let go of connections."""


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_same(name: str, found: str, parcel: Parcel) -> None:
    """What stands there under the same name must be the same.

    Raises:
        DeliveryError: it is another table.
    """
    if found != parcel.sha256:
        raise DeliveryError(
            f"Another file stands there as {name}; a table that was sent never changes. Look at it,"
            " and move it away."
        )


class FolderCarrier:
    """Puts tables into a folder, each whole at once."""

    def __init__(self, base: Path, outbox: Path) -> None:
        """Begin.

        Args:
            base: where relative folders start.
            outbox: the folder for tables that name none; it is made.
        """
        self._base, self._outbox = base, outbox

    def carry(self, parcel: Parcel, target: str) -> str:
        folder = self._base / target if target else self._outbox
        try:
            if not target:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._put(parcel, folder)
        except OSError as error:
            raise DeliveryError(
                f"The folder {folder} cannot be used ({error.strerror}).", is_server=not target
            ) from error
        return "in the folder"

    def _put(self, parcel: Parcel, folder: Path) -> None:
        """Write beside, wait for the disk, and give it its name."""
        path, part = folder / parcel.file_name, folder / f".{parcel.file_name}.part"
        if path.exists():
            require_same(parcel.file_name, sha256_of(path), parcel)
            return
        with open(part, "wb", opener=_private) as file:
            file.write(parcel.path.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def close(self) -> None:
        """Nothing is held."""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """What all mails with tables have in common."""

    sender: str
    name: str
    subject: str


class MailCarrier:
    """Sends tables by mail, one to each address; its connection is kept for the next one."""

    def __init__(self, server: MailServer, letterhead: Letterhead, now: datetime) -> None:
        self._server, self._head, self._now = server, letterhead, now
        self._stack = ExitStack()
        self._open: smtplib.SMTP | None = None

    def carry(self, parcel: Parcel, target: str) -> str:
        """The server has answered 250: it is responsible for the mail now."""
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(
                f"The mail server {self._server.host} cannot be used ({_said(error)}).",
                is_server=True,
            ) from error
        try:
            server.send_message(self._mail(parcel, target))
        except (OSError, smtplib.SMTPException) as error:
            if not isinstance(error, smtplib.SMTPRecipientsRefused):
                self.close()
            raise DeliveryError(
                f"The mail server {self._server.host} did not take it ({_said(error)})."
            ) from error
        return "250 by the mail server"

    def _connected(self) -> smtplib.SMTP:
        if self._open is not None and self._open.sock is None:
            self.close()
        if self._open is None:
            self._open = self._stack.enter_context(self._server.connected())
        return self._open

    def _mail(self, parcel: Parcel, target: str) -> EmailMessage:
        head = self._head
        day = f"{parcel.day:%d/%m/%Y}"
        extra = f", bổ sung lần {parcel.supplement}" if parcel.supplement else ""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"{head.name} <{head.sender}>" if head.name else head.sender
        mail["To"] = target
        mail["Subject"] = f"{head.subject}, {day}{extra}, {parcel.code}"
        mail["Date"] = self._now
        # The same for every try: who gets a mail twice knows it again.
        known = hashlib.sha256(f"{parcel.sha256} {target}".encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{known}@{head.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(
            f"Kính gửi {parcel.organisation},\n\n"
            f"Gửi kèm bảng tổng hợp ngày {day}{extra}: {money(parcel.lines)} dòng,"
            f" tổng số tiền {money(parcel.amount)} đồng.\n"
        )
        content = parcel.path.read_bytes()
        mail.add_attachment(content, maintype=_XLSX[0], subtype=_XLSX[1], filename=parcel.file_name)
        return mail

    def close(self) -> None:
        self._open = None
        with suppress(OSError, smtplib.SMTPException):
            self._stack.close()


def _said(error: Exception) -> str:
    """What a failure is, in few words; addresses masked."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return mask_addresses(f"{code} {words_of(words)}")
    if isinstance(error, smtplib.SMTPResponseException):
        return mask_addresses(f"{error.smtp_code} {words_of(error.smtp_error)}")
    return str(getattr(error, "strerror", None) or type(error).__name__)
