"""Personal data goes when it has been kept long enough; what proves the past stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smsengine.config.upkeep import Age, Retention
from smsengine.errors import StoreError
from smsengine.planning.order import Resend
from smsengine.planning.release import check_seal
from smsengine.reports import exports
from smsengine.reports.accounts import account
from smsengine.service.purging import Purged, Purger, kept_until
from smsengine.sources.base import Row
from smsengine.store.purging import Cutoffs
from smsengine.store.runs import Run
from tests.conftest import KEY, START, Office, execute, phone, row

EXTRACT = [
    row(2, "TA1"),
    row(3, "TA2"),
    row(4, "TA3"),
    row(5, "TA4", cell="024 3936 0000"),
    row(6, "TA5"),
]
PERSONAL = ["TA1", "TA4", "Duong Hung Yen", phone(2)[1:], "the subscriber", "0912345678"]
SETTLED = "2019-06-01 02:00:00"
EVERYTHING = """
SELECT m.run_id, m.subject, m.address, m.text, m.detail, a.detail
FROM messages m LEFT JOIN attempts a ON a.message_id = m.id
"""


def finish(office: Office, run: Run, **states: str) -> None:
    """Write down that a run ended; ``TA2="unknown"`` is what became of one message."""
    for code in ("TA1", "TA2", "TA3", "TA5"):
        office.change(
            "UPDATE messages SET state = ?, settled_at = ?, gateway_id = ?, code = 'OK',"
            " detail = 'the subscriber 0912345678' WHERE subject = ? AND run_id = ?",
            states.get(code, "delivered"),
            None if states.get(code) in ("unknown", "queued") else SETTLED,
            f"G-{code[-1]}",
            code,
            run.id,
        )
    office.change(
        "INSERT INTO attempts (message_id, number, gateway, worker, started_at, ended_at, outcome,"
        " detail) SELECT id, 1, 'trial', 'w', ?, ?, 'accepted', 'the subscriber' FROM messages"
        " WHERE run_id = ?",
        SETTLED,
        SETTLED,
        run.id,
    )
    office.change(
        "UPDATE runs SET state = 'finished', finished_at = ? WHERE id = ?", SETTLED, run.id
    )


def purger(office: Office, **changes: Any) -> Purger:
    return Purger(store=office.store, clock=office.clock, actor="test", **changes)


def purge(office: Office, days: int = 91, **changes: Any) -> Purged:
    """Purge that many days later, with the usual retention."""
    later = office.clock.now() + timedelta(days=days)
    return purger(office, **changes).purge(kept_until(Retention(), later))


def ended(office: Office, given: list[Row] | None = None, **states: str) -> Run:
    run = office.released(given or EXTRACT)
    finish(office, run, **states)
    return office.run(run.id)


def personal(office: Office) -> set[str]:
    """What personal there is anywhere in the ledger."""
    held = repr([office.all(EVERYTHING), office.all("SELECT * FROM skips"), history(office)])
    return {each for each in PERSONAL if each in held}


def history(office: Office) -> list[tuple[Any, ...]]:
    return office.all("SELECT what, detail FROM events ORDER BY id")


def test_nothing_personal_is_left(office: Office) -> None:
    """Texts, phones, codes and what was said about them go, from every table."""
    ended(office)
    office.change("UPDATE events SET detail = 'she called from 0912345678'")
    assert set(PERSONAL) == personal(office)
    done = purge(office)
    assert (Purged(runs=1, messages=4, skips=1), set()) == (done, personal(office))
    assert ("sealed", "she called from 091***5678") == history(office)[0]


def test_the_parameters_of_a_template_go_with_the_text(office: Office) -> None:
    """They are the same names and figures once more."""
    run = ended(office)
    office.change("UPDATE messages SET template = '[7, [[1, 2]]]'")
    purge(office)
    assert [(None,)] == office.all("SELECT DISTINCT template FROM messages")
    check_seal(office.store, office.run(run.id), KEY)


def test_what_proves_the_past_stays(office: Office) -> None:
    """Hashes, states, places, networks, segments and the gateway's words in code stay."""
    ended(office)
    kept = (
        "SELECT place, row_number, dedup_key, revision, network, text_hash, segments, state,"
        " gateway_id, code, settled_at FROM messages ORDER BY id"
    )
    before = [[bytes(c) if isinstance(c, memoryview) else c for c in r] for r in office.all(kept)]
    purge(office)
    after = [[bytes(c) if isinstance(c, memoryview) else c for c in r] for r in office.all(kept)]
    assert (4, before) == (len(after), after)


