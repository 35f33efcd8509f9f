"""What runs was approved, byte for byte, by somebody else than who handed it in."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from smsengine.errors import ConfigError, LifecycleError, RefusedError, StoreError, UsageError
from smsengine.service import approvals, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.conditions import condition_of
from smsengine.service.in_force import Decided, in_force
from smsengine.service.people import Actor, acting
from smsengine.service.roster import read_roster
from smsengine.store import runs
from tests.unit.service.bureau import AN, BINH, CHI, CONFIG, JOB, JUNE, NAME, WORDS, Bureau
from tests.unit.service.machine import begun, change

EDITED = WORDS.replace("đã xong", "đã xong rồi")


@pytest.fixture
def bureau(installation: Callable[..., Engine], database: str) -> Bureau:
    """An office whose notice lies on the disk and was handed in by nobody."""
    made = Bureau(begun(installation(config=CONFIG.format(database=database))))
    made.write()
    return made


def test_an_approved_notice_is_sent_to_the_offices_own_people(bureau: Bureau) -> None:
    """Handed in, approved, planned, sent; the row of another office is skipped."""
    assert 1 == bureau.submit().number
    assert "approved" == bureau.approve().state
    sent = bureau.send()
    assert 2 == len(sent)
    assert all("BHXH kinh gui" in line for line in sent)
    with bureau.engine.store.read() as connection:
        (run,) = runs.newest(connection)
    assert (1, 3, 2, 1) == (run.version_id, run.source_rows, run.messages, run.skips)
    assert [
        ("an", "submitted", f"{NAME} v1"),
        ("binh", "approved", f"{NAME} v1"),
    ] == bureau.said()


def test_a_draft_is_not_sent(bureau: Bureau) -> None:
    """Neither before it is handed in, nor while it waits, nor when it was rejected."""
    for step in (bureau.submit, lambda: None):
        with pytest.raises(RefusedError, match="is not approved; hand it in"):
            in_force(bureau.engine, NAME)
        step()
    waiting = approvals.waiting(bureau.engine, NAME)
    approvals.reject(bureau.engine, waiting, BINH, reason="too long")
    with pytest.raises(RefusedError, match="is not approved"):
        in_force(bureau.engine, NAME)
    assert NAME not in read_roster(bureau.engine).jobs


def test_the_last_wall(bureau: Bureau) -> None:
    """What comes to the planner without an approval, or with another one's, is refused there."""
    draft = sender.Request(loaded=bureau.engine.job(NAME), period=JUNE)
    with pytest.raises(RefusedError, match="is not approved; nothing of it is sent"):
        sender.plan(bureau.engine, draft, sender.Watch())
    version = bureau.approved()
    bureau.write(words=EDITED)
    changed = bureau.engine.job(NAME)
    changed.read_all()
    forged = changed.model_copy(update={"version": version.id})
    request = sender.Request(loaded=forged, period=JUNE)
    with pytest.raises(RefusedError, match="is not what was approved as 01-hanoi/dossier v1"):
        sender.plan(bureau.engine, request, sender.Watch())
    assert [] == bureau.outbox()


@pytest.mark.parametrize("gone", [False, True])
def test_what_was_approved_runs_whatever_lies_on_the_disk(bureau: Bureau, gone: bool) -> None:
    """An edited template, a broken job and missing files change nothing."""
    bureau.approved()
    bureau.write(job="owner: central\n", words="{{ secret }}")
    if gone:
        bureau.job.unlink()
        bureau.template.unlink()
    assert NAME in read_roster(bureau.engine).jobs
    assert all("da xong." in line for line in bureau.send())


def test_one_byte_more_needs_an_approval(bureau: Bureau) -> None:
    """A blank at the end is another notice; the old one runs until the new one is approved."""
    bureau.approved()
    bureau.write(words=WORDS + " ")
    bureau.submit()
    assert [(1, "approved"), (2, "submitted")] == bureau.states()
    assert 1 == in_force(bureau.engine, NAME).version
    bureau.approve()
    assert [(1, "replaced"), (2, "approved")] == bureau.states()
    assert 2 == in_force(bureau.engine, NAME).version


