"""Zalo, a phone, Twilio and Infobip against doubles that behave as their documents say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import VIETNAM, ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways.base import (
    Asked,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    ReceiptStatus,
    Scope,
    TemplateUse,
)
from tests.contracts.gateway import VendorCase, every_case
from tests.doubles.foreign import Infobip, Phone, Twilio, Zalo
from tests.doubles.vietnamese import Dialect
from tests.unit.gateways.raw_server import RawServer

CASES: dict[str, VendorCase] = {case.kind: case for case in every_case()}
KINDS = ("zalo-zns", "android", "twilio", "infobip")
Start = Callable[..., Gateway]
DAY = 24 * 3600
OA_SECRET = "OASECRET4711"
each_kind = pytest.mark.parametrize("kind", KINDS)
only_zalo = pytest.mark.parametrize("kind", ["zalo-zns"])
only_phone = pytest.mark.parametrize("kind", ["android"])
only_twilio = pytest.mark.parametrize("kind", ["twilio"])
only_infobip = pytest.mark.parametrize("kind", ["infobip"])


@pytest.fixture
def double(kind: str, clock: ManualClock) -> Dialect:
    """The vendor of a kind."""
    secrets = [*CASES[kind].secrets.values()]
    match kind:
        case "zalo-zns":
            return Zalo(clock, oa_secret=OA_SECRET)
        case "android":
            return Phone(clock, *secrets)
        case "twilio":
            return Twilio(clock, secrets[0])
        case _:
            return Infobip(clock, secrets[0])


@pytest.fixture
def start(kind: str, double: Dialect, clock: ManualClock, tmp_path: Path) -> Iterator[Start]:
    """Open a gateway to the double."""
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(double.serve))

        def open_one(**changes: Any) -> Gateway:
            (tmp_path / "first").write_text("refresh-0")
            first = {"refresh_token": "file:first"} if kind == "zalo-zns" else {}
            made = CASES[kind].open(tmp_path, server.url, clock, **first | changes)
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
            template=TemplateUse("230001", (("ten", f"Text {number}"),)),
        )
        for number in range(count)
    ]


def hand_over(gateway: Gateway, messages: Sequence[Outbound]) -> list[Outcome]:
    return [outcome for each in messages for outcome in gateway.send([each], lambda _: True)]


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.kind.value for outcome in outcomes]


def asked(outcomes: Sequence[Outcome], messages: Sequence[Outbound]) -> list[Asked]:
    pairs = zip(outcomes, messages, strict=True)
    return [Asked(said.gateway_id or "", each.reference, each.address) for said, each in pairs]


def statuses(gateway: Gateway, given: Sequence[Asked]) -> list[ReceiptStatus]:
    return [each.status for each in gateway.reports(given)]


@each_kind
def test_each_phone_gets_its_text_once(kind: str, start: Start, double: Dialect) -> None:
    """What is accepted was delivered to the right number; names differ."""
    outcomes = hand_over(start(), some(4))
    assert ["accepted"] * 4 == kinds(outcomes)
    assert 4 == len({outcome.gateway_id for outcome in outcomes})
    begin = "+84" if kind in ("android", "twilio") else "84"
    expected = [(begin + each.address[3:], each.text) for each in some(4)]
    assert expected == [(each.number, each.text) for each in double.delivered]


@each_kind
def test_what_was_taken_and_not_answered_is_unknown(start: Start, double: Dialect) -> None:
    """Taken, and the line breaks, an error comes, or a page."""
    batch = some(4)
    double.faults = {batch[0].text: "drop", batch[1].text: "500", batch[2].text: "html"}
    assert ["unknown"] * 3 + ["accepted"] == kinds(hand_over(start(), batch))
    assert 4 == len(double.delivered)


@pytest.mark.parametrize("kind", ["android", "twilio", "infobip"])
def test_a_wrong_secret_is_the_account_s_fault(
    kind: str, start: Start, double: Dialect, tmp_path: Path
) -> None:
    """Nothing is delivered, and whoever looks is told."""
    (tmp_path / "wrong").write_text("not the secret")
    gateway = start(**{"key" if kind == "infobip" else "password": "file:wrong"})
    outcomes = hand_over(gateway, some(2))
    assert {(OutcomeKind.REJECTED, Scope.ACCOUNT)} == {(each.kind, each.scope) for each in outcomes}
    assert [] == double.delivered


@pytest.mark.parametrize("kind", ["zalo-zns", "twilio", "infobip"])
def test_who_knows_nothing_again_promises_nothing(start: Start, double: Dialect) -> None:
    """The same reference twice is two messages: the sheet says that no repeat is safe."""
    gateway = start()
    hand_over(gateway, [*some(1), *some(1)])
    assert (2, 0) == (len(double.delivered), gateway.capabilities.idempotency_seconds)


# -- Zalo ------------------------------------------------------------------------------------------


@only_zalo
def test_a_token_that_ends_is_renewed(start: Start, double: Zalo, clock: ManualClock) -> None:
    """A day later; and also where Zalo ends it before its time."""
    gateway = start()
    hand_over(gateway, some(1))
    clock.sleep(90_000)
    hand_over(gateway, some(2)[1:])
    double.token = "one that nobody has"
    hand_over(gateway, some(3)[2:])
    assert (3, [each.reference for each in some(3)]) == (
        double.logins,
        [each.reference for each in double.delivered],
    )


@only_zalo
def test_a_spent_refresh_token_is_the_account_s_fault(start: Start, double: Zalo) -> None:
    """And a person reads what to do."""
    double.logins = 1
    gateway = start()
    (outcome,) = hand_over(gateway, some(1))
    assert (OutcomeKind.REJECTED, Scope.ACCOUNT, []) == (
        outcome.kind,
        outcome.scope,
        double.delivered,
    )
    with pytest.raises(GatewayError, match=r"-14020.*consent"):
        gateway.check()


@only_zalo
@pytest.mark.parametrize(
    ("at", "until"), [("22:00", "06:00 next"), ("23:59", "06:00 next"), ("05:59", "06:00")]
)
def test_at_night_a_template_may_rest(
    start: Start, double: Zalo, clock: ManualClock, at: str, until: str
) -> None:
    """Until the morning: then it leaves."""
    day = datetime(2019, 6, 3, tzinfo=VIETNAM)
    moment = day + timedelta(hours=int(at[:2]), minutes=int(at[3:]))
    clock.sleep((moment - clock.now()).total_seconds())
    double.closed = {"230001"}
    gateway = start()
    (outcome,) = hand_over(gateway, some(1))
    morning = day + timedelta(days=until.endswith("next"), hours=6)
    assert (OutcomeKind.DEFERRED, morning) == (outcome.kind, outcome.not_before)
    clock.sleep((morning - clock.now()).total_seconds())
    assert ["accepted"] == kinds(hand_over(gateway, some(1)))


@only_zalo
def test_a_night_by_zalo_s_clock_alone_is_soon_over(
    start: Start, double: Zalo, clock: ManualClock
) -> None:
    """A clock that is a little behind does not cost a day."""
    double.refused = {"84900000000": "-133"}
    (outcome,) = hand_over(start(), some(1))
    assert (OutcomeKind.DEFERRED, clock.now() + timedelta(minutes=15)) == (
        outcome.kind,
        outcome.not_before,
    )


@only_zalo
def test_over_the_quota_of_the_day_it_waits_for_the_next(
    start: Start, double: Zalo, clock: ManualClock
) -> None:
    """At midnight in Vietnam; what is left can be asked."""
    double.daily = 2
    gateway, batch = start(), some(3)
    outcomes = hand_over(gateway, batch)
    midnight = datetime(2019, 6, 2, tzinfo=VIETNAM).astimezone(UTC)
    assert (["accepted", "accepted", "deferred"], midnight, 0) == (
        kinds(outcomes),
        outcomes[2].not_before,
        gateway.balance().amount,
    )
    clock.sleep((midnight - clock.now()).total_seconds())
    assert ["accepted"] == kinds(hand_over(gateway, batch[2:]))


@only_zalo
def test_a_notice_is_asked_for_by_its_name(start: Start, double: Zalo) -> None:
    """1 has arrived, 0 not yet; of what Zalo does not know it says nothing."""
    gateway, batch = start(), some(2)
    questions = asked(hand_over(gateway, batch), batch)
    double.arrived = {"Z2"}
    unheard_of = Asked("Z9", "ref-9", "+84900000009")
    assert [ReceiptStatus.IN_TRANSIT, ReceiptStatus.DELIVERED] == statuses(
        gateway, [*questions, unheard_of]
    )


@only_zalo
def test_events_of_zalo_are_signed(start: Start, double: Zalo) -> None:
    """Each names the notice and our reference; a chat is no receipt; a changed one is none."""
    gateway = start()
    hand_over(gateway, some(2))
    pushed = double.events()
    assert all(gateway.verify_callback(each) for each in pushed)
    read = [receipt for each in pushed for receipt in gateway.parse_callback(each)[0]]
    assert [("Z1", "ref000-1"), ("Z2", "ref001-1")] == [
        (receipt.gateway_id, receipt.reference) for receipt in read
    ]
    changed = replace(pushed[0], body=pushed[0].body.replace(b"Z1", b"Z2"))
    assert not gateway.verify_callback(changed)


# -- a phone ---------------------------------------------------------------------------------------


@only_phone
@pytest.mark.parametrize("fault", ["drop", "500", "html"])
def test_a_doubt_about_a_phone_is_settled_by_a_repeat(
    start: Start, double: Phone, clock: ManualClock, fault: str
) -> None:
    """It has that id already, and sends nothing more."""
    gateway, (message,) = start(), some(1)
    double.faults = {message.text: fault}
    (doubtful,) = hand_over(gateway, [message])
    clock.sleep(DAY - 1)
    (repeated,) = hand_over(gateway, [message])
    assert ("unknown", "duplicate", message.reference) == (
        doubtful.kind,
        repeated.kind,
        repeated.gateway_id,
    )
    assert (1, DAY) == (len(double.delivered), gateway.capabilities.idempotency_seconds)


@only_phone
def test_a_phone_that_is_full_gets_the_rest_later(start: Start, double: Phone) -> None:
    """What it did not take it takes when there is room."""
    double.room = 2
    gateway, batch = start(), some(3)
    assert ["accepted", "accepted", "throttled"] == kinds(hand_over(gateway, batch))
    double.room = 3
    assert ["accepted"] == kinds(hand_over(gateway, batch[2:]))
    assert 3 == len({each.reference for each in double.delivered}) == len(double.delivered)


@only_phone
def test_a_phone_tells_and_is_asked(start: Start, double: Phone) -> None:
    """By webhooks with a signature, and by the id."""
    gateway, batch = start(), some(3)
    questions = asked(hand_over(gateway, batch), batch)
    double.states |= {"ref000-1": "Delivered", "ref001-1": "Failed"}
    found = [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED, ReceiptStatus.IN_TRANSIT]
    assert found == statuses(gateway, questions)
    pushed = double.event("ref000-1", "sms:delivered", phoneNumber="+84900000000")
    assert gateway.verify_callback(pushed)
    ((receipt,), _) = gateway.parse_callback(pushed)
    assert ("ref000-1", ReceiptStatus.DELIVERED) == (receipt.gateway_id, receipt.status)
    assert "900000000" not in receipt.raw


# -- Twilio ----------------------------------------------------------------------------------------


@only_twilio
def test_a_report_settles_what_twilio_never_answered(start: Start, double: Twilio) -> None:
    """Its name was in the answer that was lost; our reference stands in its address."""
    gateway, (message,) = start(), some(1)
    double.faults = {message.text: "drop"}
    assert ["unknown"] == kinds(hand_over(gateway, [message]))
    (pushed,) = double.reports("delivered")
    assert gateway.verify_callback(pushed)
    ((receipt,), _) = gateway.parse_callback(pushed)
    assert (message.reference, ReceiptStatus.DELIVERED) == (receipt.reference, receipt.status)


@only_twilio
def test_a_report_for_another_address_is_not_believed(start: Start, double: Twilio) -> None:
    """Whoever puts another reference into the address has no signature for it."""
    gateway = start()
    hand_over(gateway, some(2))
    first, second = double.reports("delivered")
    assert not gateway.verify_callback(replace(first, url=second.url, query=second.query))


@only_twilio
def test_twilio_is_asked_by_its_name(start: Start, double: Twilio) -> None:
    """Refused numbers never had one."""
    double.refused = {"+84900000001": "21211", "+84900000002": "21608"}
    gateway, batch = start(), some(4)
    outcomes = hand_over(gateway, batch)
    assert [None, Scope.RECIPIENT, Scope.SENDER, None] == [each.scope for each in outcomes]
    double.states |= {"SM1": "delivered", "SM2": "undelivered"}
    questions = [asked(outcomes, batch)[0], asked(outcomes, batch)[3]]
    found = [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED]
    assert found == statuses(gateway, questions)
    assert 12 == gateway.balance().amount


# -- Infobip ---------------------------------------------------------------------------------------


@only_infobip
def test_a_hundred_messages_are_one_request(start: Start, double: Infobip) -> None:
    """Each with its own text; what is refused or not spoken of is so alone."""
    batch = some(100)
    double.refused = {
        "84900000001": "REJECTED_DESTINATION",
        "84900000002": "REJECTED_NOT_ENOUGH_CREDITS",
        "84900000003": "REJECTED_SOMETHING_NEW",
    }
    double.unsaid = {"84900000004"}
    outcomes = start().send(batch, lambda _: True)
    assert 1 == len(double.calls)
    assert [Scope.RECIPIENT, Scope.ACCOUNT, Scope.CALLER] == [one.scope for one in outcomes[1:4]]
    assert (OutcomeKind.UNKNOWN, {OutcomeKind.ACCEPTED}) == (
        outcomes[4].kind,
        {each.kind for each in [outcomes[0], *outcomes[5:]]},
    )
    assert 97 == len({each.text for each in double.delivered})


@only_infobip
def test_infobip_tells_and_is_asked(start: Start, double: Infobip) -> None:
    """Many results at once, by our reference; of what is not in the log nothing is known."""
    gateway, batch = start(), some(3)
    questions = asked(hand_over(gateway, batch), batch)
    double.groups = {"ref000-1": 3, "ref001-1": 2}
    found = [ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED]
    assert found == statuses(gateway, questions)
    pushed = double.report(CASES["infobip"].secrets["token"])
    assert gateway.verify_callback(pushed)
    assert found == [receipt.status for receipt in gateway.parse_callback(pushed)[0]]