def test_the_account_ties_and_the_seal_holds(office: Office) -> None:
    """A purged run is whole for everybody who looks at it."""
    run = ended(office)
    before = account(office.store, run.id)
    purge(office)
    after = account(office.store, run.id)
    assert before is not None
    assert after is not None
    assert ([], before.states, before.reasons) == (after.breaks, after.states, after.reasons)
    check_seal(office.store, after.run, KEY)
    assert after.run.purged_at is not None


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE messages SET text = 'other' WHERE place = 1", "A recipient of run 1"),
        ("DELETE FROM messages WHERE place = 1", "not those of its manifest"),
        ("UPDATE messages SET text_hash = x'00' WHERE place = 1", "not those of its manifest"),
        ("UPDATE runs SET purged_at = NULL", "A recipient of run 1"),
    ],
)
def test_a_purged_run_still_betrays_a_change(office: Office, sql: str, said: str) -> None:
    """What is left of a seal is proved; an emptied text passes in a purged run only."""
    run = ended(office)
    purge(office)
    office.change("DELETE FROM attempts")
    office.change(sql)
    with pytest.raises(StoreError, match=said):
        check_seal(office.store, office.run(run.id), KEY)


def test_whoever_was_told_is_not_told_again(office: Office) -> None:
    """The same extract again is known, a changed figure is refused, as before the purge."""
    ended(office)
    purge(office)
    again = office.plan(EXTRACT)
    assert (None, 4) == (again.run, again.selection.same)
    changed = office.plan([row(2, "TA1", paid="5"), *EXTRACT[1:]])
    assert ["TA1"] == changed.selection.changed
    assert 4 == office.all("SELECT count(*) FROM messages")[0][0]


def test_a_resend_finds_whom_it_replaces(office: Office) -> None:
    """A deliberate new edition counts the purged one, and gets its text from the extract."""
    ended(office, TA2="rejected")
    purge(office)
    planned = office.plan(EXTRACT, resend=Resend.FAILED, reason="on request")
    assert planned.run is not None
    told = office.all("SELECT subject, revision FROM messages WHERE run_id = ?", planned.run.id)
    assert [("TA2", 2)] == told


@pytest.mark.parametrize(
    ("state", "days", "messages"),
    [
        ("finished", 89, 0),
        ("finished", 91, 4),
        ("cancelled", 91, 4),
        ("missed", 91, 4),
        ("sending", 91, 0),
        ("paused", 91, 0),
        ("released", 91, 0),
        ("held", 91, 0),
    ],
)
def test_only_what_ended_long_ago_goes(
    office: Office, state: str, days: int, messages: int
) -> None:
    """A run under way is never touched, nor one that ended lately."""
    run = ended(office)
    office.change("UPDATE runs SET state = ? WHERE id = ?", state, run.id)
    assert messages == purge(office, days).messages
    assert messages == office.all("SELECT count(*) FROM messages WHERE text = ''")[0][0]


def test_an_open_fate_keeps_its_text(office: Office) -> None:
    """What is unknown may have to be sent, and is purged only after somebody settled it."""
    run = ended(office, TA2="unknown")
    assert (3, 1) == ((done := purge(office)).messages, done.open)
    assert [("TA2",)] == office.all("SELECT subject FROM messages WHERE text <> ''")
    check_seal(office.store, office.run(run.id), KEY)
    assert "purged" not in dict(history(office))
    office.change("UPDATE messages SET state = 'accepted', settled_at = ?", SETTLED)
    assert (1, 0) == ((done := purge(office)).messages, done.open)
    assert "purged" in dict(history(office))


def test_what_was_settled_lately_stays(office: Office) -> None:
    """A message that a person settled yesterday is kept as long as any other."""
    ended(office)
    office.change(
        "UPDATE messages SET settled_at = '2019-08-30 00:00:00' WHERE subject IN ('TA1', 'TA2')"
    )
    assert 2 == purge(office).messages


def test_nothing_is_left_to_do_the_second_time(office: Office) -> None:
    """A purge that is done again changes nothing."""
    ended(office)
    purge(office)
    before = (office.all(EVERYTHING), office.run(1), history(office))
    assert Purged() == purge(office, 400)
    assert before == (office.all(EVERYTHING), office.run(1), history(office))


