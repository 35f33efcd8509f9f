"""Payments that programs hand in: what comes within moments is one transaction.

A commit takes as long for a thousand payments as for one. Each is answered by itself, when it is
durably in the ledger and not before; what is wrong with one of them keeps none of the others out.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import groupby

from smsengine.errors import RefusedError, StoreAwayError
from smsengine.payments import codes
from smsengine.payments.book import Recorded
from smsengine.payments.lookup import Status
from smsengine.payments.payment import Payment
from smsengine.service.api.present import House, Present
from smsengine.service.api.problems import ProblemError, not_found, not_now, said
from smsengine.service.api.requests import (
    Payload,
    Wanted,
    fenced,
    fields,
    payload,
    require_standing,
)
from smsengine.service.http_server import Answer

#: Requests in one transaction, and those that wait at most.
_AT_ONCE = 500
MOST_WAITING = 2_000
#: Whoever comes within this time of the first of them is in the same transaction; nobody is waited
#: for where as many are there as last time.
_GATHER_SECONDS = 0.003


class Till:
    """One thread that records, corrects and cancels what several hand in."""

    def __init__(
        self,
        present: Present,
        *,
        failed: Callable[[Exception], None],
        most_waiting: int = MOST_WAITING,
        gather_seconds: float = _GATHER_SECONDS,
    ) -> None:
        """Put it together.

        Args:
            present: the configuration in force.
            failed: told what could not be explained.
            most_waiting: requests that may wait.
            gather_seconds: how long the first one waits for others.
        """
        self._present, self._failed = present, failed
        self._most, self._gather = most_waiting, gather_seconds
        self._waiting: deque[Wanted] = deque()
        self._last = 1
        self._closed = threading.Event()
        self._come = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="till", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def close(self) -> None:
        """Do what waits, and end."""
        with self._come:
            self._closed.set()
            self._come.notify()
        if self._thread.is_alive():
            self._thread.join()

    def hand_in(self, wanted: Wanted) -> bool:
        """Have something done; it is answered later. False when too many wait."""
        with self._come:
            if self._closed.is_set() or len(self._waiting) >= self._most:
                return False
            self._waiting.append(wanted)
            self._come.notify()
        return True

    @property
    def waiting(self) -> int:
        """How many requests wait to be done."""
        return len(self._waiting)

    # -- the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        while group := self._next():
            for is_new, some in groupby(group, lambda each: each.scope == "record"):
                if is_new:
                    self._record(list(some))
                else:
                    for each in some:
                        self._answer(each, self._change)

    def _next(self) -> list[Wanted]:
        """What waits, up to a transaction's worth; nothing when it is closed and all is done."""
        with self._come:
            while not self._waiting and not self._closed.is_set():
                self._come.wait()
            self._come.wait_for(self._are_all_there, self._gather)
            self._last = count = min(len(self._waiting), _AT_ONCE)
            return [self._waiting.popleft() for _ in range(count)]

    def _are_all_there(self) -> bool:
        """As many as last time: whoever was answered then has come again."""
        return self._closed.is_set() or len(self._waiting) >= self._last

    def _record(self, group: Sequence[Wanted]) -> None:
        good: list[tuple[Wanted, Payload]] = []
        house = self._present.house()
        for each in group:
            try:
                good.append((each, payload(self._standing(house, each), each)))
            except Exception as error:  # noqa: BLE001 - one request must not end the others
                each.reply(self._problem(error))
        if good and house is not None:
            self._write(house, good)

    def _write(self, house: House, good: Sequence[tuple[Wanted, Payload]]) -> None:
        try:
            results = house.paying.record_together(
                [(found.payment, wanted.caller.name) for wanted, found in good]
            )
        except Exception as error:  # noqa: BLE001 - whoever handed it in is told
            if len(good) > 1 and not isinstance(error, StoreAwayError):
                # What is wrong with one of them must not keep out the others.
                for each in good:
                    self._write(house, [each])
                return
            for wanted, _ in good:
                wanted.reply(self._problem(error))
            return
        for (wanted, found), result in zip(good, results, strict=True):
            wanted.reply(self._recorded(house, found, result))

    def _recorded(self, house: House, found: Payload, result: Recorded) -> Answer:
        payment = found.payment
        if result.refused:
            return _conflict(result.refused, payment.code).answer()
        status = Status.RECORDED
        if not result.is_new:
            try:
                status = _status_of_known(house, payment, result.code)
            except Exception as error:  # noqa: BLE001 - the others wait for their answers
                return self._problem(error)
        return _confirmed(found, result.code, status, is_new=result.is_new)

    def _answer(self, wanted: Wanted, do: Callable[[House, Wanted], Answer]) -> None:
        try:
            answer = do(self._standing(self._present.house(), wanted), wanted)
        except Exception as error:  # noqa: BLE001 - one request must not end the others
            answer = self._problem(error)
        wanted.reply(answer)

    def _standing(self, house: House | None, wanted: Wanted) -> House:
        if not self._present.is_open():
            raise fenced()
        return require_standing(house, wanted)

    def _change(self, house: House, wanted: Wanted) -> Answer:
        return (_correct if wanted.scope == "correct" else _cancel)(house, wanted)

    def _problem(self, error: Exception) -> Answer:
        if isinstance(error, ProblemError):
            return error.answer()
        if isinstance(error, StoreAwayError):
            return not_now().answer()
        self._failed(error)
        return ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR, "It could not be done; ask whoever runs this."
        ).answer()


