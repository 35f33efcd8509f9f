"""Our SMPP gateway with npm's smpp as the SMSC."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsengine.gateways.base import OutcomeKind, Scope
from tests.interop.peers import NodeSmsc
from tests.interop.smpp_gateways import (
    ACCENTED,
    LONG,
    SHORT,
    Ours,
    delivered,
    message,
    messages,
    names,
    told,
)

pytestmark = pytest.mark.usefixtures("has_node")


@pytest.mark.parametrize(
    ("text", "parts", "coding"), [(SHORT, 1, 0), (LONG, 2, 0), (ACCENTED, 3, 8)]
)
@pytest.mark.parametrize("receipts", ["text", "tlv", "early", "twice"])
def test_each_part_arrives_and_is_reported(
    tmp_path: Path, text: str, parts: int, coding: int, receipts: str
) -> None:
    batch = messages(3, text)
    with NodeSmsc(receipts=receipts) as smsc, Ours(tmp_path, smsc.port) as ours:
        outcomes = ours.accepted(batch)
        found = ours.reported(3 * parts * (2 if receipts == "twice" else 1))
        assert told(batch) == smsc.texts()
        taken = smsc.ledger()
    assert {OutcomeKind.ACCEPTED} == {each.kind for each in outcomes}
    assert 3 * parts == len(set(names(outcomes)))
    assert set(names(outcomes)) <= delivered(found)
    assert {(coding, 1, 1, 5)} == {
        (each["coding"], each["ton"], each["npi"], each["from_ton"]) for each in taken
    }
    assert all(each["registered"] & 1 for each in taken)


@pytest.mark.parametrize("bind", ["transceiver", "pair"])
@pytest.mark.parametrize("binds", [1, 3])
def test_every_kind_of_bind_is_taken(tmp_path: Path, bind: str, binds: int) -> None:
    batch = messages(60)
    with (
        NodeSmsc(latency_ms=10) as smsc,
        Ours(tmp_path, smsc.port, bind=bind, binds=binds) as ours,
    ):
        outcomes = ours.accepted(batch)
        found = ours.reported(60)
        assert told(batch) == smsc.texts()
    assert set(names(outcomes)) <= delivered(found)


def test_payload_and_sar_are_understood(tmp_path: Path) -> None:
    """Two other ways to carry a long text, where an SMSC wants them."""
    with NodeSmsc() as smsc:
        for way in ("payload", "sar"):
            with Ours(tmp_path, smsc.port, long_messages=way) as ours:
                ours.reported(len(names(ours.accepted([message(LONG)]))))
        texts = [each["text"] for each in smsc.ledger()]
    assert (LONG, LONG) == (texts[0], "".join(texts[1:]))


def test_a_refused_number_is_the_recipients_fault(tmp_path: Path) -> None:
    batch = messages(3)
    refused = batch[1].address.removeprefix("+")
    with NodeSmsc(refused=[refused]) as smsc, Ours(tmp_path, smsc.port) as ours:
        outcomes = ours.accepted(batch)
        assert told([batch[0], batch[2]]) == smsc.texts()
    assert (OutcomeKind.REJECTED, Scope.RECIPIENT) == (outcomes[1].kind, outcomes[1].scope)


def test_a_wrong_password_is_no_lost_message(tmp_path: Path) -> None:
    with NodeSmsc(password="other") as smsc, Ours(tmp_path, smsc.port) as ours:
        (outcome,) = ours.send([message()])
        assert [] == smsc.ledger()
    assert outcome.kind in (OutcomeKind.TRANSIENT, OutcomeKind.REJECTED)
    assert outcome.scope in (None, Scope.ACCOUNT)
