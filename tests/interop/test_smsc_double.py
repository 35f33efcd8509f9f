"""The unkind SMSC, proved with a client that we did not write: smpplib."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from smpplib import consts, exceptions, gsm, smpp
from smpplib.client import Client

from tests.doubles.smsc import FIRST, HOST, Smsc
from tests.doubles.smsc_settings import Fault, Form, Ids, Receipts

NUMBER = "84901234567"
DECIMAL = f"{FIRST + 1}".encode()
HEX = f"{FIRST + 1:X}".encode()


@contextmanager
def bound(smsc: Smsc, bind: str = "bind_transceiver", **words: Any) -> Iterator[Client]:
    """A client that is bound; it is not asked to unbind in the end."""
    client = Client(HOST, smsc.port, timeout=5, allow_unknown_opt_params=True)
    client.connect()
    try:
        getattr(client, bind)(**{"system_id": "smsengine", "password": "secret08"} | words)
        yield client
    finally:
        client.disconnect()


def submit(client: Client, text: str = "So tien da dong", number: str = NUMBER) -> int:
    """Hand a text over in as many parts as it needs; returns how many. No answer is read."""
    parts, coding, esm_class = gsm.make_parts(text)
    for part in parts:
        client.send_message(
            source_addr="BHXHVN",
            destination_addr=number,
            short_message=part,
            data_coding=coding,
            esm_class=esm_class,
            registered_delivery=1,
        )
    return len(parts)


def read(client: Client, *commands: str) -> list[Any]:
    """So many PDUs, whose commands are these."""
    found = [client.read_pdu() for _ in commands]
    assert [*commands] == [each.command for each in found]
    return found


def ended(client: Client) -> bool:
    """Say whether the connection is at its end."""
    try:
        return client._socket.recv(1) == b""
    except ConnectionError:
        return True


# -- what is delivered -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "So tien [1] {2} la 5€ ^~|\\",
        "Tong so tien de nghi: 11.967.526.000 dong, " * 5,
        "Số tiền đã đóng tháng 5 là " * 6,
        "So tien da dong",
        "😀 số tiền" * 20,
    ],
)
def test_a_text_is_put_together_again(text: str) -> None:
    with Smsc(receipts=Receipts.NEVER) as smsc, bound(smsc) as client:
        read(client, *["submit_sm_resp"] * submit(client, text))
        assert {NUMBER: [text]} == smsc.texts()


def test_a_part_that_is_missing_or_double_is_seen() -> None:
    """The oracle is of no use that takes half a text for a text."""
    parts, coding, esm_class = gsm.make_parts("Số tiền " * 20)
    for sent, times, halves in ((parts[:-1], 1, {NUMBER}), ([*parts, parts[0]], 2, set())):
        with Smsc() as smsc, bound(smsc) as client:
            for part in sent:
                client.send_message(
                    destination_addr=NUMBER,
                    short_message=part,
                    data_coding=coding,
                    esm_class=esm_class,
                )
            read(client, *["submit_sm_resp"] * len(sent))
            assert ({NUMBER: times}, halves) == (smsc.deliveries(), smsc.halves())
            with pytest.raises(AssertionError, match="has the parts"):
                smsc.texts()


def test_only_who_is_known_and_bound_may_submit() -> None:
    with Smsc() as smsc:
        with (
            pytest.raises(exceptions.PDUError, match=r"Invalid Password"),
            bound(smsc, password="wrong"),
        ):
            pass
        with bound(smsc, "bind_receiver") as client:
            client.state = consts.SMPP_CLIENT_STATE_BOUND_TRX  # or smpplib would not write it
            submit(client)
            (answer,) = read(client, "submit_sm_resp")
        assert (0x04, []) == (answer.status, smsc.ledger())


# -- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "spelled"),
    [
        (Ids.DECIMAL, DECIMAL),
        (Ids.HEX, HEX),
        (Ids.PADDED, DECIMAL.rjust(10, b"0")),
        (Ids.PADDED_HEX, HEX.lower().rjust(10, b"0")),
    ],
)
def test_ids_have_many_spellings(ids: Ids, spelled: bytes) -> None:
    with Smsc(ids=ids, receipt_ids=Ids.DECIMAL) as smsc, bound(smsc) as client:
        submit(client)
        answer, receipt = read(client, "submit_sm_resp", "deliver_sm")
    assert spelled == answer.message_id
    assert receipt.short_message.startswith(b"id:" + DECIMAL + b" ")


def test_more_than_the_window_is_throttled() -> None:
    with Smsc(window=3, latency_ms=100) as smsc, bound(smsc) as client:
        for number in range(5):
            submit(client, number=f"8490000000{number}")
        answers = [
            each for each in (client.read_pdu() for _ in range(8)) if each.command != "deliver_sm"
        ]
    assert [0, 0, 0, 0x58, 0x58] == [each.status for each in answers]
    assert (3, 5) == (len(smsc.centre.ledger), smsc.centre.most_unanswered)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.QUEUE_FULL, 0x14),
        (Fault.THROTTLE, 0x58),
        (Fault.SYSTEM_ERROR, 0x08),
        (Fault.BAD_NUMBER, 0x0B),
    ],
)
def test_a_refusal_delivers_nothing(fault: Fault, status: int) -> None:
    """The second of three is refused, as it is set."""
    with (
        Smsc(faults={fault: [2]}, receipts=Receipts.NEVER) as smsc,
        bound(smsc) as client,
    ):
        for _ in range(3):
            submit(client)
        answers = read(client, *["submit_sm_resp"] * 3)
        assert [0, status, 0] == [each.status for each in answers]
        assert (2, 1) == (len(smsc.ledger()), smsc.doubts()[fault])


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.UNBIND, Fault.NACK, Fault.LIE, Fault.SILENCE])
@pytest.mark.parametrize("accepts", [False, True])
def test_a_fault_says_nothing_of_what_was_delivered(fault: Fault, accepts: bool) -> None:
    """Only the ledger knows."""
    named = Fault(f"accept-then-{fault}") if accepts else fault
    with Smsc(faults={named: [1]}, receipts=Receipts.NEVER) as smsc, bound(smsc) as client:
        submit(client)
        match fault:
            case Fault.DROP:
                assert ended(client)
            case Fault.UNBIND:
                read(client, "unbind")
            case Fault.NACK:
                assert 0x02 == read(client, "generic_nack")[0].status
            case Fault.LIE:
                assert b"\xff\xff\xff\x00" == client._socket.recv(4)
            case Fault.SILENCE:
                submit(client)
                assert 4 == read(client, "submit_sm_resp")[0].sequence
        assert int(accepts) + (fault is Fault.SILENCE) == len(smsc.ledger())


def test_unbind_leaves_a_window_unanswered() -> None:
    """What was taken before it stays without an answer."""
    faults = {Fault.UNBIND: [3]}
    with Smsc(faults=faults, latency_ms=50, receipts=Receipts.NEVER) as smsc, bound(smsc) as client:
        for _ in range(3):
            submit(client)
        read(client, "unbind")
        client._socket.settimeout(0.15)
        with pytest.raises((TimeoutError, socket.timeout)):
            client._socket.recv(1)
        assert 2 == len(smsc.ledger())


def test_a_lying_length_is_answered_and_cut_off() -> None:
    with Smsc() as smsc, bound(smsc) as client:
        client._socket.sendall(b"\xff\xff\xff\x00" + b"\0" * 12)
        assert 0x02 == read(client, "generic_nack")[0].status
        assert ended(client)


def test_enquiries_may_stay_unanswered() -> None:
    with Smsc() as smsc, bound(smsc) as client:
        client.send_pdu(smpp.make_pdu("enquire_link", client=client))
        read(client, "enquire_link_resp")
        smsc.control(answers_enquiries=False)
        client.send_pdu(smpp.make_pdu("enquire_link", client=client))
        client._socket.settimeout(0.1)
        with pytest.raises((TimeoutError, socket.timeout)):
            client._socket.recv(1)
        assert 2 == smsc.counts()["enquire_link"]


# -- receipts --------------------------------------------------------------------------------------


def stats(pdus: list[Any]) -> list[str]:
    return [each.short_message.partition(b"stat:")[2][:7].decode() for each in pdus]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Receipts.NORMAL, ["ENROUTE", "DELIVRD"]),
        (Receipts.TWICE, ["ENROUTE", "DELIVRD", "ENROUTE", "DELIVRD"]),
        (Receipts.CONTRADICTORY, ["ENROUTE", "DELIVRD", "UNDELIV"]),
        (Receipts.REORDERED, ["DELIVRD", "ENROUTE"]),
        (Receipts.UNKNOWN_ID, ["DELIVRD", "ENROUTE", "DELIVRD"]),
    ],
)
def test_receipts_come_in_many_ways(mode: Receipts, expected: list[str]) -> None:
    with Smsc(receipts=mode, in_transit=True) as smsc, bound(smsc) as client:
        submit(client)
        read(client, "submit_sm_resp")
        assert expected == stats(read(client, *["deliver_sm"] * len(expected)))


def test_a_receipt_may_come_before_the_answer() -> None:
    with Smsc(receipts=Receipts.EARLY) as smsc, bound(smsc) as client:
        submit(client)
        read(client, "deliver_sm", "submit_sm_resp")


def test_each_part_has_its_receipt() -> None:
    with Smsc() as smsc, bound(smsc) as client:
        submit(client, "Số tiền " * 20)
        found = [client.read_pdu() for _ in range(6)]
    ids = {each.short_message[:9] for each in found if each.command == "deliver_sm"}
    assert {b"id:%d" % (FIRST + number) for number in (1, 2, 3)} == ids


@pytest.mark.parametrize(
    ("form", "coding", "begins", "by_tlv"),
    [
        (Form.TEXT, 0, b"id:", None),
        (Form.BOTH, 0, b"id:", DECIMAL),
        (Form.TLV, 0, b"", DECIMAL),
        (Form.UCS2, 8, "id:".encode("utf-16-be"), None),
        (Form.ODD, 0, b"ID:", None),
    ],
)
def test_receipts_have_many_forms(
    form: Form, coding: int, begins: bytes, by_tlv: bytes | None
) -> None:
    with Smsc(form=form) as smsc, bound(smsc) as client:
        submit(client)
        _, receipt = read(client, "submit_sm_resp", "deliver_sm")
    assert (coding, 0x04) == (receipt.data_coding, receipt.esm_class)
    assert (receipt.short_message or b"").startswith(begins)
    assert by_tlv == receipt.receipted_message_id
    assert (by_tlv and 2) == receipt.message_state


def test_a_receipt_that_is_not_acknowledged_comes_again() -> None:
    """Also over another connection, and on a port that stayed the same over an outage."""
    with Smsc() as smsc:
        with bound(smsc) as client:
            submit(client)
            _, first = read(client, "submit_sm_resp", "deliver_sm")
        smsc.stop()
        smsc.start()
        with bound(smsc, "bind_receiver") as client:
            (second,) = read(client, "deliver_sm")
        assert first.short_message[:9] == second.short_message[:9]
        assert 1 <= smsc.counts()["receipts sent again"]


def test_an_acknowledged_receipt_does_not_come_again() -> None:
    with Smsc() as smsc:
        with bound(smsc) as client:
            submit(client)
            client.set_message_received_handler(lambda pdu: None)
            client.read_once()
            client.read_once()
            read_after_enquiry(client)
        assert (1, 0) == (
            smsc.counts()["receipts acknowledged"],
            smsc.counts()["receipts sent again"],
        )


def read_after_enquiry(client: Client) -> None:
    """What was written before the enquiry is read when it is answered."""
    client.send_pdu(smpp.make_pdu("enquire_link", client=client))
    read(client, "enquire_link_resp")
