"""Vendors that want a login first: a token is fetched once, kept, and renewed when it is stale.

What is particular about a login is pure functions again. Whoever sends at the same time waits for
one login and shares what came of it. A token that the vendor calls stale is renewed once, and the
message is handed over once more, with clearance of its own: it surely was not taken before.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode

from smsengine.clock import Clock
from smsengine.errors import GatewayError, SealedError
from smsengine.gateways.base import Vault
from smsengine.gateways.http_exchange import Phase, Reply, Request, always, nothing
from smsengine.gateways.http_log import Redactor

#: A token is renewed so many seconds before it ends; a short one after half of its time.
_MARGIN_SECONDS = 60.0
_SHORTEST_SHARE = 0.5
#: Statuses of a login that say nothing about the account.
_PASSING = frozenset({408, 425, 429})


class Token(NamedTuple):
    """What a login gives, and for how many seconds; ``kept`` is what the next login needs."""

    value: str
    seconds: float
    kept: str = ""


class NotNowError(Exception):
    """The vendor can log nobody in at the moment; nothing is wrong with the account."""


class Login(ABC):
    """What is particular about a vendor's login: pure functions."""

    #: all machines share one token, because each login ends the one before: the vault keeps it
    is_shared: bool = False

    @abstractmethod
    def build(self) -> Request:
        """The request that logs in."""

    def build_next(self, kept: str) -> Request:  # noqa: ARG002 - for overriding
        """The same where each login needs what the last one gave, at first an empty word."""
        return self.build()

    @abstractmethod
    def read(self, reply: Reply, now: datetime) -> Token:
        """What an answer gives.

        Raises:
            ValueError: nothing; in a few words why the login was refused.
            NotNowError: nothing, and the account is not to blame; in a few words why.
        """

    @abstractmethod
    def put(self, request: Request, token: str) -> Request:
        """A request with the token where the vendor looks for it."""

    @abstractmethod
    def is_stale(self, reply: Reply) -> bool:
        """Say that a request surely was not taken, because its token was not valid any more."""


class Client(Protocol):
    """Whoever makes exchanges; each request is made once."""

    def post_many(
        self,
        requests: Sequence[Request],
        before: Callable[[int], bool] = ...,
        after: Callable[[int, Reply], None] = ...,
    ) -> list[Reply]:
        """Make exchanges at once."""

    def post(self, request: Request) -> Reply:
        """Make one exchange on the caller's thread."""

    def close(self) -> None:
        """Let go of all connections."""


# -- where a token goes ----------------------------------------------------------------------------


def with_header(request: Request, name: str, value: str) -> Request:
    """A request with one more header."""
    return replace(request, headers={**request.headers, name: value})


def with_json_field(request: Request, name: str, value: str) -> Request:
    """A request with one more field of its JSON."""
    fields = {name: value, **json.loads(request.body or b"{}")}
    return replace(request, body=json.dumps(fields, ensure_ascii=False).encode())


def with_form_field(request: Request, name: str, value: str) -> Request:
    """A request with one more field of its form."""
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    return replace(request, body=urlencode([(name, value), *pairs]).encode())


def with_query_field(request: Request, name: str, value: str) -> Request:
    """A request with one more field of its address."""
    mark = "&" if "?" in request.url else "?"
    return replace(request, url=f"{request.url}{mark}{urlencode({name: value})}")


# -- doing -----------------------------------------------------------------------------------------


class _Held(NamedTuple):
    """A token and the second of the epoch at which it is renewed."""

    value: str
    until: float
    kept: str = ""


