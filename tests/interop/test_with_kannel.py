"""Kannel from Debian as our HTTP gateway, npm's smpp behind it, and receipts all the way back."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smsengine.errors import GatewayError
from smsengine.gateways.base import Gateway, Outbound, OutcomeKind, Receipt, ReceiptStatus, Scope
from smsengine.gateways.kannel import KIND, Options
from smsengine.text import gsm
from tests.doubles.site import site
from tests.doubles.smsc import Smsc
from tests.doubles.smsc_settings import Fault
from tests.flow.zygote import until
from tests.interop.listeners import Listener
from tests.interop.peers import Kannel, NodeSmsc

SHORT = "So tien da dong thang 05/2019 la 9.249.473.860 dong [1]"
LONG = (
    "Kinh gui Cong ty TNHH Hoya Glass Disk VN: so tien da dong thang 05/2019 la 9.249.473.860 dong;"
    " So tien con phai dong chuyen sang thang 06/2019 la -214.541.737 dong; So tien du tinh phai"
    " dong thang 06/2019 la 8.931.964.403. Chi tiet lien he BHXH TP Ha Noi"
)
ACCENTED = "Kính gửi quý công ty: số tiền đã đóng tháng 05/2019 là 9.249.473.860 đồng. " * 2
UNDER_WAY, DELIVERED, UNDELIVERED = (
    ReceiptStatus.IN_TRANSIT,
    ReceiptStatus.DELIVERED,
    ReceiptStatus.UNDELIVERED,
)
_NUMBERS = itertools.count(100)

Open = Callable[..., Gateway]


@pytest.fixture
def start(kannel: Kannel, listener: Listener, secrets: Path) -> Iterator[Open]:
    """Opens gateways in front of Kannel."""
    opened: list[Gateway] = []

    def make(**changes: Any) -> Gateway:
        given = {**kannel.options(listener.url, **changes)}
        del given["kind"]
        options = Options.model_validate(given, context={"folder": secrets})
        opened.append(KIND.open(options, site(secrets)))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def message(text: str, number: str = "") -> Outbound:
    """A message to a number that no other test has."""
    return Outbound(
        reference=f"reference{next(_NUMBERS):025d}",
        address=number or f"+84900{next(_NUMBERS):06d}",
        network="",
        text=text,
        segments=gsm.measure(text).segments,
    )


def cleared(_messages: Sequence[Outbound]) -> bool:
    return True


def digits(outbound: Outbound) -> str:
    return outbound.address.removeprefix("+")


def received(gateway: Gateway, listener: Listener, outbound: Outbound) -> list[Receipt]:
    """The receipts of a message so far."""
    assert all(gateway.verify_callback(each) for each in listener.callbacks)
    read = [receipt for each in listener.callbacks for receipt in gateway.parse_callback(each)[0]]
    return [each for each in read if each.reference == outbound.reference]


def fate(
    gateway: Gateway, listener: Listener, outbound: Outbound, count: int = 2
) -> Counter[ReceiptStatus]:
    """What so many receipts of a message say; Kannel sends them in any order."""
    until(lambda: len(received(gateway, listener, outbound)) >= count, "receipts", 20)
    return Counter(each.status for each in received(gateway, listener, outbound))


@pytest.mark.parametrize(
    ("text", "coding", "parts"), [(SHORT, 0, 1), (LONG, 0, 2), (ACCENTED, 8, 3)]
)
def test_a_text_arrives_whole_and_its_receipt_comes_back(
    start: Open,
    behind_kannel: NodeSmsc,
    listener: Listener,
    text: str,
    coding: int,
    parts: int,
) -> None:
    """One receipt for all parts: Kannel asks the SMSC about the first one only."""
    gateway, outbound = start(), message(text)
    (outcome,) = gateway.send([outbound], cleared)
    assert (OutcomeKind.ACCEPTED, "0") == (outcome.kind, outcome.code)
    assert {UNDER_WAY: 1, DELIVERED: 1} == fate(gateway, listener, outbound)
    assert [text] == behind_kannel.texts()[digits(outbound)]
    submits = [each for each in behind_kannel.ledger() if each["to"] == digits(outbound)]
    assert (parts, parts) == (outbound.segments, len(submits))
    assert {(coding, 1, 1, 5)} == {
        (each["coding"], each["ton"], each["npi"], each["from_ton"]) for each in submits
    }
    assert [17] + [0] * (parts - 1) == [each["registered"] for each in submits]


def test_a_raw_receipt_holds_no_text(start: Open, listener: Listener) -> None:
    gateway, outbound = start(), message(SHORT)
    gateway.send([outbound], cleared)
    fate(gateway, listener, outbound)
    found = received(gateway, listener, outbound)
    (last,) = (each for each in found if each.status is DELIVERED)
    assert "DELIVRD 000" == last.code
    assert "stat%3ADELIVRD" in last.raw
    assert "So+tien" not in last.raw


def test_a_refusal_of_the_smsc_comes_back(start: Open, listener: Listener) -> None:
    gateway, outbound = start(), message(SHORT, "+84900000013")
    (outcome,) = gateway.send([outbound], cleared)
    assert OutcomeKind.ACCEPTED is outcome.kind
    assert {UNDELIVERED: 1} == fate(gateway, listener, outbound, 1)
    assert received(gateway, listener, outbound)[0].code.startswith("NACK/")


def test_without_max_messages_kannel_cuts_and_says_accepted(
    start: Open, behind_kannel: NodeSmsc, listener: Listener
) -> None:
    """The trap, and what keeps us out of it: our own count of parts."""
    outbound = message(LONG)
    trapped = start(username="cut")
    assert OutcomeKind.ACCEPTED is trapped.send([outbound], cleared)[0].kind
    fate(trapped, listener, outbound)
    assert [LONG[:160]] == behind_kannel.texts()[digits(outbound)]

    wary, other = start(username="cut", max_messages=1), message(LONG)
    (refused,) = wary.send([other], cleared)
    assert (OutcomeKind.REJECTED, Scope.CONTENT) == (refused.kind, refused.scope)
    short = message(SHORT)
    wary.send([short], cleared)
    fate(wary, listener, short)
    assert digits(other) not in behind_kannel.texts()


def test_a_wrong_password_is_the_accounts_fault(start: Open, secrets: Path) -> None:
    (secrets / "kannel.password").write_text("wrong")
    (outcome,) = start().send([message(SHORT)], cleared)
    assert (OutcomeKind.REJECTED, Scope.ACCOUNT) == (outcome.kind, outcome.scope)
    assert "Authorization failed" in outcome.detail


def test_a_missing_sender_is_our_fault(start: Open) -> None:
    (outcome,) = start(sender="").send([message(SHORT)], cleared)
    assert (OutcomeKind.REJECTED, Scope.CALLER) == (outcome.kind, outcome.scope)


def test_check_sees_the_link(start: Open, secrets: Path) -> None:
    assert start().check().endswith("1 of 1 links are online")
    (secrets / "kannel.look").write_text("wrong")
    with pytest.raises(GatewayError, match="status_password"):
        start().check()


def test_an_outage_of_the_smsc_is_kannels_business(
    start: Open, kannel: Kannel, behind_kannel: NodeSmsc, listener: Listener
) -> None:
    """It takes the message and keeps it; what it kept arrives once when the link is back."""
    gateway, outbound = start(), message(SHORT)
    behind_kannel.stop()
    try:
        until(lambda: not kannel.is_online(), "the end of the link", 20)
        (outcome,) = gateway.send([outbound], cleared)
        with pytest.raises(GatewayError, match="has no link"):
            gateway.check()
    finally:
        behind_kannel.start()
    assert (OutcomeKind.ACCEPTED, "3") == (outcome.kind, outcome.code)
    assert {UNDER_WAY: 1, DELIVERED: 1} == fate(gateway, listener, outbound)
    assert [SHORT] == behind_kannel.texts()[digits(outbound)]
    until(kannel.is_online, "the link", 20)


def test_kannel_itself_sends_again_when_its_link_breaks(
    has_kannel: None, listener: Listener, secrets: Path
) -> None:
    """What the page on Kannel warns of: the hand-over was one, and the telco has it twice."""
    outbound = message(SHORT)
    with (
        Smsc(faults={Fault.ACCEPT_THEN_DROP: [1]}) as smsc,
        Kannel(secrets, smsc.port, wait_ack_expire="0") as kannel,
    ):
        given = {**kannel.options(listener.url)}
        del given["kind"]
        options = Options.model_validate(given, context={"folder": secrets})
        with closing(KIND.open(options, site(secrets))) as gateway:
            assert OutcomeKind.ACCEPTED is gateway.send([outbound], cleared)[0].kind
            until(lambda: len(smsc.ledger()) > 1, "the second one", 20)
        assert {digits(outbound): [SHORT, SHORT]} == smsc.texts()
