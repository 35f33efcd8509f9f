"""A phone that serves many subjects gets one text about them, and nobody is told twice or left."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsengine.config.registered import Registered
from smsengine.errors import ConfigError, StoreError
from smsengine.lifecycle import Cause, MessageState, RunKind
from smsengine.planning import release
from smsengine.planning.listing import ListComposer
from smsengine.planning.messages import HouseRules, ListRecipe
from smsengine.planning.order import Quota, Resend
from smsengine.planning.withholding import Caps
from smsengine.receipts import resolving
from smsengine.reports.accounts import account
from smsengine.sources.base import Row
from smsengine.store import outbox, runs, suppressions
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from smsengine.waves import LAST_PLACE, StopRules, judge
from tests.conftest import KEY, START, Office, a_recipe, phone, row, rows

FIRM = "0912345678"
LIST = ListRecipe(
    template="BHXH {{ period | mm_yyyy }}, {{ count }} đơn vị: {{ lines }}.",
    template_name="c12-statement-list.j2",
    line="{{ code }} {{ paid | money }} d",
    line_name="c12-statement.yaml (merged.line)",
)
#: Knows the name, and does not print it.
UNSAID = "{% if name == 'x' %}{{ name }}{% endif %}Kính gửi."
SENT = "SELECT text FROM messages WHERE state <> 'merged' AND state <> 'cancelled' ORDER BY id"
STATES = "SELECT subject, state FROM messages ORDER BY id"
DELIVER = "UPDATE messages SET state = 'delivered', settled_at = '2019-06-01 02:00:00'"


def firm(*codes: str, first: int = 2, paid: str = "1000") -> list[Row]:
    """Rows of employers whose books one firm keeps."""
    return [row(number, code, paid=paid, cell=FIRM) for number, code in enumerate(codes, first)]


def plan(office: Office, extract: list[Row], **changes: Any) -> Run | None:
    return office.plan(extract, **{"series": 2, "recipe_listed": LIST} | changes).run


def planned(office: Office, extract: list[Row], **changes: Any) -> Run:
    run = plan(office, extract, **changes)
    assert run is not None
    return run


def released(office: Office, extract: list[Row], **changes: Any) -> Run:
    run = planned(office, extract, **changes)
    return release.release(office.store, run, key=KEY, clock=office.clock, actor="test")


def sent(office: Office) -> list[str]:
    return [line[0] for line in office.all(SENT)]


def require_tie(office: Office, run: Run) -> None:
    found = account(office.store, run.id)
    assert found is not None
    assert [] == found.breaks
    release.check_seal(office.store, run, KEY)
    in_texts = office.all(
        "SELECT coalesce(sum(segments), 0) FROM messages WHERE run_id = ? AND state <> 'merged'",
        run.id,
    )
    assert [(run.segments,)] == in_texts


def test_one_text_tells_of_all(office: Office) -> None:
    """The others of the run are told as ever; what is merged costs nothing."""
    run = planned(office, [*firm("TA1", "TA2", "TA3"), row(9, "TA9")])
    texts = sent(office)
    assert texts[1:] == ["BHXH 06/2019, 3 don vi: TA1 1.000 d; TA2 1.000 d; TA3 1.000 d."]
    assert len(texts) == 2
    assert (run.source_rows, run.extra_recipients, run.messages) == (4, 1, 5)
    assert json.loads(run.manifest)["merged"] == 3
    require_tie(office, run)


def test_a_phone_of_a_few_is_told_one_by_one(office: Office) -> None:
    """Up to the series nothing changes."""
    run = planned(office, firm("TA1", "TA2"))
    assert len(sent(office)) == 2
    assert office.all("SELECT DISTINCT state FROM messages") == [("queued",)]
    assert json.loads(run.manifest)["merged"] == 0


def test_as_many_texts_as_are_needed(office: Office) -> None:
    """Each as full as the job's segments allow; no subject is in two, none is left."""
    codes = [f"TA{number:04d}" for number in range(40)]
    run = planned(office, firm(*codes), recipe_max_segments=1)
    texts = sent(office)
    assert len(texts) > 3
    assert all(len(text) <= 160 for text in texts)
    assert all(len(text) + len("; TA0001 1.000 d") > 160 for text in texts[:-1])
    assert codes == [code for text in texts for code in codes if code in text]
    require_tie(office, run)


