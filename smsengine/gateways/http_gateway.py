"""The seam of HTTP vendors: a vendor is pure functions, the gateway does what they say.

A vendor builds a request for messages and says what a reply means. Sockets, threads, clearance and
the log are the same for all of them and stand here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from smsengine.clock import Clock
from smsengine.errors import GatewayError
from smsengine.gateways import http_outcomes
from smsengine.gateways.base import (
    HELD_BACK,
    MOST_RAW,
    Acknowledgement,
    Asked,
    Balance,
    Callback,
    Capabilities,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    RegisteredTemplate,
    Scope,
    Vault,
)
from smsengine.gateways.http_exchange import Phase, Reply, Request
from smsengine.gateways.http_log import ExchangeLog, Redactor
from smsengine.gateways.http_login import Client, LoggedIn, Login
from smsengine.gateways.http_trouble import what_is_wrong

Item = TypeVar("Item")
_LOOK_AT = "look at its keys in config.yaml, or ask the vendor"
_MOST_DETAIL = 200
_MOST_CODE = 60
_MOST_ID = 100
#: What is asked about is not known there (any more).
_NOT_THERE = 404
_NO_TEMPLATE = Outcome(
    kind=OutcomeKind.REJECTED,
    scope=Scope.CALLER,
    code="no-template",
    detail="it needs a registered template",
)


class Vendor(ABC):
    """What is particular about a vendor: pure functions and a few facts.

    A function that its capability sheet does not promise need not be written.
    """

    capabilities: Capabilities
    #: where messages go
    url: str
    #: what no log and no detail of an outcome may show
    secrets: Sequence[str] = ()
    #: how it wants to be logged in to, where it does
    login: Login | None = None
    #: messages in one request
    per_request: int = 1
    #: references in one question
    per_query: int = 1
    #: accepted messages in one question
    per_report: int = 1

    def refuses(self, message: Outbound) -> Outcome | None:
        """Why a message must not even be handed over; None where nothing speaks against it."""
        lacks_template = self.capabilities.needs_template and message.template is None
        return _NO_TEMPLATE if lacks_template else None

    @abstractmethod
    def build_send(self, messages: Sequence[Outbound]) -> Request:
        """The request that hands these messages over."""

    @abstractmethod
    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        """One outcome for each message, in order, from a whole answer of any status."""

    def build_query(self, references: Sequence[str]) -> Request:
        """The request that asks what became of references."""
        raise NotImplementedError

    def read_query(self, references: Sequence[str], reply: Reply) -> Sequence[Outcome | None]:
        """For each reference its outcome, or None if it was surely never taken."""
        raise NotImplementedError

    def build_report(self, asked: Sequence[Asked]) -> Request:
        """The request that asks what became of accepted messages."""
        raise NotImplementedError

    def read_report(self, asked: Sequence[Asked], reply: Reply) -> Sequence[Receipt]:
        """What is known of them by now.

        Raises:
            ValueError: the answer does not say.
        """
        raise NotImplementedError

    def build_templates(self, sender: str) -> Request:
        """The request for the templates that are registered for a sender's name."""
        raise NotImplementedError

    def read_templates(self, reply: Reply) -> Sequence[RegisteredTemplate]:
        """Templates as the vendor has them.

        Raises:
            ValueError: the answer does not say.
        """
        raise NotImplementedError

    def build_check(self) -> Request | None:
        """The request that asks how the vendor does; None where it cannot be asked."""
        return None

    def read_check(self, reply: Reply) -> str:
        """What it says, in a few words.

        Raises:
            ValueError: what is wrong, as the rest of a sentence that begins with the vendor.
        """
        raise NotImplementedError

    def build_balance(self) -> Request:
        """The request that asks what is left."""
        raise NotImplementedError

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        """Amount and currency.

        Raises:
            ValueError: the answer does not say.
        """
        raise NotImplementedError

    def build_receipts(self, cursor: str) -> Request:
        """The request for receipts behind a cursor, at first an empty one."""
        raise NotImplementedError

    def read_receipts(self, reply: Reply, cursor: str) -> tuple[Sequence[Receipt], str]:
        """Receipts, and the cursor for the next ones.

        Raises:
            ValueError: the answer does not say.
        """
        raise NotImplementedError

    def verify_callback(self, callback: Callback) -> bool:  # noqa: ARG002 - for overriding
        """Say whether a callback is this vendor's."""
        return False

    def parse_callback(
        self,
        callback: Callback,  # noqa: ARG002 - for overriding
    ) -> tuple[Sequence[Receipt], Acknowledgement]:
        """Receipts in a callback, and what the vendor wants to hear.

        Raises:
            ValueError: it is not one of this vendor's.
        """
        raise ValueError("This gateway sends no callbacks.")


