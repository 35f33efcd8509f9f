"""Kind http against an unkind vendor: what an outcome says is true of what was really delivered.

The double's ledger is the oracle. An outcome that lets the engine send again is only right where
nothing was delivered; one that counts as taken only where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.errors import GatewayError
from smsengine.gateways import http
from smsengine.gateways.base import Gateway, Outbound, Outcome, OutcomeKind, Receipt, Scope
from tests.doubles.http_gateway import Double
from tests.doubles.site import site
from tests.unit.gateways.table_options import BATCH, options, questions, secrets

Faults = Mapping[str, Any]
Start = Callable[..., Gateway]
SURELY_NOT = {
    OutcomeKind.REJECTED,
    OutcomeKind.THROTTLED,
    OutcomeKind.DEFERRED,
    OutcomeKind.TRANSIENT,
}
SURELY = {OutcomeKind.ACCEPTED}
LONG = {"seconds": 20}
NAMES = [f"r{number}-1" for number in range(8)]
UNKNOWN = (OutcomeKind.UNKNOWN, None)
ACCEPTED = (OutcomeKind.ACCEPTED, None)


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with Double(tmp_path / "ledger.jsonl") as started:
        secrets(tmp_path, started.key)
        yield started


@pytest.fixture(params=["requests", "curl"])
def start(
    request: pytest.FixtureRequest, double: Double, tmp_path: Path, clock: ManualClock
) -> Iterator[Start]:
    """Open a gateway to the double; changes are those of its options."""
    made: list[Gateway] = []

    def open_one(**changes: Any) -> Gateway:
        asked = questions(double.url) | {"transport": request.param} | changes
        table = options(tmp_path, double.url, **asked)
        made.append(http.KIND.open(table, site(tmp_path, clock)))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def messages() -> list[Outbound]:
    return [
        Outbound(reference=name, address=f"+8491{at:07d}", network="", text="Text", segments=1)
        for at, name in enumerate(NAMES)
    ]


def send(gateway: Gateway) -> Sequence[Outcome]:
    return gateway.send(messages(), lambda _: True)


def delivered(double: Double) -> Counter[str]:
    return Counter(line["ref"] for line in double.ledger())


def meant(outcomes: Sequence[Outcome]) -> set[tuple[OutcomeKind, Scope | None]]:
    return {(outcome.kind, outcome.scope) for outcome in outcomes}


OF_REQUESTS: list[tuple[str, Faults, tuple[OutcomeKind, Scope | None], bool]] = [
    ("accept-then-drop", {}, UNKNOWN, True),
    ("accept-then-stall", LONG, UNKNOWN, True),
    ("drop", {}, UNKNOWN, False),
    ("stall", LONG, UNKNOWN, False),
    ("error-after-accept", {}, UNKNOWN, True),
    ("error", {}, UNKNOWN, False),
    ("unavailable", {}, UNKNOWN, False),
    ("html", {}, UNKNOWN, True),
    ("html-not-delivered", {}, UNKNOWN, False),
    ("half-answer", {}, UNKNOWN, True),
    ("slow-drip", {"seconds": 0.2}, UNKNOWN, True),
    ("throttle", {}, (OutcomeKind.THROTTLED, None), False),
]
OF_MESSAGES: list[tuple[str, tuple[OutcomeKind, Scope | None]]] = [
    ("refuse-number", (OutcomeKind.REJECTED, Scope.RECIPIENT)),
    ("refuse-content", (OutcomeKind.REJECTED, Scope.CONTENT)),
    ("refuse-sender", (OutcomeKind.REJECTED, Scope.SENDER)),
    ("try-later", (OutcomeKind.TRANSIENT, None)),
    ("defer", (OutcomeKind.DEFERRED, None)),
]
FORMS = [pytest.param({}, id="one by one"), pytest.param(BATCH, id="batch")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("fault", "rule", "expected", "really"), OF_REQUESTS, ids=[each[0] for each in OF_REQUESTS]
)
def test_whatever_happens_to_a_request_has_its_outcome(
    double: Double,
    start: Start,
    form: dict[str, Any],
    fault: str,
    rule: Faults,
    expected: tuple[OutcomeKind, Scope | None],
    *,
    really: bool,
) -> None:
    """Each fault is told as what can be known of it, and nothing is delivered twice."""
    double.control(faults={fault: rule})
    outcomes = send(start(**form, read_timeout_seconds="1"))
    assert {expected} == meant(outcomes)
    assert Counter(NAMES if really else []) == delivered(double)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("fault", "expected"), OF_MESSAGES)
def test_whatever_happens_to_a_message_has_its_outcome(
    double: Double,
    start: Start,
    form: dict[str, Any],
    fault: str,
    expected: tuple[OutcomeKind, Scope | None],
) -> None:
    """What the vendor refuses is refused for those that it names, and for no others."""
    double.control(faults={fault: {"refs": NAMES[:3]}})
    outcomes = send(start(**form))
    assert ({expected}, {ACCEPTED}) == (meant(outcomes[:3]), meant(outcomes[3:]))
    assert Counter(NAMES[3:]) == delivered(double)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("partial-drop", [OutcomeKind.UNKNOWN] * 8),
        ("missing-results", [OutcomeKind.ACCEPTED] * 4 + [OutcomeKind.UNKNOWN] * 4),
        ("missing-results-not-delivered", [OutcomeKind.ACCEPTED] * 4 + [OutcomeKind.UNKNOWN] * 4),
        ("reversed-results", [OutcomeKind.ACCEPTED] * 8),
    ],
)
def test_half_a_batch_is_told_apart(
    double: Double, start: Start, fault: str, kinds: list[OutcomeKind]
) -> None:
    """Of a batch that was answered in part, only what was answered is known."""
    double.control(faults={fault: {}})
    assert kinds == [outcome.kind for outcome in send(start(**BATCH))]


@pytest.mark.parametrize("form", FORMS)
def test_outcomes_are_true_under_every_fault_at_once(
    double: Double, start: Start, form: dict[str, Any]
) -> None:
    """What surely was not taken was not delivered, and what was taken was, once for each time."""
    menu = {name: {"share": 0.08} for name, rule, *_ in OF_REQUESTS if not rule}
    menu |= {name: {"share": 0.08} for name, _ in OF_MESSAGES}
    menu |= {name: {"share": 0.1} for name in ("partial-drop", "missing-results")} if form else {}
    double.control(faults=menu)
    gateway = start(**form, read_timeout_seconds="1")
    said: dict[str, list[OutcomeKind]] = {name: [] for name in NAMES}
    for _ in range(20):
        for name, outcome in zip(NAMES, send(gateway), strict=True):
            said[name].append(outcome.kind)
    for name, times in delivered(double).items():
        taken = sum(kind in SURELY for kind in said[name])
        doubtful = sum(kind is OutcomeKind.UNKNOWN for kind in said[name])
        assert taken <= times <= taken + doubtful
    assert len({kind for kinds in said.values() for kind in kinds}) > 3


@pytest.mark.parametrize("form", FORMS)
def test_a_query_tells_what_was_in_doubt(
    double: Double, start: Start, form: dict[str, Any]
) -> None:
    """Asked afterwards, the vendor says of each message whether it has it."""
    double.control(faults={"accept-then-drop": {"refs": NAMES[:1]}, "drop": {"refs": NAMES[1:2]}})
    gateway = start(**form)
    send(gateway)
    known = delivered(double)
    answers = gateway.query(NAMES)
    assert [name in known for name in NAMES] == [answer is not None for answer in answers]


def test_a_vendor_that_is_away_took_nothing(double: Double, start: Start) -> None:
    """While nobody listens, every message may be tried again; later it is taken once."""
    gateway = start()
    send(gateway)
    double.stop()
    assert {OutcomeKind.TRANSIENT} == {outcome.kind for outcome in send(gateway)}
    double.start()
    send(gateway)
    assert Counter(NAMES * 2) == delivered(double)


def test_a_known_reference_is_a_duplicate(double: Double, start: Start) -> None:
    """A vendor that remembers references says so, and delivers once."""
    double.control(dedup_seconds=3600)
    gateway = start()
    send(gateway)
    assert {(OutcomeKind.DUPLICATE, None)} == meant(send(gateway))
    assert Counter(NAMES) == delivered(double)


def test_an_empty_account_is_the_account_s(double: Double, start: Start) -> None:
    """When the money runs out in the middle, the rest keeps its place."""
    double.control(balance=3)
    outcomes = send(start(**BATCH))
    assert ({ACCEPTED}, {(OutcomeKind.REJECTED, Scope.ACCOUNT)}) == (
        meant(outcomes[:3]),
        meant(outcomes[3:]),
    )
    assert 3 == len(double.ledger())


def test_a_wrong_key_is_the_account_s(double: Double, start: Start, tmp_path: Path) -> None:
    """A key that is refused is no message's fault."""
    secrets(tmp_path, "another key")
    assert {(OutcomeKind.REJECTED, Scope.ACCOUNT)} == meant(send(start()))
    assert [] == double.ledger()


