"""A vendor described as a table: builds its requests and reads its answers; pure."""

from __future__ import annotations

import hmac
import html
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from smsengine.config.secret import revealed
from smsengine.gateways.base import (
    Acknowledgement,
    Callback,
    Capabilities,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
)
from smsengine.gateways.http_exchange import Reply, Request, base_64
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_option_words import PLACEHOLDER
from smsengine.gateways.http_options import Answer, HttpOptions, Query
from smsengine.gateways.http_outcomes import default_outcome, is_explicable, unanswered, unreadable
from smsengine.gateways.http_reading import (
    amount,
    answered,
    batch_outcomes,
    became,
    document,
    outcome,
    payload,
    receipts,
    refusal,
    results_by_reference,
    says_success,
    text,
)
from smsengine.gateways.http_table_login import TableLogin
from smsengine.text.gsm import measure

Section = TypeVar("Section")
_SECONDS_PER_HOUR = 3600
_KINDS = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset=utf-8",
}


class TableVendor(Vendor):
    """What ``HttpOptions`` say, as a vendor."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._key = revealed(options.key)
        self._headers = _authorization(options, self._key)
        self.url = options.url
        self.login = TableLogin(options, self._key) if options.login is not None else None
        self.per_request = options.per_request
        self.per_query = _references_at_once(options.query)
        self.secrets = _secrets(options, self._key)
        self.capabilities = Capabilities(
            max_batch=options.per_request,
            concurrency=options.connections,
            can_query=options.query is not None,
            query_after_seconds=options.query.after_seconds if options.query else 0,
            has_receipts=options.receipts is not None,
            has_balance=options.balance is not None,
            idempotency_seconds=options.idempotency_hours * _SECONDS_PER_HOUR,
        )

    # -- sending -----------------------------------------------------------------------------------

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        options = self._options
        items = [self._filled(options.fields, message) for message in messages]
        fields: dict[str, Any] = items[0]
        if options.batch_list:
            fields = {**self._filled(options.batch_fields), options.batch_list: items}
        url = self._url(options.url)
        if options.format == "query":
            url = _with_query(url, list(fields.items()))
            return Request(method=options.method, url=url, headers=self._headers)
        body = self._body(fields, messages[0])
        headers = {"Content-Type": _KINDS[options.format], **self._headers}
        return Request(method=options.method, url=url, headers=headers, body=body.encode())

    def _body(self, fields: Mapping[str, Any], message: Outbound) -> str:
        match self._options.format:
            case "json":
                return json.dumps(fields, ensure_ascii=False)
            case "xml":
                values = self._values(message)
                template = self._options.body
                return PLACEHOLDER.sub(lambda found: html.escape(values[found[1]]), template)
            case _:
                return urlencode(fields)

    def _filled(
        self, templates: Mapping[str, str], message: Outbound | None = None
    ) -> dict[str, Any]:
        values = self._values(message)
        filled = {
            name: PLACEHOLDER.sub(lambda found: values[found[1]], template)
            for name, template in templates.items()
        }
        return {
            name: int(value) if name in self._options.numbers else value
            for name, value in filled.items()
        }

    def _values(self, message: Outbound | None) -> Mapping[str, str]:
        """What placeholders stand for."""
        values = {"key": self._key, "sender": self._options.sender}
        if message is not None:
            words = self._options.unicode_flag
            is_plain = measure(message.text).encoding == "gsm7"
            values |= {
                "to": _address(message.address, self._options.address),
                "text": message.text,
                "reference": message.reference,
                "segments": str(message.segments),
                "unicode": words.plain if is_plain else words.other,
            }
        return values

    def _url(self, template: str, cursor: str = "") -> str:
        values = {"key": quote(self._key, safe=""), "cursor": quote(cursor, safe="")}
        return PLACEHOLDER.sub(lambda found: values[found[1]], template)

    def _question(self, url: str) -> Request:
        return Request(method="GET", url=url, headers=self._headers)

    def read_send(
        self, messages: Sequence[Outbound], reply: Reply, now: datetime
    ) -> Sequence[Outcome]:
        answer = self._options.answer
        found = answered(reply.body, answer)
        said = default_outcome(reply, now, documented_503=answer.documented_503)
        if said is not None:
            return [_explained(said, reply, answer, now)] * len(messages)
        if self._options.batch_list:
            return batch_outcomes(messages, found, answer, now)
        if text(found, answer.reference) not in (None, messages[0].reference):
            return [unanswered()]
        return [outcome(found, answer, now)]

    # -- asking ------------------------------------------------------------------------------------

    def build_query(self, references: Sequence[str]) -> Request:
        query = _given(self._options.query)
        pairs = [(query.field, each) for each in references]
        if query.references == "comma":
            pairs = [(query.field, ",".join(references))]
        return self._question(_with_query(self._url(query.url), pairs))

    def read_query(self, references: Sequence[str], reply: Reply) -> Sequence[Outcome | None]:
        query = _given(self._options.query)
        found = results_by_reference(document(reply.body), query.results, query.reference)
        return [
            became(found[each], query) if each in found else unanswered() for each in references
        ]

    def build_balance(self) -> Request:
        return self._question(self._url(_given(self._options.balance).url))

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        balance = _given(self._options.balance)
        found = document(reply.body)
        return amount(found, balance.amount), text(found, balance.currency) or "VND"

    # -- receipts ----------------------------------------------------------------------------------

    def build_receipts(self, cursor: str) -> Request:
        pull = _given(self._options.receipts)
        return self._question(self._url(pull.url, cursor or pull.start))

    def read_receipts(self, reply: Reply, cursor: str) -> tuple[Sequence[Receipt], str]:
        pull = _given(self._options.receipts)
        found = document(reply.body)
        return receipts(found, pull), text(found, pull.cursor) or cursor

    def verify_callback(self, callback: Callback) -> bool:
        push = self._options.callback
        if push is None:
            return False
        given: str | None = callback.token
        if push.token_header:
            given = callback.header(push.token_header)
        elif push.token_field:
            name = push.token_field
            given = callback.query.get(name) or text(payload(callback), name)
        expected = push.token.reveal()
        return hmac.compare_digest((given or "").encode(errors="replace"), expected.encode())

    def parse_callback(self, callback: Callback) -> tuple[Sequence[Receipt], Acknowledgement]:
        push = self._options.callback
        found = receipts(payload(callback), push) if push is not None else []
        if push is None or not found:
            raise ValueError("There is no receipt in it.")
        return found, Acknowledgement(
            status=push.status_code, body=push.body, content_type=push.content_type
        )


def _explained(said: Outcome, reply: Reply, answer: Answer, now: datetime) -> Outcome:
    """What a status means beside the words that came with it."""
    if said.kind is not OutcomeKind.UNKNOWN and says_success(reply.body, answer):
        return unreadable()
    found = answered(reply.body, answer)
    return (is_explicable(reply.status) and refusal(found, answer, now)) or said


# -- building --------------------------------------------------------------------------------------


def _authorization(options: HttpOptions, key: str) -> Mapping[str, str]:
    match options.auth:
        case "bearer":
            return {**options.headers, "Authorization": f"Bearer {key}"}
        case "basic":
            basic = base_64(_credentials(options, key))
            return {**options.headers, "Authorization": f"Basic {basic}"}
        case "header":
            return {**options.headers, options.header or "": key}
        case _:
            return options.headers


def _credentials(options: HttpOptions, key: str) -> str:
    """Name and password; without a name the key is both, as in ``name:password``."""
    return f"{options.user}:{key}" if options.user else key


def _secrets(options: HttpOptions, key: str) -> Sequence[str]:
    """What must not be shown, also as it stands in a header for Basic."""
    token = options.callback.token.reveal() if options.callback is not None else ""
    return [each for each in (_credentials(options, key) if key else "", key, token) if each]


def _address(e164: str, form: str) -> str:
    national = e164.removeprefix("+84")
    if form == "e164" or national == e164:
        return e164 if form == "e164" else e164.removeprefix("+")
    return form + national


def _with_query(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"


def _references_at_once(query: Query | None) -> int:
    return 1 if query is None or query.references == "one" else query.at_once


def _given(section: Section | None) -> Section:
    """A section that the capability sheet promises."""
    if section is None:
        raise NotImplementedError
    return section
