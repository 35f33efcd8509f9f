"""The account of a run: it ties, or it says where it does not."""

from __future__ import annotations

import pytest

from smsengine.lifecycle import MessageState, SkipReason
from smsengine.reports.accounts import Account, account
from tests.conftest import Office, row, rows

GIVEN = [row(2), row(3, cell="0912345678 / 0987654321"), row(4, cell=" "), row(5, paid="x")]


def read(office: Office, run_id: int = 1) -> Account:
    found = account(office.store, run_id)
    assert found is not None
    return found


def settle(office: Office, state: str, place: int) -> None:
    office.change(
        "UPDATE messages SET state = ?, settled_at = '2019-06-01 01:00:00' WHERE place = ?",
        state,
        place,
    )


def test_every_row_is_somewhere(office: Office) -> None:
    """Four rows and one further recipient are three messages and two skips."""
    office.planned(GIVEN)
    found = read(office)
    assert ({MessageState.QUEUED: 3}, {SkipReason.NO_PHONE: 1, SkipReason.BAD_VALUE: 1}, []) == (
        found.states,
        found.reasons,
        found.breaks,
    )


def test_a_run_ties_wherever_its_messages_are(office: Office) -> None:
    """Moving through its life, no message leaves the account."""
    office.planned(rows(4))
    for place, state in enumerate(("delivered", "rejected", "expired", "cancelled"), 1):
        settle(office, state, place)
    found = read(office)
    assert (4, []) == (found.states.total(), found.breaks)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM messages WHERE place = 1", "2 messages are stored, 3 were sealed."),
        ("DELETE FROM skips WHERE row_number = 4", "1 skips are stored, 2 were sealed."),
        (
            "INSERT INTO skips (run_id, row_number, subject, reason, detail)"
            " VALUES (1, 9, 'x', 'no-phone', '')",
            "3 skips are stored, 2 were sealed.",
        ),
    ],
)
def test_what_does_not_tie_is_said(office: Office, damage: str, said: str) -> None:
    """A row that vanished from the ledger, or came into it, is a sentence with both counts."""
    office.planned(GIVEN)
    office.change(damage)
    found = read(office)
    assert ([said], False) == (found.breaks, found.facts()["ties"])


def test_sums_that_do_not_tie_are_said(sqlite_office: Office) -> None:
    """Where the database's own check was switched off, the account still notices."""
    sqlite_office.planned(GIVEN)
    with sqlite_office.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("UPDATE runs SET source_rows = 9")
        connection.commit()
    assert [
        "9 rows and 1 further recipients are not the sum of 3 messages, 2 skips and 0 told before."
    ] == read(sqlite_office).breaks


@pytest.mark.parametrize(
    ("state", "look"),
    [
        ("unknown", 1),
        ("rejected", 1),
        ("undelivered", 1),
        ("delivered", 0),
        ("accepted", 0),
        ("cancelled", 0),
        ("queued", 0),
    ],
)
def test_what_needs_a_look(office: Office, state: str, look: int) -> None:
    """Failures and unknowns are looked at; what is on its way or withdrawn is not."""
    office.planned(rows(2))
    settle(office, state, 1)
    assert look == read(office).needs_a_look


def test_facts_for_programs(office: Office) -> None:
    """A program reads names and whole numbers."""
    office.planned(GIVEN)
    settle(office, "delivered", 2)
    assert {
        "run": 1,
        "job": "c12-statement",
        "period": "2019-06",
        "kind": "regular",
        "state": "planned",
        "source_rows": 4,
        "extra_recipients": 1,
        "messages": 3,
        "skips": 2,
        "money": 3_000_000,
        "cost": 3 * 850,
        "states": {"delivered": 1, "queued": 2},
        "skip_reasons": {"bad-value": 1, "no-phone": 1},
        "ties": True,
    }.items() <= read(office).facts().items()


def test_no_such_run(office: Office) -> None:
    """A number that no run has is not an error here."""
    assert account(office.store, 99) is None


def test_an_account_is_of_one_run(office: Office) -> None:
    """Another job's run of the same month is not mixed in."""
    office.planned(rows(2))
    office.planned(rows(5), job="other", recipe_topic="other")
    assert (2, 5) == (read(office, 1).states.total(), read(office, 2).states.total())
