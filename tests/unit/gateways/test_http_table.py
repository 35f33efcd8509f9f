"""A vendor described as a table: what is written for it, and what its words mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from smsengine.gateways.base import (
    Acknowledgement,
    Callback,
    Capabilities,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from smsengine.gateways.http_exchange import Phase, Reply
from smsengine.gateways.http_table import TableVendor
from tests.unit.gateways.table_options import (
    ANSWER,
    BATCH,
    KEY,
    RECEIPT,
    TOKEN,
    URL,
    options,
    questions,
    secrets,
)

NOW = datetime(2026, 11, 5, 1, 0, tzinfo=UTC)
TEXT = 'So tien "A & B" {to} la 1.000%'
UNREADABLE = (OutcomeKind.UNKNOWN, None, "unreadable")
UNANSWERED = (OutcomeKind.UNKNOWN, None, "unanswered")
ACCEPTED = (OutcomeKind.ACCEPTED, None, "0")
RECIPIENT = (OutcomeKind.REJECTED, Scope.RECIPIENT, "13")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return secrets(tmp_path)


def message(reference: str = "r1-1", address: str = "+84912345678") -> Outbound:
    return Outbound(reference=reference, address=address, network="", text=TEXT, segments=2)


def answered(body: Any, status: int = 200) -> Reply:
    """A whole answer; what is no bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(phase=Phase.ANSWERED, status=status, body=content)


def meant(outcomes: Sequence[Outcome | None]) -> list[Any]:
    return [each and (each.kind, each.scope, each.code) for each in outcomes]


# -- what is written -------------------------------------------------------------------------------


def test_json_carries_the_fields(folder: Path) -> None:
    """Each field is filled as its template says, and a text that looks like one is left alone."""
    request = TableVendor(options(folder)).build_send([message()])
    assert ("POST", f"{URL}/send") == (request.method, request.url)
    assert {"to": "84912345678", "text": TEXT, "ref": "r1-1"} == json.loads(request.body)
    assert "application/json" == request.headers["Content-Type"]


def test_a_form_carries_the_fields(folder: Path) -> None:
    """What is special in a form is escaped."""
    request = TableVendor(options(folder, format="form")).build_send([message()])
    fields = {"to": "84912345678", "text": TEXT, "ref": "r1-1"}
    assert fields == dict(parse_qsl(request.body.decode()))
    assert "application/x-www-form-urlencoded" == request.headers["Content-Type"]


@pytest.mark.parametrize(("url", "more"), [(f"{URL}/send", {}), (f"{URL}/send?v=2", {"v": "2"})])
def test_a_query_carries_the_fields(folder: Path, url: str, more: dict[str, str]) -> None:
    """Fields in the URL come behind what is there already."""
    vendor = TableVendor(options(folder, method="GET", format="query", url=url))
    request = vendor.build_send([message()])
    fields = more | {"to": "84912345678", "text": TEXT, "ref": "r1-1"}
    assert fields == dict(parse_qsl(urlsplit(request.url).query))
    assert ("GET", b"") == (request.method, request.body)


@pytest.mark.parametrize(
    ("form", "address", "written"),
    [
        ("e164", "+84912345678", "+84912345678"),
        ("84", "+84912345678", "84912345678"),
        ("0", "+84912345678", "0912345678"),
        ("e164", "+85612345678", "+85612345678"),
        ("84", "+85612345678", "85612345678"),
        ("0", "+85612345678", "85612345678"),
    ],
)
def test_numbers_begin_as_the_vendor_wants(
    folder: Path, form: str, address: str, written: str
) -> None:
    """Only Vietnam's numbers have a form without their country."""
    vendor = TableVendor(options(folder, address=form))
    assert written == json.loads(vendor.build_send([message(address=address)]).body)["to"]


