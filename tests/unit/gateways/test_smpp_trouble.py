"""A link when things go wrong at the worst moment: nothing is said that is not so."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from smsengine.gateways.base import Outbound, Outcome, OutcomeKind
from smsengine.gateways.smpp import statuses
from smsengine.gateways.smpp.inbox import MOST_WAITING
from smsengine.gateways.smpp.links import Links
from smsengine.gateways.smpp.pdu import Command, pdu
from smsengine.gateways.smpp.pool import Pool
from smsengine.gateways.smpp.session import Owner, Session
from tests.doubles.smsc import Smsc
from tests.doubles.smsc_settings import Fault
from tests.flow.zygote import until
from tests.unit.gateways.raw_server import RawServer
from tests.unit.gateways.test_smpp_gateway import LONG, cleared, kinds, messages, opened, options
from tests.unit.gateways.test_smpp_session import Peer, delivery, manner

UNKNOWN, TRANSIENT = OutcomeKind.UNKNOWN, OutcomeKind.TRANSIENT

# -- one incident, many messages -------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.NACK, Fault.LIE, Fault.UNBIND])
def test_what_breaks_with_a_link_is_one_incident(fault: Fault) -> None:
    """However many messages were under way on it; the next link's end is another one."""
    with Smsc(faults={fault: [10, 30]}, latency_ms=20) as smsc, opened(smsc.port) as gateway:
        outcomes = gateway.send(messages(60), cleared)
        broken = [each for each in outcomes if each.kind in (UNKNOWN, TRANSIENT)]
        names = Counter(each.incident for each in broken)
    assert (2, True) == (len(names), "" not in names)
    assert len(broken) > len(names)


def test_a_long_text_keeps_the_incident_of_its_parts() -> None:
    with Smsc(faults={Fault.DROP: [2]}, latency_ms=20) as smsc, opened(smsc.port) as gateway:
        (outcome,) = gateway.send(messages(1, LONG), cleared)
    assert (UNKNOWN, "cut-off") == (outcome.kind, outcome.code)
    assert outcome.incident


# -- what surely was not written -------------------------------------------------------------------


def test_nothing_is_written_on_a_link_whose_peer_goes() -> None:
    """It has said good-bye while we waited for our turn, and would answer nothing any more."""
    heard: list[int] = []

    def go(peer: Peer) -> None:
        peer.write(pdu(Command.UNBIND, 1))
        while True:
            heard.append(peer.read()[0])

    def too_late(_leaving: Sequence[Outbound]) -> bool:
        may_go.set()
        until(lambda: gateway.counts["asks us to go"], "the good-bye", 10)
        return True

    may_go = threading.Event()
    with (
        RawServer(manner(lambda _peer: may_go.wait(10), go), manner()) as server,
        opened(server.port, respond_seconds=5) as gateway,
    ):
        outcomes = gateway.send(messages(5), too_late)
        assert Command.SUBMIT_SM not in heard
        assert {TRANSIENT: 5} == kinds(outcomes)
        assert {"not-written"} == {each.code for each in outcomes}
        assert {OutcomeKind.ACCEPTED: 5} == kinds(gateway.send(messages(5), cleared))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault.THROTTLE, OutcomeKind.THROTTLED), (Fault.BAD_NUMBER, OutcomeKind.REJECTED)],
)
def test_when_a_part_is_refused_the_parts_that_wait_are_not_written(
    fault: Fault, kind: OutcomeKind
) -> None:
    """Half a text is of no use; and as nothing was taken, the refusal stands."""
    with Smsc(faults={fault: [1]}) as smsc, opened(smsc.port, outstanding=1) as gateway:
        (outcome,) = gateway.send(messages(1, LONG * 3), cleared)
        assert (kind, []) == (outcome.kind, smsc.ledger())
        assert 1 == smsc.counts()["submit_sm"]
        assert {OutcomeKind.ACCEPTED: 2} == kinds(gateway.send(messages(2, LONG, 7), cleared))


