"""What is bad on purpose is refused in a sentence, and the audit keeps it: at each of its doors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from smsengine.config.files import Files, Role
from smsengine.errors import ConfigError, RefusedError, SmsEngineError, StoreError
from smsengine.period import Period
from smsengine.service import approvals, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import look_at
from smsengine.service.in_force import in_force
from smsengine.service.logs import Event
from smsengine.service.people import Actor
from smsengine.service.roster import read_roster
from smsengine.service.trials import try_out
from smsengine.store import audit
from tests.unit.service.bureau import AN, BINH, CONFIG, JOB, JUNE, NAME, WORDS, Bureau
from tests.unit.service.desk import Desk
from tests.unit.service.machine import begun, change

ENGLISH = CONFIG.replace("daily: 5", "daily: 5, language: en")
SQL = "sql, url: 'sqlite:///x.db', query: select 1"
EXTRACT = 'csv, path: "dossier-{period}.csv"'
RIVAL = "79-hcm/theirs"
HOA = Actor(name="hoa", account="hoa", office="79-hcm")


@dataclass(frozen=True, kw_only=True)
class Bad:
    """Files as they should not be, and what is said of them; ``at_run`` where that is other."""

    sentence: str
    at_run: str = ""
    words: str = WORDS
    job: str = JOB
    link: Literal["", "job", "template", "extract"] = ""


def _template(words: str, sentence: str) -> Bad:
    return Bad(words=f"BHXH\n{words}", sentence=sentence)


SMALL = "' is not allowed in a message template"
BAD = {
    "loop": _template("{% for i in range(999999999) %}x{% endfor %}", f"'for{SMALL}"),
    "doubled": _template("{{ 'x' * 999999999 }}", f"'mul{SMALL}"),
    "power": _template("{{ 9 ** 9 ** 9 }}", f"'pow{SMALL}"),
    "giant": _template("x" * 200_000, "is longer than 10000 characters"),
    "deep": _template("{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}", "is nested too deeply"),
    "attribute": _template("{{ name.__class__ }}", "there is no attribute '__class__'"),
    "attr": _template("{{ name | attr('__class__') }}", "there is no filter 'attr'"),
    "macro": _template("{% macro m() %}x{% endmacro %}", f"'macro{SMALL}"),
    "include": _template("{% include '../../config.yaml' %}", f"'include{SMALL}"),
    "outside": Bad(
        job=f"{JOB}template: ../../../config.yaml\n", sentence="template: must stay inside"
    ),
    "sql": Bad(job=JOB.replace(EXTRACT, SQL), sentence="reads files, and no database"),
    "dots": Bad(
        job=JOB.replace("dossier-{period}.csv", "../79-hcm/{period}.csv"),
        sentence="'../79-hcm/{period}.csv' leaves the office's folder",
    ),
    "linked-extract": Bad(link="extract", sentence="'dossier-2019-06.csv' leaves the folder"),
    "topic": Bad(
        job=JOB.replace("topic: dossier", "topic: theirs"),
        sentence="topic: is 'theirs', which belongs to 79-hcm",
        at_run=f"{NAME} v1 is about 'theirs', of which 79-hcm has a notice in force",
    ),
    "topic-of-the-centre": Bad(
        job=JOB.replace("topic: dossier", "topic: c12-statement"),
        sentence="topic: is 'c12-statement', which belongs to central",
    ),
    "owner": Bad(job=f"{JOB}owner: central\n", sentence="owner: cannot be claimed"),
}
#: What runs are the bytes that were approved: a link in their place is not followed.
LINKED = {
    f"linked-{what}": Bad(link=what, sentence="is a link, or lies behind one")
    for what in ("job", "template")
}


@pytest.fixture
def bureau(installation: Callable[..., Engine], database: str) -> Bureau:
    made = Bureau(begun(installation(config=ENGLISH.format(database=database))))
    made.write()
    _add_rival(made)
    return made


def _add_rival(bureau: Bureau) -> None:
    """Another office with a notice on a topic of its own, in force."""
    settings = bureau.engine.settings
    job = settings.jobs / "provinces" / f"{RIVAL}.yaml"
    words = settings.templates / "provinces" / f"{RIVAL}.j2"
    for path, text in ((job, JOB.replace("topic: dossier", "topic: theirs")), (words, WORDS)):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    extract = job.with_name("dossier-2019-06.csv")
    extract.write_text("ma_co_quan,ma,ten,dien_thoai\n079,B1,Ông X,0910000003\n", encoding="utf-8")
    approvals.submit(bureau.engine, RIVAL, HOA)
    approvals.approve(bureau.engine, approvals.waiting(bureau.engine, RIVAL), BINH)


def _put(bureau: Bureau, bad: Bad) -> None:
    """The files of the notice become what they should not be."""
    bureau.write(job=bad.job, words=bad.words)
    extract = bureau.job.with_name("dossier-2019-06.csv")
    linked = {"job": bureau.job, "template": bureau.template, "extract": extract}
    if bad.link:
        _link(linked[bad.link], bureau.engine.folder)


def _link(path: Path, elsewhere: Path) -> None:
    real = elsewhere / f"real-{path.name}"
    path.rename(real)
    path.symlink_to(real)


def _slip(bureau: Bureau, bad: Bad) -> None:
    """What was approved is something else by now, with a hash that fits."""
    bureau.approved()
    _put(bureau, bad)
    files = {Role.JOB: bad.job, Role.TEMPLATE: bad.words}
    topic = "theirs" if "topic: theirs" in bad.job else "dossier"
    set_them = "UPDATE versions SET files = ?, content_hash = ?, topic = ? WHERE job = ?"
    change(bureau.engine, set_them, json.dumps(files), Files(files).content_hash, topic, NAME)


def refusals(bureau: Bureau, name: str = NAME) -> list[str]:
    """What the audit says was refused of the notice."""
    with bureau.engine.store.read() as connection:
        assert audit.verify(connection)[2] is None
        found = audit.newest(connection, subject=name)
    return [row["detail"] for row in found if row["what"] == "refused"]


def heard(bureau: Bureau, bad: Bad, said: str, *, at_run: bool = False) -> bool:
    """Say whether it was told and stands in the audit, as a line of its own and once."""
    sentence = (at_run and bad.at_run) or bad.sentence
    lines = [line for line in said.splitlines() if sentence in line]
    kept = [line for line in refusals(bureau) if sentence in line]
    return bool(lines) and 1 == len(kept) and "\n" not in kept[0]


cases = pytest.mark.parametrize("bad", [*BAD.values(), *LINKED.values()], ids=[*BAD, *LINKED])
slipped = pytest.mark.parametrize("bad", BAD.values(), ids=BAD)


@cases
def test_at_the_check(bureau: Bureau, bad: Bad) -> None:
    """Whoever checks; twice, and the audit says it once."""
    _put(bureau, bad)
    for _ in range(2):
        checked = look_at(bureau.engine, bureau.engine.catalogue(), bureau.job, AN)
        assert heard(bureau, bad, "\n".join(checked.faults))


@cases
def test_at_the_trial(bureau: Bureau, bad: Bad) -> None:
    """Before the gateway is asked."""
    _put(bureau, bad)
    with pytest.raises(RefusedError) as told:
        list(try_out(bureau.engine, NAME, to=None, actor=AN))
    assert heard(bureau, bad, str(told.value))
    assert [] == bureau.outbox()


@cases
def test_when_it_is_handed_in(bureau: Bureau, bad: Bad) -> None:
    _put(bureau, bad)
    with pytest.raises(RefusedError) as told:
        bureau.submit()
    assert heard(bureau, bad, str(told.value))
    assert [] == bureau.states()


@slipped
def test_when_it_is_sent(bureau: Bureau, bad: Bad) -> None:
    """Somebody changed what was approved, behind everybody's back."""
    _slip(bureau, bad)
    with pytest.raises(SmsEngineError) as told:
        bureau.send()
    assert isinstance(told.value, ConfigError | RefusedError)
    assert heard(bureau, bad, str(told.value), at_run=True)
    assert [] == bureau.outbox()


