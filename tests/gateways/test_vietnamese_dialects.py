"""FPT, Viettel, VNPT and VMG against doubles that behave as their documents say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.gateways.base import (
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    ReceiptStatus,
    Scope,
    TemplateUse,
)
from tests.contracts.gateway import VendorCase
from tests.doubles.vietnamese import Dialect, Fpt, Viettel, Vmg, Vnpt
from tests.gateways.cases import fpt as fpt_case
from tests.gateways.cases import viettel as viettel_case
from tests.gateways.cases import vmg as vmg_case
from tests.gateways.cases import vnpt as vnpt_case
from tests.unit.gateways.raw_server import RawServer

CASES: dict[str, VendorCase] = {
    case.CASE.kind: case.CASE for case in (fpt_case, viettel_case, vmg_case, vnpt_case)
}
Start = Callable[..., Gateway]
each_kind = pytest.mark.parametrize("kind", CASES)
A_NUMBER = "84900000003"
#: How each of them says that a number is wrong.
WRONG_NUMBER = {
    "fpt": "53",
    "viettel": "Length of ReceiverID is invalid.",
    "vmg": "005",
    "vnpt": "12",
}


@pytest.fixture
def double(kind: str, clock: ManualClock) -> Dialect:
    """The vendor of a kind."""
    made: dict[str, Callable[[], Dialect]] = {
        "fpt": lambda: Fpt(clock, CASES["fpt"].secrets["secret"]),
        "viettel": lambda: Viettel(clock, CASES["viettel"].secrets["password"]),
        "vmg": lambda: Vmg(clock, CASES["vmg"].secrets["token"]),
        "vnpt": lambda: Vnpt(clock, {"404": "Text {} cua {}"}),
    }
    return made[kind]()


@pytest.fixture
def start(kind: str, double: Dialect, clock: ManualClock, tmp_path: Path) -> Iterator[Start]:
    """Open a gateway to the double."""
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(double.serve))

        def open_one(**changes: Any) -> Gateway:
            made = CASES[kind].open(tmp_path, server.url, clock, **changes)
            return stack.enter_context(closing(made))

        yield open_one


def some(count: int, group: str = "A") -> list[Outbound]:
    """Messages whose text and template say the same."""
    return [
        Outbound(
            reference=f"ref{group}{number:03d}-1",
            address=f"+849{number:08d}",
            network="VinaPhone",
            text=f"Text {number} cua {group}",
            segments=1,
            template=TemplateUse("404", (("number", str(number)), ("group", group))),
        )
        for number in range(count)
    ]


def cleared(_messages: Sequence[Outbound]) -> bool:
    return True


def hand_over(gateway: Gateway, messages: Sequence[Outbound]) -> list[Outcome]:
    return [outcome for each in messages for outcome in gateway.send([each], cleared)]


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.kind.value for outcome in outcomes]


def delivered(double: Dialect) -> list[tuple[str, str]]:
    return [(each.number, each.text) for each in double.delivered]


@each_kind
def test_each_phone_gets_its_text_once(start: Start, double: Dialect) -> None:
    """What is accepted was delivered, letter by letter, to the right number."""
    outcomes = hand_over(start(), some(10))
    assert ["accepted"] * 10 == kinds(outcomes)
    assert [(each.address[1:], each.text) for each in some(10)] == delivered(double)


@each_kind
def test_what_was_taken_and_not_answered_is_unknown(start: Start, double: Dialect) -> None:
    """Taken, and the line breaks, an error comes, or a page: nobody is told twice, none is lost."""
    batch = some(6)
    double.faults = {batch[1].text: "drop", batch[2].text: "500", batch[4].text: "html"}
    outcomes = hand_over(start(), batch)
    expected = ["accepted", "unknown", "unknown", "accepted", "unknown", "accepted"]
    assert expected == kinds(outcomes)
    assert {1} == set(Counter(delivered(double)).values())
    assert 6 == len(double.delivered)


@each_kind
def test_a_wrong_number_is_its_own_fault(kind: str, start: Start, double: Dialect) -> None:
    """The others are taken."""
    double.refused = {A_NUMBER: WRONG_NUMBER[kind]}
    outcomes = hand_over(
        start(codes={"12": "rejected recipient"}) if kind == "vnpt" else start(), some(5)
    )
    assert (OutcomeKind.REJECTED, Scope.RECIPIENT) == (outcomes[3].kind, outcomes[3].scope)
    assert ["accepted"] * 4 == kinds([*outcomes[:3], outcomes[4]])
    assert A_NUMBER not in [number for number, _ in delivered(double)]


@pytest.mark.parametrize("kind", ["fpt", "viettel", "vmg"])
def test_the_same_text_within_five_minutes_is_not_sent_again(
    start: Start, double: Dialect, clock: ManualClock
) -> None:
    """It is called a duplicate, whatever its reference, and after that time it is a message."""
    gateway, (first,) = start(), some(1)
    outcomes = hand_over(gateway, [first, first._replace(reference="other-1")])
    clock.sleep(299)
    outcomes += hand_over(gateway, [first._replace(reference="other-2")])
    clock.sleep(2)
    outcomes += hand_over(gateway, [first._replace(reference="other-3")])
    assert ["accepted", "duplicate", "duplicate", "accepted"] == kinds(outcomes)
    assert 2 == len(double.delivered)


@each_kind
def test_wrong_secrets_are_the_account_s_fault(
    kind: str, start: Start, double: Dialect, tmp_path: Path
) -> None:
    """Not a message is delivered, and none of them is to blame."""
    if kind == "vnpt":
        # An unknown code is told in the configuration.
        double.refused = dict.fromkeys((each.address[1:] for each in some(2)), "12")
    gateway = start()
    if kind != "vnpt":
        gateway = _with_wrong_secret(kind, double, tmp_path, start)
    outcomes = hand_over(gateway, some(2))
    assert {(OutcomeKind.REJECTED, Scope.ACCOUNT)} == {(each.kind, each.scope) for each in outcomes}
    assert [] == double.delivered


def _with_wrong_secret(kind: str, double: Dialect, folder: Path, start: Start) -> Gateway:
    name = {"fpt": "client_secret", "viettel": "password", "vmg": "token"}[kind]
    (folder / "wrong").write_text("not the secret")
    return start(**{name: "file:wrong"})


# -- FPT -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fpt"])
def test_a_token_that_ends_loses_and_repeats_nothing(
    start: Start, double: Dialect, clock: ManualClock
) -> None:
    """By its time and before it: each message is delivered once."""
    assert isinstance(double, Fpt)
    gateway = start()
    outcomes = hand_over(gateway, some(3, "A"))
    double.end_tokens()
    outcomes += hand_over(gateway, some(3, "B"))
    clock.sleep(3700)
    outcomes += hand_over(gateway, some(3, "C"))
    logins = [call for call in double.calls if call.path == "/oauth2/token"]
    assert (["accepted"] * 9, 3) == (kinds(outcomes), len(logins))
    assert ({1}, 9) == (set(Counter(delivered(double)).values()), len(double.delivered))


@pytest.mark.parametrize("kind", ["fpt"])
def test_reports_name_what_was_accepted(start: Start, double: Dialect) -> None:
    """Each push is believed, names one accepted message, and hears what FPT wants to hear."""
    assert isinstance(double, Fpt)
    gateway = start()
    names = [outcome.gateway_id for outcome in hand_over(gateway, some(3))]
    pushed = double.reports("path4711")
    assert all(gateway.verify_callback(each) for each in pushed)
    read = [gateway.parse_callback(each) for each in pushed]
    assert names == [receipt.gateway_id for receipts, _ in read for receipt in receipts]
    assert {ReceiptStatus.DELIVERED} == {each.status for receipts, _ in read for each in receipts}
    assert {'{"status":1}'} == {said.body for _, said in read}


# -- VMG -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vmg"])
@pytest.mark.parametrize("fault", ["drop", "500", "html"])
def test_a_doubt_is_settled_within_the_hour(
    start: Start, double: Dialect, clock: ManualClock, fault: str
) -> None:
    """Repeated with the same reference, the vendor says that it has it, by the name it got."""
    gateway, (message,) = start(), some(1)
    double.faults = {message.text: fault}
    (doubtful,) = hand_over(gateway, [message])
    clock.sleep(gateway.capabilities.idempotency_seconds - 1)
    (repeated,) = hand_over(gateway, [message])
    assert ("unknown", "duplicate", "ref-1") == (
        doubtful.kind,
        repeated.kind,
        repeated.gateway_id,
    )
    assert 1 == len(double.delivered)


@pytest.mark.parametrize("kind", ["vmg"])
def test_outside_the_hours_messages_wait(start: Start, double: Dialect) -> None:
    """None is refused, and later each is taken."""
    assert isinstance(double, Vmg)
    gateway = start()
    double.is_open = False
    assert ["deferred"] * 2 == kinds(hand_over(gateway, some(2)))
    double.is_open = True
    assert ["accepted"] * 2 == kinds(hand_over(gateway, some(2)))


# -- VNPT ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vnpt"])
@pytest.mark.parametrize(
    "template",
    [
        TemplateUse("405", (("number", "0"), ("group", "A"))),
        TemplateUse("404", (("number", "0"),)),
    ],
    ids=["unknown", "too few"],
)
def test_a_template_that_is_not_vnpt_s_is_the_content_s_fault(
    start: Start, double: Dialect, template: TemplateUse
) -> None:
    """Nothing else is put in its place."""
    (outcome,) = hand_over(start(), [some(1)[0]._replace(template=template)])
    assert (OutcomeKind.REJECTED, Scope.CONTENT, "7") == (outcome.kind, outcome.scope, outcome.code)
    assert [] == double.delivered