def test_a_refusal_behind_a_part_that_was_taken_is_a_doubt() -> None:
    """Never again by itself: somebody has a part of it already."""
    with (
        Smsc(faults={Fault.THROTTLE: [2]}) as smsc,
        opened(smsc.port, outstanding=1) as gateway,
    ):
        (outcome,) = gateway.send(messages(1, LONG * 3), cleared)
        assert (UNKNOWN, "0x58", 1) == (outcome.kind, outcome.code, len(smsc.ledger()))
        assert outcome.detail.startswith("1 of 5 parts were taken; throttled")


# -- receipts that nobody takes --------------------------------------------------------------------


@pytest.mark.parametrize("alike", [True, False])
def test_more_receipts_than_can_wait_are_asked_for_again(alike: bool) -> None:
    """The ledger is away: the SMSC keeps them, also when it says one and the same again and again.

    What was taken before that is acknowledged when it is in the ledger.
    """
    heard: list[tuple[int, int, int]] = []
    more = 5

    def tell(peer: Peer) -> None:
        said = (b"id:%d stat:DELIVRD" % (0 if alike else n) for n in range(MOST_WAITING + more))
        peer.write(*(delivery(each, 4, n) for n, each in enumerate(said, 1)))
        heard.extend(peer.read()[:3] for _ in range(more))
        heard.extend(peer.read()[:3] for _ in range(MOST_WAITING))

    with RawServer(manner(tell)) as server, opened(server.port, ids="same") as gateway:
        gateway.check()
        until(lambda: len(heard) == more, "refusals", 10)
        full = [(0x80000005, 0x14, MOST_WAITING + n) for n in range(1, more + 1)]
        assert full == heard
        gateway.stored(gateway.receipts())
        until(lambda: len(heard) == more + MOST_WAITING, "acknowledgements", 10)
        assert {0} == {status for _, status, _ in heard[more:]}


# -- a peer that does not read ---------------------------------------------------------------------


class Deaf(asyncio.Transport):
    """Whatever is written waits for ever, behind some megabytes."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = 8_000_000
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.unread += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


class Listener(Owner):
    """Hears what a link tells."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.ends = 0

    def meaning(self, status: int) -> Outcome:
        return statuses.outcome_of({}, status)

    def ended(self, session: Session) -> None:
        self.ends += 1

    def count(self, what: str) -> None:
        self.counts[what] += 1


def test_a_peer_that_asks_and_never_reads_is_left() -> None:
    """Our answers would fill the memory."""

    async def flood() -> tuple[Deaf, Listener]:
        transport, owner = Deaf(), Listener()  # type: ignore[abstract]
        session = Session(owner, places=1, respond_seconds=1, enquire_seconds=1)
        session.connection_made(transport)
        asked = pdu(Command.ENQUIRE_LINK, 1) * 10_000
        while not session.end.done() and transport.unread < 12_000_000:
            session.data_received(asked)
        return transport, owner

    transport, owner = asyncio.run(flood())
    assert (True, 1) == (transport.is_aborted, owner.counts["does not read what we write"])
    assert transport.unread < 10_000_000


# -- a bind that breaks off ------------------------------------------------------------------------


class Fragile(Pool):
    """Breaks when it is told of a link for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        self.has_one = threading.Event()

    def opened(self, session: Session) -> None:
        self.times += 1
        if self.times == 1:
            raise RuntimeError("nobody has foreseen this")
        super().opened(session)
        self.has_one.set()


def test_a_bind_that_breaks_off_is_told_and_made_again(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for the task that keeps it up; without a word it would be gone for ever."""
    pool = Fragile()
    with Smsc() as smsc, caplog.at_level(logging.ERROR, "smsengine.smpp"):
        links = Links(options(smsc.port), name="telco", folder=Path(), pool=pool)
        with closing(links):
            links.start(Listener())
            assert pool.has_one.wait(10)
    (told,) = caplog.records
    assert "telco: a bind broke off" == told.getMessage()
    assert told.exc_info is not None
