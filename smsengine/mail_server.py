"""A connection to a mail server: greeted, encrypted, logged in. By RFC 5321, 3207 and 4954."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_MOST_WORDS = 200


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mails are handed over. ``seconds`` is the patience for each step.

    Without a ``user`` nobody logs in; without a ``ca`` the machine's own are trusted.
    """

    host: str
    port: int
    tls: Literal["starttls", "implicit", "none"]
    user: str
    password: str
    ca: Path | None
    seconds: float

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
        """A server that knows us; that a farewell fails is nobody's trouble.

        Raises:
            OSError: it cannot be reached, cannot be trusted, or does not let us in.
        """
        server = self._opened()
        try:
            if self.tls == "starttls":
                server.starttls(context=self._trust())
            server.ehlo_or_helo_if_needed()
            if self.user:
                server.login(self.user, self.password)
            yield server
            if server.sock is not None:
                with suppress(OSError):
                    server.quit()
        finally:
            server.close()

    def _opened(self) -> smtplib.SMTP:
        if self.tls == "implicit":
            trust = self._trust()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.seconds, context=trust)
        return smtplib.SMTP(self.host, self.port, timeout=self.seconds)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca) if self.ca else None)


def words_of(said: bytes | str) -> str:
    """What a server said, in one line of at most 200 characters."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:_MOST_WORDS]
