"""Draining a run through a gateway that answers as it pleases, on a real ledger."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from smsengine.clock import ManualClock
from smsengine.config.job import Guards
from smsengine.errors import SmsEngineError
from smsengine.gateways.base import (
    Capabilities,
    Outbound,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Scope,
)
from smsengine.identity import own_identity
from smsengine.lifecycle import RunState
from smsengine.receipts.matching import store_receipts
from smsengine.sending.dispatcher import LEASE, Dispatcher
from smsengine.sending.retrying import MAX_ATTEMPTS
from smsengine.store import attempts
from smsengine.store.runs import Run
from tests.conftest import Office, rows

K = OutcomeKind
ACCEPTED = Outcome(kind=K.ACCEPTED)
TRANSIENT = Outcome(kind=K.TRANSIENT, code="51")
UNKNOWN = Outcome(kind=K.UNKNOWN, code="timeout")
THROTTLED = Outcome(kind=K.THROTTLED, retry_after_seconds=30)
REJECTED = Outcome(kind=K.REJECTED, scope=Scope.RECIPIENT, code="13", detail="no such number")
ACCOUNT = Outcome(kind=K.REJECTED, scope=Scope.ACCOUNT, code="401", detail="wrong password")


@dataclass
class Telco:
    """A gateway that answers what it was told to, and keeps a book of what it took.

    ``answers`` are given by phone number, one for each hand-over; after them it accepts.
    """

    clock: ManualClock
    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    can_query: bool = True
    max_batch: int = 100
    taken: list[str] = field(default_factory=list)
    offered: list[tuple[str, float]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None
    started: float = 0

    def __post_init__(self) -> None:
        self.started = self.clock.now().timestamp()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(max_batch=self.max_batch, can_query=self.can_query, has_receipts=False)

    def send(self, batch: Sequence[Outbound]) -> Sequence[Outcome]:
        self.batches.append(len(batch))
        outcomes = [self._answer(message) for message in batch]
        self.before_answer()
        return outcomes

    def _answer(self, message: Outbound) -> Outcome:
        elapsed = self.clock.now().timestamp() - self.started
        self.offered.append((message.address, elapsed))
        left = self.answers.get(message.address, [])
        outcome = left.pop(0) if left else ACCEPTED
        if outcome.kind is not K.ACCEPTED:
            return outcome
        self.taken.append(message.reference)
        return Outcome(kind=K.ACCEPTED, gateway_id=f"T-{message.reference}")

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        return [
            Outcome(kind=K.ACCEPTED, gateway_id=f"T-{name}") if name in self.taken else None
            for name in references
        ]

    def receipts(self) -> Sequence[Receipt]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def telco(clock: ManualClock) -> Telco:
    return Telco(clock)


def phone_of(number: int) -> str:
    """The phone of the message with that place in a run of ``rows``."""
    return f"+849{number + 10_000_001:08d}"


def drain(office: Office, telco: Telco, run: Run, *, worker: str = "", batch: int = 100) -> None:
    Dispatcher(
        store=office.store,
        gateway=telco,
        gateway_name="trial",
        clock=office.clock,
        worker=worker or own_identity(),
        batch=batch,
        chance=random.Random(1),
    ).drain(office.run(run.id))


def claimed(office: Office, run: Run, worker: str) -> list[attempts.Claimed]:
    """What a worker has claimed and not settled, since it went away."""
    now = office.clock.now()
    with office.store.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET state = 'sending'")
        return attempts.claim(
            connection,
            run_id=run.id,
            upto=run.released_upto,
            gateway="trial",
            worker=worker,
            now=now,
            until=now + LEASE,
            limit=100,
        )


def gone() -> str:
    """The identity of a worker that has really ended."""
    say = "from smsengine.identity import own_identity; print(own_identity())"
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    return done.stdout.strip()


# -- answers ---------------------------------------------------------------------------------------


def test_what_is_accepted_is_settled(office: Office, telco: Telco) -> None:
    """Every message is handed over once, with the gateway's name for it, and the run ends."""
    run = office.released(rows(5))
    drain(office, telco, run)
    assert (["accepted"] * 5, 5, RunState.FINISHED) == (
        office.states(),
        len(telco.taken),
        office.run(run.id).state,
    )
    assert [f"T-{name}" for name in telco.taken] == [
        line[0] for line in office.all("SELECT gateway_id FROM messages ORDER BY id")
    ]