def test_every_placeholder_is_filled(folder: Path) -> None:
    """A field may be made of several things."""
    fields = {"all": "{sender}/{to}/{reference}/{segments}/{key}", "text": "{text}"}
    vendor = TableVendor(options(folder, fields=fields, sender="BHXH VN"))
    written = json.loads(vendor.build_send([message()]).body)["all"]
    assert f"BHXH VN/84912345678/r1-1/2/{KEY}" == written


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"auth": "bearer"}, "Authorization", f"Bearer {KEY}"),
        ({"auth": "header", "header": "X-Api-Key"}, "X-Api-Key", KEY),
        ({"auth": "basic", "user": "office"}, "Authorization", f"office:{KEY}"),
        ({"auth": "basic"}, "Authorization", KEY),
    ],
    ids=["bearer", "header", "basic", "basic without a name"],
)
def test_the_key_goes_where_it_is_wanted(
    folder: Path, changes: dict[str, Any], name: str, value: str
) -> None:
    """Messages and questions carry the key in the same header."""
    if changes["auth"] == "basic":
        value = f"Basic {base64.b64encode(value.encode()).decode()}"
    vendor = TableVendor(options(folder, **changes, **questions()))
    for request in (vendor.build_send([message()]), vendor.build_balance()):
        assert value == request.headers[name]


def test_the_key_in_a_url_is_escaped(tmp_path: Path) -> None:
    """A key of any characters stands in a path or a query as itself."""
    folder = secrets(tmp_path, "a/b?c&d")
    given = options(folder, auth="body", url=f"{URL}/{{key}}/send", **questions(f"{URL}/{{key}}"))
    vendor = TableVendor(given)
    expected = f"{URL}/a%2Fb%3Fc%26d"
    assert f"{expected}/send" == vendor.build_send([message()]).url
    assert f"{expected}/balance" == vendor.build_balance().url


def test_a_batch_is_a_list_with_fields_beside_it(folder: Path) -> None:
    """What belongs to all is said once, and what differs stands in the list."""
    given = options(folder, **BATCH, batch_fields={"from": "{sender}"}, sender="BHXH")
    request = TableVendor(given).build_send([message("r1-1"), message("r2-1")])
    items = [{"to": "84912345678", "text": TEXT, "ref": ref} for ref in ("r1-1", "r2-1")]
    assert {"from": "BHXH", "messages": items} == json.loads(request.body)


def test_the_sheet_follows_from_the_options(folder: Path) -> None:
    """What a gateway can is what its configuration describes."""
    full = options(folder, **BATCH, **questions(), idempotency_hours="24", connections="16")
    assert (
        Capabilities(max_batch=1, concurrency=8),
        Capabilities(
            max_batch=100,
            concurrency=16,
            can_query=True,
            query_after_seconds=60,
            has_receipts=True,
            has_balance=True,
            idempotency_seconds=86_400,
        ),
    ) == (TableVendor(options(folder)).capabilities, TableVendor(full).capabilities)


def test_its_secrets_are_known(folder: Path) -> None:
    """What no log may show includes what is made of the key."""
    given = options(folder, auth="basic", user="office", **questions())
    assert {KEY, f"office:{KEY}", TOKEN} == set(TableVendor(given).secrets)