def test_a_subject_for_which_no_text_has_room_is_a_skip(office: Office) -> None:
    """With the reason that a text of its own would have."""
    long = replace(LIST, line="{{ code }} {{ name }}")
    extract = [row(2, "TA1", name="x" * 150, cell=FIRM), *firm("TA2", "TA3", first=3)]
    run = planned(
        office, extract, recipe_listed=long, recipe_max_segments=1, recipe_template=UNSAID
    )
    assert office.all("SELECT subject, reason FROM skips") == [("TA1", "too-long")]
    assert all(code in sent(office)[0] for code in ("TA2", "TA3"))
    require_tie(office, run)


def test_what_only_a_list_would_say_is_refused(office: Office) -> None:
    """The job's own text is what changes are seen by."""
    with pytest.raises(ConfigError, match="prints 'paid', which the job's own template does not"):
        planned(office, firm("TA1"), recipe_template="Kính gửi {{ name }}.")


def test_figures_that_run_into_each_other_are_not_sent(office: Office) -> None:
    """Whatever the separator makes of them, what was given is what can be read."""
    glued = replace(LIST, between="", line="{{ code }} {{ paid | money }}")
    run = planned(office, firm("TA1", "TA2", "TA3"), recipe_listed=glued)
    assert not any("000TA" in text for text in sent(office))
    require_tie(office, run)


def test_a_registered_length_splits_a_list(office: Office) -> None:
    """As the segments do: nobody is left out because there are many."""
    registered = Registered.model_validate(
        {"variants": [{"text": "BHXH {P1,7}, {P2,3} don vi: {P3,30}."}]}
    )
    listed = replace(LIST, registered=registered, registered_name="c12-list")
    run = planned(office, firm(*(f"TA{number}" for number in range(8))), recipe_listed=listed)
    assert (run.skips, len(sent(office))) == (0, 4)
    require_tie(office, run)


def test_one_that_cannot_be_told_leaves_the_others_alone(office: Office) -> None:
    """A sign in one name that the gateway refuses, a cell that is empty."""
    listed = replace(LIST, line="{{ code }} {{ name }}")
    extract = [row(2, "TA1", name="A & B", cell=FIRM), *firm("TA2", "TA3", "TA4", first=3)]
    run = planned(
        office,
        extract,
        recipe_listed=listed,
        recipe_template=UNSAID,
        recipe_rules=HouseRules(forbidden="&"),
    )
    assert office.all("SELECT subject FROM skips") == [("TA1",)]
    assert len(sent(office)) == 1
    require_tie(office, run)


def test_a_text_that_is_not_registered_is_not_sent(office: Office) -> None:
    """None of its subjects is told in other words than those that the telco knows."""
    registered = Registered.model_validate(
        {"variants": [{"text": "BHXH thang {P1,7}, don vi {P2,99}"}]}
    )
    listed = replace(LIST, registered=registered, registered_name="c12-list")
    run = planned(office, firm("TA1", "TA2", "TA3"), recipe_listed=listed)
    reasons = office.all("SELECT DISTINCT reason FROM skips")
    assert (run.messages, run.skips, reasons) == (0, 3, [("not-registered",)])
    require_tie(office, run)


