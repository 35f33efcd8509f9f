"""The public lookup: a code and four digits, for whoever has them.

A wrong code, wrong digits and a right answer come after the same time, and cost the same turns. The
limits are counted before anything is looked up, alike for codes that there are and that there are
not, and a right answer gives the turn of its code back.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from smsengine.errors import StoreAwayError
from smsengine.payments import codes
from smsengine.payments.lookup import Shown
from smsengine.service.api import page
from smsengine.service.api.clerks import Clerks, Punctual
from smsengine.service.api.limits import Limits
from smsengine.service.api.present import House, Present
from smsengine.service.api.problems import (
    ProblemError,
    not_found,
    not_now,
    said,
    too_often,
    wrong_method,
)
from smsengine.service.api.strict import check, read, require_kind
from smsengine.service.http_server import Answer, Question, Reply
from smsengine.service.reception import caller

PAGE, API = "/lookup", "/api/v1/lookup"
_FORM = "application/x-www-form-urlencoded"
#: An answer comes after a whole number of these, counted from when the question came.
BUDGET_SECONDS = 0.05
_MINUTE, _DAY = 60.0, 86_400.0
_MOST_WAITING = 200
#: No code is longer; what follows must not make another code of it.
_LONGEST = 20


class _Asked(NamedTuple):
    """A lookup that may be made; ``turn`` stands for its code among the limits."""

    code: str
    digits: str
    turn: bytes
    came: float


class Window:
    """Answers the public; ``ask`` is called by one thread and never waits."""

    def __init__(
        self,
        present: Present,
        *,
        failed: Callable[[Exception], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._present, self._failed = present, failed
        self._monotonic = monotonic
        self._addresses, self._codes = Limits(monotonic=monotonic), Limits(monotonic=monotonic)
        self._clerks = Clerks("lookup", threads=1, most_waiting=_MOST_WAITING)
        self._punctual = Punctual(monotonic)
        self._salt = secrets.token_bytes(32)

    def start(self) -> None:
        self._punctual.start()

    def close(self) -> None:
        self._clerks.close()
        self._punctual.close()

    def ask(self, house: House, question: Question, reply: Reply) -> None:
        """Answer a question to the page or to its API."""
        on_page = question.path == PAGE
        try:
            if on_page and question.method in ("GET", "HEAD"):
                reply(page.form())
                return
            asked = self._asked(house, question, on_page=on_page)
            if not self._clerks.give(lambda: self._look(house, asked, reply, on_page=on_page)):
                raise not_now()
        except ProblemError as problem:
            reply(_refused(problem, on_page=on_page))

    def _asked(self, house: House, question: Question, *, on_page: bool) -> _Asked:
        """What may be looked up.

        Raises:
            ProblemError: it is asked too often, or not as it must be.
        """
        came = self._monotonic()
        if question.method != "POST":
            raise wrong_method(*(("GET", "HEAD", "POST") if on_page else ("POST",)))
        settings = house.engine.settings
        limits = settings.payments.lookup
        address = _site(caller(question, settings.web.proxies))
        wait = self._addresses.take(address, turns=limits.per_minute, seconds=_MINUTE)
        if wait:
            raise too_often(wait)
        given = _form(question) if on_page else read(question)
        faults = check(house.taken["Question"], given)
        if faults:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "It needs a code and four digits.",
                faults=faults,
            )
        if not self._present.is_open():
            raise not_now()
        code = codes.stored(str(given["code"]))[:_LONGEST]
        turn = hmac.digest(self._salt, code.encode(), hashlib.sha256)
        wait = self._codes.take(turn, turns=limits.per_code, seconds=_DAY)
        if wait:
            raise too_often(wait)
        return _Asked(code, str(given["digits"]), turn, came)

    def _look(self, house: House, asked: _Asked, reply: Reply, *, on_page: bool) -> None:
        """Look it up, on a clerk's thread, and have it answered in time."""
        limits = house.engine.settings.payments.lookup
        may = limits.fund_codes or codes.is_ours(asked.code)
        shown: Shown | None = None
        try:
            shown = house.paying.look_up(asked.code, asked.digits if may else "")
        except Exception as error:  # noqa: BLE001 - one question must not end the others
            if not isinstance(error, StoreAwayError):
                self._failed(error)
            problem = not_now()
        else:
            problem = not_found("There is no payment with this code and these digits.")
        if shown is None:
            answer = _refused(problem, on_page=on_page)
        else:
            answer = _found(house, shown, on_page=on_page)
        if shown is not None or problem.status is not HTTPStatus.NOT_FOUND:
            self._codes.give_back(asked.turn, turns=limits.per_code, seconds=_DAY)
        self._punctual.at(self._due(asked.came), lambda: reply(answer))

    def _due(self, came: float) -> float:
        """The end of the budget, or of as many as were needed."""
        taken = self._monotonic() - came
        return came + math.ceil(max(taken, BUDGET_SECONDS) / BUDGET_SECONDS) * BUDGET_SECONDS


def _refused(problem: ProblemError, *, on_page: bool) -> Answer:
    return page.refusal(problem.status, problem.headers) if on_page else problem.answer()


def _found(house: House, shown: Shown, *, on_page: bool) -> Answer:
    settings = house.paying.settings
    kind = settings.type_name(shown.type)
    organisation = settings.organisation_name(shown.organisation)
    if on_page:
        return page.found(shown, kind, organisation)
    facts = {
        "code": shown.code,
        "name": shown.name,
        "paid_on": shown.paid_on.isoformat(),
        "amount": shown.amount,
        "type": kind,
        "months": shown.months,
        "organisation": organisation,
        "status": shown.status,
    }
    return said(HTTPStatus.OK, facts)


def _form(question: Question) -> Mapping[str, Any]:
    """The fields of a form; of one that stands twice the first.

    Raises:
        ProblemError: it is no form.
    """
    require_kind(question, _FORM)
    try:
        pairs = parse_qsl(question.body.decode("utf-8"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The body is no form.") from None
    return {name: value.strip() for name, value in reversed(pairs) if name in ("code", "digits")}


def _site(address: str) -> str:
    """Who counts as one: an IPv4 address, or the /64 that a household has of IPv6."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)