# -- what an answer means --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "0", "id": "D-1"}, ACCEPTED),
        ({"status": 0, "id": 7}, ACCEPTED),
        ({"status": "0"}, ACCEPTED),
        ({"status": "0", "ref": "r1-1"}, ACCEPTED),
        ({"status": "0", "ref": "r2-1"}, UNANSWERED),
        ({"status": "13"}, RECIPIENT),
        ({"status": 13.0}, (OutcomeKind.REJECTED, Scope.CALLER, "13.0")),
        ({"status": "146"}, (OutcomeKind.REJECTED, Scope.CONTENT, "146")),
        ({"status": "104"}, (OutcomeKind.REJECTED, Scope.SENDER, "104")),
        ({"status": "103"}, (OutcomeKind.REJECTED, Scope.ACCOUNT, "103")),
        ({"status": "124"}, (OutcomeKind.DUPLICATE, None, "124")),
        ({"status": "21"}, (OutcomeKind.TRANSIENT, None, "21")),
        ({"status": "99"}, (OutcomeKind.DEFERRED, None, "99")),
        ({"status": "777"}, (OutcomeKind.REJECTED, Scope.CALLER, "777")),
        ({"status": True}, (OutcomeKind.REJECTED, Scope.CALLER, "true")),
        ({"status": None}, UNREADABLE),
        ({"status": {"code": "0"}}, UNREADABLE),
        ({"status": ["0"]}, UNREADABLE),
        ({}, UNREADABLE),
        ([], UNREADABLE),
        ("0", UNREADABLE),
        (0, UNREADABLE),
        (b"", UNREADABLE),
        (b"<html>OK</html>", UNREADABLE),
        (b'{"status":"0"', UNREADABLE),
        (b'\xff{"status":"0"}', UNREADABLE),
        (b"[" * 100_000, UNREADABLE),
        (b'\xef\xbb\xbf{"status":"0"}', ACCEPTED),
    ],
)
def test_an_answer_has_one_meaning(folder: Path, body: Any, expected: Any) -> None:
    """What the table knows is so, a code it lacks is kept, and what cannot be read is in doubt."""
    vendor = TableVendor(options(folder))
    assert [expected] == meant(vendor.read_send([message()], answered(body), NOW))


@pytest.mark.parametrize("meaning", ["unknown", "throttled", "rejected caller", "accepted"])
def test_every_meaning_can_be_given(folder: Path, meaning: str) -> None:
    """A code means what the operator writes beside it."""
    vendor = TableVendor(options(folder, answer=ANSWER | {"codes": {"5": meaning}}))
    (outcome,) = vendor.read_send([message()], answered({"status": "5"}), NOW)
    assert meaning == " ".join(filter(None, (outcome.kind, outcome.scope)))


def test_an_answer_is_read_in_its_depth(folder: Path) -> None:
    """Paths lead through groups and lists."""
    paths = {"code": "data.0.state.code", "id": "data.0.id", "detail": "data.0.say"}
    vendor = TableVendor(options(folder, answer={"success": ["0", "100"], **paths}))
    body = {"data": [{"id": 12, "state": {"code": 100}, "say": "ok"}]}
    (outcome,) = vendor.read_send([message()], answered(body), NOW)
    expected = Outcome(kind=OutcomeKind.ACCEPTED, gateway_id="12", code="100", detail="ok")
    assert expected == outcome


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-11-05T09:30:00+07:00", datetime(2026, 11, 5, 2, 30, tzinfo=UTC)),
        ("2026-11-05T02:30:00Z", datetime(2026, 11, 5, 2, 30, tzinfo=UTC)),
        ("2026-11-05 09:30:00", datetime(2026, 11, 5, 2, 30, tzinfo=UTC)),
        (1793845800, datetime(2026, 11, 5, 2, 30, tzinfo=UTC)),
        ("1793845800", datetime(2026, 11, 5, 2, 30, tzinfo=UTC)),
        ("tomorrow", None),
        (10**30, None),
        (None, None),
    ],
)
def test_a_deferred_message_knows_when(folder: Path, said: Any, expected: datetime | None) -> None:
    """A time without a zone is Vietnam's, and one that cannot be read is none."""
    vendor = TableVendor(options(folder))
    body = {"status": "99", "not_before": said}
    (outcome,) = vendor.read_send([message()], answered(body), NOW)
    assert expected == outcome.not_before


