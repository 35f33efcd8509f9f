"""Planning on a real ledger: a sealed whole, once, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from smsengine.clock import ManualClock
from smsengine.config.job import Column, ColumnType, Guards
from smsengine.errors import RefusedError
from smsengine.lifecycle import RunKind, RunState
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.order import Planned, Resend
from smsengine.reports.accounts import account
from smsengine.sources.base import Row
from smsengine.store.engine import Store
from tests.conftest import KEY, Office, row, rows

NEITHER = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages),"
NOTHING_LEFT = f"{NEITHER} (SELECT count(*) FROM skips), (SELECT count(*) FROM events)"
KEYS = "SELECT subject, address, revision, text FROM messages ORDER BY subject, address, revision"
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


def again(office: Office, given: list[Row], how: Resend, **changes: object) -> Planned:
    return office.plan(given, resend=how, reason="the telco lost them", **changes)


def test_a_first_plan_is_sealed(office: Office) -> None:
    """A run is planned, regular, of revision 1, and no planner holds it any more."""
    run = office.planned(EXTRACT)
    assert (RunState.PLANNED, RunKind.REGULAR, 1, None, office.clock.now()) == (
        run.state,
        run.kind,
        run.revision,
        run.planner,
        run.sealed_at,
    )


def test_a_first_plan_counts_every_row(office: Office) -> None:
    """Rows, further recipients, messages and skips are those of the extract."""
    run = office.planned(EXTRACT)
    assert (5, 1, 3, 3, 0, 3, 3_000_000, 3 * 850) == (
        run.source_rows,
        run.extra_recipients,
        run.messages,
        run.skips,
        run.already_planned,
        run.segments,
        run.money,
        run.cost,
    )


def test_a_first_plan_ties(office: Office) -> None:
    """What was sealed is what the ledger holds."""
    found = account(office.store, office.planned(EXTRACT).id)
    assert found is not None
    assert [] == found.breaks


def test_messages_have_places_in_the_order_of_rows(office: Office) -> None:
    """Waves release the extract from its top."""
    office.planned(EXTRACT)
    assert [(1, 2, "TA1"), (2, 2, "TA1"), (3, 3, "TA2")] == office.all(
        "SELECT place, row_number, subject FROM messages ORDER BY place"
    )


def test_skips_are_in_the_ledger(office: Office) -> None:
    """A row that gets no message is a row of the ledger with its reason."""
    office.planned(EXTRACT)
    assert [(4, "no-phone"), (5, "bad-value"), (6, "destroyed-code")] == office.all(REASONS)


def test_the_manifest_says_what_was_planned(office: Office) -> None:
    """Whoever approves sees counts, money, cost, reasons and the files' hashes."""
    facts = manifest(office.plan(EXTRACT))
    assert {
        "job": "c12-statement",
        "period": "2019-06",
        "kind": "regular",
        "source_rows": 5,
        "messages": 3,
        "skip_reasons": {"bad-value": 1, "destroyed-code": 1, "no-phone": 1},
        "money": 3_000_000,
        "money_column": "paid",
        "price_per_segment": 850,
        "cost": 2550,
        "job_hash": "j" * 64,
        "template_hash": "t" * 64,
    }.items() <= facts.items()


def test_the_manifest_is_hashed_as_it_stands(office: Office) -> None:
    """The hash in the ledger is that of the manifest in the ledger."""
    run = office.planned(EXTRACT)
    assert hashlib.sha256(run.manifest.encode()).hexdigest() == run.manifest_hash


def test_the_same_extract_gives_the_same_manifest(
    office: Office, scratch: Store, clock: ManualClock
) -> None:
    """Planned elsewhere, in another order, the seal is the same."""
    other = Office(store=scratch, clock=clock)
    shuffled = random.Random(1).sample(EXTRACT, len(EXTRACT))
    assert manifest(office.plan(EXTRACT)) == manifest(other.plan(shuffled))


def test_sealing_is_written_down(office: Office) -> None:
    """The ledger says who sealed a run."""
    office.planned(EXTRACT)
    assert [("sealed", "elsewhere:1:1:1")] == office.all("SELECT what, actor FROM events")


