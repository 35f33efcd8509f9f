"""The exchange log: what was said to a vendor and what it answered, without what is private.

One reads it when a vendor says "we never got it". Secrets, texts and whole phone numbers are taken
out before a line is written, also where the vendor repeats them. It never makes a send fail.
"""

from __future__ import annotations

import base64
import glob
import html
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

from smsengine.errors import GatewayError
from smsengine.gateways.base import Outbound
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.phone import mask_numbers

#: Characters of one field that are kept.
MOST_CHARACTERS = 2000
#: So many first characters of a text betray it, where a vendor repeats it cut off.
_RECOGNISED = 16
_HIDDEN = "***"
#: A token and what renews it, of the last logins.
_MOST_LEARNT = 8


class Redactor:
    """Takes out what must not be written down."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Learn the secrets, in every spelling in which they travel."""
        self._own = tuple(each for each in secrets if each)
        self._learnt: tuple[str, ...] = ()
        self._secrets = _spelled(self._own)

    def learn(self, secret: str) -> None:
        """Take a secret in that came later, such as a token; only the last few are remembered."""
        if secret and secret not in self._learnt:
            self._learnt = (*self._learnt, secret)[-_MOST_LEARNT:]
            self._secrets = _spelled((*self._own, *self._learnt))

    def clean(self, said: str, messages: Sequence[Outbound] = ()) -> str:
        """What was said without secrets, texts and whole numbers, and no longer than a field."""
        if not said:
            return ""
        said = _without_texts(said, [message.text for message in messages])
        for secret in self._secrets:
            said = said.replace(secret, _HIDDEN)
        return mask_numbers(said)[:MOST_CHARACTERS]


def _spelled(secrets: Iterable[str]) -> list[str]:
    """Every spelling of secrets, the longest first."""
    return sorted(
        {each for secret in secrets for each in _spellings(secret)}, key=len, reverse=True
    )


def _spellings(value: str) -> set[str]:
    """A value as it stands, percent-encoded, in JSON, in HTML and in base64."""
    escaped = json.dumps(value)[1:-1]
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        base64.b64encode(value.encode()).decode("ascii"),
    }


def _without_texts(said: str, texts: Sequence[str]) -> str:
    """Put a mark in the place of each text, whole or cut off, the longest likeness first."""
    marks = {
        spelled: f"<text, {len(text)} characters>"
        for text in texts
        if text
        for spelled in _spellings(text)
    }
    for spelled in sorted(marks, key=len, reverse=True):
        said = said.replace(spelled, marks[spelled])
    for beginning in {each[:_RECOGNISED] for each in marks if len(each) > _RECOGNISED}:
        alike = [each for each in marks if each.startswith(beginning)]
        said = _without_cut_off(said, beginning, alike, marks)
    return said


def _without_cut_off(
    said: str, beginning: str, alike: Sequence[str], marks: Mapping[str, str]
) -> str:
    """Put a mark wherever a text begins, and take out as much as is alike."""
    start = said.find(beginning)
    while start >= 0:
        lengths = {each: _shared(said, start, each) for each in alike}
        likest = max(alike, key=lengths.__getitem__)
        mark = marks[likest]
        said = said[:start] + mark + said[start + lengths[likest] :]
        start = said.find(beginning, start + len(mark))
    return said


def _shared(said: str, start: int, text: str) -> int:
    """How many characters at a place are a text's first ones."""
    pairs = zip(said[start : start + len(text)], text, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(text))


class ExchangeLog:
    """Appends one JSON line for each exchange."""

    def __init__(self, path: Path, gateway: str, redactor: Redactor) -> None:
        """Make its folder, where that can be done."""
        self._path = path
        self._gateway = gateway
        self._redactor = redactor
        self._lock = threading.Lock()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)

    def prove(self) -> None:
        """Look whether it can be written.

        Raises:
            GatewayError: it cannot.
        """
        try:
            self._append("")
        except OSError as error:
            raise GatewayError(
                f"exchange_log {self._path} cannot be written ({error.strerror}); messages go out"
                " all the same."
            ) from error

    def write(
        self, at: datetime, request: Request, reply: Reply, messages: Sequence[Outbound] = ()
    ) -> None:
        """Write an exchange down; a log that cannot be written is no reason to stop sending."""
        with suppress(Exception):
            self._append(json.dumps(self._line(at, request, reply, messages)) + "\n")

    def _line(
        self, at: datetime, request: Request, reply: Reply, messages: Sequence[Outbound]
    ) -> dict[str, object]:
        def clean(said: bytes) -> str:
            return self._redactor.clean(said.decode(errors="replace"), messages)

        return {
            "time": at.isoformat(),
            "gateway": self._gateway,
            "method": request.method,
            "url": clean(request.url.encode()),
            "phase": reply.phase,
            "status": reply.status or None,
            "trouble": reply.trouble,
            "ms": round(reply.seconds * 1000),
            "request": clean(request.body),
            "response": clean(reply.body),
        }

    def _append(self, line: str) -> None:
        """Opened each time, so that the file may be moved away; nobody else may read it."""
        with self._lock:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(handle, "a", encoding="ascii") as file:
                file.write(line)


def begin_anew(path: Path, today: date) -> bool:
    """Put what an exchange log holds aside as this day's part; False when there is nothing.

    Whoever writes to it opens it for each line, so that nothing is lost.
    """
    part = path.with_name(f"{path.name}.{today}")
    with suppress(FileNotFoundError):
        if path.stat().st_size and not part.exists():
            path.rename(part)
            return True
    return False


def remove_parts(path: Path, before: date) -> int:
    """Delete the parts of an exchange log that were put aside before a day; returns how many."""
    removed = 0
    for part in path.parent.glob(f"{glob.escape(path.name)}.????-??-??"):
        with suppress(ValueError):
            if date.fromisoformat(part.name[-len("2019-06-01") :]) < before:
                part.unlink(missing_ok=True)
                removed += 1
    return removed