def test_a_throttled_message_knows_how_long(folder: Path) -> None:
    """A pause in the body is read as the header's is."""
    answer = ANSWER | {"codes": {"5": "throttled"}, "retry_after": "wait"}
    vendor = TableVendor(options(folder, answer=answer))
    (outcome,) = vendor.read_send([message()], answered({"status": "5", "wait": 9}), NOW)
    assert 9.0 == outcome.retry_after_seconds


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, {"status": "13"}, RECIPIENT),
        (400, {"status": "777"}, (OutcomeKind.REJECTED, Scope.CALLER, "http-400")),
        (400, b"<html>", (OutcomeKind.REJECTED, Scope.CALLER, "http-400")),
        (409, {"status": "124"}, (OutcomeKind.DUPLICATE, None, "124")),
        (400, {"status": "0"}, UNREADABLE),
        (401, {"status": "0"}, UNREADABLE),
        (307, {"status": "0"}, UNREADABLE),
        (401, {"status": "13"}, (OutcomeKind.REJECTED, Scope.ACCOUNT, "http-401")),
        (429, {"status": "13"}, (OutcomeKind.THROTTLED, None, "http-429")),
        (500, {"status": "13"}, (OutcomeKind.UNKNOWN, None, "http-500")),
        (500, {"status": "0"}, (OutcomeKind.UNKNOWN, None, "http-500")),
        (302, {"status": "13"}, (OutcomeKind.UNKNOWN, None, "http-302")),
        (307, {"status": "13"}, (OutcomeKind.REJECTED, Scope.CALLER, "http-307")),
        (201, {"status": "0"}, ACCEPTED),
        (202, {"status": "0"}, ACCEPTED),
    ],
)
def test_a_status_and_a_code_are_read_together(
    folder: Path, status: int, body: Any, expected: Any
) -> None:
    """A refusal is explained by a code of the table; what contradicts itself is in doubt."""
    vendor = TableVendor(options(folder))
    assert [expected] == meant(vendor.read_send([message()], answered(body, status), NOW))


@pytest.mark.parametrize("changes", [{}, BATCH])
def test_a_word_of_acceptance_in_a_refusal_is_in_doubt(
    folder: Path, changes: dict[str, Any]
) -> None:
    """Also where the table calls the code accepted in its list and not as the success."""
    answer = changes.get("answer", ANSWER) | {"codes": {"1": "accepted"}}
    vendor = TableVendor(options(folder, **changes | {"answer": answer}))
    said = answered({"status": "1"}, 400)
    assert [UNREADABLE] == meant(vendor.read_send([message()], said, NOW))


@pytest.mark.parametrize(
    ("documented", "kind"), [("true", OutcomeKind.TRANSIENT), ("false", OutcomeKind.UNKNOWN)]
)
def test_503_means_what_the_vendor_documents(
    folder: Path, documented: str, kind: OutcomeKind
) -> None:
    """Whether a 503 was taken is the vendor's to say, and the operator's to write down."""
    vendor = TableVendor(options(folder, answer=ANSWER | {"documented_503": documented}))
    (outcome,) = vendor.read_send([message()], answered(b"", 503), NOW)
    assert kind is outcome.kind