def test_an_empty_extract_is_held(office: Office) -> None:
    """No rows at all are a run that somebody looks at, and not silence."""
    run = office.planned([])
    assert (RunState.HELD, "The extract has 0 rows; at least 1 are due.") == (
        run.state,
        run.held_because,
    )


def test_a_job_that_needs_approval_is_held(office: Office) -> None:
    """Without a person's word nothing is released."""
    run = office.planned(EXTRACT, needs_approval=True)
    assert (RunState.HELD, "Approval is required.") == (run.state, run.held_because)


def test_a_broken_limit_holds_the_run(office: Office) -> None:
    """A run that would cost too much waits, with every message in place."""
    planned = office.plan(EXTRACT, guards=Guards(max_cost=2549))
    assert planned.run is not None
    assert (RunState.HELD, ("It would cost 2.550 dong; the limit is 2.549.",), 3) == (
        planned.run.state,
        planned.tripped,
        planned.run.messages,
    )


def test_the_month_before_is_what_a_run_is_compared_with(office: Office) -> None:
    """Twice as many rows as last month trip the guard."""
    office.plan(rows(10), recipe_period=Period.parse("2019-05"))
    guards = Guards.model_validate({"max_cost": 10**9, "rows_change": "30%"})
    (said,) = office.plan(rows(20), guards=guards).tripped
    assert "The rows went from 10 in 2019-05 to 20; a change of 30% is allowed." == said


def test_a_cancelled_month_is_no_measure(office: Office, clock: ManualClock) -> None:
    """A run that was withdrawn is not what the next one is compared with."""
    run = office.planned(rows(10), recipe_period=Period.parse("2019-05"))
    release.cancel(office.store, run, clock=clock, actor="test", reason="wrong file")
    guards = Guards.model_validate({"max_cost": 10**9, "rows_change": "30%"})
    assert () == office.plan(rows(20), guards=guards).tripped


def test_recipients_without_figures_are_accounted_for(office: Office) -> None:
    """A facility on file about which the extract says nothing is a skip, and the run ties."""
    run = office.planned(EXTRACT, without_figures=lambda told: sorted({"TA1", "Z8", "Z9"} - told))
    assert [(0, "Z8"), (0, "Z9")] == office.all(
        "SELECT row_number, subject FROM skips WHERE reason = 'no-figures' ORDER BY subject"
    )
    assert run.source_rows + run.extra_recipients == run.messages + run.skips


def test_planning_again_adds_nothing(office: Office) -> None:
    """The same extract a second time leaves no run and no row."""
    office.planned(EXTRACT)
    before = office.all(NOTHING_LEFT)
    planned = office.plan(EXTRACT)
    assert (None, 5, 3, before) == (
        planned.run,
        planned.rows_read,
        planned.already_planned,
        office.all(NOTHING_LEFT),
    )


def test_the_order_of_rows_and_columns_does_not_matter(office: Office) -> None:
    """An extract exported anew, sorted otherwise and with its columns moved, tells nobody twice."""
    office.planned(EXTRACT)
    moved = [Row(each.number, each.values[::-1]) for each in reversed(EXTRACT)]
    planned = office.plan(moved, recipe_places={"paid": 1, "name": 2, "code": 3}, recipe_cells=(0,))
    assert (None, []) == (planned.run, planned.selection.changed)


def test_the_order_of_the_job_s_columns_does_not_matter(office: Office) -> None:
    """A job file whose columns are listed in another order tells nobody twice."""
    office.planned(EXTRACT)
    columns = {
        "paid": Column(from_column="so_tien", type=ColumnType.MONEY),
        "code": Column(from_column="ma", type=ColumnType.CODE),
        "name": Column(from_column="ten", type=ColumnType.TEXT),
    }
    assert office.plan(EXTRACT, recipe_columns=columns).run is None


def test_a_new_subject_is_a_supplement(office: Office) -> None:
    """Somebody who was not there before is told, in a run with its own manifest."""
    first = office.planned(rows(3))
    planned = office.plan(rows(4))
    assert planned.run is not None
    assert (RunKind.SUPPLEMENT, 2, 1, 3, 4) == (
        planned.run.kind,
        planned.run.revision,
        planned.run.messages,
        planned.run.already_planned,
        planned.run.source_rows,
    )
    assert first.manifest_hash != planned.run.manifest_hash


