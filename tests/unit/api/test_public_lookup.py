"""The public lookup: what is shown to whom, and what nobody can tell from it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event

from smsengine.payments import codes
from smsengine.service.api.window import BUDGET_SECONDS
from smsengine.service.paying import Paying
from smsengine.store.engine import Store
from tests.unit.api.counters import Said, Shop

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def code(shop: Shop) -> str:
    """The code of a payment of insurance number 0123456789 and phone 0912345678."""
    return str(shop.record().json["code"])


def other_code() -> str:
    """A code that nobody has, with the right check characters."""
    return codes.shown(codes.make(secrets.randbelow))


def on_page(shop: Shop, code: str, digits: str, address: str = "203.0.113.7") -> Said:
    return shop.ask(
        "POST",
        "/lookup",
        urlencode({"code": code, "digits": digits}).encode(),
        key="",
        kind=FORM,
        **{"X-Forwarded-For": address},
    )


@pytest.mark.parametrize("digits", ["6789", "5678"])
def test_whoever_has_the_code_and_four_digits_sees_the_payment(
    shop: Shop, code: str, digits: str
) -> None:
    """Those of the insurance number or of the phone; the name is masked."""
    said = shop.look_up(code.lower().replace("-", " "), digits)
    assert said.status == 200
    assert {
        "code": code,
        "name": "T** V** An",
        "paid_on": "2019-05-31",
        "amount": 804_600,
        "type": "BHYT hộ gia đình",
        "months": 12,
        "organisation": "UBND phường Điện Biên",
        "status": "recorded",
    } == said.json
    assert "no-store" == said.headers["Cache-Control"]


def test_what_became_of_it_is_shown(shop: Shop, code: str) -> None:
    """A payer whose payment was cancelled must see it."""
    shop.ask("POST", "/api/v1/payments/BL-0001/cancellation", {"reason": "sai"})
    assert "cancelled" == shop.look_up(code, "6789").json["status"]


def test_a_wrong_code_and_wrong_digits_are_answered_alike(shop: Shop, code: str) -> None:
    """Byte for byte, on the page as well."""
    for ask in (shop.look_up, lambda *given: on_page(shop, *given)):
        wrong, unknown, nonsense = (
            ask(code, "0000"),
            ask(other_code(), "6789"),
            ask("nonsense", "6789"),
        )
        assert 404 == wrong.status
        assert [wrong.body] * 2 == [unknown.body, nonsense.body]
        assert [sorted(wrong.headers.items())] * 2 == [
            sorted(unknown.headers.items()),
            sorted(nonsense.headers.items()),
        ]


class Work:
    """Counts calls of functions that hash and compare, and statements, on this thread."""

    COUNTED = ("digest", "compare_digest", "decrypt", "loads")

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __enter__(self) -> Work:
        event.listen(self._store.engine, "before_cursor_execute", self._statement)
        sys.setprofile(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        event.remove(self._store.engine, "before_cursor_execute", self._statement)

    def _statement(self, _connection: Any, _cursor: Any, said: str, *_: object) -> None:
        self.calls[said] += 1

    def _call(self, _frame: object, what: str, function: Any) -> None:
        if what == "c_call" and function.__name__ in self.COUNTED:
            self.calls[function.__name__] += 1


def test_a_wrong_code_costs_the_work_of_an_unknown_one(shop: Shop) -> None:
    """The same hashes, comparisons and statements, over many codes; counted, since time varies."""
    known = [shop.record(f"BL-{n}").json["code"] for n in range(20)]
    store, book = shop.engines[-1].store, Paying(shop.engines[-1])
    book.look_up(other_code(), "0000")
    works = []
    for given in [*known, *(other_code() for _ in known)]:
        with Work(store) as work:
            assert None is book.look_up(given, "0000")
        works.append(work.calls)
    (kind, *others) = works
    assert [kind] * len(others) == others
    assert (2, 2) == (kind["digest"], kind["compare_digest"])
    assert 1 == sum(count for said, count in kind.items() if said.startswith("SELECT payments"))


def test_no_answer_comes_before_the_budget_is_over(shop: Shop, code: str) -> None:
    """Found, wrong, unknown: not one of them is faster than the others can be."""
    for given, digits in ((code, "6789"), (code, "0000"), (other_code(), "6789")):
        began = time.monotonic()
        shop.look_up(given, digits)
        assert time.monotonic() - began >= BUDGET_SECONDS


def test_an_address_has_so_many_turns_in_a_minute(shop: Shop, code: str) -> None:
    """Our proxy's word for it counts; right answers are counted, too; others are served."""
    statuses = [shop.look_up(code, "6789").status for _ in range(11)]
    assert [200] * 10 + [429] == statuses
    said = shop.look_up(code, "6789", address="10.0.0.1, 203.0.113.7")
    assert (429, "6") == (said.status, said.headers["Retry-After"])
    assert 429 == on_page(shop, code, "6789").status
    assert 200 == shop.look_up(code, "6789", address="203.0.113.8").status


