"""What the Centre adds after an office's notice was approved counts from then on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smsengine.errors import RefusedError
from smsengine.lifecycle import RunState
from smsengine.service import approvals, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import check_job
from smsengine.service.people import Actor
from smsengine.store import runs
from smsengine.store.runs import Run
from tests.conftest import execute
from tests.unit.service.bureau import BINH, CHI, CONFIG, JOB, JUNE, NAME, ROWS, WORDS, Bureau
from tests.unit.service.machine import begun

REQUIRED = CONFIG + "governance: {{central: required}}\n"
THEIRS = "dossier-state"
CENTRAL_JOB = (
    JOB.replace("topic: dossier", f"topic: {THEIRS}")
    .replace("expires: 2019-12-31\n", "")
    .replace(", office: office", "")
)
CENTRAL_WORDS = "BHXH kính gửi {{ name }}: hồ sơ {{ code }} đã xong, mời ông/bà đến nhận."
OTHER_WORDS = "BHXH: {{ name }} ({{ code }}) cần nộp thêm giấy tờ bổ sung trong tuần tới."
SKIPPED = "SELECT reason, subject FROM skips WHERE run_id = ? ORDER BY subject"
LEFT = "SELECT subject, state, code FROM messages WHERE run_id = ? ORDER BY subject"


@pytest.fixture
def bureau(installation: Callable[..., Engine], database: str) -> Bureau:
    """An office with a notice in force; the Centre says nothing alike."""
    made = Bureau(begun(installation(config=CONFIG.format(database=database))))
    made.write()
    made.approved()
    return made


def centre_adds(bureau: Bureau, words: str = CENTRAL_WORDS, job: str = CENTRAL_JOB) -> None:
    """A notice of the Centre's, about the office's A1 only."""
    settings = bureau.engine.settings
    (settings.jobs / f"{THEIRS}.yaml").write_text(job, encoding="utf-8")
    (settings.templates / f"{THEIRS}.j2").write_text(words, encoding="utf-8")
    rows = "\n".join(["ma_co_quan,ma,ten,dien_thoai", ROWS[0]])
    (settings.data / "dossier-2019-06.csv").write_text(f"{rows}\n", encoding="utf-8")


def centre_tells(bureau: Bureau) -> None:
    request = sender.Request(loaded=bureau.engine.job(THEIRS), period=JUNE)
    run = sender.plan(bureau.engine, request, sender.Watch()).run
    assert run is not None
    assert 1 == run.messages


def asked(bureau: Bureau, sql: str, run: Run) -> list[tuple[str, ...]]:
    with bureau.engine.store.read() as connection:
        return [tuple(row) for row in execute(connection, sql, run.id)]


def test_at_planning(bureau: Bureau) -> None:
    """Who has the new notice of the Centre does not get the office's."""
    centre_adds(bureau)
    centre_tells(bureau)
    run = bureau.plan()
    skips = asked(bureau, SKIPPED, run)
    assert [("duplicate-of-central", "A1"), ("other-office", "B1")] == skips


def test_at_the_release(bureau: Bureau) -> None:
    """Also where the office's run was planned before the Centre had thought of it."""
    run = bureau.plan()
    centre_adds(bureau)
    centre_tells(bureau)
    sender.release_run(bureau.engine, run, "test")
    assert [("A1", "cancelled", "duplicate-of-central"), ("A2", "queued", None)] == asked(
        bureau, LEFT, run
    )


def test_other_words_of_the_centre_keep_nobody_from_it(bureau: Bureau) -> None:
    centre_adds(bureau, OTHER_WORDS)
    centre_tells(bureau)
    run = bureau.plan()
    assert [("other-office", "B1")] == asked(bureau, SKIPPED, run)
    sender.release_run(bureau.engine, run, "test")
    assert {"queued"} == {state for _, state, _ in asked(bureau, LEFT, run)}


def test_a_run_of_a_replaced_version_is_judged_by_its_own_words(bureau: Bureau) -> None:
    """Not by those that are in force by now."""
    run = bureau.plan()
    bureau.write(words=OTHER_WORDS)
    bureau.approved()
    centre_adds(bureau)
    centre_tells(bureau)
    sender.release_run(bureau.engine, run, "test")
    assert ("A1", "cancelled", "duplicate-of-central") == asked(bureau, LEFT, run)[0]


