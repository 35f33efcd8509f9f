"""One HTTP exchange: what goes out, what came back, and how far it came.

How far it came is the whole question of sending once: only what was surely not written may be sent
again, and only what was answered has a meaning of the vendor's.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """How far an exchange came."""

    #: no clearance; not a byte was written
    HELD_BACK = "held-back"
    #: what the login needs cannot be opened here; not a byte was written
    LOCKED_OUT = "locked-out"
    #: the vendor wants a login first and refuses it; not a byte was written
    LOGIN_REFUSED = "login-refused"
    #: there was no token that it takes, for now; surely not taken
    NO_LOGIN = "no-login"
    #: it broke off before the last byte of the request was handed to the kernel
    NOT_WRITTEN = "not-written"
    #: the whole request was written, and no whole answer came
    NO_ANSWER = "no-answer"
    #: a whole answer came
    ANSWERED = "answered"


class Trouble(StrEnum):
    """What broke an exchange off, for people; nothing is decided by it."""

    NOT_FOUND = "host not found"
    REFUSED = "connection refused"
    TLS = "no TLS connection"
    TIMEOUT = "time-out"
    BROKEN = "connection broken"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request, as it will be written."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How a request ended; status, headers and body count only if it was answered."""

    phase: Phase
    status: int = 0
    #: names in any case, as they came
    headers: Mapping[str, str] = field(default_factory=dict)
    #: at most ``MOST_BODY`` bytes
    body: bytes = b""
    trouble: Trouble | None = None
    #: why there was no login, for people
    detail: str = ""
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """A status of the 200s: the body says what it means."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """A header by its name, in any case."""
        return next((v for key, v in self.headers.items() if key.lower() == name.lower()), None)


def trouble_of(error: BaseException) -> Trouble:
    """Name what lies at the root of an error."""
    kinds: tuple[tuple[type[BaseException], Trouble], ...] = (
        (socket.gaierror, Trouble.NOT_FOUND),
        (ssl.SSLError, Trouble.TLS),
        (TimeoutError, Trouble.TIMEOUT),
        (ConnectionRefusedError, Trouble.REFUSED),
    )
    causes = list(_causes(error))
    return next(
        (said for cause in causes for kind, said in kinds if isinstance(cause, kind)),
        Trouble.BROKEN,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from; urllib3 keeps the cause of its last try in ``reason``."""
    while error is not None:
        yield error
        reason = getattr(error, "reason", None)
        error = (
            reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
        )


def base_64(value: str) -> str:
    """A text in base64, as in a header for Basic."""
    return base64.b64encode(value.encode()).decode("ascii")


def always(_index: int) -> bool:
    """Clear whatever is asked about."""
    return True


def nothing(_index: int, _reply: Reply) -> None:
    """Want to know of no reply."""