def result(ref: str, status: str = "0", **more: str) -> dict[str, str]:
    return {"status": status, "ref": ref, **more}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"results": [result("a"), result("b", "13")]}, [ACCEPTED, RECIPIENT]),
        ({"results": [result("b", "13"), result("a")]}, [ACCEPTED, RECIPIENT]),
        ({"results": [result("a")]}, [ACCEPTED, UNANSWERED]),
        ({"results": [result("a"), {}]}, [ACCEPTED, UNANSWERED]),
        ({"results": [result("a"), {"ref": "b"}]}, [ACCEPTED, UNREADABLE]),
        ({"results": [result("a"), None, "x", 1, result("b")]}, [ACCEPTED, ACCEPTED]),
        ({"results": [result("a"), result("a"), result("b")]}, [ACCEPTED, ACCEPTED]),
        ({"results": [result("a"), result("a", "13")]}, [UNANSWERED, UNANSWERED]),
        ({"results": [result("c"), result("d")]}, [UNANSWERED, UNANSWERED]),
        ({"results": []}, [UNANSWERED, UNANSWERED]),
        ({"results": {"a": "0"}}, [UNREADABLE, UNREADABLE]),
        ({"results": None}, [UNREADABLE, UNREADABLE]),
        ({"status": "0"}, [UNREADABLE, UNREADABLE]),
        ({"status": "777"}, [UNREADABLE, UNREADABLE]),
        ({"status": "103"}, [(OutcomeKind.REJECTED, Scope.ACCOUNT, "103")] * 2),
        (b"<html>", [UNREADABLE, UNREADABLE]),
    ],
)
def test_each_message_of_a_batch_has_its_own_outcome(
    folder: Path, body: Any, expected: list[Any]
) -> None:
    """By its reference, in any order; what the answer does not name is in doubt."""
    vendor = TableVendor(options(folder, **BATCH))
    batch = [message("a"), message("b")]
    assert expected == meant(vendor.read_send(batch, answered(body), NOW))


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([{"status": "0"}, {"status": "13"}], [ACCEPTED, RECIPIENT]),
        ([{"status": "0"}], [UNANSWERED, UNANSWERED]),
        ([{"status": "0"}] * 3, [UNANSWERED, UNANSWERED]),
    ],
)
def test_without_references_the_place_counts(
    folder: Path, results: list[Any], expected: list[Any]
) -> None:
    """Only a list as long as the batch can be read by place."""
    answer = {"code": "status", "success": "0", "results": "results", "codes": ANSWER["codes"]}
    vendor = TableVendor(options(folder, **BATCH | {"answer": answer}))
    batch = [message("a"), message("b")]
    assert expected == meant(vendor.read_send(batch, answered({"results": results}), NOW))


# -- asking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "per_query", "query"),
    [
        ("repeated", 50, "ref=a&ref=b%2F"),
        ("comma", 50, "ref=a%2Cb%2F"),
        ("one", 1, "ref=a&ref=b%2F"),
    ],
)
def test_references_are_given_as_the_vendor_wants(
    folder: Path, how: str, per_query: int, query: str
) -> None:
    """Again and again, joined, or one in each question."""
    section = questions()["query"] | {"references": how}
    vendor = TableVendor(options(folder, query=section))
    assert (per_query, f"{URL}/status?{query}") == (
        vendor.per_query,
        vendor.build_query(["a", "b/"]).url,
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"results": [result("a", id="D-1")]}, [ACCEPTED]),
        ({"results": [result("a", "404")]}, [None]),
        ({"results": [result("a", "13")]}, [RECIPIENT]),
        ({"results": [result("a", "777")]}, [(OutcomeKind.UNKNOWN, None, "777")]),
        ({"results": [{"ref": "a"}]}, [(OutcomeKind.UNKNOWN, None, "")]),
        ({"results": [result("b", "404")]}, [UNANSWERED]),
        ({"results": [result("a", "404"), result("a")]}, [UNANSWERED]),
        ({"results": []}, [UNANSWERED]),
        ({"status": "404"}, [UNANSWERED]),
        (b"<html>", [UNANSWERED]),
    ],
)
def test_only_the_documented_code_proves_that_nothing_was_taken(
    folder: Path, body: Any, expected: list[Any]
) -> None:
    """A message goes again on proof alone; silence, contradictions and other codes are none."""
    section = questions()["query"] | {"codes": {"13": "rejected recipient"}}
    vendor = TableVendor(options(folder, query=section))
    assert expected == meant(vendor.read_query(["a"], answered(body)))


