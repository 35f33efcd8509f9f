"""The book of payments on both databases: recorded once, never changed, proved by a chain."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.config.payments import Organisation
from smsengine.errors import RefusedError, SealedError, StoreError
from smsengine.lifecycle import EntryKind
from smsengine.payments import codes
from smsengine.payments.book import Book, Recorded
from smsengine.payments.lookup import Status, look_up, masked
from smsengine.payments.payment import Payment
from smsengine.payments.safe import Safe
from smsengine.store import payments as stored
from smsengine.store.engine import Store
from tests.conftest import KEY, START, execute
from tests.payers import PAID as ANY_PAID

SAFE = Safe(KEY)
BOOK = Book(SAFE, {"AR0013M": Organisation(name="UBND phường", office="00101")})
PAID = replace(ANY_PAID, phone="+84912345678", staff="NVT001")


def record(store: Store, *payments: Payment) -> list[Recorded]:
    with store.write() as connection:
        return BOOK.record(connection, payments, by="lan", now=START)


def cancel(store: Store, receipt: str = "BL1", reason: str = "wrong person") -> str:
    with store.write() as connection:
        return BOOK.cancel(connection, "AR0013M", receipt, reason=reason, by="lan", now=START)


def correct(store: Store, payment: Payment, replaces: str = "") -> Recorded:
    with store.write() as connection:
        return BOOK.correct(
            connection, payment, reason="mistyped", by="lan", now=START, replaces=replaces
        )


def entries(store: Store) -> list[tuple[stored.Entry, bytes]]:
    with store.read() as connection, stored.stream(connection) as rows:
        return list(rows)


def broken_at(store: Store) -> int | None:
    """The first entry whose link does not follow from those before it."""
    before = b""
    for number, (entry, link) in enumerate(entries(store), 1):
        if entry.id != number or stored.link(before, entry) != link:
            return entry.id
        before = link
    return None


def test_a_payment_gets_a_code_and_comes_back(store: Store) -> None:
    """All of it, sealed and beside; the payer is still to be told."""
    (first,) = record(store, PAID)
    ((entry, _link),) = entries(store)
    assert first.is_new
    assert codes.is_ours(first.code)
    assert SAFE.open(entry.sealed).payment == PAID
    assert (entry.amount, entry.paid_on, entry.office) == (804_600, PAID.paid_on, "00101")
    with store.read() as connection:
        assert stored.queued(connection) == [1]


def test_the_same_again_gets_the_same_code(store: Store) -> None:
    """Also within one request, and after a correction or a cancellation."""
    first, twin = record(store, PAID, PAID)
    assert (twin.code, twin.is_new) == (first.code, False)
    correct(store, replace(PAID, amount=900_000))
    cancel(store)
    (again,) = record(store, PAID)
    assert (again.code, again.is_new, again.refused) == (first.code, False, "")
    assert len(entries(store)) == 3


@pytest.mark.parametrize("field", ["amount", "name", "paid_on", "months", "phone", "staff"])
def test_other_facts_under_the_same_receipt_are_refused(store: Store, field: str) -> None:
    """Nothing is changed in silence."""
    record(store, PAID)
    other = {"amount": 1, "months": 1, "paid_on": date(2019, 5, 30)}.get(field, "+84912345679")
    (result,) = record(store, replace(PAID, **{field: other}))
    assert (result.code, result.is_new) == ("", False)
    assert "what changed is a correction" in result.refused
    assert len(entries(store)) == 1


def test_a_correction_stands_in_place_of_what_was(store: Store) -> None:
    """With a code of its own; the earlier one says so."""
    (first,) = record(store, PAID)
    second = correct(store, replace(PAID, amount=900_000))
    assert second.code != first.code
    with store.read() as connection:
        old = look_up(connection, SAFE, first.code, "6789")
        new = look_up(connection, SAFE, second.code, "5678")
    assert old is not None
    assert new is not None
    assert (old.status, old.amount) == (Status.CORRECTED, 804_600)
    assert (new.status, new.amount, new.name) == (Status.RECORDED, 900_000, "T** V** An")
    with pytest.raises(RefusedError, match="says the same already"):
        correct(store, replace(PAID, amount=900_000))


def test_a_late_second_try_undoes_no_newer_correction(store: Store) -> None:
    """What was corrected since is said again only by who names the code that holds."""
    record(store, PAID)
    second = correct(store, replace(PAID, amount=2))
    third = correct(store, replace(PAID, amount=3))
    with pytest.raises(RefusedError, match="said this before and was corrected since"):
        correct(store, replace(PAID, amount=2))
    with pytest.raises(RefusedError, match="has another code by now"):
        correct(store, replace(PAID, amount=2), replaces=second.code)
    assert correct(store, replace(PAID, amount=2), replaces=codes.shown(third.code)).is_new
    assert [entry.amount for entry, _ in entries(store)] == [PAID.amount, 2, 3, 2]


def test_a_cancelled_payment_is_void(store: Store) -> None:
    """It is told with its code, once."""
    (first,) = record(store, PAID)
    assert cancel(store) == first.code
    with store.read() as connection:
        found = look_up(connection, SAFE, first.code, "6789")
    assert found is not None
    assert found.status is Status.CANCELLED
    with pytest.raises(RefusedError, match="is cancelled already"):
        cancel(store)
    with pytest.raises(RefusedError, match="is cancelled already"):
        correct(store, replace(PAID, amount=1))
    assert [entry.kind for entry, _ in entries(store)] == [
        EntryKind.PAYMENT,
        EntryKind.CANCELLATION,
    ]


def test_what_was_never_recorded_cannot_be_cancelled(store: Store) -> None:
    """Nor without a reason."""
    with pytest.raises(RefusedError, match="has no receipt 'BL1'"):
        cancel(store)
    record(store, PAID)
    with pytest.raises(RefusedError, match="Say why"):
        cancel(store, reason="  ")


def test_a_fund_s_code_belongs_to_one_payment(store: Store) -> None:
    """It is the payment's code; no second one gets it."""
    paid = replace(PAID, code="POS0000000002")
    first, second = record(store, paid, replace(paid, receipt="BL2"))
    assert first.code == "POS0000000002"
    assert second.refused == "The code POS0000000002 is another payment's."
    (third,) = record(store, replace(paid, receipt="BL3"))
    assert "another payment's" in third.refused


