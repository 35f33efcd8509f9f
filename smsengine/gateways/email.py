"""E-mail by SMTP: one mail for each message, over connections that are kept for a batch.

By RFC 5321. Up to the line that ends a mail nothing is taken; from then on only an answer says
whether it was. A mail server knows no mail again, so that a doubt is settled by a person.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from smsengine.clock import Clock
from smsengine.config.secret import Secret, SecretField, revealed
from smsengine.config.yaml import Model
from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    HELD_BACK,
    Capabilities,
    Channel,
    Clearance,
    Gateway,
    Kind,
    Outbound,
    Outcome,
    OutcomeKind,
    Scope,
)
from smsengine.mail_server import MailServer, words_of

_BATCH = 50
_GO_ON = 354
_LOGIN_NEEDED = frozenset({530, 534, 535, 538})
#: Enhanced status (RFC 3463), whole or its subject: whose fault a refusal is, at whatever step.
ENHANCED = {
    "1.7": Scope.SENDER,
    "1.8": Scope.SENDER,
    "1": Scope.RECIPIENT,
    "2": Scope.RECIPIENT,
}
_ENHANCED = re.compile(r"5\.(\d{1,3})\.(\d{1,3})\b")
#: A rule of the server's: against relaying for us, where it does not even want the recipient.
_POLICY = "7"
#: What cannot end a command or a line of a mail's head; planning lets no other address through.
_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


def _one_line(value: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise ValueError("must be one line of plain characters.")
    return value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]


class Options(Model):
    """Keys of a gateway of kind ``email``."""

    host: Line
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    port: int | None = Field(default=None, ge=1, le=65535, description="else the usual one of tls")
    user: str | None = None
    password: SecretField | None = Field(default=None, validate_default=True)
    sender: Line = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$", description="the address in From")
    name: Line | None = Field(default=None, description="the name in From")
    subject: Line = Field(description="the subject of every mail")
    ca: str | None = Field(default=None, description="file with the mail server's own CA")
    connections: int = Field(default=2, ge=1, le=50, description="connections at one time")
    timeout_seconds: float = Field(default=30, gt=0, le=300, description="for each step")

    @field_validator("password")
    @classmethod
    def _goes_with_user(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if bool(value) != bool(info.data.get("user")):
            raise ValueError("goes with user; give both or none.")
        if value and info.data.get("tls") == "none":
            raise ValueError("must not travel in the clear; tls must not be 'none'.")
        return value


def server_of(options: Options, folder: Path) -> MailServer:
    """The mail server that a gateway names; ``ca`` starts at ``folder``."""
    return MailServer(
        host=options.host,
        port=options.port or _PORTS[options.tls],
        tls=options.tls,
        user=options.user or "",
        password=revealed(options.password),
        ca=folder / options.ca if options.ca else None,
        seconds=options.timeout_seconds,
    )


class EmailGateway(Gateway):
    """Hands mails to one mail server."""

    def __init__(self, options: Options, folder: Path, clock: Clock) -> None:
        """Open no connection yet.

        Args:
            options: the mail server.
            folder: where ``ca`` starts.
            clock: for the date of a mail.
        """
        self._options = options
        self._clock = clock
        self._server = server_of(options, folder)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            max_batch=_BATCH, concurrency=self._options.connections, channel=Channel.EMAIL
        )

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        while len(outcomes) < len(batch):
            # A connection that broke leaves the rest of the batch to the next one.
            outcomes += self._over_one_connection(batch[len(outcomes) :], clear)
        return outcomes

    def _over_one_connection(
        self, batch: Sequence[Outbound], clear: Clearance
    ) -> Sequence[Outcome]:
        """Outcomes of the first messages, at least of one, as far as a connection goes."""
        outcomes: list[Outcome] = []
        try:
            with self._server.connected() as server:
                for message in batch:
                    outcomes.append(self._one(server, message, clear))
                    if server.sock is None:
                        break
        except (OSError, smtplib.SMTPException) as error:
            if not outcomes:
                return [_unreached(error) if clear([each]) else HELD_BACK for each in batch]
        return outcomes

    def _one(self, server: smtplib.SMTP, message: Outbound, clear: Clearance) -> Outcome:
        if not clear([message]):
            return HELD_BACK
        if not _ADDRESS.fullmatch(message.address):
            return Outcome(OutcomeKind.REJECTED, Scope.RECIPIENT, code="bad-address")
        try:
            return self._refusal(server, message) or _handed_over(server, self._mail(message))
        except (OSError, smtplib.SMTPException) as error:
            # Nothing of the mail was written yet: the step that ends it has its own words.
            server.close()
            return Outcome(OutcomeKind.TRANSIENT, code="broke-off", detail=type(error).__name__)

    def _refusal(self, server: smtplib.SMTP, message: Outbound) -> Outcome | None:
        """What the server says against sender or recipient; None: it wants the mail."""
        said = server.mail(self._options.sender)
        scope = Scope.SENDER
        if said[0] == 250:
            said = server.rcpt(message.address)
            scope = Scope.RECIPIENT
            if said[0] in (250, 251):
                return None
        with suppress(smtplib.SMTPServerDisconnected):
            server.rset()
        return _refused(said, scope)

    def _mail(self, message: Outbound) -> bytes:
        mail = EmailMessage(policy=SMTP)
        sender = self._options.sender
        mail["From"] = f"{self._options.name} <{sender}>" if self._options.name else sender
        mail["To"] = message.address
        mail["Subject"] = self._options.subject
        mail["Date"] = self._clock.now()
        mail["Message-ID"] = f"<{message.reference}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text + "\n", cte="quoted-printable")
        return mail.as_bytes()

    def check(self) -> str:
        """Log in, and say nothing.

        Raises:
            GatewayError: the mail server does not answer, or does not let us in.
        """
        try:
            with self._server.connected():
                return f"{self._options.host} lets us in"
        except (OSError, smtplib.SMTPException) as error:
            raise GatewayError(
                f"{self._options.host} cannot be used ({_said(error)}); look at host, port, tls,"
                " user and password."
            ) from error

    def close(self) -> None:
        """No connection outlives its batch."""


def _handed_over(server: smtplib.SMTP, mail: bytes) -> Outcome:
    """Write a mail; once its end may be written, only an answer says what became of it."""
    said = server.docmd("DATA")
    if said[0] != _GO_ON:
        with suppress(smtplib.SMTPServerDisconnected):
            server.rset()
        return _refused(said, Scope.CONTENT)
    server.send(mail.replace(b"\r\n.", b"\r\n.."))
    try:
        server.send(b".\r\n")
        said = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        return Outcome(OutcomeKind.UNKNOWN, code="no-answer", detail=type(error).__name__)
    if said[0] == 250:
        return Outcome(OutcomeKind.ACCEPTED, code="250")
    return _refused(said, Scope.CONTENT)


def _refused(said: tuple[int, bytes], scope: Scope) -> Outcome:
    """A definite answer: 4xx may be tried again, 5xx will not."""
    status, words = said
    code, detail = str(status), words_of(words)
    if 400 <= status < 500:
        return Outcome(OutcomeKind.TRANSIENT, code=code, detail=detail)
    if status in _LOGIN_NEEDED:
        return Outcome(OutcomeKind.REJECTED, Scope.ACCOUNT, code=code, detail=detail)
    if 500 <= status < 600:
        fault = _fault(detail, scope)
        return Outcome(OutcomeKind.REJECTED, fault, code=code, detail=detail)
    return Outcome(OutcomeKind.UNKNOWN, code=code, detail=detail)


def _fault(words: str, step: Scope) -> Scope:
    """Whose fault a refusal is: by its enhanced status, else by the step it came at."""
    found = _ENHANCED.match(words)
    if found is None:
        return step
    subject, detail = found.groups()
    if subject == _POLICY and step is Scope.RECIPIENT:
        return Scope.SENDER
    return ENHANCED.get(f"{subject}.{detail}") or ENHANCED.get(subject) or step


def _unreached(error: Exception) -> Outcome:
    """There is no connection on which a mail could be handed over."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Outcome(
            OutcomeKind.REJECTED, Scope.ACCOUNT, code=str(error.smtp_code), detail=_said(error)
        )
    return Outcome(OutcomeKind.TRANSIENT, code="not-reached", detail=_said(error))


def _said(error: Exception) -> str:
    """What a failure is, in few words, without what was said to the server."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {words_of(error.smtp_error)}"
    return str(getattr(error, "strerror", None) or type(error).__name__)


KIND = Kind(
    options=Options,
    channel=Channel.EMAIL,
    open=lambda options, site: EmailGateway(options, site.folder, site.clock),
)
