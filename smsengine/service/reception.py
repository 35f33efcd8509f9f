"""Callbacks of gateways: who calls, is it really the gateway, what does it say, what is answered.

``/callbacks/<gateway>`` and ``/callbacks/<gateway>/<token>``. Verifying and parsing are the
adapter's pure functions. The gateway gets the answer that it expects when its receipts are in the
ledger, and not before; whatever cannot be taken is counted and answered with one sentence.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote

from smsengine.config.callers import Network, is_within
from smsengine.config.settings import Settings
from smsengine.gateways.base import Acknowledgement, Callback, Gateway, Receipt
from smsengine.service.doors import Doors
from smsengine.service.http_server import Answer, Question, Reply
from smsengine.service.intake import Intake
from smsengine.service.logs import Event

PREFIX = "/callbacks/"
#: The log says at most so often that callbacks of a kind were refused.
_SAY_SECONDS = 60.0


class RefusedError(Exception):
    """A callback that is not taken: ``what`` is a short name of it, the text one sentence."""

    def __init__(self, status: HTTPStatus, what: str, because: str) -> None:
        super().__init__(because)
        self.status = status
        self.what = what


#: What became of callbacks: gateway (empty for none of ours) and ``stored`` or why not.
Count = Callable[[str, str], None]


class Reception:
    """Takes callbacks in; ``receive`` is called by one thread and never waits."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        doors: Doors,
        intake: Intake,
        count: Count,
        tell: Callable[..., None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._intake = intake
        self._count, self._tell = count, tell
        self._monotonic = monotonic
        self._unsaid: Counter[tuple[str, str]] = Counter()
        self._say_at: dict[tuple[str, str], float] = {}

    def receive(self, question: Question, reply: Reply) -> None:
        """Take a callback in.

        Args:
            question: the request.
            reply: told the answer once, now or later on another thread.
        """
        name, token = _address(question.path)
        try:
            gateway = self._gateway(name)
            callback = self._callback(name, token, question)
            receipts, said = _read(gateway, callback)
            stored = self._bring(name, receipts)
        except RefusedError as error:
            reply(self._refused(name, error))
            return
        if stored is None:
            reply(self._taken(name, said))
            return
        stored.add_done_callback(lambda done: reply(self._after(name, said, done)))

    def rubbish(self) -> None:
        """Count what was no request at all."""
        self._note("", "rubbish", "it is no HTTP")

    # -- step by step --------------------------------------------------------------------------

    def _gateway(self, name: str) -> Gateway:
        if name not in self._settings().gateways:
            raise RefusedError(HTTPStatus.NOT_FOUND, "unknown", "There is no such gateway.")
        gateway = self._doors.get(name)
        if gateway is None:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "not-now", "The gateway is not open; come again."
            )
        return gateway

    def _callback(self, name: str, token: str, question: Question) -> Callback:
        """The callback as its gateway made it, however many proxies are between."""
        settings = self._settings()
        if question.method not in ("GET", "POST"):
            raise RefusedError(
                HTTPStatus.METHOD_NOT_ALLOWED, "unreadable", "Callbacks are GET or POST."
            )
        remote = caller(question, settings.web.proxies)
        allowed = settings.gateways[name].callback_from
        if allowed and not is_within(remote, allowed):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "forged", "Callbacks are not taken from that address."
            )
        base = settings.web.public_url or f"http://{question.headers.get('host', '')}"
        query = question.target.partition("?")[2]
        try:
            fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=200))
        except ValueError:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "unreadable", "It has too many fields."
            ) from None
        return Callback(
            method=question.method,
            query=fields,
            headers=question.headers,
            body=question.body,
            token=token,
            url=base.rstrip("/") + question.target,
            remote=remote,
        )

    def _bring(self, name: str, receipts: Sequence[Receipt]) -> Future[None] | None:
        """None where there is nothing to store."""
        if not receipts:
            return None
        stored = self._intake.bring(name, receipts)
        if stored is None:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "not-now", "Too many wait; come again."
            )
        return stored

    # -- answers -------------------------------------------------------------------------------

    def _after(self, name: str, said: Acknowledgement, done: Future[None]) -> Answer:
        error = done.exception()
        if error is None:
            return self._taken(name, said)
        away = RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE, "not-now", "It could not be stored; come again."
        )
        return self._refused(name, away)

    def _taken(self, name: str, said: Acknowledgement) -> Answer:
        self._count(name, "stored")
        return Answer(HTTPStatus(said.status), said.body.encode(), said.content_type)

    def _refused(self, name: str, error: RefusedError) -> Answer:
        known = name if name in self._settings().gateways else ""
        self._note(known, error.what, str(error))
        return Answer(error.status, f"{error}\n".encode(), "text/plain; charset=utf-8")

    def _note(self, gateway: str, what: str, because: str) -> None:
        """Count each, and say so now and then: whoever floods us does not flood the log."""
        self._count(gateway, what)
        key, now = (gateway, what), self._monotonic()
        self._unsaid[key] += 1
        if now >= self._say_at.get(key, now):
            self._say_at[key] = now + _SAY_SECONDS
            count = self._unsaid.pop(key, 0)
            self._tell(
                Event.CALLBACK_REFUSED, gateway=gateway, what=what, because=because, count=count
            )


def _address(path: str) -> tuple[str, str]:
    """The gateway and the token of a path below ``/callbacks/``."""
    name, _, token = path.removeprefix(PREFIX).partition("/")
    return unquote(name), unquote(token)


def _read(gateway: Gateway, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
    """What a callback says; whatever an adapter stumbles over was not written by its gateway."""
    try:
        is_its_own = gateway.verify_callback(callback)
    except Exception:  # noqa: BLE001 - a stranger may write what he likes
        is_its_own = False
    if not is_its_own:
        raise RefusedError(HTTPStatus.FORBIDDEN, "forged", "The token or the signature is wrong.")
    try:
        return gateway.parse_callback(callback)
    except Exception as error:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "unreadable", "It does not read as the gateway's receipt."
        ) from error


def caller(question: Question, proxies: Sequence[Network]) -> str:
    """The address that a request came from, behind our own proxies.

    Each proxy adds whom it heard from at the end; what stands before the first that is none of
    ours may be invented.
    """
    remote = question.peer
    heard = [each.strip() for each in question.headers.get("x-forwarded-for", "").split(",")]
    while heard and is_within(remote, proxies):
        before = heard.pop()
        try:
            remote = str(ip_address(before))
        except ValueError:
            break
    return remote