def test_the_gateway_s_rules_hold(office: Office) -> None:
    """What no gateway takes is not written."""
    planned(office, firm("TA1", "TA2", "TA3"), recipe_rules=HouseRules(forbidden=";"))
    assert len(sent(office)) == 3
    assert not any(";" in text for text in sent(office))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"template": "{{ paid }} {{ lines }}"}, "c12-statement-list.j2:1: uses 'paid'"),
        ({"line": "{{ code }} {{ due }}"}, r"\(merged.line\):1: uses 'due'"),
        ({"line": "{{ paid | money }}"}, r"\(merged.line\): does not print 'code'"),
        ({"line": "{% for x in y %}"}, "merged.line"),
    ],
)
def test_wrong_words_are_one_sentence(office: Office, changed: dict[str, str], said: str) -> None:
    """With the file and the line, and nothing is planned."""
    with pytest.raises(ConfigError, match=said):
        planned(office, firm("TA1", "TA2", "TA3"), recipe_listed=replace(LIST, **changed))


def test_a_text_that_leaves_subjects_out_is_not_sent(office: Office) -> None:
    """A template that prints less than it is given would tell nobody."""
    listed = replace(LIST, template="{{ count }} đơn vị")
    run = planned(office, firm("TA1", "TA2", "TA3"), recipe_listed=listed)
    assert (run.messages, run.skips) == (0, 3)
    with pytest.raises(ConfigError, match="does not say all that there is of each"):
        ListComposer(a_recipe(listed=listed)).rehearse()


def test_planning_again_tells_nobody_twice(office: Office) -> None:
    """Nothing is new; a changed figure is none of a supplement's."""
    released(office, firm("TA1", "TA2", "TA3"))
    again = office.plan(firm("TA1", "TA2", "TA3"), series=2, recipe_listed=LIST)
    assert (again.run, again.already_planned) == (None, 3)
    changed = [*firm("TA1", "TA2"), *firm("TA3", first=4, paid="7")]
    assert plan(office, changed) is None
    assert len(sent(office)) == 1


def test_one_that_is_new_has_its_own_text_and_two_share_one(office: Office) -> None:
    """A supplement tells what is new, in one text to a phone that has had its series."""
    extract = firm("TA1", "TA2", "TA3")
    released(office, extract)
    second = planned(office, [*extract, *firm("TA4", first=5)])
    assert second.kind is RunKind.SUPPLEMENT
    assert sent(office)[1].startswith("Kinh gui")
    extract += firm("TA4", "TA5", "TA6", first=5)
    release.release(office.store, second, key=KEY, clock=office.clock, actor="test")
    third = planned(office, extract)
    assert sent(office)[2] == "BHXH 06/2019, 2 don vi: TA5 1.000 d; TA6 1.000 d."
    require_tie(office, third)


@pytest.mark.parametrize("state", ["rejected", "unknown", "delivered"])
@pytest.mark.parametrize("wanted", [Resend.FAILED, Resend.UNKNOWN])
def test_a_resend_goes_by_the_fate_of_the_text(office: Office, state: str, wanted: Resend) -> None:
    """Those that it told are told again together, and only if it failed as was asked for."""
    released(office, firm("TA1", "TA2", "TA3"))
    office.change(
        "UPDATE messages SET state = ?, settled_at = '2019-06-01 02:00:00' WHERE row_number = 0",
        state,
    )
    run = plan(office, firm("TA1", "TA2", "TA3"), resend=wanted, reason="why")
    is_wanted = (state, wanted) in {("rejected", Resend.FAILED), ("unknown", Resend.UNKNOWN)}
    assert (run is not None) == is_wanted
    assert len(sent(office)) == 1 + is_wanted
    if run is not None:
        require_tie(office, run)


def test_a_correction_tells_those_that_changed(office: Office) -> None:
    """One of a list is corrected in a text of its own."""
    released(office, firm("TA1", "TA2", "TA3"))
    office.change(f"{DELIVER} WHERE row_number = 0")
    changed = [*firm("TA1", "TA2"), *firm("TA3", first=4, paid="7")]
    run = planned(office, changed, resend=Resend.CHANGED, reason="why")
    assert (run.kind, run.messages) == (RunKind.CORRECTION, 1)
    assert sent(office)[-1].startswith("Kinh gui")