def test_a_question_about_one_may_be_answered_without_a_list(folder: Path) -> None:
    """Where no list is described, the answer itself is the result."""
    section = {k: v for k, v in questions()["query"].items() if k != "results"}
    vendor = TableVendor(options(folder, query=section | {"references": "one"}))
    assert [ACCEPTED, UNANSWERED] == meant(
        [
            *vendor.read_query(["a"], answered(result("a"))),
            *vendor.read_query(["a"], answered(result("b", "404"))),
        ]
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"amount": 1200, "currency": "USD"}, (1200, "USD")),
        ({"amount": "1200.75", "currency": "USD"}, (1200, "USD")),
        ({"amount": "-5"}, (-5, "VND")),
        ({"amount": 0, "currency": ""}, (0, "VND")),
    ],
)
def test_a_balance_is_read(folder: Path, body: Any, expected: tuple[int, str]) -> None:
    """Number or text, whole or not; without a currency it is đồng."""
    vendor = TableVendor(options(folder, **questions()))
    assert expected == vendor.read_balance(answered(body))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "its answer cannot be read"),
        ({}, "amount is no amount"),
        ({"amount": "a lot"}, "amount is no amount"),
        ({"amount": "NaN"}, "amount is no amount"),
        ({"amount": "1E999999999"}, "amount is no amount"),
        ({"amount": True}, "amount is no amount"),
    ],
)
def test_what_is_no_balance_is_said(folder: Path, body: Any, said: str) -> None:
    """Zero is never read out of an answer that does not say it."""
    vendor = TableVendor(options(folder, **questions()))
    with pytest.raises(ValueError, match=said):
        vendor.read_balance(answered(body))


# -- receipts --------------------------------------------------------------------------------------


def receipt(**changes: Any) -> dict[str, Any]:
    return {"id": "D-1", "ref": "r1-1", "state": "delivered", "code": "000"} | changes


DELIVERED = Receipt(gateway_id="D-1", reference="r1-1", status=ReceiptStatus.DELIVERED, code="000")


def test_receipts_are_asked_for_from_the_start_and_on(folder: Path) -> None:
    """The first question names the start, the next one where the last answer ended."""
    vendor = TableVendor(options(folder, **questions()))
    answer = answered({"receipts": [receipt()], "last": 17})
    _, cursor = vendor.read_receipts(answer, "")
    assert [f"{URL}/receipts?after=0", f"{URL}/receipts?after=17"] == [
        vendor.build_receipts("").url,
        vendor.build_receipts(cursor).url,
    ]


@pytest.mark.parametrize("body", [{"receipts": []}, {"receipts": [], "last": None}])
def test_a_cursor_that_is_not_told_stays(folder: Path, body: Any) -> None:
    """Nothing is skipped because an answer was short of words."""
    vendor = TableVendor(options(folder, **questions()))
    assert ([], "17") == vendor.read_receipts(answered(body), "17")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (receipt(), [DELIVERED]),
        (
            receipt(state="undelivered", code=27),
            [
                Receipt(
                    gateway_id="D-1",
                    reference="r1-1",
                    status=ReceiptStatus.UNDELIVERED,
                    code="27",
                )
            ],
        ),
        (
            {"id": "D-1", "state": "in-transit"},
            [Receipt(gateway_id="D-1", status=ReceiptStatus.IN_TRANSIT, code="in-transit")],
        ),
        (
            {"ref": "r1-1", "state": "pondering"},
            [
                Receipt(
                    gateway_id="",
                    reference="r1-1",
                    status=ReceiptStatus.IN_TRANSIT,
                    code="pondering",
                )
            ],
        ),
        ({"state": "delivered"}, []),
        ({"id": "D-1"}, []),
        ({"id": "", "ref": "", "state": "delivered"}, []),
        (None, []),
        ("D-1", []),
    ],
)
def test_a_receipt_says_what_it_says(folder: Path, given: Any, expected: list[Receipt]) -> None:
    """An unexplained status is not final, and one that names nothing holds nothing up."""
    vendor = TableVendor(options(folder, **questions()))
    found, _ = vendor.read_receipts(answered({"receipts": [given, receipt()]}), "")
    assert [*expected, DELIVERED] == found