class HttpGateway(Gateway):
    """A vendor behind the contract of a gateway."""

    def __init__(
        self,
        vendor: Vendor,
        *,
        client: Client,
        clock: Clock,
        redactor: Redactor,
        log: ExchangeLog | None = None,
        vault: Vault | None = None,
    ) -> None:
        self._vendor = vendor
        self._client = client
        self._clock = clock
        self._redactor = redactor
        self._log = log
        self._host = urlsplit(vendor.url).netloc
        # Where the receipts end that are in the ledger, and those that were fetched last.
        self._cursor = self._next_cursor = ""
        if vendor.login is not None:
            self._client = LoggedIn(
                vendor.login,
                client=client,
                clock=clock,
                redactor=redactor,
                note=self._note,
                vault=vault,
            )

    @property
    def capabilities(self) -> Capabilities:
        return self._vendor.capabilities

    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        refused = [self._vendor.refuses(each) for each in batch]
        lawful = [each for each, said in zip(batch, refused, strict=True) if said is None]
        answers = iter(self._hand_over(lawful, clear))
        return [
            next(answers) if said is None else said if clear([message]) else HELD_BACK
            for message, said in zip(batch, refused, strict=True)
        ]

    def _hand_over(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        groups = list(_groups(batch, self._vendor.per_request))
        requests = [self._vendor.build_send(group) for group in groups]
        replies = self._client.post_many(
            requests,
            before=lambda index: clear(groups[index]),
            after=lambda index, reply: self._note(requests[index], reply, groups[index]),
        )
        return [
            outcome
            for group, reply in zip(groups, replies, strict=True)
            for outcome in self._outcomes(group, reply)
        ]

    def _outcomes(self, group: Sequence[Outbound], reply: Reply) -> Sequence[Outcome]:
        """What a reply means for each message of its request."""
        now = self._clock.now()
        if reply.phase is not Phase.ANSWERED:
            said = http_outcomes.default_outcome(reply, now) or http_outcomes.unreadable()
            return [self._tidy(said)] * len(group)
        read = _guarded(lambda: self._vendor.read_send(group, reply, now), len(group))
        return [self._tidy(each, message) for each, message in zip(read, group, strict=True)]

    def _tidy(self, outcome: Outcome, *messages: Outbound) -> Outcome:
        """An outcome whose words are short and say nothing private."""
        return outcome._replace(
            code=self._redactor.clean(outcome.code, messages)[:_MOST_CODE],
            detail=self._redactor.clean(outcome.detail, messages)[:_MOST_DETAIL],
            gateway_id=outcome.gateway_id and outcome.gateway_id[:_MOST_ID],
        )

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        groups = list(_groups(references, self._vendor.per_query))
        requests = [self._vendor.build_query(group) for group in groups]
        replies = self._client.post_many(
            requests, after=lambda index, reply: self._note(requests[index], reply)
        )
        return [
            answer
            for group, reply in zip(groups, replies, strict=True)
            for answer in self._answers(group, reply)
        ]

    def _answers(self, group: Sequence[str], reply: Reply) -> Sequence[Outcome | None]:
        if reply.phase is not Phase.ANSWERED or not reply.is_success:
            return [http_outcomes.unanswered()] * len(group)
        read = _guarded(lambda: self._vendor.read_query(group, reply), len(group))
        return [answer and self._tidy(answer) for answer in read]

    def balance(self) -> Balance:
        reply = self._ask(self._vendor.build_balance())
        if wrong := what_is_wrong(self._host, reply):
            raise GatewayError(wrong)
        try:
            amount, currency = self._vendor.read_balance(reply)
        except ValueError as error:
            raise GatewayError(f"{self._host} gave no balance ({error}); {_LOOK_AT}.") from error
        return Balance(amount=amount, currency=currency, at=self._clock.now())

    def reports(self, asked: Sequence[Asked]) -> Sequence[Receipt]:
        found: list[Receipt] = []
        for group in _groups(asked, self._vendor.per_report):
            reply = self._ask(self._vendor.build_report(group))
            wrong = what_is_wrong(self._host, reply)
            if wrong and not found and reply.status != _NOT_THERE:
                raise GatewayError(wrong)
            if not wrong:
                with suppress(ValueError):
                    found += map(self._kept, self._vendor.read_report(group, reply))
        return found

    def registered_templates(self, sender: str) -> Sequence[RegisteredTemplate]:
        reply = self._ask(self._vendor.build_templates(sender))
        if wrong := what_is_wrong(self._host, reply):
            raise GatewayError(wrong)
        try:
            return self._vendor.read_templates(reply)
        except ValueError as error:
            raise GatewayError(
                f"{self._host} gave no list of templates ({error}); {_LOOK_AT}."
            ) from error

    def receipts(self) -> Sequence[Receipt]:
        """Receipts behind the last ones; none where the vendor cannot be asked just now."""
        if not self.capabilities.has_receipts:
            return ()
        reply = self._ask(self._vendor.build_receipts(self._cursor))
        if reply.phase is not Phase.ANSWERED or not reply.is_success:
            return ()
        try:
            receipts, self._next_cursor = self._vendor.read_receipts(reply, self._cursor)
        except ValueError:
            return ()
        return [self._kept(each) for each in receipts]

    def stored(self, receipts: Sequence[Receipt]) -> None:  # noqa: ARG002 - one page at a time
        """The receipts behind the last ones are wanted now."""
        self._cursor = self._next_cursor

    def check(self) -> str:
        if self._log is not None:
            self._log.prove()
        if isinstance(self._client, LoggedIn) and (refused := self._client.log_in()):
            raise GatewayError(what_is_wrong(self._host, refused) or "")
        if self.capabilities.has_balance:
            balance = self.balance()
            return f"{self._host} answers; {balance.amount} {balance.currency} are left"
        if isinstance(self._client, LoggedIn):
            return f"{self._host} answers; it takes the login"
        scheme = urlsplit(self._vendor.url).scheme
        reply = self._ask(Request(method="GET", url=f"{scheme}://{self._host}/"))
        if reply.phase is not Phase.ANSWERED:
            raise GatewayError(what_is_wrong(self._host, reply) or "")
        return f"{self._host} answers; {self._checked()}"

    def _checked(self) -> str:
        """What the vendor says of itself."""
        request = self._vendor.build_check()
        if request is None:
            return "whether the key is right was not asked"
        host, reply = urlsplit(request.url).netloc, self._ask(request)
        if wrong := what_is_wrong(host, reply):
            raise GatewayError(wrong)
        try:
            return self._vendor.read_check(reply)
        except ValueError as error:
            raise GatewayError(f"{host} {error}.") from error

    def _ask(self, request: Request) -> Reply:
        reply = self._client.post(request)
        self._note(request, reply)
        return reply

    def _note(self, request: Request, reply: Reply, messages: Sequence[Outbound] = ()) -> None:
        if self._log is not None:
            self._log.write(self._clock.now(), request, reply, messages)

    def verify_callback(self, callback: Callback) -> bool:
        return self._vendor.verify_callback(callback)

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        receipts, said = self._vendor.parse_callback(callback)
        came = f"{urlencode(callback.query)} {callback.body.decode(errors='replace')}".strip()
        return [self._kept(replace(each, raw=each.raw or came)) for each in receipts], said

    def _kept(self, receipt: Receipt) -> Receipt:
        """A receipt whose words fit into the ledger, and hold nothing that must not be kept."""
        return replace(
            receipt,
            gateway_id=receipt.gateway_id[:_MOST_ID],
            code=self._redactor.clean(receipt.code)[:_MOST_CODE],
            raw=self._redactor.clean(receipt.raw)[:MOST_RAW],
        )

    def close(self) -> None:
        self._client.close()


def _groups(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + most] for start in range(0, len(items), most))


def _guarded(read: Callable[[], Sequence[Item | Outcome]], count: int) -> Sequence[Item | Outcome]:
    """What a vendor's function reads; whatever it stumbles over is no answer for anybody."""
    try:
        found = read()
    except Exception:  # noqa: BLE001 - the messages are out: an odd answer must not lose the others
        return [http_outcomes.unreadable()] * count
    return found if len(found) == count else [http_outcomes.unanswered()] * count
