"""Who is not told although a text could be made, and that every such row is accounted for."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.lifecycle import Cause, SkipReason
from smsengine.period import Period
from smsengine.planning import release
from smsengine.planning.withholding import Caps
from smsengine.sources.base import Row
from smsengine.store import suppressions
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from tests.conftest import KEY, START, Office, phone, row

REASONS = "SELECT subject, reason FROM skips WHERE run_id = ? ORDER BY id"
OF_OFFICE: dict[str, Any] = {
    "job": "01-hanoi/dossier",
    "owner": "01-hanoi",
    "recipe_topic": "dossier",
}


def people(count: int, cell: str = "") -> list[Row]:
    """Rows about different subjects, all with the same phone if one is given."""
    return [row(number, f"TA{number}", cell=cell) for number in range(1, count + 1)]


def told(
    office: Office, given: list[Row], **changes: Any
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Who gets a message, and who does not and why."""
    run = office.planned(given, **changes)
    subjects = office.all("SELECT subject FROM messages WHERE run_id = ? ORDER BY id", run.id)
    assert run.source_rows + run.extra_recipients == run.messages + run.skips + run.already_planned
    return [each for (each,) in subjects], office.all(REASONS, run.id)


# -- phones that are left alone --------------------------------------------------------------------


def leave_alone(
    office: Office, number: int, *, whose: str = "central", days: int | None = None
) -> None:
    with office.store.write() as connection:
        suppressions.add(
            connection,
            key=KEY,
            address=f"+84{phone(number)[1:]}",
            office=whose,
            cause=Cause.ASKED,
            reason="asked by letter",
            by="an",
            at=START,
            until=None if days is None else START + timedelta(days=days),
        )


def test_a_phone_that_is_left_alone(office: Office) -> None:
    """It gets nothing from anybody; all others do."""
    leave_alone(office, 2)
    assert (["TA1", "TA3"], [("TA2", "suppressed")]) == told(office, people(3))
    assert (["TA1", "TA3"], [("TA2", "suppressed")]) == told(office, people(3), **OF_OFFICE)


@pytest.mark.parametrize(
    ("whose", "days", "expected"),
    [("01-hanoi", None, ["TA1"]), ("79-hcm", None, ["TA1", "TA2"]), ("central", 0, ["TA1", "TA2"])],
)
def test_whose_list_it_is_and_for_how_long(
    office: Office, whose: str, days: int | None, expected: list[str]
) -> None:
    """Another office's list does not count, nor what is over."""
    leave_alone(office, 2, whose=whose, days=days)
    assert expected == told(office, people(2), **OF_OFFICE)[0]


def test_taken_off_the_list(office: Office) -> None:
    leave_alone(office, 1)
    with office.store.write() as connection:
        for found in (True, False):
            assert found == suppressions.remove(
                connection, key=KEY, address=f"+84{phone(1)[1:]}", office="central"
            )
    assert ["TA1"] == told(office, people(1))[0]


def test_no_number_is_kept(office: Office) -> None:
    """The list holds a keyed hash and what a masked number shows."""
    leave_alone(office, 2)
    ((masked,),) = office.all("SELECT masked FROM suppressions")
    assert "*" in masked
    assert phone(2)[2:] not in str(office.all("SELECT * FROM suppressions"))


# -- the Centre's notices --------------------------------------------------------------------------

OVERLAPPING: dict[str, Any] = OF_OFFICE | {"overlaps": ("c12-statement",)}


@pytest.mark.parametrize("released", [False, True])
def test_whom_the_centre_tells_the_office_does_not(office: Office, released: bool) -> None:
    """Sent or only planned: who has the Centre's notice of the period does not get the office's."""
    (office.released if released else office.planned)(people(2))
    subjects, skipped = told(office, people(3), **OVERLAPPING)
    assert ["TA3"] == subjects
    assert [("TA1", "duplicate-of-central"), ("TA2", "duplicate-of-central")] == skipped