def test_what_is_handed_over_is_what_was_planned(office: Office, clock: ManualClock) -> None:
    """Address, text, network and segments reach the gateway as they were sealed."""
    seen: list[Outbound] = []

    class Seeing(Telco):
        def send(self, batch: Sequence[Outbound]) -> Sequence[Outcome]:
            seen.extend(batch)
            return super().send(batch)

    run = office.released(rows(3))
    drain(office, Seeing(clock), run)
    assert office.all("SELECT address, network, text, segments FROM messages ORDER BY place") == [
        (each.address, each.network, each.text, each.segments) for each in seen
    ]


def test_a_claim_is_in_the_ledger_before_the_first_byte(office: Office, clock: ManualClock) -> None:
    """While the gateway is at work, another reader of the ledger sees what it is given."""
    telco = Telco(clock)
    seen: list[list[str]] = []
    telco.before_answer = lambda: seen.append(office.states())
    drain(office, telco, office.released(rows(3)))
    assert [["sending"] * 3] == seen


def test_batches_have_the_gateway_s_size(office: Office, clock: ManualClock) -> None:
    """Neither the configuration's batch nor the gateway's limit is exceeded."""
    telco = Telco(clock, max_batch=4)
    drain(office, telco, office.released(rows(10)), batch=100)
    assert [4, 4, 2] == telco.batches


def test_what_is_rejected_is_final(office: Office, telco: Telco) -> None:
    """A refused number is never tried again, and the gateway's word is kept."""
    telco.answers[phone_of(2)] = [REJECTED]
    drain(office, telco, office.released(rows(3)))
    assert (3, [("rejected", "13", "no such number")]) == (
        len(telco.offered),
        office.all("SELECT state, code, detail FROM messages WHERE place = 2"),
    )


def test_what_is_throttled_is_due_later(office: Office, telco: Telco) -> None:
    """A message that came too fast is offered again when the gateway said, not before."""
    telco.answers[phone_of(1)] = [THROTTLED]
    drain(office, telco, office.released(rows(2)))
    first, second = (seconds for address, seconds in telco.offered if address == phone_of(1))
    assert second - first >= 30
    assert ["accepted", "accepted"] == office.states()


def test_others_do_not_wait_for_one_that_waits(office: Office, telco: Telco) -> None:
    """The messages behind a throttled one go out at once."""
    telco.answers[phone_of(1)] = [THROTTLED]
    drain(office, telco, office.released(rows(5)), batch=1)
    assert phone_of(1) == telco.offered[-1][0]


def test_what_failed_for_the_moment_is_tried_again(office: Office, telco: Telco) -> None:
    """A message that was surely not accepted is handed over until it is."""
    telco.answers[phone_of(1)] = [TRANSIENT] * 3
    drain(office, telco, office.released(rows(1)))
    assert (4, 1, ["accepted"]) == (len(telco.offered), len(telco.taken), office.states())


def test_what_fails_again_and_again_is_given_up(office: Office, telco: Telco) -> None:
    """After the last attempt the message is rejected, and the run ends."""
    telco.answers[phone_of(1)] = [TRANSIENT] * 99
    run = office.released(rows(2))
    drain(office, telco, run)
    assert (MAX_ATTEMPTS + 1, ["rejected", "accepted"], RunState.FINISHED) == (
        len(telco.offered),
        office.states(),
        office.run(run.id).state,
    )


def test_every_hand_over_is_in_the_ledger(office: Office, telco: Telco) -> None:
    """An operator can read what the gateway said each time."""
    telco.answers[phone_of(1)] = [TRANSIENT, THROTTLED]
    drain(office, telco, office.released(rows(1)))
    assert [(1, "transient", "51"), (2, "throttled", ""), (3, "accepted", "")] == office.all(
        "SELECT number, outcome, code FROM attempts ORDER BY number"
    )


