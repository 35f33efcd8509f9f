"""A phone that serves many subjects gets so many texts about a period, and no more."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.lifecycle import RunKind
from smsengine.planning.order import Resend
from smsengine.planning.planner import Planner
from smsengine.sources.base import Row
from smsengine.store.engine import Store
from tests.conftest import PLANNER, Office, phone, row

FIRM = "0912345678"
TOLD = "SELECT subject FROM messages ORDER BY id"
OVER = "SELECT row_number, subject FROM skips WHERE reason = 'over-series' ORDER BY row_number"


def firm(*codes: str, first: int = 2) -> list[Row]:
    """Rows of employers whose books one firm keeps."""
    return [row(number, code, cell=FIRM) for number, code in enumerate(codes, first)]


def told(office: Office) -> list[str]:
    return [line[0] for line in office.all(TOLD)]


def test_the_first_are_told_and_the_others_are_skips(office: Office) -> None:
    """In the extract's order; another phone is not touched, and the accounts tie."""
    extract = [*firm("TA1", "TA2", "TA3", "TA4"), row(9, "TA9")]
    run = office.planned(extract, series=2)
    assert told(office) == ["TA1", "TA2", "TA9"]
    assert office.all(OVER) == [(4, "TA3"), (5, "TA4")]
    assert (run.source_rows, run.messages, run.skips) == (5, 3, 2)
    assert run.segments == office.all("SELECT sum(segments) FROM messages")[0][0]


def test_without_a_series_every_text_goes(office: Office) -> None:
    """That is what ``merge: none`` says."""
    office.planned(firm("TA1", "TA2", "TA3", "TA4"))
    assert len(told(office)) == 4


def test_rows_that_contradict_each_other_take_no_place(office: Office) -> None:
    """They are not told, so the series is filled by those after them."""
    extract = [row(2, "TA1", cell=FIRM), row(3, "TA1", cell=FIRM, paid="7")]
    office.planned([*extract, *firm("TA2", "TA3", "TA4", first=4)], series=2)
    assert told(office) == ["TA2", "TA3"]


def test_planning_again_tells_the_phone_no_more(office: Office) -> None:
    """What was over the series stays so; a row that is new fills only what is left."""
    office.released(firm("TA1", "TA2", "TA3"), series=2)
    again = office.plan([*firm("TA1", "TA2", "TA3"), row(9, "TA9")], series=2)
    assert again.run is not None
    assert again.run.kind is RunKind.SUPPLEMENT
    assert (again.run.messages, again.run.skips, again.already_planned) == (1, 1, 2)
    assert told(office) == ["TA1", "TA2", "TA9"]


def test_what_was_withdrawn_leaves_its_place(office: Office) -> None:
    """A cancelled text was not told."""
    office.released(firm("TA1", "TA2"), series=2)
    office.change("UPDATE messages SET state = 'cancelled', settled_at = '2019-06-01 02:00:00'")
    office.change("UPDATE runs SET state = 'cancelled'")
    office.plan(firm("TA3", "TA4", "TA5"), series=2)
    assert told(office) == ["TA1", "TA2", "TA3", "TA4"]


def test_a_resend_is_not_cut(office: Office) -> None:
    """It tells only those who were told before."""
    office.released(firm("TA1", "TA2", "TA3"), series=2)
    office.change("UPDATE messages SET state = 'rejected', settled_at = '2019-06-01 02:00:00'")
    planned = office.plan(
        firm("TA1", "TA2", "TA3"), series=2, resend=Resend.FAILED, reason="the telco lost them"
    )
    assert planned.run is not None
    assert planned.run.messages == 2


def test_a_dry_run_says_the_same(office: Office, scratch: Store) -> None:
    """It asks the ledger about earlier runs, and counts its own in the scratch database."""
    office.released(firm("TA1"), series=2)
    planner: Planner = office.planner(identity=PLANNER, outbox=scratch)
    tried = planner.plan(office.order(firm("TA1", "TA2", "TA3", "TA4"), series=2))
    assert tried.run is not None
    assert (tried.run.messages, tried.run.skips) == (1, 2)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(phones=st.lists(st.integers(0, 3), min_size=1, max_size=12), series=st.integers(1, 4))
@pytest.mark.parametrize("again", [False, True])
def test_no_phone_gets_more(
    sqlite_office: Office, again: bool, phones: list[int], series: int
) -> None:
    """Every row is accounted for, whatever is shared with whom, and nobody is cut too early."""
    for table in ("skips", "events", "messages", "runs"):
        sqlite_office.change(f"DELETE FROM {table}")
    extract = [
        row(number, f"TA{number}", cell=phone(place)) for number, place in enumerate(phones, 2)
    ]
    if again:
        sqlite_office.released(extract[: len(extract) // 2], series=series)
    run = sqlite_office.plan(extract, series=series).run
    expected = {phone(place): min(many, series) for place, many in Counter(phones).items()}
    found = Counter(line[0] for line in sqlite_office.all("SELECT address FROM messages"))
    assert sorted(found.values()) == sorted(expected.values())
    if run is not None:
        assert run.source_rows == run.messages + run.skips + run.already_planned