@pytest.mark.parametrize("body", [b"<html>", {}, {"receipts": "none"}, []])
def test_an_answer_without_receipts_is_refused(folder: Path, body: Any) -> None:
    """Where the list should be and is not, the cursor must not move."""
    vendor = TableVendor(options(folder, **questions()))
    with pytest.raises(ValueError, match="no receipts"):
        vendor.read_receipts(answered(body), "")


def pushed(**changes: Any) -> Callback:
    body = json.dumps(receipt()).encode()
    given = {"method": "POST", "headers": {"X-Token": TOKEN}, "body": body} | changes
    return Callback(**given)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Token": TOKEN}, True),
        ({"x-token": TOKEN}, True),
        ({"X-Token": TOKEN + "x"}, False),
        ({"X-Token": TOKEN[:-1]}, False),
        ({"X-Token": ""}, False),
        ({"X-Other": TOKEN}, False),
        ({"X-Token": "đ\udc80"}, False),
        ({}, False),
    ],
)
def test_a_callback_is_known_by_its_header(
    folder: Path, headers: dict[str, str], *, expected: bool
) -> None:
    """Only who knows the token is believed."""
    vendor = TableVendor(options(folder, **questions()))
    assert expected == vendor.verify_callback(pushed(headers=headers))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"query": {"token": TOKEN}}, True),
        ({"body": json.dumps({"token": TOKEN}).encode()}, True),
        ({"body": f"id=D-1&token={TOKEN}".encode()}, True),
        ({"query": {"token": "wrong"}}, False),
        ({"body": json.dumps({"token": {"token": TOKEN}}).encode()}, False),
        ({"headers": {"token": TOKEN}}, False),
    ],
)
def test_a_callback_is_known_by_its_field(
    folder: Path, changes: dict[str, Any], *, expected: bool
) -> None:
    """The token may stand in the query, the form or the JSON."""
    push = RECEIPT | {"token": "file:token", "token_field": "token"}
    vendor = TableVendor(options(folder, callback=push))
    assert expected == vendor.verify_callback(pushed(**changes))


@pytest.mark.parametrize(
    "callback",
    [
        pushed(),
        pushed(body=b"id=D-1&ref=r1-1&state=delivered&code=000"),
        Callback(method="GET", query=receipt()),
    ],
    ids=["json", "form", "query"],
)
def test_a_callback_is_read_in_every_form(folder: Path, callback: Callback) -> None:
    """Whatever way a vendor comes, its receipt is the same."""
    vendor = TableVendor(options(folder, **questions()))
    assert ([DELIVERED], Acknowledgement()) == vendor.parse_callback(callback)


def test_a_callback_with_a_list_is_read(folder: Path) -> None:
    """Several receipts may come at once, and the vendor hears what it wants to hear."""
    push = questions()["callback"] | {
        "results": "items",
        "status_code": "202",
        "body": '{"status":1}',
        "content_type": "application/json",
    }
    vendor = TableVendor(options(folder, callback=push))
    body = json.dumps({"items": [receipt(), receipt(id="D-2")]}).encode()
    found, said = vendor.parse_callback(pushed(body=body))
    assert ["D-1", "D-2"] == [each.gateway_id for each in found]
    expected = Acknowledgement(status=202, body='{"status":1}', content_type="application/json")
    assert expected == said


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"id": "D-1"}', b"\xff\xfe"])
def test_a_callback_without_a_receipt_is_refused(folder: Path, body: bytes) -> None:
    """What is no receipt is not acknowledged."""
    vendor = TableVendor(options(folder, **questions()))
    with pytest.raises(ValueError, match="no receipt"):
        vendor.parse_callback(pushed(body=body))


def test_without_a_callback_section_nobody_is_believed(folder: Path) -> None:
    """A vendor that pushes nothing has no callbacks."""
    vendor = TableVendor(options(folder))
    assert not vendor.verify_callback(pushed())
    with pytest.raises(ValueError, match="no receipt"):
        vendor.parse_callback(pushed())
