"""What Twilio, Infobip and a phone say of messages, beyond the tables of their cases."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways.base import Asked, Callback, OutcomeKind, ReceiptStatus
from tests.contracts.gateway import NUMBER, REFERENCE, Answer, message, on_the_wire
from tests.contracts.test_gateway_kit import cleared
from tests.gateways.cases import android, infobip, twilio
from tests.unit.gateways.raw_server import RawServer, answering


def said(body: object, status: int = 200) -> bytes:
    return on_the_wire(Answer(body, OutcomeKind.ACCEPTED, status=status))


def asked(*names: str) -> list[Asked]:
    return [Asked(name, name, NUMBER) for name in names]


# -- asking ----------------------------------------------------------------------------------------


def test_what_a_vendor_does_not_know_keeps_no_other_from_being_heard_of(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A phone that forgot one message still tells of the next."""
    gone, there = (
        said({"message": "not found"}, 404),
        said({"recipients": [{"state": "Delivered"}]}),
    )
    with (
        RawServer(answering(gone, there)) as server,
        closing(android.CASE.open(tmp_path, server.url, clock)) as gateway,
    ):
        found = gateway.reports(asked("one", "two"))
    assert [("two", ReceiptStatus.DELIVERED)] == [(each.gateway_id, each.status) for each in found]


def test_what_was_heard_before_a_fault_is_not_lost(tmp_path: Path, clock: ManualClock) -> None:
    """The rest is asked about another time."""
    there = said({"sid": "SM1", "status": "delivered"})
    with (
        RawServer(answering(there, said("busy", 503))) as server,
        closing(twilio.CASE.open(tmp_path, server.url, clock)) as gateway,
    ):
        found = gateway.reports(asked("SM1", "SM2"))
        assert [("SM1", ReceiptStatus.DELIVERED)] == [(one.gateway_id, one.status) for one in found]
        with pytest.raises(GatewayError, match="503"):
            gateway.reports(asked("SM2"))


# -- receipts --------------------------------------------------------------------------------------


def test_a_report_of_twilio_names_our_reference(tmp_path: Path, clock: ManualClock) -> None:
    """So that it settles a message whose ``sid`` was in the answer that never came."""
    with closing(twilio.CASE.open(tmp_path, "http://127.0.0.1:9", clock)) as gateway:
        ((receipt,), _) = gateway.parse_callback(twilio.status("delivered"))
    assert (twilio.SID, REFERENCE) == (receipt.gateway_id, receipt.reference)


def test_the_address_of_a_report_may_have_fields_of_its_own(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Our reference is one more of them."""
    with (
        RawServer(answering(said({"sid": "SM1"}, 201))) as server,
        closing(
            twilio.CASE.open(tmp_path, server.url, clock, callback="https://a.vn/cb?site=1")
        ) as gateway,
    ):
        gateway.send([message()], cleared)
    assert f"cb%3Fsite%3D1%26reference%3D{REFERENCE}".encode() in server.requests[0]


def test_a_failure_that_may_pass_says_so(tmp_path: Path, clock: ManualClock) -> None:
    """It is a failure of this message; whoever sends anew sees that it is worth it."""
    result = infobip.result(2) | {"error": {"name": "EC_ABSENT_SUBSCRIBER", "permanent": False}}
    with (
        RawServer(answering(said({"results": [result]}))) as server,
        closing(infobip.CASE.open(tmp_path, server.url, clock)) as gateway,
    ):
        (receipt,) = gateway.reports(infobip.ASKED)
    assert (ReceiptStatus.UNDELIVERED, "EC_ABSENT_SUBSCRIBER not permanent") == (
        receipt.status,
        receipt.code,
    )


def test_a_signed_webhook_needs_its_own_time(tmp_path: Path, clock: ManualClock) -> None:
    """What was signed for one moment does not count for another."""
    real = android.CASE.pushed[0].callback
    headers = {**real.headers, "X-Timestamp": "1700000001"}
    with closing(android.CASE.open(tmp_path, "http://127.0.0.1:9", clock)) as gateway:
        assert gateway.verify_callback(real)
        assert not gateway.verify_callback(replace(real, headers=headers))
        assert not gateway.verify_callback(Callback(method="POST", body=real.body))