@slipped
def test_when_its_time_comes(bureau: Bureau, bad: Bad) -> None:
    """The daemon does not offer it, or cannot plan it; either way it says why."""
    _slip(bureau, bad)
    desk = Desk(bureau.engine)
    desk.watch(job=NAME)
    extract = bureau.job.with_name("dossier-2019-06.csv")
    desk.touch(extract, age=timedelta(days=-8))
    desk.look(after=timedelta(days=10))
    desk.look(after=timedelta(minutes=2), times=3)
    waits = [facts["because"] for event, facts in desk.told if event is Event.RUN_WAITS]
    broken = read_roster(bureau.engine).broken.get(NAME, "")
    assert heard(bureau, bad, "\n".join([*waits, broken]), at_run=True)
    assert [] == desk.runs()


@pytest.mark.parametrize("bad", LINKED.values(), ids=LINKED)
def test_a_link_in_the_place_of_what_was_approved(bureau: Bureau, bad: Bad) -> None:
    """It is not followed: what runs is what was approved."""
    bureau.approved()
    _put(bureau, bad)
    assert 2 == len(bureau.send())


@cases
def test_what_was_never_approved_is_not_looked_into(bureau: Bureau, bad: Bad) -> None:
    """To send it is refused before anything of it is read."""
    _put(bureau, bad)
    with pytest.raises(RefusedError, match="is not approved"):
        bureau.send()
    assert [True] == ["is not approved" in each for each in refusals(bureau)]