def test_what_is_unknown_is_never_sent_again_by_itself(office: Office, clock: ManualClock) -> None:
    """Where the gateway cannot be asked, a message that may have gone out stays unknown."""
    telco = Telco(clock, {phone_of(1): [UNKNOWN]}, can_query=False)
    run = office.released(rows(2))
    drain(office, telco, run)
    office.change("UPDATE runs SET state = 'sending'")
    clock.sleep(24 * 3600)
    drain(office, telco, run)
    assert (1, ["unknown", "accepted"]) == (
        sum(address == phone_of(1) for address, _ in telco.offered),
        office.states(),
    )


def test_a_rejection_beside_an_account_error_is_kept(office: Office, telco: Telco) -> None:
    """What the gateway answered for the other messages of the batch is not lost."""
    telco.answers = {phone_of(1): [REJECTED], phone_of(3): [ACCOUNT]}
    run = office.released(rows(3))
    with pytest.raises(SmsEngineError):
        drain(office, telco, run)
    assert ["rejected", "accepted", "queued"] == office.states()


def test_an_account_error_stops_the_lane(office: Office, telco: Telco) -> None:
    """The sentence names the gateway and its answer, and nothing more is offered."""
    telco.answers = {phone_of(number): [ACCOUNT] for number in range(1, 10)}
    run = office.released(rows(9))
    with pytest.raises(
        SmsEngineError, match=r"Gateway trial refuses our account \(401 wrong passw"
    ):
        drain(office, telco, run, batch=2)
    assert (2, ["queued"] * 9) == (len(telco.offered), office.states())


def test_after_an_account_error_the_rest_is_sent(office: Office, telco: Telco) -> None:
    """Mended and started again, the run goes on where it stopped, and loses nothing."""
    telco.answers = {phone_of(1): [ACCOUNT]}
    run = office.released(rows(5))
    with pytest.raises(SmsEngineError):
        drain(office, telco, run, batch=2)
    drain(office, telco, run)
    assert (["accepted"] * 5, 5) == (office.states(), len(set(telco.taken)))


# -- people ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_person_stops_a_run_between_two_batches(
    office: Office, clock: ManualClock, state: str
) -> None:
    """What was not claimed yet stays where it is."""
    telco = Telco(clock)
    telco.before_answer = lambda: office.change(f"UPDATE runs SET state = '{state}'")
    run = office.released(rows(6))
    drain(office, telco, run, batch=2)
    assert (2, ["accepted", "accepted", *["queued"] * 4], state) == (
        len(telco.offered),
        office.states(),
        office.run(run.id).state,
    )


@pytest.mark.parametrize("state", ["planned", "held", "finished", "cancelled"])
def test_only_released_runs_are_drained(office: Office, telco: Telco, state: str) -> None:
    """A run that nobody released hands over nothing."""
    run = office.planned(rows(2))
    office.change(f"UPDATE runs SET state = '{state}'")
    drain(office, telco, run)
    assert ([], ["queued", "queued"]) == (telco.offered, office.states())


def test_an_empty_run_ends_at_once(office: Office, telco: Telco) -> None:
    """A run of skips only has nothing to send, and is finished."""
    run = office.released([], guards=Guards(min_rows=0, max_cost=0))
    drain(office, telco, run)
    assert RunState.FINISHED is office.run(run.id).state


# -- workers that went away ------------------------------------------------------------------------


def test_what_a_dead_worker_had_handed_over_is_accepted(office: Office, telco: Telco) -> None:
    """The gateway is asked, and says that it took the message: nobody is told twice."""
    run = office.released(rows(2))
    telco.taken = [message.reference for message in claimed(office, run, gone())]
    drain(office, telco, run)
    assert ([], ["accepted", "accepted"]) == (telco.offered, office.states())


def test_what_a_dead_worker_had_not_handed_over_is_sent(office: Office, telco: Telco) -> None:
    """The gateway is asked, and never took the message: nobody is forgotten."""
    run = office.released(rows(2))
    claimed(office, run, gone())
    drain(office, telco, run)
    assert (2, ["accepted", "accepted"]) == (len(telco.offered), office.states())


def test_a_dead_worker_is_noticed_at_once(office: Office, telco: Telco) -> None:
    """A process of this machine that has ended need not be waited for until its lease ends."""
    run = office.released(rows(2))
    claimed(office, run, gone())
    before = office.clock.now()
    drain(office, telco, run)
    assert before == office.clock.now()


