"""What was taken back, is over, or only pretends to be the Centre's, is not sent by any detour."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smsengine.config.offices import Caps
from smsengine.errors import ConfigError, RefusedError
from smsengine.planning import release
from smsengine.service import approvals, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import in_force, permit
from smsengine.service.roster import read_roster
from smsengine.store import runs
from smsengine.store.runs import Run
from tests.unit.service.bureau import AN, BINH, CONFIG, JOB, NAME, ROWS, WORDS, Bureau
from tests.unit.service.machine import begun, change

EDITED = WORDS.replace("đã xong", "đã xong rồi")


@pytest.fixture
def bureau(installation: Callable[..., Engine], database: str) -> Bureau:
    """An office whose notice lies on the disk and was handed in by nobody."""
    made = Bureau(begun(installation(config=CONFIG.format(database=database))))
    made.write()
    return made


def now(bureau: Bureau, run: Run) -> Run:
    with bureau.engine.store.read() as connection:
        found = runs.get(connection, run.id)
    assert found is not None
    return found


def cancel(bureau: Bureau, run: Run) -> None:
    engine = bureau.engine
    release.cancel(engine.store, run, clock=engine.clock, actor="test", reason="enough")


def put_beside(bureau: Bureau, name: str, job: str = JOB) -> None:
    """Another notice, with its template and its extract."""
    path = bureau.engine.settings.jobs / "provinces" / f"{name}.yaml"
    words = bureau.engine.settings.templates / "provinces" / f"{name}.j2"
    for each, text in ((path, job), (words, WORDS)):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_text(text, encoding="utf-8")
    extract = bureau.job.with_name("dossier-2019-06.csv")
    path.with_name(extract.name).write_bytes(extract.read_bytes())


def test_a_run_of_a_replaced_version_ends_with_the_notice(bureau: Bureau) -> None:
    """The notice is taken back as a whole: a run of the version before is not released either."""
    bureau.approved()
    planned = bureau.plan()
    bureau.write(words=EDITED)
    bureau.approved()
    approvals.withdraw(bureau.engine, NAME, BINH, reason="nobody wants it")
    with pytest.raises(RefusedError, match=r"dossier v2, which replaced it, was withdrawn"):
        sender.send_run(bureau.engine, planned, sender.Watch())
    bureau.write(words=EDITED + " Hay.")
    bureau.approved()
    with pytest.raises(RefusedError, match=r"dossier v2, which replaced it, was withdrawn"):
        sender.release_run(bureau.engine, planned, "test")
    assert [] == bureau.outbox()


def test_one_that_waited_and_was_taken_back_stops_no_run(bureau: Bureau) -> None:
    """It was never in force: what is, goes on."""
    bureau.approved()
    planned = bureau.plan()
    for words in (EDITED, EDITED + " Hay."):
        bureau.write(words=words)
        bureau.submit()
    assert [(1, "approved"), (2, "withdrawn"), (3, "submitted")] == bureau.states()
    sender.send_run(bureau.engine, planned, sender.Watch())
    assert 2 == len(bureau.outbox())


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_run_under_way_is_paused_when_the_last_day_is_over(
    bureau: Bureau, is_replaced: bool
) -> None:
    """Also one of a version that was replaced before its last day; it cannot be resumed."""
    bureau.approved()
    run = sender.release_run(bureau.engine, bureau.plan(), "test")
    if is_replaced:
        bureau.write(job=JOB.replace("2019-12-31", "2020-12-31"))
        bureau.approved()
    bureau.wait(days=214)
    approvals.expire(bureau.engine, bureau.engine.today)
    paused = now(bureau, run)
    assert ("paused", True) == (paused.state, "31/12/2019, is over" in paused.held_because)
    allowed, store = permit(bureau.engine, paused), bureau.engine.store
    with pytest.raises(RefusedError, match="which is expired"), store.write() as connection:
        allowed(connection)


def test_no_office_is_called_as_the_centre_is(bureau: Bureau) -> None:
    """A folder ``provinces/central`` would have needed no approval and no grant."""
    put_beside(bureau, "central/free", JOB.replace("topic: dossier", "topic: free"))
    with pytest.raises(ConfigError, match="no office is called 'central'; rename the folder"):
        in_force(bureau.engine, "central/free")
    assert "central/free" not in read_roster(bureau.engine).jobs


def test_a_pretended_topic_of_the_centre_takes_nothing(bureau: Bureau) -> None:
    put_beside(bureau, "central/dossier")
    bureau.approved()
    assert 2 == len(bureau.send())


def test_a_draft_of_another_office_stops_nothing_that_is_in_force(bureau: Bureau) -> None:
    """Otherwise one office could silence another by a file with its topic."""
    bureau.approved()
    put_beside(bureau, "79-hcm/dossier")
    assert NAME in read_roster(bureau.engine).jobs
    assert 2 == len(bureau.send())


def test_a_name_with_a_dot_is_the_name_everywhere(bureau: Bureau) -> None:
    """Approved under its name, it also runs under it."""
    name = "01-hanoi/dossier.v2"
    bureau.job.unlink()
    put_beside(bureau, name)
    waiting = approvals.submit(bureau.engine, name, AN)
    approvals.approve(bureau.engine, waiting, BINH)
    assert name == in_force(bureau.engine, name).name


def test_who_cancels_at_the_last_text_gets_no_second_quota(bureau: Bureau) -> None:
    """What was handed over of a cancelled run counts; what was withdrawn does not."""
    bureau.write(rows=[f"001,A{n},Ông,091000000{n}" for n in range(5)])
    bureau.approved()
    run = sender.release_run(bureau.engine, bureau.plan(), "test")
    change(
        bureau.engine,
        "UPDATE messages SET state = 'accepted', settled_at = due_at WHERE place <= 3",
    )
    cancel(bureau, run)
    bureau.write(rows=[f"001,B{n},Ông,091000001{n}" for n in range(3)])
    with pytest.raises(RefusedError, match=r"has 3 today, and .* would add 3"):
        bureau.plan()
    bureau.write(rows=[f"001,B{n},Ông,091000001{n}" for n in range(2)])
    assert 2 == bureau.plan().messages


def test_a_phone_that_was_texted_by_a_cancelled_run_has_its_text(bureau: Bureau) -> None:
    """A cap counts a run that was under way when it was cancelled; not one that never was."""
    bureau.engine.settings = bureau.engine.settings.model_copy(update={"caps": Caps(per_day=1)})
    bureau.approved()
    cancel(bureau, bureau.plan())
    bureau.write(rows=[row.replace("A", "B") for row in ROWS[:2]])
    run = sender.release_run(bureau.engine, bureau.plan(), "test")
    assert 2 == run.messages
    change(
        bureau.engine,
        "UPDATE messages SET state = 'accepted', settled_at = due_at WHERE run_id = ?",
        run.id,
    )
    cancel(bureau, run)
    bureau.write(rows=[row.replace("A", "C") for row in ROWS[:2]])
    assert 0 == bureau.plan().messages


def test_taken_back_while_the_seal_is_checked(bureau: Bureau) -> None:
    """Whoever looked before the withdrawal looks again where nobody can decide otherwise."""
    bureau.approved()
    run = bureau.plan()
    allowed = permit(bureau.engine, run)
    with bureau.engine.store.write() as connection:
        assert () == allowed(connection)
    approvals.withdraw(bureau.engine, NAME, AN, reason="wrong words")
    with pytest.raises(RefusedError, match="which is withdrawn"):
        release.release(
            bureau.engine.store,
            run,
            key=bureau.engine.key,
            clock=bureau.clock,
            actor="test",
            permit=allowed,
        )