def test_what_the_centre_has_withdrawn_does_not_count(office: Office) -> None:
    run = office.planned(people(1))
    release.cancel(office.store, run, clock=office.clock, actor="test", reason="wrong")
    assert ["TA1"] == told(office, people(1), **OVERLAPPING)[0]


@pytest.mark.parametrize(
    "changes",
    [
        OF_OFFICE,
        OF_OFFICE | {"overlaps": ("hospital-summary",)},
        OVERLAPPING | {"recipe_period": Period.parse("2019-07")},
    ],
)
def test_another_topic_or_period(office: Office, changes: dict[str, Any]) -> None:
    office.planned(people(1))
    assert ["TA1"] == told(office, people(1), **changes)[0]


def test_a_day_of_the_month(office: Office) -> None:
    """What the Centre says of June it has said of the fifth of June, too."""
    office.planned(people(1))
    assert (
        []
        == told(office, people(1), **OVERLAPPING | {"recipe_period": Period.parse("2019-06-05")})[0]
    )


def test_another_offices_notice_is_not_the_centres(office: Office) -> None:
    office.planned(people(1), **OF_OFFICE | {"recipe_topic": "c12-statement"})
    other = {"job": "79-hcm/x", "owner": "79-hcm", "recipe_topic": "y"}
    assert ["TA1"] == told(office, people(1), **other, overlaps=("c12-statement",))[0]


# -- between planning and sending ------------------------------------------------------------------


def released(office: Office, run: Run) -> list[tuple[Any, ...]]:
    """Let a run be sent; the fate of its messages by then."""
    release.release(
        office.store,
        run,
        key=KEY,
        clock=office.clock,
        actor="test",
        permit=lambda _connection: ("c12-statement",),
    )
    said = "SELECT subject, state, code FROM messages WHERE run_id = ? ORDER BY id"
    return office.all(said, run.id)


def test_what_the_centre_planned_meanwhile(office: Office) -> None:
    """An office's run waited for a decision; those whom the Centre tells by now are taken out."""
    run = office.planned(people(3), **OVERLAPPING)
    office.planned(people(1))
    leave_alone(office, 3)
    assert [
        ("TA1", "cancelled", "duplicate-of-central"),
        ("TA2", "queued", None),
        ("TA3", "cancelled", "suppressed"),
    ] == released(office, run)


def test_nothing_has_happened_meanwhile(office: Office) -> None:
    run = office.planned(people(2), **OVERLAPPING)
    assert [("TA1", "queued", None), ("TA2", "queued", None)] == released(office, run)


# -- caps ------------------------------------------------------------------------------------------


def test_a_daily_cap_over_all_notices(office: Office) -> None:
    """The third text of a day is one too many, whoever sends it; the next day begins anew."""
    caps = Caps(per_day=2)
    cell = phone(1)
    assert ["TA1"] == told(office, people(1, cell), caps=caps)[0]
    subjects, skipped = told(office, people(3, cell), **OF_OFFICE, caps=caps)
    assert (["TA1"], ["over-daily-cap"] * 2) == (subjects, [reason for _, reason in skipped])
    office.clock.sleep(86_400)
    other = OF_OFFICE | {"recipe_topic": "next", "job": "01-hanoi/next"}
    assert ["TA1", "TA2"] == told(office, people(3, cell), **other, caps=caps)[0]


def test_a_monthly_cap(office: Office) -> None:
    caps, cell = Caps(per_month=3), phone(1)
    assert ["TA1", "TA2"] == told(office, people(2, cell), caps=caps)[0]
    office.clock.sleep(86_400)
    subjects, skipped = told(office, people(2, cell), **OF_OFFICE, caps=caps)
    assert (["TA1"], [("TA2", "over-monthly-cap")]) == (subjects, skipped)


