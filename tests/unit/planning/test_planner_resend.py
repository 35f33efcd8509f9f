"""Telling people again on purpose, and planning again what was withdrawn."""

from __future__ import annotations

import json

import pytest

from smsengine.clock import ManualClock
from smsengine.lifecycle import RunKind
from smsengine.planning import release
from smsengine.planning.order import Planned, Resend
from smsengine.reports.accounts import account
from smsengine.sources.base import Row
from tests.conftest import KEY, Office, row, rows

NEITHER = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages),"
NOTHING_LEFT = f"{NEITHER} (SELECT count(*) FROM skips), (SELECT count(*) FROM events)"
REASONS = "SELECT row_number, reason FROM skips ORDER BY run_id, row_number, id"
EXTRACT = [
    row(2, "TA1", cell="0912345678 / 0987654321"),
    row(3, "TA2"),
    row(4, "TA3", cell=" "),
    row(5, "TA4", paid="x"),
    row(6, 1909.0),
]


def manifest(planned: Planned) -> dict[str, object]:
    assert planned.run is not None
    facts: dict[str, object] = json.loads(planned.run.manifest)
    return facts


def send_all(office: Office, state: str, where: str = "1 = 1") -> None:
    """Write down that messages were handed over and came to that."""
    office.change(
        f"UPDATE messages SET state = '{state}', settled_at = '2019-06-01 02:00:00' WHERE {where}"
    )


def again(office: Office, given: list[Row], how: Resend, **changes: object) -> Planned:
    return office.plan(given, resend=how, reason="the telco lost them", **changes)


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        (Resend.FAILED, RunKind.RESEND, ["TA2", "TA3", "TA4"]),
        (Resend.CHANGED, RunKind.CORRECTION, ["TA1", "TA2"]),
        (Resend.ALL, RunKind.RESEND, ["TA1", "TA2", "TA3", "TA4", "TA5", "TA6"]),
    ],
)
def test_who_is_told_again(office: Office, how: Resend, kind: RunKind, told: list[str]) -> None:
    """Failed picks what surely did not arrive, changed another text, all everybody told before."""
    codes = [f"TA{number}" for number in range(1, 7)]
    office.planned([row(number, code) for number, code in enumerate(codes, 2)])
    fates = ("delivered", "rejected", "undelivered", "expired", "accepted", "delivered")
    for code, fate in zip(codes, fates, strict=True):
        send_all(office, fate, f"subject = '{code}'")
    given = [
        row(number, code, paid="7" if code in ("TA1", "TA2") else "1000000")
        for number, code in enumerate([*codes, "TA9"], 2)
    ]
    planned = again(office, given, how)
    assert planned.run is not None
    assert (kind, told) == (
        planned.run.kind,
        [
            line[0]
            for line in office.all("SELECT subject FROM messages WHERE revision = 2 ORDER BY id")
        ],
    )


def test_a_new_edition_is_linked_with_the_old(office: Office) -> None:
    """Each message told again names the one that it replaces, and the next number."""
    office.planned(rows(2))
    send_all(office, "rejected")
    again(office, rows(2), Resend.FAILED)
    send_all(office, "rejected")
    again(office, rows(2), Resend.FAILED)
    assert [(1, None), (1, None), (2, 1), (2, 2), (3, 3), (3, 4)] == office.all(
        "SELECT revision, replaces_id FROM messages ORDER BY id"
    )


def test_telling_again_ends_at_the_cap(office: Office) -> None:
    """Nobody is told more often than the job allows, whatever the reason."""
    office.planned(rows(1))
    send_all(office, "rejected")
    again(office, rows(1), Resend.FAILED, resend_cap=2)
    send_all(office, "rejected")
    planned = again(office, rows(1), Resend.FAILED, resend_cap=2)
    assert (None, 1) == (planned.run, planned.selection.over_cap)


@pytest.mark.parametrize("state", ["queued", "unknown"])
def test_what_is_still_open_is_not_told_again(office: Office, state: str) -> None:
    """A message that may yet arrive has no second edition."""
    office.planned(rows(1))
    office.change("UPDATE messages SET state = ?", state)
    planned = again(office, rows(1), Resend.ALL)
    assert (None, 1) == (planned.run, planned.selection.still_open)


def test_who_was_not_told_before_is_not_told_again(office: Office) -> None:
    """A re-send is for those who were told; new people wait for a plan."""
    office.planned(rows(1))
    send_all(office, "delivered")
    planned = again(office, rows(3), Resend.ALL)
    assert planned.run is not None
    assert (1, 2) == (planned.run.messages, planned.selection.not_told_before)


def test_a_resend_ties_and_is_sealed(office: Office) -> None:
    """A re-send has an account and a manifest like any run."""
    office.planned(EXTRACT)
    send_all(office, "delivered")
    planned = again(office, EXTRACT, Resend.ALL)
    assert planned.run is not None
    release.check_seal(office.store, planned.run, KEY)
    found = account(office.store, planned.run.id)
    assert found is not None
    assert [] == found.breaks


