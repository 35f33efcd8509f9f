"""What a program of an organisation is answered, over a real socket, on both databases."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from smsengine.payments import codes
from smsengine.service.http_server import MOST_BODY as MOST_OF_SERVER
from smsengine.service.logs import Event
from smsengine.store.engine import Store
from tests.unit.api.counters import POST_KEY, READER_KEY, WARD, WARD_KEY, Shop, key, payment

ONE = "/api/v1/payments/BL-0001"


def faults(said: Any) -> dict[str, str]:
    return {each["field"]: each["because"] for each in said.json["faults"]}


def test_a_payment_is_recorded_once_and_keeps_its_code(shop: Shop) -> None:
    """The same again is answered with the same code, and nothing is added."""
    first, again = shop.record(), shop.record()
    assert (201, 200) == (first.status, again.status)
    assert codes.is_ours(codes.stored(first.json["code"]))
    assert {**first.json, "is_new": False} == again.json
    assert {"receipt": "BL-0001", "status": "recorded", "is_new": True, "warnings": []} == {
        name: value for name, value in first.json.items() if name != "code"
    }
    assert [(WARD, "BL-0001", 1, "payment")] == shop.entries()


def test_the_same_receipt_with_other_facts_is_refused(shop: Shop) -> None:
    """In one sentence; a figure that changed is a correction."""
    shop.record()
    said = shop.record(amount=900_000)
    assert (409, "application/problem+json") == (said.status, said.headers["Content-Type"])
    assert "804.600 đồng instead of 900.000" in said.json["detail"]
    assert 1 == shop.count()


def test_the_receipts_of_two_organisations_are_their_own(shop: Shop) -> None:
    """One number in two books is two payments, and neither sees the other's."""
    mine, theirs = shop.record(), shop.record(key=POST_KEY, amount=900_000)
    assert (201, 201) == (mine.status, theirs.status)
    assert mine.json["code"] != theirs.json["code"]
    shop.record("BL-0002")
    assert 404 == shop.ask("GET", "/api/v1/payments/BL-0002", key=POST_KEY).status
    cancelled = shop.ask(
        "POST", "/api/v1/payments/BL-0002/cancellation", {"reason": "sai"}, key=POST_KEY
    )
    assert 404 == cancelled.status


def test_everything_that_is_wrong_is_told_at_once_and_nothing_of_it_is_repeated(shop: Shop) -> None:
    """A field in the wrong place may be a name or a number."""
    said = shop.record(
        "",
        name="  ",
        insurance_number=123456789,
        type="Trần Văn An",
        amount="804.600",
        months=0,
        paid_on="31/07/2019",
        staff="a\u0000b",
        nonsense=1,
    )
    assert 422 == said.status
    found = faults(said)
    wrong = ["receipt", "name", "insurance_number", "type", "amount", "months", "paid_on", "staff"]
    assert {*wrong, "nonsense"} == found.keys()
    assert all(because.endswith(".") for because in found.values())
    assert not [part for part in ("Trần", "123456789", "804.600", "31/07") if part in str(found)]
    assert 0 == shop.count()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ('"amount": 804600.0', 422),
        ('"amount": 8046e2', 422),
        ('"amount": "804600"', 422),
        ('"amount": true', 422),
        ('"amount": null', 422),
        ('"amount": -5', 422),
        ('"amount": 0', 422),
        ('"amount": 1000000000000', 422),
        ('"amount": 123456789012345678901234567890', 400),
        ('"amount": NaN', 400),
        ('"amount": Infinity', 400),
        ('"amount": 804600, "amount": 804600', 400),
        ('"amount": 804600, "name": "\\ud800"', 400),
        ('"amount": 804600, "staff": "\\ud800"', 422),
        ('"amount": 804600,', 400),
        ('"amount": 804600}, {"a": 1', 400),
    ],
)
def test_money_is_a_whole_number_and_json_is_strict(
    sqlite_shop: Shop, raw: str, status: int
) -> None:
    """What could be read in two ways is not read at all."""
    rest = json.dumps(payment(amount=None))[:-1]
    said = sqlite_shop.ask("POST", "/api/v1/payments", f"{rest}, {raw}}}".encode())
    assert (status, 0) == (said.status, sqlite_shop.count())


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b'{"name": "\xff"}', "application/json", 400),
        (json.dumps(payment()).encode("utf-16"), "application/json", 400),
        (json.dumps(payment()).encode(), "text/plain", 415),
        (json.dumps(payment()).encode(), "", 415),
        (b" " * (16 * 1024 + 1), "application/json", 413),
    ],
)
def test_a_body_that_is_none_of_ours_is_a_sentence(
    sqlite_shop: Shop, body: bytes, kind: str, status: int
) -> None:
    said = sqlite_shop.ask("POST", "/api/v1/payments", body, kind=kind)
    assert (status, status) == (said.status, said.json["status"])
    assert said.json["detail"].endswith(".")


