"""What we write and read of SMPP, beside two codecs that share nothing with ours."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from smpplib import command as smpplib_command
from smpplib import smpp as smpplib_smpp
from smpplib.client import Client

from smsengine.config.secret import Secret
from smsengine.gateways.base import Outbound, Outcome, Scope
from smsengine.gateways.smpp import Options
from smsengine.gateways.smpp.pdu import (
    HEADER,
    Command,
    Delivery,
    PduError,
    Tag,
    bind_body,
    message_id,
    pdu,
    read_deliver,
    tlv,
)
from smsengine.gateways.smpp.submits import Writer
from smsengine.text import gsm
from tests.doubles import smpp_wire

NUMBER = "+84901234567"
#: The GSM alphabet with its escapes, and what only UCS-2 has.
PLAIN = st.text("abc ABC@$_àéñÜ€[]{}~^|\\\n0123456789", max_size=400)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=150)


def options(**changes: Any) -> Options:
    given = {
        "host": "smpp.example.vn",
        "system_id": "us",
        "password": Secret("x"),
        "source": "BHXH",
    }
    return Options.model_validate(given | changes)


def bodies(text: str, first_reference: int = 7, **changes: Any) -> Sequence[bytes]:
    """The bodies of a message; it must not be refused."""
    found = Writer(options(**changes), first_reference).bodies(message(text))
    assert not isinstance(found, Outcome), found
    return found


def message(text: str) -> Outbound:
    return Outbound("r1", NUMBER, "MobiFone", text, 1)


def by_smpplib(body: bytes) -> Any:
    """A submit_sm as smpplib reads it."""
    return read_by_smpplib(pdu(Command.SUBMIT_SM, 1, body))


def read_by_smpplib(whole: bytes) -> Any:
    client = Client("127.0.0.1", 1, allow_unknown_opt_params=True)
    return smpplib_smpp.parse_pdu(whole, client=client, allow_unknown_opt_params=True)


# -- submit_sm -------------------------------------------------------------------------------------


def test_a_submit_is_written_octet_by_octet_as_the_specification_says() -> None:
    """Field by field: service_type to short_message."""
    expected = (
        b"\0"  # service_type
        b"\x05\x00BHXH\0"
        b"\x01\x0184901234567\0"
        b"\0\0\0"  # esm_class, protocol_id, priority_flag
        b"\0\0"  # no schedule, no validity
        b"\x01\0\0\0"  # registered_delivery, replace, data_coding, canned message
        b"\x03a\x00b"  # the @ is 0 in GSM 03.38
    )
    assert (expected,) == tuple(bodies("a@b"))


@given(text=st.one_of(PLAIN, ANY), way=st.sampled_from(["udh", "sar", "payload"]))
@example(text="x" * 152 + "€" + "y" * 160, way="udh")
@example(text="😀" * 34, way="sar")
def test_another_codec_reads_the_text_that_was_written(text: str, way: str) -> None:
    """Any text, in order, in as many parts as were counted."""
    found = [smpp_wire.read_submit(each) for each in bodies(text, long_messages=way)]
    assert text == "".join(each.text for each in found)
    assert {"84901234567"} == {each.to for each in found}
    segments = gsm.measure(text).segments
    assert (1 if way == "payload" else segments) == len(found)
    if way != "payload":
        places = [(each.part.total, each.part.place) for each in found]
        assert [(segments, place) for place in range(1, segments + 1)] == places
        assert 1 == len({each.part.reference for each in found})


@given(text=PLAIN)
def test_smpplib_reads_the_same_fields(text: str) -> None:
    """The header of a part is told by esm_class, and lies within the length."""
    for body in bodies(text):
        read = by_smpplib(body)
        assert (b"BHXH", b"84901234567") == (read.source_addr, read.destination_addr)
        assert (5, 0) == (read.source_addr_ton, read.source_addr_npi)
        assert (1, 1) == (read.dest_addr_ton, read.dest_addr_npi)
        assert 1 == read.registered_delivery
        assert len(read.short_message or b"") == read.sm_length <= 160
        assert bool(read.esm_class & 0x40) == (gsm.measure(text).segments > 1)


def test_parts_of_a_long_text_by_their_header() -> None:
    """153 characters after a header of six octets; the reference goes round after 255."""
    first, second = (by_smpplib(each).short_message for each in bodies("x" * 160 + "y", 255))
    assert bytes([5, 0, 3, 255, 2, 1]) + b"x" * 153 == first
    assert bytes([5, 0, 3, 255, 2, 2]) + b"x" * 7 + b"y" == second
    third, _ = bodies("x" * 161, 256)
    assert bytes([5, 0, 3, 0, 2, 1]) == by_smpplib(third).short_message[:6]


def test_parts_are_never_tied_together_in_two_ways() -> None:
    """An SMSC that finds both makes rubbish of them."""
    for way, flag, tag in (("udh", 0x40, None), ("sar", 0, Tag.SAR_TOTAL), ("payload", 0, 0x424)):
        for body in bodies("x" * 300, long_messages=way):
            read = smpp_wire.read_submit(body)
            assert flag == read.esm_class
            assert (tag is not None) == bool(read.tlvs)
            assert tag is None or tag in read.tlvs


@pytest.mark.parametrize(
    ("changes", "text", "coding", "said"),
    [
        ({}, "Số", 8, b"\x00S\x1e\xd1"),
        ({"data_coding": 1}, "a", 1, b"a"),
        ({"coding": "latin1"}, "a@é", 3, b"a@\xe9"),
        ({"coding": "latin1", "data_coding": 0}, "[", 0, b"["),
        ({}, "€", 0, b"\x1be"),
    ],
)
def test_a_text_is_coded_as_the_contract_says(
    changes: dict[str, Any], text: str, coding: int, said: bytes
) -> None:
    """data_coding says what the octets are, and nothing else."""
    (body,) = bodies(text, **changes)
    read = by_smpplib(body)
    assert (coding, said) == (read.data_coding, read.short_message)


def test_a_text_that_cannot_be_written_is_refused_and_not_changed() -> None:
    """Latin-1 has no euro sign."""
    found = Writer(options(coding="latin1"), 0).bodies(message("5€"))
    assert isinstance(found, Outcome)
    assert (Scope.CONTENT, "not-latin1") == (found.scope, found.code)
    found = Writer(options(), 0).bodies(message("x" * 153 * 256))
    assert isinstance(found, Outcome)
    assert "too-long" == found.code


@pytest.mark.parametrize(
    ("source", "expected"),
    [("BHXHVN", (5, 0)), ("84243936", (3, 0)), ("+842439361111", (1, 1)), ("", (0, 0))],
)
def test_the_source_s_type_is_seen_from_its_look(source: str, expected: tuple[int, int]) -> None:
    """A name, a short code, a whole number; the configuration may say otherwise."""
    assert expected == options(source=source).source_type
    assert (2, 9) == options(source=source, source_ton=2, source_npi=9).source_type


# -- the rest --------------------------------------------------------------------------------------


def test_a_bind_is_read_by_others() -> None:
    """Name, password, type, version."""
    body = bind_body(system_id="smsengine", password="secret08", system_type="VMA")
    assert ("smsengine", "secret08") == smpp_wire.read_bind(body)
    read = read_by_smpplib(pdu(Command.BIND_TRANSCEIVER, 1, body))
    assert (b"VMA", 0x34) == (read.system_type, read.interface_version)


@given(said=st.binary(max_size=254), esm_class=st.integers(0, 255), coding=st.integers(0, 255))
def test_a_delivery_is_read_as_others_write_it(said: bytes, esm_class: int, coding: int) -> None:
    """Numbers, octets and parameters."""
    given = {Tag.RECEIPTED_ID: b"7\0", Tag.STATE: b"\x02"}
    whole = smpp_wire.delivery(
        9,
        source="84901234567",
        to="BHXH",
        said=said,
        coding=coding,
        esm_class=esm_class,
        tlvs=b"".join(tlv(tag, value) for tag, value in given.items()),
    )
    assert (len(whole), 5, 0, 9) == HEADER.unpack_from(whole)
    assert Delivery(esm_class, coding, said, given) == read_deliver(whole[16:])


def test_a_delivery_of_smpplib_is_read() -> None:
    """With its text in a parameter."""
    sent = smpplib_command.DeliverSM(
        "deliver_sm",
        sequence=1,
        source_addr="84901234567",
        destination_addr="BHXH",
        esm_class=4,
        message_payload=b"id:1 stat:DELIVRD",
    )
    found = read_deliver(sent.generate()[16:])
    assert (4, b"id:1 stat:DELIVRD") == (found.esm_class, found.said)


@given(body=st.binary(max_size=120))
def test_rubbish_is_no_delivery_and_no_other_error(body: bytes) -> None:
    """Whatever an SMSC sends, the connection lives on."""
    try:
        found = read_deliver(body)
    except PduError:
        return
    assert len(found.said) <= len(body)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_delivery_that_ends_too_early_is_none(cut: int) -> None:
    """Also where its length was right."""
    whole = smpp_wire.delivery(
        1, source="1", to="2", said=b"x" * 20, coding=0, esm_class=4, tlvs=tlv(0x1E, b"7\0")
    )
    with pytest.raises(PduError):
        read_deliver(whole[16:-cut])


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"A0001\0", "A0001"), (b"", ""), (b"\0", ""), (b" 12 \0", "12"), (b"12", "12")],
)
def test_a_name_is_read_from_an_answer(body: bytes, expected: str) -> None:
    """With or without what should end it."""
    assert expected == message_id(body)


def test_the_header_is_four_numbers_in_network_order() -> None:
    """Length, command, status, sequence number."""
    assert struct.pack(">IIII", 17, 4, 0x58, 3) + b"x" == pdu(4, 3, b"x", 0x58)
