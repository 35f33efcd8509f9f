"""What every gateway promises, whatever is behind it: the suite that a new gateway joins first."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsengine.clock import ManualClock
from smsengine.gateways import file, http, simulated
from smsengine.gateways.base import (
    HELD_BACK,
    Balance,
    Callback,
    Clearance,
    Gateway,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from tests.doubles.http_gateway import Double
from tests.doubles.site import site
from tests.unit.gateways.table_options import BATCH, options, questions, secrets

Open = Callable[..., Gateway]
#: What was taken, as reference, number and text.
Book = Callable[[], list[tuple[str, str, str]]]
BOOK = "book.jsonl"
FILES = ("file", "simulated")
KINDS = (*FILES, "http", "http-batch")


def message(number: int) -> Outbound:
    return Outbound(
        reference=reference(number),
        address=f"+849{number:08d}",
        network="VinaPhone",
        text=f"Text {number}",
        segments=1,
    )


def reference(number: int) -> str:
    return f"ref{number:05d}-1"


def some(count: int, start: int = 0) -> list[Outbound]:
    return [message(number) for number in range(start, start + count)]


def cleared(_messages: Sequence[Outbound]) -> bool:
    return True


def hand_over(
    gateway: Gateway, messages: Sequence[Outbound], clear: Clearance = cleared
) -> list[Outcome]:
    """Send in batches as large as the sheet allows."""
    most = gateway.capabilities.max_batch
    batches = [messages[start : start + most] for start in range(0, len(messages), most)]
    return [outcome for batch in batches for outcome in gateway.send(batch, clear)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kinds of gateways there are."""
    return str(request.param)


@pytest.fixture
def vendor(kind: str, tmp_path: Path) -> Iterator[Double | None]:
    """Who is behind a gateway that only carries messages to somebody."""
    if kind in FILES:
        yield None
        return
    with Double(tmp_path / "ledger.jsonl") as double:
        secrets(tmp_path, double.key)
        yield double


@pytest.fixture
def opened(kind: str, vendor: Double | None, tmp_path: Path, clock: ManualClock) -> Iterator[Open]:
    """Open a gateway; ``refused`` is a share of messages, further options are its own."""
    with ExitStack() as stack:

        def open_one(**given: Any) -> Gateway:
            made = _make(kind, vendor, tmp_path, clock, given)
            return stack.enter_context(closing(made))

        yield open_one


def _make(
    kind: str, vendor: Double | None, folder: Path, clock: ManualClock, given: dict[str, Any]
) -> Gateway:
    if kind == "file":
        return file.FileGateway(file.Options(path=BOOK), folder)
    if vendor is None:
        played = simulated.Options.model_validate({"path": BOOK} | given)
        return simulated.SimulatedGateway(played, folder, clock)
    share = int(given.get("refused", "0%")[:-1])
    refused = [reference(number) for number in range(1000) if number * 37 % 100 < share]
    vendor.control(faults={"refuse-number": {"refs": refused}})
    table = options(
        folder, vendor.url, **questions(vendor.url), **(BATCH if kind == "http-batch" else {})
    )
    return http.KIND.open(table, site(folder, clock))


@pytest.fixture
def book(vendor: Double | None, tmp_path: Path) -> Book:
    """What was taken, from the other side's own papers."""

    def read() -> list[tuple[str, str, str]]:
        if vendor is not None:
            return [(line["ref"], f"+{line['to']}", line["text"]) for line in vendor.ledger()]
        return [(line["reference"], line["to"], line["text"]) for line in lines(tmp_path)]

    return read


def lines(folder: Path) -> list[dict[str, Any]]:
    """The lines of a gateway that keeps its book in a file."""
    return [json.loads(line) for line in (folder / BOOK).read_text("ascii").splitlines()]


def entry(sent: Outbound) -> tuple[str, str, str]:
    return sent.reference, sent.address, sent.text


def kinds(outcomes: Sequence[Outcome]) -> list[OutcomeKind]:
    return [outcome.kind for outcome in outcomes]


in_files = pytest.mark.parametrize("kind", FILES, indirect=True)


# -- sending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 200, 1000])
def test_each_message_has_its_outcome(opened: Open, count: int) -> None:
    """A batch is answered one for one."""
    gateway = opened(refused="50%")
    batch = some(count)[: gateway.capabilities.max_batch]
    assert len(batch) == len(gateway.send(batch, cleared))