def test_a_body_beyond_all_measure_ends_the_connection(sqlite_shop: Shop) -> None:
    """It is not even read to its end."""
    said = sqlite_shop.ask("POST", "/api/v1/payments", b" " * (MOST_OF_SERVER + 1))
    assert (413, "close") == (said.status, said.headers["Connection"])


def test_what_only_looks_wrong_is_recorded_and_told(shop: Shop) -> None:
    """Nobody is kept without a receipt for it."""
    said = shop.record(phone="123", months=5, email="nobody")
    assert 201 == said.status
    assert {"phone", "months", "email"} == {each["field"] for each in said.json["warnings"]}


def test_a_day_that_has_not_come_is_refused(shop: Shop) -> None:
    """Vietnam's day counts; the clock stands at 1 June 2019."""
    assert 201 == shop.record(paid_on="2019-06-01").status
    assert {"paid_on": "02/06/2019 has not come yet."} == faults(
        shop.record("BL-2", paid_on="2019-06-02")
    )
    assert {"paid_on": "is no day of the calendar."} == faults(
        shop.record("BL-2", paid_on="2019-02-30")
    )


def test_the_funds_own_code_is_kept_and_given_once(shop: Shop) -> None:
    """A second payment cannot have it, and the answer does not repeat it."""
    assert "POS0000000002" == shop.record(code="POS0000000002").json["code"]
    said = shop.record("BL-0002", code="POS0000000002")
    assert (409, "The code is another payment's.") == (said.status, said.json["detail"])


def test_a_correction_gives_a_new_code_and_may_be_repeated(shop: Shop) -> None:
    """Whoever lost the answer asks again, and nothing is corrected twice."""
    first = shop.record()
    change = {**payment(receipt="x", amount=900_000), "reason": "sai số tiền"}
    del change["receipt"]
    said, again = (shop.ask("POST", f"{ONE}/corrections", change) for _ in range(2))
    assert (201, 200) == (said.status, again.status)
    assert said.json["code"] == again.json["code"] != first.json["code"]
    assert [(1, "payment"), (2, "correction")] == [each[2:] for each in shop.entries()]
    assert "corrected" == shop.record().json["status"]
    standing = shop.ask("GET", ONE).json
    assert (2, 900_000, said.json["code"]) == tuple(
        standing[name] for name in ("edition", "amount", "code")
    )


def test_a_late_correction_undoes_no_newer_one(shop: Shop) -> None:
    """Unless it names the code that holds; with another one it is refused, too."""
    shop.record()
    change = {**payment(receipt="x", amount=2), "reason": "sai"}
    del change["receipt"]
    for amount in (2, 3):
        said = shop.ask("POST", f"{ONE}/corrections", {**change, "amount": amount})
        assert 201 == said.status
    assert 409 == shop.ask("POST", f"{ONE}/corrections", change).status
    named = {**change, "replaces": said.json["code"]}
    assert [201, 200] == [shop.ask("POST", f"{ONE}/corrections", named).status for _ in range(2)]
    assert 409 == shop.ask("POST", f"{ONE}/corrections", {**named, "amount": 3}).status
    assert 4 == shop.count()


def test_a_correction_needs_a_receipt_and_a_reason(shop: Shop) -> None:
    change = {**payment(receipt="x"), "reason": " "}
    del change["receipt"]
    shop.record()
    assert {"reason"} == faults(shop.ask("POST", f"{ONE}/corrections", change)).keys()
    there = {**change, "reason": "sai", "amount": 1}
    assert 404 == shop.ask("POST", "/api/v1/payments/BL-9/corrections", there).status
    assert 1 == shop.count()


