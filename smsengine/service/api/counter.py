"""The counter: who may do what with payments over HTTP, and who does it.

Everything here happens on the web's own thread and takes moments: whose key it is, how often it
came, and to whom it is handed on. Bodies are read, and answers found, by other threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from smsengine.config.payment_api import Scope
from smsengine.errors import StoreAwayError
from smsengine.payments import codes
from smsengine.payments.standing import Standing
from smsengine.service.api import window
from smsengine.service.api.clerks import Clerks
from smsengine.service.api.keys import Caller
from smsengine.service.api.limits import Limits
from smsengine.service.api.present import House, Present
from smsengine.service.api.problems import (
    JSON,
    ProblemError,
    not_found,
    not_now,
    said,
    too_often,
    wrong_method,
)
from smsengine.service.api.requests import Wanted, require_standing, wrong_key
from smsengine.service.api.till import Till
from smsengine.service.api.window import Window
from smsengine.service.http_server import Answer, Question, Reply

_PREFIX = "/api/v1/"
_DOCUMENT = "/api/v1/openapi.json"
_PAYMENTS = "/api/v1/payments"
_BEARER = "bearer "
_MOST_READING = 200
#: What may be done with a receipt, by the end of its path.
_CHANGES: dict[str, Scope] = {"corrections": "correct", "cancellation": "cancel"}


class Counter:
    """Takes requests about payments; ``ask`` is called by one thread and never waits."""

    def __init__(
        self,
        present: Present,
        till: Till,
        public: Window,
        *,
        refused: Callable[[str, str], None],
        failed: Callable[[Exception], None],
        count: Callable[[str, int], None] = lambda _wanted, _status: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put it together.

        Args:
            present: the configuration in force.
            till: does what changes the book.
            public: answers lookups.
            refused: told, by a short name and a sentence, why a program was turned away.
            failed: told what could not be explained.
            count: told of each answer what was wanted, and its status.
            monotonic: seconds that only go forward.
        """
        self._present, self._till, self._public = present, till, public
        self._refused, self._failed, self._answered = refused, failed, count
        self._limits = Limits(monotonic=monotonic)
        self._readers = Clerks("standing", threads=1, most_waiting=_MOST_READING)

    def start(self) -> None:
        self._till.start()
        self._public.start()

    def close(self) -> None:
        """Do what waits, and end."""
        self._till.close()
        self._readers.close()
        self._public.close()

    def answers(self, path: str) -> bool:
        """Say whether a path is the counter's; none is where nobody collects."""
        is_its = path.startswith(_PREFIX) or path == window.PAGE
        return is_its and self._present.house() is not None

    def ask(self, question: Question, reply: Reply) -> None:
        """Answer a question, now or later."""
        wanted = _name(question)

        def answer(said: Answer) -> None:
            self._answered(wanted, said.status.value)
            reply(said)

        self._find(question, answer)

    def _find(self, question: Question, reply: Reply) -> None:
        house = self._present.house()
        try:
            if house is None:
                raise not_found()
            if question.path in (window.PAGE, window.API):
                self._public.ask(house, question, reply)
            elif question.path == _DOCUMENT:
                reply(_document(house, question))
            else:
                self._hand_on(house, question, reply)
        except ProblemError as problem:
            reply(problem.answer())

    def _hand_on(self, house: House, question: Question, reply: Reply) -> None:
        scope, receipt = _what(question)
        caller = self._caller(house, question)
        if not caller.may(scope):
            self._refused("scope", f"a key of {caller.organisation} lacks the scope {scope}")
            raise ProblemError(HTTPStatus.FORBIDDEN, f"The key lacks the scope {scope}.")
        self._count(caller)
        if not self._present.is_open():
            raise not_now()
        wanted = Wanted(scope, caller, receipt, question, reply)
        if scope == "read":
            taken = self._readers.give(lambda: self._read(wanted))
        else:
            taken = self._till.hand_in(wanted)
        if not taken:
            raise not_now("Too many wait; come again.")

    def _caller(self, house: House, question: Question) -> Caller:
        given = question.headers.get("authorization", "")
        is_bearer = given[: len(_BEARER)].lower() == _BEARER
        found = house.keys.caller(given[len(_BEARER) :].strip() if is_bearer else "")
        if found is None:
            self._refused("key", "its key is missing or is none that is known")
            raise wrong_key()
        return found

    def _count(self, caller: Caller) -> None:
        turns, seconds = caller.key.turns
        wait = self._limits.take(caller.key.hash, turns=turns, seconds=seconds)
        if wait:
            self._refused("rate", f"a key of {caller.organisation} comes too often")
            raise too_often(wait)

    def _read(self, wanted: Wanted) -> None:
        """Say what holds of a receipt; on a reader's thread."""
        try:
            house = require_standing(self._present.house(), wanted)
            found = house.paying.standing(wanted.caller.organisation, wanted.receipt)
            if found is None:
                raise not_found("The organisation has no such receipt.")
            answer = _stands(found)
        except ProblemError as problem:
            answer = problem.answer()
        except Exception as error:  # noqa: BLE001 - one question must not end the others
            if not isinstance(error, StoreAwayError):
                self._failed(error)
            answer = not_now().answer()
        wanted.reply(answer)


def _what(question: Question) -> tuple[Scope, str]:
    """What is wanted, and of which receipt.

    Raises:
        ProblemError: there is no such thing.
    """
    if question.path == _PAYMENTS:
        _require(question, "POST")
        return "record", ""
    named, _, end = question.path.removeprefix(_PAYMENTS + "/").partition("/")
    if not question.path.startswith(_PAYMENTS + "/") or not named or (end and end not in _CHANGES):
        raise not_found()
    receipt = _receipt(named)
    if not end:
        _require(question, "GET", "HEAD")
        return "read", receipt
    _require(question, "POST")
    return _CHANGES[end], receipt


def _name(question: Question) -> str:
    """What is wanted, in one of few words."""
    if question.path in (window.PAGE, window.API):
        return "lookup"
    try:
        return _what(question)[0]
    except ProblemError:
        return "document" if question.path == _DOCUMENT else "other"


def _receipt(named: str) -> str:
    try:
        return unquote(named, errors="strict")
    except UnicodeDecodeError:
        raise not_found() from None


def _require(question: Question, *methods: str) -> None:
    if question.method not in methods:
        raise wrong_method(*methods)


def _document(house: House, question: Question) -> Answer:
    _require(question, "GET", "HEAD")
    return Answer(HTTPStatus.OK, house.document, JSON)


def _stands(found: Standing) -> Answer:
    entry = found.entry
    facts = {
        "receipt": entry.receipt,
        "code": codes.shown(found.code),
        "status": found.status,
        "edition": entry.edition,
        "paid_on": entry.paid_on.isoformat(),
        "amount": entry.amount,
        "type": entry.type,
        "months": entry.months,
        "recorded_at": entry.recorded_at.isoformat(),
    }
    return said(HTTPStatus.OK, facts)