def test_the_centre_goes_first(office: Office) -> None:
    """What offices have sent does not keep the Centre from telling."""
    caps, cell = Caps(per_day=1), phone(1)
    assert ["TA1"] == told(office, people(1, cell), **OF_OFFICE, caps=caps)[0]
    assert ["TA1"] == told(office, people(2, cell), caps=caps)[0]


def test_a_cancelled_run_does_not_count(office: Office) -> None:
    caps, cell = Caps(per_day=1), phone(1)
    run = office.planned(people(1, cell), caps=caps)
    release.cancel(office.store, run, clock=office.clock, actor="test", reason="wrong")
    assert ["TA1"] == told(office, people(1, cell), **OF_OFFICE, caps=caps)[0]


def test_a_row_that_stands_twice_counts_once(office: Office) -> None:
    """The second of two equal rows is no text."""
    caps, twice = (
        Caps(per_day=2),
        [*people(1), row(2, "TA1", cell=phone(1)), row(3, "TA3", cell=phone(1))],
    )
    subjects, skipped = told(office, twice, caps=caps)
    assert (["TA1"], Counter({"duplicate-row": 1, "over-daily-cap": 1})) == (
        subjects,
        Counter(reason for _, reason in skipped),
    )
    subjects, _ = told(office, people(1, phone(1)), **OF_OFFICE, caps=caps)
    assert ["TA1"] == subjects


def test_without_caps_nothing_is_counted(office: Office) -> None:
    office.planned(people(3))
    assert [] == office.all("SELECT * FROM told")


def test_a_dry_run_says_the_same(office: Office, scratch: Store) -> None:
    """Across batches, too, although nothing of it stands in the ledger."""
    given, caps = people(4, phone(1)), Caps(per_day=2)
    planned = office.planner(outbox=scratch).plan(office.order(given, caps=caps))
    assert planned.run is not None
    assert (2, 2, []) == (planned.run.messages, planned.run.skips, office.all("SELECT * FROM told"))
    assert ["TA1", "TA2"] == told(office, given, caps=caps)[0]


def test_what_was_thrown_away_is_not_counted(office: Office) -> None:
    """A planner that fails leaves nothing behind that would count."""

    def broken() -> Any:
        yield from people(2, phone(1))
        raise RuntimeError("the extract broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        office.plan(broken(), caps=Caps(per_day=1))
    assert [] == office.all("SELECT * FROM told")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    plans=st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(1, 3), max_size=6)), min_size=1, max_size=4
    ),
    cap=st.integers(1, 3),
)
def test_nobody_gets_more_than_the_cap(
    sqlite_office: Office, plans: list[tuple[bool, list[int]]], cap: int
) -> None:
    """In any order of runs no phone gets more in a day than it may, but for the Centre's own."""
    office = sqlite_office
    office.clock.sleep(86_400)
    before = office.all("SELECT max(id) FROM runs")[0][0] or 0
    for number, (is_central, phones) in enumerate(plans):
        given = [row(at, f"S{at}", cell=phone(each)) for at, each in enumerate(phones, start=2)]
        changes = {} if is_central else {"owner": "01-hanoi"}
        name = f"n{before}-{number}"
        run = office.planned(given, job=name, recipe_topic=name, caps=Caps(per_day=cap), **changes)
        assert run.source_rows == run.messages + run.skips
    texts = office.all(
        "SELECT m.address, r.owner, count(*) FROM messages m JOIN runs r ON r.id = m.run_id"
        " WHERE r.id > ? GROUP BY m.address, r.owner",
        before,
    )
    central = Counter({address: count for address, owner, count in texts if owner == "central"})
    others = Counter({address: count for address, owner, count in texts if owner != "central"})
    assert max(central.values(), default=0) <= cap
    assert max(others.values(), default=0) <= cap
    assert SkipReason.SUPPRESSED not in {
        reason for (reason,) in office.all("SELECT reason FROM skips")
    }