def test_a_gateway_that_cannot_be_asked_leaves_it_unknown(
    office: Office, clock: ManualClock
) -> None:
    """Without proof a dead worker's message is neither sent again nor called accepted."""
    telco = Telco(clock, can_query=False)
    run = office.released(rows(2))
    claimed(office, run, gone())
    drain(office, telco, run)
    assert ([], ["unknown", "unknown"]) == (telco.offered, office.states())


def test_a_lost_attempt_is_written_down(office: Office, clock: ManualClock) -> None:
    """The attempt of a dead worker ended unknown, with the reason."""
    run = office.released(rows(1))
    claimed(office, run, gone())
    drain(office, Telco(clock, can_query=False), run)
    assert [("unknown", "worker-lost", "worker-lost")] == office.all(
        "SELECT a.outcome, a.code, m.code FROM attempts a JOIN messages m ON m.id = a.message_id"
    )


def test_a_live_worker_keeps_its_messages(office: Office, clock: ManualClock) -> None:
    """What another process holds, within its lease, is left to it."""
    run = office.released(rows(2))
    held = claimed(office, run, own_identity())
    telco = Telco(clock)
    other = "elsewhere:9:9:9"
    office.change("UPDATE messages SET worker = ?", other)
    # While the second worker waits, the first one comes back and settles.
    clock_moves = clock.sleep

    class Returning(ManualClock):
        def sleep(self, seconds: float) -> None:
            clock_moves(seconds)
            results = [
                attempts.Settlement(
                    each.id, each.attempt, "accepted", clock.now(), "g", "accepted", "", ""
                )
                for each in held
            ]
            with office.store.write() as connection:
                attempts.settle(connection, other, results, now=clock.now())

    office.clock = Returning(clock.now())
    drain(office, telco, run)
    assert ([], ["accepted", "accepted"]) == (telco.offered, office.states())


@pytest.mark.parametrize("elsewhere", ["elsewhere:9:9:9", ""])
def test_a_worker_that_may_be_frozen_is_no_proof(
    office: Office, telco: Telco, elsewhere: str
) -> None:
    """When its lease has run out its message is unknown; it could still hand it over itself."""
    run = office.released(rows(1))
    claimed(office, run, elsewhere or own_identity())
    ends = office.clock.now() + LEASE
    office.clock.sleep(LEASE.total_seconds() - 5)
    drain(office, telco, run)
    assert (["unknown"], [], True) == (office.states(), telco.offered, office.clock.now() > ends)


def test_a_frozen_workers_hand_over_is_proved_by_the_gateway(office: Office, telco: Telco) -> None:
    """The gateway has the message: accepted, whatever became of the worker."""
    run = office.released(rows(1))
    telco.taken = [message.reference for message in claimed(office, run, "elsewhere:9:9:9")]
    office.clock.sleep(LEASE.total_seconds() + 5)
    drain(office, telco, run)
    assert (["accepted"], []) == (office.states(), telco.offered)


def test_an_unknown_message_of_a_running_run_is_asked_about(office: Office, telco: Telco) -> None:
    """A read time-out while others still wait is resolved by asking, without a second sending."""
    run = office.released(rows(1))
    telco.taken = [message.reference for message in claimed(office, run, "w")]
    office.change("UPDATE messages SET state = 'unknown', worker = NULL, lease_until = NULL")
    drain(office, telco, run)
    assert ([], ["accepted"], [("queried",)]) == (
        telco.offered,
        office.states(),
        office.all("SELECT code FROM messages"),
    )


# -- receipts --------------------------------------------------------------------------------------

DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED


@pytest.fixture
def sent(office: Office, telco: Telco) -> Office:
    """A run of two messages that were accepted as ``T-…``."""
    drain(office, telco, office.released(rows(2)))
    return office


