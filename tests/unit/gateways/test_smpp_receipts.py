"""Receipts over SMPP as seen in the field, spellings of a name, and what a status means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.gateways.base import Outcome, OutcomeKind, ReceiptStatus, Scope
from smsengine.gateways.smpp.ids import Ids, Spelling, canonical
from smsengine.gateways.smpp.pdu import Delivery, Tag
from smsengine.gateways.smpp.receipts import Report, is_receipt, read_receipt
from smsengine.gateways.smpp.statuses import (
    CUT_OFF,
    NACKED,
    NOT_WRITTEN,
    folded,
    outcome_of,
    outcomes,
)

DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED
IN_TRANSIT = ReceiptStatus.IN_TRANSIT


def delivery(text: str = "", esm_class: int = 4, coding: int = 0, **tlvs: bytes) -> Delivery:
    given = {Tag[name.upper()]: value for name, value in tlvs.items()}
    said = text.encode("utf-16-be") if coding == 8 else text.encode("latin-1")
    return Delivery(esm_class, coding, said, given)


def said(*args: object, **tlvs: object) -> tuple[str, ReceiptStatus, str]:
    """Name, status and code of a receipt; it must be one."""
    found = read_receipt(delivery(*args, **tlvs))  # type: ignore[arg-type]
    assert found is not None
    return found.name, found.status, found.code


# -- texts -----------------------------------------------------------------------------------------

DATES = "submit date:1905010800 done date:1905010801"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"id:0123456789 sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000 text:So tien da dong",
            ("0123456789", DELIVERED, "DELIVRD 000"),
        ),
        (
            "ID:7 Stat:UNDELIV Err:0A1 done date:190501080130 Text:id:8 stat:DELIVRD",
            ("7", UNDELIVERED, "UNDELIV 0A1"),
        ),
        ("stat:DELIVRD id:7", ("7", DELIVERED, "DELIVRD")),
        ("id: 7 stat: DELIVRD err: 000", ("7", DELIVERED, "DELIVRD 000")),
        ("id:a-7.b_9 stat:EXPIRED", ("a-7.b_9", UNDELIVERED, "EXPIRED")),
        ("id:7 sub:001 stat:REJECTD err:69", ("7", UNDELIVERED, "REJECTD 69")),
        ("id:7 stat:DELETED", ("7", UNDELIVERED, "DELETED")),
        ("id:7 stat:FAILED", ("7", UNDELIVERED, "FAILED")),
        ("id:7 stat:Delivered", ("7", DELIVERED, "DELIVERED")),
        ("id:7 stat:ACCEPTD", ("7", IN_TRANSIT, "ACCEPTD")),
        ("id:7 stat:ENROUTE", ("7", IN_TRANSIT, "ENROUTE")),
        ("id:7 stat:BUFFRED", ("7", IN_TRANSIT, "BUFFRED")),
        ("id:7 stat:UNKNOWN err:000", ("7", IN_TRANSIT, "UNKNOWN 000")),
        ("id:7 stat:SOMETHING", ("7", IN_TRANSIT, "SOMETHING")),
        ("id:7\r\nstat:DELIVRD\r\nerr:000\r\ntext:", ("7", DELIVERED, "DELIVRD 000")),
        ("id:7,stat:DELIVRD,err:000", ("7", DELIVERED, "DELIVRD 000")),
    ],
)
def test_a_receipt_s_text_is_understood(
    text: str, expected: tuple[str, ReceiptStatus, str]
) -> None:
    """Any case, order and date; what stands behind text: is somebody's words."""
    assert expected == said(text)
    assert expected == said(text, 4, 8)


@pytest.mark.parametrize(
    "text",
    ["", "stat:DELIVRD", "id:7", "text:id:7 stat:DELIVRD", "Cam on", "id: stat:DELIVRD text:"],
)
def test_a_text_that_does_not_say_which_or_what_is_no_receipt(text: str) -> None:
    """Nothing is guessed."""
    assert read_receipt(delivery(text)) is None


@given(said=st.binary(max_size=254), coding=st.sampled_from([0, 1, 3, 8]))
def test_rubbish_is_no_error(said: bytes, coding: int) -> None:
    """A receipt or none; whatever came is kept short."""
    found = read_receipt(Delivery(4, coding, said, {}))
    assert found is None or isinstance(found, Report)