def test_a_rate_that_is_exceeded_says_for_how_long(double: Double, start: Start) -> None:
    """A vendor that asks for a pause is understood."""
    double.control(faults={"throttle": {"seconds": 7}})
    assert {7.0} == {outcome.retry_after_seconds for outcome in send(start())}


def test_a_deferred_message_says_until_when(double: Double, start: Start) -> None:
    """The vendor's time, with its zone, becomes ours."""
    double.control(faults={"defer": {"not_before": "2026-11-06T06:00:00+07:00"}})
    expected = datetime(2026, 11, 5, 23, 0, tzinfo=UTC)
    assert {expected} == {outcome.not_before for outcome in send(start())}


@pytest.mark.parametrize("path", ["/status", "/balance", "/receipts"])
@pytest.mark.parametrize("fault", ["drop", "error", "html-not-delivered", "half-answer"])
def test_a_question_that_fails_proves_nothing(
    double: Double, start: Start, path: str, fault: str
) -> None:
    """Without a whole answer no message is free to go again, and no receipt is lost."""
    gateway = start()
    send(gateway)
    double.control(faults={fault: {"path": path}})
    if path == "/status":
        answers = gateway.query([*NAMES, "never-1"])
        assert {OutcomeKind.UNKNOWN} == {answer.kind for answer in answers if answer is not None}
        assert None not in answers
    elif path == "/receipts":
        assert [] == list(gateway.receipts())
        double.control(faults={})
        assert set(NAMES) == {receipt.reference for receipt in gateway.receipts()}
    else:
        with pytest.raises(GatewayError, match=r"127\.0\.0\.1"):
            gateway.balance()


def fetched(gateway: Gateway) -> Sequence[Receipt]:
    """The receipts that are there, as whoever keeps them takes them."""
    found = gateway.receipts()
    gateway.stored(found)
    return found


def test_receipts_come_page_by_page(double: Double, start: Start) -> None:
    """A vendor that tells a few at a time is asked on from where it ended."""
    double.control(receipts_at_once=3)
    with closing(start()) as gateway:
        send(gateway)
        pages = [[each.reference for each in fetched(gateway)] for _ in range(4)]
    assert ([3, 3, 2, 0], sorted(NAMES)) == (
        [len(page) for page in pages],
        sorted(name for page in pages for name in page),
    )