def receipt(office: Office, status: ReceiptStatus, place: int = 1, code: str = "") -> int:
    """A receipt comes for the message at that place; returns how many messages moved."""
    (found,) = office.all("SELECT gateway_id FROM messages WHERE place = ?", place)
    received = [Receipt(gateway_id=found[0], status=status, code=code)]
    return store_receipts(office.store, "trial", received, office.clock.now())


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([DELIVERED], "delivered"),
        ([UNDELIVERED], "undelivered"),
        ([ReceiptStatus.IN_TRANSIT], "accepted"),
        ([ReceiptStatus.IN_TRANSIT, DELIVERED], "delivered"),
        ([UNDELIVERED, DELIVERED], "delivered"),
        ([DELIVERED, UNDELIVERED], "delivered"),
        ([DELIVERED, DELIVERED], "delivered"),
        ([UNDELIVERED, UNDELIVERED, ReceiptStatus.IN_TRANSIT], "undelivered"),
    ],
)
def test_delivered_wins(sent: Office, statuses: list[ReceiptStatus], state: str) -> None:
    """A final word is never undone by a lesser one, in whatever order receipts come."""
    for status in statuses:
        receipt(sent, status)
    assert [state, "accepted"] == sent.states()


def test_contrary_receipts_in_one_answer(sent: Office) -> None:
    """Of two words in one batch the better one counts."""
    (found,) = sent.all("SELECT gateway_id FROM messages WHERE place = 1")
    both = [Receipt(gateway_id=found[0], status=status) for status in (UNDELIVERED, DELIVERED)]
    store_receipts(sent.store, "trial", both, sent.clock.now())
    assert "delivered" == sent.states()[0]


def test_a_repeated_receipt_is_kept_once(sent: Office) -> None:
    """Telcos repeat themselves; the ledger does not, and nothing moves a second time."""
    assert (1, 0, [(1,)]) == (
        receipt(sent, DELIVERED),
        receipt(sent, DELIVERED),
        sent.all("SELECT count(*) FROM receipts"),
    )


def test_a_receipt_is_tied_to_its_message(sent: Office) -> None:
    """Who looks at a message finds what the telco said of it, with the code."""
    receipt(sent, UNDELIVERED, place=2, code="EXPIRED")
    assert [(2, "undelivered", "EXPIRED")] == sent.all(
        "SELECT message_id, status, code FROM receipts"
    )


def test_a_receipt_for_nobody_is_kept(sent: Office) -> None:
    """A receipt that speaks of no message of ours moves nothing, and can be looked up."""
    strange = [Receipt(gateway_id="strange", status=DELIVERED)]
    assert 0 == store_receipts(sent.store, "trial", strange, sent.clock.now())
    assert [("strange", None)] == sent.all("SELECT gateway_id, message_id FROM receipts")


def test_a_receipt_of_another_gateway_moves_nothing(sent: Office) -> None:
    """Two gateways may give the same name to different messages."""
    (found,) = sent.all("SELECT gateway_id FROM messages WHERE place = 1")
    strange = [Receipt(gateway_id=found[0], status=DELIVERED)]
    store_receipts(sent.store, "other", strange, sent.clock.now())
    assert ["accepted", "accepted"] == sent.states()


def test_a_receipt_that_came_before_its_answer(office: Office, clock: ManualClock) -> None:
    """A telco that is faster than our own ledger is believed when the next receipts come."""
    telco = Telco(clock)
    telco.before_answer = lambda: store_receipts(
        office.store,
        "trial",
        [Receipt(gateway_id=f"T-{name}", status=DELIVERED) for name in telco.taken],
        clock.now(),
    )
    drain(office, telco, office.released(rows(2)))
    assert ["accepted", "accepted"] == office.states()
    assert 2 == store_receipts(office.store, "trial", [], clock.now())
    assert ["delivered", "delivered"] == office.states()


def test_a_receipt_resolves_an_unknown_message(sent: Office) -> None:
    """What reached the phone had been accepted, whatever we heard at the time."""
    sent.change("UPDATE messages SET state = 'unknown', settled_at = NULL WHERE place = 1")
    receipt(sent, DELIVERED)
    assert "delivered" == sent.states()[0]


@pytest.mark.parametrize("state", ["queued", "rejected", "cancelled", "expired"])
def test_a_receipt_moves_nothing_that_was_not_handed_over(sent: Office, state: str) -> None:
    """A receipt for a message that waits or was withdrawn changes no state."""
    sent.change(f"UPDATE messages SET state = '{state}' WHERE place = 1")
    receipt(sent, DELIVERED)
    assert state == sent.states()[0]