CLAIMING = f"{CENTRAL_JOB}claims: [dossier-*, dossier]\n"


def test_a_topic_that_the_centre_takes_by_now(bureau: Bureau) -> None:
    """Neither what a daemon read before is planned, nor what was planned before is released."""
    request, run = bureau.request(), bureau.plan()
    centre_adds(bureau, OTHER_WORDS, CLAIMING)
    said = f"The topic 'dossier' of {NAME} belongs to the Centre by now"
    with pytest.raises(RefusedError, match=said):
        sender.plan(bureau.engine, request, sender.Watch())
    with pytest.raises(RefusedError, match=said):
        sender.release_run(bureau.engine, run, "test")
    with bureau.engine.store.read() as connection:
        after = runs.get(connection, run.id)
    assert after is not None
    assert RunState.PLANNED is after.state
    assert ("smsengine", "refused", NAME) == bureau.said()[-1]


# -- what the Centre has in force, whatever lies on its disk ---------------------------------------


@pytest.fixture
def strict(installation: Callable[..., Engine], database: str) -> Bureau:
    """The Centre's notices need an approval; its new one has it, and its files are other by now."""
    made = Bureau(begun(installation(config=REQUIRED.format(database=database))))
    made.write()
    centre_adds(made)
    by = Actor(name="binh", account="binh", office="central")
    approvals.submit(made.engine, THEIRS, by)
    approvals.approve(made.engine, approvals.waiting(made.engine, THEIRS), CHI)
    return made


@pytest.mark.parametrize("left", [OTHER_WORDS, None])
def test_the_words_that_the_centre_has_in_force_are_compared(
    strict: Bureau, left: str | None
) -> None:
    """Not only those of its files."""
    template = strict.engine.settings.templates / f"{THEIRS}.j2"
    if left is None:
        template.unlink()
    else:
        template.write_text(left, encoding="utf-8")
    checked = check_job(strict.engine, strict.engine.catalogue(), strict.job)
    assert (THEIRS,) == checked.related
    assert [("similar", (WORDS, CENTRAL_WORDS))] == [
        (each.rule, each.beside) for each in checked.findings
    ]


def test_the_same_words_on_the_disk_and_in_force_are_told_once(strict: Bureau) -> None:
    checked = check_job(strict.engine, strict.engine.catalogue(), strict.job)
    assert ["similar"] == [each.rule for each in checked.findings]


def test_a_topic_of_the_centre_whose_file_is_gone_is_still_taken(strict: Bureau) -> None:
    (strict.engine.settings.jobs / f"{THEIRS}.yaml").unlink()
    strict.write(job=JOB.replace("topic: dossier", f"topic: {THEIRS}"), words=OTHER_WORDS)
    with pytest.raises(RefusedError, match=f"{THEIRS}' là chủ đề của central"):
        strict.submit()


def test_what_the_centre_took_back_counts_no_more(strict: Bureau) -> None:
    """With its files gone as well."""
    for folder, end in (
        (strict.engine.settings.jobs, "yaml"),
        (strict.engine.settings.templates, "j2"),
    ):
        (folder / f"{THEIRS}.{end}").unlink()
    approvals.withdraw(strict.engine, THEIRS, BINH, reason="no more")
    checked = check_job(strict.engine, strict.engine.catalogue(), strict.job)
    assert [] == checked.findings


def test_what_another_office_claims_takes_nothing(bureau: Bureau) -> None:
    """Only the Centre may; the file of one office does not keep another from its work."""
    other = bureau.job.parent.with_name("79-hcm") / "greedy.yaml"
    other.parent.mkdir()
    job = f"{JOB.replace('topic: dossier', 'topic: greedy')}claims: ['*']\n"
    other.write_text(job, encoding="utf-8")
    checked = check_job(bureau.engine, bureau.engine.catalogue(), bureau.job)
    assert [] == checked.faults
