"""The adapter for SMPP against an unkind SMSC: what is said of a message is what became of it."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smsengine.config.secret import Secret
from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    HELD_BACK,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from smsengine.gateways.smpp import KIND, Options
from smsengine.gateways.smpp.gateway import SmppGateway
from tests.doubles.site import site
from tests.doubles.smpp_wire import Status
from tests.doubles.smsc import HOST, Smsc
from tests.doubles.smsc_settings import DOUBTFUL, Fault, Form, Ids, Receipts
from tests.flow.zygote import until

SHORT = "So tien da dong"
LONG = "Tong so tien de nghi: 11.967.526.000 dong, " * 5
SURELY_NOT = {OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED, OutcomeKind.REJECTED}


def options(port: int, **changes: Any) -> Options:
    """Quick to give up, so that a test is."""
    given = {
        "host": HOST,
        "port": port,
        "system_id": "smsengine",
        "password": Secret("secret08"),
        "source": "BHXHVN",
        "connect_seconds": 3,
        "respond_seconds": 0.3,
        "reconnect_seconds": 0.02,
    }
    return Options.model_validate(given | changes)


@contextmanager
def opened(port: int, **changes: Any) -> Iterator[SmppGateway]:
    """A gateway that is closed in the end."""
    gateway = KIND.open(options(port, **changes), site(Path()))
    assert isinstance(gateway, SmppGateway)
    with closing(gateway):
        yield gateway


def messages(count: int, text: str = SHORT, first: int = 0) -> list[Outbound]:
    """So many messages, each to a number of its own."""
    return [
        Outbound(f"r{number}", f"+8490{number:07d}", "Viettel", text, 1)
        for number in range(first, first + count)
    ]


def cleared(_messages: Sequence[Outbound]) -> bool:
    """Everything may leave."""
    return True


def kinds(outcomes: Sequence[Outcome]) -> Counter[OutcomeKind]:
    """How many outcomes of each kind."""
    return Counter(each.kind for each in outcomes)


def received(gateway: SmppGateway, come: threading.Event, count: int) -> list[Receipt]:
    """So many receipts, told to be stored as they come."""
    found: list[Receipt] = []
    while len(found) < count:
        assert come.wait(10), f"only {len(found)} receipts came"
        come.clear()
        new = gateway.receipts()
        gateway.stored(new)
        found += new
    return found


def wait_for(smsc: Smsc, what: str, count: int) -> None:
    """Wait until an SMSC has counted so many."""
    until(lambda: smsc.counts()[what] >= count, what, 10)


# -- handing over ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["udh", "payload", "sar"])
@pytest.mark.parametrize(
    "text", [SHORT, LONG, "Số tiền đã đóng tháng 5 là " * 6, "So tien [1] {2} la 5€ ^~|\\" * 8]
)
def test_a_text_arrives_as_it_was(text: str, way: str) -> None:
    """In whatever alphabet and however its parts are tied together, once for each number."""
    with Smsc() as smsc, opened(smsc.port, long_messages=way) as gateway:
        outcomes = gateway.send(messages(2, text), cleared)
        assert {OutcomeKind.ACCEPTED: 2} == kinds(outcomes)
        assert {"84900000000": [text], "84900000001": [text]} == smsc.texts()


def test_parts_have_names_and_the_first_is_the_message_s() -> None:
    """Each part gets a receipt of its own, under its own name."""
    with Smsc() as smsc, opened(smsc.port) as gateway:
        (outcome,) = gateway.send(messages(1, LONG), cleared)
        assert (outcome.gateway_id, len(outcome.part_ids)) == (outcome.part_ids[0], 2)
        assert 2 == len(smsc.ledger())


@pytest.mark.parametrize("bind", ["transceiver", "pair"])
def test_no_bind_ever_has_more_under_way_than_its_places(bind: str) -> None:
    """Three crews hand over at once; the contract's window holds on each bind."""
    with (
        Smsc(window=7, latency_ms=1, receipts=Receipts.NEVER) as smsc,
        opened(smsc.port, outstanding=7, binds=2, bind=bind) as gateway,
        ThreadPoolExecutor(3) as crews,
    ):
        batches = [messages(150, LONG if n == 1 else SHORT, first=1000 * n) for n in range(3)]
        found = list(crews.map(lambda batch: kinds(gateway.send(batch, cleared)), batches))
        assert [{OutcomeKind.ACCEPTED: 150}] * 3 == found
        assert 0 == smsc.counts()["over the window"]
        assert 600 == len(smsc.ledger())
        assert 7 == smsc.centre.most_unanswered