def test_another_topic_than_the_one_that_was_approved(bureau: Bureau) -> None:
    """The ledger's own column still says which it was."""
    _slip(bureau, BAD["topic"])
    change(bureau.engine, "UPDATE versions SET topic = 'dossier' WHERE job = ?", NAME)
    with pytest.raises(RefusedError, match="v1 was approved about 'dossier', and says 'theirs'"):
        bureau.plan()
    assert 1 == len(refusals(bureau))


def test_bytes_that_do_not_fit_their_hash(bureau: Bureau) -> None:
    bureau.approved()
    change(bureau.engine, "UPDATE versions SET content_hash = 'x' WHERE job = ?", NAME)
    with pytest.raises(StoreError, match="is not what was submitted"):
        bureau.plan()
    assert [f"What the ledger keeps of {NAME} v1 is not what was submitted."] == refusals(bureau)


def test_a_topic_whose_files_are_gone_is_still_taken(bureau: Bureau) -> None:
    """The ledger refuses it where the disk would not; the audit hears of it all the same."""
    for kind in (bureau.engine.settings.jobs, bureau.engine.settings.templates):
        for path in (kind / "provinces" / "79-hcm").iterdir():
            path.unlink()
    bureau.write(job=BAD["topic"].job)
    with pytest.raises(RefusedError, match="The topic 'theirs' belongs to 79-hcm"):
        bureau.submit()
    assert ["The topic 'theirs' belongs to 79-hcm; name your own."] == refusals(bureau)


# -- an office that a merger abolished -------------------------------------------------------------

MERGED = "Since 01/07/2025 27 Bắc Ninh is part of 24 Bắc Ninh."
OLD = "27-bac-ninh/dossier"
OLD_JOB = JOB.replace("2019-12-31", "2026-12-31").replace('office: "001"', 'office: "027"')
TAM = Actor(name="tam", account="tam", office="27-bac-ninh")


@pytest.fixture
def old_office(installation: Callable[..., Engine], database: str) -> Bureau:
    """An office on 15 June 2025, sixteen days before its province becomes part of another."""
    config = ENGLISH.replace("01-hanoi:", "27-bac-ninh:", 1)
    made = Bureau(begun(installation(config=config.format(database=database))))
    made.wait(days=2206)
    settings = made.engine.settings
    job = settings.jobs / "provinces" / f"{OLD}.yaml"
    words = settings.templates / "provinces" / f"{OLD}.j2"
    for path, text in ((job, OLD_JOB), (words, WORDS)):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    extract = job.with_name("dossier-2025-06.csv")
    extract.write_text("ma_co_quan,ma,ten,dien_thoai\n027,B1,Ông X,0910000003\n", encoding="utf-8")
    return made


def test_an_abolished_office_at_the_check(old_office: Bureau) -> None:
    """The last day is the last of June."""
    engine = old_office.engine
    path = engine.catalogue().path_of(OLD)
    for days, faults in ((15, []), (1, [True])):
        old_office.wait(days=days)
        checked = look_at(engine, engine.catalogue(), path, TAM)
        assert faults == [MERGED in each for each in checked.faults]
        assert faults == [MERGED in each for each in refusals(old_office, OLD)]


def test_an_abolished_office_hands_nothing_in(old_office: Bureau) -> None:
    old_office.wait(days=30)
    with pytest.raises(RefusedError, match=MERGED):
        approvals.submit(old_office.engine, OLD, TAM)
    assert [True] == [MERGED in each for each in refusals(old_office, OLD)]


def test_what_an_abolished_office_had_in_force_is_not_sent(old_office: Bureau) -> None:
    """It was good when it was approved."""
    engine = old_office.engine
    approvals.submit(engine, OLD, TAM)
    approvals.approve(engine, approvals.waiting(engine, OLD), BINH)
    assert OLD in read_roster(engine).jobs
    old_office.wait(days=30)
    with pytest.raises(ConfigError, match=MERGED):
        sender.plan(
            engine, sender.Request(loaded=in_force(engine, OLD), period=JUNE), sender.Watch()
        )
    assert MERGED in read_roster(engine).broken[OLD]
    assert [True] == [MERGED in each for each in refusals(old_office, OLD)]


def test_what_was_read_before_the_merger_is_not_planned_after_it(old_office: Bureau) -> None:
    """A daemon that has run for long has read its jobs long ago."""
    engine = old_office.engine
    approvals.submit(engine, OLD, TAM)
    approvals.approve(engine, approvals.waiting(engine, OLD), BINH)
    request = sender.Request(loaded=in_force(engine, OLD), period=Period.parse("2025-06"))
    old_office.wait(days=30)
    with pytest.raises(RefusedError, match=f"{OLD} v1: {MERGED}"):
        sender.plan(engine, request, sender.Watch())
    assert [True] == [MERGED in each for each in refusals(old_office, OLD)]