def test_a_household_of_ipv6_is_one_address(
    open_shop: Callable[..., Shop], sqlite_store: Store
) -> None:
    """Whoever has 2^64 addresses has no more turns."""
    shop = open_shop(sqlite_store, lookup={"per_minute": 1})
    assert 404 == shop.look_up("a", "0000", address="2001:db8::1").status
    assert 429 == shop.look_up("a", "0000", address="2001:db8::2").status
    assert 404 == shop.look_up("a", "0000", address="2001:db8:0:1::1").status


def test_a_stranger_cannot_say_where_he_comes_from(
    open_shop: Callable[..., Shop], sqlite_store: Store
) -> None:
    """Without a proxy of ours the address of the connection counts."""
    shop = open_shop(sqlite_store, lookup={"per_minute": 1})
    shop.reload(web={"proxies": ["192.0.2.0/24"]})
    assert [404, 429] == [
        shop.look_up("a", "0000", address=f"203.0.113.{n}").status for n in range(2)
    ]


def test_a_code_has_so_many_wrong_answers_in_a_day(
    open_shop: Callable[..., Shop], store: Store
) -> None:
    """Wherever they come from; alike for codes that there are and that there are not."""
    shop = open_shop(store, lookup={"per_code": 2})
    code, nobodys = shop.record().json["code"], other_code()
    heard: dict[str, list[Said]] = {code: [], nobodys: []}
    for given, said in heard.items():
        said += [shop.look_up(given, "0000", address=f"203.0.113.{n}") for n in range(3)]
    assert [[404, 404, 429]] * 2 == [[each.status for each in said] for said in heard.values()]
    assert heard[code][2].body == heard[nobodys][2].body
    assert 429 == shop.look_up(code, "6789", address="203.0.113.99").status


def test_right_answers_cost_a_code_no_turn(open_shop: Callable[..., Shop], store: Store) -> None:
    """A payer may look as often as the address may."""
    shop = open_shop(store, lookup={"per_code": 1})
    code = shop.record().json["code"]
    assert [200] * 5 == [shop.look_up(code, "6789").status for _ in range(5)]


def test_a_longer_spelling_of_a_code_has_no_turns_of_its_own(
    open_shop: Callable[..., Shop], sqlite_store: Store
) -> None:
    """What is cut off before the code is looked up is cut off before it is counted."""
    shop = open_shop(sqlite_store, lookup={"per_code": 1, "fund_codes": True})
    code = "POS00000000000000002"
    shop.record(code=code)
    assert [404, 429] == [shop.look_up(code + more, "0000").status for more in ("", "1")]