class _NoTokenError(Exception):
    """There is none; the reply says how far it came."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


class LoggedIn:
    """A client whose requests carry a token; several threads may share it."""

    def __init__(
        self,
        login: Login,
        *,
        client: Client,
        clock: Clock,
        redactor: Redactor,
        note: Callable[[Request, Reply], None],
        vault: Vault | None = None,
    ) -> None:
        """Log in nowhere yet.

        Args:
            login: the vendor's way.
            client: makes the exchanges, those of the login too.
            clock: for the end of a token.
            redactor: learns each token before anything is noted, and cleans what people read.
            note: told of each login.
            vault: keeps a token that all machines share.
        """
        self._login, self._client, self._clock = login, client, clock
        self._vault, self._redactor, self._note = vault, redactor, note
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._failure: Reply | None = None
        self._tries = 0

    def post_many(
        self,
        requests: Sequence[Request],
        before: Callable[[int], bool] = always,
        after: Callable[[int, Reply], None] = nothing,
    ) -> list[Reply]:
        """Make exchanges at once; those with a stale token once more.

        Args:
            requests: what is written, without a token.
            before: asked with the place of a request before it leaves, each time that it does;
                also where there is no token.
            after: told the place of a request and its reply, without the token.

        Returns:
            One reply for each request, in order; it never raises for one of them.
        """
        places = list(range(len(requests)))
        used, replies = self._round(requests, places, "", before, after)
        stale = [place for place in places if self._is_stale(replies[place])]
        if stale:
            _, again = self._round(requests, stale, used, before, after)
            for place, reply in again.items():
                replies[place] = _surely_not_taken(reply) if self._is_stale(reply) else reply
        return [replies[place] for place in places]

    def _round(
        self,
        requests: Sequence[Request],
        places: Sequence[int],
        stale: str,
        before: Callable[[int], bool],
        after: Callable[[int, Reply], None],
    ) -> tuple[str, dict[int, Reply]]:
        """Hand over the requests at some places; the token, and a reply for each place."""
        try:
            token = self.token(stale) if places else ""
        except _NoTokenError as error:
            return "", {place: _turned_away(place, error.reply, before, after) for place in places}
        replies = self._client.post_many(
            [self._login.put(requests[place], token) for place in places],
            before=lambda index: before(places[index]),
            after=lambda index, reply: after(places[index], reply),
        )
        return token, dict(zip(places, replies, strict=True))

    def _is_stale(self, reply: Reply) -> bool:
        if reply.phase is not Phase.ANSWERED:
            return False
        with suppress(Exception):  # an odd answer is for whoever reads it next
            return self._login.is_stale(reply)
        return False

    def post(self, request: Request) -> Reply:
        """Make one exchange on the caller's thread."""
        return self.post_many([request])[0]

    def log_in(self) -> Reply | None:
        """Log in, if need be; what came of it where there is no token."""
        try:
            self.token()
        except _NoTokenError as error:
            return error.reply
        return None

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def token(self, stale: str = "") -> str:
        """The token that is held, or a new one in place of a stale one.

        Raises:
            _NoTokenError: there is none.
        """
        tries = self._tries
        with self._lock:
            held = self._held
            if held is None or held.value == stale or self._is_over(held):
                if self._failure is not None and self._tries != tries:
                    raise _NoTokenError(self._failure)  # of the login that we waited for
                self._held = held = self._tried(stale)
        return held.value

    def _is_over(self, held: _Held) -> bool:
        return self._clock.now().timestamp() >= held.until

    def _tried(self, stale: str) -> _Held:
        self._held = None
        try:
            found = self._renewed(stale)
            self._failure = None
            return found
        except _NoTokenError as error:
            self._failure = error.reply
            raise
        except GatewayError as error:
            is_sealed = isinstance(error, SealedError)
            phase = Phase.LOCKED_OUT if is_sealed else Phase.NO_LOGIN
            failed = self._without(phase, str(error))
            self._failure = failed.reply
            raise failed from error
        finally:
            self._tries += 1

    def _renewed(self, stale: str) -> _Held:
        if self._vault is None or not self._login.is_shared:
            return self._fetched("")
        return _unpacked(self._vault.replace(lambda packed: self._successor(packed, stale)))

    def _successor(self, packed: str | None, stale: str) -> str:
        """What the vault keeps from now on; the same where another machine was quicker."""
        held = _unpacked(packed) if packed else _Held("", 0)
        if packed and held.value != stale and not self._is_over(held):
            self._redactor.learn(held.value)
            return packed
        return json.dumps(self._fetched(held.kept))

    def _fetched(self, kept: str) -> _Held:
        """A new token from the vendor."""
        request = self._login.build_next(kept)
        reply = self._client.post(request)
        now = self._clock.now()
        try:
            token = self._read(reply, now)
            for secret in (token.value, token.kept):
                self._redactor.learn(secret)
        finally:
            self._note(request, reply)
        useful = max(token.seconds - _MARGIN_SECONDS, token.seconds * _SHORTEST_SHARE)
        return _Held(token.value, now.timestamp() + useful, token.kept)

    def _read(self, reply: Reply, now: datetime) -> Token:
        if reply.phase is not Phase.ANSWERED:
            raise _NoTokenError(replace(reply, phase=Phase.NO_LOGIN))
        if reply.status >= 500 or reply.status in _PASSING:
            raise self._without(Phase.NO_LOGIN, f"HTTP {reply.status}")
        try:
            token = self._login.read(reply, now)
        except NotNowError as error:
            raise self._without(Phase.NO_LOGIN, str(error)) from error
        except ValueError as error:
            raise self._without(Phase.LOGIN_REFUSED, str(error)) from error
        except Exception as error:  # whatever its reader stumbles over is no token
            raise self._without(Phase.LOGIN_REFUSED, "its answer cannot be read") from error
        if not token.value:
            raise self._without(Phase.LOGIN_REFUSED, "there is no token in its answer")
        return token

    def _without(self, phase: Phase, said: str) -> _NoTokenError:
        return _NoTokenError(Reply(phase=phase, detail=self._redactor.clean(said)))


def _unpacked(packed: str) -> _Held:
    value, until, kept = json.loads(packed)
    return _Held(str(value), float(until), str(kept))


def _turned_away(
    place: int, reply: Reply, before: Callable[[int], bool], after: Callable[[int, Reply], None]
) -> Reply:
    """The reply of a request without a token; what has no clearance waits, as ever."""
    said = reply if before(place) else Reply(phase=Phase.HELD_BACK)
    after(place, said)
    return said


def _surely_not_taken(reply: Reply) -> Reply:
    """A new token is as stale as the old one."""
    return replace(reply, phase=Phase.NO_LOGIN, detail="a new token is refused too", body=b"")
