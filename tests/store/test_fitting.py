"""What does not fit into the ledger is a skip or a sentence, and the same on both databases."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from smsengine.config.job import Guards
from smsengine.errors import StoreError
from smsengine.sources.base import Row
from smsengine.store import messages, receipts, runs
from smsengine.store.known import newest_known, newest_texts
from smsengine.store.messages import Draft
from tests.conftest import START, Office, row, rows

#: More than psycopg takes as parameters of one statement.
MANY = 70_000
STRANGE = ["\0", "\ud800", "\x01", "\u2028", "\U0001f600"]
LARGEST = "999999999999999"
ROWS = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages)"


@pytest.mark.parametrize("strange", STRANGE, ids=ascii)
@pytest.mark.parametrize("place", ["code", "name", "paid", "cell"])
def test_no_character_of_an_extract_breaks_a_plan_off(
    office: Office, place: str, strange: str
) -> None:
    """Whatever stands in a cell, its row is told or skipped, and the others are told."""
    cells: dict[str, Any] = {place: f"1{strange}2"}
    run = office.planned([*rows(3), row(9, **cells)])
    assert (4, 4) == (run.source_rows, run.messages + run.skips)


@pytest.mark.parametrize("strange", STRANGE, ids=ascii)
def test_a_fault_may_quote_any_character(office: Office, strange: str) -> None:
    """What a source says of a row it cannot read is kept, whatever it quotes."""
    office.planned([Row(2, (), f"the cell <{strange}> is broken")])
    kept = "?" if strange in "\0\ud800" else strange
    assert [(f"the cell <{kept}> is broken",)] == office.all("SELECT detail FROM skips")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"job": "j" * 101}, r"keep job of runs: j{20}… has 101 characters, at most 100 fit\."),
        ({"recipe_topic": "t" * 101}, "keep topic of runs: .* has 101 characters"),
        ({"gateway": "g" * 61}, "keep gateway of runs: .* has 61 characters, at most 60"),
        ({"reason": "a\0b"}, "keep reason of runs: it holds a character that is none"),
        ({"reason": "a\ud800b"}, "keep reason of runs: it holds a character that is none"),
        ({"priority": 2**31}, "keep priority of runs: 2147483648 has too many digits"),
    ],
    ids=["job", "topic", "gateway", "zero", "half a pair", "number"],
)
def test_a_run_that_does_not_fit_is_one_sentence(
    office: Office, changes: dict[str, Any], said: str
) -> None:
    """A name that is too long is refused before anything is written."""
    with pytest.raises(StoreError, match=said):
        office.plan(rows(3), **changes)
    assert [(0, 0)] == office.all(ROWS)


def test_a_sum_that_does_not_fit_leaves_nothing(office: Office) -> None:
    """Figures that add up to more than the ledger can hold are no figures: nobody is told."""
    given = [row(number, paid=LARGEST) for number in range(2, 9_300)]
    with pytest.raises(StoreError, match=r"keep money of runs: 9\d{18} has too many digits"):
        office.plan(given, guards=Guards(money="paid", max_cost=10**12))
    assert [(0, 0)] == office.all(ROWS)


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30])
def test_a_number_that_no_row_can_have_finds_nothing(office: Office, number: int) -> None:
    """Whoever mistypes a number hears that there is no such run or message."""
    with office.store.read() as connection:
        assert (None, None) == (runs.get(connection, number), messages.get(connection, number))


def test_any_number_of_keys_is_looked_up(office: Office) -> None:
    """A chunk whose rows have many phones asks for more keys than fit into one statement."""
    office.planned(rows(3))
    known = [line[0] for line in office.all("SELECT dedup_key FROM messages ORDER BY id")]
    others = [number.to_bytes(20, "big") for number in range(MANY)]
    with office.store.read() as connection:
        found = newest_known(connection, [*known, *others, *known])
    assert dict(zip(known, [(1, 1), (2, 1), (3, 1)], strict=True)) == {
        key: (each.id, each.told) for key, each in found.items()
    }


def test_any_number_of_subjects_is_compared(office: Office) -> None:
    """A long list of subjects is looked up in pieces."""
    office.planned(rows(3))
    subjects = ["TA0002Z", *map(str, range(MANY)), "TA0004Z"]
    with office.store.read() as connection:
        told = newest_texts(connection, "c12-statement", "2019-06", subjects, except_run=0)
    assert {"TA0002Z", "TA0004Z"} == set(told)


def test_any_number_of_subjects_is_withdrawn(office: Office) -> None:
    """An extract that contradicts itself from end to end is taken out whole."""
    run = office.planned(rows(3))
    subjects = ["TA0002Z", *map(str, range(MANY)), "TA0004Z"]
    with office.store.write() as connection:
        taken = messages.withdraw(connection, run.id, subjects)
    assert ({"TA0002Z", "TA0004Z"}, [("TA0003Z",)]) == (
        {each.subject for each in taken},
        office.all("SELECT subject FROM messages"),
    )


def test_a_receipt_of_any_length_is_kept(office: Office) -> None:
    """What a gateway says is cut to what the ledger keeps; the receipt is not lost."""
    given = {
        "gateway": "trial",
        "gateway_id": "g" * 101,
        "status": "delivered",
        "code": "c\0" * 31,
        "received_at": START,
    }
    with office.store.write() as connection:
        receipts.keep(connection, [given])
    assert [("g" * 100, "c?" * 30)] == office.all("SELECT gateway_id, code FROM receipts")


def test_a_note_of_any_length_is_kept(office: Office) -> None:
    """A person with a long name can still act on a run."""
    run = office.planned([])
    with office.store.write() as connection:
        runs.note(connection, run.id, at=START, actor="a" * 121, what="looked", detail="x\0y")
    assert [("a" * 120, "x?y")] == office.all(
        "SELECT actor, detail FROM events WHERE what = 'looked'"
    )


def test_a_long_text_is_kept_whole(office: Office) -> None:
    """A text and a reason have no limit of their own."""
    run = office.planned([], reason="r" * 10_000)
    draft = Draft(7, b"d" * 20, 1, None, "TA1", "+84912345678", "", "t" * 10_000, b"h" * 16, 70)
    with office.store.write() as connection:
        messages.insert_drafts(connection, [draft], run_id=run.id, places=count(1), due_at=START)
    assert [(10_000, 10_000)] == office.all(
        "SELECT length(m.text), length(r.reason) FROM messages m JOIN runs r ON r.id = m.run_id"
    )