def test_a_cancelled_run_told_nobody(office: Office) -> None:
    """Planning again tells all of them, together."""
    run = released(office, firm("TA1", "TA2", "TA3"))
    release.cancel(office.store, run, clock=office.clock, actor="test", reason="wrong")
    assert sent(office) == []
    planned(office, firm("TA1", "TA2", "TA3"))
    assert len(sent(office)) == 1


def test_a_doubt_is_withdrawn_once_something_that_it_told_is_told_anew(office: Office) -> None:
    """Also if it is one subject of it: planning again tells the others, and nobody twice."""
    for only in (frozenset({"TA2"}), frozenset[str]()):
        run = released(office, firm("TA1", "TA2", "TA3"))
        office.change("UPDATE messages SET state = 'unknown' WHERE row_number = 0")
        ((carrier,),) = office.all("SELECT id FROM messages WHERE row_number = 0")
        plan(
            office,
            firm("TA1", "TA2", "TA3"),
            resend=Resend.UNKNOWN,
            reason="why",
            recipe_only=only,
        )
        resolving.resolve_by_hand(
            office.store, [carrier], sent=False, reason="x", actor="t", clock=office.clock
        )
        with office.store.read() as connection:
            states = outbox.states_upto(connection, run.id, 99)
        assert states[MessageState.QUEUED] == 0
        again = plan(office, firm("TA1", "TA2", "TA3"))
        assert (again.messages if again is not None else 0) == (3 if only else 0)
        for table in ("skips", "events", "messages", "runs"):
            office.change(f"DELETE FROM {table}")


def test_waves_let_lists_go_with_the_others(office: Office) -> None:
    """A text stands where the first of its subjects stands, so that no wave is empty."""
    run = planned(
        office, [*firm(*(f"TA{number:03d}" for number in range(60))), *rows(20)], waves=(5,)
    )
    places = [
        line[0]
        for line in office.all("SELECT place FROM messages WHERE state = 'queued' ORDER BY place")
    ]
    assert places[0] == 1
    assert json.loads(run.waves)["ends"][0] == 5
    assert max(places) <= 80


def test_stop_rules_count_what_is_handed_over(office: Office) -> None:
    """What is merged is not."""
    run = released(office, [*firm(*(f"TA{number:03d}" for number in range(60))), *rows(20)])
    office.change(
        f"{DELIVER.replace('delivered', 'rejected')} WHERE row_number > 0 AND state = 'queued'"
    )
    with office.store.read() as connection:
        states = outbox.states_upto(connection, run.id, LAST_PLACE)
    assert judge(StopRules(refused=0.9), states) != []


