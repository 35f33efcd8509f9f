"""What every gateway promises, whatever is behind it: the suite that a new gateway joins first."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.gateways import file, simulated
from smsengine.gateways.base import (
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)

Open = Callable[..., Gateway]
BOOK = "book.jsonl"


def message(number: int) -> Outbound:
    return Outbound(
        reference=f"ref{number:05d}-1",
        address=f"+849{number:08d}",
        network="VinaPhone",
        text=f"Text {number}",
        segments=1,
    )


def some(count: int, start: int = 0) -> list[Outbound]:
    return [message(number) for number in range(start, start + count)]


@pytest.fixture(params=["file", "simulated"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kinds of gateways there are."""
    return str(request.param)


@pytest.fixture
def opened(kind: str, tmp_path: Path, clock: ManualClock) -> Iterator[Open]:
    """Open a gateway that keeps its book in a file; further options are its own."""
    with_us: list[Gateway] = []

    def open_one(**options: Any) -> Gateway:
        made: Gateway
        if kind == "file":
            made = file.FileGateway(file.Options(path=BOOK), tmp_path)
        else:
            played = simulated.Options.model_validate({"path": BOOK} | options)
            made = simulated.SimulatedGateway(played, tmp_path, clock)
        with_us.append(made)
        return made

    yield open_one
    for each in with_us:
        each.close()


def book(folder: Path) -> list[dict[str, Any]]:
    """What a gateway has taken, as its file says."""
    return [json.loads(line) for line in (folder / BOOK).read_text("ascii").splitlines()]


def kinds(outcomes: Sequence[Outcome]) -> list[OutcomeKind]:
    return [outcome.kind for outcome in outcomes]


@pytest.mark.parametrize("count", [0, 1, 2, 200, 1000])
def test_each_message_has_its_outcome(opened: Open, count: int) -> None:
    """A batch is answered one for one."""
    gateway = opened(refused="50%")
    assert min(count, gateway.capabilities.max_batch) == len(
        gateway.send(some(count)[: gateway.capabilities.max_batch])
    )


def test_outcomes_are_in_the_order_of_the_batch(opened: Open) -> None:
    """The third answer is the third message's."""
    gateway = opened(refused="50%")
    forward, backward = some(50), some(50)[::-1]
    outcomes = dict(zip([each.reference for each in forward], gateway.send(forward), strict=True))
    again = dict(zip([each.reference for each in backward], gateway.send(backward), strict=True))
    assert outcomes == again


def test_what_is_accepted_has_a_name(opened: Open) -> None:
    """A receipt can only be matched by the gateway's name for a message, and names differ."""
    names = [outcome.gateway_id for outcome in opened().send(some(20))]
    assert (20, True) == (len(set(names)), all(names))


def test_what_is_accepted_is_on_disk(opened: Open, tmp_path: Path) -> None:
    """Before a message counts as accepted, another reader finds it in the book."""
    gateway = opened()
    gateway.send(some(3))
    assert [("ref00000-1", "+84900000000", "Text 0", 1)] == [
        (line["reference"], line["to"], line["text"], line["segments"])
        for line in book(tmp_path)[:1]
    ]
    assert 3 == len(book(tmp_path))


def test_what_is_refused_is_not_in_the_book(opened: Open, kind: str, tmp_path: Path) -> None:
    """The book holds what was accepted and nothing else, in order."""
    batch = some(100)
    outcomes = opened(refused="30%").send(batch)
    accepted = [
        each.reference
        for each, outcome in zip(batch, outcomes, strict=True)
        if outcome.kind is OutcomeKind.ACCEPTED
    ]
    assert accepted == [line["reference"] for line in book(tmp_path)]
    assert (kind == "file") == (len(accepted) == 100)


def test_a_query_knows_what_was_taken(opened: Open) -> None:
    """Asked for a message that it took, a gateway answers as it answered then."""
    gateway = opened()
    outcomes = list(gateway.send(some(5)))
    assert outcomes == list(gateway.query([each.reference for each in some(5)]))


def test_a_query_knows_what_was_never_taken(opened: Open) -> None:
    """Only a message that was surely never taken may be sent again: the answer is None."""
    opened().close()
    gateway = opened()
    gateway.send(some(1))
    assert [None, None] == list(gateway.query(["ref00007-1", "ref00000-2"]))


def test_a_query_answers_in_order(opened: Open) -> None:
    """Answers come one for one, in the order of the questions, also for a name asked twice."""
    opened().close()
    gateway = opened()
    gateway.send(some(3))
    names = ["ref00002-1", "none-1", "ref00000-1", "ref00002-1"]
    answers = gateway.query(names)
    assert [True, False, True, True] == [answer is not None for answer in answers]
    assert answers[0] == answers[3] != answers[2]