def test_a_text_of_more_parts_than_there_are_places_arrives() -> None:
    """Its later parts wait for places like everything else."""
    with Smsc(window=2, latency_ms=1) as smsc, opened(smsc.port, outstanding=2) as gateway:
        outcomes = gateway.send(messages(3, LONG * 3), cleared)
        assert {OutcomeKind.ACCEPTED: 3} == kinds(outcomes)
        assert [[LONG * 3]] * 3 == list(smsc.texts().values())
        assert 0 == smsc.counts()["over the window"]


def test_what_is_not_cleared_is_not_written() -> None:
    """And its places go to the others."""
    with Smsc() as smsc, opened(smsc.port, outstanding=4) as gateway:
        held = {"r0", "r1", "r2", "r3"}
        outcomes = gateway.send(
            messages(12), lambda leaving: not held & {each.reference for each in leaving}
        )
        assert [HELD_BACK] * 4 == outcomes[:4]
        assert {OutcomeKind.ACCEPTED: 8} == kinds(outcomes[4:])
        assert 8 == len(smsc.ledger())


def test_clearance_is_asked_on_the_thread_that_hands_over() -> None:
    """It may block for the pace; receipts and other crews must not wait for it."""
    asked = []
    with Smsc() as smsc, opened(smsc.port) as gateway:
        gateway.send(messages(30), lambda _leaving: not asked.append(threading.get_ident()))
    assert {threading.get_ident()} == set(asked)


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["one part", "two parts"])
@pytest.mark.parametrize("fault", Fault)
def test_whatever_the_smsc_does_no_word_on_a_message_is_wrong(fault: Fault, text: str) -> None:
    """Accepted is there once, whole; what may be sent again is surely not there, not even a part.

    The rest is in doubt, and the lane goes on.
    """
    with (
        Smsc(latency_ms=1, receipts=Receipts.NEVER, faults={fault: [3, 40]}) as smsc,
        opened(smsc.port, outstanding=10) as gateway,
    ):
        batch = messages(60, text)
        outcomes = gateway.send(batch, cleared)
        there = Counter(each.to for each in smsc.ledger())
        parts = 1 if text == SHORT else 2
        for message, outcome in zip(batch, outcomes, strict=True):
            number = message.address[1:]
            if outcome.kind is OutcomeKind.ACCEPTED:
                assert parts == there[number]
            elif outcome.kind in SURELY_NOT:
                assert 0 == there[number]
        assert 2 == smsc.doubts()[fault]
        in_doubt = kinds(outcomes)[OutcomeKind.UNKNOWN]
        assert (in_doubt > 0) == (fault in DOUBTFUL or parts > 1)
        assert in_doubt <= 20
        assert {OutcomeKind.ACCEPTED: 5} == kinds(gateway.send(messages(5, text, 500), cleared))


@pytest.mark.parametrize(
    ("fault", "kind", "scope", "code"),
    [
        (Fault.THROTTLE, OutcomeKind.THROTTLED, None, "0x58"),
        (Fault.QUEUE_FULL, OutcomeKind.THROTTLED, None, "0x14"),
        (Fault.SYSTEM_ERROR, OutcomeKind.TRANSIENT, None, "0x08"),
        (Fault.BAD_NUMBER, OutcomeKind.REJECTED, Scope.RECIPIENT, "0x0B"),
        (Fault.SILENCE, OutcomeKind.UNKNOWN, None, "no-answer"),
        (Fault.DROP, OutcomeKind.UNKNOWN, None, "cut-off"),
        (Fault.UNBIND, OutcomeKind.UNKNOWN, None, "cut-off"),
        (Fault.NACK, OutcomeKind.UNKNOWN, None, "nack"),
        (Fault.LIE, OutcomeKind.UNKNOWN, None, "cut-off"),
    ],
)
def test_an_answer_has_its_meaning(
    fault: Fault, kind: OutcomeKind, scope: Scope | None, code: str
) -> None:
    """One for each thing that may happen to a message."""
    with Smsc(faults={fault: [1]}) as smsc, opened(smsc.port) as gateway:
        (outcome,) = gateway.send(messages(1), cleared)
        assert (kind, scope, code) == (outcome.kind, outcome.scope, outcome.code)