@pytest.mark.parametrize("passing", [1, 2, 3, 4])
@pytest.mark.parametrize("point", ["purging", "purged"])
def test_a_purge_that_is_killed_goes_on(office: Office, point: str, passing: int) -> None:
    """Wherever it ends, the ledger is whole, and the next purge does the rest."""
    run = ended(office)
    passed: list[str] = []

    def die(where: str) -> None:
        passed.append(where)
        if passed.count(point) == passing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(office, piece=2, at=die)
    found = account(office.store, run.id)
    assert found is not None
    assert [] == found.breaks
    check_seal(office.store, office.run(run.id), KEY)
    rest = purge(office, piece=2)
    committed = [0, 2, 4, 5, 5][passing - (point == "purging")]
    assert (5 - committed, set()) == (rest.messages + rest.skips, personal(office))


def test_a_purge_stops_in_time(office: Office) -> None:
    """It leaves the rest for later, and says so."""
    ended(office)
    due = kept_until(Retention(), office.clock.now() + timedelta(days=91))

    def take_a_second(where: str) -> None:
        if where == "purging":
            office.clock.sleep(1)

    slow = purger(office, piece=1, at=take_a_second)
    done = slow.purge(due, within=timedelta(seconds=3))
    assert (2, False) == (done.messages, done.is_all)
    assert START + timedelta(seconds=4) == office.clock.now(), "it rests as long as it works"
    assert (2, 1) == ((rest := purge(office)).messages, rest.skips)


def test_a_look_counts_and_changes_nothing(office: Office) -> None:
    """A dry run tells what the purge then does."""
    ended(office, TA2="unknown")
    before = office.all(EVERYTHING)
    due = kept_until(Retention(), office.clock.now() + timedelta(days=91))
    looked = purger(office).look(due)
    assert before == office.all(EVERYTHING)
    assert (looked, 3) == (purge(office), looked.messages)


def test_texts_may_be_kept_for_ever_and_skips_not(office: Office) -> None:
    """Each of the two has its own age."""
    ended(office)
    retention = Retention(texts=Age(days=None), skips=Age(days=10))
    later = office.clock.now() + timedelta(days=11)
    done = purger(office).purge(kept_until(retention, later))
    assert (0, 1) == (done.messages, done.skips)
    assert {"TA1"} < personal(office)


def test_a_run_that_began_again_in_between_is_left_alone(office: Office) -> None:
    """Whether a run ended is looked at in the transaction that purges it."""
    run = ended(office)

    def revive(where: str) -> None:
        if where == "purged":
            office.change("UPDATE runs SET state = 'sending'")

    purge(office, piece=2, at=revive)
    assert [(2,)] == office.all("SELECT count(*) FROM messages WHERE text <> ''")
    assert "purged" not in dict(history(office))
    assert run.purged_at is None


def test_a_row_that_somebody_holds_is_passed_over(postgres_store: Any, clock: Any) -> None:
    """The purge never waits for a receipt that is being written; the row's turn comes later."""
    office = Office(store=postgres_store, clock=clock)
    ended(office)
    with office.store.write() as connection:
        execute(connection, "UPDATE messages SET code = 'X' WHERE place = 1")
        assert 3 == purge(office).messages
    assert 1 == purge(office).messages


def test_an_export_says_what_is_purged(office: Office) -> None:
    """Every row is still there, with its state or its reason."""
    run = ended(office)
    purge(office)
    written = list(exports.lines(office.store, run.id, full_phones=False))
    assert [("", "", "delivered", "(purged)")] * 4 == [
        (line[1], line[2], line[3], line[8]) for line in written[:4]
    ]
    assert ("5", "", "", "skipped", "landline", "(purged)", "", "", "") == written[4]


def test_a_sqlite_ledger_keeps_no_trace(sqlite_office: Office, tmp_path: Path) -> None:
    """What was purged is not to be found in the file either."""
    ended(sqlite_office)
    purge(sqlite_office)
    with sqlite_office.store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sqlite_office.store.close()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert [] == [each for each in PERSONAL if each.encode() in files]


def test_an_age_is_read_as_people_write_it() -> None:
    """Days, short or long, and for ever."""
    assert [Age(days=90), Age(days=1), Age(days=90), Age(days=None)] == [
        Age.parse(text) for text in ("90 days", "1 day", "90d", "forever")
    ]


@pytest.mark.parametrize("text", ["", "90", "0 days", "-1 days", "2 hours", "99999 days", "never"])
def test_another_age_is_refused(text: str) -> None:
    """Nothing is purged by a slip of the pen."""
    with pytest.raises(ValueError, match="write the days, such as 90 days"):
        Age.parse(text)


def test_without_an_age_nothing_is_due(office: Office) -> None:
    """For ever is for ever."""
    ended(office)
    nothing = Cutoffs(texts=None, skips=None)
    assert (Purged(), nothing) == (
        purger(office).purge(nothing),
        replace(nothing).of(office.clock.now()),
    )