def test_a_resend_keeps_its_reason(office: Office) -> None:
    """Whoever looks later sees why people were told again."""
    office.planned(rows(1))
    send_all(office, "rejected")
    run = again(office, rows(1), Resend.FAILED).run
    assert run is not None
    assert ("the telco lost them", "the telco lost them") == (
        run.reason,
        json.loads(run.manifest)["reason"],
    )


def test_a_resend_needs_a_reason(office: Office) -> None:
    """The ledger itself refuses a re-send without one."""
    office.planned(rows(1))
    send_all(office, "rejected")
    with pytest.raises(Exception, match="resend_reason"):
        office.plan(rows(1), resend=Resend.FAILED)


def test_a_resend_of_an_extract_with_a_doubled_row(office: Office) -> None:
    """The same row twice is told again once, and the run ties."""
    given = [row(2, "TA1", cell="0912345678"), row(9, "TA1", cell="0912345678")]
    office.planned(given)
    send_all(office, "rejected")
    run = again(office, given, Resend.ALL).run
    assert run is not None
    assert (1, 1) == (run.messages, run.skips)


def test_a_correction_with_rows_that_contradict_each_other(office: Office) -> None:
    """A correction that says two things corrects nothing for that employer."""
    office.planned([row(2, "TA1", paid="1", cell="0912345678"), row(3, "TA2", paid="1")])
    send_all(office, "delivered")
    given = [
        row(2, "TA1", paid="2", cell="0912345678"),
        row(3, "TA2", paid="2"),
        row(9, "TA1", paid="3", cell="0912345678"),
    ]
    run = again(office, given, Resend.CHANGED).run
    assert run is not None
    assert (["TA2"], [(2, "conflicting-rows"), (9, "conflicting-rows")]) == (
        [line[0] for line in office.all("SELECT subject FROM messages WHERE revision = 2")],
        office.all(REASONS),
    )


def test_a_resend_of_nothing_leaves_nothing(office: Office) -> None:
    """Where nothing failed there is no run."""
    office.planned(rows(2))
    send_all(office, "delivered")
    before = office.all(NOTHING_LEFT)
    planned = again(office, rows(2), Resend.FAILED)
    assert (None, 2, before) == (planned.run, planned.selection.other, office.all(NOTHING_LEFT))


def test_after_a_correction_the_new_text_is_the_known_one(office: Office) -> None:
    """Planned once more, the corrected extract says nothing new."""
    office.planned([row(2, "TA1", paid="1")])
    send_all(office, "delivered")
    again(office, [row(2, "TA1", paid="2")], Resend.CHANGED)
    planned = office.plan([row(2, "TA1", paid="2")])
    assert (None, []) == (planned.run, planned.selection.changed)


def test_a_cancelled_run_can_be_planned_again(office: Office, clock: ManualClock) -> None:
    """After the wrong file was withdrawn, the right one is a regular run to everybody."""
    wrong = office.planned([row(2, "TA1", paid="1"), row(3, "TA2")])
    release.cancel(office.store, wrong, clock=clock, actor="test", reason="wrong file")
    run = office.planned([row(2, "TA1", paid="2"), row(3, "TA2")])
    assert (RunKind.REGULAR, 2, 2, [(2, 1), (2, 2)]) == (
        run.kind,
        run.revision,
        run.messages,
        office.all(
            "SELECT revision, replaces_id FROM messages WHERE run_id = ? ORDER BY id", run.id
        ),
    )


def test_who_was_told_before_the_withdrawal_is_not_told_again(
    office: Office, clock: ManualClock
) -> None:
    """A run that was stopped half-way leaves those alone who had their text."""
    stopped = office.released(rows(3))
    send_all(office, "accepted", "place = 1")
    release.cancel(office.store, stopped, clock=clock, actor="test", reason="enough")
    run = office.planned(rows(3))
    assert (2, 1) == (run.messages, run.already_planned)


def test_a_run_withdrawn_twice_can_be_planned_again(office: Office, clock: ManualClock) -> None:
    """Editions go on counting, and the unique key is never in the way."""
    for _ in range(3):
        run = office.planned(rows(2))
        release.cancel(office.store, run, clock=clock, actor="test", reason="not yet")
    run = office.planned(rows(2))
    assert (4, 2) == (run.revision, run.messages)


def test_a_withdrawn_edition_does_not_hide_the_one_that_was_told(
    office: Office, clock: ManualClock
) -> None:
    """A correction that was withdrawn leaves the first text as the known one."""
    given = [row(2, "TA1", paid="1")]
    office.planned(given)
    send_all(office, "delivered")
    corrected = again(office, [row(2, "TA1", paid="2")], Resend.CHANGED).run
    assert corrected is not None
    release.cancel(office.store, corrected, clock=clock, actor="test", reason="no")
    planned = office.plan(given)
    assert (None, []) == (planned.run, planned.selection.changed)


def test_withdrawn_editions_do_not_count_against_the_cap(
    office: Office, clock: ManualClock
) -> None:
    """Only editions that somebody may have read are counted."""
    office.planned(rows(1))
    send_all(office, "rejected")
    for _ in range(3):
        run = again(office, rows(1), Resend.FAILED, resend_cap=2).run
        assert run is not None
        release.cancel(office.store, run, clock=clock, actor="test", reason="not yet")
    assert again(office, rows(1), Resend.FAILED, resend_cap=2).run is not None