def test_a_newer_one_takes_the_place_of_what_waits(bureau: Bureau) -> None:
    """The Centre decides about what it was shown, or finds that it waits no more."""
    shown = bureau.submit()
    bureau.write(words=EDITED)
    bureau.submit()
    assert [(1, "withdrawn"), (2, "submitted")] == bureau.states()
    with pytest.raises(LifecycleError, match="dossier v1 is withdrawn; it cannot become approved"):
        approvals.approve(bureau.engine, shown, BINH)
    with pytest.raises(RefusedError, match="v2 is the same and is submitted already"):
        bureau.submit()


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        (AN, "an works for 01-hanoi; only the Centre decides"),
        (Actor(name="an", account="x", office="central"), "an handed .* in; somebody else"),
    ],
)
def test_who_hands_in_does_not_decide(bureau: Bureau, actor: Actor, words: str) -> None:
    """Neither to approve nor to reject; and a try to approve stands in the audit, once."""
    version = bureau.submit()
    for _ in range(2):
        with pytest.raises(RefusedError, match=words):
            approvals.approve(bureau.engine, version, actor)
    with pytest.raises(RefusedError, match=words):
        approvals.reject(bureau.engine, version, actor, reason="no")
    assert [("an", "submitted", f"{NAME} v1"), ("an", "refused", NAME)] == bureau.said()


def test_where_a_notice_stands(bureau: Bureau) -> None:
    """From a draft to its last day, and what its files say beside it."""

    def stands() -> str:
        return condition_of(bureau.engine, bureau.engine.job(NAME))

    assert "draft" == stands()
    bureau.submit()
    assert "submitted v1" == stands()
    bureau.approve()
    assert "approved v1" == stands()
    bureau.write(words=EDITED)
    assert "approved v1, changed since" == stands()
    bureau.submit()
    assert "approved v1, submitted v2" == stands()
    bureau.approve()
    bureau.wait(days=214)
    assert "expired v2" == stands()
    approvals.expire(bureau.engine, bureau.engine.today)
    assert "expired v2" == stands()


def test_two_names_under_one_account_may_be_one_person(bureau: Bureau) -> None:
    """Another account is wanted of the one who decides, unless any account will do."""
    version = bureau.submit()
    chi = Actor(name="chi", account=AN.account, office="central")
    with pytest.raises(RefusedError, match="handed in under the account an; decide under another"):
        approvals.approve(bureau.engine, version, chi)
    binh = Actor(name="binh", account=AN.account, office="central")
    assert "approved" == approvals.approve(bureau.engine, version, binh).state


def test_an_office_hands_in_its_own_only(bureau: Bureau) -> None:
    for actor in (CHI, Actor(name="x", account="x", office="79-hcm")):
        with pytest.raises(RefusedError, match=r"the notice is 01-hanoi's"):
            bureau.submit(actor)


def test_what_is_wrong_is_not_handed_in(bureau: Bureau) -> None:
    """A fault of the check, or something that is not granted, keeps it out."""
    bureau.write(words="{{ nothing_of_the_kind }}")
    with pytest.raises((RefusedError, ConfigError), match="nothing_of_the_kind"):
        bureau.submit()
    bureau.write(job=JOB.replace("gateway: trial", "gateway: dear"))
    with pytest.raises(RefusedError, match="'dear' chưa được cấp cho cơ quan này"):
        bureau.submit()
    assert [] == bureau.states()


def test_withdrawn_nothing_more_of_it_is_sent(bureau: Bureau) -> None:
    """Not by a new run, not by one that was planned, not by one that was paused by it."""
    bureau.approved()
    planned = bureau.plan()
    approvals.withdraw(bureau.engine, NAME, AN, reason="wrong words")
    with pytest.raises(RefusedError, match="is of 01-hanoi/dossier v1, which is withdrawn"):
        sender.send_run(bureau.engine, planned, sender.Watch())
    with pytest.raises(RefusedError, match="is not approved"):
        bureau.plan()
    with pytest.raises(UsageError, match="Nothing of 01-hanoi/dossier waits or is in force"):
        approvals.withdraw(bureau.engine, NAME, AN, reason="again")
    assert [] == bureau.outbox()


def test_a_run_under_way_is_paused_by_a_withdrawal(bureau: Bureau) -> None:
    bureau.approved()
    run = sender.release_run(bureau.engine, bureau.plan(), "test")
    approvals.withdraw(bureau.engine, NAME, BINH, reason="wrong words")
    with bureau.engine.store.read() as connection:
        paused = runs.get(connection, run.id)
    assert paused is not None
    assert ("paused", True) == (paused.state, "was withdrawn: wrong words" in paused.held_because)


def test_a_replaced_version_does_not_stop_what_was_planned(bureau: Bureau) -> None:
    """This is what was approved then."""
    bureau.approved()
    planned = bureau.plan()
    bureau.write(words=EDITED)
    bureau.approved()
    sender.send_run(bureau.engine, planned, sender.Watch())
    assert all("da xong." in line for line in bureau.outbox())