def test_what_is_kept_of_a_receipt_holds_no_text_and_no_number() -> None:
    """It is kept for months."""
    found = read_receipt(delivery("id:7 to:84901234567 stat:DELIVRD text:So tien 0901234567"))
    assert found is not None
    assert "id:7 to:090***4567 stat:DELIVRD text:***" == found.raw


# -- parameters ------------------------------------------------------------------------------------


def test_parameters_alone_are_a_receipt() -> None:
    """The reason stands in another parameter: kind of network and number."""
    found = said(receipted_id=b"7\0", state=b"\x05", network_error=b"\x03\x00\x45")
    assert ("7", UNDELIVERED, "UNDELIV 3/69") == found


def test_parameters_go_before_the_text() -> None:
    """They are exact, and the text may be cut."""
    found = said("id:8 stat:UNDELIV err:001", receipted_id=b"7\0", state=b"\x02")
    assert ("7", DELIVERED, "DELIVRD 001") == found


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (0, IN_TRANSIT),
        (1, IN_TRANSIT),
        (2, DELIVERED),
        (3, UNDELIVERED),
        (4, UNDELIVERED),
        (5, UNDELIVERED),
        (6, IN_TRANSIT),
        (7, IN_TRANSIT),
        (8, UNDELIVERED),
    ],
)
def test_every_state_has_its_meaning(state: int, expected: ReceiptStatus) -> None:
    """Nobody knows is no final word."""
    assert expected == said(receipted_id=b"7", state=bytes([state]))[1]


@pytest.mark.parametrize(
    ("esm_class", "expected"), [(0x04, True), (0x20, True), (0x44, True), (0x00, False)]
)
def test_only_an_smsc_s_word_is_a_receipt(esm_class: int, expected: bool) -> None:
    """Anybody may send us the text of one."""
    assert expected == is_receipt(delivery("id:7 stat:DELIVRD", esm_class))


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("33E95179", "33E95179"),
        ("33e95179", "33E95179"),
        ("0870928761", "870928761"),
        ("000", "0"),
        ("a-7", "a-7"),
        ("7b45ec1a-2c3d", "7b45ec1a-2c3d"),
        ("²", "²"),
    ],
)
def test_a_name_has_one_spelling(name: str, expected: str) -> None:
    """Numbers in capitals and without zeros before them; else as it came."""
    assert expected == canonical(name)


@pytest.mark.parametrize(
    ("form", "answer", "receipt"),
    [
        ("resp_hex_dlr_dec", "33E95179", "0870928761"),
        ("resp_dec_dlr_hex", "0870928761", "33e95179"),
        ("same", "aB-7", "aB-7"),
    ],
)
def test_a_form_that_is_set_gives_one_name(form: str, answer: str, receipt: str) -> None:
    """Stateless: a receipt may come days and restarts later."""
    kept = Ids(form).answered(answer)  # type: ignore[arg-type]
    assert Spelling(kept) == Ids(form).receipted(receipt)  # type: ignore[arg-type]


def test_the_form_is_learnt_from_three_receipts_that_agree() -> None:
    """From then on also for messages of before the start."""
    ids = Ids("auto")
    for number in range(0xA0000, 0xA0003):
        assert ids.form is None
        kept = ids.answered(f"{number:x}")
        assert Spelling(kept) == ids.receipted(f"{number:010d}")
    assert "resp_hex_dlr_dec" == ids.form
    assert Spelling("33E95179") == ids.receipted("0870928761")


def test_before_that_the_other_spellings_are_aliases() -> None:
    """The ledger finds out which one fits."""
    assert Spelling("870928761", ("33E95179", "36248389473")) == Ids("auto").receipted("0870928761")


def test_a_name_that_fits_two_messages_teaches_nothing() -> None:
    """10 is ten, and it is sixteen."""
    ids = Ids("auto")
    for _ in range(5):
        for name in ("10", "A"):
            ids.answered(name)
        assert Spelling("10", ("A", "16")) == ids.receipted("10")
    assert ids.form is None


