"""Payments against what the fund got, on both databases: nothing twice, nothing unseen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from smsengine.errors import SourceError, StoreError
from smsengine.payments.cross_report import Why
from smsengine.payments.fund_taking import FundTaken
from smsengine.service.bootstrap import Engine
from smsengine.service.cross_checking import CrossCheck, Matched
from smsengine.store.engine import Store
from tests.conftest import execute
from tests.funds import DAY, PRICE, Town, line

ONE = timedelta(days=1)
NEXT = DAY + ONE
BY_CODE, BY_AMOUNT, NOTHING = Matched(by_code=1), Matched(by_amount=1), Matched()


@pytest.fixture
def town(store: Store, tmp_path: Path) -> Iterator[Town]:
    made = Town(store, tmp_path / "town")
    made.at(NEXT, "09:00")
    yield made
    made.close()


def status(town: Town, code: str) -> str:
    found = town.paying.look_up(code, "6789")
    assert found is not None
    return found.status.value


def test_a_payment_that_came_in_full_is_remitted(town: Town) -> None:
    """Its code decides, and who looks it up sees it."""
    code = town.pay()
    assert ("recorded", [("BL1", "open")]) == (status(town, code), town.kinds())
    assert BY_CODE == town.fund(line(code))
    assert ("remitted", []) == (status(town, code), town.kinds())


def test_a_code_decides_whatever_came(town: Town) -> None:
    """Short and over show; instalments that name the code add up."""
    code = town.pay()
    town.fund(line(code, 500_000))
    assert ("recorded", [("BL1", "short")]) == (status(town, code), town.kinds())
    town.fund(line(code, 304_600))
    assert ("remitted", []) == (status(town, code), town.kinds())
    town.fund(line(code, 1))
    assert ("remitted", [("BL1", "over")]) == (status(town, code), town.kinds())
    town.fund(line(code, -1))
    assert [] == town.kinds()
    assert [(1, 4)] == town.all("SELECT min(part), max(part) FROM payment_matches")


def test_money_that_was_taken_back_is_open_again(town: Town) -> None:
    """A transfer that the bank undid is none."""
    code = town.pay()
    town.fund(line(code))
    town.fund(line(code, -PRICE))
    ((found),) = town.findings()
    assert ("short", 0, PRICE) == (found.kind.value, found.got, found.open)


def test_the_same_file_changes_nothing(town: Town) -> None:
    """Nor do the same lines in another one, with others beside them."""
    codes = [town.pay(f"BL{number}") for number in range(3)]
    rows = [line(code) for code in codes]
    path = town.file(*rows[:2])
    assert FundTaken(new=2, amount=2 * PRICE) == town.check.take(path, by="lan")
    assert FundTaken(known=2) == town.check.take(path, by="lan")
    assert FundTaken(new=1, known=2, amount=PRICE) == town.check.take(town.file(*rows), by="lan")
    assert [(2, 2), (3, 1)] == town.all("SELECT lines, added FROM fund_files ORDER BY id")


def test_a_bank_s_reference_tells_lines_apart(town: Town) -> None:
    """With one, two lines that say the same are the same line; without, they are two."""
    code = town.pay()
    twice = [line(code, reference="FT1"), line(code, reference="FT1"), line(code, reference="FT2")]
    assert (2, 1) == _new_and_known(town, *twice)
    assert (2, 0) == _new_and_known(town, line(code), line(code))
    assert (1, 2) == _new_and_known(town, line(code), line(code), line(code))


def _new_and_known(town: Town, *rows: tuple[object, ...]) -> tuple[int, int]:
    taken = town.check.take(town.file(*rows), by="lan")
    return taken.new, taken.known


def test_a_broken_file_takes_nothing(town: Town) -> None:
    """Its good lines neither."""
    code = town.pay()
    path = town.file(line(code), (DAY, "eight hundred", "nop tien", ""))
    with pytest.raises(SourceError, match=r":3: amount: is none as plain writes it"):
        town.check.take(path, by="lan")
    tables = ("fund_files", "fund_lines", "fund_queue")
    assert [0, 0, 0] == [town.all(f"SELECT count(*) FROM {name}")[0][0] for name in tables]


def test_what_was_matched_is_never_matched_again(town: Town) -> None:
    """However often it is compared."""
    town.pay()
    assert BY_AMOUNT == town.fund((DAY, PRICE, "nop tien", ""))
    before = town.all("SELECT * FROM payment_matches")
    assert NOTHING == town.check.match()
    assert before == town.all("SELECT * FROM payment_matches")


def test_two_who_take_and_match_at_once_do_it_once(town: Town) -> None:
    """Two machines, or a person beside the daemon."""
    rows = [line(town.pay(f"BL{number}"), 100) for number in range(20)]
    paths = [town.file(*rows, name="one.csv"), town.file(*rows, rows[0], name="two.csv")]
    checks = [CrossCheck(Engine(town.engine.config, clock=town.clock)) for _ in paths]
    together = threading.Barrier(len(paths))
    counts: list[tuple[int, int]] = []

    def work(check: CrossCheck, path: Path) -> None:
        together.wait()
        counts.append((check.take(path, by="lan").new, check.match().by_code))

    threads = [threading.Thread(target=work, args=each) for each in zip(checks, paths, strict=True)]
    for thread in threads:
        thread.start()
    for thread, check in zip(threads, checks, strict=True):
        thread.join()
        check.engine.store.close()
    assert (21, 21) == tuple(map(sum, zip(*counts, strict=True)))
    assert [(21, 21)] == town.all("SELECT count(*), count(DISTINCT line_id) FROM payment_matches")
    assert [(0,)] == town.all("SELECT count(*) FROM fund_queue")


def test_a_line_waits_for_its_payment(town: Town) -> None:
    """The fund may be quicker than who enters payments."""
    code = "POS0000000002"
    assert NOTHING == town.fund(line(code))
    ((stray),) = town.check.strays(DAY, with_memo=True)
    assert (Why.UNKNOWN, f"nop tien {code} cam on") == (stray.why, stray.memo)
    town.pay(code=code)
    assert BY_CODE == town.check.match()
    assert ([], []) == (town.kinds(), list(town.check.strays(DAY)))


def test_a_line_of_two_payments_is_about_neither(town: Town) -> None:
    """Nobody knows how much of it is whose."""
    one, two = town.pay("BL1"), town.pay("BL2")
    assert NOTHING == town.fund((DAY, 2 * PRICE, f"{one} va {two}", "FT9"))
    ((stray),) = town.check.strays(DAY)
    assert (Why.SEVERAL, "FT9", "") == (stray.why, stray.reference, stray.memo)
    assert [("BL1", "open"), ("BL2", "open")] == town.kinds()


def test_nobody_hides_behind_the_same_price(town: Town) -> None:
    """A line without a code that fits two payments is about neither, until one is known."""
    code = town.pay("BL1")
    town.pay("BL2", organisation="BI0007M", staff="NVT2")
    assert NOTHING == town.fund((DAY, PRICE, "nop tien", ""))
    ((stray),) = town.check.strays(DAY)
    assert Why.NO_CODE is stray.why
    assert Matched(by_code=1, by_amount=1) == town.fund(line(code))
    assert [] == town.kinds()


def test_an_organisation_that_is_named_leaves_less_to_choose(town: Town) -> None:
    """Also by its code of before."""
    town.pay("BL1")
    town.pay("BL2", organisation="BI0007M", staff="NVT2")
    assert BY_AMOUNT == town.fund((DAY, PRICE, "AR0099M nop", ""))
    assert [("BL2", "open")] == town.kinds()


@pytest.mark.parametrize(("days", "matched"), [(0, 1), (3, 1), (4, 0)])
def test_amounts_are_compared_within_the_window(town: Town, days: int, matched: int) -> None:
    """Three days from the payment on, unless the configuration says otherwise."""
    town.at(DAY + 5 * ONE, "09:00")
    town.pay()
    assert Matched(by_amount=matched) == town.fund((DAY + days * ONE, PRICE, "nop tien", ""))


def test_only_what_nothing_came_of_is_matched_by_amount(town: Town) -> None:
    """Neither what is void, nor what is there, nor what has another amount now."""
    town.pay("BL1")
    town.cancel("BL1")
    town.fund(line(town.pay("BL2")))
    town.pay("BL3")
    town.correct("BL3", amount=900_000)
    assert NOTHING == town.fund((DAY, PRICE, "nop tien", ""))
    assert BY_AMOUNT == town.fund((DAY, 900_000, "nop tien", ""))
    assert [] == town.kinds()


@pytest.mark.parametrize("change", ["cancel", "correct"])
def test_what_does_not_hold_is_not_matched_by_amount(town: Town, change: str) -> None:
    """An amount that was mistyped fits nothing any more."""
    town.pay()
    town.cancel() if change == "cancel" else town.correct(amount=900_000)
    assert NOTHING == town.fund((DAY, PRICE, "nop tien", ""))


def test_a_payment_that_was_cancelled_after_it_came_is_an_exception(town: Town) -> None:
    """Until the money went back."""
    code = town.pay()
    town.fund(line(code))
    town.cancel()
    ((found),) = town.findings()
    assert ("changed", 0, PRICE, 0) == (found.kind.value, found.paid, found.got, found.open)
    town.fund(line(code, -PRICE))
    town.at(DAY + 9 * ONE, "09:00")
    assert [] == town.kinds(DAY + 8 * ONE)


def test_a_payment_that_was_corrected_after_it_came_is_an_exception(town: Town) -> None:
    """What is missing by it may be sent with the old code or the new one."""
    old = town.pay()
    town.fund(line(old))
    new = town.correct(amount=PRICE + 2)
    assert [("BL1", "changed")] == town.kinds()
    town.fund(line(old, 1), line(new, 1))
    assert ("remitted", "corrected") == (status(town, new), status(town, old))
    assert [("BL1", "changed")] == town.kinds()
    town.at(DAY + 9 * ONE, "09:00")
    assert [] == town.kinds(DAY + 8 * ONE)


def test_money_for_a_payment_that_was_cancelled_before_is_over(town: Town) -> None:
    """It came, and nobody owes it."""
    code = town.pay()
    town.cancel()
    assert [] == town.kinds()
    town.fund(line(code))
    assert [("BL1", "over")] == town.kinds()


def test_what_came_late_is_told_once(town: Town) -> None:
    """In the report of the day on which it was found out, and of the one before."""
    late = DAY + 2 * ONE
    code = town.pay()
    town.at(late, "09:00")
    town.fund(line(code, day=late))
    days = {each: town.kinds(DAY + each * ONE) for each in range(4)}
    assert {0: [], 1: [("BL1", "late")], 2: [("BL1", "late")], 3: []} == days
    assert 1 == town.table().total.late


def test_sums_are_by_organisation_and_member_of_the_staff(town: Town) -> None:
    """Shown by name, with the code masked."""
    town.fund(line(town.pay("BL1")), line(town.pay("BL2"), 4_600))
    town.pay("BL3", staff="", staff_name="")
    town.pay("BL4", organisation="BI0007M", staff="NV7", staff_name="Đỗ Văn Cam")
    shares = [
        (share.organisation, share.office, share.staff, share.sums.payments, share.sums.open)
        for share in town.table().shares
    ]
    assert shares == [
        ("AR0013M", "00101", "", 1, PRICE),
        ("AR0013M", "00101", "Lê Thị Bưởi (NVT***123)", 2, 800_000),
        ("BI0007M", "00102", "Đỗ Văn Cam (***V7)", 1, PRICE),
    ]


def test_nothing_of_a_person_stands_open_in_the_ledger(town: Town) -> None:
    """Texts of transfers are sealed, references and codes with them."""
    town.fund((DAY, PRICE, "TRAN VAN AN POS0000000002", "FT777"))
    for table in ("fund_files", "fund_lines", "fund_queue", "payment_matches"):
        said = repr(town.all(f"SELECT * FROM {table}"))
        assert not any(word in said for word in ("TRAN", "POS", "FT777"))


MATCH = "INSERT INTO payment_matches VALUES (?, ?, ?, 1, ?, '2026-11-24 01:00:00')"


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ((1, 2, 1, "code"), "line_id|pk_payment_matches"),
        ((2, 1, 1, "code"), "payment_id|payment_id_part"),
        ((2, 2, 2, "amount"), "alone"),
        ((9, 2, 1, "code"), "foreign key"),
        ((2, 9, 1, "code"), "foreign key"),
    ],
)
def test_the_database_itself_lets_nothing_be_matched_twice(
    town: Town, match: tuple[object, ...], said: str
) -> None:
    """Even by a program with a mistake in it: no line twice, no part of a payment twice."""
    code = town.pay("BL1")
    town.pay("BL2", organisation="BI0007M")
    town.fund(line(code), (DAY, 7, "?", ""))
    with (
        pytest.raises(StoreError, match=f"(?i){said}"),
        town.engine.store.write() as connection,
    ):
        execute(connection, MATCH, *match)