@pytest.mark.parametrize(("allowed", "status"), [(False, 404), (True, 200)])
def test_codes_of_the_fund_are_shown_where_that_is_wanted(
    open_shop: Callable[..., Shop], store: Store, *, allowed: bool, status: int
) -> None:
    """They can be guessed, so by default the fund's own page shows them."""
    shop = open_shop(store, lookup={"fund_codes": allowed})
    shop.record(code="POS0000000002")
    assert status == shop.look_up("POS0000000002", "6789").status


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"code": "ACDEF"}, 422),
        ({"code": "ACDEF", "digits": "12345"}, 422),
        ({"code": "ACDEF", "digits": 1234}, 422),
        ({"code": "ACDEF", "digits": "１２３４"}, 422),
        ({"code": "", "digits": "1234"}, 422),
        ({"code": "A" * 61, "digits": "1234"}, 422),
        ({"code": "A\u0000", "digits": "1234"}, 422),
        ([], 400),
    ],
)
def test_what_is_no_question_is_told_so(sqlite_shop: Shop, given: object, status: int) -> None:
    assert status == sqlite_shop.ask("POST", "/api/v1/lookup", given, key="").status


def test_a_ledger_that_may_not_be_used_shows_nothing(sqlite_shop: Shop) -> None:
    sqlite_shop.vitals.fenced = "This ledger was restored."
    assert (503, 503) == (
        sqlite_shop.look_up("a", "0000").status,
        on_page(sqlite_shop, "a", "0000").status,
    )


# -- the page ------------------------------------------------------------------------------------


def test_the_page_is_a_form_without_scripts(sqlite_shop: Shop) -> None:
    """Nothing of it comes from elsewhere, nothing is kept, and nobody may put it into a frame."""
    said = sqlite_shop.ask("GET", "/lookup", key="")
    text = said.body.decode()
    assert (200, "text/html; charset=utf-8") == (said.status, said.headers["Content-Type"])
    policy = said.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not [word for word in ("unsafe", "http", "script", "*") if word in policy]
    assert ("no-store", "DENY", "no-referrer", "nosniff") == tuple(
        said.headers[name]
        for name in (
            "Cache-Control",
            "X-Frame-Options",
            "Referrer-Policy",
            "X-Content-Type-Options",
        )
    )
    assert '<html lang="vi">' in text
    assert not re.search(r"<script|javascript:|\son\w+=|src=|href=|style=", text)
    for name in re.findall(r'<input id="(\w+)"', text):
        assert f'<label for="{name}">' in text


def test_the_style_is_the_one_that_the_policy_allows(sqlite_shop: Shop) -> None:
    """A browser would drop any other."""
    said = sqlite_shop.ask("GET", "/lookup", key="")
    (style,) = re.findall(r"<style>(.*?)</style>", said.body.decode(), re.DOTALL)
    its = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{its}'" in said.headers["Content-Security-Policy"]


def test_the_page_shows_what_was_paid(shop: Shop, code: str) -> None:
    """In Vietnamese, as people write it."""
    text = on_page(shop, f" {code} ", "6789").body.decode()
    for part in (code, "T** V** An", "31/05/2019", "804.600 đồng", "BHYT hộ gia đình", "12"):
        assert f"<td>{part}</td>" in text
    assert "<td>Đã ghi nhận</td>" in text
    assert "Trần" not in text


def test_names_are_words_on_the_page_whatever_they_hold(shop: Shop) -> None:
    """A name with marks of HTML is shown, not obeyed."""
    code = shop.record("BL-2", name="An <b>x</b><script>").json["code"]
    text = on_page(shop, code, "6789").body.decode()
    assert "&lt;b&gt;x&lt;/b&gt;&lt;script&gt;" in text
    assert "<script" not in text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", FORM, 422),
        (b"code=A&digits=1", FORM, 422),
        (b"code=A&digits=1234&digits=1", FORM, 404),
        (b"code=%ff&digits=1234", FORM, 404),
        (b"\xff", FORM, 400),
        (b"a=1&" * 20, FORM, 400),
        (b"{}", "application/json", 415),
    ],
)
def test_a_form_that_is_none_gets_the_page_again(
    sqlite_shop: Shop, body: bytes, kind: str, status: int
) -> None:
    """With one sentence, in Vietnamese."""
    said = sqlite_shop.ask("POST", "/lookup", body, key="", kind=kind)
    assert (status, 1) == (said.status, said.body.decode().count('role="alert"'))