def test_outcomes_are_in_the_order_of_the_batch(opened: Open) -> None:
    """The third answer is the third message's."""
    gateway = opened(refused="50%")
    forward, backward = some(50), some(50)[::-1]
    assert kinds(hand_over(gateway, forward)) == kinds(hand_over(gateway, backward))[::-1]


def test_what_is_accepted_has_a_name(opened: Open) -> None:
    """A receipt can only be matched by the gateway's name for a message, and names differ."""
    names = [outcome.gateway_id for outcome in hand_over(opened(), some(20))]
    assert (20, True) == (len(set(names)), all(names))


def test_what_is_accepted_was_taken(opened: Open, book: Book) -> None:
    """Before a message counts as accepted, the other side has it in its book."""
    hand_over(opened(), some(3))
    assert [entry(message(number)) for number in range(3)] == book()


def test_what_is_refused_is_not_in_the_book(opened: Open, kind: str, book: Book) -> None:
    """The book holds what was accepted and nothing else, in order."""
    batch = some(100)
    outcomes = hand_over(opened(refused="30%"), batch)
    accepted = [
        entry(each)
        for each, outcome in zip(batch, outcomes, strict=True)
        if outcome.kind is OutcomeKind.ACCEPTED
    ]
    assert accepted == book()
    assert (kind == "file") == (len(accepted) == 100)


def test_texts_of_any_letters_survive(opened: Open, book: Book) -> None:
    """Quotes and backslashes in a text do not break the book."""
    text = 'A "B" \\ {"reference": "x"} {to}'
    odd = Outbound(reference="odd-1", address="+84900000000", network="", text=text, segments=1)
    hand_over(opened(), [odd])
    assert [entry(odd)] == book()


def test_a_fate_depends_on_nothing_else(opened: Open) -> None:
    """Sent in another batch, in another order or once more, a message has the same outcome."""
    gateway = opened(refused="50%")
    at_once = kinds(hand_over(gateway, some(40)))
    one_by_one = [kinds(gateway.send([each], cleared))[0] for each in some(40)]
    assert at_once == one_by_one