def test_a_supplement_ties_and_is_sealed(office: Office) -> None:
    """Its account stands for itself, and the first run's is untouched."""
    office.planned(rows(3))
    run = office.planned(rows(4))
    release.check_seal(office.store, run, KEY)
    found = account(office.store, run.id)
    assert found is not None
    assert [] == found.breaks


def test_a_new_phone_of_a_known_subject_is_a_supplement(office: Office) -> None:
    """A second accountant is told; the first is not told again."""
    office.planned([row(2, "TA1", cell="0912345678")])
    office.planned([row(2, "TA1", cell="0912345678 / 0987654321")])
    assert [("+84912345678", 1), ("+84987654321", 1)] == office.all(
        "SELECT address, revision FROM messages ORDER BY id"
    )


def test_a_changed_figure_is_refused_and_reported(office: Office) -> None:
    """Nobody gets a second text with another amount, unless somebody asks for a correction."""
    office.planned([row(2, "TA1", paid="1"), row(3, "TA2")])
    planned = office.plan([row(2, "TA1", paid="2"), row(3, "TA2")])
    assert (None, ["TA1"], 1) == (
        planned.run,
        planned.selection.changed,
        office.all("SELECT count(*) FROM messages WHERE subject = 'TA1'")[0][0],
    )


def test_a_changed_figure_beside_a_new_subject_is_a_skip(office: Office) -> None:
    """In a supplement the changed row is in the account, with what to do."""
    office.planned([row(2, "TA1", paid="1")])
    office.planned([row(2, "TA1", paid="2"), row(3, "TA2")])
    (found,) = office.all("SELECT subject, reason, detail FROM skips")
    assert ("TA1", "changed-after-sent") == found[:2]
    assert "use --resend changed --reason" in found[2]


def test_a_changed_name_is_a_changed_text(office: Office) -> None:
    """What counts is the text as it was sent, not only its amounts."""
    office.planned([row(2, "TA1", name="Công ty A")])
    assert ["TA1"] == office.plan([row(2, "TA1", name="Công ty B")]).selection.changed


def test_another_period_is_another_notice(office: Office) -> None:
    """Next month everybody is told again, in a regular run."""
    office.planned(rows(3))
    run = office.planned(rows(3), recipe_period=Period.parse("2019-07"))
    assert (RunKind.REGULAR, 1, 3) == (run.kind, run.revision, run.messages)


def test_another_topic_is_another_notice(office: Office) -> None:
    """Another notice about the same people and month is told."""
    office.planned(rows(3))
    assert 3 == office.planned(rows(3), job="other", recipe_topic="other").messages


def test_two_jobs_of_one_topic_tell_once(office: Office) -> None:
    """A second job that tells the same thing to the same people tells nobody twice."""
    office.planned(rows(3))
    office.change("UPDATE runs SET state = 'finished'")
    run = office.planned(rows(4), job="hanoi/c12")
    assert (RunKind.REGULAR, 1, 3, 4) == (
        run.kind,
        run.messages,
        run.already_planned,
        office.all("SELECT count(*) FROM messages")[0][0],
    )


def test_two_jobs_of_one_topic_do_not_contradict(office: Office) -> None:
    """A second job with another figure is refused, row by row."""
    office.planned([row(2, "TA1", paid="1")])
    office.change("UPDATE runs SET state = 'finished'")
    office.planned([row(2, "TA1", paid="2")], job="hanoi/c12")
    assert [(2, "changed-after-sent")] == office.all(REASONS)


def test_a_job_waits_for_an_unfinished_one_on_its_topic(office: Office) -> None:
    """What another job has only planned counts as told by nobody; it is finished first."""
    office.planned(rows(3))
    with pytest.raises(RefusedError, match="tells the same and is planned"):
        office.planned(rows(4), job="hanoi/c12")