def test_a_file_that_was_taken_away_proves_nothing(opened: Open) -> None:
    """Of a file that is new nobody can say what an earlier one held: unknown stays unknown."""
    answers = opened().query(["ref00000-1"])
    assert [OutcomeKind.UNKNOWN] == [answer.kind for answer in answers if answer is not None]


def test_a_query_for_nothing(opened: Open) -> None:
    """No question, no answer."""
    assert [] == list(opened().query([]))


def test_a_query_after_a_restart(opened: Open) -> None:
    """What an earlier process handed over is known to the next one."""
    first = opened()
    first.send(some(2))
    first.close()
    assert [True, False] == [
        answer is not None for answer in opened().query(["ref00001-1", "ref00002-1"])
    ]


@pytest.mark.parametrize(
    "torn",
    ['{"reference": "ref00', '{"reference": "ref00002-1", "to": "+849"}', "{", "x" * 10_000],
    ids=["half", "no end of line", "one letter", "longer than a block"],
)
def test_a_torn_last_line_is_mended(opened: Open, tmp_path: Path, torn: str) -> None:
    """Half a line of a process that died never counted, and the next line begins anew."""
    first = opened()
    first.send(some(2))
    first.close()
    with (tmp_path / BOOK).open("a", encoding="ascii") as lines:
        lines.write(torn)
    second = opened()
    assert [None] == list(second.query(["ref00002-1"]))
    second.send(some(1, start=2))
    assert ["ref00000-1", "ref00001-1", "ref00002-1"] == [
        line["reference"] for line in book(tmp_path)
    ]


def test_a_book_of_nothing_but_half_a_line_is_mended(opened: Open, tmp_path: Path) -> None:
    """The first batch ever may be the one that was cut."""
    (tmp_path / BOOK).write_text('{"reference": "ref', encoding="ascii")
    opened().send(some(1))
    assert ["ref00000-1"] == [line["reference"] for line in book(tmp_path)]


def test_a_whole_book_is_not_touched(opened: Open, tmp_path: Path) -> None:
    """Opening a gateway loses no line."""
    first = opened()
    first.send(some(300))
    first.close()
    before = (tmp_path / BOOK).read_bytes()
    opened()
    assert before == (tmp_path / BOOK).read_bytes()


