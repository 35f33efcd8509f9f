"""Payers are told within one look, once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import SmsEngineError
from smsengine.service.bootstrap import Engine
from smsengine.service.confirming import Confirmer
from smsengine.service.paying import Paying
from smsengine.service.roster import read_roster
from smsengine.store import payments as stored
from tests.conftest import _CONFIG, execute
from tests.payers import PAID as ANY_PAID

ROOT = Path(__file__).parents[3]
CONFIG = f"""{_CONFIG}payments:
  organisations:
    AR0013M: {{name: UBND phường Điện Biên, office: "00101"}}
"""
PAID = replace(ANY_PAID, phone="+84912345678")
TEXTS = "SELECT subject, text, state FROM messages ORDER BY id"


@pytest.fixture
def engine(installation: Callable[..., Engine]) -> Engine:
    """The shipped notice to payers, through a gateway that writes a file."""
    made = installation(config=CONFIG)
    job = (ROOT / "jobs" / "payment-confirmation.yaml").read_text()
    (made.folder / "jobs" / "payment-confirmation.yaml").write_text(
        job.replace("gateway: simulated", "gateway: trial")
    )
    words = (ROOT / "templates" / "payment-confirmation.j2").read_text()
    (made.folder / "templates" / "payment-confirmation.j2").write_text(words)
    (made.folder / "jobs" / "c12-statement.yaml").unlink()
    return made


def look(engine: Engine, *, leads: bool = True) -> None:
    Confirmer(engine, read_roster(engine).jobs, leads=lambda: leads).look()


def told(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.store.read() as connection:
        return [tuple(row) for row in execute(connection, TEXTS)]


def queue(engine: Engine) -> list[int]:
    with engine.store.read() as connection:
        return list(stored.queued(connection))


def test_a_payer_is_told_all_six_facts_and_the_code(engine: Engine) -> None:
    """Released at once, ahead of every other run."""
    (recorded,) = Paying(engine).record([PAID], "lan")
    look(engine)
    ((subject, text, state),) = told(engine)
    assert (subject, state) == ("AR0013M/BL1/1", "queued")
    for fact in ("Tran Van An", "0123456789", "31/05/2019", "804.600 dong", "BHYT ho gia dinh"):
        assert fact in text
    assert "12 thang" in text
    assert recorded.code == "".join(text.rstrip(".").split()[-1].split("-"))
    with engine.store.read() as connection:
        run = execute(connection, "SELECT state, priority, period FROM runs").one()
    assert tuple(run) == ("released", 0, "2019-06-01")
    assert queue(engine) == []


def test_nobody_is_told_twice(engine: Engine) -> None:
    """Whoever died after planning left the queue as it was, and a day may have ended since."""
    paying = Paying(engine)
    paying.record([PAID], "lan")
    look(engine)
    with engine.store.write() as connection:
        execute(connection, "INSERT INTO payment_queue VALUES (1)")
    clock = engine.clock
    assert isinstance(clock, ManualClock)
    clock.sleep(86_400)
    look(engine)
    look(engine)
    assert len(told(engine)) == 1
    assert queue(engine) == []


def test_what_comes_later_is_told_in_another_run(engine: Engine) -> None:
    """Only the new ones."""
    paying = Paying(engine)
    for number in range(3):
        paying.record([replace(PAID, receipt=f"BL{number}")], "lan")
        look(engine)
    assert [subject for subject, _, _ in told(engine)] == [f"AR0013M/BL{n}/1" for n in range(3)]


def test_corrections_and_cancellations_name_the_earlier_code(engine: Engine) -> None:
    """Each with a text of its own."""
    paying = Paying(engine)
    (first,) = paying.record([PAID], "lan")
    second = paying.correct(replace(PAID, amount=900_000), reason="x", by="lan")
    paying.cancel("AR0013M", "BL1", reason="x", by="lan")
    look(engine)
    texts = ["".join(text.split("-")) for _, text, _ in told(engine)]
    assert f"Ma xac nhan {second.code}, thay ma {first.code}." in texts[1]
    assert f"ma xac nhan {second.code} da bi huy" in texts[2]


def test_a_payer_without_a_phone_still_has_a_code(engine: Engine) -> None:
    """It is a skip of its run, and leaves the queue."""
    (recorded,) = Paying(engine).record([replace(PAID, phone="")], "lan")
    look(engine)
    with engine.store.read() as connection:
        assert execute(connection, "SELECT reason FROM skips").scalar() == "no-phone"
    assert recorded.code
    assert queue(engine) == []


def test_only_the_machine_that_leads_tells(engine: Engine) -> None:
    """The others leave the queue alone."""
    Paying(engine).record([PAID], "lan")
    look(engine, leads=False)
    assert told(engine) == []
    assert queue(engine) == [1]


def test_a_notice_that_cannot_be_planned_keeps_its_payments(engine: Engine) -> None:
    """Once the template is mended they are told."""
    Paying(engine).record([PAID], "lan")
    jobs = read_roster(engine).jobs
    path = engine.folder / "templates" / "payment-confirmation.j2"
    words = path.read_text()
    path.write_text("{{ nothing }}")
    confirmer = Confirmer(engine, jobs, leads=lambda: True)
    with pytest.raises(Exception, match="nothing"):
        confirmer.look()
    assert queue(engine) == [1]
    path.write_text(words)
    confirmer.look()
    assert len(told(engine)) == 1


def test_payments_of_two_days_are_two_runs(engine: Engine) -> None:
    """The day is the one on which each was recorded, in Vietnam."""
    paying, clock = Paying(engine), engine.clock
    assert isinstance(clock, ManualClock)
    paying.record([PAID], "lan")
    clock.sleep(17 * 3600)
    paying.record([replace(PAID, receipt="BL2")], "lan")
    look(engine)
    with engine.store.read() as connection:
        periods = execute(connection, "SELECT period FROM runs ORDER BY id").scalars().all()
    assert periods == ["2019-06-01", "2019-06-02"]


def test_who_was_told_before_hears_of_a_correction_to_another_phone(engine: Engine) -> None:
    """Else whoever changes the phone with the amount hides it from the payer."""
    paying = Paying(engine)
    paying.record([PAID], "lan")
    look(engine)
    paying.correct(replace(PAID, amount=100_000, phone="+84987654321"), reason="x", by="lan")
    look(engine)
    with engine.store.read() as connection:
        rows = execute(connection, "SELECT address, subject FROM messages ORDER BY id").all()
    assert [tuple(row) for row in rows] == [
        ("+84912345678", "AR0013M/BL1/1"),
        ("+84987654321", "AR0013M/BL1/2"),
        ("+84912345678", "AR0013M/BL1/2/earlier"),
    ]


def test_a_broken_notice_keeps_the_others_from_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the payments behind those that it keeps in the queue."""
    monkeypatch.setattr("smsengine.service.confirming._AT_ONCE", 2)
    job = (engine.folder / "jobs" / "payment-confirmation.yaml").read_text()
    (engine.folder / "jobs" / "other.yaml").write_text(
        job.replace("topic: payment-confirmation", "topic: other")
    )
    (engine.folder / "templates" / "other.j2").write_text("{{ code }}")
    jobs = read_roster(engine).jobs
    (engine.folder / "templates" / "other.j2").write_text("{{ nothing }}")
    paying = Paying(engine)
    paying.record([replace(PAID, receipt=f"BL{number}") for number in range(5)], "lan")
    with pytest.raises(SmsEngineError, match="nothing"):
        Confirmer(engine, jobs, leads=lambda: True).look()
    assert len(told(engine)) == 5
    assert queue(engine) == [1, 2, 3, 4, 5]