def test_one_silence_does_not_put_the_others_in_doubt() -> None:
    """The connection is given up only when the others have their answers."""
    with Smsc(faults={Fault.SILENCE: [5]}) as smsc, opened(smsc.port) as gateway:
        found = kinds(gateway.send(messages(10), cleared))
        assert {OutcomeKind.ACCEPTED: 9, OutcomeKind.UNKNOWN: 1} == found
        wait_for(smsc, "bind_transceiver", 2)  # a place would be lost for ever


def test_a_code_of_the_contract_goes_before_the_table() -> None:
    """A telco's own list says more than the specification."""
    codes = {"0x08": "rejected content"}
    with (
        Smsc(faults={Fault.SYSTEM_ERROR: [1]}) as smsc,
        opened(smsc.port, codes=codes) as gateway,
    ):
        (outcome,) = gateway.send(messages(1), cleared)
        assert (OutcomeKind.REJECTED, Scope.CONTENT) == (outcome.kind, outcome.scope)


# -- binds -----------------------------------------------------------------------------------------


def test_a_refused_password_is_told_once_and_the_others_keep_their_places() -> None:
    """The lane pauses; an SMSC locks out whoever goes on knocking."""
    with Smsc() as smsc, opened(smsc.port, password=Secret("wrong")) as gateway:
        first, *others = gateway.send(messages(50), cleared)
        assert (OutcomeKind.REJECTED, Scope.ACCOUNT) == (first.kind, first.scope)
        assert "bind-0x0E" == first.code
        assert [HELD_BACK] * 49 == others
        gateway.send(messages(50), cleared)
        assert 1 == smsc.counts()["bind_transceiver"]
        with pytest.raises(GatewayError, match="refuses our bind: invalid password"):
            gateway.check()
        assert [] == smsc.ledger()


def test_a_refusal_is_asked_about_again_by_whoever_checks() -> None:
    """Mended on the other side, it needs no restart on ours."""
    with Smsc(bind_status=Status.BIND_FAILED) as smsc, opened(smsc.port) as gateway:
        with pytest.raises(GatewayError, match="bind failed"):
            gateway.check()
        smsc.control(bind_status=0)
        assert gateway.check().startswith("1 of 1 binds are up")
        assert {OutcomeKind.ACCEPTED: 3} == kinds(gateway.send(messages(3), cleared))


def test_no_smsc_costs_one_message_an_attempt() -> None:
    """The others wait as if nothing had happened."""
    with closing(socket.socket()) as nobody:
        nobody.bind((HOST, 0))
        with opened(nobody.getsockname()[1], connect_seconds=0.1) as gateway:
            first, *others = gateway.send(messages(5), cleared)
            assert (OutcomeKind.TRANSIENT, "not-reached") == (first.kind, first.code)
            assert [HELD_BACK] * 4 == others
            with pytest.raises(GatewayError, match=r"refused.*look at host"):
                gateway.check()


def test_an_smsc_that_never_answers_a_bind_is_not_waited_for() -> None:
    """A half-open socket is given up in time."""
    with Smsc(bind_status=None) as smsc, opened(smsc.port, connect_seconds=0.1) as gateway:
        (outcome,) = gateway.send(messages(1), cleared)
        assert (OutcomeKind.TRANSIENT, "not-reached") == (outcome.kind, outcome.code)


def test_a_lost_connection_is_made_again() -> None:
    """Whatever ended it."""
    with Smsc() as smsc, opened(smsc.port) as gateway:
        for binds, end in enumerate((smsc.cut, smsc.unbind), 2):
            assert {OutcomeKind.ACCEPTED: 2} == kinds(gateway.send(messages(2), cleared))
            end()
            wait_for(smsc, "bind_transceiver", binds)
        smsc.stop()
        smsc.start()
        wait_for(smsc, "bind_transceiver", 4)
        assert {OutcomeKind.ACCEPTED: 2} == kinds(gateway.send(messages(2), cleared))
        assert 6 == len(smsc.ledger())


def test_a_silent_link_is_found_out() -> None:
    """No answer to enquire_link: the connection is dropped and made again."""
    with (
        Smsc(answers_enquiries=False) as smsc,
        opened(smsc.port, enquire_seconds=0.05, respond_seconds=0.1) as gateway,
    ):
        gateway.check()
        wait_for(smsc, "bind_transceiver", 2)
        assert gateway.counts["does not answer"] > 0


