"""eSMS and SpeedSMS against doubles that behave as their documents say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    Asked,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    ReceiptStatus,
    RegisteredTemplate,
    Scope,
)
from tests.contracts.gateway import VendorCase, every_case
from tests.doubles.aggregators import Esms, SpeedSms
from tests.unit.gateways.raw_server import RawServer

CASES: dict[str, VendorCase] = {case.kind: case for case in every_case()}
Start = Callable[..., Gateway]
DAY = 24 * 3600
each_kind = pytest.mark.parametrize("kind", ["esms", "speedsms"])
only_esms = pytest.mark.parametrize("kind", ["esms"])
only_speedsms = pytest.mark.parametrize("kind", ["speedsms"])


@pytest.fixture
def double(kind: str, clock: ManualClock) -> Esms | SpeedSms:
    """The vendor of a kind."""
    if kind == "esms":
        return Esms(clock, CASES["esms"].secrets["secret"])
    return SpeedSms(clock, CASES["speedsms"].secrets["token"])


@pytest.fixture
def start(
    kind: str, double: Esms | SpeedSms, clock: ManualClock, tmp_path: Path
) -> Iterator[Start]:
    """Open a gateway to the double."""
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(double.serve))

        def open_one(**changes: Any) -> Gateway:
            made = CASES[kind].open(tmp_path, server.url, clock, **changes)
            return stack.enter_context(closing(made))

        yield open_one


def some(count: int) -> list[Outbound]:
    return [
        Outbound(
            reference=f"ref{number:03d}-1",
            address=f"+849{number:08d}",
            network="VinaPhone",
            text=f"Text {number}",
            segments=1,
        )
        for number in range(count)
    ]


def hand_over(gateway: Gateway, messages: Sequence[Outbound]) -> list[Outcome]:
    return [outcome for each in messages for outcome in gateway.send([each], lambda _: True)]


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.kind.value for outcome in outcomes]


@each_kind
def test_each_phone_gets_its_text_once(kind: str, start: Start, double: Esms | SpeedSms) -> None:
    """What is accepted was delivered to the right number; names differ."""
    outcomes = hand_over(start(), some(5))
    assert ["accepted"] * 5 == kinds(outcomes)
    assert 5 == len({outcome.gateway_id for outcome in outcomes})
    begin = {"esms": "0", "speedsms": "84"}[kind]
    expected = [(begin + each.address[3:], each.text) for each in some(5)]
    assert expected == [(each.number, each.text) for each in double.delivered]


@each_kind
def test_what_was_taken_and_not_answered_is_unknown(start: Start, double: Esms | SpeedSms) -> None:
    """Taken, and the line breaks, an error comes, or a page."""
    batch = some(4)
    double.faults = {batch[0].text: "drop", batch[1].text: "500", batch[2].text: "html"}
    assert ["unknown"] * 3 + ["accepted"] == kinds(hand_over(start(), batch))
    assert 4 == len(double.delivered)


@each_kind
def test_a_wrong_secret_is_the_account_s_fault(
    kind: str, start: Start, double: Esms | SpeedSms, tmp_path: Path
) -> None:
    """Also where HTTP calls it 'not found'."""
    start()
    (tmp_path / "wrong").write_text("not the secret")
    key = {"esms": "secret_key", "speedsms": "access_token"}[kind]
    gateway = start(**{key: "file:wrong"})
    outcomes = hand_over(gateway, some(2))
    assert {(OutcomeKind.REJECTED, Scope.ACCOUNT)} == {(each.kind, each.scope) for each in outcomes}
    assert [] == double.delivered
    with pytest.raises(GatewayError):
        gateway.check()


# -- eSMS ------------------------------------------------------------------------------------------


@only_esms
@pytest.mark.parametrize("fault", ["drop", "500", "html"])
def test_a_doubt_is_settled_within_a_day(
    start: Start, double: Esms, clock: ManualClock, fault: str
) -> None:
    """Repeated with the same reference, eSMS says that it has it, and delivers nothing more."""
    gateway, (message,) = start(), some(1)
    double.faults = {message.text: fault}
    (doubtful,) = hand_over(gateway, [message])
    clock.sleep(DAY - 1)
    (repeated,) = hand_over(gateway, [message])
    assert ("unknown", "duplicate", "124") == (doubtful.kind, repeated.kind, repeated.code)
    assert DAY == gateway.capabilities.idempotency_seconds
    assert 1 == len(double.delivered)


@only_esms
def test_after_a_day_a_reference_is_forgotten(
    start: Start, double: Esms, clock: ManualClock
) -> None:
    """So the sheet promises no more than a day."""
    gateway = start()
    hand_over(gateway, some(1))
    clock.sleep(gateway.capabilities.idempotency_seconds)
    hand_over(gateway, some(1))
    assert 2 == len(double.delivered)


@only_esms
def test_a_refusal_with_a_name_is_a_refusal(start: Start, double: Esms) -> None:
    """146 comes with an SMSID, and nothing was sent."""
    double.refused = {"0900000001": "146", "0900000002": "99"}
    outcomes = hand_over(start(), some(3))
    scopes = [outcome.scope for outcome in outcomes]
    assert [None, Scope.CONTENT, Scope.RECIPIENT] == scopes
    assert [None, None] == [outcome.gateway_id for outcome in outcomes[1:]]
    assert 1 == len(double.delivered)


@only_esms
def test_a_trial_delivers_nothing(start: Start, double: Esms) -> None:
    """The sandbox answers as if."""
    assert ["accepted"] == kinds(hand_over(start(sandbox=True), some(1)))
    assert [] == double.delivered


@only_esms
def test_whoever_asks_too_early_learns_nothing_yet(start: Start, double: Esms) -> None:
    """105 is no news, and the next question is answered."""
    gateway = start()
    names = [outcome.gateway_id or "" for outcome in hand_over(gateway, some(2))]
    asked = [Asked(name, "", "") for name in names]
    double.soon = {names[1]}
    first = [each.gateway_id for each in gateway.reports(asked)]
    double.soon = set()
    second = {each.gateway_id: each.status for each in gateway.reports(asked)}
    assert ([names[0]], dict.fromkeys(names, ReceiptStatus.DELIVERED)) == (first, second)


@only_esms
def test_reports_name_what_was_accepted(start: Start, double: Esms) -> None:
    """By SMSID; the empty RequestId is no reference."""
    gateway = start()
    names = [outcome.gateway_id for outcome in hand_over(gateway, some(3))]
    pushed = double.reports("tokenthatnobodyguesses")
    assert all(gateway.verify_callback(each) for each in pushed)
    read = [receipt for each in pushed for receipt in gateway.parse_callback(each)[0]]
    assert names == [receipt.gateway_id for receipt in read]
    assert {("", ReceiptStatus.DELIVERED)} == {(each.reference, each.status) for each in read}


@only_esms
def test_the_vendor_s_list_and_what_is_left(start: Start, double: Esms) -> None:
    """What a person compares and looks after."""
    double.templates = [{"NetworkID": "1", "TempContent": "{P1,20} la ma", "TempId": "7"}]
    gateway = start()
    assert [RegisteredTemplate("7", "Viettel", "{P1,20} la ma")] == list(
        gateway.registered_templates("BHXHVN")
    )
    assert 1_000_000 == gateway.balance().amount


# -- SpeedSMS --------------------------------------------------------------------------------------


@only_speedsms
def test_a_number_may_be_refused_in_a_success(start: Start, double: SpeedSms) -> None:
    """00 with the number among those that are invalid."""
    double.refused = {"84900000001": "invalidPhone", "84900000002": "300"}
    outcomes = hand_over(start(), some(4))
    assert [None, Scope.RECIPIENT, Scope.ACCOUNT, None] == [each.scope for each in outcomes]
    assert 2 == len(double.delivered)


@only_speedsms
def test_over_sixty_a_minute_messages_wait(
    start: Start, double: SpeedSms, clock: ManualClock
) -> None:
    """Nothing over the limit is delivered; a minute later it goes on."""
    gateway, batch = start(), some(63)
    outcomes = hand_over(gateway, batch)
    assert Counter(accepted=60, throttled=3) == Counter(kinds(outcomes))
    clock.sleep(60)
    assert ["accepted"] * 3 == kinds(hand_over(gateway, batch[60:]))
    assert {1} == set(Counter(each.number for each in double.delivered).values())


@only_speedsms
def test_what_became_of_a_message(start: Start, double: SpeedSms) -> None:
    """0 delivered, below 64 perhaps still, from there on never."""
    gateway = start()
    names = [outcome.gateway_id or "" for outcome in hand_over(gateway, some(3))]
    double.states = {"84900000001": 32, "84900000002": 64}
    found = gateway.reports([Asked(name, "", "") for name in names])
    assert [
        ReceiptStatus.DELIVERED,
        ReceiptStatus.IN_TRANSIT,
        ReceiptStatus.UNDELIVERED,
    ] == [each.status for each in found]