def test_a_cancellation_may_be_repeated_and_ends_the_receipt(shop: Shop) -> None:
    """What is void stays so."""
    code = shop.record().json["code"]
    said, again = (
        shop.ask("POST", f"{ONE}/cancellation", {"reason": "thu nhầm"}) for _ in range(2)
    )
    expected = {"receipt": "BL-0001", "code": code, "status": "cancelled", "is_new": True}
    assert (201, expected) == (said.status, said.json)
    assert (200, {**expected, "is_new": False}) == (again.status, again.json)
    change = {**payment(receipt="x", amount=1), "reason": "sai"}
    del change["receipt"]
    assert 409 == shop.ask("POST", f"{ONE}/corrections", change).status
    assert ("cancelled", "cancelled") == (
        shop.record().json["status"],
        shop.ask("GET", ONE).json["status"],
    )
    assert 2 == shop.count()


def test_a_receipt_with_a_slash_is_written_with_its_code(shop: Shop) -> None:
    """``%2F`` in the path is the slash of the receipt."""
    shop.record("BL/2019-Đ1")
    assert 200 == shop.ask("GET", "/api/v1/payments/BL%2F2019-%C4%901").status
    for path in ("BL/2019-1", "%FF", "BL-0001/other", ""):
        assert 404 == shop.ask("GET", f"/api/v1/payments/{path}").status


def test_who_recorded_is_written_down_without_the_key(shop: Shop) -> None:
    """The book tells keys of one organisation apart."""
    shop.record()
    with shop.engines[-1].store.read() as connection:
        (by,) = connection.exec_driver_sql("SELECT recorded_by FROM payments").one()
    assert f"api {WARD} {key(WARD_KEY)['hash'][:8]}" == by


@pytest.mark.parametrize("given", ["", "wrong", "ward-key", "\u00e9"])
def test_without_a_key_that_is_known_nothing_is_said(sqlite_shop: Shop, given: str) -> None:
    said = sqlite_shop.record(key=given)
    assert (401, "Bearer", 0) == (
        said.status,
        said.headers["WWW-Authenticate"],
        sqlite_shop.count(),
    )


def test_a_key_is_good_for_its_scopes_only(sqlite_shop: Shop) -> None:
    """A program that only reads cannot record."""
    sqlite_shop.record()
    assert 200 == sqlite_shop.ask("GET", ONE, key=READER_KEY).status
    for path, body in (("", payment()), ("/BL-0001/cancellation", {"reason": "sai"})):
        assert (
            403 == sqlite_shop.ask("POST", f"/api/v1/payments{path}", body, key=READER_KEY).status
        )
    assert 1 == sqlite_shop.count()


def test_whoever_comes_too_often_is_told_when_to_come_again(sqlite_shop: Shop) -> None:
    """Others are answered meanwhile."""
    sqlite_shop.ward = [key(WARD_KEY, rate="2/min")]
    sqlite_shop.reload()
    assert [201, 201] == [sqlite_shop.record(f"BL-{n}").status for n in range(2)]
    said = sqlite_shop.record("BL-2")
    assert (429, "30") == (said.status, said.headers["Retry-After"])
    assert 201 == sqlite_shop.record("BL-2", key=POST_KEY).status
    sqlite_shop.moment = 30.0
    assert 201 == sqlite_shop.record("BL-2").status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/v1/payments", "POST"),
        ("DELETE", ONE, "GET, HEAD"),
        ("PUT", f"{ONE}/corrections", "POST"),
        ("GET", f"{ONE}/cancellation", "POST"),
        ("POST", "/api/v1/openapi.json", "GET, HEAD"),
        ("GET", "/api/v1/lookup", "POST"),
        ("PUT", "/lookup", "GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    sqlite_shop: Shop, method: str, path: str, allowed: str
) -> None:
    said = sqlite_shop.ask(method, path)
    assert (405, allowed) == (said.status, said.headers["Allow"])


def test_head_is_answered_as_get_without_a_body(sqlite_shop: Shop) -> None:
    sqlite_shop.record()
    said = sqlite_shop.ask("HEAD", ONE)
    assert (200, b"") == (said.status, said.body)