@pytest.mark.parametrize("digits", ["0000", "", "67890", "678a", "٦٧٨٩", "6788"])
def test_who_does_not_know_a_number_sees_nothing(store: Store, digits: str) -> None:
    """Wrong digits and a wrong code say the same."""
    (first,) = record(store, replace(PAID, phone=""))
    with store.read() as connection:
        assert look_up(connection, SAFE, first.code, digits) is None
        assert look_up(connection, SAFE, codes.make(lambda _most: 3), "6789") is None
        assert look_up(connection, SAFE, codes.shown(first.code).lower(), "6789") is not None


def test_nothing_private_stands_open(store: Store) -> None:
    """Whoever has the database alone reads no name, no number and no code."""
    (first,) = record(store, PAID)
    with store.read() as connection:
        text = repr(execute(connection, "SELECT * FROM payments").all())
    for private in ("Trần", "0123456789", "912345678", "NVT001", first.code):
        assert private not in text
    with pytest.raises(SealedError):
        Safe(b"another key, as long as the first").open(entries(store)[0][0].sealed)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payments SET amount = 1 WHERE id = 2",
        "UPDATE payments SET recorded_by = 'x' WHERE id = 2",
        "UPDATE payments SET reason = 'x' WHERE id = 2",
        "DELETE FROM payments WHERE id = 2",
    ],
)
def test_what_was_changed_behind_our_back_shows(store: Store, change: str) -> None:
    """The chain names the first entry that does not follow."""
    record(store, *(replace(PAID, receipt=f"BL{number}") for number in range(3)))
    assert broken_at(store) is None
    with store.write() as connection:
        execute(connection, "DELETE FROM payment_queue")
        execute(connection, change)
    assert broken_at(store) in (2, 3)


def test_an_entry_needs_its_law(store: Store) -> None:
    """A second payment under one edition is refused by the database itself."""
    record(store, PAID)
    entry, link = entries(store)[0]
    with pytest.raises(StoreError), store.write() as connection:
        stored.add(connection, [entry._replace(id=2, code_hash=b"x" * 16)], link)


def test_two_at_once_record_it_once(store: Store) -> None:
    """Both get the same code, and the chain holds."""
    found: list[Recorded] = []
    begin = threading.Barrier(2)

    def work() -> None:
        begin.wait()
        for number in range(20):
            found.extend(record(store, replace(PAID, receipt=f"BL{number}")))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), sum(each.is_new for each in found)) == (40, 20)
    assert len({each.code for each in found}) == 20
    assert broken_at(store) is None


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["record", "correct", "cancel"]),
            st.integers(0, 2),
            st.integers(1, 3),
        ),
        max_size=12,
    )
)
def test_the_book_says_what_was_done(
    sqlite_store: Store, steps: list[tuple[str, int, int]]
) -> None:
    """Whatever is recorded, corrected and cancelled: what stands is the last word on each."""
    with sqlite_store.write() as connection:
        execute(connection, "DELETE FROM payment_queue")
        execute(connection, "DELETE FROM payments")
    stands: dict[str, int | None] = {}
    for what, number, amount in steps:
        receipt = f"BL{number}"
        paid = replace(PAID, receipt=receipt, amount=amount * 1000)
        if what == "record":
            (result,) = record(sqlite_store, paid)
            if result.is_new:
                assert receipt not in stands
                stands[receipt] = paid.amount
            continue
        holding = {
            entry.receipt: SAFE.open(entry.sealed).code for entry, _ in entries(sqlite_store)
        }
        is_lawful = stands.get(receipt) is not None and (
            what == "cancel" or stands[receipt] != paid.amount
        )
        try:
            if what == "cancel":
                cancel(sqlite_store, receipt)
            else:
                correct(sqlite_store, paid, replaces=holding.get(receipt, ""))
        except RefusedError:
            assert not is_lawful
        else:
            assert is_lawful
            stands[receipt] = None if what == "cancel" else paid.amount
    last = {entry.receipt: entry for entry, _ in entries(sqlite_store)}
    assert stands == {
        receipt: None if entry.kind is EntryKind.CANCELLATION else entry.amount
        for receipt, entry in last.items()
    }
    assert broken_at(sqlite_store) is None


def test_names_are_masked() -> None:
    """Their owner knows them."""
    assert masked("Nguyễn Thị Ánh") == "N** T** Ánh"
    assert masked("An") == "An"
    assert masked("") == ""


def test_the_chain_is_of_plain_facts(store: Store) -> None:
    """An instant counts as what it is, in whatever zone a database gives it back."""
    record(store, PAID)
    entry, link = entries(store)[0]
    moved = entry._replace(recorded_at=entry.recorded_at.astimezone())
    assert stored.link(b"", moved) == link
    later = entry._replace(recorded_at=entry.recorded_at + timedelta(seconds=1))
    assert stored.link(b"", later) != link
    assert json.loads(stored._chained(entry))[1] == "AR0013M"