def test_a_full_disk_is_no_acceptance(kind: str, tmp_path: Path) -> None:
    """A batch that the disk takes only in part is an error, and never a list of acceptances."""
    program = f"""
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from smsengine.clock import ManualClock
from smsengine.gateways import file, simulated
from tests.contracts.test_gateway_contract import some
folder = Path(sys.argv[1])
gateway = (
    file.FileGateway(file.Options(path={BOOK!r}), folder)
    if {kind!r} == "file"
    else simulated.SimulatedGateway(
        simulated.Options(path={BOOK!r}), folder, ManualClock(datetime.now(UTC))
    )
)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    print(len(gateway.send(some(100))))
except OSError as error:
    print(type(error).__name__)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=root,
        check=True,
    )
    assert "OSError" == done.stdout.strip()


def test_texts_of_any_letters_survive(opened: Open, tmp_path: Path) -> None:
    """Quotes and backslashes in a text do not break the book."""
    text = 'A "B" \\ {"reference": "x"}'
    odd = Outbound(reference="odd-1", address="+84900000000", network="", text=text, segments=1)
    opened().send([odd])
    assert [text] == [line["text"] for line in book(tmp_path)]


def test_a_fate_depends_on_nothing_else(opened: Open) -> None:
    """Sent in another batch, in another order or once more, a message has the same outcome."""
    gateway = opened(refused="50%")
    at_once = kinds(gateway.send(some(40)))
    one_by_one = [gateway.send([each])[0].kind for each in some(40)]
    assert at_once == one_by_one


def test_receipts_speak_of_accepted_messages(opened: Open) -> None:
    """Every receipt carries the name that an answer gave before."""
    gateway = opened(refused="20%", undelivered="20%", silent="20%")
    names = {outcome.gateway_id for outcome in gateway.send(some(200))}
    assert {receipt.gateway_id for receipt in gateway.receipts()} <= names - {None}


def test_receipts_come_once(opened: Open) -> None:
    """What was reported is not reported again by the same process."""
    gateway = opened()
    gateway.send(some(5))
    gateway.receipts()
    assert [] == list(gateway.receipts())


def test_receipts_are_as_the_sheet_says(opened: Open) -> None:
    """A gateway that says it has receipts gives one for each message, and another gives none."""
    gateway = opened()
    gateway.send(some(5))
    assert (5 if gateway.capabilities.has_receipts else 0) == len(gateway.receipts())


def test_a_closed_gateway_can_be_opened_again(opened: Open, tmp_path: Path) -> None:
    """Nothing of one process is in the way of the next."""
    for start in range(3):
        with closing(opened()) as gateway:
            gateway.send(some(1, start))
    assert 3 == len(book(tmp_path))


# -- the simulated one -----------------------------------------------------------------------------


@pytest.fixture
def play(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., simulated.SimulatedGateway]]:
    """Open a simulated gateway in a folder of its own."""
    with_us: list[simulated.SimulatedGateway] = []

    def open_one(folder: str = "a", **options: Any) -> simulated.SimulatedGateway:
        played = simulated.Options.model_validate({"path": f"{folder}/{BOOK}"} | options)
        with_us.append(simulated.SimulatedGateway(played, tmp_path, clock))
        return with_us[-1]

    yield open_one
    for each in with_us:
        each.close()


def received(gateway: simulated.SimulatedGateway) -> list[Receipt]:
    """All receipts that there are by now."""
    found: list[Receipt] = []
    while more := gateway.receipts():
        found += more
    return found


def test_the_same_seed_gives_the_same_fate(play: Callable[..., Any]) -> None:
    """A run that was killed and started again ends like one that was not."""
    shares = {"refused": "30%", "undelivered": "30%", "silent": "30%"}
    one, other = play("a", seed="7", **shares), play("b", seed="7", **shares)
    assert one.send(some(200)) == other.send(some(200))
    assert received(one) == received(other)


def test_another_seed_gives_another_fate(play: Callable[..., Any]) -> None:
    """The seed decides, and not the message alone."""
    one, other = play("a", seed="7", refused="50%"), play("b", seed="8", refused="50%")
    assert kinds(one.send(some(100))) != kinds(other.send(some(100)))


@pytest.mark.parametrize(
    ("share", "least", "most"), [("0%", 0, 0), ("30%", 250, 350), ("100%", 1000, 1000)]
)
def test_about_as_many_are_refused_as_asked_for(
    play: Callable[..., Any], share: str, least: int, most: int
) -> None:
    """A share is kept, and nothing and everything are exact."""
    outcomes = play(refused=share).send(some(1000))
    assert least <= kinds(outcomes).count(OutcomeKind.REJECTED) <= most


def test_refusals_are_the_recipient_s(play: Callable[..., Any]) -> None:
    """A refused number is no fault of the account, and has a code and a sentence."""
    (outcome,) = play(refused="100%").send(some(1))
    assert (Scope.RECIPIENT, "13", True) == (outcome.scope, outcome.code, bool(outcome.detail))


@pytest.mark.parametrize(
    ("shares", "statuses"),
    [
        ({}, {ReceiptStatus.DELIVERED}),
        ({"undelivered": "100%"}, {ReceiptStatus.UNDELIVERED}),
        ({"silent": "100%"}, set()),
        ({"undelivered": "50%"}, set(ReceiptStatus) - {ReceiptStatus.IN_TRANSIT}),
    ],
)
def test_receipts_follow_the_shares(
    play: Callable[..., Any], shares: dict[str, str], statuses: set[ReceiptStatus]
) -> None:
    """Delivered, undelivered or silent, as the options say."""
    gateway = play(**shares)
    gateway.send(some(100))
    assert statuses == {receipt.status for receipt in received(gateway)}


def test_receipts_of_an_earlier_process_come_too(play: Callable[..., Any]) -> None:
    """After a restart nobody's receipt is forgotten."""
    first = play()
    first.send(some(3))
    first.close()
    assert 3 == len(received(play()))


def test_receipts_of_a_long_run_come_bit_by_bit(play: Callable[..., Any]) -> None:
    """Thousands of receipts do not come in one piece, and all of them come."""
    gateway = play()
    gateway.send(some(1200))
    pieces = [len(gateway.receipts()) for _ in range(4)]
    assert (1200, True) == (sum(pieces), max(pieces) < 1200)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 0),
        ({"latency_ms": "250"}, 0.25),
        ({"per_second": "50"}, 2),
        ({"per_second": "50", "latency_ms": "3000"}, 3),
        ({"per_second": "1000", "latency_ms": "20"}, 0.1),
    ],
)
def test_it_takes_its_time(
    play: Callable[..., Any], clock: ManualClock, options: dict[str, str], seconds: float
) -> None:
    """Latency and rate are played on the clock that was given."""
    before = clock.now()
    play(**options).send(some(100))
    assert seconds == (clock.now() - before).total_seconds()


def test_shares_are_read_with_their_sign() -> None:
    """The options are those of a YAML file."""
    options = simulated.Options.model_validate({"refused": "1%", "seed": "3"})
    assert (Decimal("0.01"), 3) == (options.refused, options.seed)