def test_caps_hold_from_the_first_row_to_the_last(office: Office) -> None:
    """Also where a run is judged in several pieces."""
    extract = [row(2, "A", cell=FIRM), *rows(3), row(99, "Z", cell=FIRM)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsengine.planning.dedup._CAPPED_AT_ONCE", 2)
        planned(office, extract, caps=Caps(per_day=1), series=3)
    assert office.all("SELECT subject, reason FROM skips") == [("Z", "over-daily-cap")]


def test_a_phone_that_is_left_alone_stops_no_other_phone(office: Office) -> None:
    """A subject with two phones: the other one is told."""
    run = planned(office, [row(2, "TA1", cell=f"{FIRM}; 0987654321")], series=9)
    with office.store.write() as connection:
        suppressions.add(
            connection,
            key=KEY,
            address="+84987654321",
            office="central",
            cause=Cause.ASKED,
            reason="x",
            by="lan",
            at=START,
        )
    release.release(office.store, run, key=KEY, clock=office.clock, actor="test")
    assert sorted(office.all("SELECT address, state FROM messages")) == [
        ("+84912345678", "queued"),
        ("+84987654321", "cancelled"),
    ]


def test_a_quota_of_texts_is_not_used_up_by_what_they_tell(office: Office) -> None:
    """Six subjects in one text are one text."""
    quota = Quota(since=START, most=1)
    run = planned(office, firm(*(f"TA{number}" for number in range(6))), quota=quota)
    assert len(sent(office)) == 1
    require_tie(office, run)


def test_a_list_made_anew_has_the_same_name(office: Office) -> None:
    """So that a gateway knows it again after a plan that was thrown away."""
    keys = []
    for _ in range(2):
        planned(office, firm("TA1", "TA2", "TA3"))
        keys += office.all("SELECT dedup_key FROM messages WHERE row_number = 0")
        for table in ("skips", "events", "messages", "runs"):
            office.change(f"DELETE FROM {table}")
    assert keys[0] == keys[1]


def test_a_phone_of_thousands_takes_no_longer_for_each(office: Office) -> None:
    """Composing looks at what may fit, not at all that is left."""
    run = planned(office, firm(*(f"TA{number:05d}" for number in range(4_000))))
    assert json.loads(run.manifest)["merged"] == 4_000
    require_tie(office, run)


def test_a_text_counts_once_for_the_caps(office: Office) -> None:
    """Forty subjects in one text are one text of the day."""
    caps = Caps(per_day=2)
    run = planned(office, firm(*(f"TA{number}" for number in range(10))), caps=caps)
    assert (len(sent(office)), run.skips) == (1, 0)
    assert office.all("SELECT texts FROM told") == [(1,)]


def test_a_text_over_a_cap_makes_skips_of_all_that_it_tells(office: Office) -> None:
    """Nobody vanishes: each subject is a skip with its reason, and the sums tie."""
    codes = [f"TA{number:04d}" for number in range(40)]
    extract = [*firm(*codes), row(99, "TB1")]
    run = planned(office, extract, caps=Caps(per_day=2), recipe_max_segments=1)
    texts = sent(office)
    assert len(texts) == 3
    reasons = office.all("SELECT reason, count(*) FROM skips GROUP BY reason")
    told = sum(code in text for text in texts for code in codes)
    assert reasons == [("over-daily-cap", 40 - told)]
    assert sorted(office.all("SELECT texts FROM told")) == [(1,), (2,)]
    require_tie(office, run)


def test_a_capped_series_counts_what_is_told(office: Office) -> None:
    """Texts beyond the series take no place in the day."""
    office.planned(firm("TA1", "TA2", "TA3", "TA4"), series=2, caps=Caps(per_day=3))
    assert office.all("SELECT reason, count(*) FROM skips GROUP BY reason") == [("over-series", 2)]
    assert office.all("SELECT texts FROM told") == [(2,)]


def test_a_phone_that_is_left_alone_by_then_gets_no_list(office: Office) -> None:
    """Judged again when the run is released."""
    run = planned(office, firm("TA1", "TA2", "TA3"))
    with office.store.write() as connection:
        suppressions.add(
            connection,
            key=KEY,
            address=phone_of(office),
            office="central",
            cause=Cause.ASKED,
            reason="x",
            by="lan",
            at=START,
        )
    release.release(office.store, run, key=KEY, clock=office.clock, actor="test")
    assert sent(office) == []


def phone_of(office: Office) -> str:
    return str(office.all("SELECT DISTINCT address FROM messages")[0][0])


def test_a_list_goes_back_where_the_centre_tells_one_of_it_by_now(office: Office) -> None:
    """It is withdrawn whole, and planning again tells the others."""
    theirs = firm("TA1", "TA2", "TA3")
    changes = {"job": "01-hanoi/x", "owner": "01-hanoi", "recipe_topic": "x"}
    changes |= {"overlaps": ("c12-statement",)}
    run = planned(office, theirs, **changes)
    office.planned(firm("TA2"))
    release.release(
        office.store,
        run,
        key=KEY,
        clock=office.clock,
        actor="test",
        permit=lambda _connection: ("c12-statement",),
    )
    assert office.all("SELECT state, code FROM messages WHERE row_number = 0") == [
        ("cancelled", "duplicate-of-central")
    ]
    again = planned(office, theirs, **changes)
    assert again.skips == 1
    assert not any("TA2" in text for text in sent(office)[1:])
    assert len(sent(office)) == 3
    require_tie(office, again)


def test_an_office_s_quota_counts_texts(office: Office) -> None:
    """Not what is merged into them."""
    planned(office, [*firm("TA1", "TA2", "TA3"), row(9, "TA9")], owner="01-hanoi")
    with office.store.read() as connection:
        assert runs.planned_since(connection, "01-hanoi", START) == 2


def test_a_message_that_is_gone_breaks_the_seal(office: Office) -> None:
    """What is merged is sealed like what is sent."""
    run = planned(office, firm("TA1", "TA2", "TA3"))
    office.change("UPDATE messages SET text_hash = ? WHERE subject = 'TA2'", b"x" * 16)
    with pytest.raises(StoreError, match="not the sealed one"):
        release.check_seal(office.store, run, KEY)


def test_a_dry_run_says_the_same(office: Office, scratch: Store) -> None:
    """It asks the ledger about earlier runs, and writes nothing there."""
    released(office, firm("TA1", "TA2", "TA3"))
    planner = office.planner(outbox=scratch)
    extract = firm("TA1", "TA2", "TA3", "TA4", "TA5")
    tried = planner.plan(
        office.order(extract, series=2, recipe_listed=LIST, caps=Caps(per_day=5))
    ).run
    assert tried is not None
    assert (tried.messages, tried.extra_recipients, tried.already_planned) == (3, 1, 3)
    assert len(office.states()) == 4


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    phones=st.lists(st.integers(0, 3), min_size=1, max_size=14),
    series=st.integers(1, 4),
    cap=st.sampled_from([None, 1, 2]),
    first=st.integers(0, 14),
)
def test_everybody_is_told_once_or_accounted_for(
    sqlite_office: Office, phones: list[int], series: int, cap: int | None, first: int
) -> None:
    """Whatever is shared with whom, planned at once or in two goes, with caps and without."""
    for table in ("told", "skips", "events", "messages", "runs"):
        sqlite_office.change(f"DELETE FROM {table}")
    extract = [
        row(number, f"TA{number:02d}", cell=phone(place)) for number, place in enumerate(phones, 2)
    ]
    caps = Caps(per_day=cap)
    for part in (extract[:first], extract):
        run = (
            plan(sqlite_office, part, series=series, caps=caps, recipe_max_segments=1)
            if part
            else None
        )
        if run is not None:
            require_tie(sqlite_office, run)
            release.release(
                sqlite_office.store, run, key=KEY, clock=sqlite_office.clock, actor="test"
            )
    told = Counter[str]()
    for subject, state, carrier in sqlite_office.all(
        "SELECT subject, state, carrier_id FROM messages WHERE row_number > 0"
    ):
        told[subject] += 1
        assert (state == "merged") == (carrier is not None)
    assert set(told.values()) <= {1}
    lists = dict(sqlite_office.all("SELECT id, text FROM messages WHERE row_number = 0"))
    for subject, carrier in sqlite_office.all(
        "SELECT subject, carrier_id FROM messages WHERE state = 'merged'"
    ):
        assert [carrier] == [number for number, text in lists.items() if subject in text]
    texts = Counter(
        line[0] for line in sqlite_office.all("SELECT address FROM messages WHERE state = 'queued'")
    )
    assert cap is None or max(texts.values(), default=0) <= cap
    if cap is None:
        assert len(told) == len(extract)
