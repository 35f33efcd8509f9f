"""The ways by which people are told: mail, a webhook, the log; and the ping of a dead-man switch.

A way never raises: it says in a sentence why it could not tell. What it says holds no URL, since a
URL may be a secret, and no password.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Protocol

import requests

from smsengine.config import secret
from smsengine.config.alerts import AlertSettings, Smtp, Webhook
from smsengine.config.secret import Secret
from smsengine.errors import ConfigError
from smsengine.lifecycle import Grade
from smsengine.mail_server import MailServer, words_of

#: Seconds for each step of a mail, and for connecting to a webhook.
_STEP_SECONDS = 10.0
_TIMEOUT = (_STEP_SECONDS, 20.0)
_LEVELS = {Grade.NOTE: logging.INFO, Grade.WARNING: logging.WARNING, Grade.URGENT: logging.ERROR}

logger = logging.getLogger("smsengine.alarms")


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What is told at once. ``subject`` is one line; ``keys`` are those of the alarms in it."""

    grade: Grade
    subject: str
    text: str
    at: datetime
    keys: tuple[str, ...]


class Channel(Protocol):
    """One way."""

    def tell(self, letter: Letter) -> str:
        """Tell it; says why that was not possible, empty when somebody took it."""

    def check(self) -> str:
        """Look whether it could tell now, without telling anybody; what was found in few words.

        Raises:
            ConfigError: it could not.
        """


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Mail through one server."""

    settings: Smtp
    password: Secret | None
    ca: Path | None
    installation: str

    def tell(self, letter: Letter) -> str:
        try:
            refused = self._send(self._message(letter))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return f"The mail server {self.settings.host} took nothing: {_smtp_said(error)}"
        for address, (code, said) in refused.items():
            logger.warning("The mail server refused %s: %s %s", address, code, words_of(said))
        return ""

    def check(self) -> str:
        host = self.settings.host
        try:
            with self._server().connected() as server:
                server.noop()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise ConfigError(
                f"The mail server {host} cannot be used: {_smtp_said(error)}; look at alerts.smtp."
            ) from error
        return f"mail through {host}"

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.settings.sender
        message["To"] = ", ".join(self.settings.to)
        message["Subject"] = f"[{self.installation}] {letter.subject}"
        message["Date"] = format_datetime(letter.at)
        message["Message-ID"] = make_msgid(domain=self.settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        if letter.grade is Grade.URGENT:
            message["Importance"] = "high"
        message.set_content(letter.text + "\n", charset="utf-8")
        return message

    def _send(self, message: EmailMessage) -> Mapping[str, tuple[int, bytes]]:
        """Returns the addresses that were refused; all of them raise."""
        with self._server().connected() as server:
            return server.send_message(message)

    def _server(self) -> MailServer:
        settings = self.settings
        return MailServer(
            host=settings.host,
            port=settings.known_port,
            tls="implicit" if settings.security == "tls" else settings.security,
            user=settings.user or "",
            password=self.password.reveal() if self.password else "",
            ca=self.ca,
            seconds=_STEP_SECONDS,
        )


def _smtp_said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refuses " + ", ".join(
            f"{address} ({code} {words_of(said)})"
            for address, (code, said) in error.recipients.items()
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {words_of(error.smtp_error)}"
    return str(error) or type(error).__name__


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A program that is sent JSON."""

    url: Secret
    headers: Mapping[str, Secret]
    installation: str

    def tell(self, letter: Letter) -> str:
        facts = {
            "installation": self.installation,
            "grade": letter.grade.value,
            "text": letter.text,
            "at": letter.at.astimezone(UTC).isoformat(),
            "key": letter.keys[0],
            "keys": list(letter.keys),
        }
        headers = {name: value.reveal() for name, value in self.headers.items()}
        return _asked(
            "webhook",
            lambda: requests.post(
                self.url.reveal(),
                json=facts,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ),
        )

    def check(self) -> str:
        """What it would answer is known only when it is told something."""
        return "a webhook, not tried"


def _asked(what: str, ask: Callable[[], requests.Response]) -> str:
    """Only an answer of 200 to 299 counts; the names of faults are said, which hold no URL."""
    try:
        with ask() as response:
            good = 200 <= response.status_code < 300
            return "" if good else f"The {what} answered {response.status_code}."
    except (requests.RequestException, OSError, ValueError) as error:
        return f"The {what} cannot be reached ({type(error).__name__})."


class Log:
    """The log of the daemon: what is told where no other way is set up, line by line."""

    def tell(self, letter: Letter) -> str:
        for line in filter(None, letter.text.splitlines()):
            logger.log(_LEVELS[letter.grade], "%s", line)
        return ""

    def check(self) -> str:
        return "only the log is told; see alerts in config.yaml"


def ping(url: Secret) -> str:
    """Let a dead-man switch know that all is well; says why it could not. It never raises.

    Whoever calls it knows that the daemon really is well.
    """
    return _asked("ping", lambda: requests.get(url.reveal(), timeout=_TIMEOUT, stream=True))


# -- opening ---------------------------------------------------------------------------------------


def open_channels(alerts: AlertSettings, folder: Path) -> Sequence[Channel]:
    """Every way that is set up; the log where there is none.

    Args:
        alerts: what the configuration says.
        folder: of the configuration; paths start there.

    Raises:
        ConfigError: a secret or a certificate is not there.
    """
    # At a lower level urllib3 logs each whole URL, which may be a secret.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    found: list[Channel] = []
    if alerts.smtp is not None:
        found.append(_mail(alerts.smtp, folder, alerts.name))
    if alerts.webhook is not None:
        found.append(_hook(alerts.webhook, folder, alerts.name))
    return found or [Log()]


def check_channels(alerts: AlertSettings, folder: Path) -> str:
    """Look whether people could be told now; what was found in few words.

    Raises:
        ConfigError: they could not, by one way at least.
    """
    ping_url(alerts, folder)
    return ", ".join(channel.check() for channel in open_channels(alerts, folder))


def ping_url(alerts: AlertSettings, folder: Path) -> Secret | None:
    """Where the dead-man switch is; None without one.

    Raises:
        ConfigError: the secret is not there.
    """
    return _secret("ping.url", alerts.ping.url, folder) if alerts.ping is not None else None


def _mail(settings: Smtp, folder: Path, installation: str) -> Mail:
    ca = folder / settings.ca if settings.ca else None
    if ca is not None and not ca.is_file():
        raise ConfigError(f"alerts.smtp.ca: the file {ca} does not exist.")
    password = settings.password
    return Mail(
        settings=settings,
        password=_secret("smtp.password", password, folder) if password else None,
        ca=ca,
        installation=installation,
    )


def _hook(settings: Webhook, folder: Path, installation: str) -> Hook:
    return Hook(
        url=_secret("webhook.url", settings.url, folder),
        headers={
            name: _secret(f"webhook.headers.{name}", value, folder)
            for name, value in settings.headers.items()
        },
        installation=installation,
    )


def _secret(where: str, value: str, folder: Path) -> Secret:
    """What a value names, or the value itself."""
    if not secret.is_reference(value):
        return Secret(value)
    try:
        return secret.resolve(value, folder)
    except ValueError as error:
        raise ConfigError(f"alerts.{where}: {error}") from error
