"""The login of a vendor described as a table: a request for a token, and where the token goes."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import quote, urlencode

from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_login import (
    Login,
    Token,
    with_form_field,
    with_header,
    with_json_field,
    with_query_field,
)
from smsengine.gateways.http_option_words import LoginKeys
from smsengine.gateways.http_options import HttpOptions
from smsengine.gateways.http_reading import login_document, says_success, text

_SECONDS_PER_MINUTE = 60
_INTO = {"json": with_json_field, "form": with_form_field, "query": with_query_field}


class TableLogin(Login):
    """What ``LoginKeys`` say, as a vendor's login."""

    def __init__(self, options: HttpOptions, key: str) -> None:
        self._keys = _given(options.login)
        self._answer = options.answer
        self._into = _INTO.get(options.format)
        self._key = key

    def build(self) -> Request:
        keys = self._keys
        url = keys.url.replace("{key}", quote(self._key, safe=""))
        fields = {name: said.replace("{key}", self._key) for name, said in keys.fields.items()}
        match keys.format:
            case "query":
                return with_query(url, fields)
            case "json":
                kind, body = "application/json", json.dumps(fields, ensure_ascii=False)
            case _:
                kind, body = "application/x-www-form-urlencoded", urlencode(fields)
        headers = {"Content-Type": kind}
        return Request(method="POST", url=url, headers=headers, body=body.encode())

    def read(self, reply: Reply, now: datetime) -> Token:  # noqa: ARG002 - its time is relative
        keys = self._keys
        found = login_document(reply)
        code = text(found, keys.code)
        if not reply.is_success:
            raise ValueError(f"HTTP {reply.status}")
        if keys.success is not None and code not in keys.success:
            raise ValueError(f"code {code}")
        return Token(text(found, keys.token) or "", keys.minutes * _SECONDS_PER_MINUTE)

    def put(self, request: Request, token: str) -> Request:
        if self._keys.token_header:
            return with_header(request, self._keys.token_header, token)
        into = with_query_field if request.method == "GET" or not self._into else self._into
        return into(request, self._keys.token_field or "", token)

    def is_stale(self, reply: Reply) -> bool:
        if reply.status != self._keys.stale_status or says_success(reply.body, self._answer):
            return False
        body = reply.body.decode(errors="replace")
        return self._keys.stale_words is None or any(
            each in body for each in self._keys.stale_words
        )


def with_query(url: str, fields: dict[str, str]) -> Request:
    """A question with fields in its address."""
    mark = "&" if "?" in url else "?"
    return Request(method="GET", url=f"{url}{mark}{urlencode(fields)}")


def _given(keys: LoginKeys | None) -> LoginKeys:
    assert keys is not None, "only a table with a login has one"
    return keys
