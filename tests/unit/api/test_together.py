"""Many requests at once: each is done wholly and once, or not at all, and answered by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from smsengine.clock import ManualClock
from smsengine.store import payments as stored
from smsengine.store.engine import Store
from tests.conftest import execute
from tests.unit.api.counters import POST_KEY, WARD_KEY, Said, Shop, key, until


@contextmanager
def held(store: Store) -> Iterator[None]:
    """Somebody else has the book: nothing can be recorded meanwhile."""
    with store.write() as connection:
        stored.take_the_book(connection)
        yield


@contextmanager
def commits(store: Store) -> Iterator[list[object]]:
    """The transactions that end well meanwhile."""
    found: list[object] = []

    def note(connection: object) -> None:
        found.append(connection)

    event.listen(store.engine, "commit", note)
    yield found
    event.remove(store.engine, "commit", note)


def waiting(shop: Shop, count: int) -> Callable[[], bool]:
    """So many requests are under way, as far as the server knows."""
    return lambda: len(shop.answering()) >= count


def begun_by_the_till(shop: Shop) -> Callable[[], bool]:
    """It has taken what waited, and knows with which configuration it does it."""
    return lambda: "till" in shop.present.asked_by


def test_two_clients_at_once_record_each_payment_once(shop: Shop) -> None:
    """What comes together is one transaction, and each has a code of its own."""
    with ThreadPoolExecutor(16) as clients, commits(shop.engines[-1].store) as done:
        said = list(
            clients.map(
                lambda n: shop.record(f"BL-{n}", key=(WARD_KEY, POST_KEY)[n % 2]), range(120)
            )
        )
    assert {201} == {each.status for each in said}
    assert 120 == len({each.json["code"] for each in said}) == shop.count()
    assert 0 < len(done) < 120
    assert Counter({"AR0013M": 60, "BI0007M": 60}) == Counter(each[0] for each in shop.entries())


def test_the_same_receipt_from_two_threads_has_one_code(shop: Shop) -> None:
    """Also where both are in one transaction."""
    for number in range(5):
        with ThreadPoolExecutor(4) as clients:
            with held(shop.engines[-1].store):
                said = [clients.submit(shop.record, f"BL-{number}") for _ in range(4)]
                until(waiting(shop, 4))
            answers = [each.result() for each in said]
        assert [200, 200, 200, 201] == sorted(each.status for each in answers)
        assert 1 == len({each.json["code"] for each in answers})
    assert 5 == shop.count()


def test_the_same_receipt_with_two_amounts_is_recorded_with_one(shop: Shop) -> None:
    """Whoever comes second is refused, in the same transaction, too."""
    with ThreadPoolExecutor(2) as clients:
        with held(shop.engines[-1].store):
            said = [clients.submit(shop.record, amount=amount) for amount in (1000, 2000)]
            until(waiting(shop, 2))
        assert [201, 409] == sorted(each.result().status for each in said)
    assert 1 == shop.count()


def test_two_daemons_give_one_code(
    open_shop: Callable[..., Shop], store: Store, tmp_path: Path, clock: ManualClock
) -> None:
    """Two machines before one ledger."""
    one, other = open_shop(store), Shop(tmp_path / "other", store, clock)
    try:
        other.open()
        with ThreadPoolExecutor(8) as clients:
            said = list(
                clients.map(lambda n: (one, other)[n % 2].record(f"BL-{n // 4}"), range(40))
            )
    finally:
        other.close()
    assert Counter({201: 10, 200: 30}) == Counter(each.status for each in said)
    assert 10 == len({each.json["code"] for each in said}) == one.count()


def test_nothing_is_answered_before_it_is_in_the_ledger(shop: Shop) -> None:
    """And the web goes on answering others meanwhile."""
    with ThreadPoolExecutor(1) as clients:
        with held(shop.engines[-1].store):
            said = clients.submit(shop.record)
            until(waiting(shop, 1))
            for path in ("/healthz", "/lookup", "/api/v1/openapi.json"):
                assert 200 == shop.ask("GET", path, key="").status
            assert not said.done()
        assert 201 == said.result().status


def test_one_that_cannot_be_done_keeps_none_of_the_others_out(shop: Shop) -> None:
    """An entry that was sealed with another key is a fault of its own."""
    shop.record("BL-old")
    store = shop.engines[-1].store
    with store.write() as connection:
        execute(connection, "UPDATE payments SET sealed = x'00'")
    with ThreadPoolExecutor(3) as clients:
        with held(store):
            said = [clients.submit(shop.record, name) for name in ("BL-1", "BL-old", "BL-2")]
            until(waiting(shop, 3))
        assert [201, 500, 201] == [each.result().status for each in said]
    assert 3 == shop.count()
    assert [("failed", "it met a SealedError")] == [
        (each["what"], each["because"]) for each in shop.told
    ]


def test_a_key_that_is_taken_out_stops_in_the_middle(shop: Shop) -> None:
    """What was answered with a code is in the book, nothing else is, and the other key goes on."""
    answers: dict[str, list[Said]] = {WARD_KEY: [], POST_KEY: []}
    is_over = threading.Event()

    def client(number: int, given: str) -> None:
        count = 0
        while not is_over.is_set():
            answers[given].append(shop.record(f"BL-{number}-{count}", key=given))
            count += 1

    with ThreadPoolExecutor(4) as clients:
        working = [
            clients.submit(client, number, given)
            for number in range(2)
            for given in (WARD_KEY, POST_KEY)
        ]
        until(lambda: len(answers[WARD_KEY]) > 8)
        shop.ward = []
        shop.reload()
        there = len(answers[POST_KEY])
        until(lambda: answers[WARD_KEY][-1].status == 401 and len(answers[POST_KEY]) > there + 8)
        is_over.set()
        for each in working:
            each.result()
    assert {201, 401} == {each.status for each in answers[WARD_KEY]}
    assert {201} == {each.status for each in answers[POST_KEY]}
    all_said = [*answers[WARD_KEY], *answers[POST_KEY]]
    said = Counter(each.json.get("receipt") for each in all_said)
    said.pop(None)
    assert said == Counter(receipt for _, receipt, _, _ in shop.entries())


def test_a_key_that_goes_while_its_request_waits_does_nothing(shop: Shop) -> None:
    """It was good when the request came, and is not when it would be done."""
    shop.ward = [key(WARD_KEY, "read")]
    later = shop.read_anew()
    with ThreadPoolExecutor(2) as clients:
        with held(shop.engines[-1].store):
            begun = clients.submit(shop.record, "BL-0")
            until(begun_by_the_till(shop))
            waits = clients.submit(shop.record, "BL-1")
            until(lambda: shop.till.waiting == 1)
            shop.engines.append(later)
        assert [201, 401] == [begun.result().status, waits.result().status]
    assert ["BL-0"] == [receipt for _, receipt, _, _ in shop.entries()]


def test_a_reload_in_the_middle_of_a_transaction_does_it_no_harm(sqlite_shop: Shop) -> None:
    """A daemon closes the ledger of the configuration before; what was begun ends well."""
    before, later = sqlite_shop.engines[-1], sqlite_shop.read_anew()
    with ThreadPoolExecutor(1) as clients:
        with held(later.store):
            said = clients.submit(sqlite_shop.record)
            until(begun_by_the_till(sqlite_shop))
            sqlite_shop.engines.append(later)
            before.store.close()
        assert 201 == said.result().status
    assert (201, 2) == (sqlite_shop.record("BL-2").status, sqlite_shop.count())


@pytest.mark.parametrize("gather", [0.0, 0.003])
def test_what_waits_is_done_when_the_daemon_ends(
    open_shop: Callable[..., Shop], sqlite_store: Store, gather: float
) -> None:
    """The answer is lost with the connection; the payment is not, and is known from then on."""
    shop = open_shop(sqlite_store, gather_seconds=gather)
    with ThreadPoolExecutor(4) as clients:
        with held(sqlite_store):
            said = [clients.submit(shop.record, f"BL-{n}") for n in range(4)]
            until(waiting(shop, 4))
            closing = threading.Thread(target=shop.close)
            closing.start()
        closing.join(20)
        assert not closing.is_alive()
        for each in said:
            assert isinstance(each.exception(), OSError | None) or each.result().status == 201
    with sqlite_store.read() as connection:
        assert 4 == execute(connection, "SELECT count(*) FROM payments").scalar_one()
