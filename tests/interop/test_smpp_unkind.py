"""Our SMPP gateway with an SMSC that is unkind in every way: the ledger of the SMSC decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsengine.gateways.base import HELD_BACK, OutcomeKind, ReceiptStatus
from tests.doubles.smsc import Smsc
from tests.doubles.smsc_settings import Fault, Form, Ids, Receipts
from tests.flow.zygote import until
from tests.interop.smpp_gateways import (
    ACCENTED,
    LONG,
    Ours,
    delivered,
    message,
    messages,
    names,
    told,
)

ACCEPTED, UNKNOWN = OutcomeKind.ACCEPTED, OutcomeKind.UNKNOWN


# -- receipts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("text", [LONG, ACCENTED])
def test_every_form_of_receipt_is_read(tmp_path: Path, form: Form, text: str) -> None:
    batch = messages(2, text)
    with Smsc(form=form) as smsc, Ours(tmp_path, smsc.port) as ours:
        outcomes = ours.accepted(batch)
        found = ours.reported(sum(each.segments for each in batch))
        assert told(batch) == smsc.texts()
    assert set(names(outcomes)) <= delivered(found)


@pytest.mark.parametrize(
    ("ids", "receipt_ids"),
    [
        (Ids.DECIMAL, Ids.HEX),
        (Ids.HEX, Ids.DECIMAL),
        (Ids.HEX, Ids.PADDED_HEX),
        (Ids.PADDED_HEX, Ids.PADDED),
        (Ids.DECIMAL, Ids.PADDED),
    ],
)
def test_ids_meet_in_whatever_spelling(tmp_path: Path, ids: Ids, receipt_ids: Ids) -> None:
    """The gateway finds out by itself."""
    batch = messages(20)
    with (
        Smsc(ids=ids, receipt_ids=receipt_ids) as smsc,
        Ours(tmp_path, smsc.port, ids="auto") as ours,
    ):
        outcomes = ours.accepted(batch)
        found = ours.reported(20)
    assert set(names(outcomes)) <= delivered(found)


@pytest.mark.parametrize("mode", [Receipts.EARLY, Receipts.TWICE, Receipts.REORDERED])
def test_receipts_may_come_at_any_time(tmp_path: Path, mode: Receipts) -> None:
    batch = messages(6)
    with (
        Smsc(receipts=mode, in_transit=True, latency_ms=20) as smsc,
        Ours(tmp_path, smsc.port) as ours,
    ):
        outcomes = ours.accepted(batch)
        found = ours.reported(12 if mode is not Receipts.TWICE else 24)
        assert ReceiptStatus.IN_TRANSIT in {each.status for each in found}
    assert set(names(outcomes)) <= delivered(found)


def test_a_receipt_is_acknowledged_only_when_it_is_stored(tmp_path: Path) -> None:
    """What dies before that gets it again."""
    with Smsc() as smsc:
        with Ours(tmp_path, smsc.port) as ours:
            ours.accepted([message()])
            until(ours.gateway.receipts, "a receipt", 10)
            assert 0 == smsc.counts()["receipts acknowledged"]
        with Ours(tmp_path, smsc.port) as ours:
            ours.reported(1)
            until(lambda: smsc.counts()["receipts acknowledged"] == 1, "the answer", 10)


# -- the window and the pace -----------------------------------------------------------------------


@pytest.mark.parametrize("binds", [1, 2])
def test_the_window_is_never_exceeded(tmp_path: Path, binds: int) -> None:
    batch = messages(100)
    with (
        Smsc(window=5, latency_ms=10) as smsc,
        Ours(tmp_path, smsc.port, outstanding=5, binds=binds) as ours,
    ):
        assert {ACCEPTED: 100} == ours.kinds(batch)
        assert told(batch) == smsc.texts()
        assert (5, 0) == (smsc.centre.most_unanswered, smsc.counts()["over the window"])


def test_a_narrower_window_at_the_other_side_throttles(tmp_path: Path) -> None:
    """What is throttled was surely not taken, and is handed over again."""
    batch = messages(40)
    with Smsc(window=3, latency_ms=10) as smsc, Ours(tmp_path, smsc.port) as ours:
        outcomes = ours.accepted(batch)
        assert {ACCEPTED} == {each.kind for each in outcomes}
        assert told(batch) == smsc.texts()
        assert smsc.counts()["over the window"] > 0


def test_a_full_queue_is_no_refusal(tmp_path: Path) -> None:
    batch = messages(40)
    with (
        Smsc(faults={Fault.QUEUE_FULL: range(5, 25)}) as smsc,
        Ours(tmp_path, smsc.port) as ours,
    ):
        kinds = ours.kinds(batch)
        assert {ACCEPTED, OutcomeKind.THROTTLED} == set(kinds)
        assert 20 == kinds[OutcomeKind.THROTTLED] == 40 - len(smsc.ledger())


def test_what_is_not_cleared_is_not_written(tmp_path: Path) -> None:
    with Smsc() as smsc, Ours(tmp_path, smsc.port) as ours:
        ours.accepted([message()])
        assert [HELD_BACK] * 3 == list(ours.gateway.send(messages(3), lambda _: False))
        assert 1 == len(smsc.ledger())


# -- what breaks -----------------------------------------------------------------------------------

BROKEN = [
    each
    for each in Fault
    if each not in (Fault.QUEUE_FULL, Fault.THROTTLE, Fault.SYSTEM_ERROR, Fault.BAD_NUMBER)
]


@pytest.mark.parametrize("fault", BROKEN)
def test_a_doubt_is_never_an_answer(tmp_path: Path, fault: Fault) -> None:
    """In the middle of a window something breaks: each answer is true, and the lane goes on."""
    batch = messages(30)
    with (
        Smsc(faults={fault: [12]}, latency_ms=20) as smsc,
        Ours(tmp_path, smsc.port, respond_seconds=0.4, enquire_seconds=0.2) as ours,
    ):
        outcomes = ours.accepted(batch)
        numbers = smsc.texts().keys()
        again = messages(5)
        assert {ACCEPTED} == {each.kind for each in ours.accepted(again)}
        assert all(len(texts) == 1 for texts in smsc.texts().values())
    said = dict(zip((each.address.removeprefix("+") for each in batch), outcomes, strict=True))
    assert {ACCEPTED, UNKNOWN} == {each.kind for each in outcomes}
    assert {to for to, each in said.items() if each.kind is ACCEPTED} <= numbers
    assert 1 <= sum(each.kind is UNKNOWN for each in outcomes) <= 10


def test_a_long_text_that_breaks_in_the_middle_is_in_doubt(tmp_path: Path) -> None:
    """Its first part was taken and its second one refused: it is not said to be whole or gone."""
    batch = [message(LONG)]
    with Smsc(faults={Fault.BAD_NUMBER: [2]}) as smsc, Ours(tmp_path, smsc.port) as ours:
        (outcome,) = ours.send(batch)
        assert {batch[0].address.removeprefix("+")} == smsc.halves()
    assert outcome.kind not in (ACCEPTED, OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED)


def test_an_smsc_that_is_away_has_taken_nothing(tmp_path: Path) -> None:
    """And it is found again."""
    with Smsc() as smsc, Ours(tmp_path, smsc.port) as ours:
        ours.accepted([message()])
        smsc.stop()
        until(
            lambda: {OutcomeKind.TRANSIENT: 1} == ours.kinds([message()]), "the end of the link", 10
        )
        smsc.start()
        batch = messages(5)
        assert {ACCEPTED} == {each.kind for each in ours.accepted(batch)}
        assert told(batch).items() <= smsc.texts().items()


def test_a_mute_smsc_is_left_and_found_again(tmp_path: Path) -> None:
    """It takes the connection, and answers neither enquiries nor anything else."""
    with (
        Smsc() as smsc,
        Ours(tmp_path, smsc.port, respond_seconds=0.3, enquire_seconds=0.2) as ours,
    ):
        ours.accepted([message()])
        smsc.control(answers_enquiries=False)
        until(lambda: smsc.counts()["bind_transceiver"] > 1, "a new connection", 10)
        smsc.control(answers_enquiries=True)
        assert {ACCEPTED} == {each.kind for each in ours.accepted(messages(3))}


def test_a_bind_that_is_never_answered_holds_nobody_up(tmp_path: Path) -> None:
    with Smsc(bind_status=None) as smsc, Ours(tmp_path, smsc.port, connect_seconds=0.3) as ours:
        assert {OutcomeKind.TRANSIENT: 2} == ours.kinds(messages(2))
        assert [] == smsc.ledger()