def test_receipts_that_disagree_teach_nothing() -> None:
    """Then every receipt keeps its aliases."""
    ids = Ids("auto")
    for number in range(0xA0000, 0xA0009):
        ids.answered(f"{number:X}" if number % 2 else f"{number * 7}")
        ids.receipted(f"{number}" if number % 2 else f"{number * 7}")
    assert ids.form is None


def test_only_the_last_answers_are_remembered() -> None:
    """A month's run must not stay in memory."""
    ids = Ids("auto")
    for number in range(250_000):
        ids.answered(f"{number:X}")
    assert len(ids._recent) + len(ids._older) <= 100_000


# -- statuses --------------------------------------------------------------------------------------

TAKEN_1, TAKEN_2 = "A1", "A2"
THROTTLED, REFUSED = (outcome_of(outcomes({}), status) for status in (0x58, 0x0B))


@pytest.mark.parametrize(
    ("status", "kind", "scope"),
    [
        (0x58, OutcomeKind.THROTTLED, None),
        (0x14, OutcomeKind.THROTTLED, None),
        (0x08, OutcomeKind.TRANSIENT, None),
        (0x45, OutcomeKind.TRANSIENT, None),
        (0x0B, OutcomeKind.REJECTED, Scope.RECIPIENT),
        (0x0A, OutcomeKind.REJECTED, Scope.SENDER),
        (0x01, OutcomeKind.REJECTED, Scope.CONTENT),
        (0x0E, OutcomeKind.REJECTED, Scope.ACCOUNT),
        (0x61, OutcomeKind.REJECTED, Scope.ACCOUNT),
        (0xC3, OutcomeKind.REJECTED, Scope.ACCOUNT),
        (0x02, OutcomeKind.UNKNOWN, None),
        (0x400, OutcomeKind.REJECTED, Scope.CALLER),
        (0x12345678, OutcomeKind.REJECTED, Scope.CALLER),
    ],
)
def test_a_status_has_its_meaning(status: int, kind: OutcomeKind, scope: Scope | None) -> None:
    """By the specification; a telco's own is a definite refusal until its meaning is set."""
    found = outcome_of(outcomes({}), status)
    assert (kind, scope, f"0x{status:02X}") == (found.kind, found.scope, found.code)


def test_the_contract_s_codes_are_read_in_either_spelling() -> None:
    """Documents have them hexadecimal or decimal."""
    throttled = (OutcomeKind.THROTTLED, None)
    table = outcomes({"0x400": throttled, "1025": throttled})
    for status in (0x400, 0x401):
        assert OutcomeKind.THROTTLED is outcome_of(table, status).kind


def test_parts_that_were_all_taken_are_a_message_that_was_taken() -> None:
    """Its name is that of its first part; one that has no name is taken all the same."""
    found = folded([TAKEN_1, TAKEN_2])
    assert ("A1", ("A1", "A2")) == (found.gateway_id, found.part_ids)
    assert (OutcomeKind.ACCEPTED, None, ()) == (
        (found := folded(["", ""])).kind,
        found.gateway_id,
        found.part_ids,
    )


@pytest.mark.parametrize("other", [THROTTLED, REFUSED, NOT_WRITTEN, CUT_OFF, NACKED, None])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_part_that_was_taken_makes_the_rest_a_doubt(other: Outcome | None, turn: int) -> None:
    """It is on its way to somebody: sending the message again would send that part twice.

    Nor has the message a name: a receipt for one part must not speak for the whole.
    """
    found = folded([TAKEN_1, other][::turn])
    assert (OutcomeKind.UNKNOWN, None, ()) == (found.kind, found.gateway_id, found.part_ids)
    assert found.detail.startswith("1 of 2 parts were taken")


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([THROTTLED, NOT_WRITTEN], OutcomeKind.THROTTLED),
        ([NOT_WRITTEN, REFUSED], OutcomeKind.REJECTED),
        ([REFUSED, CUT_OFF], OutcomeKind.UNKNOWN),
        ([NOT_WRITTEN], OutcomeKind.TRANSIENT),
        ([None], OutcomeKind.UNKNOWN),
    ],
)
def test_parts_of_which_none_was_taken_speak_together(
    parts: list[Outcome | None], kind: OutcomeKind
) -> None:
    """A doubt goes before all, then the most definite word."""
    assert kind is folded(parts).kind