def test_a_choice_of_subjects_does_not_stand_for_the_month(office: Office) -> None:
    """After ``--only`` the whole extract is a regular run, held by the limits of the whole."""
    guards = Guards(max_cost=10**9, min_rows=10)
    only = office.planned(rows(3), recipe_only=frozenset({"TA0002Z"}), guards=guards)
    whole = office.planned(rows(3), guards=guards)
    assert [
        (RunKind.SUPPLEMENT, RunState.PLANNED, 1),
        (RunKind.REGULAR, RunState.HELD, 2),
    ] == [(run.kind, run.state, run.messages) for run in (only, whole)]


def test_a_choice_of_subjects_is_no_measure(office: Office) -> None:
    """Next month is compared with the whole run, not with the one that told a single employer."""
    may = Period.parse("2019-05")
    office.planned(rows(10), recipe_period=may, recipe_only=frozenset({"TA0002Z"}))
    office.planned(rows(10), recipe_period=may)
    guards = Guards.model_validate({"max_cost": 10**9, "rows_change": "10%"})
    assert () == office.plan(rows(10), guards=guards).tripped


def test_a_doubled_row_is_told_once(office: Office) -> None:
    """The same row twice is one message and one skip, and the run ties."""
    run = office.planned([row(2, "TA1", cell="0912345678"), row(9, "TA1", cell="0912345678")])
    assert (1, 1, [(9, "duplicate-row")]) == (run.messages, run.skips, office.all(REASONS))


def test_rows_that_contradict_each_other_are_not_told(office: Office) -> None:
    """Two figures for one employer and one phone: none is sent, both are in the account."""
    run = office.planned(
        [
            row(2, "TA1", paid="1", cell="0912345678"),
            row(3, "TA2"),
            row(9, "TA1", paid="2", cell="0912345678"),
        ]
    )
    assert (1, [(2, "conflicting-rows"), (9, "conflicting-rows")]) == (
        run.messages,
        office.all(REASONS),
    )


def test_rows_that_contradict_each_other_to_different_people_are_not_told(office: Office) -> None:
    """Two figures for one employer, each to another phone: nobody knows which is right."""
    office.planned(
        [row(2, "TA1", paid="1", cell="0912345678"), row(9, "TA1", paid="2", cell="0987654321")]
    )
    assert ([], [(2, "conflicting-rows"), (9, "conflicting-rows")]) == (
        office.all(KEYS),
        office.all(REASONS),
    )


def test_rows_that_agree_to_different_people_are_told(office: Office) -> None:
    """The same figure in two rows with two phones is no contradiction."""
    run = office.planned([row(2, "TA1", cell="0912345678"), row(9, "TA1", cell="0987654321")])
    assert (2, 0) == (run.messages, run.skips)


def test_last_month_s_figure_is_no_contradiction(office: Office) -> None:
    """An employer with two rows that agree is told, whatever it was told in May."""
    may = [row(2, "TA1", paid="1", cell="0912345678")]
    office.planned(may, recipe_period=Period.parse("2019-05"))
    run = office.planned([row(2, "TA1", cell="0912345678"), row(3, "TA1", cell="0987654321")])
    assert (2, 0) == (run.messages, run.skips)


def test_three_rows_of_which_one_contradicts(office: Office) -> None:
    """One odd row among equal ones makes all of them doubtful."""
    given = [row(number, "TA1", paid="1", cell="0912345678") for number in (2, 3)]
    run = office.planned([*given, row(4, "TA1", paid="2", cell="0912345678")])
    assert (0, 3) == (run.messages, run.skips)


def test_rows_far_apart_contradict_each_other(office: Office) -> None:
    """Contradictions are found across transactions: first row and last of a long extract."""
    given = [*rows(24_000), row(30_000, "TA0002Z", paid="2"), row(30_001, "TA0003Z")]
    run = office.planned(given)
    release.check_seal(office.store, run, KEY)
    assert (23_999 + 1, [(2, "conflicting-rows"), (30_000, "conflicting-rows")]) == (
        run.messages,
        office.all(REASONS),
    )


def test_a_run_with_withdrawn_rows_keeps_its_seal(office: Office) -> None:
    """The manifest is of the messages that are left."""
    run = office.planned([*rows(5), row(9, "TA0002Z", paid="2"), row(10, "TA0003Z", paid="2")])
    release.check_seal(office.store, run, KEY)
    found = account(office.store, run.id)
    assert found is not None
    assert [] == found.breaks