def _confirmed(found: Payload, code: str, status: Status, *, is_new: bool) -> Answer:
    facts = {
        "receipt": found.payment.receipt,
        "code": codes.shown(code),
        "status": status,
        "is_new": is_new,
        "warnings": [each._asdict() for each in found.warnings],
    }
    return said(HTTPStatus.CREATED if is_new else HTTPStatus.OK, facts)


def _status_of_known(house: House, payment: Payment, code: str) -> Status:
    """What became since of what was handed in before."""
    there = house.paying.standing(payment.organisation, payment.receipt)
    if there is None or there.status is Status.CANCELLED:
        return Status.CANCELLED
    return there.status if there.code == code else Status.CORRECTED


def _conflict(because: str, code: str = "") -> ProblemError:
    """The book's own sentence, without a code."""
    return ProblemError(HTTPStatus.CONFLICT, because.replace(f" {code}", "") if code else because)


def _correct(house: House, wanted: Wanted) -> Answer:
    """Also a correction that is handed in again is answered with its code."""
    found = payload(house, wanted)
    payment, paying = found.payment, house.paying
    try:
        result = paying.correct(
            payment, reason=found.reason, by=wanted.caller.name, replaces=found.replaces
        )
    except RefusedError as error:
        there = paying.standing(payment.organisation, payment.receipt)
        if there is None:
            raise _no_receipt() from None
        is_same = paying.safe.content_hash(payment) == there.entry.content_hash
        if is_same and there.status is not Status.CANCELLED:
            return _confirmed(found, there.code, there.status, is_new=False)
        raise _conflict(str(error), payment.code) from None
    return _confirmed(found, result.code, Status.RECORDED, is_new=True)


def _cancel(house: House, wanted: Wanted) -> Answer:
    """What is void already stays so, and is said to be."""
    reason = " ".join(str(fields(house, wanted)["reason"]).split())
    organisation, is_new = wanted.caller.organisation, True
    try:
        code = house.paying.cancel(
            organisation, wanted.receipt, reason=reason, by=wanted.caller.name
        )
    except RefusedError:
        there = house.paying.standing(organisation, wanted.receipt)
        if there is None or there.status is not Status.CANCELLED:
            raise _no_receipt() from None
        code, is_new = there.code, False
    facts = {"receipt": wanted.receipt, "code": codes.shown(code), "status": Status.CANCELLED}
    return said(HTTPStatus.CREATED if is_new else HTTPStatus.OK, {**facts, "is_new": is_new})


def _no_receipt() -> ProblemError:
    return not_found("The organisation has no such receipt.")