def test_several_threads_may_send_at_once(opened: Open, book: Book) -> None:
    """Whoever hands over, and when, each message is taken once and has its own answer."""
    gateway = opened()
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(
            target=lambda start=start: outcomes.extend(hand_over(gateway, some(20, start)))
        )
        for start in range(0, 160, 20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [OutcomeKind.ACCEPTED] * 160 == kinds(outcomes)
    assert (160, [entry(each) for each in some(160)]) == (
        len({outcome.gateway_id for outcome in outcomes}),
        sorted(book()),
    )


# -- clearance -------------------------------------------------------------------------------------


def test_clearance_is_asked_once_for_each_message(opened: Open) -> None:
    """Each message is asked for once, however messages are put together."""
    asked: list[str] = []

    def clear(messages: Sequence[Outbound]) -> bool:
        asked.extend(each.reference for each in messages)
        return True

    hand_over(opened(refused="30%"), some(20), clear)
    assert [reference(number) for number in range(20)] == sorted(asked)


def test_clearance_is_asked_before_anything_leaves(opened: Open, book: Book) -> None:
    """When a message is asked for, the other side does not have it yet."""
    too_early: list[str] = []

    def clear(messages: Sequence[Outbound]) -> bool:
        taken = {name for name, _, _ in book()}
        too_early.extend(each.reference for each in messages if each.reference in taken)
        return True

    hand_over(opened(), some(10), clear)
    assert (10, []) == (len(book()), too_early)


def test_what_is_not_cleared_does_not_leave(opened: Open, book: Book) -> None:
    """A no keeps every byte here, and the outcome says so."""
    outcomes = hand_over(opened(refused="30%"), some(20), lambda _: False)
    assert ([HELD_BACK] * 20, []) == (outcomes, book())


def test_a_no_holds_for_those_it_was_said_of(opened: Open, book: Book) -> None:
    """What was cleared is taken, also beside what was not."""
    gateway = opened()
    held: list[str] = []

    def clear(messages: Sequence[Outbound]) -> bool:
        if any(each.reference == reference(4) for each in messages):
            held.extend(each.reference for each in messages)
            return False
        return True

    batches = [some(4), some(4, 4), some(4, 8)]
    outcomes = [each for batch in batches for each in hand_over(gateway, batch, clear)]
    names = [each.reference for batch in batches for each in batch]
    assert held == [
        name for name, outcome in zip(names, outcomes, strict=True) if outcome == HELD_BACK
    ]
    assert [name for name in names if name not in held] == [name for name, _, _ in book()]


def test_what_was_held_back_can_be_sent_later(opened: Open, book: Book) -> None:
    """A message that got no clearance is as it was."""
    gateway = opened()
    hand_over(gateway, some(3), lambda _: False)
    assert [OutcomeKind.ACCEPTED] * 3 == kinds(hand_over(gateway, some(3)))
    assert [entry(each) for each in some(3)] == book()


# -- asking ----------------------------------------------------------------------------------------


def test_it_says_that_it_can_be_used(opened: Open) -> None:
    """Whoever checks a gateway that works reads a few words, and nothing is sent."""
    assert opened().check()


def test_a_query_knows_what_was_taken(opened: Open) -> None:
    """Asked for a message that it took, a gateway answers as it answered then."""
    gateway = opened()
    outcomes = hand_over(gateway, some(5))
    assert outcomes == list(gateway.query([each.reference for each in some(5)]))


def test_a_query_knows_what_was_never_taken(opened: Open) -> None:
    """Only a message that was surely never taken may be sent again: the answer is None."""
    opened().close()
    gateway = opened()
    hand_over(gateway, some(1))
    assert [None, None] == list(gateway.query(["ref00007-1", "ref00000-2"]))


def test_a_query_answers_in_order(opened: Open) -> None:
    """Answers come one for one, in the order of the questions, also for a name asked twice."""
    opened().close()
    gateway = opened()
    hand_over(gateway, some(3))
    names = ["ref00002-1", "none-1", "ref00000-1", "ref00002-1"]
    answers = gateway.query(names)
    assert [True, False, True, True] == [answer is not None for answer in answers]
    assert answers[0] == answers[3] != answers[2]


def test_a_query_for_nothing(opened: Open) -> None:
    """No question, no answer."""
    assert [] == list(opened().query([]))


def test_a_query_after_a_restart(opened: Open) -> None:
    """What an earlier process handed over is known to the next one."""
    first = opened()
    hand_over(first, some(2))
    first.close()
    assert [True, False] == [
        answer is not None for answer in opened().query(["ref00001-1", "ref00002-1"])
    ]


def test_a_balance_is_as_the_sheet_says(opened: Open) -> None:
    """A gateway that says it has a balance tells one, and another has none to tell."""
    gateway = opened()
    if gateway.capabilities.has_balance:
        assert isinstance(gateway.balance(), Balance)
    else:
        with pytest.raises(NotImplementedError):
            gateway.balance()


# -- receipts --------------------------------------------------------------------------------------


def test_receipts_speak_of_accepted_messages(opened: Open) -> None:
    """Every receipt carries the name that an answer gave before."""
    gateway = opened(refused="20%", undelivered="20%", silent="20%")
    names = {outcome.gateway_id for outcome in hand_over(gateway, some(200))}
    assert {receipt.gateway_id for receipt in gateway.receipts()} <= names - {None}


def test_receipts_come_once(opened: Open) -> None:
    """What is in the ledger is not reported again by the same process."""
    gateway = opened()
    hand_over(gateway, some(5))
    gateway.stored(gateway.receipts())
    assert [] == list(gateway.receipts())


def test_receipts_are_as_the_sheet_says(opened: Open) -> None:
    """A gateway that says it has receipts gives one for each message, and another gives none."""
    gateway = opened()
    hand_over(gateway, some(5))
    assert (5 if gateway.capabilities.has_receipts else 0) == len(gateway.receipts())


def test_a_callback_of_nobody_is_not_believed(opened: Open) -> None:
    """Whoever does not know the token is not the vendor, and says nothing that can be read."""
    gateway = opened()
    nobody = Callback(method="POST", headers={"X-Token": "guessed"}, body=b"{}")
    assert not gateway.verify_callback(nobody)
    with pytest.raises(ValueError, match=r"."):
        gateway.parse_callback(nobody)


def test_a_closed_gateway_can_be_opened_again(opened: Open, book: Book) -> None:
    """Nothing of one process is in the way of the next."""
    for start in range(3):
        with closing(opened()) as gateway:
            hand_over(gateway, some(1, start))
    assert 3 == len(book())


# -- those that keep their book in a file ----------------------------------------------------------


@in_files
def test_a_line_says_all_that_was_handed_over(opened: Open, tmp_path: Path) -> None:
    """Whoever hands the file on has number, text and segments of each message."""
    hand_over(opened(), some(1))
    assert [{"reference": "ref00000-1", "to": "+84900000000", "text": "Text 0", "segments": 1}] == (
        lines(tmp_path)
    )


@in_files
def test_a_file_that_was_taken_away_proves_nothing(opened: Open) -> None:
    """Of a file that is new nobody can say what an earlier one held: unknown stays unknown."""
    answers = opened().query(["ref00000-1"])
    assert [OutcomeKind.UNKNOWN] == [answer.kind for answer in answers if answer is not None]


@in_files
@pytest.mark.parametrize(
    "torn",
    ['{"reference": "ref00', '{"reference": "ref00002-1", "to": "+849"}', "{", "x" * 10_000],
    ids=["half", "no end of line", "one letter", "longer than a block"],
)
def test_a_torn_last_line_is_mended(opened: Open, tmp_path: Path, torn: str) -> None:
    """Half a line of a process that died never counted, and the next line begins anew."""
    first = opened()
    hand_over(first, some(2))
    first.close()
    with (tmp_path / BOOK).open("a", encoding="ascii") as torn_file:
        torn_file.write(torn)
    second = opened()
    assert [None] == list(second.query(["ref00002-1"]))
    hand_over(second, some(1, start=2))
    assert ["ref00000-1", "ref00001-1", "ref00002-1"] == [
        line["reference"] for line in lines(tmp_path)
    ]


@in_files
def test_a_book_of_nothing_but_half_a_line_is_mended(opened: Open, tmp_path: Path) -> None:
    """The first batch ever may be the one that was cut."""
    (tmp_path / BOOK).write_text('{"reference": "ref', encoding="ascii")
    hand_over(opened(), some(1))
    assert ["ref00000-1"] == [line["reference"] for line in lines(tmp_path)]


@in_files
def test_a_whole_book_is_not_touched(opened: Open, tmp_path: Path) -> None:
    """Opening a gateway loses no line."""
    first = opened()
    hand_over(first, some(300))
    first.close()
    before = (tmp_path / BOOK).read_bytes()
    opened()
    assert before == (tmp_path / BOOK).read_bytes()


@in_files
def test_a_full_disk_is_no_acceptance(kind: str, tmp_path: Path) -> None:
    """A batch that the disk takes only in part is an error, and never a list of acceptances."""
    program = f"""
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from smsengine.clock import ManualClock
from smsengine.gateways import file, simulated
from tests.contracts.test_gateway_contract import cleared, some
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
    print(len(gateway.send(some(100), cleared)))
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
    assert one.send(some(200), cleared) == other.send(some(200), cleared)
    assert received(one) == received(other)


def test_another_seed_gives_another_fate(play: Callable[..., Any]) -> None:
    """The seed decides, and not the message alone."""
    one, other = play("a", seed="7", refused="50%"), play("b", seed="8", refused="50%")
    assert kinds(one.send(some(100), cleared)) != kinds(other.send(some(100), cleared))


@pytest.mark.parametrize(
    ("share", "least", "most"), [("0%", 0, 0), ("30%", 250, 350), ("100%", 1000, 1000)]
)
def test_about_as_many_are_refused_as_asked_for(
    play: Callable[..., Any], share: str, least: int, most: int
) -> None:
    """A share is kept, and nothing and everything are exact."""
    outcomes = play(refused=share).send(some(1000), cleared)
    assert least <= kinds(outcomes).count(OutcomeKind.REJECTED) <= most


def test_refusals_are_the_recipient_s(play: Callable[..., Any]) -> None:
    """A refused number is no fault of the account, and has a code and a sentence."""
    (outcome,) = play(refused="100%").send(some(1), cleared)
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
    gateway.send(some(100), cleared)
    assert statuses == {receipt.status for receipt in received(gateway)}


def test_receipts_of_an_earlier_process_come_too(play: Callable[..., Any]) -> None:
    """After a restart nobody's receipt is forgotten."""
    first = play()
    first.send(some(3), cleared)
    first.close()
    assert 3 == len(received(play()))


def test_receipts_of_a_long_run_come_bit_by_bit(play: Callable[..., Any]) -> None:
    """Thousands of receipts do not come in one piece, and all of them come."""
    gateway = play()
    gateway.send(some(1200), cleared)
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
    play(**options).send(some(100), cleared)
    assert seconds == (clock.now() - before).total_seconds()


def test_shares_are_read_with_their_sign() -> None:
    """The options are those of a YAML file."""
    options = simulated.Options.model_validate({"refused": "1%", "seed": "3"})
    assert (Decimal("0.01"), 3) == (options.refused, options.seed)