def test_an_entry_that_cannot_be_opened_keeps_nobody_waiting(engine: Engine) -> None:
    """It is a skip; the others are told."""
    paying = Paying(engine)
    paying.record([PAID, replace(PAID, receipt="BL2")], "lan")
    with engine.store.write() as connection:
        execute(connection, "UPDATE payments SET sealed = ? WHERE id = 1", b"x" * 40)
    look(engine)
    assert [subject for subject, _, _ in told(engine)] == ["AR0013M/BL2/1"]
    assert queue(engine) == []
    assert paying.verify() == (0, 1)


@pytest.mark.parametrize(
    "change",
    ["insurance_tail = ?", "phone_tail = ?", "staff_hash = ?"],
)
def test_what_a_payment_is_found_by_is_proved(engine: Engine, change: str) -> None:
    """A hash that was put in place of another would open it to somebody else."""
    paying = Paying(engine)
    paying.record([PAID], "lan")
    assert paying.verify() == (1, None)
    with engine.store.write() as connection:
        execute(connection, f"UPDATE payments SET {change}", b"x" * 8)
    assert paying.verify() == (0, 1)


def test_a_code_of_before_is_the_same_organisation(engine: Engine) -> None:
    """What was recorded under it is known, corrected and cancelled under the new one."""
    (first,) = Paying(engine).record([PAID], "lan")
    config = engine.folder / "config.yaml"
    config.write_text(
        config.read_text().replace(
            'AR0013M: {name: UBND phường Điện Biên, office: "00101"}',
            '"3456789000TH0100070003": {name: UBND phường, office: "00101", also: [AR0013M]}',
        )
    )
    renamed = Engine(config, clock=engine.clock)
    renamed.__dict__["store"] = engine.store
    paying = Paying(renamed)
    moved = replace(PAID, organisation="3456789000TH0100070003")
    (again,) = paying.record([moved], "lan")
    assert (again.code, again.is_new) == (first.code, False)
    (other,) = paying.record([replace(moved, amount=1)], "lan")
    assert "what changed is a correction" in other.refused
    assert paying.cancel("3456789000TH0100070003", "BL1", reason="x", by="lan") == first.code
    assert paying.verify() == (2, None)


def test_a_second_job_tells_by_e_mail(engine: Engine) -> None:
    """The same payments under a topic of its own; nobody is told twice on one way."""
    config = engine.folder / "config.yaml"
    mail = """\
  mail:
    kind: email
    host: localhost
    sender: bhxh@example.vn
    subject: Xác nhận nộp tiền
    prices: [{from: 2019-01-01, per_segment: 0}]
payments:"""
    config.write_text(config.read_text().replace("payments:", mail, 1))
    job = (engine.folder / "jobs" / "payment-confirmation.yaml").read_text()
    (engine.folder / "jobs" / "by-mail.yaml").write_text(
        job.replace("topic: payment-confirmation", "topic: payment-confirmation-mail")
        .replace("phones: [phone]", "emails: [email]")
        .replace("gateway: trial", "gateway: mail")
    )
    words = (engine.folder / "templates" / "payment-confirmation.j2").read_text()
    (engine.folder / "templates" / "by-mail.j2").write_text(words)
    opened = Engine(config, clock=engine.clock)
    opened.__dict__["store"] = engine.store
    Paying(opened).record([replace(PAID, email="an@example.vn")], "lan")
    look(opened)
    look(opened)
    with engine.store.read() as connection:
        addresses = execute(connection, "SELECT address FROM messages ORDER BY address").scalars()
        assert list(addresses) == ["+84912345678", "an@example.vn"]