def test_a_ledger_that_may_not_be_used_takes_nothing(sqlite_shop: Shop) -> None:
    """A copy that is fenced would give numbers that another gives, too."""
    sqlite_shop.vitals.fenced = "This ledger was restored."
    said = sqlite_shop.record()
    assert (503, "1", 0) == (said.status, said.headers["Retry-After"], sqlite_shop.count())


def test_where_nobody_collects_there_is_no_api(sqlite_shop: Shop) -> None:
    """The daemon answers as if there were none."""
    sqlite_shop.reload(payments={})
    for path in ("/api/v1/payments", "/api/v1/openapi.json", "/lookup"):
        assert 404 == sqlite_shop.ask("GET", path).status


def test_refusals_are_told_to_the_log_now_and_then(sqlite_shop: Shop) -> None:
    """Each is counted; whoever floods us does not flood the log, and no key stands in it."""
    for _ in range(5):
        sqlite_shop.record(key="a-guess-of-somebody")
    sqlite_shop.moment = 61.0
    sqlite_shop.record(key="a-guess-of-somebody")
    assert [(Event.API_REFUSED, "key", 1), (Event.API_REFUSED, "key", 5)] == [
        (each["event"], each["what"], each["count"]) for each in sqlite_shop.told
    ]
    assert "guess" not in str(sqlite_shop.told)


def test_every_answer_is_counted_once(sqlite_shop: Shop) -> None:
    """By what was wanted and its status; no receipt, no code and no key is a label."""
    sqlite_shop.record()
    sqlite_shop.record(amount=0)
    sqlite_shop.record(key="wrong")
    sqlite_shop.ask("GET", ONE)
    sqlite_shop.ask("POST", f"{ONE}/cancellation", {"reason": "sai"})
    sqlite_shop.ask("POST", f"{ONE}/corrections", {})
    sqlite_shop.look_up("a", "0000")
    for path in ("/lookup", "/api/v1/openapi.json", "/api/v1/elsewhere"):
        sqlite_shop.ask("GET", path)
    assert {
        ("record", "201"): 1,
        ("record", "422"): 1,
        ("record", "401"): 1,
        ("read", "200"): 1,
        ("cancel", "201"): 1,
        ("correct", "422"): 1,
        ("lookup", "404"): 1,
        ("lookup", "200"): 1,
        ("document", "200"): 1,
        ("other", "404"): 1,
    } == sqlite_shop.tally.payment_requests()


def test_the_document_is_given_without_a_key(sqlite_shop: Shop) -> None:
    said = sqlite_shop.ask("GET", "/api/v1/openapi.json", key="")
    assert (200, "3.1.0") == (said.status, said.json["openapi"])
    kinds = said.json["components"]["schemas"]["Payment"]["properties"]["type"]["enum"]
    assert {"bhyt-hgd", "BHYT hộ gia đình", "IS"} <= {*kinds}


def test_requests_that_come_together_are_answered_in_their_order(sqlite_shop: Shop) -> None:
    """A program may send the next request before it has the answer."""
    bodies = [json.dumps(payment(f"BL-{n}")).encode() for n in range(3)]
    head = f"POST /api/v1/payments HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {WARD_KEY}\r\n"
    asked = b"".join(
        f"{head}Content-Type: application/json\r\nContent-Length: {len(each)}\r\n\r\n".encode()
        + each
        for each in bodies
    )
    with closing(socket.create_connection(("127.0.0.1", sqlite_shop.port), 10)) as line:
        line.sendall(asked)
        heard = b""
        while heard.count(b'"warnings"') < len(bodies):
            heard += line.recv(65_536)
    assert ["BL-0", "BL-1", "BL-2"] == re.findall(r'"receipt": "([^"]+)"', heard.decode())
    assert 3 == sqlite_shop.count()


def test_too_many_that_wait_are_sent_away(
    open_shop: Callable[..., Shop], sqlite_store: Store
) -> None:
    """Nothing is taken that may never be done; what was sent away is not in the book."""
    shop = open_shop(sqlite_store, most_waiting=0)
    said = shop.record()
    assert (503, "1", 0) == (said.status, said.headers["Retry-After"], shop.count())
