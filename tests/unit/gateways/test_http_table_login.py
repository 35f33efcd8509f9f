"""A login as a table, and answers that are no JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.gateways.base import Outbound, OutcomeKind, Scope
from smsengine.gateways.http_exchange import Phase, Reply, Request
from smsengine.gateways.http_login import NotNowError
from smsengine.gateways.http_table import TableVendor
from tests.unit.gateways.table_options import KEY, URL, options, secrets

LOGIN: dict[str, Any] = {
    "url": f"{URL}/login",
    "fields": {"name": "bhxh", "word": "{key}"},
    "token": "data.sid",
    "minutes": "10",
    "token_field": "sid",
}
MESSAGE = Outbound(reference="r1-1", address="+84901234567", network="", text="Text", segments=1)


def vendor(folder: Path, *, login: dict[str, Any] | None = None, **changes: Any) -> TableVendor:
    keys = {key: value for key, value in (LOGIN | (login or {})).items() if value is not None}
    given: dict[str, Any] = {"auth": "login", "login": keys}
    return TableVendor(options(secrets(folder), **given | changes))


def answered(body: bytes, status: int = 200) -> Reply:
    return Reply(phase=Phase.ANSWERED, status=status, body=body)


@pytest.mark.parametrize(
    ("form", "method", "url", "body"),
    [
        ("form", "POST", "/login", f"name=bhxh&word={KEY}"),
        ("json", "POST", "/login", f'{{"name": "bhxh", "word": "{KEY}"}}'),
        ("query", "GET", f"/login?name=bhxh&word={KEY}", ""),
    ],
)
def test_a_login_is_written_as_the_table_says(
    tmp_path: Path, form: str, method: str, url: str, body: str
) -> None:
    """Name and secret go where the vendor looks for them."""
    login = vendor(tmp_path, login={"format": form}).login
    assert login is not None
    request = login.build()
    assert (method, URL + url, body.encode()) == (request.method, request.url, request.body)


@pytest.mark.parametrize(
    ("form", "changes", "expected"),
    [
        ("json", {}, b'{"sid": "s 1", "a": "b"}'),
        ("form", {}, b"sid=s+1&a=b"),
        ("json", {"token_field": None, "token_header": "X-Sid"}, b'{"a": "b"}'),
    ],
)
def test_the_token_goes_where_the_table_says(
    tmp_path: Path, form: str, changes: dict[str, Any], expected: bytes
) -> None:
    """A field of the same form as the others, or a header."""
    login = vendor(tmp_path, format=form, login=changes).login
    assert login is not None
    body = b'{"a": "b"}' if form == "json" else b"a=b"
    put = login.put(Request(method="POST", url=URL, body=body), "s 1")
    assert (expected, changes.get("token_header") and "s 1") == (put.body, put.headers.get("X-Sid"))


def test_a_question_carries_the_token_in_its_address(tmp_path: Path) -> None:
    """What has no body takes the token in the URL."""
    login = vendor(tmp_path).login
    assert login is not None
    assert f"{URL}?sid=s1" == login.put(Request(method="GET", url=URL), "s1").url


def test_a_login_gives_a_token_for_its_minutes(tmp_path: Path, clock: ManualClock) -> None:
    """Ten minutes are six hundred seconds."""
    login = vendor(tmp_path).login
    assert login is not None
    assert ("s1", 600, "") == login.read(answered(b'{"data": {"sid": "s1"}}'), clock.now())


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [(b'{"st": "7"}', 200, "code 7"), (b"{}", 200, "code None"), (b"", 403, "HTTP 403")],
)
def test_a_refused_login_says_why(
    tmp_path: Path, clock: ManualClock, body: bytes, status: int, said: str
) -> None:
    """A few words, with the vendor's code."""
    login = vendor(tmp_path, login={"code": "st", "success": "0"}).login
    assert login is not None
    with pytest.raises(ValueError, match=said):
        login.read(answered(body, status), clock.now())


def test_a_page_in_place_of_a_login_is_nobodys_fault(tmp_path: Path, clock: ManualClock) -> None:
    """Vendors show one while they mend something: the account is not refused."""
    login = vendor(tmp_path).login
    assert login is not None
    with pytest.raises(NotNowError, match="its answer cannot be read"):
        login.read(answered(b"<html>Maintenance</html>"), clock.now())


@pytest.mark.parametrize(
    ("status", "words", "body", "stale"),
    [
        (401, None, b"", True),
        (403, None, b"", False),
        (401, ["Expired"], b"SessionExpired", True),
        (401, ["Expired"], b"wrong", False),
        (200, None, b"Expired", False),
        (401, None, b'{"status": "0"}', False),
        (401, ["Expired"], b'{"status": "0", "message": "Expired"}', False),
    ],
)
def test_an_old_token_is_known_by_status_and_words(
    tmp_path: Path, status: int, words: list[str] | None, body: bytes, stale: bool
) -> None:
    """Only what surely was no hand-over is handed over again."""
    login = vendor(tmp_path, login={"stale_words": words} if words else {}).login
    assert login is not None
    assert stale is login.is_stale(answered(body, status))


@pytest.mark.parametrize(
    ("body", "kind", "scope", "name"),
    [
        (b"OK 0 id=77\n", OutcomeKind.ACCEPTED, None, "77"),
        (b"ERR 13\n", OutcomeKind.REJECTED, Scope.RECIPIENT, None),
        (b"ERR 999\n", OutcomeKind.REJECTED, Scope.CALLER, None),
        (b"<html>", OutcomeKind.UNKNOWN, None, None),
        (b"", OutcomeKind.UNKNOWN, None, None),
    ],
)
def test_an_answer_in_plain_words_is_read_by_a_pattern(
    tmp_path: Path,
    clock: ManualClock,
    body: bytes,
    kind: OutcomeKind,
    scope: Scope | None,
    name: str | None,
) -> None:
    """Named groups are the places; where nothing fits, nothing is known."""
    answer = {
        "form": "text",
        "pattern": r"^(?:OK|ERR) (?P<code>\d+)(?: id=(?P<id>\d+))?",
        "code": "code",
        "id": "id",
        "success": "0",
        "codes": {"13": "rejected recipient"},
    }
    read = vendor(tmp_path, answer=answer).read_send
    (outcome,) = read([MESSAGE], answered(body), clock.now())
    assert (kind, scope, name) == (outcome.kind, outcome.scope, outcome.gateway_id)