def test_a_link_that_answers_stays() -> None:
    """Silence alone is no fault."""
    with (
        Smsc() as smsc,
        opened(smsc.port, enquire_seconds=0.02) as gateway,
    ):
        gateway.check()
        wait_for(smsc, "enquire_link", 5)
        assert 1 == smsc.counts()["bind_transceiver"]


def test_closing_says_good_bye() -> None:
    """An SMSC that knows at once lets the next process in."""
    with Smsc() as smsc:
        with opened(smsc.port, bind="pair") as gateway:
            gateway.check()
            wait_for(smsc, "bind_receiver", 1)
        assert 2 == smsc.counts()["unbind"]


# -- receipts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("ids", "receipt_ids"),
    [
        (Ids.DECIMAL, None),
        (Ids.HEX, Ids.DECIMAL),
        (Ids.DECIMAL, Ids.HEX),
        (Ids.PADDED_HEX, Ids.PADDED),
        (Ids.PADDED_HEX, Ids.HEX),
    ],
)
def test_a_receipt_finds_its_message_in_any_spelling(
    form: Form, ids: Ids, receipt_ids: Ids | None
) -> None:
    """Learnt from the first receipts; until then one of the names fits."""
    come = threading.Event()
    with (
        Smsc(ids=ids, receipt_ids=receipt_ids, form=form) as smsc,
        opened(smsc.port) as gateway,
    ):
        gateway.listen(come.set)
        outcomes = gateway.send(messages(20), cleared)
        found = received(gateway, come, 20)
        assert {each.gateway_id for each in outcomes} == {each.gateway_id for each in found}
        assert {ReceiptStatus.DELIVERED} == {each.status for each in found}
        assert not [each for each in found if SHORT[:8] in each.raw]


def test_a_receipt_that_comes_early_has_its_message_s_name_among_its_own() -> None:
    """The answer is not there yet, so that nothing is proved."""
    come = threading.Event()
    with (
        Smsc(ids=Ids.HEX, receipt_ids=Ids.DECIMAL, receipts=Receipts.EARLY) as smsc,
        opened(smsc.port, outstanding=100) as gateway,
    ):
        gateway.listen(come.set)
        outcomes = gateway.send(messages(20), cleared)
        names = {
            name
            for each in received(gateway, come, 20)
            for name in (each.gateway_id, *each.aliases)
        }
        assert set() == {each.gateway_id for each in outcomes} - names


def test_a_receipt_is_acknowledged_when_it_is_in_the_ledger_and_not_before() -> None:
    """Else it is lost with the process; what was not acknowledged comes again."""
    come, again = threading.Event(), threading.Event()
    with Smsc() as smsc:
        with opened(smsc.port) as gateway:
            gateway.listen(come.set)
            gateway.send(messages(1), cleared)
            assert come.wait(5)
            (receipt,) = gateway.receipts()
            assert 0 == smsc.counts()["receipts acknowledged"]
        with opened(smsc.port, ids="same") as gateway:
            gateway.listen(again.set)
            (repeated,) = received(gateway, again, 1)
            assert receipt.gateway_id == repeated.gateway_id
            wait_for(smsc, "receipts acknowledged", 1)
            assert [] == gateway.receipts()


def test_receipts_come_over_the_other_half_of_a_pair() -> None:
    """The transmitter has none."""
    come = threading.Event()
    with Smsc() as smsc, opened(smsc.port, bind="pair") as gateway:
        gateway.listen(come.set)
        outcomes = gateway.send(messages(4), cleared)
        found = received(gateway, come, 4)
        assert {each.gateway_id for each in outcomes} == {each.gateway_id for each in found}


def test_the_same_receipt_twice_is_acknowledged_twice() -> None:
    """The ledger counts the second one; the SMSC must not wait."""
    come = threading.Event()
    with Smsc(receipts=Receipts.TWICE) as smsc, opened(smsc.port) as gateway:
        gateway.listen(come.set)
        gateway.send(messages(5), cleared)
        received(gateway, come, 10)
        wait_for(smsc, "receipts acknowledged", 10)
        assert {} == gateway.counts


def test_no_receipts_are_asked_for_where_none_are_wanted() -> None:
    """The capability sheet says so, too."""
    with Smsc() as smsc, opened(smsc.port, registered_delivery="none") as gateway:
        gateway.send(messages(1), cleared)
        assert [0] == [each.registered for each in smsc.ledger()]
        assert not gateway.capabilities.has_receipts