def test_after_its_last_day_it_is_not_sent(bureau: Bureau) -> None:
    bureau.approved()
    planned = bureau.plan()
    bureau.wait(days=214)
    with pytest.raises(RefusedError, match="was approved until 31/12/2019"):
        in_force(bureau.engine, NAME)
    with pytest.raises(RefusedError, match="which is expired"):
        sender.send_run(bureau.engine, planned, sender.Watch())
    assert NAME not in read_roster(bureau.engine).jobs
    approvals.expire(bureau.engine, bureau.engine.today)
    assert [(1, "expired")] == bureau.states()
    assert ("smsengine", "expired", f"{NAME} v1") == bureau.said()[-1]


def test_a_topic_has_one_owner_though_its_files_are_gone(bureau: Bureau) -> None:
    """Whoever waits or is in force keeps the topic."""
    bureau.approved()
    bureau.job.unlink()
    other = bureau.engine.settings.jobs / "provinces" / "79-hcm" / "mine.yaml"
    other.parent.mkdir()
    other.write_text(JOB + "template: x.j2\n")
    words = bureau.engine.settings.templates / "provinces" / "79-hcm" / "x.j2"
    words.parent.mkdir()
    words.write_text(WORDS)
    other.with_name("dossier-2019-06.csv").write_text(
        "ma_co_quan,ma,ten,dien_thoai\n079,B,C,0910000003\n"
    )
    with pytest.raises(RefusedError, match=r"The topic 'dossier' belongs to 01-hanoi"):
        approvals.submit(
            bureau.engine, "79-hcm/mine", Actor(name="x", account="x", office="79-hcm")
        )


def test_two_who_approve_at_once(bureau: Bureau) -> None:
    """One of them does; the other hears that it waits no more."""
    version = bureau.submit()
    told: list[str] = []

    def decide(actor: Actor) -> None:
        try:
            told.append(approvals.approve(bureau.engine, version, actor).state)
        except LifecycleError as error:
            told.append(str(error))

    threads = [threading.Thread(target=decide, args=(actor,)) for actor in (BINH, CHI)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ["01-hanoi/dossier v1 is approved; it cannot become approved.", "approved"] == sorted(
        told
    )


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE versions SET files = replace(files, 'xong', 'hong')",
        "UPDATE versions SET content_hash = 'x'",
    ],
)
def test_what_was_changed_in_the_ledger_is_not_sent(bureau: Bureau, sql: str) -> None:
    bureau.approved()
    change(bureau.engine, sql)
    with pytest.raises(StoreError, match="is not what was submitted"):
        in_force(bureau.engine, NAME)


def test_a_daily_quota(bureau: Bureau) -> None:
    """Six texts in a day are one too many; the next day they are not."""
    bureau.write(rows=[f"001,A{n},Ông,091000000{n}" for n in range(6)])
    bureau.approved()
    with pytest.raises(RefusedError, match="may plan 5 texts a day; it has 0 today"):
        bureau.plan()
    bureau.write(rows=[f"001,A{n},Ông,091000000{n}" for n in range(5)])
    assert 5 == bureau.plan().messages
    bureau.write(rows=[f"001,A{n},Ông,091000000{n}" for n in range(6)])
    with pytest.raises(RefusedError, match=r"has 5 today, and .* would add 1"):
        bureau.plan()
    bureau.wait(days=1)
    assert 1 == bureau.plan().messages


# -- people ----------------------------------------------------------------------------------------


def test_the_only_one_of_an_account_needs_no_name(bureau: Bureau) -> None:
    settings = bureau.engine.settings
    assert "binh" == acting(settings, "approve", named=None, account="root").name
    assert "an" == acting(settings, "submit", named="an", account="root").name


@pytest.mark.parametrize(
    ("may", "named", "error", "words"),
    [
        ("submit", None, UsageError, "Under the account root work an, binh; say who you are"),
        ("approve", "an", RefusedError, "an may not approve"),
        ("approve", "chi", UsageError, "lacks 'chi'; there are: an, binh"),
    ],
)
def test_who_cannot_be_meant(
    bureau: Bureau, may: str, named: str | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        acting(bureau.engine.settings, may, named=named, account="root")  # type: ignore[arg-type]


def test_a_daemon_hears_of_what_was_decided(bureau: Bureau) -> None:
    """Approved, replaced, taken back: each is news once, at the next look."""
    decided, engine = Decided(), bureau.engine
    decided.know(engine)
    for step in (bureau.submit, bureau.approve):
        step()
        bureau.clock.sleep(15)
    assert decided.since(engine)
    decided.know(engine)
    bureau.clock.sleep(15)
    assert not decided.since(engine)
    approvals.withdraw(engine, NAME, AN, reason="wrong words")
    assert not decided.since(engine)
    bureau.clock.sleep(15)
    assert decided.since(engine)
